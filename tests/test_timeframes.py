"""Longer bars from shorter ones: against pandas, polars, a plain loop, and calendars by hand."""
# ruff: noqa: ANN401, DTZ001 - much of what is given here is what the types forbid

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import indicator_cache as ic
from indicator_cache.timeframes._calendar import timeframe

from .bars import FIELDS, NAN_BITS, walk, with_partial_gaps
from .strategies import KINDS

inf, nan = np.inf, np.nan

Table = dict[str, Any]

DAY = np.timedelta64(1, "D")


def minutes(start: str, count: int, step: int = 1, seed: int = 0) -> Table:
    """Bars one after the other."""
    times = np.datetime64(start, "ns") + np.arange(count) * np.timedelta64(step, "m")
    return {"timestamp": times, **walk(count, seed)}


def utc(*local: str, zone: str) -> list[np.datetime64]:
    """Instants at which the clock of a zone shows these times."""
    instants = [
        dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)
        for text in local
    ]
    return [np.datetime64(instant.replace(tzinfo=None), "ns") for instant in instants]


def same(given: Table, expected: Table, names: tuple[str, ...] = FIELDS) -> None:
    for name in names:
        assert given[name].tobytes() == np.asarray(expected[name], np.float64).tobytes(), name


# --- against others ---

RULES = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}

#: By name here: in pandas, and in polars.
FRAMES = {
    "M5": ("5min", "5m"),
    "M15": ("15min", "15m"),
    "H1": ("1h", "1h"),
    "H4": ("4h", "4h"),
    "D1": ("1D", "1d"),
    "W1": ("W-MON", "1w"),
    "MN": ("MS", "1mo"),
}


@st.composite
def feeds(draw: st.DrawFn) -> Table:
    """Bars with gaps between them, and values missing in them."""
    gaps = st.sampled_from([1] * 9 + [2, 5, 100, 3000])
    steps = draw(st.lists(gaps, min_size=1, max_size=150))
    times = np.datetime64("2024-02-28T20:13", "ns") + np.cumsum(steps) * np.timedelta64(1, "m")
    maker = draw(st.sampled_from([walk, with_partial_gaps]))
    bars = maker(len(steps), draw(st.integers(0, 999)))
    present = ~np.all([np.isnan(bars[name]) for name in FIELDS], axis=0)
    present[0] |= not present.any()
    bars["close"][0] = 1.0
    return {"timestamp": times, **bars}


@given(feeds(), st.sampled_from(tuple(FRAMES)), st.sampled_from(["open", "close"]))
def test_against_pandas(bars: Table, to: str, side: Any) -> None:
    closed: Any = "left" if side == "open" else "right"
    given = ic.resample(bars, to, timestamps=side, labels=side)
    frame = pd.DataFrame({name: bars[name] for name in FIELDS}, index=bars["timestamp"])
    if to in {"W1", "MN"}:
        # pandas' weeks and months are whole days, and cannot be closed at an instant.
        shift = pd.Timedelta(0 if side == "open" else -1, "ns")
        days = pd.DatetimeIndex(bars["timestamp"]) + shift
        keys = days.to_period("W-SUN" if to == "W1" else "M").start_time
        grouped: Any = frame.groupby(keys)
    else:
        grouped = frame.resample(FRAMES[to][0], closed=closed, label=closed)
    expected = grouped.agg({k: v for k, v in RULES.items() if k != "volume"})
    expected["volume"] = grouped["volume"].sum(min_count=1)
    expected = expected.dropna(how="all")
    same(given, {name: expected[name].to_numpy() for name in FIELDS})
    if to not in {"W1", "MN"} or side == "open":
        assert given["timestamp"].tolist() == (
            expected.index.to_numpy().astype("datetime64[ns]").tolist()
        )


