"""Saved states: the same bytes from every backend, gone on from by every backend, or refused."""
# ruff: noqa: ANN401 - much of what is given here is what the types forbid

from __future__ import annotations

import pickle
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import indicator_cache as ic

from .bars import NAN_BITS, as_columns, bits, columns_of, compute
from .strategies import gappy

NAMES = tuple(ic.catalog())
BACKENDS = ic.backends.NAMES
ROOT = Path(__file__).parent.parent

every_indicator = pytest.mark.parametrize("name", NAMES)
every_backend = pytest.mark.parametrize("backend", BACKENDS)

#: Short windows, so that a state is short and all of it matters.
SHORT = {"period": 5, "fast": 3, "slow": 5, "signal": 4}


def short(name: str) -> dict[str, Any]:
    names = {parameter.name for parameter in ic.catalog()[name].parameters}
    return {key: value for key, value in SHORT.items() if key in names}


def saved(name: str, bars: int = 37, backend: str | None = None, **params: Any) -> bytes:
    stream = ic.stream(name, backend=backend, **(params or short(name)))
    longer = gappy(max(bars, 40), 2)
    stream.update_many(*(column[:bars] for column in columns_of(stream.spec, longer)))
    return stream.save()


def sealed(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body))


# --- from every backend to every backend ---


@every_indicator
def test_same_bytes_at_every_bar(name: str) -> None:
    streams = [ic.stream(name, backend=backend, **short(name)) for backend in BACKENDS]
    bars = gappy(70, 3)
    columns = columns_of(streams[0].spec, bars)
    for at in range(71):
        assert len({stream.save() for stream in streams}) == 1, at
        for stream in streams if at < 70 else ():
            stream.update(*(column.item(at) for column in columns))


@every_indicator
def test_same_bytes_at_the_edges_of_blocks(name: str) -> None:
    streams = [ic.stream(name, backend=backend) for backend in BACKENDS]
    columns = columns_of(streams[0].spec, gappy(2200, 4))
    at = 0
    for cut in (0, 7, 8, 9, 16, 17, 128, 129, 1023, 1025, 1040, 1041, 2064, 2065, 2200):
        for stream in streams:
            stream.update_many(*(column[at:cut] for column in columns))
        at = cut
        assert len({stream.save() for stream in streams}) == 1, cut


@every_indicator
@pytest.mark.parametrize("there", BACKENDS)
@pytest.mark.parametrize("here", BACKENDS)
def test_saved_here_and_gone_on_there(here: str, there: str, name: str) -> None:
    bars = gappy(600, 5)
    for cut in (0, 1, 16, 17, 18, 33, 100, 512, 600):
        stream = ic.stream(name, backend=here, **short(name))
        columns = columns_of(stream.spec, bars)
        first = as_columns(stream.update_many(*(column[:cut] for column in columns)))
        state = stream.save()
        other = ic.restore(state, backend=there)
        assert (other.backend, other.bars, other.params) == (there, cut, stream.params)
        assert other.save() == state
        rest = as_columns(other.update_many(*(column[cut:] for column in columns)))
        whole = {key: np.concatenate([first[key], rest[key]]) for key in first}
        assert bits(whole) == bits(compute(name, bars, short(name)))


@every_indicator
def test_layout(name: str) -> None:
    """The layout as it is documented, read by hand."""
    state = saved(name)
    spec = ic.catalog()[name]
    magic, version, length = struct.unpack_from("<4sHB", state)
    assert (magic, version) == (b"ICST", 1)
    assert state[7 : 7 + length].decode() == name
    revision, count = struct.unpack_from("<IB", state, 7 + length)
    assert (revision, count) == (spec.revision, len(spec.parameters))
    *params, bars = struct.unpack_from(f"<{count}dQ", state, 12 + length)
    assert spec.from_numbers(params) == spec.normalise(short(name))
    assert bars == 37
    assert struct.unpack("<I", state[-4:])[0] == zlib.crc32(state[:-4])


def test_one_nan_in_saved_states() -> None:
    foreign = np.array([0xFFF8 << 48, 0x7FF8_DEAD << 32] * 3, np.uint64).view(np.float64)
    for backend in BACKENDS:
        stream = ic.stream("sma", period=7, backend=backend)
        stream.update_many(foreign)
        window = np.frombuffer(stream.save()[-4 - 6 * 8 : -4], np.uint64)
        assert set(window.tolist()) == {NAN_BITS}


def test_a_state_is_a_few_windows_long() -> None:
    for name in NAMES:
        spec = ic.catalog()[name]
        for bars in 10, 3000:
            params: dict[str, Any] = {p.name: p.default for p in spec.parameters}
            state = saved(name, bars, **params)
            windows = sum(value for value in params.values() if type(value) is int)
            assert len(state) <= 400 + 4 * 8 * windows


