"""Missing bars by choice: every policy is what its most naive definition says, to the bit."""

from __future__ import annotations

import pickle
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import indicator_cache as ic
from indicator_cache._missing import DEFAULT, POLICIES, MissingPolicy
from indicator_cache.spec import Value

from .bars import (
    Array,
    Bars,
    as_columns,
    bits,
    columns_of,
    parameter_sets,
    walk,
    with_gaps,
    with_partial_gaps,
)
from .bars import missing as without
from .strategies import Case, cases

NAMES = tuple(ic.catalog())
nan = np.nan

every_indicator = pytest.mark.parametrize("name", NAMES)
every_backend = pytest.mark.usefixtures("backend")

Columns = list[Array]
Outputs = dict[str, Array]


# --- what the policies are ---


def plainly(spec: ic.IndicatorSpec, columns: Columns, values: tuple[Value, ...]) -> Outputs:
    """The indicator, where it is not told of any policy."""
    return as_columns(getattr(ic, spec.name)(*columns, *values))


def valid_bars(columns: Columns) -> list[bool]:
    return [not any(map(np.isnan, row)) for row in zip(*columns, strict=True)]


def propagated(spec: ic.IndicatorSpec, columns: Columns, values: tuple[Value, ...]) -> Outputs:
    """Bar by bar: the last result on the bars since the last missing one, and these alone."""
    found = plainly(spec, [column[:0] for column in columns], values)
    out = {name: np.full(len(columns[0]), nan) for name in found}
    begin = 0
    for bar, is_valid in enumerate(valid_bars(columns)):
        if not is_valid:
            begin = bar + 1
            continue
        part = plainly(spec, [column[begin : bar + 1] for column in columns], values)
        for name, column in part.items():
            out[name][bar] = column[-1]
    return out


def skipped(spec: ic.IndicatorSpec, columns: Columns, values: tuple[Value, ...]) -> Outputs:
    """Without the missing bars; then these are put in again."""
    valid = np.array(valid_bars(columns), bool)
    found = plainly(spec, [column[valid].copy() for column in columns], values)
    out = {name: np.full(len(valid), nan) for name in found}
    for name, column in found.items():
        out[name][valid] = column
    return out


ORACLES: dict[MissingPolicy, Callable[..., Outputs]] = {
    "default": plainly,
    "propagate": propagated,
    "skip": skipped,
}

every_policy = pytest.mark.parametrize("policy", ORACLES)


def chosen(
    spec: ic.IndicatorSpec, columns: Columns, values: tuple[Value, ...], policy: MissingPolicy
) -> Outputs:
    return as_columns(getattr(ic, spec.name)(*columns, *values, missing=policy))


def named(spec: ic.IndicatorSpec, values: tuple[Value, ...]) -> dict[str, Any]:
    return dict(zip((parameter.name for parameter in spec.parameters), values, strict=True))


def short(spec: ic.IndicatorSpec) -> list[tuple[Value, ...]]:
    """The usual parameters, and some with which there are results soon."""
    sets = [spec.normalise(params) for params in list(parameter_sets(spec))[:4]]
    few = {p.name: min(int(p.min) + 2, int(p.max)) for p in spec.parameters if p.kind == "integer"}
    return [*sets, spec.normalise(few)]


def by_hand() -> dict[str, Bars]:
    bars = walk(60, 2)
    return {
        "no bars": walk(0),
        "none missing": bars,
        "all missing": without(bars, slice(None)),
        "first": without(bars, slice(1)),
        "last": without(bars, slice(59, None)),
        "every other": without(bars, slice(None, None, 2)),
        "every eleventh": without(bars, slice(4, None, 11)),
        "two gaps": without(without(bars, slice(5)), slice(30, 33)),
        "each field by itself": with_partial_gaps(60, 3),
        "infinite": {k: np.where(np.arange(60) == 20, np.inf, v) for k, v in bars.items()},
    }


BY_HAND = by_hand()


@every_backend
@every_policy
@every_indicator
def test_fixed_gaps(name: str, policy: MissingPolicy) -> None:
    spec = ic.catalog()[name]
    for bars in BY_HAND.values():
        columns = columns_of(spec, bars)
        for values in short(spec)[-2:]:
            expected = ORACLES[policy](spec, columns, values)
            assert bits(chosen(spec, columns, values, policy)) == bits(expected)


