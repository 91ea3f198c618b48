"""A cache that grows: equal to a new one, all or nothing, and nothing handed out ever changes."""
# ruff: noqa: ANN401 - much of what is given here is what the types forbid

from __future__ import annotations

import contextlib
import datetime as dt
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import indicator_cache as ic
from indicator_cache.backends.python import PythonBackend
from indicator_cache.backends.reference import Machine as ReferenceMachine
from indicator_cache.spec import Value

from .bars import FIELDS, Array, as_columns, missing, walk, with_partial_gaps
from .strategies import gappy

NAMES = tuple(ic.catalog())
nan = np.nan

every_backend = pytest.mark.usefixtures("backend")

#: Series of a :class:`Feed`, and whether they tell where candles begin.
SERIES = {
    ("M1", "bid"): False,
    ("M1", "ask"): False,
    ("M5", "bid"): True,
    ("M5", "ask"): True,
    ("H1", "bid"): True,
    ("H1", "ask"): True,
}


class Feed:
    """Series of every kind, to be handed out in slices."""

    def __init__(self, bars: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.bars = bars
        # Which candle of the longer timeframe each bar repeats, and where nothing is there.
        at = np.cumsum(rng.random(bars) < 0.3)
        absent = rng.random(bars) < 0.15
        candles = walk(int(at[-1]) + 1 if bars else 1, seed + 1)
        repeated = {name: column[at] for name, column in candles.items()}
        rows = [dict(zip(FIELDS, row, strict=True)) for row in zip(*candles.values(), strict=True)]
        self.candles = [None if a else rows[c] for a, c in zip(absent, at, strict=True)]
        times = np.datetime64("2024-01-01", "ns") + at * np.timedelta64(5, "m")
        garbage = {name: np.where(absent, 1e6, column) for name, column in repeated.items()}
        self.tables: dict[tuple[str, str], dict[str, Any]] = {
            ("M1", "bid"): dict(gappy(max(bars, 40), seed)),
            ("M1", "ask"): {**with_partial_gaps(max(bars, 40), seed), "valid": ~absent},
            ("M5", "ask"): {**missing(repeated, absent), "timestamp": at},
            ("H1", "bid"): {**garbage, "timestamp": times, "valid": ~absent},
            # A flag may stand at a missing bar: the candle begins where it is first present.
            ("H1", "ask"): {**missing(repeated, absent), "new_bar": rng.random(bars) < 0.3},
        }

    def __getitem__(self, where: slice) -> dict[str, dict[str, Any]]:
        where = slice(*where.indices(self.bars))
        sides: dict[str, dict[str, Any]] = {}
        for tf, pt in SERIES:
            if (tf, pt) == ("M5", "bid"):
                series: Any = self.candles[where]
            else:
                table = self.tables[tf, pt]
                series = {name: column[: self.bars][where] for name, column in table.items()}
            sides.setdefault(tf, {})[pt] = series
        return sides

    def bar(self, at: int) -> dict[str, dict[str, Any]]:
        """One bar: the candle itself, and numbers instead of arrays."""
        sides: dict[str, dict[str, Any]] = {}
        for (tf, pt), series in flat(self[at : at + 1]):
            one = series[0] if isinstance(series, list) else {k: v[0] for k, v in series.items()}
            sides.setdefault(tf, {})[pt] = one
        return sides


def flat(bars: dict[str, dict[str, Any]]) -> Iterator[tuple[tuple[str, str], Any]]:
    return (((tf, pt), one) for tf, sides in bars.items() for pt, one in sides.items())


def every_result(cache: ic.IndicatorCache) -> dict[str, tuple[Array, ...]]:
    """Every indicator over every series, in every way."""
    found: dict[str, tuple[Array, ...]] = {}
    for (tf, pt), steps in SERIES.items():
        for name in NAMES:
            for stepwise in (False, True)[: 1 + steps]:
                result = cache.get(tf, pt, name, stepwise=stepwise)
                found[f"{tf} {pt} {name} {stepwise}"] = tuple(as_columns(result).values())
    found["open"] = (cache.ema("M1", "bid", "open", 9),)
    found["volume"] = (cache.sma("M5", "bid", "volume", 3),)
    found["long"] = (cache.sma("M1", "bid", "close", 100),)
    return found


def as_bits(results: dict[str, tuple[Array, ...]]) -> dict[str, tuple[bytes, ...]]:
    return {key: tuple(c.tobytes() for c in columns) for key, columns in results.items()}


def expected(feed: Feed, bars: int) -> dict[str, tuple[bytes, ...]]:
    return as_bits(every_result(ic.IndicatorCache(feed[:bars])))


# --- append ---


@every_backend
@pytest.mark.parametrize("start", [0, 1, 60])
def test_grows_like_a_new_cache(start: int) -> None:
    feed = Feed(200, 1)
    cache = ic.IndicatorCache(feed[:start])
    every_result(cache)
    at = start
    for number, run in enumerate([1, 1, 3, 0, 1, 8, 1, 16, 1, 60]):
        cache.append(feed.bar(at) if run == 1 and number % 2 else feed[at : at + run])
        at += run
        assert len(cache) == at
        misses = cache.stats().misses
        assert as_bits(every_result(cache)) == expected(feed, at)
        assert cache.stats().misses == misses, "computed again"


@every_backend
def test_a_result_first_wanted_after_an_append() -> None:
    feed = Feed(90, 2)
    cache = ic.IndicatorCache(feed[:50])
    cache.append(feed[50:70])
    assert as_bits(every_result(cache)) == expected(feed, 70)
    cache.append(feed[70:90])
    assert as_bits(every_result(cache)) == expected(feed, 90)
    cache.clear()
    assert as_bits(every_result(cache)) == expected(feed, 90)


@settings(max_examples=20)
@given(
    runs=st.lists(st.integers(0, 30), max_size=4),
    seed=st.integers(0, 1000),
    peeks=st.booleans(),
    backend=st.sampled_from(ic.backends.NAMES),
)
def test_any_way_of_growing(*, runs: list[int], seed: int, peeks: bool, backend: str) -> None:
    feed = Feed(sum(runs) + 5, seed)
    with ic.use_backend(backend):
        cache = ic.IndicatorCache(feed[:0])
        at = 0
        for run in runs:
            every_result(cache)
            if peeks:
                every_result(cache.peek(feed.bar(at)))
            cache.append(feed[at : at + run])
            at += run
        assert as_bits(every_result(cache)) == expected(feed, at)


def test_candle_objects_of_any_kind() -> None:
    class Candle:
        def __init__(self, price: float) -> None:
            self.open = self.high = self.low = self.close = self.volume = price

    named = pd.DataFrame(walk(9)).itertuples(index=False)
    kinds: list[list[Any]] = [
        [Candle(price) for price in range(9)],
        list(named),
        [dict.fromkeys(FIELDS, price) for price in range(9)],
    ]
    for candles in kinds:
        whole = ic.IndicatorCache({"M1": {"bid": [*candles, None]}}).ema("M1", "bid")
        cache = ic.IndicatorCache({"M1": {"bid": candles[:2]}})
        cache.ema("M1", "bid")
        cache.append({"M1": {"bid": candles[2]}})
        cache.append({"M1": {"bid": [candles[3]]}})
        cache.append({"M1": {"bid": tuple(candles[4:9])}})
        cache.append({"M1": {"bid": None}})
        assert cache.ema("M1", "bid").tobytes() == whole.tobytes()


def test_bars_are_copied() -> None:
    table = {"close": np.array([3.0, 4.0]), "timestamp": np.array([1, 2])}
    cache = ic.IndicatorCache({"M1": {"bid": {"close": [1.0], "timestamp": [0]}}})
    cache.append({"M1": {"bid": table}})
    for column in table.values():
        column[:] = 0
    assert cache.sma("M1", "bid", "close", 1).tolist() == [1.0, 3.0, 4.0]
    assert cache.ema_stepwise("M1", "bid", "close", 1).tolist() == [1.0, 3.0, 4.0]


# --- where candles begin, across the seam ---


def steps(cache: ic.IndicatorCache) -> list[float]:
    """The close of the candle that each bar belongs to, told apart by summing two."""
    result: list[float] = cache.get("H1", "bid", "sma", period=2, stepwise=True).tolist()
    return result


def grown(first: Any, *more: Any) -> ic.IndicatorCache:
    cache = ic.IndicatorCache({"H1": {"bid": first}})
    steps(cache)
    for bars in more:
        cache.append({"H1": {"bid": bars}})
    return cache


def candle(price: float) -> dict[str, float]:
    return dict.fromkeys(FIELDS, price)


@every_backend
def test_the_same_candle_goes_on() -> None:
    a, b = candle(1.0), candle(2.0)
    assert steps(grown([a, b], b, [b, b]))[1:] == [1.5] * 4
    assert steps(grown([a, b], None, b, [None, b]))[1:] == [1.5] * 5
    assert steps(grown([a], a, b, b))[2:] == [1.5] * 2
    assert steps(grown([a, b], dict(b)))[1:] == [1.5, 2.0]  # equal, but another one
    assert steps(grown([a, b], a))[1:] == [1.5, 1.5]
    assert steps(grown([None], [None, a], None, b))[-1] == 1.5


def table(*closes: float, **more: Sequence[Any]) -> dict[str, Any]:
    return {"close": list(closes), **more}


@every_backend
def test_the_same_timestamp_goes_on() -> None:
    first = table(1.0, 2.0, timestamp=[5, 6])
    assert steps(grown(first, table(2.0, 2.0, timestamp=[6, 6])))[1:] == [1.5] * 3
    assert steps(grown(first, {"close": 4.0, "timestamp": 7}))[1:] == [1.5, 3.0]
    assert steps(grown(first, {"close": 2.0, "timestamp": 6}))[1:] == [1.5, 1.5]
    # A missing bar does not end a candle, whatever its time.
    assert (
        steps(
            grown(
                first,
                {"close": nan, "timestamp": 7},
                {"close": 2.0, "timestamp": 6},
            )
        )[1:]
        == [1.5] * 3
    )
    skipped = {"close": 9.0, "timestamp": 7, "valid": False}
    assert steps(grown(first, skipped, {"close": 2.0, "timestamp": 6}))[1:] == [1.5] * 3


@every_backend
def test_a_flag_at_a_missing_bar_before_the_seam() -> None:
    first = table(1.0, 2.0, nan, new_bar=[True, True, True])
    assert steps(grown(first, {"close": 4.0, "new_bar": False}))[1:] == [1.5, 1.5, 3.0]
    assert steps(grown(first, {"close": nan, "new_bar": False}, {"close": 4.0, "new_bar": False}))[
        1:
    ] == [1.5, 1.5, 1.5, 3.0]
    calm = table(1.0, 2.0, nan, new_bar=[True, True, False])
    assert steps(grown(calm, {"close": 2.0, "new_bar": False}))[1:] == [1.5] * 3
    missed = {"close": nan, "new_bar": True}
    assert steps(grown(calm, missed, {"close": 4.0, "new_bar": False}))[-1] == 3.0


NOON, ONE = "2024-01-01T12:00", "2024-01-01T13:00"

#: One kind of time each.
CLOCKS: dict[str, Callable[[str], Any]] = {
    "numpy, ns": lambda text: np.datetime64(text, "ns"),
    "numpy, s": lambda text: np.datetime64(text, "s"),
    "pandas": pd.Timestamp,
    "datetime": dt.datetime.fromisoformat,
}


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_one_instant_written_in_several_ways(unit: str, clock: str) -> None:
    """A live feed may have another type of time than the history from a file."""
    first = {"close": [1.0, 2.0], "timestamp": np.array(["2024-01-01T11:00", NOON], f"M8[{unit}]")}
    noon, one = map(CLOCKS[clock], (NOON, ONE))
    assert steps(grown(first, {"close": 2.0, "timestamp": noon}))[1:] == [1.5, 1.5]
    assert steps(grown(first, {"close": 4.0, "timestamp": one}))[1:] == [1.5, 3.0]


@pytest.mark.parametrize("next_time", ["2024-01-01T12:00", 5, 1.5, None])
def test_a_timestamp_of_another_type_is_refused(next_time: Any) -> None:
    """To take it for another candle would drag every stepwise average."""
    times = np.array(["2024-01-01T11:00", NOON], "M8[ns]")
    cache = grown({"close": [1.0, 2.0], "timestamp": times})
    with pytest.raises(ic.SchemaError):
        cache.append({"H1": {"bid": {"close": 2.0, "timestamp": next_time}}})
    assert len(cache) == 2


def test_a_cold_start_takes_candles_without_volume() -> None:
    """As a new cache on all bars does."""
    bars = [{"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}]
    for nothing in [], [None]:
        cache = ic.IndicatorCache({"M1": {"bid": nothing}})
        cache.append({"M1": {"bid": bars}})
        whole = ic.IndicatorCache({"M1": {"bid": [*nothing, *bars]}})
        assert cache.ema("M1", "bid").tobytes() == whole.ema("M1", "bid").tobytes()


# --- all or nothing ---


def without(tf: str, pt: str) -> Callable[[Any], Any]:
    def change(bars: Any) -> Any:
        return {
            t: {p: s for p, s in sides.items() if (t, p) != (tf, pt)} for t, sides in bars.items()
        }

    return change


def replaced(tf: str, pt: str, series: Any) -> Callable[[Any], Any]:
    def change(bars: Any) -> Any:
        return {**bars, tf: {**bars[tf], pt: series}}

    return change


def altered(tf: str, pt: str, **columns: Any) -> Callable[[Any], Any]:
    def change(bars: Any) -> Any:
        return {**bars, tf: {**bars[tf], pt: {**bars[tf][pt], **columns}}}

    return change


def dropped(tf: str, pt: str, column: str) -> Callable[[Any], Any]:
    def change(bars: Any) -> Any:
        kept = {name: c for name, c in bars[tf][pt].items() if name != column}
        return replaced(tf, pt, kept)(bars)

    return change


REFUSED: dict[str, tuple[type[Exception], Callable[[Any], Any]]] = {
    "missing series": (ic.SchemaError, without("H1", "ask")),
    "missing first series": (ic.SchemaError, without("M1", "bid")),
    "missing timeframe": (ic.SchemaError, lambda bars: {"M1": bars["M1"]}),
    "unknown side": (ic.UnknownSeriesError, replaced("M1", "mid", {"close": [1.0]})),
    "unknown timeframe": (ic.UnknownSeriesError, lambda bars: {**bars, "D1": bars["M1"]}),
    "fewer bars": (ic.SchemaError, lambda bars: {**bars, "H1": Feed(9)[:1]["H1"]}),
    "more candles": (ic.SchemaError, replaced("M5", "bid", [None] * 4)),
    "no candles": (ic.SchemaError, replaced("M5", "bid", [])),
    "one candle": (ic.SchemaError, replaced("M5", "bid", candle(1.0))),
    "candles where a table was": (ic.SchemaError, replaced("H1", "ask", [None] * 3)),
    "a table where candles were": (ic.SchemaError, replaced("M5", "bid", table(1.0, 2.0, 3.0))),
    "nothing": (ic.SchemaError, replaced("H1", "ask", None)),
    "a number": (ic.SchemaError, replaced("H1", "ask", 5.0)),
    "a text": (ic.SchemaError, replaced("M5", "bid", "abc")),
    "an array of prices": (ic.SchemaError, replaced("M5", "bid", [1.0, 2.0, 3.0])),
    "bad candle": (ic.SchemaError, replaced("M5", "bid", [None, candle(1.0), {"close": 1.0}])),
    "bad price": (
        ic.SchemaError,
        replaced("M5", "bid", [None, candle(1.0), candle(1.0) | {"low": "x"}]),
    ),
    "complex price": (
        ic.SchemaError,
        replaced("M5", "bid", [None, None, {**candle(1.0), "low": np.complex128(1j)}]),
    ),
    "truth as a price": (
        ic.SchemaError,
        replaced("M5", "bid", [None, None, {**candle(1.0), "low": True}]),
    ),
    "missing column": (ic.SchemaError, dropped("H1", "ask", "volume")),
    "missing flags": (ic.SchemaError, dropped("H1", "ask", "new_bar")),
    "missing timestamps": (ic.SchemaError, dropped("H1", "bid", "timestamp")),
    "short column": (ic.SchemaError, altered("H1", "ask", low=[1.0, 2.0])),
    "one number for all": (ic.SchemaError, altered("H1", "ask", low=1.0)),
    "text in a column": (ic.SchemaError, altered("H1", "ask", low=["1", "2", "3"])),
    "complex column": (ic.SchemaError, altered("H1", "ask", low=[1j, 1j, 1j])),
    "two dimensions": (ic.SchemaError, altered("H1", "ask", low=np.ones((3, 1)))),
    "numbers as flags": (ic.SchemaError, altered("H1", "ask", new_bar=[1, 0, 1])),
    "short flags": (ic.SchemaError, altered("H1", "ask", new_bar=[True])),
    "short timestamps": (ic.SchemaError, altered("H1", "bid", timestamp=[1])),
    "numbers as valid": (ic.SchemaError, altered("H1", "bid", valid=[1, 1, 1])),
    "no mapping": (ic.SchemaError, lambda _: [1.0]),
    "no mapping of sides": (ic.SchemaError, lambda bars: {**bars, "H1": [1.0]}),
    "empty": (ic.SchemaError, lambda _: {}),
}


@every_backend
@pytest.mark.parametrize("way", REFUSED)
def test_all_or_nothing(way: str) -> None:
    feed = Feed(60, 3)
    cache = ic.IndicatorCache(feed[:50])
    before = every_result(cache)
    held, stats = as_bits(before), cache.stats()
    error, change = REFUSED[way]
    good = feed[50:53]
    for call in cache.append, cache.peek:
        with pytest.raises(error):
            call(change(good))
    assert cache.stats() == stats
    assert len(cache) == 50
    again = every_result(cache)
    assert as_bits(before) == held
    assert all(
        old is new for key in again for old, new in zip(again[key], before[key], strict=True)
    )
    cache.append(good)
    assert as_bits(every_result(cache)) == expected(feed, 53)


# --- what was handed out ---


@every_backend
def test_arrays_handed_out_stay_as_they_are() -> None:
    feed = Feed(150, 4)
    cache = ic.IndicatorCache(feed[:20])
    versions = []
    for at in range(20, 150, 10):
        results = every_result(cache)
        versions.append((at, results, as_bits(results)))
        cache.append(feed[at : at + 10])
    cache.clear()
    for at, results, before in versions:
        assert as_bits(results) == before == expected(feed, at)
        assert {len(c) for columns in results.values() for c in columns} == {at}


def attempts(column: Array) -> Iterator[Callable[[], object]]:
    """Ways to write into an array that a careless program could find."""
    anything: Any = column
    yield lambda: anything.__setitem__(0, 1.0)
    yield lambda: anything.__setitem__(slice(None), 1.0)
    yield lambda: anything.__iadd__(1.0)
    yield lambda: setattr(anything.flags, "writeable", True)
    yield lambda: anything.setflags(write=True)
    yield lambda: anything.fill(1.0)
    yield lambda: anything.put(0, 1.0)
    yield anything.sort
    yield lambda: anything.partition(3)
    yield lambda: anything.byteswap(inplace=True)
    yield lambda: np.copyto(anything, 1.0)
    yield lambda: np.add(anything, 1.0, out=anything)
    yield lambda: np.nan_to_num(anything, copy=False)
    yield lambda: np.random.default_rng(0).shuffle(anything)
    whole: Any = memoryview(anything)
    yield lambda: whole.__setitem__(0, 1.0)
    yield lambda: anything.data.cast("B").__setitem__(0, 1)
    for other in (
        anything.view(),
        anything.view(np.uint64),
        anything[3:],
        anything[::-1],
        anything.reshape(1, -1),
        anything.ravel(),
        np.asarray(anything),
        np.frombuffer(anything),
        np.lib.stride_tricks.as_strided(anything),
    ):
        yield lambda other=other: other.setflags(write=True)  # type: ignore[misc]
        yield lambda other=other: other.fill(1)  # type: ignore[misc]
    base = anything.base
    while isinstance(base, np.ndarray):
        yield lambda base=base: base.setflags(write=True)  # type: ignore[misc]
        yield lambda base=base: base.fill(1)  # type: ignore[misc]
        base = base.base
    if base is not None:
        yield lambda: base.__setitem__(0, 1.0)
        yield lambda: np.frombuffer(base).setflags(write=True)


@every_backend
def test_no_array_can_be_made_writable() -> None:
    feed = Feed(40, 5)
    cache = ic.IndicatorCache(feed[:20])
    every_result(cache)
    cache.append(feed[20:30])
    peeked = cache.peek(feed.bar(30))
    before = as_bits(every_result(cache))
    for columns in every_result(cache).values(), every_result(peeked).values():
        for column in (column for every in columns for column in every):
            assert not column.flags.writeable
            for attempt in attempts(column):
                with pytest.raises((ValueError, TypeError)):
                    attempt()
    assert as_bits(every_result(cache)) == before


# --- peek ---


@every_backend
def test_peek_is_an_append_that_does_not_last() -> None:
    feed = Feed(60, 6)
    cache = ic.IndicatorCache(feed[:40])
    for at in range(40, 50):
        held = every_result(cache)
        before, stats = as_bits(held), cache.stats()
        forming = cache.peek(feed.bar(at))
        assert (len(forming), len(cache)) == (at + 1, at)
        assert forming.timeframes == cache.timeframes
        assert as_bits(every_result(forming)) == expected(feed, at + 1)
        assert as_bits(held) == before
        assert cache.stats() == stats
        cache.append(feed[at : at + 1])
        assert as_bits(every_result(cache)) == expected(feed, at + 1)


@every_backend
def test_a_peek_is_independent_of_what_comes_later() -> None:
    feed, other = Feed(60, 7), Feed(60, 8)
    cache = ic.IndicatorCache(feed[:40])
    every_result(cache)
    mixed = Feed(60, 7)
    early, late, unused = (cache.peek(feed.bar(40)) for _ in range(3))
    held = every_result(early)
    bits_before = as_bits(held)
    assert bits_before == expected(mixed, 41)
    cache.append(other[40:55])
    assert as_bits(every_result(late)) == bits_before  # computed after the other moved on
    assert as_bits(held) == as_bits(every_result(early)) == bits_before
    cache.clear()
    del cache
    assert as_bits(every_result(unused)) == bits_before


@every_backend
def test_a_peek_can_itself_grow_and_be_peeked_at() -> None:
    feed = Feed(60, 9)
    cache = ic.IndicatorCache(feed[:40])
    every_result(cache)
    once = cache.peek(feed.bar(40))
    every_result(once)
    twice = once.peek(feed.bar(41))
    assert as_bits(every_result(twice)) == expected(feed, 42)
    once.append(feed[41:50])
    assert as_bits(every_result(once)) == expected(feed, 50)
    assert as_bits(every_result(twice)) == expected(feed, 42)
    assert as_bits(every_result(cache)) == expected(feed, 40)


def test_a_peek_is_at_one_bar() -> None:
    feed = Feed(30)
    cache = ic.IndicatorCache(feed[:20])
    for where in slice(20, 20), slice(20, 22):
        with pytest.raises(ic.SchemaError, match="exactly one bar"):
            cache.peek(feed[where])


@pytest.mark.parametrize("backend", ic.backends.NAMES)
def test_peeking_for_long_does_not_use_up_memory(backend: str) -> None:
    cache = ic.IndicatorCache({"M1": {"bid": {"close": [1.0, 2.0]}}}, backend=backend)
    cache.bollinger("M1", "bid", "close", 20_000)
    for _ in range(1500 if backend == "wasm" else 50):
        cache.peek({"M1": {"bid": {"close": 3.0}}}).bollinger("M1", "bid", "close", 20_000)
    assert len(cache.bollinger("M1", "bid", "close", 20_000).middle) == 2


# --- the cost of an append ---


class Counting(PythonBackend):
    """Counts the bars that go through machines, and fails on demand."""

    name = "counting"

    def __init__(self) -> None:
        self.bars = self.built = 0
        self.error: BaseException | None = None
        self.late = False

    def machine(self, spec: ic.IndicatorSpec, params: tuple[Value, ...]) -> CountingMachine:
        self.built += 1
        return CountingMachine(spec, params, self)


class CountingMachine(ReferenceMachine):
    def __init__(
        self, spec: ic.IndicatorSpec, params: tuple[Value, ...], backend: Counting
    ) -> None:
        super().__init__(spec, params)
        self.backend = backend

    def run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        self.backend.bars += len(inputs[0])
        error, late = self.backend.error, self.backend.late
        if error is not None:
            self.backend.error = None
            if late:
                super().run(inputs, outputs)
            raise error
        super().run(inputs, outputs)

    def copy(self) -> CountingMachine:
        twin = CountingMachine(self._spec, self._params, self.backend)
        plain = super().copy()
        twin._kernel, twin._bars = plain._kernel, plain._bars
        return twin


def counted(bars: Any, **options: Any) -> tuple[ic.IndicatorCache, Counting]:
    cache, backend = ic.IndicatorCache(bars, **options), Counting()
    cache._backend = backend
    return cache, backend


def test_an_append_costs_the_new_bars() -> None:
    prices = walk(5000)
    kept = ("ema", "dmi", "bollinger")

    def sides(start: int, stop: int) -> dict[str, Any]:
        return {"M1": {"bid": {name: column[start:stop] for name, column in prices.items()}}}

    for history in 100, 4000:
        cache, backend = counted(sides(0, history))
        for name in kept:
            cache.get("M1", "bid", name)
        assert (backend.bars, backend.built) == (3 * history, 3)
        for run in 1, 2, 50:
            backend.bars = 0
            at = len(cache)
            cache.append(sides(at, at + run))
            for name in kept:
                assert len(as_columns(cache.get("M1", "bid", name)).popitem()[1]) == at + run
            assert backend.bars == 3 * run
        backend.bars = 0
        at = len(cache)
        peek = cache.peek(sides(at, at + 1))
        assert backend.bars == 0
        peek.get("M1", "bid", "dmi")
        assert (backend.bars, backend.built) == (1, 3)


def test_a_stepwise_append_costs_the_new_candles() -> None:
    a, b = candle(1.0), candle(2.0)
    cache, backend = counted({"H1": {"bid": [a] * 500 + [b]}})
    steps(cache)
    assert backend.bars == 2
    cache.append({"H1": {"bid": [b] * 100}})
    assert backend.bars == 2
    cache.append({"H1": {"bid": [b, None, candle(3.0), None]}})
    assert backend.bars == 3
    assert steps(cache)[-5:] == [1.5, 1.5, 1.5, 2.5, 2.5]


def test_columns_are_seldom_moved() -> None:
    """Memory grows in steps, by half again at least, so that most appends copy nothing."""
    cache = ic.IndicatorCache({"M1": {"bid": {"close": np.ones(10)}}})
    buffers = set()
    for _ in range(1000):
        cache.append({"M1": {"bid": {"close": 1.0}}})
        where = cache.ema("M1", "bid").__array_interface__["data"][0]
        buffers.add((where, cache.stats().bytes))
    assert len({size for _, size in buffers}) <= 12


# --- failures ---


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("error", [ic.BackendError("trap"), MemoryError()], ids=repr)
def test_a_failing_machine_costs_its_result_only(error: Exception, *, late: bool) -> None:
    feed = Feed(60, 10)
    cache, backend = counted(feed[:40])
    results = every_result(cache)
    entries = cache.stats().entries
    backend.error, backend.late = error, late
    cache.append(feed[40:43])
    assert len(cache) == 43
    assert cache.stats().entries == entries - 1
    built = backend.built
    assert as_bits(every_result(cache)) == expected(feed, 43)
    assert backend.built == built + 1
    assert {len(c) for columns in results.values() for c in columns} == {40}
    cache.append(feed[43:60])
    assert as_bits(every_result(cache)) == expected(feed, 60)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("calls", [0, 5])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("bug")], ids=repr)
def test_an_interruption_leaves_no_wrong_numbers(
    error: BaseException, calls: int, *, late: bool
) -> None:
    """Whether the bars were taken or not, the results are those of the bars that there are."""
    feed = Feed(60, 11)
    cache, backend = counted(feed[:40])
    every_result(cache)
    run = CountingMachine.run

    def interrupted(self: CountingMachine, *columns: Any) -> None:
        nonlocal calls
        calls -= 1
        if calls == -1:
            backend.error, backend.late = error, late
        run(self, *columns)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CountingMachine, "run", interrupted)
        with pytest.raises(type(error)):
            cache.append(feed[40:43])
    bars = len(cache)
    assert bars in {40, 43}
    assert as_bits(every_result(cache)) == expected(feed, bars)
    cache.append(feed[bars:50])
    assert as_bits(every_result(cache)) == expected(feed, 50)