@given(feeds(), st.sampled_from(tuple(FRAMES)), st.sampled_from(["open", "close"]))
def test_against_polars(bars: Table, to: str, side: Any) -> None:
    closed: Any = "left" if side == "open" else "right"
    given = ic.resample(bars, to, timestamps=side)
    expected = (
        pl.DataFrame(bars)
        .with_columns(pl.col(FIELDS).fill_nan(None))
        .group_by_dynamic("timestamp", every=FRAMES[to][1], closed=closed, label="left")
        .agg(
            pl.col("open").drop_nulls().first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").drop_nulls().last(),
            pl.when(pl.col("volume").count() > 0).then(pl.col("volume").sum()),
        )
        .filter(pl.any_horizontal(pl.col(FIELDS).is_not_null()))
    )
    assert given["start"].tolist() == expected["timestamp"].to_numpy().tolist()
    same(given, {name: expected[name].fill_null(nan).to_numpy() for name in FIELDS})


def plainly(name: str, values: list[float]) -> float:
    """One value for several, as the documentation has it."""
    present = [value for value in values if value == value]  # noqa: PLR0124 - not NaN
    if not present:
        return nan
    if name == "volume":
        total = 0.0
        for value in present:
            total += value
        return total if total == total else nan  # noqa: PLR0124

    def above(a: float, b: float) -> bool:
        return a > b or (a == b and np.signbit(b) and not np.signbit(a))

    if name in {"high", "low"}:
        best = present[0]
        for value in present:
            if above(value, best) if name == "high" else above(best, value):
                best = value
        return best
    return present[0 if name == "open" else -1]


@given(st.sampled_from(tuple(KINDS)), st.integers(0, 80), st.integers(0, 999))
def test_against_a_plain_loop(kind: str, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        bars: Table = {k: v.astype(np.float64) for k, v in KINDS[kind](count, rng).items()}
    bars["volume"] = rng.choice([1e300, inf, -inf, nan, -0.0, 0.1, 0.3, 1e16], count)
    bars["timestamp"] = np.cumsum(rng.integers(1, 9, count)) * 10**9 * 300
    hour = bars["timestamp"] // (3600 * 10**9)
    groups = [np.flatnonzero(hour == h) for h in np.unique(hour)]
    expected = {
        name: np.array([plainly(name, bars[name][rows].tolist()) for rows in groups])
        for name in FIELDS
    }
    some = ~np.all([np.isnan(expected[name]) for name in FIELDS], axis=0)
    given = ic.resample(bars, "H1")
    same(given, {name: expected[name][some] for name in FIELDS})
    for name in FIELDS:
        patterns = given[name].view(np.uint64)[np.isnan(given[name])]
        assert (patterns == NAN_BITS).all()


@given(st.integers(1, 400), st.integers(0, 999))
def test_in_one_step_or_two(count: int, seed: int) -> None:
    """M1 to H1, or M1 to M15 to H1. Sums of whole numbers, which are exact in any order."""
    bars = minutes("2024-05-05T22:41", count, 1, seed)
    drop = np.random.default_rng(seed).random(count) < 0.3
    drop[0] = False
    bars = {name: column[~drop] for name, column in bars.items()}
    quarters = ic.resample(bars, "M15", base="M1")
    for to in ("H1", "D1", "W1"):
        one, two = ic.resample(bars, to, base="M1"), ic.resample(quarters, to, base="M15")
        same(one, two)
        assert one["start"].tolist() == two["start"].tolist()


def test_the_same_timeframe_is_the_same_bars() -> None:
    bars = minutes("2024-01-01", 50)
    given = ic.resample(bars, "M1", base="M1")
    same(given, bars)
    assert given["timestamp"].tolist() == bars["timestamp"].tolist()
    assert not given["partial"].any()


def test_signed_zeros_do_not_depend_on_the_order() -> None:
    for zeros in ([0.0, -0.0], [-0.0, 0.0], [-0.0, 0.0] * 40, [0.0, -0.0] * 40):
        times = np.arange(len(zeros)) * 10**9
        bars = {"timestamp": times, "high": zeros, "low": zeros}
        hour = ic.resample(bars, "H1")
        assert not np.signbit(hour["high"][0])
        assert np.signbit(hour["low"][0])


def test_volume_is_added_in_order() -> None:
    volume = np.random.default_rng(0).random(60) * 10.0 ** np.arange(60)[::-1]
    total = 0.0
    for value in volume.tolist():
        total += value
    bars = {"timestamp": np.arange(60) * 60 * 10**9, "volume": volume}
    assert ic.resample(bars, "H1")["volume"].tolist() == [total]


# --- names ---


@pytest.mark.parametrize(
    ("name", "unit", "number"),
    [
        ("S5", "s", 5),
        ("M1", "s", 60),
        ("M30", "s", 1800),
        ("H4", "s", 14400),
        ("D1", "d", 1),
        ("W1", "w", 1),
        ("MN", "mo", 1),
        ("MN1", "mo", 1),
        ("MN3", "mo", 3),
        ("10s", "s", 10),
        ("15min", "s", 900),
        ("1h", "s", 3600),
        ("1d", "d", 1),
        ("2w", "w", 2),
        ("12mo", "mo", 12),
    ],
)
def test_names(name: str, unit: str, number: int) -> None:
    assert timeframe(name) == (unit, number)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "M",
        "H0",
        "1m",
        "m1",
        "H24",
        "24h",
        "M1440",
        "D1000",
        "121mo",
        "W",
        "5",
        "1 h",
        "H-1",
        60,
        None,
    ],
)
def test_names_that_are_none(name: Any) -> None:
    with pytest.raises(ic.ParameterError, match="to must be a timeframe such as M1, H4") as caught:
        ic.resample(minutes("2024-01-01", 3), name)
    assert caught.value.given == name


