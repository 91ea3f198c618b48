"""Streams: bars one by one, many at once, peeked at, copied, shared; and what is refused."""
# ruff: noqa: ANN401 - much of what is given here is what the types forbid

from __future__ import annotations

import copy
import doctest
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import indicator_cache as ic

from .bars import (
    Array,
    as_columns,
    bits,
    columns_of,
    compute,
    parameter_sets,
    walk,
    with_partial_gaps,
)
from .strategies import gappy

NAMES = tuple(ic.catalog())
nan = np.nan

every_indicator = pytest.mark.parametrize("name", NAMES)
every_backend = pytest.mark.usefixtures("backend")


def rows(name: str, bars: dict[str, Array]) -> Iterator[tuple[float, ...]]:
    """The bars of an indicator's inputs, one by one."""
    columns = columns_of(ic.catalog()[name], bars)
    return zip(*(column.tolist() for column in columns), strict=True)


def collected(name: str, results: list[Any]) -> dict[str, bytes]:
    """The results at single bars in the form of :func:`bits`."""
    fields = getattr(results[0], "_fields", None)
    if fields is None:
        return {"": np.array(results).tobytes()}
    assert fields == tuple(output.name for output in ic.catalog()[name].outputs)
    return bits({f: np.array([getattr(r, f) for r in results]) for f in fields})


def fed(name: str, bars: int = 20, **params: Any) -> ic.Stream:
    stream = ic.stream(name, **params)
    stream.update_many(*columns_of(ic.catalog()[name], walk(bars)))
    return stream


# --- the same bits, however the bars come ---


@every_backend
@every_indicator
def test_bar_by_bar(name: str) -> None:
    for bars in gappy(90, 3), with_partial_gaps(90, 4):
        for params in list(parameter_sets(ic.catalog()[name]))[:4]:
            given: dict[str, Any] = dict(params)
            stream = ic.stream(name, **given)
            results = [stream.update(*row) for row in rows(name, bars)]
            assert collected(name, results) == bits(compute(name, bars, params))
            assert stream.bars == 90


@every_backend
@every_indicator
def test_by_name_and_by_position_are_the_same(name: str) -> None:
    inputs = ic.catalog()[name].inputs
    streams = [ic.stream(name) for _ in range(3)]
    for row in rows(name, gappy(40)):
        named = dict(zip(inputs, row, strict=True))
        backwards = dict(reversed(named.items()))
        missing = {name: None if np.isnan(value) else value for name, value in backwards.items()}
        del backwards[inputs[0]]
        results = {
            repr(streams[0].update(*row)),
            repr(streams[1].update(row[0], **backwards)),
            repr(streams[2].update(**missing)),
        }
        assert len(results) == 1
    assert len({stream.save() for stream in streams}) == 1


@every_backend
def test_what_a_number_is() -> None:
    """Whatever is a number counts as one; None and every NaN are a missing bar."""
    expected = ic.ema(np.array([1.0, 3.0, 0.5, nan, nan, 0.25, 2.0]), 3)
    stream = ic.stream("ema", period=3)
    values: list[Any] = [1, np.int8(3), np.float32(0.5), None, -nan, Decimal("0.25"), Fraction(2)]
    assert np.array([stream.update(value) for value in values]).tobytes() == expected.tobytes()


@every_backend
@every_indicator
def test_results_are_plain(name: str) -> None:
    stream = fed(name)
    for result in (
        stream.update(*[101.0] * len(stream.spec.inputs)),
        stream.peek(*[102.0] * len(stream.spec.inputs)),
    ):
        values = result if isinstance(result, tuple) else (result,)
        assert [type(value) for value in values] == [float] * len(stream.spec.outputs)
        if len(values) > 1:
            assert type(result).__name__ == f"{name.title()}Result"
    many = stream.update_many(*[[1.0, 2.0]] * len(stream.spec.inputs))
    assert type(many) is (np.ndarray if not isinstance(result, tuple) else type(result))


