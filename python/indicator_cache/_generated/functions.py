"""Made from the kernels' declarations, not to be edited: `make generate`."""

from __future__ import annotations

from typing import Any, Literal

from .._compute import compute
from .._missing import MissingPolicy
from .catalog import BY_NAME
from .results import BollingerResult, DmiResult, MacdResult

__all__ = ["atr", "bollinger", "choppiness", "dmi", "ema", "garch_volatility", "kalman_garch_zscore", "kalman_mean", "kalman_zscore", "macd", "residual_zscore", "roc", "rsi", "sma", "true_range", "zscore"]

_ATR = BY_NAME["atr"]
_BOLLINGER = BY_NAME["bollinger"]
_CHOPPINESS = BY_NAME["choppiness"]
_DMI = BY_NAME["dmi"]
_EMA = BY_NAME["ema"]
_GARCH_VOLATILITY = BY_NAME["garch_volatility"]
_KALMAN_GARCH_ZSCORE = BY_NAME["kalman_garch_zscore"]
_KALMAN_MEAN = BY_NAME["kalman_mean"]
_KALMAN_ZSCORE = BY_NAME["kalman_zscore"]
_MACD = BY_NAME["macd"]
_RESIDUAL_ZSCORE = BY_NAME["residual_zscore"]
_ROC = BY_NAME["roc"]
_RSI = BY_NAME["rsi"]
_SMA = BY_NAME["sma"]
_TRUE_RANGE = BY_NAME["true_range"]
_ZSCORE = BY_NAME["zscore"]


def atr(high: Any, low: Any, close: Any, period: int = 14, *, missing: MissingPolicy = "default") -> Any:
    """Average true range. Wilder's average of the true range.

    Parameters
    ----------
    high, low, close
        One value per bar, oldest first; NaN or null is a missing bar. An array, a series of
        pandas or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers.
    period
        Length of the seed and reciprocal of the smoothing factor, in bars. Whole number from 1
        to 1000000, 14 by default.
    missing
        What to do about missing bars: default (as under Notes), propagate, skip or raise; see
        docs/missing.md.

    Returns
    -------
    atr
        The average range, in the unit of the prices. Not NaN from bar period - 1 on at the
        earliest, counted from 0.

    An array with as many values as bars, float64. Series of pandas (with the same index) or
    polars, and Arrow arrays, where those were given.

    Raises
    ------
    ParameterError
        When a parameter is not allowed.
    MissingBarError
        When a bar is missing, and `missing` is to raise then.
    SchemaError
        When an input is not one row of real numbers, or lengths differ.

    Notes
    -----
    ::

        atr[period-1] = (true_range[0] + ... + true_range[period-1]) / period
        atr[t] = (atr[t-1] * (period - 1) + true_range[t]) / period

    Missing bars: The seed starts at the first bar with a true range; if one of its `period`
    ranges is missing or infinite, or fewer exist, every result is NaN. Later, a missing range
    repeats the last result.

    Numbers as of the definition, as a loop over the true range

    References
    ----------
    J. W. Wilder, New Concepts in Technical Trading Systems, Trend Research, 1978, section III.
    """
    result: Any = compute(_ATR, (high, low, close), (period,), missing)
    return result