@pytest.mark.parametrize(
    ("to", "base", "fits"),
    [
        ("H1", "M15", True),
        ("H1", "M7", False),
        ("M1", "H1", False),
        ("H1", "D1", False),
        ("D1", "M7", True),
        ("W1", "D1", True),
        ("W1", "D2", False),
        ("MN", "D1", True),
        ("MN", "W1", False),
        ("W2", "W1", True),
        ("MN3", "MN", True),
        ("D1", "W1", False),
        ("D7", "W1", False),
    ],
)
def test_multiples(to: str, base: str, fits: bool) -> None:  # noqa: FBT001
    nothing = {"timestamp": np.empty(0, "datetime64[ns]"), "close": []}
    if fits:
        assert len(ic.resample(nothing, to, base=base)["close"]) == 0
        return
    message = f"to must be a multiple of the base timeframe {base}, got '{to}'"
    with pytest.raises(ic.ParameterError, match=message):
        ic.resample(nothing, to, base=base)


# --- which bars there are ---


def test_partial() -> None:
    bars = minutes("2024-01-01T00:00", 120)

    def partial(count: int, **options: Any) -> list[bool]:
        some = {name: column[:count] for name, column in bars.items()}
        return list(ic.resample(some, "H1", **options)["partial"])

    assert partial(59, base="M1") == [True]
    assert partial(60, base="M1") == [False]
    assert partial(61, base="M1") == [False, True]
    # Without the base, nobody knows how long the last bar is.
    assert partial(60) == [True]
    # The first minute ends at midnight, and is one of the day before.
    assert partial(60, timestamps="close") == [False, True]
    assert partial(61, timestamps="close") == [False, False]


