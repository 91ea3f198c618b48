"""Caches over timeframes made from the shortest: no look-ahead, and growth like a new cache."""

from __future__ import annotations

import doctest
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import indicator_cache as ic

from .bars import FIELDS, as_columns, bits
from .strategies import KINDS

NAMES = tuple(ic.catalog())
inf, nan = np.inf, np.nan

Table = dict[str, Any]

#: Timeframes of a cache, with how far apart its bars are, in minutes.
LADDERS = (
    (("M1", "M5", "H1"), 1),
    (("M15", "H1", "H4", "D1"), 15),
    (("H1", "D1", "W1"), 60),
    (("D1", "W1", "MN"), 1440),
)

OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"policy": "strict"},
    {"max_age": np.timedelta64(3, "h")},
    {"bar": "developing"},
    {"bar": "developing", "policy": "strict"},
    {"timestamps": "close"},
    {"session": ("22:00", "06:00")},
    {"session": ("08:00", "17:00"), "bar": "developing"},
    {"zone": "America/New_York", "naive": "utc", "session": ("17:00", "17:00")},
)


def table(kind: str, steps: list[int], minutes: int, seed: int) -> Table:
    """Bars of some kind, as many steps of the base timeframe apart as given."""
    # Close to a change of the clocks, the end of a week, a month and, in UTC, a day.
    start = np.datetime64("2024-10-27T20:00" if minutes < 60 else "2024-10-28T00:00", "ns")
    times = start + np.cumsum(steps) * np.timedelta64(minutes, "m")
    with np.errstate(all="ignore"):
        rng = np.random.default_rng(seed)
        bars = KINDS[kind](len(steps), rng)
    if seed % 4 == 0:
        bars["volume"] = rng.choice([1e300, np.inf, -np.inf, nan, -0.0, 0.1], len(steps))
    return {"timestamp": times, **{name: bars[name].astype(np.float64) for name in FIELDS}}


@st.composite
def tables(draw: st.DrawFn, minutes: int, most: int = 70) -> Table:
    """Bars with few and many, short and long gaps between them."""
    gaps = st.sampled_from([1] * 8 + [2, 7, 61])
    steps = draw(st.lists(gaps, max_size=most))
    return table(draw(st.sampled_from(tuple(KINDS))), steps, minutes, draw(st.integers(0, 999)))


@st.composite
def cases(draw: st.DrawFn) -> tuple[tuple[str, ...], dict[str, Any], Table]:
    frames, minutes = draw(st.sampled_from(LADDERS))
    options = draw(st.sampled_from(OPTIONS))
    if minutes == 1440:
        # Days begin at midnight here.
        options = {k: v for k, v in options.items() if k not in {"session", "zone", "naive"}}
    return frames, options, draw(tables(minutes))


def rows(bars: Table, begin: int, end: int | None) -> Table:
    return {name: column[begin:end] for name, column in bars.items()}


def every_result(
    cache: ic.IndicatorCache, *, developing: bool, cut: int | None = None
) -> dict[Any, dict[str, bytes]]:
    """Every indicator in every timeframe, stepwise included."""
    base, *_ = cache.timeframes
    found: dict[Any, dict[str, bytes]] = {}
    periods = {name: [p.name for p in ic.catalog()[name].parameters] for name in NAMES}
    for tf in cache.timeframes:
        series = cache._series[tf]["bid"]
        found[tf] = bits({name: series.column(name)[:cut] for name in FIELDS})
        for name in NAMES:
            for stepwise in (False,) if developing and tf != base else (False, True):
                params: dict[str, Any] = {"period": 3} if "period" in periods[name] else {}
                columns = as_columns(cache.get(tf, "bid", name, stepwise=stepwise, **params))
                found[tf, name, stepwise] = bits({k: c[:cut] for k, c in columns.items()})
    return found


def make(frames: tuple[str, ...], options: dict[str, Any], bars: Table) -> ic.IndicatorCache:
    return ic.IndicatorCache.from_bars(bars, frames, **options)


# --- look-ahead ---


@settings(max_examples=120)
@given(cases(), st.data())
def test_the_future_never_changes_the_past(
    case: tuple[tuple[str, ...], dict[str, Any], Table], data: st.DataObject
) -> None:
    frames, options, bars = case
    now = data.draw(st.integers(0, len(bars["close"])))
    later = bars["timestamp"][now:]
    other = {name: column.copy() for name, column in bars.items()}
    # Other prices, missing bars, other times, or no future at all.
    kind = data.draw(st.sampled_from(["prices", "missing", "later", "nothing"]))
    if kind == "prices":
        for name in FIELDS:
            other[name][now:] = data.draw(st.sampled_from([0.0, 1e12, -np.inf, 50.0]))
    elif kind == "missing":
        for name in FIELDS:
            other[name][now:] = nan
    elif kind == "later" and len(later):
        other["timestamp"][now:] += np.timedelta64(2, "D")
    elif kind == "nothing":
        other = rows(bars, 0, now)
    developing = options.get("bar") == "developing"
    before = every_result(make(frames, options, bars), developing=developing, cut=now)
    after = every_result(make(frames, options, other), developing=developing, cut=now)
    assert before == after


