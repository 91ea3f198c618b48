"""Results computed before anybody asks, by several threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import indicator_cache as ic

from .bars import as_columns, walk

BARS = {tf: {pt: walk(700, seed) for pt in ("bid", "ask")} for seed, tf in enumerate(("M1", "H1"))}
ASKED = ["ema:20", "ema:9@high", "macd", "atr:14", "dmi", "bollinger:20,2.5", "ema:20"]


@pytest.mark.parametrize("threads", [1, 2, 8, None])
def test_the_same_bits_as_when_asked_for(backend: str, threads: int | None) -> None:
    cache = ic.IndicatorCache(BARS, backend=backend)
    cache.prefetch(ASKED, threads=threads)
    stats = cache.stats()
    assert (stats.misses, stats.entries) == (4 * 6, 4 * 6)
    fresh = ic.IndicatorCache(BARS, backend=backend)
    for tf, pt in (("M1", "bid"), ("H1", "ask")):
        for found, expected in (
            (cache.ema(tf, pt, "high", 9), fresh.ema(tf, pt, "high", 9)),
            (cache.dmi(tf, pt), fresh.dmi(tf, pt)),
            (cache.bollinger(tf, pt, "close", 20, 2.5), fresh.bollinger(tf, pt, "close", 20, 2.5)),
        ):
            for name, column in as_columns(expected).items():
                assert as_columns(found)[name].tobytes() == column.tobytes()
    assert cache.stats().misses == stats.misses


def test_some_series_only() -> None:
    cache = ic.IndicatorCache(BARS)
    cache.prefetch("sma:5", series=[("H1", "bid")])
    assert cache.stats().entries == 1
    cache.sma("H1", "bid", "close", 5)
    assert cache.stats().misses == 1


def test_stepwise() -> None:
    close = np.repeat(walk(50, 3)["close"], 4)
    bars = {"close": close, "new_bar": np.arange(200) % 4 == 0}
    cache = ic.IndicatorCache({"H1": {"bid": bars}})
    cache.prefetch(["ema:20"], stepwise=True, threads=2)
    cache.view("H1", "bid", stepwise=True).ema("close", 20)
    assert cache.stats().misses == 1


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"indicators": ["ema:20", "hull", "sma:0"]}, ic.RequestError, "'hull'.*'sma:0'"),
        ({"series": [("M1", "bid"), ("D1", "bid")]}, ic.UnknownSeriesError, "'D1'"),
        ({"series": ["M1"]}, ic.ParameterError, "pairs of timeframe and price type"),
        ({"threads": 0}, ic.ParameterError, "a whole number above zero, or None"),
        ({"threads": True}, ic.ParameterError, "a whole number above zero, or None"),
        ({"threads": 2.0}, ic.ParameterError, "a whole number above zero, or None"),
    ],
)
def test_nothing_is_computed_where_something_is_wrong(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    cache = ic.IndicatorCache(BARS)
    with pytest.raises(error, match=words):
        cache.prefetch(**{"indicators": ["ema:20"], "threads": 2, **arguments})
    assert cache.stats().misses == 0


def test_a_missing_column_is_an_error_of_the_one_who_asks() -> None:
    cache = ic.IndicatorCache({"M1": {"bid": {"close": [1.0, 2.0, 3.0]}}})
    with pytest.raises(ic.SchemaError, match="high"):
        cache.prefetch(["ema:2", "atr:2"], threads=2)