@every_backend
@every_indicator
@given(data=st.data())
def test_any_gaps(name: str, data: st.DataObject) -> None:
    spec = ic.catalog()[name]
    case = data.draw(cases(spec))
    policy: MissingPolicy = data.draw(st.sampled_from(["skip", "propagate"]))
    # The naive definition of the latter is quadratic.
    columns = [column[:70] for column in case.columns] if policy == "propagate" else case.columns
    expected = ORACLES[policy](spec, columns, case.params)
    assert bits(chosen(spec, columns, case.params, policy)) == bits(expected)


@every_indicator
@given(data=st.data())
def test_backends_agree(name: str, data: st.DataObject) -> None:
    """Also on series that are longer than a block."""
    spec = ic.catalog()[name]
    case = data.draw(cases(spec))
    policy: MissingPolicy = data.draw(st.sampled_from(["skip", "propagate"]))
    found = []
    for backend in ic.backends.NAMES if not spec.transcendental else ("native", "wasm"):
        with ic.use_backend(backend):
            found.append(bits(chosen(spec, case.columns, case.params, policy)))
    assert all(one == found[0] for one in found)


@every_backend
@every_indicator
def test_results_are_made_of_valid_bars_alone(name: str) -> None:
    """Whatever stands before or in a gap, what `propagate` gives behind it is the same."""
    spec = ic.catalog()[name]
    bars = walk(300, 5)
    columns = columns_of(spec, without(bars, slice(80, 84)))
    others = [column.copy() for column in columns]
    for column in others:
        column[:80] = np.where(np.arange(80) % 7 == 0, nan, 17.0 * column[:80] + 3.0)
    for values in short(spec):
        for a, b in zip(
            chosen(spec, columns, values, "propagate").values(),
            chosen(spec, others, values, "propagate").values(),
            strict=True,
        ):
            assert a[80:].tobytes() == b[80:].tobytes()


@every_backend
@every_policy
@every_indicator
def test_without_gaps_all_are_the_same(name: str, policy: MissingPolicy) -> None:
    spec = ic.catalog()[name]
    columns = columns_of(spec, walk(600, 6))
    for values in short(spec):
        expected = bits(plainly(spec, columns, values))
        assert bits(chosen(spec, columns, values, policy)) == expected
        assert bits(chosen(spec, columns, values, "raise")) == expected


@every_backend
@every_indicator
def test_raise(name: str) -> None:
    spec = ic.catalog()[name]
    last = spec.inputs[-1]
    columns = columns_of(spec, walk(60))
    columns[-1] = columns[-1].copy()
    columns[-1][[41, 50]] = nan
    with pytest.raises(ic.MissingBarError) as caught:
        getattr(ic, name)(*columns, missing="raise")
    error = caught.value
    assert (error.position, error.columns, error.series) == (41, (last,), "")
    assert str(error) == f'bar 41 is missing: {last} is NaN, and missing="raise" allows no gaps'
    assert isinstance(error, ValueError)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    assert (str(again), again.position, again.columns) == (str(error), 41, (last,))


def test_raise_names_all_columns() -> None:
    high, low, close = [3.0, nan], [1.0, nan], [2.0, 2.0]
    with pytest.raises(ic.MissingBarError, match="bar 1 is missing: high, low are NaN, and"):
        ic.atr(high, low, close, missing="raise")


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("skp", " (did you mean 'skip'?)"),
        ("Propagate", " (did you mean 'propagate'?)"),
        ("raises", " (did you mean 'raise'?)"),
        ("defualt", " (did you mean 'default'?)"),
        ("omit", " (did you mean 'skip'?)"),
        ("xyzzy", ""),
        ("", ""),
        (None, ""),
        (True, ""),
        (np.array(["skip", "raise"]), ""),
    ],
)
def test_a_policy_that_there_is_not(given: Any, hint: str) -> None:  # noqa: ANN401
    expected = f"missing must be one of default, propagate, skip, raise{hint}, got {given!r}"
    calls: list[Callable[[], object]] = [
        lambda: ic.ema([1.0], missing=given),
        lambda: ic.stream("ema", missing=given),
        lambda: ic.IndicatorCache({}, missing=given),
    ]
    if given is not None:
        cache = ic.IndicatorCache({"M1": {"bid": {"close": [1.0]}}})
        calls += [
            lambda: ic.restore(ic.stream("ema").save(), missing=given),
            lambda: cache.ema("M1", "bid", missing=given),
            lambda: cache.ema("M1", "bid", "close", 20, 0, missing=given),
            lambda: cache.get("M1", "bid", "ema", missing=given),
            lambda: cache.view("M1", "bid", missing=given),
            lambda: cache.view("M1", "bid").ema(missing=given),
            lambda: cache.local("M1", "bid", "ema", 0, missing=given),
            lambda: cache.table("M1", "bid", ["ema"], missing=given),
            lambda: cache.prefetch(["ema"], missing=given),
            lambda: cache.quality("M1", "bid", "ema", missing=given),
        ]
    for call in calls:
        with pytest.raises(ic.ParameterError) as caught:
            call()
        assert str(caught.value) == expected