def test_empty_bars_on_request() -> None:
    bars = minutes("2024-01-01T00:30", 60)
    bars = {k: np.delete(v, np.arange(5, 50)) for k, v in bars.items()}
    bars["close"][:2] = nan
    filled = ic.resample(bars, "M5", base="M1", empty=True)
    given = ic.resample(bars, "M5", base="M1")
    assert np.array_equal(np.diff(filled["start"]), np.full(11, np.timedelta64(5, "m")))
    there = np.isin(filled["start"], given["start"])
    assert there.tolist() == [True] + [False] * 9 + [True] * 2
    same({name: filled[name][there] for name in FIELDS}, given)
    for name in FIELDS:
        assert np.isnan(filled[name][~there]).all()
    # Nothing but missing bars is no bar.
    nothing = {"timestamp": bars["timestamp"], "close": np.full(15, nan)}
    for empty in (False, True):
        assert len(ic.resample(nothing, "M5", empty=empty)["close"]) == 0


def test_empty_bars_of_days_and_months() -> None:
    bars = {"timestamp": np.array(["2024-01-03", "2024-04-01"], "M8[ns]"), "close": [1.0, 2.0]}
    months = ic.resample(bars, "MN", empty=True)
    assert months["start"].astype("M8[M]").astype(str).tolist() == [
        f"2024-0{month}" for month in range(1, 5)
    ]
    assert np.isnan(months["close"]).tolist() == [False, True, True, False]
    assert len(ic.resample(bars, "D1", empty=True)["close"]) == 90
    hours = ic.resample(bars, "H1", empty=True, session=("00:00", "02:00"))
    assert len(hours["close"]) == 89 * 2 + 1


def test_labels() -> None:
    bars = minutes("2024-01-01T00:00", 60)
    opens, closes = (ic.resample(bars, "H1", labels=side) for side in ("open", "close"))
    assert opens["timestamp"] == opens["start"] == np.datetime64("2024-01-01T00:00")
    assert closes["timestamp"] == closes["end"] == np.datetime64("2024-01-01T01:00")


@pytest.mark.parametrize(("to", "start"), [("7h", [0, 7, 14, 21]), ("H5", [0, 5, 10, 15, 20])])
def test_what_does_not_divide_the_day_is_cut_at_its_end(to: str, start: list[int]) -> None:
    bars = minutes("2024-01-01T00:00", 48, 60)
    given = ic.resample(bars, to, base="H1")
    hours = (given["start"] - np.datetime64("2024-01-01")) // np.timedelta64(1, "h")
    assert hours.tolist() == start + [hour + 24 for hour in start]
    assert given["end"][:-1].tolist() == given["start"][1:].tolist()


@pytest.mark.parametrize(("first", "weekday"), [("monday", 0), ("sunday", 6), ("saturday", 5)])
def test_weeks_begin_when_they_are_told_to(first: str, weekday: int) -> None:
    bars = minutes("2023-12-20", 40, 1440)
    weeks = ic.resample(bars, "W1", base="D1", week_start=first)
    days = weeks["start"].astype("M8[D]").tolist()
    assert {day.weekday() for day in days} == {weekday}
    assert (weeks["end"] - weeks["start"] == 7 * DAY).all()


