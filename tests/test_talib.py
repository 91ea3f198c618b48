"""TA-Lib as an independent oracle, wherever its definition is this one or can be made to be.

Most differences are in how an average starts. They are removed here in one of two ways: the
package is fed with TA-Lib's start, so that all values coincide; or both run until their starts are
forgotten. What cannot be removed is listed with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pytest
import talib
from talib._ta_lib import MA_Type

import indicator_cache as ic

from .bars import Array, Bars, around, walk, with_gaps

PERIODS = (2, 3, 14, 20, 100)

BARS = 6000

DATA = {
    "walk": walk(BARS, 21),
    "quiet walk": walk(BARS, 22, step=1e-4),
    "1e-8": walk(BARS, 23, start=1e-8),
    "1e9": walk(BARS, 24, start=1e9),
    "steps": around(
        np.repeat(np.random.default_rng(25).integers(90, 110, BARS // 2), 2).astype(np.float64)
    ),
}


class Pair(NamedTuple):
    """What has to be equal, from bar `start` on."""

    mine: Array
    theirs: Array
    start: int = 0
    #: Where results are differences of large numbers: their size.
    scale: float | None = None


def with_start(bars: int, start: int, values: Array) -> Array:
    """NaN, then `values` from bar `start` on."""
    return np.concatenate([np.full(start, np.nan), values])[:bars]


def seeded_ema(x: Array, period: int, first: int = 0) -> Array:
    """The exponential average as TA-Lib starts it: with a plain mean."""
    end = first + period
    return with_start(
        len(x), end - 1, ic.ema(np.concatenate([[x[first:end].mean()], x[end:]]), period)
    )


def sma(bars: Bars, period: int) -> Iterator[Pair]:
    yield Pair(ic.sma(bars["close"], period), talib.SMA(bars["close"], period))


def ema(bars: Bars, period: int) -> Iterator[Pair]:
    close = bars["close"]
    theirs = talib.EMA(close, period)
    yield Pair(seeded_ema(close, period), theirs)
    yield Pair(ic.ema(close, period), theirs, 20 * period)


def roc(bars: Bars, period: int) -> Iterator[Pair]:
    close = bars["close"]
    yield Pair(ic.roc(close, period), talib.ROC(close, period), scale=100.0)


def rsi(bars: Bars, period: int) -> Iterator[Pair]:
    close = bars["close"]
    theirs = talib.RSI(close, period)
    # One rise and one fall from which the two averages stand where TA-Lib's seeds are.
    change = np.diff(close[: period + 1])
    rise = np.maximum(change, 0.0).mean() * period / (period - 1)
    fall = np.maximum(-change, 0.0).mean() * period
    began = np.concatenate([[0.0, rise], rise - fall + (close[period:] - close[period])])
    yield Pair(with_start(len(close), period, ic.rsi(began, period)[2:]), theirs)
    yield Pair(ic.rsi(close, period), theirs, 40 * period)


def macd(bars: Bars, period: int) -> Iterator[Pair]:
    close = bars["close"]
    fast, slow, signal = period, 2 * period + 1, max(2, period // 2)
    theirs = talib.MACD(close, fast, slow, signal)
    start, scale = slow + signal - 2, float(np.abs(close).max())
    # Both averages start at the same bar, so that the fast one leaves out the first prices.
    difference = seeded_ema(close, fast, slow - fast) - seeded_ema(close, slow)
    average = seeded_ema(difference, signal, slow - 1)
    own = difference, average, difference - average
    for mine, its in zip(own, theirs, strict=True):
        yield Pair(mine, its, start, scale)
    for mine, its in zip(ic.macd(close, fast, slow, signal), theirs, strict=True):
        yield Pair(mine, its, 25 * slow, scale)


def bollinger(bars: Bars, period: int) -> Iterator[Pair]:
    close = bars["close"]
    theirs = talib.BBANDS(close, period, 2.0, 2.0, MA_Type.SMA)
    mine = ic.bollinger(close, period, 2.0 * np.sqrt((period - 1) / period))
    for own, its in zip(mine, theirs, strict=True):
        yield Pair(own, its)


def true_range(bars: Bars, _: int) -> Iterator[Pair]:
    columns = bars["high"], bars["low"], bars["close"]
    yield Pair(ic.true_range(*columns), talib.TRANGE(*columns), 1)


def atr(bars: Bars, period: int) -> Iterator[Pair]:
    high, low, close = bars["high"], bars["low"], bars["close"]
    # The first bar has a close only, so the first range is that of the second bar, as in TA-Lib.
    first = np.arange(len(close)) == 0
    mine = ic.atr(np.where(first, np.nan, high), np.where(first, np.nan, low), close, period)
    yield Pair(mine, talib.ATR(high, low, close, period))


def dmi(bars: Bars, period: int) -> Iterator[Pair]:
    columns = bars["high"], bars["low"], bars["close"]
    theirs = (f(*columns, period) for f in (talib.PLUS_DI, talib.MINUS_DI, talib.ADX))
    for mine, its in zip(ic.dmi(*columns, period), theirs, strict=True):
        yield Pair(mine, its, 50 * period, 100.0)


COMPARED: dict[str, Callable[[Bars, int], Iterator[Pair]]] = {
    compare.__name__: compare
    for compare in (sma, ema, roc, rsi, macd, bollinger, true_range, atr, dmi)
}

#: How its definition differs, where it does. Both mean the same thing by the same name.
DIFFERENCES = {
    "sma": "None where no bar is missing.",
    "ema": "Starts at bar period - 1 with the mean of the first prices; here with the first price.",
    "roc": "Gives 0 where the older price is 0; here IEEE division decides.",
    "rsi": "Starts at bar period with the mean of the first changes; here with the first change.",
    "macd": "Averages start at bar slow - 1 with means, the signal with a mean of differences.",
    "bollinger": "The deviation divides by period; here by period - 1.",
    "true_range": "No value at bar 0; here high - low.",
    "atr": "The mean that it starts with leaves out bar 0.",
    "dmi": "Starts with sums over the first movements, adx with a mean.",
}

#: Indicators that TA-Lib does not have.
MISSING = {
    "zscore": "Only its parts: SMA, and STDDEV, whose running sums cancel.",
    "choppiness": "Not there.",
    "garch_volatility": "No model of volatility.",
    "kalman_garch_zscore": "No filter of this kind, no model of volatility.",
    "kalman_mean": "No filter of this kind.",
    "kalman_zscore": "No filter of this kind.",
    "residual_zscore": "Only its parts, as with zscore.",
}

every_comparison = pytest.mark.parametrize("name", COMPARED)


def test_every_indicator_is_compared_or_excused() -> None:
    for name in ic.catalog():
        assert (name in COMPARED) != (name in MISSING), (
            f"{name}: compare it with TA-Lib in tests/test_talib.py, or say there why not"
        )
    assert COMPARED.keys() == DIFFERENCES.keys()


@every_comparison
@pytest.mark.parametrize("data", DATA)
def test_values(name: str, data: str) -> None:
    for period in PERIODS:
        for pair in COMPARED[name](DATA[data], period):
            mine, theirs = pair.mine[pair.start :], pair.theirs[pair.start :]
            assert np.array_equal(np.isnan(mine), np.isnan(theirs)), period
            scale = np.abs(theirs) if pair.scale is None else pair.scale
            present = ~np.isnan(mine)
            error = np.abs(mine - theirs)[present]
            assert (error <= 1e-9 * np.broadcast_to(scale, mine.shape)[present]).all(), period


# --- the differences, so that what is written about them stays true ---


def first_value(x: Array) -> int:
    return int(np.flatnonzero(~np.isnan(x))[0])


def test_first_values() -> None:
    bars = DATA["walk"]
    close, columns = bars["close"], (bars["high"], bars["low"], bars["close"])
    assert first_value(talib.EMA(close, 14)) == 13
    assert first_value(talib.RSI(close, 14)) == 14
    assert first_value(talib.MACD(close, 12, 26, 9)[0]) == 33
    assert first_value(talib.TRANGE(*columns)) == 1
    assert first_value(talib.ATR(*columns, 14)) == 14
    assert first_value(talib.PLUS_DI(*columns, 14)) == 14
    assert first_value(talib.ADX(*columns, 14)) == 27


def test_missing_bars_end_its_averages() -> None:
    close = with_gaps(300, 1)["close"]
    last = np.flatnonzero(~np.isnan(close))[-1]
    assert np.isnan(talib.EMA(close, 5)[last])
    assert not np.isnan(ic.ema(close, 5)[last])


def test_no_change_is_zero_to_it() -> None:
    flat = np.full(50, 97.3)
    assert talib.RSI(flat, 14)[-1] == 0.0
    assert np.isnan(ic.rsi(flat, 14)).all()
    assert talib.ADX(flat, flat, flat, 14)[-1] == 0.0
    assert np.isnan(ic.dmi(flat, flat, flat, 14).adx).all()


def test_older_price_of_zero() -> None:
    x = np.array([0.0, 1.0])
    assert talib.ROC(x, 1)[-1] == 0.0
    assert ic.roc(x, 1)[-1] == np.inf


def test_it_does_not_forget_an_outlier() -> None:
    x = np.full(100, 1.1)
    x[10] = 1e12
    assert talib.SMA(x, 20)[-1] != 1.1
    assert ic.sma(x, 20)[-1] == 1.1