@every_policy
def test_kinds_of_columns(policy: MissingPolicy) -> None:
    x = pd.Series([1.0, 2.0, nan, 4.0], index=[3, 5, 7, 9])
    result = ic.ema(x, 3, missing=policy)
    assert isinstance(result, pd.Series)
    assert list(result.index) == [3, 5, 7, 9]
    array = ic.ema(x.to_numpy(), 3, missing=policy)
    assert result.to_numpy().tobytes() == array.tobytes()
    assert ic.ema([1, 2, nan, 4], 3, missing=policy).tobytes() == array.tobytes()


def test_inputs_stay_as_they_are() -> None:
    x = np.array([1.0, nan, 3.0])
    x.flags.writeable = False
    for policy in ORACLES:
        ic.ema(x, missing=policy)
    assert x.tobytes() == np.array([1.0, nan, 3.0]).tobytes()


# --- streams ---


def fed(stream: ic.Stream, case: Case) -> Outputs:
    """What a stream gives when the bars come in blocks, some of them of one bar."""
    parts: list[Outputs] = []
    for begin, end in zip([0, *case.cuts], [*case.cuts, case.bars], strict=True):
        block = [column[begin:end] for column in case.columns]
        if end - begin == 1:
            row = [column.item() for column in block]
            peeked = stream.peek(*row)
            taken = stream.update(*row)
            np.testing.assert_equal(taken, peeked)
            values = taken if isinstance(taken, tuple) else (taken,)
            names = getattr(taken, "_fields", ("",))
            parts.append({k: np.array([v]) for k, v in zip(names, values, strict=True)})
        else:
            parts.append(as_columns(stream.update_many(*block)))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@every_backend
@every_indicator
@given(data=st.data())
def test_a_stream_is_the_batch(name: str, data: st.DataObject) -> None:
    spec = ic.catalog()[name]
    case = data.draw(cases(spec))
    policy: MissingPolicy = data.draw(st.sampled_from(["skip", "propagate"]))
    stream = ic.stream(name, missing=policy, **named(spec, case.params))
    expected = chosen(spec, case.columns, case.params, policy)
    assert bits(fed(stream, case)) == bits(expected)
    assert stream.bars == case.bars
    whole = ic.stream(name, missing=policy, **named(spec, case.params))
    whole.update_many(*case.columns)
    assert whole.save() == stream.save()


@every_policy
@every_indicator
def test_saved_states_go_anywhere(name: str, policy: MissingPolicy) -> None:
    """Taken at every few bars, in gaps as well, and gone on from on each backend."""
    spec = ic.catalog()[name]
    columns = columns_of(spec, with_gaps(160, 4))
    backends = ic.backends.NAMES if not spec.transcendental else ("native", "wasm")
    with ic.use_backend("native"):
        expected = bits(chosen(spec, columns, short(spec)[-1], policy))
    params = named(spec, short(spec)[-1])
    streams = [ic.stream(name, backend=b, missing=policy, **params) for b in backends]
    found: list[list[Outputs]] = [[] for _ in streams]
    for begin in range(0, 160, 7):
        block = [column[begin : begin + 7] for column in columns]
        for parts, stream in zip(found, streams, strict=True):
            parts.append(as_columns(stream.update_many(*block)))
        states = {stream.save() for stream in streams}
        assert len(states) == 1
        state = states.pop()
        # Everybody goes on from the state of another one.
        streams = [ic.restore(state, backend=b, missing=policy) for b in backends]
        assert all((s.missing, s.bars) == (policy, min(begin + 7, 160)) for s in streams)
    for parts in found:
        assert bits({k: np.concatenate([p[k] for p in parts]) for k in parts[0]}) == expected