@every_backend
@every_indicator
def test_many_and_one_take_turns(name: str) -> None:
    """Across the edges of blocks of 8, 16, 1024 and 2048 bars."""
    bars = gappy(4500, 5)
    spec = ic.catalog()[name]
    columns = columns_of(spec, bars)
    stream = ic.stream(name)
    found: list[dict[str, Array]] = []
    at = 0
    for run in (0, 1, 7, 1, 8, 1, 9, 15, 16, 17, 0, 1, 128, 1024, 1, 1023, 2048, 1, 199, 0):
        part = [column[at : at + run] for column in columns]
        if run == 1:
            result = stream.update(*(column.item() for column in part))
            values = result if isinstance(result, tuple) else (result,)
            names = getattr(result, "_fields", ("",))
            found.append({n: np.array([v]) for n, v in zip(names, values, strict=True)})
        else:
            found.append(
                as_columns(stream.update_many(**dict(zip(spec.inputs, part, strict=True))))
            )
        at += run
    assert at == stream.bars == 4500
    joined = {key: np.concatenate([one[key] for one in found]) for key in found[0]}
    assert bits(joined) == bits(compute(name, bars))


@every_backend
def test_arrays_of_any_kind() -> None:
    numbers = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0])
    expected = ic.ema(numbers, 3).tobytes()
    frozen = numbers.copy()
    frozen.flags.writeable = False
    kinds: list[Any] = [
        numbers.tolist(),
        tuple(numbers),
        numbers.astype(np.int16),
        numbers.astype(np.float32),
        numbers.astype(">f8"),
        numbers.repeat(2)[::2],
        frozen,
        pd.Series(numbers),
    ]
    for kind in kinds:
        result = ic.stream("ema", period=3).update_many(kind)
        assert result.tobytes() == expected
        result[0] = 7.0  # the caller's own
    assert frozen.tobytes() == numbers.tobytes()


# --- peek, reset, what a stream tells about itself ---


@every_backend
@every_indicator
def test_peek_changes_nothing(name: str) -> None:
    stream = ic.stream(name)
    width = len(stream.spec.inputs)
    for row in rows(name, gappy(70)):
        state = stream.save()
        for other in [nan] * width, [1e12] * width, [np.inf] * width, [0.0] * width:
            stream.peek(*other)
        named: dict[str, Any] = dict(zip(stream.spec.inputs, row, strict=True))
        peeked = stream.peek(**named)
        assert stream.save() == state
        assert repr(peeked) == repr(stream.update(*row))
    assert stream.bars == 70


@pytest.mark.parametrize("backend", ic.backends.NAMES)
def test_peeking_for_long_does_not_use_up_memory(backend: str) -> None:
    """A bar may be looked at thousands of times while it forms."""
    stream = ic.stream("bollinger", period=20_000, backend=backend)
    stream.update(1.0)
    peeks = 1500 if backend == "wasm" else 50
    assert {stream.peek(2.0) for _ in range(peeks)} == {(nan, nan, nan)} or peeks
    assert stream.bars == 1


@every_backend
@every_indicator
def test_reset(name: str) -> None:
    stream = ic.stream(name)
    new = stream.save()
    columns = columns_of(stream.spec, gappy(600))
    first = bits(as_columns(stream.update_many(*columns)))
    stream.reset()
    assert stream.bars == 0
    assert stream.save() == new
    assert bits(as_columns(stream.update_many(*columns))) == first


def test_what_a_stream_tells(backend: str) -> None:
    stream = ic.stream("bollinger", std_factor=3, period=np.int64(7))
    assert stream.spec is ic.catalog()["bollinger"]
    assert stream.params == {"period": 7, "std_factor": 3.0}
    assert [type(value) for value in stream.params.values()] == [int, float]
    assert stream.backend == backend
    stream.update(1.0)
    assert repr(stream) == "<Stream 'bollinger', period=7, std_factor=3.0: 1 bars>"
    stream.params["period"] = 9
    assert stream.params["period"] == 7
    with pytest.raises(AttributeError):
        stream.other = 1  # type: ignore[attr-defined]


def test_a_stream_stays_on_its_backend() -> None:
    for name in ic.backends.NAMES:
        assert ic.stream("ema", backend=name).backend == name
        with ic.use_backend(name):
            stream = ic.stream("ema")
        with ic.use_backend("python"):
            assert stream.update(1.0) == 1.0
            assert stream.backend == stream.copy().backend == name


# --- copies ---