def bollinger(x: Any, period: int = 20, std_factor: float = 2.0, *, missing: MissingPolicy = "default") -> BollingerResult[Any]:
    """Bollinger bands. Moving average with bands at a multiple of the standard deviation on either side.

    Parameters
    ----------
    x
        One value per bar, oldest first; NaN or null is a missing bar. An array, a series of
        pandas or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers.
    period
        Length of the window, in bars. Whole number from 1 to 1000000, 20 by default.
    std_factor
        Distance of the bands, in sample standard deviations. Number from 0.0 to 1000000.0, 2.0
        by default.
    missing
        What to do about missing bars: default (as under Notes), propagate, skip or raise; see
        docs/missing.md.

    Returns
    -------
    upper
        Upper band, in the unit of the input. Not NaN from bar max(period, 2) - 1 on at the
        earliest, counted from 0.
    middle
        Mean of the window, in the unit of the input. Not NaN from bar period - 1 on at the
        earliest, counted from 0.
    lower
        Lower band, in the unit of the input. Not NaN from bar max(period, 2) - 1 on at the
        earliest, counted from 0.

    A named tuple of arrays with as many values as bars, float64. Series of pandas (with the
    same index) or polars, and Arrow arrays, where those were given.

    Raises
    ------
    ParameterError
        When a parameter is not allowed.
    MissingBarError
        When a bar is missing, and `missing` is to raise then.
    SchemaError
        When an input is not one row of real numbers, or lengths differ.

    Notes
    -----
    ::

        middle = sma(x, period)
        std[t] = sqrt(sum((x[i] - middle[t])^2 for i in t-period+1 .. t) / (period - 1))
        upper = middle + std_factor * std
        lower = middle - std_factor * std

    Missing bars: NaN while any of the last `period` bars is missing. With a period of one bar
    there is a middle, but no deviation.

    Numbers as of pandas: x.rolling(period).mean() +- std_factor * x.rolling(period).std()

    References
    ----------
    J. Bollinger, Bollinger on Bollinger Bands, McGraw-Hill, 2001, ch. 7.
    """
    result: BollingerResult[Any] = compute(_BOLLINGER, (x,), (period, std_factor), missing)
    return result


def choppiness(high: Any, low: Any, close: Any, period: int = 14, *, missing: MissingPolicy = "default") -> Any:
    """Choppiness index. Length of the way that the price went, against the distance it covered, from 0 to 100.

    Parameters
    ----------
    high, low, close
        One value per bar, oldest first; NaN or null is a missing bar. An array, a series of
        pandas or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers.
    period
        Length of the window, in bars. Whole number from 2 to 1000000, 14 by default.
    missing
        What to do about missing bars: default (as under Notes), propagate, skip or raise; see
        docs/missing.md.

    Returns
    -------
    choppiness
        The index: near 0 in a straight move, near 100 without direction. Not NaN from bar
        period - 1 on at the earliest, counted from 0.

    An array with as many values as bars, float64. Series of pandas (with the same index) or
    polars, and Arrow arrays, where those were given.

    Raises
    ------
    ParameterError
        When a parameter is not allowed.
    MissingBarError
        When a bar is missing, and `missing` is to raise then.
    SchemaError
        When an input is not one row of real numbers, or lengths differ.

    Notes
    -----
    ::

        way[t] = true_range[t-period+1] + ... + true_range[t]
        distance[t] = max(high[t-period+1 .. t]) - min(low[t-period+1 .. t])
        choppiness = 100 * log10(way / distance) / log10(period)

    Missing bars: NaN while any of the last `period` bars lacks its high, its low or its true
    range, and where the distance is zero. The bar after a gap has the range high - low.

    Numbers as of pandas: 100 * log10(true_range.rolling(period).sum() /
    (h.rolling(period).max() - l.rolling(period).min())) / log10(period)

    References
    ----------
    E. W. Dreiss, Chaos theory in the markets, Commodity Traders Consumer Report, 1993.
    """
    result: Any = compute(_CHOPPINESS, (high, low, close), (period,), missing)
    return result