def test_every_kind_of_bytes() -> None:
    state = saved("ema")
    mutable = bytearray(state)
    forms: list[Any] = [state, mutable, memoryview(state), memoryview(state * 1)]
    for form in forms:
        assert ic.restore(form).save() == state
    restored = ic.restore(forms[1])
    mutable[:] = bytes(len(mutable))
    assert restored.save() == state


# --- bytes that are no state ---


def refusals(state: Any) -> set[str]:
    """What the backends say; each has to refuse."""
    told = set()
    for backend in BACKENDS:
        with pytest.raises(ic.StateError) as caught:
            ic.restore(state, backend=backend)
        assert isinstance(caught.value, ValueError)
        assert str(caught.value) == f"not a usable saved state: {caught.value.reason}"
        told.add(str(caught.value))
    return told


EMA = ic.catalog()["ema"].revision


def header(
    name: bytes = b"ema",
    revision: int | None = None,
    params: tuple[float, ...] = (20.0,),
    *,
    magic: bytes = b"ICST",
    version: int = 1,
    rest: bytes = b"",
) -> bytes:
    if revision is None:
        spec = ic.catalog().get(name.decode("latin-1"))
        revision = spec.revision if spec else 1
    return sealed(
        struct.pack("<4sHB", magic, version, len(name))
        + name
        + struct.pack(f"<IB{len(params)}dQ", revision, len(params), *params, 5)
        + rest
    )


FOREIGN: list[tuple[Any, str]] = [
    (b"", "truncated"),
    (b"ICS", "truncated"),
    (b"ICST", "truncated"),
    (b"ICST\x01\x00", "truncated"),
    (sealed(b""), "truncated"),
    (sealed(b"ICST"), "truncated"),
    (sealed(b"ICST\x01\x00"), "truncated"),
    (sealed(b"ICST\x01\x00\xff"), "truncated"),
    (b"\x00" * 200, "does not begin as a saved state does"),
    (b"\xff" * 200, "does not begin as a saved state does"),
    (pickle.dumps(ic.stream("ema")), "does not begin as a saved state does"),
    (b'{"indicator": "ema", "period": 20}', "does not begin as a saved state does"),
    (header(magic=b"icst"), "does not begin as a saved state does"),
    (header(version=2), "format version 2, this is 1"),
    (header(version=0), "format version 0, this is 1"),
    (header(version=0xFFFF), "format version 65535, this is 1"),
    (header(name=b"hull"), "unknown indicator, 'hull'"),
    (header(name=b""), "unknown indicator, ''"),
    (header(name=b"EMA"), "unknown indicator, 'EMA'"),
    (header(name=b"\xff\xfe"), "unknown indicator"),
    (header(name=b"e" * 255), "unknown indicator"),
    (header(revision=EMA + 1), f"revision {EMA + 1} of ema, this is {EMA}"),
    (header(revision=0), f"revision 0 of ema, this is {EMA}"),
    (header(revision=0xFFFF_FFFF), f"revision 4294967295 of ema, this is {EMA}"),
    (header(params=()), "params must be 1 values for ema"),
    (header(params=(20.0,) * 255), "params must be 1 values for ema"),
    (header(params=(0.0,)), "period must be a whole number from 1 to 1000000"),
    (header(params=(20.5,)), "period must be a whole number from 1 to 1000000"),
    (header(params=(np.nan,)), "period must be a whole number"),
    (header(params=(np.inf,)), "period must be a whole number"),
    (header(params=(2.0**70,)), "period must be a whole number"),
    (
        header(b"bollinger", params=(20.0, np.nan)),
        "std_factor must be a number from 0.0",
    ),
    (header(b"bollinger", params=(20.0, -1.0)), "std_factor must be a number from 0.0"),
    (None, "expected bytes, got NoneType"),
    ("ICST", "expected bytes, got str"),
    ([73, 67, 83, 84], "expected bytes, got list"),
    (3, "expected bytes, got int"),
]


@pytest.mark.parametrize(("state", "reason"), FOREIGN, ids=map(str, range(len(FOREIGN))))
def test_foreign_bytes(state: Any, reason: str) -> None:
    """Whatever the header tells is told alike by every backend."""
    (told,) = refusals(state)
    assert reason in told


def test_truncated_and_too_long_payloads() -> None:
    for name in NAMES:
        body = saved(name)[:-4]
        for state in sealed(body[:-1]), sealed(body[:-8]), sealed(body + b"\0"):
            (told,) = refusals(state)
            assert "truncated" in told or "too long" in told
            assert told.count("not a usable saved state") == 1


@every_indicator
def test_every_truncation(name: str) -> None:
    state = saved(name)
    for length in range(len(state)):
        refusals(state[:length])