@every_backend
def test_a_state_is_of_its_policy() -> None:
    for policy in POLICIES:
        stream = ic.stream("sma", period=2, missing=policy)
        stream.update(3.0)
        for copied in (
            stream.copy(),
            pickle.loads(pickle.dumps(stream)),  # noqa: S301 - made here
            ic.restore(stream.save()),
            ic.restore(stream.save(), missing=policy),
        ):
            assert copied.missing == policy
            assert copied.save() == stream.save()
            assert copied.update(5.0) == 4.0
        for other in set(POLICIES) - {policy}:
            with pytest.raises(ic.StateError) as caught:
                ic.restore(stream.save(), missing=other)
            assert str(caught.value) == (
                f"not a usable saved state: it was saved with missing={policy!r}, not {other!r}"
            )


def test_the_default_state_has_no_envelope() -> None:
    assert ic.stream("ema").save().startswith(b"ICST")
    assert ic.stream("ema", missing="skip").save().startswith(b"ICSM")


def resealed(state: bytes) -> bytes:
    """With a checksum that is right."""
    return state + struct.pack("<I", zlib.crc32(state))


@every_backend
def test_damaged_envelopes() -> None:
    stream = ic.stream("sma", period=3, missing="skip")
    stream.update_many([1.0, nan, 3.0])
    state = stream.save()
    for at in range(len(state)):
        damaged = bytearray(state)
        damaged[at] ^= 0x10
        with pytest.raises(ic.StateError):
            ic.restore(bytes(damaged))
        with pytest.raises(ic.StateError):
            ic.restore(state[:at])
    body = state[:-4]
    assert ic.restore(resealed(body)).bars == 3
    wrong = {
        "envelope version 2": body[:4] + b"\x02" + body[5:],
        "policy for missing bars is unknown": body.replace(b"skip", b"jump"),
        "truncated": body[:11],
        "of 1 bars, 2 cannot be valid": body[:11] + struct.pack("<Q", 1) + body[19:],
        "cannot be valid ones": body[:11] + struct.pack("<Q", 1 << 63) + body[19:],
        "it does not begin as": body[:19] + b"x" + body[20:],
    }
    for message, bad in wrong.items():
        with pytest.raises(ic.StateError, match=message):
            ic.restore(resealed(bad))
    refusing = ic.stream("sma", period=3, missing="raise")
    refusing.update(1.0)
    body = refusing.save()[:-4]
    with pytest.raises(ic.StateError, match="of 2 bars, 1 cannot be valid"):
        ic.restore(resealed(body[:12] + struct.pack("<Q", 2) + body[20:]))


@every_backend
def test_a_stream_that_raises_stays_as_it_was() -> None:
    stream = ic.stream("ema", period=3, missing="raise")
    stream.update_many([1.0, 2.0])
    state = stream.save()
    calls: list[Callable[[], object]] = [
        lambda: stream.update(nan),
        lambda: stream.update(None),
        lambda: stream.peek(nan),
        lambda: stream.update_many([nan, 3.0]),
    ]
    for call in calls:
        with pytest.raises(ic.MissingBarError, match="bar 2 is missing: x is NaN"):
            call()
    with pytest.raises(ic.MissingBarError) as caught:
        stream.update_many([3.0, 4.0, nan, nan])
    assert caught.value.position == 4
    assert stream.save() == state
    assert stream.update(3.0) == 2.25


@every_backend
@pytest.mark.parametrize("policy", POLICIES)
def test_a_stream_begins_anew(policy: MissingPolicy) -> None:
    stream = ic.stream("macd", missing=policy)
    fresh = stream.save()
    row = 1.0 if policy == "raise" else nan
    stream.update_many([1.0, 2.0, row])
    assert stream.bars == 3
    stream.reset()
    assert stream.bars == 0
    assert stream.save() == fresh


def test_streams_tell_their_policy() -> None:
    assert (
        repr(ic.stream("ema", missing="skip"))
        == "<Stream 'ema', period=20, missing='skip': 0 bars>"
    )
    assert repr(ic.stream("ema")) == "<Stream 'ema', period=20: 0 bars>"
    assert ic.stream("ema").missing == DEFAULT
