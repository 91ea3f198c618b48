"""The surface of the original, beside its formulas."""

from __future__ import annotations

import gc
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import indicator_cache as ic
from indicator_cache.pandas import (
    IndicatorCache,
    clear_indicator_cache_pool,
    get_cached_indicator_cache,
    indicator_cache_pool_size,
)

from .bars import FIELDS, walk
from .oracles import ORACLES

BARS = 600
GAPS = (0, 1, 50, 51, 52, 300, 599)


def candles(seed: int = 1, kind: Callable[..., Any] = dict) -> list[Any]:
    columns = walk(BARS, seed)
    rows = zip(*(columns[name].tolist() for name in FIELDS), strict=True)
    made: list[Any] = [kind(**dict(zip(FIELDS, row, strict=True))) for row in rows]
    for bar in GAPS:
        made[bar] = None
    return made


def frame(made: list[Any]) -> pd.DataFrame:
    rows = [
        [np.nan] * 5
        if c is None
        else [c[name] if isinstance(c, dict) else getattr(c, name) for name in FIELDS]
        for c in made
    ]
    return pd.DataFrame(rows, columns=list(FIELDS), dtype=np.float64)


GARCH = (0.05, 0.90, None, True, 100.0, 50, 1e-6)

#: Method, its arguments, the indicator, all of its parameters, the outputs that the method gives.
CALLS: list[tuple[str, tuple[Any, ...], str, tuple[Any, ...], int]] = [
    ("ema", (20,), "ema", (20,), 1),
    ("sma", (20,), "sma", (20,), 1),
    ("rsi", (), "rsi", (14,), 1),
    ("rsi", (7,), "rsi", (7,), 1),
    ("roc", (), "roc", (14,), 1),
    ("choppiness", (), "choppiness", (14,), 1),
    ("macd", (), "macd", (12, 26, 9), 2),
    ("dmi", (), "dmi", (14,), 3),
    ("bollinger", (), "bollinger", (20, 2.0), 3),
    ("bollinger", (10, 1.5), "bollinger", (10, 1.5), 3),
    ("zscore", (30,), "residual_zscore", (30, "rolling", None), 1),
    ("zscore", (30, "ema", 10), "residual_zscore", (30, "ema", 10), 1),
    ("kalman_mean", (), "kalman_mean", (0.01, 1.0), 1),
    ("kalman_zscore", (30,), "kalman_zscore", (30, 0.01, 1.0), 1),
    ("garch_volatility", (), "garch_volatility", GARCH, 1),
    ("kalman_garch_zscore", (), "kalman_garch_zscore", (0.01, 1.0, *GARCH), 1),
]


@pytest.mark.parametrize("kind", [dict, SimpleNamespace])
@pytest.mark.parametrize(("method", "arguments", "name", "params", "outputs"), CALLS)
def test_formula(
    method: str,
    arguments: tuple[Any, ...],
    name: str,
    params: tuple[Any, ...],
    outputs: int,
    kind: Callable[..., Any],
) -> None:
    made = candles(kind=kind)
    bars = frame(made)
    inputs = ic.catalog()[name].inputs
    columns = [bars["close"]] if inputs == ("x",) else [bars[field] for field in inputs]
    expected = ORACLES[name](*columns, *params)[:outputs]
    cache = IndicatorCache({"M1": {"bid": made}})
    found = getattr(cache, method)("M1", "bid", *arguments)
    if outputs == 1:
        found = (found,)
    assert len(found) == outputs
    for series, formula in zip(found, expected, strict=True):
        pd.testing.assert_series_equal(series, formula, rtol=1e-9, atol=0, check_names=False)
        assert isinstance(series.index, pd.RangeIndex)
    again = getattr(cache, method)("M1", "bid", *arguments)
    assert (again if outputs == 1 else again[0]) is found[0]


def test_atr() -> None:
    """Whose seed needs its ranges in a row."""
    made = candles()[2:40]
    bars = frame(made)
    (expected,) = ORACLES["atr"](bars["high"], bars["low"], bars["close"], 14)
    found = IndicatorCache({"M1": {"bid": made}}).atr("M1", "bid")
    pd.testing.assert_series_equal(found, expected, rtol=1e-9, atol=0, check_names=False)
    assert found.notna().sum() == 38 - 13


def test_stepwise() -> None:
    """A candle that is repeated, and missing in between, is one candle."""
    longer = [candle for candle in candles(2) if candle is not None][:40]
    made: list[Any] = [None] + [candle for candle in longer for _ in range(5)]
    made[22] = None
    bars = frame(made)
    starts = [1 + 5 * number for number in range(40)]
    cache = IndicatorCache({"H1": {"ask": made}})
    for found, name, params in (
        ((cache.ema_stepwise("H1", "ask", 9),), "ema", (9,)),
        (cache.bollinger_stepwise("H1", "ask", 9), "bollinger", (9, 2.0)),
        ((cache.kalman_zscore_stepwise("H1", "ask", 9),), "kalman_zscore", (9, 0.01, 1.0)),
    ):
        expected = ORACLES[name](bars["close"].iloc[starts].reset_index(drop=True), *params)
        for series, formula in zip(found, expected, strict=True):
            carried = np.full(len(made), np.nan)
            carried[1:] = np.repeat(formula.to_numpy(), 5)
            np.testing.assert_allclose(series, carried, rtol=1e-9)