# --- growth ---


@settings(max_examples=120)
@given(cases(), st.data())
def test_grows_like_a_new_cache(
    case: tuple[tuple[str, ...], dict[str, Any], Table], data: st.DataObject
) -> None:
    frames, options, bars = case
    developing = options.get("bar") == "developing"
    count = len(bars["close"])
    cuts = sorted({0, *data.draw(st.lists(st.integers(0, count), max_size=9)), count})
    cache = make(frames, options, rows(bars, 0, cuts[0]))
    for begin, end in itertools.pairwise(cuts):
        if data.draw(st.booleans()):
            every_result(cache, developing=developing)
        cache.append(rows(bars, begin, end))
    fresh = every_result(make(frames, options, bars), developing=developing)
    assert every_result(cache, developing=developing) == fresh


@given(cases())
def test_grows_bar_by_bar(case: tuple[tuple[str, ...], dict[str, Any], Table]) -> None:
    frames, options, bars = case
    developing = options.get("bar") == "developing"
    cache = make(frames, options, rows(bars, 0, 0))
    every_result(cache, developing=developing)
    for bar in range(len(bars["close"])):
        one = {name: column[bar] for name, column in bars.items()}
        peeked = cache.peek(one)
        cache.append(one)
        if bar % 16 == 5:
            assert every_result(peeked, developing=developing) == every_result(
                cache, developing=developing
            )
    fresh = every_result(make(frames, options, bars), developing=developing)
    assert every_result(cache, developing=developing) == fresh


@pytest.mark.parametrize("bar", ["closed", "developing"])
@pytest.mark.parametrize(
    "volume", [[inf, -inf, 1.0], [-inf, inf, nan], [nan, inf, -inf], [1.0, inf, -inf]]
)
def test_infinite_volumes_of_both_signs(bar: str, volume: list[float]) -> None:
    """The sum is NaN, and stays so: it is not the same as a missing value."""
    for count in 3, 5, 9:
        bars = table("walk", [1] * 20, 1, 0)
        for name in FIELDS[:-1]:
            bars[name][:count] = nan
        bars["volume"][:3] = volume
        cache = make(("M1", "M5"), {"bar": bar}, rows(bars, 0, 0))
        for row in range(20):
            cache.append(rows(bars, row, row + 1))
        developing = bar == "developing"
        assert every_result(cache, developing=developing) == every_result(
            make(("M1", "M5"), {"bar": bar}, bars), developing=developing
        )


# --- what is taken, and what is refused ---


def hours(count: int = 40) -> Table:
    return table("walk", [1] * count, 60, 1)


def test_both_sides() -> None:
    bid, ask = hours(), table("walk", [1] * 40, 60, 2)
    cache = ic.IndicatorCache.from_bars({"bid": bid, "ask": ask}, ["H1", "D1"])
    assert cache.timeframes == ("H1", "D1")
    assert cache.price_types("D1") == ("bid", "ask")
    for side, bars in ("bid", bid), ("ask", ask):
        alone = ic.IndicatorCache.from_bars(bars, ["H1", "D1"], price_type=side)
        for tf in cache.timeframes:
            assert cache.ema(tf, side).tobytes() == alone.ema(tf, side).tobytes()
    later = {
        name: column + np.timedelta64(40, "h") if name == "timestamp" else column
        for name, column in bid.items()
    }
    cache.append({"ask": later, "bid": later})
    assert len(cache) == 80
    assert cache.ema("D1", "bid", i=-1) != cache.ema("D1", "ask", i=-1)


def test_append_takes_values_and_leaves_out_new_columns() -> None:
    bars = hours(30)
    del bars["volume"]
    cache = make(("H1", "D1"), {}, rows(bars, 0, 28))
    for bar in 28, 29:
        one = {name: column[bar] for name, column in bars.items()}
        one["timestamp"] = bars["timestamp"][bar].astype("M8[us]").item()
        cache.append(one | {"volume": 1.0})
    assert cache._series["D1"]["bid"].names == ("open", "high", "low", "close")
    assert every_close(cache) == every_close(make(("H1", "D1"), {}, bars))


