"""Caches over timeframes made from the shortest: no look-ahead, and growth like a new cache."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import indicator_cache as ic

from .bars import FIELDS, as_columns, bits
from .strategies import KINDS

NAMES = tuple(ic.catalog())
nan = np.nan

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