def dmi(high: Any, low: Any, close: Any, period: int = 14, *, missing: MissingPolicy = "default") -> DmiResult[Any]:
    """Directional movement index. Strength of the movement upwards, downwards, and of either direction.

    Parameters
    ----------
    high, low, close
        One value per bar, oldest first; NaN or null is a missing bar. An array, a series of
        pandas or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers.
    period
        Reciprocal of the smoothing factor, in bars. Whole number from 1 to 1000000, 14 by
        default.
    missing
        What to do about missing bars: default (as under Notes), propagate, skip or raise; see
        docs/missing.md.

    Returns
    -------
    plus_di
        Upward movement, in percent of the range. Not NaN from the first bar on at the earliest.
    minus_di
        Downward movement, in percent of the range. Not NaN from the first bar on at the
        earliest.
    adx
        Strength of the trend, from 0 to 100. Not NaN from bar 1 on at the earliest, counted
        from 0.

    A named tuple of arrays with as many values as bars, float64. Series of pandas (with the
    same index) or polars, and Arrow arrays, where those were given.

    Raises
    ------
    ParameterError
        When a parameter is not allowed.
    MissingBarError
        When a bar is missing, and `missing` is to raise then.
    SchemaError
        When an input is not one row of real numbers, or lengths differ.

    Notes
    -----
    ::

        up = high[t] - high[t-1], down = low[t-1] - low[t]
        plus_dm = up if up > down and up > 0 else 0, minus_dm = down if down > up and down > 0 else 0
        wilder: y[t] = x[t] / period + (1 - 1 / period) * y[t-1]
        plus_di = 100 * wilder(plus_dm) / wilder(true_range), minus_di = 100 * wilder(minus_dm) / wilder(true_range)
        dx = 100 * abs(plus_di - minus_di) / (plus_di + minus_di)
        adx = wilder(dx)

    Missing bars: Comparisons with a missing bar are false, so both movements are zero there. A
    missing true range, and a dx of 0 / 0, repeat the last average while the weight of the past
    goes on decaying.

    Numbers as of pandas: ewm(alpha=1/period, adjust=False).mean() of +DM, -DM, true range and
    dx

    References
    ----------
    J. W. Wilder, New Concepts in Technical Trading Systems, Trend Research, 1978, section IV.
    """
    result: DmiResult[Any] = compute(_DMI, (high, low, close), (period,), missing)
    return result


def ema(x: Any, period: int = 20, *, missing: MissingPolicy = "default") -> Any:
    """Exponential moving average. Mean of all prices so far, each weighted by a constant factor less than the next.

    Parameters
    ----------
    x
        One value per bar, oldest first; NaN or null is a missing bar. An array, a series of
        pandas or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers.
    period
        Span of the mean, in bars. Whole number from 1 to 1000000, 20 by default.
    missing
        What to do about missing bars: default (as under Notes), propagate, skip or raise; see
        docs/missing.md.

    Returns
    -------
    ema
        The mean, in the unit of the input. Not NaN from the first bar on at the earliest.

    An array with as many values as bars, float64. Series of pandas (with the same index) or
    polars, and Arrow arrays, where those were given.

    Raises
    ------
    ParameterError
        When a parameter is not allowed.
    MissingBarError
        When a bar is missing, and `missing` is to raise then.
    SchemaError
        When an input is not one row of real numbers, or lengths differ.

    Notes
    -----
    ::

        alpha = 2 / (period + 1)
        ema[0] = x[0]
        ema[t] = alpha * x[t] + (1 - alpha) * ema[t-1]

    Missing bars: Missing bars before the first price give NaN. At a later one the last result
    is repeated, and the weight of the past goes on decaying.

    Numbers as of pandas: x.ewm(span=period, adjust=False).mean()

    References
    ----------
    R. G. Brown, Statistical Forecasting for Inventory Control, McGraw-Hill, 1959.
    """
    result: Any = compute(_EMA, (x,), (period,), missing)
    return result


