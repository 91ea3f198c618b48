"""Made from the kernels' declarations, not to be edited: `make generate`."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal

from .._missing import MissingPolicy
from ..spec import IndicatorSpec
from .catalog import BY_NAME

__all__ = ["CacheMethods", "ViewMethods"]

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


class CacheMethods:
    """One method per indicator."""

    #: Results by the very arguments of the call that gave them.
    _recent: dict[tuple[object, ...], Any]
    #: Calls answered from there.
    _quick: int

    def _get(self, spec: IndicatorSpec, tf: Hashable, pt: Hashable, source: str, values: tuple[object, ...], i: int | None, missing: MissingPolicy | None) -> Any:
        raise NotImplementedError

    def atr(self, tf: Hashable, pt: Hashable, period: int = 14, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Average true range. Wilder's average of the true range.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        period
            Length of the seed and reciprocal of the smoothing factor, in bars. Whole number from 1
            to 1000000, 14 by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        atr
            The average range, in the unit of the prices. Not NaN from bar period - 1 on at the
            earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        try:
            hit = self._recent.get((0, tf, pt, period)) if type(period) is int else None
        except TypeError:  # what cannot be a key is refused further down
            hit = None
        if hit is not None and i is None and missing is None:
            self._quick += 1
            return hit
        return self._get(_ATR, tf, pt, "", (period,), i, missing)

    def bollinger(self, tf: Hashable, pt: Hashable, source: str = "close", period: int = 20, std_factor: float = 2.0, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Bollinger bands. Moving average with bands at a multiple of the standard deviation on either side.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        source
            Column to read: open, high, low, close or volume.
        period
            Length of the window, in bars. Whole number from 1 to 1000000, 20 by default.
        std_factor
            Distance of the bands, in sample standard deviations. Number from 0.0 to 1000000.0, 2.0
            by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

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

        A named tuple of arrays with as many values as bars, float64, read-only; with `i`, of
        floats.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        try:
            hit = self._recent.get((1, tf, pt, source, period, std_factor)) if type(period) is int and type(std_factor) is float else None
        except TypeError:  # what cannot be a key is refused further down
            hit = None
        if hit is not None and i is None and missing is None:
            self._quick += 1
            return hit
        return self._get(_BOLLINGER, tf, pt, source, (period, std_factor), i, missing)

    def choppiness(self, tf: Hashable, pt: Hashable, period: int = 14, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Choppiness index. Length of the way that the price went, against the distance it covered, from 0 to 100.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        period
            Length of the window, in bars. Whole number from 2 to 1000000, 14 by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        choppiness
            The index: near 0 in a straight move, near 100 without direction. Not NaN from bar
            period - 1 on at the earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        try:
            hit = self._recent.get((2, tf, pt, period)) if type(period) is int else None
        except TypeError:  # what cannot be a key is refused further down
            hit = None
        if hit is not None and i is None and missing is None:
            self._quick += 1
            return hit
        return self._get(_CHOPPINESS, tf, pt, "", (period,), i, missing)

    def dmi(self, tf: Hashable, pt: Hashable, period: int = 14, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Directional movement index. Strength of the movement upwards, downwards, and of either direction.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        period
            Reciprocal of the smoothing factor, in bars. Whole number from 1 to 1000000, 14 by
            default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

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

        A named tuple of arrays with as many values as bars, float64, read-only; with `i`, of
        floats.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        try:
            hit = self._recent.get((3, tf, pt, period)) if type(period) is int else None
        except TypeError:  # what cannot be a key is refused further down
            hit = None
        if hit is not None and i is None and missing is None:
            self._quick += 1
            return hit
        return self._get(_DMI, tf, pt, "", (period,), i, missing)

    def ema(self, tf: Hashable, pt: Hashable, source: str = "close", period: int = 20, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Exponential moving average. Mean of all prices so far, each weighted by a constant factor less than the next.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        source
            Column to read: open, high, low, close or volume.
        period
            Span of the mean, in bars. Whole number from 1 to 1000000, 20 by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        ema
            The mean, in the unit of the input. Not NaN from the first bar on at the earliest.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        try:
            hit = self._recent.get((4, tf, pt, source, period)) if type(period) is int else None
        except TypeError:  # what cannot be a key is refused further down
            hit = None
        if hit is not None and i is None and missing is None:
            self._quick += 1
            return hit
        return self._get(_EMA, tf, pt, source, (period,), i, missing)

    def garch_volatility(self, tf: Hashable, pt: Hashable, source: str = "close", alpha: float = 0.05, beta: float = 0.9, omega: float | None = None, use_log_returns: bool = True, scale: float = 100.0, min_periods: int = 50, sigma_floor: float = 1e-06, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """GARCH volatility. Expected size of the next return, by the recursion of GARCH(1, 1) with given weights.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        source
            Column to read: open, high, low, close or volume.
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
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        garch_volatility
            Standard deviation of the return of one bar, as a fraction of the price. Not NaN from
            bar 1 + min_periods on at the earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed or not ``alpha + beta < 1``.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        try:
            hit = self._recent.get((5, tf, pt, source, alpha, beta, omega, use_log_returns, scale, min_periods, sigma_floor)) if type(alpha) is float and type(beta) is float and (type(omega) is float or omega is None) and type(use_log_returns) is bool and type(scale) is float and type(min_periods) is int and type(sigma_floor) is float else None
        except TypeError:  # what cannot be a key is refused further down
            hit = None
        if hit is not None and i is None and missing is None:
            self._quick += 1
            return hit
        return self._get(_GARCH_VOLATILITY, tf, pt, source, (alpha, beta, omega, use_log_returns, scale, min_periods, sigma_floor), i, missing)

    def kalman_garch_zscore(self, tf: Hashable, pt: Hashable, source: str = "close", R: float = 0.01, Q: float = 1.0, alpha: float = 0.05, beta: float = 0.9, omega: float | None = None, use_log_returns: bool = True, scale: float = 100.0, min_periods: int = 50, sigma_floor: float = 1e-06, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Distance from a Kalman mean in GARCH volatilities. Distance of the price from its filtered level, in expected sizes of the next move.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        source
            Column to read: open, high, low, close or volume.
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
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        kalman_garch_zscore
            The distance, in moves of one standard deviation. Not NaN from bar 1 + min_periods on at
            the earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed or not ``alpha + beta < 1``.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        try:
            hit = self._recent.get((6, tf, pt, source, R, Q, alpha, beta, omega, use_log_returns, scale, min_periods, sigma_floor)) if type(R) is float and type(Q) is float and type(alpha) is float and type(beta) is float and (type(omega) is float or omega is None) and type(use_log_returns) is bool and type(scale) is float and type(min_periods) is int and type(sigma_floor) is float else None
        except TypeError:  # what cannot be a key is refused further down
            hit = None
        if hit is not None and i is None and missing is None:
            self._quick += 1
            return hit
        return self._get(_KALMAN_GARCH_ZSCORE, tf, pt, source, (R, Q, alpha, beta, omega, use_log_returns, scale, min_periods, sigma_floor), i, missing)

    def kalman_mean(self, tf: Hashable, pt: Hashable, source: str = "close", R: float = 0.01, Q: float = 1.0, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Kalman mean. Level of the price behind its noise, by a Kalman filter of one dimension.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        source
            Column to read: open, high, low, close or volume.
        R
            Variance of the prices around the level, in the unit of `Q`. Number from 1e-12 to
            1000000000000.0, 0.01 by default.
        Q
            Variance of the level's step from bar to bar. Number from 0.0 to 1000000000000.0, 1.0 by
            default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        kalman_mean
            The level, in the unit of the input. Not NaN from the first bar on at the earliest.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        try:
            hit = self._recent.get((7, tf, pt, source, R, Q)) if type(R) is float and type(Q) is float else None
        except TypeError:  # what cannot be a key is refused further down
            hit = None
        if hit is not None and i is None and missing is None:
            self._quick += 1
            return hit
        return self._get(_KALMAN_MEAN, tf, pt, source, (R, Q), i, missing)

    def kalman_zscore(self, tf: Hashable, pt: Hashable, source: str = "close", window: int = 100, R: float = 0.01, Q: float = 1.0, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Standard score against a Kalman mean. Distance of the price from its filtered level, in standard deviations of that distance.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        source
            Column to read: open, high, low, close or volume.
        window
            Length of the window, in bars. Whole number from 1 to 1000000, 100 by default.
        R
            Variance of the prices around the level, in the unit of `Q`. Number from 1e-12 to
            1000000000000.0, 0.01 by default.
        Q
            Variance of the level's step from bar to bar. Number from 0.0 to 1000000000000.0, 1.0 by
            default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        kalman_zscore
            The distance, in sample standard deviations. Not NaN from bar max(window, 2) - 1 on at
            the earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        try:
            hit = self._recent.get((8, tf, pt, source, window, R, Q)) if type(window) is int and type(R) is float and type(Q) is float else None
        except TypeError:  # what cannot be a key is refused further down
            hit = None
        if hit is not None and i is None and missing is None:
            self._quick += 1
            return hit
        return self._get(_KALMAN_ZSCORE, tf, pt, source, (window, R, Q), i, missing)

    def macd(self, tf: Hashable, pt: Hashable, source: str = "close", fast: int = 12, slow: int = 26, signal: int = 9, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Moving average convergence/divergence. Difference of a fast and a slow exponential moving average, with its own average as signal.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        source
            Column to read: open, high, low, close or volume.
        fast
            Span of the fast average, in bars. Whole number from 1 to 1000000, 12 by default.
        slow
            Span of the slow average, in bars. Whole number from 1 to 1000000, 26 by default.
        signal
            Span of the signal's average, in bars. Whole number from 1 to 1000000, 9 by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

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

        A named tuple of arrays with as many values as bars, float64, read-only; with `i`, of
        floats.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        try:
            hit = self._recent.get((9, tf, pt, source, fast, slow, signal)) if type(fast) is int and type(slow) is int and type(signal) is int else None
        except TypeError:  # what cannot be a key is refused further down
            hit = None
        if hit is not None and i is None and missing is None:
            self._quick += 1
            return hit
        return self._get(_MACD, tf, pt, source, (fast, slow, signal), i, missing)

    def residual_zscore(self, tf: Hashable, pt: Hashable, source: str = "close", window: int = 100, mean_source: Literal["rolling", "ema"] = 'rolling', ema_period: int | None = None, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Standard score of residuals. Distance of the price from a moving average, in standard deviations of that distance.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        source
            Column to read: open, high, low, close or volume.
        window
            Length of the windows, in bars. Whole number from 1 to 1000000, 100 by default.
        mean_source
            The moving average. 'rolling' or 'ema', 'rolling' by default.
        ema_period
            Span of the ema, in bars; None for `window`. Of no effect on a rolling mean. Whole
            number from 1 to 1000000, or None, None by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        residual_zscore
            The distance, in sample standard deviations. Not NaN from bar (2 if mean_source ==
            'rolling' else 1) * (max(window, 2) - 1) on at the earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        try:
            hit = self._recent.get((10, tf, pt, source, window, mean_source, ema_period)) if type(window) is int and type(mean_source) is str and (type(ema_period) is int or ema_period is None) else None
        except TypeError:  # what cannot be a key is refused further down
            hit = None
        if hit is not None and i is None and missing is None:
            self._quick += 1
            return hit
        return self._get(_RESIDUAL_ZSCORE, tf, pt, source, (window, mean_source, ema_period), i, missing)

    def roc(self, tf: Hashable, pt: Hashable, source: str = "close", period: int = 14, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Rate of change. Change of the price over some bars, in percent.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        source
            Column to read: open, high, low, close or volume.
        period
            Distance of the two prices, in bars. Whole number from 1 to 1000000, 14 by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        roc
            The change, in percent. Not NaN from bar period on at the earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        try:
            hit = self._recent.get((11, tf, pt, source, period)) if type(period) is int else None
        except TypeError:  # what cannot be a key is refused further down
            hit = None
        if hit is not None and i is None and missing is None:
            self._quick += 1
            return hit
        return self._get(_ROC, tf, pt, source, (period,), i, missing)

    def rsi(self, tf: Hashable, pt: Hashable, source: str = "close", period: int = 14, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Relative strength index. Share of the rises in all recent price changes, from 0 to 100.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        source
            Column to read: open, high, low, close or volume.
        period
            Reciprocal of the smoothing factor, in bars. Whole number from 1 to 1000000, 14 by
            default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        rsi
            The index, from 0 to 100. Not NaN from bar 1 on at the earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        try:
            hit = self._recent.get((12, tf, pt, source, period)) if type(period) is int else None
        except TypeError:  # what cannot be a key is refused further down
            hit = None
        if hit is not None and i is None and missing is None:
            self._quick += 1
            return hit
        return self._get(_RSI, tf, pt, source, (period,), i, missing)

    def sma(self, tf: Hashable, pt: Hashable, source: str = "close", period: int = 20, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Simple moving average. Mean of the last prices.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        source
            Column to read: open, high, low, close or volume.
        period
            Length of the window, in bars. Whole number from 1 to 1000000, 20 by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        sma
            The mean, in the unit of the input. Not NaN from bar period - 1 on at the earliest,
            counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        try:
            hit = self._recent.get((13, tf, pt, source, period)) if type(period) is int else None
        except TypeError:  # what cannot be a key is refused further down
            hit = None
        if hit is not None and i is None and missing is None:
            self._quick += 1
            return hit
        return self._get(_SMA, tf, pt, source, (period,), i, missing)

    def true_range(self, tf: Hashable, pt: Hashable, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """True range. Range of a bar, extended to the close before it.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        true_range
            The range, in the unit of the prices. Not NaN from the first bar on at the earliest.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        try:
            hit = self._recent.get((14, tf, pt))
        except TypeError:  # what cannot be a key is refused further down
            hit = None
        if hit is not None and i is None and missing is None:
            self._quick += 1
            return hit
        return self._get(_TRUE_RANGE, tf, pt, "", (), i, missing)

    def zscore(self, tf: Hashable, pt: Hashable, source: str = "close", window: int = 100, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Standard score. Distance of the price from its mean, in standard deviations.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        source
            Column to read: open, high, low, close or volume.
        window
            Length of the window, in bars. Whole number from 1 to 1000000, 100 by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        zscore
            The distance, in sample standard deviations. Not NaN from bar max(window, 2) - 1 on at
            the earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        try:
            hit = self._recent.get((15, tf, pt, source, window)) if type(window) is int else None
        except TypeError:  # what cannot be a key is refused further down
            hit = None
        if hit is not None and i is None and missing is None:
            self._quick += 1
            return hit
        return self._get(_ZSCORE, tf, pt, source, (window,), i, missing)


class ViewMethods:
    """One method per indicator."""

    def _get(self, spec: IndicatorSpec, source: str, values: tuple[object, ...], i: int | None, missing: MissingPolicy | None) -> Any:
        raise NotImplementedError

    def atr(self, period: int = 14, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Average true range. Wilder's average of the true range.

        Parameters
        ----------
        period
            Length of the seed and reciprocal of the smoothing factor, in bars. Whole number from 1
            to 1000000, 14 by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        atr
            The average range, in the unit of the prices. Not NaN from bar period - 1 on at the
            earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        return self._get(_ATR, "", (period,), i, missing)

    def bollinger(self, source: str = "close", period: int = 20, std_factor: float = 2.0, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Bollinger bands. Moving average with bands at a multiple of the standard deviation on either side.

        Parameters
        ----------
        source
            Column to read: open, high, low, close or volume.
        period
            Length of the window, in bars. Whole number from 1 to 1000000, 20 by default.
        std_factor
            Distance of the bands, in sample standard deviations. Number from 0.0 to 1000000.0, 2.0
            by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

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

        A named tuple of arrays with as many values as bars, float64, read-only; with `i`, of
        floats.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        return self._get(_BOLLINGER, source, (period, std_factor), i, missing)

    def choppiness(self, period: int = 14, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Choppiness index. Length of the way that the price went, against the distance it covered, from 0 to 100.

        Parameters
        ----------
        period
            Length of the window, in bars. Whole number from 2 to 1000000, 14 by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        choppiness
            The index: near 0 in a straight move, near 100 without direction. Not NaN from bar
            period - 1 on at the earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        return self._get(_CHOPPINESS, "", (period,), i, missing)

    def dmi(self, period: int = 14, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Directional movement index. Strength of the movement upwards, downwards, and of either direction.

        Parameters
        ----------
        period
            Reciprocal of the smoothing factor, in bars. Whole number from 1 to 1000000, 14 by
            default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

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

        A named tuple of arrays with as many values as bars, float64, read-only; with `i`, of
        floats.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        return self._get(_DMI, "", (period,), i, missing)

    def ema(self, source: str = "close", period: int = 20, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Exponential moving average. Mean of all prices so far, each weighted by a constant factor less than the next.

        Parameters
        ----------
        source
            Column to read: open, high, low, close or volume.
        period
            Span of the mean, in bars. Whole number from 1 to 1000000, 20 by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        ema
            The mean, in the unit of the input. Not NaN from the first bar on at the earliest.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        return self._get(_EMA, source, (period,), i, missing)

    def garch_volatility(self, source: str = "close", alpha: float = 0.05, beta: float = 0.9, omega: float | None = None, use_log_returns: bool = True, scale: float = 100.0, min_periods: int = 50, sigma_floor: float = 1e-06, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """GARCH volatility. Expected size of the next return, by the recursion of GARCH(1, 1) with given weights.

        Parameters
        ----------
        source
            Column to read: open, high, low, close or volume.
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
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        garch_volatility
            Standard deviation of the return of one bar, as a fraction of the price. Not NaN from
            bar 1 + min_periods on at the earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed or not ``alpha + beta < 1``.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        return self._get(_GARCH_VOLATILITY, source, (alpha, beta, omega, use_log_returns, scale, min_periods, sigma_floor), i, missing)

    def kalman_garch_zscore(self, source: str = "close", R: float = 0.01, Q: float = 1.0, alpha: float = 0.05, beta: float = 0.9, omega: float | None = None, use_log_returns: bool = True, scale: float = 100.0, min_periods: int = 50, sigma_floor: float = 1e-06, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Distance from a Kalman mean in GARCH volatilities. Distance of the price from its filtered level, in expected sizes of the next move.

        Parameters
        ----------
        source
            Column to read: open, high, low, close or volume.
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
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        kalman_garch_zscore
            The distance, in moves of one standard deviation. Not NaN from bar 1 + min_periods on at
            the earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed or not ``alpha + beta < 1``.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        return self._get(_KALMAN_GARCH_ZSCORE, source, (R, Q, alpha, beta, omega, use_log_returns, scale, min_periods, sigma_floor), i, missing)

    def kalman_mean(self, source: str = "close", R: float = 0.01, Q: float = 1.0, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Kalman mean. Level of the price behind its noise, by a Kalman filter of one dimension.

        Parameters
        ----------
        source
            Column to read: open, high, low, close or volume.
        R
            Variance of the prices around the level, in the unit of `Q`. Number from 1e-12 to
            1000000000000.0, 0.01 by default.
        Q
            Variance of the level's step from bar to bar. Number from 0.0 to 1000000000000.0, 1.0 by
            default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        kalman_mean
            The level, in the unit of the input. Not NaN from the first bar on at the earliest.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        return self._get(_KALMAN_MEAN, source, (R, Q), i, missing)

    def kalman_zscore(self, source: str = "close", window: int = 100, R: float = 0.01, Q: float = 1.0, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Standard score against a Kalman mean. Distance of the price from its filtered level, in standard deviations of that distance.

        Parameters
        ----------
        source
            Column to read: open, high, low, close or volume.
        window
            Length of the window, in bars. Whole number from 1 to 1000000, 100 by default.
        R
            Variance of the prices around the level, in the unit of `Q`. Number from 1e-12 to
            1000000000000.0, 0.01 by default.
        Q
            Variance of the level's step from bar to bar. Number from 0.0 to 1000000000000.0, 1.0 by
            default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        kalman_zscore
            The distance, in sample standard deviations. Not NaN from bar max(window, 2) - 1 on at
            the earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        return self._get(_KALMAN_ZSCORE, source, (window, R, Q), i, missing)

    def macd(self, source: str = "close", fast: int = 12, slow: int = 26, signal: int = 9, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Moving average convergence/divergence. Difference of a fast and a slow exponential moving average, with its own average as signal.

        Parameters
        ----------
        source
            Column to read: open, high, low, close or volume.
        fast
            Span of the fast average, in bars. Whole number from 1 to 1000000, 12 by default.
        slow
            Span of the slow average, in bars. Whole number from 1 to 1000000, 26 by default.
        signal
            Span of the signal's average, in bars. Whole number from 1 to 1000000, 9 by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

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

        A named tuple of arrays with as many values as bars, float64, read-only; with `i`, of
        floats.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        return self._get(_MACD, source, (fast, slow, signal), i, missing)

    def residual_zscore(self, source: str = "close", window: int = 100, mean_source: Literal["rolling", "ema"] = 'rolling', ema_period: int | None = None, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Standard score of residuals. Distance of the price from a moving average, in standard deviations of that distance.

        Parameters
        ----------
        source
            Column to read: open, high, low, close or volume.
        window
            Length of the windows, in bars. Whole number from 1 to 1000000, 100 by default.
        mean_source
            The moving average. 'rolling' or 'ema', 'rolling' by default.
        ema_period
            Span of the ema, in bars; None for `window`. Of no effect on a rolling mean. Whole
            number from 1 to 1000000, or None, None by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        residual_zscore
            The distance, in sample standard deviations. Not NaN from bar (2 if mean_source ==
            'rolling' else 1) * (max(window, 2) - 1) on at the earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        return self._get(_RESIDUAL_ZSCORE, source, (window, mean_source, ema_period), i, missing)

    def roc(self, source: str = "close", period: int = 14, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Rate of change. Change of the price over some bars, in percent.

        Parameters
        ----------
        source
            Column to read: open, high, low, close or volume.
        period
            Distance of the two prices, in bars. Whole number from 1 to 1000000, 14 by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        roc
            The change, in percent. Not NaN from bar period on at the earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        return self._get(_ROC, source, (period,), i, missing)

    def rsi(self, source: str = "close", period: int = 14, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Relative strength index. Share of the rises in all recent price changes, from 0 to 100.

        Parameters
        ----------
        source
            Column to read: open, high, low, close or volume.
        period
            Reciprocal of the smoothing factor, in bars. Whole number from 1 to 1000000, 14 by
            default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        rsi
            The index, from 0 to 100. Not NaN from bar 1 on at the earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        return self._get(_RSI, source, (period,), i, missing)

    def sma(self, source: str = "close", period: int = 20, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Simple moving average. Mean of the last prices.

        Parameters
        ----------
        source
            Column to read: open, high, low, close or volume.
        period
            Length of the window, in bars. Whole number from 1 to 1000000, 20 by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        sma
            The mean, in the unit of the input. Not NaN from bar period - 1 on at the earliest,
            counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        return self._get(_SMA, source, (period,), i, missing)

    def true_range(self, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """True range. Range of a bar, extended to the close before it.

        Parameters
        ----------
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        true_range
            The range, in the unit of the prices. Not NaN from the first bar on at the earliest.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        return self._get(_TRUE_RANGE, "", (), i, missing)

    def zscore(self, source: str = "close", window: int = 100, i: int | None = None, missing: MissingPolicy | None = None) -> Any:
        """Standard score. Distance of the price from its mean, in standard deviations.

        Parameters
        ----------
        source
            Column to read: open, high, low, close or volume.
        window
            Length of the window, in bars. Whole number from 1 to 1000000, 100 by default.
        i
            Bar whose value to return, negative counting from the end, NaN beyond the ends; None for
            all bars.
        missing
            What to do about missing bars: default (as under Notes), propagate, skip or raise; None
            for what the cache was made with.

        Returns
        -------
        zscore
            The distance, in sample standard deviations. Not NaN from bar max(window, 2) - 1 on at
            the earliest, counted from 0.

        An array with as many values as bars, float64, read-only; with `i`, a float.

        Raises
        ------
        UnknownSeriesError
            When there is no such timeframe or price type.
        ParameterError
            When a parameter is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        SchemaError
            When the series lacks a column.

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
        return self._get(_ZSCORE, source, (window,), i, missing)