@every_indicator
def test_every_damaged_byte(name: str) -> None:
    state = saved(name)
    rng = np.random.default_rng(1)
    for at in range(len(state)):
        damaged = bytearray(state)
        damaged[at] ^= 1 << rng.integers(8)
        (told,) = refusals(bytes(damaged))
        if at >= 6:
            assert "checksum" in told


# --- bytes that are none, with a good checksum: an adversary's, or a program's with a defect ---


@st.composite
def hostile(draw: st.DrawFn, name: str) -> bytes:
    """A state with something else in it, sealed anew."""
    state = saved(name, draw(st.sampled_from([0, 1, 17, 20, 23, 37])))
    body = bytearray(state[:-4])
    begin = draw(st.sampled_from([0, 7, len(name) + 7, len(body) - 1]))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(min(begin, len(body) - 1), len(body) - 1))
        match draw(st.integers(0, 4)):
            case 0:
                body[at] = draw(st.integers(0, 255))
            case 1:
                body[at : at + 8] = struct.pack("<d", draw(st.floats()))
            case 2:
                count = draw(st.sampled_from([0, 1, 4, 5, 7, 8, 9, 2**31, 2**62, 2**63, 2**64 - 1]))
                body[at : at + 8] = struct.pack("<Q", count)
            case 3:
                del body[at : at + draw(st.integers(1, 16))]
            case _:
                body[at:at] = draw(st.binary(max_size=16))
        if not body:
            break
    return sealed(bytes(body))


OPTIONS = settings(settings.get_profile("ci"), max_examples=200)


@every_indicator
@OPTIONS
@given(data=st.data())
def test_hostile_bytes(name: str, data: st.DataObject) -> None:
    """They are refused, or make a stream that works, and every backend decides alike."""
    state = data.draw(hostile(name))
    outcomes = set()
    for backend in BACKENDS:
        try:
            stream = ic.restore(state, backend=backend)
        except ic.StateError:
            outcomes.add("refused")
            continue
        outcomes.add("taken")
        works(stream)
    assert len(outcomes) == 1


def works(stream: ic.Stream) -> None:
    """Use all that a stream can do; what it computes from nonsense is its own affair."""
    width = len(stream.spec.inputs)
    columns = columns_of(stream.spec, gappy(60, 7))
    before = stream.save()
    stream.peek(*[1.0] * width)
    stream.copy().update(*[1.0] * width)
    assert stream.save() == before
    stream.update(*[1.0] * width)
    stream.update_many(*columns)
    again = ic.restore(stream.save(), backend=stream.backend)
    assert again.save() == stream.save()
    stream.reset()
    assert bits(as_columns(stream.update_many(*columns))) == bits(
        compute(stream.spec.name, gappy(60, 7), stream.params)
    )


@every_backend
def test_more_bars_than_can_be_counted(backend: str) -> None:
    """Refused, or counted on without failing."""
    body = bytearray(saved("ema", 1, period=20)[:-4])
    at = 4 + 2 + 1 + 3 + 4 + 1 + 8
    body[at : at + 8] = b"\xff" * 8
    try:
        stream = ic.restore(sealed(bytes(body)), backend=backend)
    except ic.StateError:
        return
    stream.update(1.0)
    assert stream.bars >= 2**64 - 1
    assert len(stream.save()) == len(body) + 4


@every_backend
def test_huge_counts_do_not_allocate(backend: str) -> None:
    """A count is believed only as far as there are bytes for it."""
    script = f"""
import resource, struct, zlib
import indicator_cache as ic
from tests.test_states import NAMES, saved, sealed
states = [saved(name, bars) for name in NAMES for bars in (3, 23)]
for state in states:
    ic.restore(state, backend={backend!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
refused = 0
for state in states:
    start = 12 + state[6]
    start += 8 * state[start - 1] + 8
    for at in range(start, len(state) - 11, 3):
        for count in (2**24, 2**31 - 1, 2**40, 2**61, 2**64 - 2):
            body = state[:at] + struct.pack("<Q", count) + state[at + 8 : -4]
            try:
                ic.restore(sealed(body), backend={backend!r})
            except ic.StateError:
                refused += 1
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(refused, after - before)
"""
    pytest.importorskip("resource", reason="tells how much memory was used")
    done = subprocess.run(  # noqa: S603 - this interpreter, that script
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    refused, grown = map(int, done.stdout.split())
    assert refused > 100
    assert grown < 40_000  # KiB


def test_a_long_window_in_the_header_costs_no_more_than_one_asked_for() -> None:
    """Its length is a parameter, so it is bounded as parameters are."""
    for backend in BACKENDS:
        state = header(b"sma", params=(1e6,))
        with pytest.raises(ic.StateError, match="truncated"):
            ic.restore(state, backend=backend)
