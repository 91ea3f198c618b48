"""What the indicators should be, in pandas and plain loops, one function for each.

Written from the definitions alone, for clarity, not for speed. Each takes its columns and
parameters as the package's functions do, and returns arrays as a tuple, in the order of outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from .bars import Array

Column: TypeAlias = "pd.Series[float]"


def rolling_two_pass(x: Array, period: int) -> tuple[Array, Array]:
    """Mean and sample deviation of each window on its own, in extended precision.

    The running sums of pandas are not good to nine digits on all data, and never for few bars.
    """
    mean, std = np.full(len(x), np.nan), np.full(len(x), np.nan)
    if len(x) >= period:
        windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.longdouble), period)
        average = windows.sum(axis=1) / period
        mean[period - 1 :] = average
        if period > 1:
            squares = ((windows - average[:, None]) ** 2).sum(axis=1)
            std[period - 1 :] = np.sqrt(squares / (period - 1))
    return mean, std


def ewm_loop(x: Array, alpha: float) -> Array:
    """The exponentially weighted mean by its definition, gaps included."""
    y, weight = math.nan, 1.0
    out = np.empty(len(x))
    for t, value in enumerate(x.tolist()):
        weight *= 1.0 - alpha
        if not math.isnan(value):
            y = value if math.isnan(y) else (weight * y + alpha * value) / (weight + alpha)
        if math.isnan(y) or not math.isnan(value):
            weight = 1.0
        out[t] = y
    return out


def ewm(x: Column, alpha: float) -> Column:
    if alpha == 0.5:
        # After a gap, pandas weighs this one alpha as if times were irregular. Not copied.
        return pd.Series(ewm_loop(np.asarray(x, np.float64), alpha))
    return x.ewm(alpha=alpha, adjust=False, ignore_na=False).mean()


def ema(x: Column, period: int) -> tuple[Column, ...]:
    return (ewm(x, 2 / (period + 1)),)


def sma(x: Column, period: int) -> tuple[Column, ...]:
    return (x.rolling(period).mean(),)


def rsi(x: Column, period: int) -> tuple[Column, ...]:
    d = x.diff()
    gain = ewm(d.clip(lower=0), 1 / period)
    loss = ewm((-d).clip(lower=0), 1 / period)
    return (100 - 100 / (1 + gain / loss),)


def macd(x: Column, fast: int, slow: int, signal: int) -> tuple[Column, ...]:
    macd = ema(x, fast)[0] - ema(x, slow)[0]
    average = ema(macd, signal)[0]
    return macd, average, macd - average


def roc(x: Column, period: int) -> tuple[Column, ...]:
    before = x.shift(period)
    return ((x - before) / before * 100,)


def true_range(h: Column, l: Column, c: Column) -> tuple[Column, ...]:  # noqa: E741
    before = c.shift(1)
    three = pd.concat([h - l, (h - before).abs(), (l - before).abs()], axis=1)
    return (three.max(axis=1, skipna=True),)


def atr(h: Column, l: Column, c: Column, period: int) -> tuple[Column, ...]:  # noqa: E741
    ranges = true_range(h, l, c)[0].to_numpy()
    out = np.full(len(ranges), np.nan)
    present = np.flatnonzero(~np.isnan(ranges))
    if len(present):
        first = present[0]
        seed = ranges[first : first + period]
        if len(seed) == period and np.isfinite(seed).all():
            y = out[first + period - 1] = seed.mean()
            for t in range(first + period, len(ranges)):
                if not np.isnan(ranges[t]):
                    y = (y * (period - 1) + ranges[t]) / period
                out[t] = y
    return (pd.Series(out),)


def choppiness(h: Column, l: Column, c: Column, period: int) -> tuple[Column, ...]:  # noqa: E741
    ranges = np.asarray(true_range(h, l, c)[0], np.float64)
    # Not the running sum of pandas, which remembers spikes.
    way = rolling_two_pass(ranges, period)[0] * period
    distance = h.rolling(period).max() - l.rolling(period).min()
    ratio = way / distance.where(distance != 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (pd.Series(100 * np.log10(ratio) / math.log10(period)),)


def dmi(h: Column, l: Column, c: Column, period: int) -> tuple[Column, ...]:  # noqa: E741
    up, down = h.diff(), -l.diff()
    plus_dm = up.where((up > down) & (up > 0), 0.0)
    minus_dm = down.where((down > up) & (down > 0), 0.0)
    average = ewm(true_range(h, l, c)[0], 1 / period)
    plus = 100 * ewm(plus_dm, 1 / period) / average
    minus = 100 * ewm(minus_dm, 1 / period) / average
    dx = 100 * (plus - minus).abs() / (plus + minus)
    return plus, minus, ewm(dx, 1 / period)


def bollinger(x: Column, period: int, std_factor: float) -> tuple[Column, ...]:
    middle = sma(x, period)[0]
    width = std_factor * x.rolling(period).std(ddof=1)
    return middle + width, middle, middle - width


def zscore(x: Column, window: int) -> tuple[Column, ...]:
    mean, std = rolling_two_pass(np.asarray(x, np.float64), window)
    return ((x - mean) / std,)


def kalman_mean(x: Column, R: float, Q: float) -> tuple[Column, ...]:  # noqa: N803
    out = []
    estimate = variance = math.nan
    for value in x.tolist():
        if math.isnan(value):
            variance += Q
            out.append(value)
            continue
        if math.isnan(estimate):
            estimate, variance = value, R
        else:
            predicted = variance + Q
            gain = predicted / (predicted + R)
            estimate += gain * (value - estimate)
            variance = (1 - gain) * predicted
        out.append(estimate)
    return (pd.Series(out, dtype=np.float64),)


def garch_volatility(
    x: Column,
    alpha: float,
    beta: float,
    omega: float | None,
    use_log_returns: bool,  # noqa: FBT001 - as it is declared
    scale: float,
    min_periods: int,
    sigma_floor: float,
) -> tuple[Column, ...]:
    ratio = x / x.shift(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        returns = scale * (np.log(ratio) if use_log_returns else ratio - 1)
    if omega is None:
        omega = 1e-6 * max(1e-6, 1 - alpha - beta)
    out = np.full(len(x), np.nan)
    finite = np.flatnonzero(np.isfinite(returns))
    if len(finite):
        first = finite[0]
        mu = returns[first]
        v, e2 = max(1e-6, sigma_floor**2), 0.0
        for t in range(first, len(x)):
            r = float(returns[t])
            if t > first and math.isfinite(r):
                v = max(omega + alpha * e2 + beta * v, sigma_floor**2)
                e2 = (r - mu) ** 2
            if t >= first + min_periods:
                out[t] = math.sqrt(v) / scale
    return (pd.Series(out),)


def own_score(e: Column, window: int) -> tuple[Column, ...]:
    return (e / rolling_two_pass(np.asarray(e, np.float64), window)[1],)


def residual_zscore(
    x: Column, window: int, mean_source: str, ema_period: int | None
) -> tuple[Column, ...]:
    if mean_source == "ema":
        return own_score(x - ema(x, ema_period or window)[0], window)
    mean, _ = rolling_two_pass(np.asarray(x, np.float64), window)
    return own_score(x - mean, window)


def kalman_zscore(x: Column, window: int, R: float, Q: float) -> tuple[Column, ...]:  # noqa: N803
    return own_score(x - kalman_mean(x, R, Q)[0], window)


def kalman_garch_zscore(
    x: Column,
    R: float,  # noqa: N803
    Q: float,  # noqa: N803
    *garch: Any,  # noqa: ANN401 - the parameters there
    **named: Any,  # noqa: ANN401
) -> tuple[Column, ...]:
    unit = x.abs() * garch_volatility(x, *garch, **named)[0]
    return ((x - kalman_mean(x, R, Q)[0]) / unit.where(unit != 0),)


#: Every oracle by the indicator's name.
ORACLES: dict[str, Callable[..., tuple[Column, ...]]] = {
    oracle.__name__: oracle
    for oracle in (
        ema,
        sma,
        rsi,
        macd,
        roc,
        true_range,
        atr,
        dmi,
        bollinger,
        zscore,
        kalman_mean,
        garch_volatility,
        choppiness,
        residual_zscore,
        kalman_zscore,
        kalman_garch_zscore,
    )
}


def stepwise(
    oracle: Callable[..., tuple[Column, ...]],
    columns: list[Array],
    starts: list[int],
    *params: float,
) -> list[Array]:
    """An indicator over the bars where candles begin, carried forward over the rest."""
    series = [pd.Series(column)[starts].reset_index(drop=True) for column in columns]
    results = []
    for steps in oracle(*series, *params):
        # Not ffill: a missing result is carried forward too.
        at = np.searchsorted(starts, np.arange(len(columns[0])), side="right") - 1
        column = np.full(len(at), np.nan)
        column[at >= 0] = steps.to_numpy()[at[at >= 0]]
        results.append(column)
    return results