# --- clocks that change ---


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2024-03-31", 23),
        ("Europe/Berlin", "2024-10-27", 25),
        ("America/New_York", "2024-03-10", 23),
        ("America/New_York", "2024-11-03", 25),
        # The clock is put forward at midnight, so the day begins at one.
        ("America/Sao_Paulo", "2018-11-04", 23),
        ("Asia/Kathmandu", "2024-03-31", 24),
    ],
)
def test_days_on_which_clocks_change(zone: str, day: str, hours: int) -> None:
    bars = minutes(f"{np.datetime64(day) - np.timedelta64(2, 'D')}", 5 * 1440)
    options: Any = {"zone": zone, "naive": "utc", "base": "M1"}
    days = ic.resample(bars, "D1", **options)
    local = pd.DatetimeIndex(bars["timestamp"], tz="UTC").tz_convert(zone)
    frame = pd.DataFrame({name: bars[name] for name in FIELDS}, index=local)
    expected = frame.groupby(local.date).agg(RULES)
    same(days, {name: expected[name].to_numpy() for name in FIELDS})
    (begin,) = utc(f"{day}T01:00" if "Sao" in zone else f"{day}T00:00", zone=zone)
    at = days["start"].tolist().index(begin.astype(int))
    assert days["end"][at] - days["start"][at] == np.timedelta64(hours, "h")
    inside = (bars["timestamp"] >= days["start"][at]) & (bars["timestamp"] < days["end"][at])
    assert days["volume"][at] == bars["volume"][inside].sum()
    some = {name: column[inside] for name, column in bars.items()}
    assert len(ic.resample(some, "H1", **options)["close"]) == hours
    fours = ic.resample(some, "H4", **options)
    lengths = (fours["end"] - fours["start"]) // np.timedelta64(1, "h")
    assert lengths.tolist() == [4] * (hours // 4) + [hours % 4] * bool(hours % 4)
    whole = ic.resample(some, "D1", **options)
    same(whole, {name: days[name][at : at + 1] for name in FIELDS})


def test_zones_against_polars() -> None:
    bars = minutes("2024-01-01", 366 * 24, 60)
    for zone, to in itertools.product(["Europe/Berlin", "America/New_York"], ["D1", "W1", "MN"]):
        given = ic.resample(bars, to, zone=zone, naive="utc", base="H1")
        local = pl.col("timestamp").dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        expected = (
            pl.DataFrame(bars)
            .with_columns(local)
            .group_by_dynamic("timestamp", every=FRAMES[to][1])
            .agg(
                pl.col("open").first(),
                pl.col("high").max(),
                pl.col("low").min(),
                pl.col("close").last(),
                pl.col("volume").sum(),
            )
        )
        starts = expected["timestamp"].dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        assert given["start"].tolist() == starts.to_numpy().tolist()
        same(given, {name: expected[name].to_numpy() for name in FIELDS})


# --- sessions ---


def test_a_session() -> None:
    bars = minutes("2024-03-07T00:00", 7 * 1440)
    options: Any = {
        "zone": "America/New_York",
        "naive": "utc",
        "session": ("09:30", "16:00"),
        "base": "M1",
    }
    days = ic.resample(bars, "D1", **options)
    dates = [f"2024-03-{day:02}" for day in range(7, 14)]
    opens = utc(*(f"{date}T09:30" for date in dates), zone="America/New_York")
    closes = utc(*(f"{date}T16:00" for date in dates), zone="America/New_York")
    assert days["start"].tolist() == [int(time.astype(int)) for time in opens]
    assert days["end"].tolist() == [int(time.astype(int)) for time in closes]
    first = (bars["timestamp"] >= opens[0]) & (bars["timestamp"] < closes[0])
    assert first.sum() == 390
    assert days["high"][0] == bars["high"][first].max()
    assert days["volume"][0] == bars["volume"][first].sum()
    hours = ic.resample(bars, "H1", **options)
    # From the opening on, and the last one is half as long.
    assert (hours["start"][:7] - opens[0]).tolist() == [n * 3600 * 10**9 for n in range(7)]
    assert hours["end"][6] == closes[0]
    assert len(hours["start"]) == 7 * 7


def test_a_session_over_midnight() -> None:
    """It belongs to the day on which it ends: Sunday evening opens the week, and the month."""
    bars = minutes("2024-06-27T00:00", 6 * 24, 60)  # Thursday to Tuesday
    options: Any = {"session": ("18:00", "17:00"), "base": "H1"}
    days = ic.resample(bars, "D1", **options)
    assert days["start"].astype("M8[h]").astype(str).tolist() == [
        f"2024-{day}T18" for day in ("06-26", "06-27", "06-28", "06-29", "06-30", "07-01", "07-02")
    ]
    assert (days["end"] - days["start"] == np.timedelta64(23, "h")).all()
    assert days["partial"].tolist() == [False] * 6 + [True]
    for to in "W1", "MN":
        given = ic.resample(bars, to, **options)
        assert given["start"].astype("M8[h]").astype(str).tolist()[1] == "2024-06-30T18"
        assert given["open"][1] == days["open"][4]


def test_a_session_that_ends_when_there_is_no_such_time() -> None:
    """Clocks go from two to three: the day that ends at half past two ends when the next begins."""
    bars = minutes("2024-03-30T00:00", 3 * 96, 15)
    options: Any = {"zone": "Europe/Berlin", "naive": "utc", "session": ("03:00", "02:30")}
    days = ic.resample(bars, "D1", **options)
    assert (days["start"][1:] >= days["end"][:-1]).all()
    (begin,) = utc("2024-03-31T03:00", zone="Europe/Berlin")
    at = days["start"].tolist().index(int(begin.astype(int)))
    assert days["end"][at - 1] == begin


# --- alignment ---


def test_closed_bars_are_known_when_they_are_over() -> None:
    bars = minutes("2024-01-01T00:00", 150)
    hours = ic.resample(bars, "H1", base="M1")
    for base, first in ("M1", 59), (None, 60):
        seen = ic.align(bars, hours, base=base)
        expected = np.full(150, nan)
        expected[first:] = hours["close"][0]
        expected[first + 60 :] = hours["close"][1]
        assert seen["close"].tobytes() == expected.tobytes()
        assert np.flatnonzero(seen["new_bar"]).tolist() == [first, first + 60]
        assert np.isnat(seen["timestamp"][:first]).all()
        assert seen["end"][first] == np.datetime64("2024-01-01T01:00")


def test_strict_and_ages() -> None:
    bars = minutes("2024-01-01T00:00", 150)
    hours = ic.resample(bars, "H1", base="M1")

    def seen(**options: Any) -> list[int]:
        table = ic.align(bars, hours, base="M1", **options)
        return list(np.flatnonzero(~np.isnan(table["close"])))

    assert seen(policy="strict") == [59, 119]
    assert seen(max_age=np.timedelta64(2, "m")) == [59, 60, 61, 119, 120, 121]
    assert seen(max_age=dt.timedelta(minutes=2)) == [59, 60, 61, 119, 120, 121]
    assert seen(max_age=dt.timedelta(0)) == [59, 119]
    assert seen() == list(range(59, 150))
    assert seen(bar="developing", policy="strict") == list(range(150))


def test_a_bar_that_is_too_old_is_not_shown_again() -> None:
    """After a gap, the last closed bar may be older than asked for."""
    bars = minutes("2024-01-01T00:00", 70)
    bars["timestamp"][60:] += DAY
    hours = ic.resample(bars, "H1", base="M1")
    table = ic.align(bars, hours, base="M1", max_age=np.timedelta64(5, "m"))
    assert np.flatnonzero(~np.isnan(table["close"])).tolist() == [59]
    assert np.flatnonzero(table["new_bar"]).tolist() == [59]


@given(feeds(), st.sampled_from(["M5", "H1", "D1", "W1"]))
def test_developing_bars_are_those_of_the_bars_so_far(bars: Table, to: str) -> None:
    hours = ic.resample(bars, to, base="M1")
    table = ic.align(bars, hours, base="M1", bar="developing")
    for row in range(0, len(bars["close"]), 7):
        so_far = {name: column[: row + 1] for name, column in bars.items()}
        last = ic.resample(so_far, to, base="M1")
        same(
            {name: table[name][row : row + 1] for name in FIELDS},
            {name: last[name][-1:] for name in FIELDS},
        )


@given(feeds(), st.sampled_from(["M5", "H1", "D1", "W1"]))
def test_closed_bars_against_pandas(bars: Table, to: str) -> None:
    hours = ic.resample(bars, to, base="M1")
    ends = bars["timestamp"] + np.timedelta64(1, "m")
    right = pd.DataFrame({name: hours[name] for name in ("end", *FIELDS)})
    expected = pd.merge_asof(pd.DataFrame({"end": ends}), right, on="end")
    same(ic.align(bars, hours, base="M1"), {name: expected[name] for name in FIELDS})


@given(feeds(), st.sampled_from([("M5", "H1", "D1"), ("M1", "M15", "W1")]), st.booleans())
def test_a_cache_has_what_the_functions_give(
    bars: Table,
    frames: tuple[str, ...],
    developing: bool,  # noqa: FBT001
) -> None:
    if frames[0] == "M5":
        bars = ic.resample(bars, "M5", base="M1")
    bar: Any = "developing" if developing else "closed"
    cache = ic.IndicatorCache.from_bars(bars, frames, bar=bar)
    assert cache.timeframes == frames
    for to in frames[1:]:
        longer = ic.resample(bars, to, base=frames[0])
        table = ic.align(bars, longer, base=frames[0], bar=bar)
        direct = ic.IndicatorCache({to: {"bid": table}})
        for field in FIELDS:
            expected = direct.sma(to, "bid", field, 1).tobytes()
            assert cache.sma(to, "bid", field, 1).tobytes() == expected
        if not developing:
            # Stepwise is the indicator of the longer bars, at the bars that know them.
            over = {name: column[~longer["partial"]] for name, column in longer.items()}
            steps = ic.ema(over["close"], 3)
            seen = cache.ema_stepwise(to, "bid", "close", 3)
            where = np.flatnonzero(table["new_bar"])
            known = np.searchsorted(over["start"], table["timestamp"][where])
            jumped = len(where) < len(over["close"])
            if not jumped:
                assert seen[where].tobytes() == steps[known].tobytes()


# --- what is refused ---


def bad(name: str, values: Any) -> Table:
    return minutes("2024-01-01", 4) | {name: values}


@pytest.mark.parametrize(
    ("bars", "message"),
    [
        ({"close": [1.0]}, "timestamp: bars: missing; bars need their times"),
        (
            bad("timestamp", np.array([0, 2, 2, 3])),
            "expected increasing times, got 1970-01-01T00:00:00.000000002 at row 2 after 1970-01-",
        ),
        (bad("timestamp", np.array([0, 5, 4, 9])), "at row 2 after 1970-01-01T00:00:00.000000005"),
        (
            bad("timestamp", np.arange(3)),
            "timestamp: bars: expected 4 bars, got shape (3,)",
        ),
        (
            bad("timestamp", np.zeros((4, 1), int)),
            "timestamp: bars: expected 4 bars, got shape (4, 1)",
        ),
        (bad("timestamp", np.arange(4.0)), "or nanoseconds as integers, got an array of float64"),
        (bad("timestamp", list("abcd")), "got an array of <U1"),
        (bad("timestamp", [None] * 4), "expected timestamps, got None at row 0"),
        (
            bad("timestamp", np.array(["2024", "2025", "NaT", "2026"], "M8[s]")),
            "expected times from 1700 to 2200, got NaT at row 2",
        ),
        (
            bad("timestamp", np.array([0, 1, 2, 9000], "M8[Y]")),
            "expected times from 1700 to 2200, got 10970-01-01T00:00:00.000000 at row 3",
        ),
        (
            bad(
                "timestamp",
                [dt.datetime(2024, 1, 1, tzinfo=dt.UTC)] * 2 + [dt.datetime(2024, 1, 2)] * 2,
            ),
            "timestamps with and without a zone, changing at row 2",
        ),
        (bad("close", [1.0]), "close: bars: expected 4 bars"),
        (bad("close", ["a"] * 4), "close: bars: expected real numbers"),
    ],
)
def test_bars_that_are_refused(bars: Table, message: str) -> None:
    with pytest.raises(ic.SchemaError) as caught:
        ic.resample(bars, "H1")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timestamps": "left"}, "timestamps must be 'open' or 'close', got 'left'"),
        ({"labels": None}, "labels must be 'open' or 'close'"),
        ({"naive": "local"}, "naive must be None or 'utc'"),
        ({"zone": "Mars/Olympus"}, "zone must be the name of a time zone"),
        ({"zone": ""}, "zone must be the name of a time zone"),
        ({"zone": 3}, "zone must be the name of a time zone"),
        ({"session": "09:30"}, "session must be two times of the day"),
        ({"session": ("09:30",)}, "session must be two times of the day"),
        ({"session": ("9:30", "16:00")}, "session must be two times of the day"),
        ({"session": ("24:00", "16:00")}, "session must be two times of the day"),
        ({"session": ("09:60", "16:00")}, "session must be two times of the day"),
        ({"session": ("09:30", "24:01")}, "session must be two times of the day"),
        ({"week_start": "mon"}, "week_start must be one of monday, tuesday"),
        ({"base": "1m"}, "base must be a timeframe such as"),
    ],
)
def test_arguments_that_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ic.ParameterError) as caught:
        ic.resample(minutes("2024-01-01", 4), "H1", **options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bar": "open"}, "bar must be 'closed' or 'developing'"),
        ({"policy": "ffill"}, "policy must be 'carry_forward' or 'strict'"),
        ({"max_age": 3}, "max_age must be a timedelta, not negative, or None"),
        ({"max_age": np.timedelta64(-1, "s")}, "max_age must be a timedelta, not negative"),
        ({"max_age": np.timedelta64("NaT", "s")}, "max_age must be a timedelta, not negative"),
    ],
)
def test_alignments_that_are_refused(options: dict[str, Any], message: str) -> None:
    bars = minutes("2024-01-01", 4)
    with pytest.raises(ic.ParameterError) as caught:
        ic.align(bars, ic.resample(bars, "H1"), **options)
    assert message in str(caught.value)