def garch_volatility(x: Any, alpha: float = 0.05, beta: float = 0.9, omega: float | None = None, use_log_returns: bool = True, scale: float = 100.0, min_periods: int = 50, sigma_floor: float = 1e-06, *, missing: MissingPolicy = "default") -> Any:
    """GARCH volatility. Expected size of the next return, by the recursion of GARCH(1, 1) with given weights.

    Parameters
    ----------
    x
        One value per bar, oldest first; NaN or null is a missing bar. An array, a series of
        pandas or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers.
    alpha
        Weight of the last squared deviation. Number from 0.0 to 1.0, 0.05 by default.
    beta
        Weight of the last variance. Number from 0.0 to 1.0, 0.9 by default.
    omega
        What the variance gets at each bar, in the unit of squared returns; None for 1e-6 *
        max(1e-6, 1 - alpha - beta). Number from 0.0 to 1000000000000.0, or None, None by
        default.
    use_log_returns
        Whether returns are logarithms of ratios, or ratios less one. True or False, True by
        default.
    scale
        What returns are multiplied by; 100 makes them percent. Number from 1e-12 to
        1000000000000.0, 100.0 by default.
    min_periods
        Bars after the first return that have no result. Whole number from 0 to 1000000, 50 by
        default.
    sigma_floor
        Lowest volatility, in the unit of the scaled returns. Number from 0.0 to
        1000000000000.0, 1e-06 by default.
    missing
        What to do about missing bars: default (as under Notes), propagate, skip or raise; see
        docs/missing.md.

    Returns
    -------
    garch_volatility
        Standard deviation of the return of one bar, as a fraction of the price. Not NaN from
        bar 1 + min_periods on at the earliest, counted from 0.

    An array with as many values as bars, float64. Series of pandas (with the same index) or
    polars, and Arrow arrays, where those were given.

    Raises
    ------
    ParameterError
        When a parameter is not allowed or not ``alpha + beta < 1``.
    MissingBarError
        When a bar is missing, and `missing` is to raise then.
    SchemaError
        When an input is not one row of real numbers, or lengths differ.

    Notes
    -----
    ::

        r[t] = scale * ln(x[t] / x[t-1]), or scale * (x[t] / x[t-1] - 1)
        mu = r[1], v[1] = max(1e-6, sigma_floor^2), e2[1] = 0
        v[t] = max(omega + alpha * e2[t-1] + beta * v[t-1], sigma_floor^2)
        e2[t] = (r[t] - mu)^2
        garch_volatility = sqrt(v) / scale, from bar 1 + min_periods on

    Missing bars: A return with a missing end, or that is not finite, repeats the last result
    and is not a deviation. NaN before the first return, and for `min_periods` bars after it.

    Numbers as of the definition, as a loop

    References
    ----------
    T. Bollerslev, Generalized Autoregressive Conditional Heteroskedasticity, Journal of
    Econometrics 31, 1986.
    """
    result: Any = compute(_GARCH_VOLATILITY, (x,), (alpha, beta, omega, use_log_returns, scale, min_periods, sigma_floor), missing)
    return result


def kalman_garch_zscore(x: Any, R: float = 0.01, Q: float = 1.0, alpha: float = 0.05, beta: float = 0.9, omega: float | None = None, use_log_returns: bool = True, scale: float = 100.0, min_periods: int = 50, sigma_floor: float = 1e-06, *, missing: MissingPolicy = "default") -> Any:
    """Distance from a Kalman mean in GARCH volatilities. Distance of the price from its filtered level, in expected sizes of the next move.

    Parameters
    ----------
    x
        One value per bar, oldest first; NaN or null is a missing bar. An array, a series of
        pandas or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers.
    R
        Variance of the prices around the level, in the unit of `Q`. Number from 1e-12 to
        1000000000000.0, 0.01 by default.
    Q
        Variance of the level's step from bar to bar. Number from 0.0 to 1000000000000.0, 1.0 by
        default.
    alpha
        Weight of the last squared deviation. Number from 0.0 to 1.0, 0.05 by default.
    beta
        Weight of the last variance. Number from 0.0 to 1.0, 0.9 by default.
    omega
        What the variance gets at each bar, in the unit of squared returns; None for 1e-6 *
        max(1e-6, 1 - alpha - beta). Number from 0.0 to 1000000000000.0, or None, None by
        default.
    use_log_returns
        Whether returns are logarithms of ratios, or ratios less one. True or False, True by
        default.
    scale
        What returns are multiplied by; 100 makes them percent. Number from 1e-12 to
        1000000000000.0, 100.0 by default.
    min_periods
        Bars after the first return that have no result. Whole number from 0 to 1000000, 50 by
        default.
    sigma_floor
        Lowest volatility, in the unit of the scaled returns. Number from 0.0 to
        1000000000000.0, 1e-06 by default.
    missing
        What to do about missing bars: default (as under Notes), propagate, skip or raise; see
        docs/missing.md.

    Returns
    -------
    kalman_garch_zscore
        The distance, in moves of one standard deviation. Not NaN from bar 1 + min_periods on at
        the earliest, counted from 0.

    An array with as many values as bars, float64. Series of pandas (with the same index) or
    polars, and Arrow arrays, where those were given.

    Raises
    ------
    ParameterError
        When a parameter is not allowed or not ``alpha + beta < 1``.
    MissingBarError
        When a bar is missing, and `missing` is to raise then.
    SchemaError
        When an input is not one row of real numbers, or lengths differ.

    Notes
    -----
    ::

        kalman_garch_zscore = (x - kalman_mean(x, R, Q)) / (abs(x) * garch_volatility(x, alpha, beta, ...))

    Missing bars: NaN at a missing bar, and where the denominator is zero. Both parts go on
    after it.

    Numbers as of the definition, as a loop

    References
    ----------
    the parts: A. C. Harvey, 1989, and T. Bollerslev, 1986, as cited under kalman_mean and
    garch_volatility.
    """
    result: Any = compute(_KALMAN_GARCH_ZSCORE, (x,), (R, Q, alpha, beta, omega, use_log_returns, scale, min_periods, sigma_floor), missing)
    return result