def pickled(protocol: int) -> Callable[[Any], Any]:
    return lambda stream: pickle.loads(pickle.dumps(stream, protocol))  # noqa: S301


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": ic.Stream.copy,
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "restore": lambda stream: ic.restore(stream.save()),
    "in a list": lambda stream: copy.deepcopy([stream])[0],
    **{f"pickle {n}": pickled(n) for n in range(pickle.HIGHEST_PROTOCOL + 1)},
}


@every_backend
@pytest.mark.parametrize("way", COPIES)
@every_indicator
def test_copies_go_on_independently(name: str, way: str) -> None:
    bars = gappy(60, 8)
    stream = ic.stream(name)
    every = list(rows(name, bars))
    for row in every[:33]:
        stream.update(*row)
    other = COPIES[way](stream)
    assert (other.spec, other.params, other.bars) == (stream.spec, stream.params, 33)
    assert other.backend == stream.backend
    state = stream.save()
    found = [other.update(*row) for row in every[33:]]
    assert stream.save() == state
    other.reset()
    assert stream.save() == state
    assert collected(name, found) == collected(name, [stream.update(*row) for row in every[33:]])


def test_a_pickle_comes_back_on_the_backend_in_use() -> None:
    """Where it is unpickled, another one may be all there is."""
    for here in ic.backends.NAMES:
        data = pickle.dumps(ic.stream("ema", period=3, backend=here))
        for there in ic.backends.NAMES:
            with ic.use_backend(there):
                stream = pickle.loads(data)  # noqa: S301
            assert (stream.backend, stream.params) == (there, {"period": 3})


# --- threads ---


@pytest.fixture
def often() -> Iterator[None]:
    """Threads take turns much more often than usual."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@every_backend
@pytest.mark.usefixtures("often")
def test_threads_share_a_stream() -> None:
    """Every call takes its bars as a whole, so that no thread's bars get in between."""
    stream = ic.stream("sma", period=20)
    start = threading.Barrier(4)

    def work(number: int) -> list[float]:
        start.wait()
        return [stream.update_many(np.full(20, float(number)))[-1] for _ in range(40)]

    def watch() -> int:
        start.wait()
        seen = 0
        for _ in range(60):
            seen = max(seen, stream.bars)
            restored = ic.restore(stream.save())
            assert restored.bars % 20 == 0
            stream.peek(1e9)
            stream.copy().update(1e9)
        return seen

    with ThreadPoolExecutor(4) as pool:
        numbers = [pool.submit(work, number) for number in (1, 2, 3)]
        watcher = pool.submit(watch)
        for number, future in enumerate(numbers, start=1):
            assert set(future.result()) == {float(number)}
        assert watcher.result() <= 2400
    assert stream.bars == 2400


@every_backend
@pytest.mark.usefixtures("often")
def test_threads_update_one_by_one() -> None:
    stream = ic.stream("ema", period=1)

    def work(number: float) -> bool:
        return all(stream.update(number) == number for _ in range(200))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, [1.0, 2.0, 3.0, 4.0]))
    assert stream.bars == 800


# --- refused, and the bar not taken ---


class Refusing:
    def __float__(self) -> float:
        raise ValueError


BAD_VALUES: list[Any] = [
    True,
    False,
    np.True_,
    "1.0",
    b"1.0",
    np.str_("1"),
    bytearray(b"1.5"),
    memoryview(b"15"),
    1j,
    np.complex128(1),
    [1.0],
    (1.0,),
    {"x": 1.0},
    object(),
    np.array([1.0, 2.0]),
    10**400,
    pd.NaT,
    pd.NA,
    np.datetime64("2024-01-01"),
    Refusing(),
]


@every_backend
@pytest.mark.parametrize("value", BAD_VALUES, ids=repr)
def test_bad_values(value: Any) -> None:
    stream = fed("atr", period=3)
    state = stream.save()
    for call in stream.update, stream.peek:
        for given, named in (
            ((value, 1.0, 1.0), {}),
            ((1.0, 1.0, value), {}),
            ((1.0,), {"low": value, "close": 1.0}),
        ):
            with pytest.raises(ic.ParameterError, match="must be a number, or None") as caught:
                call(*given, **named)
            assert caught.value.parameter in {"high", "low", "close"}
            assert caught.value.given is value
    assert stream.save() == state