def every_close(cache: ic.IndicatorCache) -> list[bytes]:
    return [cache.ema(tf, "bid", "close", 3).tobytes() for tf in cache.timeframes]


def test_options_of_the_cache() -> None:
    cache = ic.IndicatorCache.from_bars(
        hours(), ["H1", "D1"], price_type="trade", max_bytes=0, backend="python"
    )
    cache.ema("D1", "trade")
    assert cache.stats().entries == 0
    with pytest.raises(ic.ParameterError, match="backend must be one of"):
        ic.IndicatorCache.from_bars(hours(), ["H1"], backend="numpy")


def test_developing_bars_have_no_steps() -> None:
    cache = ic.IndicatorCache.from_bars(hours(), ["H1", "D1"], bar="developing")
    assert not np.isnan(cache.ema("D1", "bid", i=0))
    cache.view("H1", "bid", stepwise=True)
    with pytest.raises(ic.SchemaError, match="stepwise results of D1 bid need"):
        cache.view("D1", "bid", stepwise=True)


@pytest.mark.parametrize(
    ("timeframes", "message"),
    [
        ([], "timeframes must be a list of timeframes, that of the bars first"),
        ("H1", "timeframes must be a list of timeframes"),
        (["H1", "day"], "timeframes must be a timeframe such as"),
        (["H1", "D1", "1d"], "timeframes must be a list without repeats"),
        (["H1", "M30"], "timeframes must be a multiple of the first, H1, got 'M30'"),
        (["D1", "H1"], "timeframes must be a multiple of the first, D1, got 'H1'"),
    ],
)
def test_timeframes_that_are_refused(timeframes: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(ic.ParameterError) as caught:
        ic.IndicatorCache.from_bars(hours(), timeframes)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("bars", "message"),
    [
        ({}, "bars: expected columns by name, or price types; got nothing"),
        ({"timestamp": [1]}, "expected columns among open, high"),
        (
            {"bid": hours(), "ask": hours(3)},
            "timestamp: H1 ask: expected 40 bars, as many as bid, got 3",
        ),
        (
            {"bid": hours(3), "ask": hours(3) | {"timestamp": hours(9)["timestamp"][[0, 1, 4]]}},
            "expected the times of bid, got 2024-10-28T05:00 instead of 2024-10-28T03:00 at",
        ),
        (table("walk", [1] * 4, 15, 0), "expected opens of bars of the base timeframe"),
    ],
)
def test_bars_that_are_refused(bars: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(ic.SchemaError) as caught:
        ic.IndicatorCache.from_bars(bars, ["H1", "D1"])
    assert message in str(caught.value)


def next_bars(**other: Any) -> Table:  # noqa: ANN401
    return rows(hours(42), 40, 42) | other


@pytest.mark.parametrize(
    ("bars", "message"),
    [
        (rows(hours(), 39, 40), "expected times after 2024-10-29T16:00, got 2024-10-29T16:00"),
        (rows(hours(60), 2, 60), "expected times after 2024-10-29T16:00, got 2024-10-28T03:00"),
        (next_bars(timestamp=hours()["timestamp"][[39, 38]]), "expected increasing times"),
        ({k: v for k, v in next_bars().items() if k != "low"}, "low: missing in the next bars of"),
        ({k: v for k, v in next_bars().items() if k != "timestamp"}, "timestamp: H1 bid: missing"),
        (next_bars(close=[1.0]), "close: H1 bid: expected 2 bars"),
        (next_bars(close=["a", "b"]), "close: H1 bid: expected real numbers"),
        ({"ask": next_bars()}, "bars: expected the price types 'bid', as before"),
        ({"bid": next_bars(), "ask": next_bars()}, "bars: expected the price types 'bid'"),
        ([], "expected a sequence of candles or"),
    ],
)
def test_a_refused_append_changes_nothing(bars: Any, message: str) -> None:  # noqa: ANN401
    cache = make(("H1", "D1"), {}, hours())
    before = every_close(cache)
    for call in cache.append, cache.peek:
        with pytest.raises(ic.SchemaError) as caught:
            call(bars)
        if bars != []:
            assert message in str(caught.value)
    assert every_close(cache) == before
    cache.append(next_bars())
    assert every_close(cache) == every_close(make(("H1", "D1"), {}, hours(42)))


def test_peek_is_for_one_bar() -> None:
    cache = make(("H1", "D1"), {}, hours())
    with pytest.raises(ic.SchemaError, match="expected exactly one bar"):
        cache.peek(next_bars())


# --- tables of other libraries ---


def as_tables(bars: Table) -> dict[str, Any]:
    frame = pl.DataFrame(bars)
    zoned = pl.col("timestamp").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")
    return {
        "polars": frame,
        "pandas": pd.DataFrame(bars),
        "pandas, by index": pd.DataFrame(bars).set_index("timestamp"),
        "Arrow": frame.to_arrow(),
        "records": frame.to_numpy(structured=True),
        "polars, with a zone": frame.with_columns(zoned),
        "Arrow, with a zone": frame.with_columns(zoned).to_arrow(),
        "pandas, with a zone": frame.with_columns(zoned).to_pandas(),
        "pandas of Arrow": frame.to_pandas(use_pyarrow_extension_array=True),
    }


@pytest.mark.parametrize("kind", as_tables(table("walk", [1] * 2, 60, 1)))
def test_tables_of_any_library(kind: str) -> None:
    bars = hours(60)
    options: dict[str, Any] = {"zone": "Europe/Berlin"} if "zone" in kind else {}
    naive = options | ({"naive": "utc"} if options else {})
    first, later = (as_tables(rows(bars, *cut))[kind] for cut in ((0, 45), (45, 60)))
    expected = ic.resample(rows(bars, 0, 45), "D1", base="H1", **naive)
    given = ic.resample(first, "D1", base="H1", **options)
    assert bits(given) == bits(expected)
    seen = ic.align(first, pd.DataFrame(given), base="H1", **options)
    assert bits(seen) == bits(ic.align(rows(bars, 0, 45), given, base="H1", **naive))
    cache = ic.IndicatorCache.from_bars(first, ["H1", "D1"], **options)
    cache.append(later)
    assert every_close(cache) == every_close(make(("H1", "D1"), naive, bars))
    if options:
        return
    with pytest.raises(ic.SchemaError, match="naive timestamps, and a time zone is asked for"):
        ic.resample(first, "D1", zone="Europe/Berlin")


def test_columns_of_arrow_tables_are_not_copied() -> None:
    frame = pl.DataFrame(hours(60))
    cache = ic.IndicatorCache.from_bars(frame, ["H1", "D1"])
    for name in FIELDS:
        column = cache._series["H1"]["bid"].column(name)
        assert np.shares_memory(column, frame[name].to_numpy())
        assert not column.flags.writeable
    before = frame["close"].to_numpy().tobytes()
    cache.append(rows(hours(70), 60, 60))
    cache.append(rows(hours(70), 60, 70))
    assert every_close(cache) == every_close(make(("H1", "D1"), {}, hours(70)))
    assert frame["close"].to_numpy().tobytes() == before


def test_columns_of_dicts_are() -> None:
    bars = hours(60)
    cache = ic.IndicatorCache.from_bars(bars, ["H1", "D1"])
    for column in bars.values():
        column[:] = column[0]
    assert every_close(cache) == every_close(make(("H1", "D1"), {}, hours(60)))
    times = cache.table("D1", "bid", ["ema"]).to_polars()["timestamp"]
    assert times.to_list() == hours(60)["timestamp"].astype("M8[us]").tolist()


@pytest.mark.parametrize("bar", ["closed", "developing"])
def test_results_as_tables_have_the_times_of_the_bars(bar: str) -> None:
    bars = hours(60)
    cache = make(("H1", "D1"), {"bar": bar}, rows(bars, 0, 50))
    cache.append(rows(bars, 50, 60))
    for tf in cache.timeframes:
        given = cache.table(tf, "bid", ["ema:3"]).to_polars()
        assert given["timestamp"].to_numpy().tolist() == bars["timestamp"].tolist()
        assert given["ema_3"].to_numpy().tobytes() == cache.ema(tf, "bid", "close", 3).tobytes()


def test_metadata_of_tables_are_checked() -> None:
    frame = pd.DataFrame(hours())
    frame.attrs["timeframe"] = "M1"
    with pytest.raises(ic.SchemaError, match="timeframe: H1 bid: expected 'H1'"):
        ic.IndicatorCache.from_bars(frame, ["H1", "D1"])


# --- documentation ---


def test_the_guide_does_what_it_says() -> None:
    guide = Path(__file__).parent.parent / "docs" / "timeframes.md"
    found = doctest.testfile(
        str(guide), module_relative=False, optionflags=doctest.ELLIPSIS, encoding="utf-8"
    )
    assert found.failed == 0
    assert found.attempted > 20


@pytest.mark.parametrize("thing", [ic.resample, ic.align, ic.IndicatorCache.from_bars])
def test_docstrings_do_what_they_say(thing: Callable[..., object]) -> None:
    examples = doctest.DocTestFinder(recurse=False).find(thing, globs={})
    runner = doctest.DocTestRunner()
    for example in examples:
        runner.run(example)
    assert runner.summarize().failed == 0
    assert runner.tries > 3