def kalman_mean(x: Any, R: float = 0.01, Q: float = 1.0, *, missing: MissingPolicy = "default") -> Any:
    """Kalman mean. Level of the price behind its noise, by a Kalman filter of one dimension.

    Parameters
    ----------
    x
        One value per bar, oldest first; NaN or null is a missing bar. An array, a series of
        pandas or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers.
    R
        Variance of the prices around the level, in the unit of `Q`. Number from 1e-12 to
        1000000000000.0, 0.01 by default.
    Q
        Variance of the level's step from bar to bar. Number from 0.0 to 1000000000000.0, 1.0 by
        default.
    missing
        What to do about missing bars: default (as under Notes), propagate, skip or raise; see
        docs/missing.md.

    Returns
    -------
    kalman_mean
        The level, in the unit of the input. Not NaN from the first bar on at the earliest.

    An array with as many values as bars, float64. Series of pandas (with the same index) or
    polars, and Arrow arrays, where those were given.

    Raises
    ------
    ParameterError
        When a parameter is not allowed.
    MissingBarError
        When a bar is missing, and `missing` is to raise then.
    SchemaError
        When an input is not one row of real numbers, or lengths differ.

    Notes
    -----
    ::

        kalman_mean[0] = x[0], P[0] = R
        K[t] = (P[t-1] + Q) / (P[t-1] + Q + R)
        kalman_mean[t] = kalman_mean[t-1] + K[t] * (x[t] - kalman_mean[t-1])
        P[t] = (1 - K[t]) * (P[t-1] + Q)

    Missing bars: NaN at a missing bar. The uncertainty `P` grows by `Q` there, so the next
    price weighs more.

    Numbers as of the definition, as a loop

    References
    ----------
    A. C. Harvey, Forecasting, Structural Time Series Models and the Kalman Filter, Cambridge
    University Press, 1989, ch. 2 and 4.
    """
    result: Any = compute(_KALMAN_MEAN, (x,), (R, Q), missing)
    return result


def kalman_zscore(x: Any, window: int = 100, R: float = 0.01, Q: float = 1.0, *, missing: MissingPolicy = "default") -> Any:
    """Standard score against a Kalman mean. Distance of the price from its filtered level, in standard deviations of that distance.

    Parameters
    ----------
    x
        One value per bar, oldest first; NaN or null is a missing bar. An array, a series of
        pandas or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers.
    window
        Length of the window, in bars. Whole number from 1 to 1000000, 100 by default.
    R
        Variance of the prices around the level, in the unit of `Q`. Number from 1e-12 to
        1000000000000.0, 0.01 by default.
    Q
        Variance of the level's step from bar to bar. Number from 0.0 to 1000000000000.0, 1.0 by
        default.
    missing
        What to do about missing bars: default (as under Notes), propagate, skip or raise; see
        docs/missing.md.

    Returns
    -------
    kalman_zscore
        The distance, in sample standard deviations. Not NaN from bar max(window, 2) - 1 on at
        the earliest, counted from 0.

    An array with as many values as bars, float64. Series of pandas (with the same index) or
    polars, and Arrow arrays, where those were given.

    Raises
    ------
    ParameterError
        When a parameter is not allowed.
    MissingBarError
        When a bar is missing, and `missing` is to raise then.
    SchemaError
        When an input is not one row of real numbers, or lengths differ.

    Notes
    -----
    ::

        e = x - kalman_mean(x, R, Q)
        std[t] = sqrt(sum((e[i] - sma(e, window)[t])^2 for i in t-window+1 .. t) / (window - 1))
        kalman_zscore = e / std

    Missing bars: NaN while any of the last `window` bars is missing. At the first price the
    distance is zero.

    Numbers as of pandas: e = x - kalman_mean; e / e.rolling(window).std()

    References
    ----------
    E. P. Chan, Algorithmic Trading, Wiley, 2013, ch. 3.
    """
    result: Any = compute(_KALMAN_ZSCORE, (x,), (window, R, Q), missing)
    return result