def test_local() -> None:
    made = candles()
    cache = IndicatorCache({"M1": {"bid": made}})
    for idx in (100, 450, 598, 10_000):
        end = min(idx, BARS - 1) + 1
        window = frame(made)["close"].iloc[max(0, end - 400) : end].reset_index(drop=True)
        (expected,) = ORACLES["garch_volatility"](window, *GARCH)
        found = cache.garch_volatility_local("M1", "bid", idx)
        pd.testing.assert_series_equal(found, expected, rtol=1e-9, atol=0, check_names=False)
        assert cache.vol_cluster_series("M1", "bid", idx, "garch", 14, 400).equals(found)
        score = cache.kalman_garch_zscore_local("M1", "bid", idx)
        if idx >= BARS:
            assert score is None
        else:
            (scores,) = ORACLES["kalman_garch_zscore"](window, 0.01, 1.0, *GARCH)
            assert score == pytest.approx(scores.iloc[-1], rel=1e-9)
    assert cache.kalman_garch_zscore_local("M1", "bid", BARS - 1) is None  # a missing bar
    atr = cache.vol_cluster_series("M1", "bid", 0, "atr_points", 14, 400)
    assert atr is cache.atr("M1", "bid")


def test_where_the_original_gives_nothing() -> None:
    cache = IndicatorCache({"M1": {"bid": candles(), "ask": []}})
    for tf, price_type in (("M1", "ask"), ("M1", "mid"), ("H9", "bid")):
        assert len(cache.ema(tf, price_type, 20)) == 0
        assert cache.ema(tf, price_type, 20).dtype == np.float64
        assert [len(series) for series in cache.dmi(tf, price_type)] == [0, 0, 0]
        assert len(cache.get_closes(tf, price_type)) == len(cache.get_df(tf, price_type)) == 0
        assert len(cache.garch_volatility_local(tf, price_type, 5)) == 0
        assert cache.kalman_garch_zscore_local(tf, price_type, 5) is None
    with pytest.raises(ValueError, match="period must be a whole number"):
        cache.ema("M1", "bid", 0)
    for series in (
        cache.atr("M1", "bid", 0),
        cache.garch_volatility("M1", "bid", alpha=0.5, beta=0.5),
        cache.kalman_garch_zscore("M1", "bid", alpha=0.2, beta=0.9),
    ):
        assert len(series) == BARS
        assert series.isna().all()
    assert len(cache.garch_volatility_local("M1", "bid", 500, alpha=0.5, beta=0.5)) == 0
    assert cache.kalman_garch_zscore_local("M1", "bid", 500, alpha=0.5, beta=0.5) is None


def test_bars() -> None:
    made = candles()
    del made[7]["volume"]
    made[8]["high"] = None
    cache = IndicatorCache({"M1": {"bid": made}})
    expected = frame([c if c is None else {name: c.get(name) for name in FIELDS} for c in made])
    pd.testing.assert_frame_equal(cache.get_df("M1"), expected)
    closes = cache.get_closes("M1")
    pd.testing.assert_series_equal(closes, expected["close"], check_names=False)
    assert cache.at(closes, 2) == expected["close"][2]
    assert [cache.at(closes, index) for index in (0, BARS, -1)] == [None, None, None]
    assert cache.at(None, 0) is None
    with pytest.raises(ValueError, match="read-only"):
        closes.to_numpy()[3] = 1.0


def test_a_field_that_is_no_number() -> None:
    cache = IndicatorCache({"M1": {"bid": [{"close": 1.0}, {"close": "2"}]}})
    with pytest.raises(ic.SchemaError, match="candle at bar 1 has '2' where a number or None"):
        cache.ema("M1", "bid", 2)


def test_pool() -> None:
    clear_indicator_cache_pool()
    bid, ask = candles(3), candles(4)
    first = get_cached_indicator_cache({"M1": {"bid": bid, "ask": ask}})
    assert get_cached_indicator_cache({"M1": {"ask": ask, "bid": bid}}) is first
    assert indicator_cache_pool_size() == 1
    bid.append(bid[2])
    longer = get_cached_indicator_cache({"M1": {"bid": bid, "ask": ask}})
    assert longer is not first
    assert (len(first.ema("M1", "bid", 3)), len(longer.ema("M1", "bid", 3))) == (BARS, BARS + 1)
    assert get_cached_indicator_cache({"M1": {"bid": list(bid), "ask": ask}}) is not longer
    del first, longer
    gc.collect()
    assert indicator_cache_pool_size() == 0
    kept = get_cached_indicator_cache({"M1": {"bid": bid}})
    clear_indicator_cache_pool()
    assert indicator_cache_pool_size() == 0
    assert len(kept.sma("M1", "bid", 3)) == BARS + 1