@every_backend
@pytest.mark.parametrize(
    ("values", "named", "parameter"),
    [
        ((), {}, "inputs"),
        ((1.0, 2.0), {}, "inputs"),
        ((1.0, 2.0, 3.0, 4.0), {}, "inputs"),
        ((1.0, 2.0), {"low": 3.0}, "low"),
        ((1.0, 2.0), {"open": 3.0}, "open"),
        ((1.0, 2.0, 3.0), {"close": 3.0}, "close"),
        ((1.0, 2.0, 3.0), {"x": 3.0}, "x"),
        ((1.0, 2.0, 3.0, 4.0), {"x": 3.0}, "inputs"),
        ((), {"high": 1.0, "low": 1.0}, "inputs"),
        ((), {"High": 1.0, "low": 1.0, "close": 1.0}, "High"),
    ],
)
def test_too_few_too_many_unknown(
    values: tuple[float, ...], named: dict[str, float], parameter: str
) -> None:
    stream = fed("dmi")
    state = stream.save()
    for call in stream.update, stream.peek:
        with pytest.raises(ic.ParameterError) as caught:
            call(*values, **named)
        assert caught.value.parameter == parameter
    many: Any = stream.update_many
    with pytest.raises(ic.ParameterError) as caught:
        many(*([value] for value in values), **{name: [value] for name, value in named.items()})
    assert caught.value.parameter == parameter
    assert stream.save() == state


@every_backend
@pytest.mark.parametrize(
    "column",
    [
        1.0,
        None,
        "abc",
        ["1", "2"],
        [1.0, None],
        [True, False],
        np.array([1.0, 2.0], object),
        np.array([1j, 2.0]),
        np.ones((2, 2)),
        np.ones((2, 1)),
        [[1.0], [2.0, 3.0]],
        np.array(["2024-01-01"] * 2, "M8[D]"),
        [1.0],
        [1.0, 2.0, 3.0],
        [],
        {"high": [1.0, 2.0]},
    ],
    ids=repr,
)
def test_bad_columns(column: Any) -> None:
    stream = fed("atr", period=3)
    state = stream.save()
    for place, name in enumerate(stream.spec.inputs):
        columns: list[Any] = [[1.0, 2.0]] * 3
        columns[place] = column
        with pytest.raises(ic.SchemaError) as caught:
            stream.update_many(*columns)
        assert caught.value.column in {name, "low"}
    assert stream.save() == state
    assert stream.bars == 20


def test_unknown_indicators_parameters_backends() -> None:
    unknown: list[Any] = ["emma", "", "EMA", None, 3, ["ema"]]
    for name in unknown:
        with pytest.raises(ic.ParameterError, match="indicator must be one of atr, "):
            ic.stream(name)
    bad: list[dict[str, Any]] = [
        {"period": 0},
        {"period": -1},
        {"period": 2**40},
        {"period": 3.0},
        {"period": True},
        {"period": "3"},
        {"period": None},
        {"period": nan},
        {"perod": 3},
    ]
    for params in bad:
        with pytest.raises(ic.ParameterError) as caught:
            ic.stream("ema", **params)
        assert caught.value.parameter == next(iter(params))
        assert caught.value.given is next(iter(params.values()))
    for factor in nan, np.inf, bytearray(b"2"), "2", True, 2j:
        with pytest.raises(ic.ParameterError, match="std_factor must be a number"):
            ic.stream("bollinger", std_factor=factor)
    for backend in "gpu", "", "Native":
        with pytest.raises(ic.ParameterError, match="backend must be one of"):
            ic.stream("ema", backend=backend)
        with pytest.raises(ic.ParameterError, match="backend must be one of"):
            ic.restore(ic.stream("ema").save(), backend=backend)


@pytest.mark.needs(*ic.backends.NAMES)
def test_the_guide() -> None:
    """Every example in it gives what it says."""
    guide = Path(__file__).parent.parent / "docs" / "streams.md"
    found = doctest.testfile(
        str(guide), module_relative=False, optionflags=doctest.ELLIPSIS, encoding="utf-8"
    )
    assert found.failed == 0
    assert found.attempted > 20