def macd(x: Any, fast: int = 12, slow: int = 26, signal: int = 9, *, missing: MissingPolicy = "default") -> MacdResult[Any]:
    """Moving average convergence/divergence. Difference of a fast and a slow exponential moving average, with its own average as signal.

    Parameters
    ----------
    x
        One value per bar, oldest first; NaN or null is a missing bar. An array, a series of
        pandas or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers.
    fast
        Span of the fast average, in bars. Whole number from 1 to 1000000, 12 by default.
    slow
        Span of the slow average, in bars. Whole number from 1 to 1000000, 26 by default.
    signal
        Span of the signal's average, in bars. Whole number from 1 to 1000000, 9 by default.
    missing
        What to do about missing bars: default (as under Notes), propagate, skip or raise; see
        docs/missing.md.

    Returns
    -------
    macd
        Fast minus slow average, in the unit of the input. Not NaN from the first bar on at the
        earliest.
    signal
        Average of the difference, in the unit of the input. Not NaN from the first bar on at
        the earliest.
    histogram
        Difference minus signal, in the unit of the input. Not NaN from the first bar on at the
        earliest.

    A named tuple of arrays with as many values as bars, float64. Series of pandas (with the
    same index) or polars, and Arrow arrays, where those were given.

    Raises
    ------
    ParameterError
        When a parameter is not allowed.
    MissingBarError
        When a bar is missing, and `missing` is to raise then.
    SchemaError
        When an input is not one row of real numbers, or lengths differ.

    Notes
    -----
    ::

        macd = ema(x, fast) - ema(x, slow)
        signal = ema(macd, signal)
        histogram = macd - signal

    Missing bars: Missing bars before the first price give NaN. At a later one both averages are
    repeated, so that the difference is too, and the signal goes on towards it.

    Numbers as of pandas: m = x.ewm(span=fast, adjust=False).mean() - x.ewm(span=slow,
    adjust=False).mean(); m.ewm(span=signal, adjust=False).mean()

    References
    ----------
    G. Appel, The Moving Average Convergence-Divergence Trading Method, Signalert, 1979.
    """
    result: MacdResult[Any] = compute(_MACD, (x,), (fast, slow, signal), missing)
    return result


def residual_zscore(x: Any, window: int = 100, mean_source: Literal["rolling", "ema"] = 'rolling', ema_period: int | None = None, *, missing: MissingPolicy = "default") -> Any:
    """Standard score of residuals. Distance of the price from a moving average, in standard deviations of that distance.

    Parameters
    ----------
    x
        One value per bar, oldest first; NaN or null is a missing bar. An array, a series of
        pandas or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers.
    window
        Length of the windows, in bars. Whole number from 1 to 1000000, 100 by default.
    mean_source
        The moving average. 'rolling' or 'ema', 'rolling' by default.
    ema_period
        Span of the ema, in bars; None for `window`. Of no effect on a rolling mean. Whole
        number from 1 to 1000000, or None, None by default.
    missing
        What to do about missing bars: default (as under Notes), propagate, skip or raise; see
        docs/missing.md.

    Returns
    -------
    residual_zscore
        The distance, in sample standard deviations. Not NaN from bar (2 if mean_source ==
        'rolling' else 1) * (max(window, 2) - 1) on at the earliest, counted from 0.

    An array with as many values as bars, float64. Series of pandas (with the same index) or
    polars, and Arrow arrays, where those were given.

    Raises
    ------
    ParameterError
        When a parameter is not allowed.
    MissingBarError
        When a bar is missing, and `missing` is to raise then.
    SchemaError
        When an input is not one row of real numbers, or lengths differ.

    Notes
    -----
    ::

        mean = sma(x, window) if mean_source is rolling, ema(x, ema_period) if it is ema
        e = x - mean
        std[t] = sqrt(sum((e[i] - sma(e, window)[t])^2 for i in t-window+1 .. t) / (window - 1))
        residual_zscore = e / std

    Missing bars: NaN while any of the last `window` residuals is missing. A rolling mean has
    none for `window` bars from a missing one on; an `ema` lacks it at the missing bar alone.

    Numbers as of pandas: e = x - x.rolling(window).mean(); e / e.rolling(window).std()

    References
    ----------
    E. P. Chan, Algorithmic Trading, Wiley, 2013, ch. 3.
    """
    result: Any = compute(_RESIDUAL_ZSCORE, (x,), (window, mean_source, ema_period), missing)
    return result


