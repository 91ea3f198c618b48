"""What type checkers make of the public surface; ``mypy --strict`` reads this file."""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl

import indicator_cache as ic

FloatArray = npt.NDArray[np.float64]


def test_cache() -> None:
    table = {name: [1.0, 2.0, 3.0] for name in ("open", "high", "low", "close", "volume")}
    cache = ic.IndicatorCache({"M1": {"bid": table}})
    assert_type(cache.ema("M1", "bid"), FloatArray)
    assert_type(cache.ema("M1", "bid", "close", 20), FloatArray)
    assert_type(cache.ema("M1", "bid", "close", 20, None), FloatArray)
    assert_type(cache.ema("M1", "bid", period=20, i=None), FloatArray)
    assert_type(cache.ema("M1", "bid", "close", 20, 5), float)
    assert_type(cache.ema("M1", "bid", i=-1), float)
    assert_type(cache.ema("M1", "bid", period=5, i=-1), float)
    assert_type(cache.true_range("M1", "bid"), FloatArray)
    assert_type(cache.true_range("M1", "bid", 5), float)
    assert_type(cache.true_range("M1", "bid", i=5), float)
    assert_type(cache.atr("M1", "bid", 14), FloatArray)
    assert_type(cache.atr("M1", "bid", 14, 5), float)

    assert_type(cache.macd("M1", "bid"), ic.MacdResult[FloatArray])
    assert_type(cache.macd("M1", "bid", "close", 12, 26, 9, 5), ic.MacdResult[float])
    assert_type(cache.macd("M1", "bid", i=5).histogram, float)
    assert_type(cache.bollinger("M1", "bid").upper, FloatArray)
    assert_type(cache.bollinger("M1", "bid", "close", 20, 2.0, 5), ic.BollingerResult[float])
    assert_type(cache.dmi("M1", "bid", 14), ic.DmiResult[FloatArray])
    assert_type(cache.dmi("M1", "bid", i=5).adx, float)
    upper, middle, lower = cache.bollinger("M1", "bid")
    assert_type((upper, middle, lower), tuple[FloatArray, FloatArray, FloatArray])


def test_view() -> None:
    cache = ic.IndicatorCache({"M1": {"bid": [{"open": 1, "high": 1, "low": 1, "close": 1}]}})
    view = cache.view("M1", "bid", stepwise=True)
    assert_type(view, ic.SeriesView)
    assert_type(view.sma("close", 20), FloatArray)
    assert_type(view.sma("close", 20, 5), float)
    assert_type(view.sma(i=5), float)
    assert_type(view.dmi(), ic.DmiResult[FloatArray])
    assert_type(view.dmi(14, 5), ic.DmiResult[float])
    assert_type(view.true_range(5), float)


def test_stepwise() -> None:
    cache = ic.IndicatorCache({"M1": {"bid": {"close": [1.0], "timestamp": [1]}}})
    assert_type(cache.ema_stepwise("M1", "bid", "close", 20), FloatArray)
    assert_type(cache.ema_stepwise("M1", "bid", "close", 20, 5), float)
    assert_type(cache.bollinger_stepwise("M1", "bid"), ic.BollingerResult[FloatArray])
    assert_type(cache.bollinger_stepwise("M1", "bid", i=0), ic.BollingerResult[float])


def test_functions() -> None:
    x = np.arange(5.0)
    assert_type(ic.ema(x), FloatArray)
    assert_type(ic.ema([1, 2.5]), FloatArray)
    assert_type(ic.atr(x, x, x, period=2), FloatArray)
    assert_type(ic.macd(x), ic.MacdResult[FloatArray])
    assert_type(ic.bollinger(x, 2, 1.5).middle, FloatArray)


def test_functions_of_series() -> None:
    pandas, polars = pd.Series([1.0, 2.0]), pl.Series([1.0, 2.0])
    assert_type(ic.ema(pandas), "pd.Series[float]")
    assert_type(ic.ema(polars), pl.Series)
    assert_type(ic.atr(polars, polars, polars, period=2), pl.Series)
    assert_type(ic.macd(polars), ic.MacdResult[pl.Series])


def test_missing() -> None:
    policy: ic.MissingPolicy = "skip"
    assert_type(ic.ema([1.0], missing=policy), FloatArray)
    assert_type(ic.ema(pl.Series([1.0]), missing="propagate"), pl.Series)
    cache = ic.IndicatorCache({"M1": {"bid": {"close": [1.0], "new_bar": [True]}}}, missing="skip")
    assert_type(cache.ema("M1", "bid", missing=policy), FloatArray)
    assert_type(cache.ema("M1", "bid", "close", 20, missing=None), FloatArray)
    assert_type(cache.ema("M1", "bid", "close", 20, 0, missing="skip"), float)
    assert_type(cache.ema("M1", "bid", i=0, missing="skip"), float)
    assert_type(cache.ema_stepwise("M1", "bid", i=0, missing="skip"), float)
    view = cache.view("M1", "bid", missing="raise")
    assert_type(view.macd(missing="default"), ic.MacdResult[FloatArray])
    assert_type(view.quality("macd"), npt.NDArray[np.uint8])
    assert_type(ic.stream("ema", missing=policy).missing, ic.MissingPolicy)
    assert_type(ic.Quality(1), ic.Quality)


def test_table() -> None:
    cache = ic.IndicatorCache({"M1": {"bid": pl.DataFrame({"close": [1.0]})}})
    table = cache.table("M1", "bid", ["ema:20", "macd"])
    assert_type(table, ic.IndicatorTable)
    assert_type(table.columns["ema_20"], FloatArray)
    assert_type(table.names, list[str])


def test_the_rest() -> None:
    cache = ic.IndicatorCache({}, max_bytes=10, backend="python")
    assert_type(cache.stats(), ic.CacheStats)
    assert_type(cache.stats().max_bytes, int | None)
    assert_type(len(cache), int)
    assert_type(ic.catalog()["ema"], ic.IndicatorSpec)
    assert_type(ic.catalog()["ema"].first_valid(period=3), dict[str, int])
    with ic.use_backend("python") as backend:
        assert_type(backend, ic.backends.Backend)
        assert_type(ic.backend_info(), ic.BackendInfo)
    error = ic.ParameterError("period", 0, "positive")
    assert_type(error.parameter, str)
    assert isinstance(error, ValueError)


def test_sweeps() -> None:
    planned = ic.sweep({"close": [1.0, 2.0]}, {"ema": {"period": range(1, 3)}}, sources=["close"])
    assert_type(planned, ic.Sweep)
    assert_type(len(planned), int)
    for one in planned:
        assert_type(one, ic.SweepResult)
        assert_type(one.name, str)
        assert_type(one.columns, dict[str, FloatArray])
    ic.sweep({"close": [1.0]}, {"rsi": [{"period": period} for period in (1, 2)]}, progress=False)
    error = ic.PlanError((ic.RequestError("what"),))
    assert_type(error.problems, tuple[ic.errors.IndicatorCacheError, ...])


def test_timeframes() -> None:
    bars = {"timestamp": np.arange(3) * 60 * 10**9, "close": [1.0, 2.0, 3.0]}
    hours = ic.resample(bars, "H1", base="M1", timestamps="open", labels="close")
    assert_type(hours, dict[str, npt.NDArray[Any]])
    seen = ic.align(bars, hours, base="M1", bar="developing", policy="strict")
    assert_type(seen, dict[str, npt.NDArray[Any]])
    cache = ic.IndicatorCache.from_bars(bars, ["M1", "H1"], bar="closed")
    assert_type(cache, ic.IndicatorCache)