def test_a_failing_peek_harms_nobody() -> None:
    feed = Feed(60, 12)
    cache, backend = counted(feed[:40])
    every_result(cache)
    peek = cache.peek(feed.bar(40))
    backend.error, backend.late = ic.BackendError("trap"), True
    with contextlib.suppress(ic.BackendError):
        every_result(peek)
    assert as_bits(every_result(peek)) == expected(feed, 41)
    assert as_bits(every_result(cache)) == expected(feed, 40)
    cache.append(feed[40:50])
    assert as_bits(every_result(cache)) == expected(feed, 50)


# --- bounded memory ---


@every_backend
@pytest.mark.parametrize("bound", [0, 1, 3000, 20_000])
def test_bounded_memory(bound: int) -> None:
    feed = Feed(120, 13)
    cache = ic.IndicatorCache(feed[:40], max_bytes=bound)
    for at in range(40, 120, 10):
        assert as_bits(every_result(cache)) == expected(feed, at)
        cache.append(feed[at : at + 10])
        stats = cache.stats()
        assert stats.bytes <= bound
        assert (stats.bytes == 0) == (stats.entries == 0)
    assert as_bits(every_result(cache)) == expected(feed, 120)


def test_an_append_drops_the_least_recently_used_first() -> None:
    size = 8 * 100
    cache = ic.IndicatorCache({"M1": {"bid": {"close": np.ones(100)}}}, max_bytes=3 * size)
    for period in 1, 2, 3:
        cache.sma("M1", "bid", "close", period)
    cache.sma("M1", "bid", "close", 1)
    cache.append({"M1": {"bid": {"close": 1.0}}})
    stats = cache.stats()
    assert stats.bytes <= 3 * size
    assert 1 <= stats.entries < 3
    cache.sma("M1", "bid", "close", 1)
    assert cache.stats().hits == stats.hits + 1


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
@pytest.mark.parametrize("bound", [None, 20_000])
def test_reading_while_bars_are_appended(bound: int | None) -> None:
    """Every answer is that of some number of bars that there have been, whole and right."""
    feed = Feed(300, 14)
    whole = every_result(ic.IndicatorCache(feed[:]))
    cache = ic.IndicatorCache(feed[:100], max_bytes=bound)
    versions, done = {100}, threading.Event()

    def read() -> set[int]:
        lengths = set()
        while True:
            last = done.is_set()
            for key, columns in every_result(cache).items():
                assert len({len(column) for column in columns}) == 1, key
                length = len(columns[0])
                lengths.add(length)
                for column, every in zip(columns, whole[key], strict=True):
                    assert column.tobytes() == every[:length].tobytes(), (key, length)
            if last:
                return lengths

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            for at in range(100, 300, 8):
                versions.add(at + 8)
                cache.append(feed[at : at + 8])
                assert len(cache.ema("M1", "bid")) == at + 8
                assert len(cache.peek(feed.bar(0)).ema("M1", "bid")) == at + 9
        finally:
            done.set()
        for reader in readers:
            assert reader.result() <= versions
    assert as_bits(every_result(cache)) == as_bits(whole)