def roc(x: Any, period: int = 14, *, missing: MissingPolicy = "default") -> Any:
    """Rate of change. Change of the price over some bars, in percent.

    Parameters
    ----------
    x
        One value per bar, oldest first; NaN or null is a missing bar. An array, a series of
        pandas or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers.
    period
        Distance of the two prices, in bars. Whole number from 1 to 1000000, 14 by default.
    missing
        What to do about missing bars: default (as under Notes), propagate, skip or raise; see
        docs/missing.md.

    Returns
    -------
    roc
        The change, in percent. Not NaN from bar period on at the earliest, counted from 0.

    An array with as many values as bars, float64. Series of pandas (with the same index) or
    polars, and Arrow arrays, where those were given.

    Raises
    ------
    ParameterError
        When a parameter is not allowed.
    MissingBarError
        When a bar is missing, and `missing` is to raise then.
    SchemaError
        When an input is not one row of real numbers, or lengths differ.

    Notes
    -----
    ::

        roc[t] = (x[t] - x[t-period]) / x[t-period] * 100

    Missing bars: NaN where either of the two bars is missing. A zero price `period` bars ago
    gives what IEEE division gives: an infinity, or NaN for 0 / 0.

    Numbers as of pandas: x.diff(period) / x.shift(period) * 100

    References
    ----------
    M. J. Pring, Technical Analysis Explained, McGraw-Hill, 1980.
    """
    result: Any = compute(_ROC, (x,), (period,), missing)
    return result


def rsi(x: Any, period: int = 14, *, missing: MissingPolicy = "default") -> Any:
    """Relative strength index. Share of the rises in all recent price changes, from 0 to 100.

    Parameters
    ----------
    x
        One value per bar, oldest first; NaN or null is a missing bar. An array, a series of
        pandas or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers.
    period
        Reciprocal of the smoothing factor, in bars. Whole number from 1 to 1000000, 14 by
        default.
    missing
        What to do about missing bars: default (as under Notes), propagate, skip or raise; see
        docs/missing.md.

    Returns
    -------
    rsi
        The index, from 0 to 100. Not NaN from bar 1 on at the earliest, counted from 0.

    An array with as many values as bars, float64. Series of pandas (with the same index) or
    polars, and Arrow arrays, where those were given.

    Raises
    ------
    ParameterError
        When a parameter is not allowed.
    MissingBarError
        When a bar is missing, and `missing` is to raise then.
    SchemaError
        When an input is not one row of real numbers, or lengths differ.

    Notes
    -----
    ::

        d[t] = x[t] - x[t-1]
        gain = wilder(max(d, 0)), loss = wilder(max(-d, 0))
        wilder: y[t] = d[t] / period + (1 - 1 / period) * y[t-1], from the first change on
        rsi = 100 * gain / (gain + loss) = 100 - 100 / (1 + gain / loss)

    Missing bars: A change with a missing end is missing. There the last result is repeated, and
    the weight of the past goes on decaying. NaN while no price has changed.

    Numbers as of pandas: 100 - 100 / (1 + gain.ewm(alpha=1/period, adjust=False).mean() /
    loss.ewm(alpha=1/period, adjust=False).mean())

    References
    ----------
    J. W. Wilder, New Concepts in Technical Trading Systems, Trend Research, 1978, section VI.
    """
    result: Any = compute(_RSI, (x,), (period,), missing)
    return result