def test_naive_timestamps_have_no_zone() -> None:
    bars = minutes("2024-01-01", 4)
    with pytest.raises(ic.SchemaError, match="naive timestamps, and a time zone is asked for"):
        ic.resample(bars, "D1", zone="Europe/Berlin")
    expected = ic.resample(bars, "D1", zone="Europe/Berlin", naive="utc")
    aware = pd.Series(pd.DatetimeIndex(bars["timestamp"], tz="UTC").tz_convert("Asia/Tokyo"))
    for times in (
        bars["timestamp"].astype(np.int64),
        aware,
        pd.DatetimeIndex(aware),
        aware.to_list(),
        pl.Series(bars["timestamp"]).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo"),
    ):
        given = ic.resample(bars | {"timestamp": times}, "D1", zone="Europe/Berlin")
        assert given["start"].tolist() == expected["start"].tolist()


def test_times_that_are_not_those_of_the_base() -> None:
    bars = minutes("2024-01-01T09:30", 4, 60)
    with pytest.raises(ic.SchemaError) as caught:
        ic.resample(bars, "D1", base="H1")
    assert str(caught.value) == (
        "timestamp: bars: expected opens of bars of the base timeframe in this calendar, got "
        "2024-01-01T09:30 at row 0, in a bar from 2024-01-01T09:00 to 2024-01-01T10:00"
    )
    assert len(ic.resample(bars, "D1", base="H1", session=("09:30", "16:00"))["close"]) == 1
    with pytest.raises(ic.SchemaError, match="expected closes of bars of the base timeframe"):
        ic.resample(bars, "D1", base="H1", timestamps="close")


def test_higher_bars_must_follow_each_other() -> None:
    bars = minutes("2024-01-01", 4)
    hours = ic.resample(minutes("2024-01-01", 180), "H1")
    for name, other in ("start", hours["end"]), ("end", hours["end"] + DAY):
        with pytest.raises(ic.SchemaError, match="higher: expected bars that end after they start"):
            ic.align(bars, hours | {name: other})
    with pytest.raises(ic.SchemaError, match="start: higher: missing"):
        ic.align(bars, {"close": hours["close"]})