def test_two_threads_append() -> None:
    """One after the other, each all of its bars."""
    cache = ic.IndicatorCache({"M1": {"bid": {"close": np.ones(1)}}})
    cache.sma("M1", "bid", "close", 10)

    def work(number: float) -> None:
        for _ in range(30):
            cache.append({"M1": {"bid": {"close": [number] * 10}}})

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, [1.0, 2.0, 3.0]))
    assert len(cache) == 901
    assert set(cache.sma("M1", "bid", "close", 10)[10::10].tolist()) == {1.0, 2.0, 3.0}


def test_bars_that_come_between_looking_up_and_computing() -> None:
    """A result over the bars before is never kept for the bars after."""
    cache = ic.IndicatorCache({"M1": {"bid": {"close": [1.0, 2.0]}}})

    class Meanwhile:
        def __index__(self) -> int:
            cache.append({"M1": {"bid": {"close": 3.0}}})
            return -1

    index: Any = Meanwhile()
    assert cache.ema("M1", "bid", "close", 1, index) in {2.0, 3.0}
    assert cache.ema("M1", "bid", "close", 1).tolist() == [1.0, 2.0, 3.0]


def test_bars_that_come_while_a_result_is_computed() -> None:
    """It is handed out, since it was asked for before, but not kept."""
    cache, _ = counted({"M1": {"bid": {"close": [1.0, 2.0]}}})
    run = CountingMachine.run

    def meanwhile(self: CountingMachine, *columns: Any) -> None:
        patch.undo()
        cache.append({"M1": {"bid": {"close": 3.0}}})
        run(self, *columns)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CountingMachine, "run", meanwhile)
        assert cache.ema("M1", "bid", "close", 1).tolist() in ([1.0, 2.0], [1.0, 2.0, 3.0])
    assert cache.ema("M1", "bid", "close", 1).tolist() == [1.0, 2.0, 3.0]


# --- life cycles ---


@pytest.mark.parametrize(
    ("backend", "lives"), [("native", 10_000), ("wasm", 1_000), ("python", 1_000)]
)
def test_lives_leave_no_memory_behind(backend: str, lives: int) -> None:
    """Caches are made, asked, extended, peeked at and dropped; the process does not grow."""
    pytest.importorskip("resource", reason="tells how much memory was used")
    done = subprocess.run(  # noqa: S603 - this interpreter, that module
        [sys.executable, "-m", "tests.lives", backend, str(lives)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    grown_by, objects = map(int, done.stdout.split())
    assert grown_by < 6000  # KiB; a leak of one array per life would be more
    assert objects < 200