def sma(x: Any, period: int = 20, *, missing: MissingPolicy = "default") -> Any:
    """Simple moving average. Mean of the last prices.

    Parameters
    ----------
    x
        One value per bar, oldest first; NaN or null is a missing bar. An array, a series of
        pandas or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers.
    period
        Length of the window, in bars. Whole number from 1 to 1000000, 20 by default.
    missing
        What to do about missing bars: default (as under Notes), propagate, skip or raise; see
        docs/missing.md.

    Returns
    -------
    sma
        The mean, in the unit of the input. Not NaN from bar period - 1 on at the earliest,
        counted from 0.

    An array with as many values as bars, float64. Series of pandas (with the same index) or
    polars, and Arrow arrays, where those were given.

    Raises
    ------
    ParameterError
        When a parameter is not allowed.
    MissingBarError
        When a bar is missing, and `missing` is to raise then.
    SchemaError
        When an input is not one row of real numbers, or lengths differ.

    Notes
    -----
    ::

        sma[t] = (x[t-period+1] + ... + x[t]) / period

    Missing bars: NaN while any of the last `period` bars is missing.

    Numbers as of pandas: x.rolling(period).mean()

    References
    ----------
    R. D. Edwards and J. Magee, Technical Analysis of Stock Trends, 1948, ch. 36.
    """
    result: Any = compute(_SMA, (x,), (period,), missing)
    return result


def true_range(high: Any, low: Any, close: Any, *, missing: MissingPolicy = "default") -> Any:
    """True range. Range of a bar, extended to the close before it.

    Parameters
    ----------
    high, low, close
        One value per bar, oldest first; NaN or null is a missing bar. An array, a series of
        pandas or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers.
    missing
        What to do about missing bars: default (as under Notes), propagate, skip or raise; see
        docs/missing.md.

    Returns
    -------
    true_range
        The range, in the unit of the prices. Not NaN from the first bar on at the earliest.

    An array with as many values as bars, float64. Series of pandas (with the same index) or
    polars, and Arrow arrays, where those were given.

    Raises
    ------
    ParameterError
        When a parameter is not allowed.
    MissingBarError
        When a bar is missing, and `missing` is to raise then.
    SchemaError
        When an input is not one row of real numbers, or lengths differ.

    Notes
    -----
    ::

        true_range[t] = max(high[t] - low[t], abs(high[t] - close[t-1]), abs(low[t] - close[t-1]))

    Missing bars: Whichever of the three differences exist take part: the first bar, and the bar
    after a missing one, give high - low. NaN when none exists.

    Numbers as of pandas: concat([h - l, (h - c.shift()).abs(), (l - c.shift()).abs()],
    axis=1).max(axis=1)

    References
    ----------
    J. W. Wilder, New Concepts in Technical Trading Systems, Trend Research, 1978, section III.
    """
    result: Any = compute(_TRUE_RANGE, (high, low, close), (), missing)
    return result


def zscore(x: Any, window: int = 100, *, missing: MissingPolicy = "default") -> Any:
    """Standard score. Distance of the price from its mean, in standard deviations.

    Parameters
    ----------
    x
        One value per bar, oldest first; NaN or null is a missing bar. An array, a series of
        pandas or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers.
    window
        Length of the window, in bars. Whole number from 1 to 1000000, 100 by default.
    missing
        What to do about missing bars: default (as under Notes), propagate, skip or raise; see
        docs/missing.md.

    Returns
    -------
    zscore
        The distance, in sample standard deviations. Not NaN from bar max(window, 2) - 1 on at
        the earliest, counted from 0.

    An array with as many values as bars, float64. Series of pandas (with the same index) or
    polars, and Arrow arrays, where those were given.

    Raises
    ------
    ParameterError
        When a parameter is not allowed.
    MissingBarError
        When a bar is missing, and `missing` is to raise then.
    SchemaError
        When an input is not one row of real numbers, or lengths differ.

    Notes
    -----
    ::

        mean = sma(x, window)
        std[t] = sqrt(sum((x[i] - mean[t])^2 for i in t-window+1 .. t) / (window - 1))
        zscore = (x - mean) / std

    Missing bars: NaN while any of the last `window` bars is missing, or all of them are equal,
    or there is only one.

    Numbers as of pandas: (x - x.rolling(window).mean()) / x.rolling(window).std()

    References
    ----------
    E. Kreyszig, Advanced Engineering Mathematics, Wiley, 1979.
    """
    result: Any = compute(_ZSCORE, (x,), (window,), missing)
    return result
