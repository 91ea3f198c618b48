"""Every indicator as a few lines over the primitives.

A kernel is named as in the catalog, takes its parameters by position, and has a method ``run``
that takes the next bars of its input columns and returns its output columns.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .primitives import (
    Column,
    Delay,
    Ewm,
    Garch,
    Level,
    Wilder,
    WindowMax,
    WindowMean,
    WindowMoments,
    WindowScore,
    larger_present,
    log,
    log10,
)


class Kernel(Protocol):
    """One indicator with its state."""

    def run(self, *columns: Column) -> Column | tuple[Column, ...]:
        """Take the next bars; return one result for each, or one column per output."""
        ...


class ema:
    def __init__(self, period: int) -> None:
        self.mean = Ewm(2.0 / (period + 1.0))

    def run(self, x: Column) -> Column:
        return self.mean.run(x)


class sma:
    def __init__(self, period: int) -> None:
        self.mean = WindowMean(period)

    def run(self, x: Column) -> Column:
        return self.mean.run(x)


class rsi:
    def __init__(self, period: int) -> None:
        self.previous = Delay(1)
        self.gain = Ewm(1.0 / period)
        self.loss = Ewm(1.0 / period)

    def run(self, x: Column) -> Column:
        change = x - self.previous.run(x)
        gain = self.gain.run(np.where(change <= 0.0, 0.0, change))
        loss = self.loss.run(np.where(-change <= 0.0, 0.0, -change))
        both = gain + loss
        # One infinite average decides the quotient, which the first form does not see.
        return np.where(np.abs(both) < np.inf, 100.0 * (gain / both), 100.0 / (1.0 + loss / gain))


class macd:
    def __init__(self, fast: int, slow: int, signal: int) -> None:
        self.fast = Ewm(2.0 / (fast + 1.0))
        self.slow = Ewm(2.0 / (slow + 1.0))
        self.signal = Ewm(2.0 / (signal + 1.0))

    def run(self, x: Column) -> tuple[Column, Column, Column]:
        macd = self.fast.run(x) - self.slow.run(x)
        signal = self.signal.run(macd)
        return macd, signal, macd - signal


class roc:
    def __init__(self, period: int) -> None:
        self.earlier = Delay(period)

    def run(self, x: Column) -> Column:
        earlier = self.earlier.run(x)
        return (x - earlier) / earlier * 100.0


class bollinger:
    def __init__(self, period: int, std_factor: float) -> None:
        self.moments = WindowMoments(period)
        self.per_degree = 1.0 / (period - 1) if period > 1 else np.inf
        self.std_factor = std_factor

    def run(self, x: Column) -> tuple[Column, Column, Column]:
        middle, squares = self.moments.run(x)
        width = self.std_factor * np.sqrt(squares * self.per_degree)
        return middle + width, middle, middle - width


class zscore:
    def __init__(self, window: int) -> None:
        self.moments = WindowMoments(window)
        self.per_degree = 1.0 / (window - 1) if window > 1 else np.inf

    def run(self, x: Column) -> Column:
        mean, squares = self.moments.run(x)
        return (x - mean) / np.sqrt(squares * self.per_degree)


class residual_zscore:
    def __init__(self, window: int, mean_source: str, ema_period: int | None) -> None:
        period = window if ema_period is None else ema_period
        rolling = mean_source == "rolling"
        self.mean = WindowMean(window) if rolling else Ewm(2.0 / (period + 1.0))
        self.score = WindowScore(window)

    def run(self, x: Column) -> Column:
        return self.score.run(x - self.mean.run(x))


class kalman_zscore:
    def __init__(self, window: int, r: float, q: float) -> None:
        self.level = Level(r, q)
        self.score = WindowScore(window)

    def run(self, x: Column) -> Column:
        return self.score.run(x - self.level.run(x))


class kalman_mean:
    def __init__(self, r: float, q: float) -> None:
        self.level = Level(r, q)

    def run(self, x: Column) -> Column:
        return self.level.run(x)


class garch_volatility:
    def __init__(
        self,
        alpha: float,
        beta: float,
        omega: float | None,
        use_log_returns: bool,  # noqa: FBT001 - as it is declared
        scale: float,
        min_periods: int,
        sigma_floor: float,
    ) -> None:
        if omega is None:
            omega = 1e-6 * max(1.0 - alpha - beta, 1e-6)
        self.previous = Delay(1)
        self.variance = Garch(omega, alpha, beta, sigma_floor * sigma_floor, min_periods)
        self.log_returns = use_log_returns
        self.scale = scale

    def run(self, x: Column) -> Column:
        ratio = x / self.previous.run(x)
        returns = self.scale * (log(ratio) if self.log_returns else ratio - 1.0)
        return np.sqrt(self.variance.run(returns)) / self.scale


class kalman_garch_zscore:
    def __init__(
        self,
        r: float,
        q: float,
        alpha: float,
        beta: float,
        omega: float | None,
        use_log_returns: bool,  # noqa: FBT001 - as it is declared
        scale: float,
        min_periods: int,
        sigma_floor: float,
    ) -> None:
        self.level = Level(r, q)
        self.volatility = garch_volatility(
            alpha, beta, omega, use_log_returns, scale, min_periods, sigma_floor
        )

    def run(self, x: Column) -> Column:
        unit = np.abs(x) * self.volatility.run(x)
        return np.where(unit == 0.0, np.nan, (x - self.level.run(x)) / unit)


class true_range:
    def __init__(self) -> None:
        self.previous_close = Delay(1)

    def run(self, high: Column, low: Column, close: Column) -> Column:
        previous = self.previous_close.run(close)
        up = larger_present(high - low, np.abs(high - previous))
        return larger_present(up, np.abs(low - previous))


class choppiness:
    def __init__(self, period: int) -> None:
        self.range = true_range()
        self.mean = WindowMean(period)
        self.highest, self.lowest = WindowMax(period), WindowMax(period)
        self.period = period
        self.digits = float(log10(np.array([period], np.float64))[0])

    def run(self, high: Column, low: Column, close: Column) -> Column:
        way = self.mean.run(self.range.run(high, low, close)) * self.period
        distance = self.highest.run(high) + self.lowest.run(-low)
        ratio = np.where(distance == 0.0, np.nan, way / distance)
        return 100.0 * log10(ratio) / self.digits


class atr:
    def __init__(self, period: int) -> None:
        self.range = true_range()
        self.average = Wilder(period)

    def run(self, high: Column, low: Column, close: Column) -> Column:
        return self.average.run(self.range.run(high, low, close))


class dmi:
    def __init__(self, period: int) -> None:
        self.previous_high, self.previous_low = Delay(1), Delay(1)
        self.range = true_range()
        self.plus, self.minus = Ewm(1.0 / period), Ewm(1.0 / period)
        self.mean_range, self.adx = Ewm(1.0 / period), Ewm(1.0 / period)

    def run(self, high: Column, low: Column, close: Column) -> tuple[Column, Column, Column]:
        up = high - self.previous_high.run(high)
        down = self.previous_low.run(low) - low
        plus = self.plus.run(np.where((up > down) & (up > 0.0), up, 0.0))
        minus = self.minus.run(np.where((down > up) & (down > 0.0), down, 0.0))
        mean_range = self.mean_range.run(self.range.run(high, low, close))
        plus_di = 100.0 * (plus / mean_range)
        minus_di = 100.0 * (minus / mean_range)
        dx = 100.0 * (np.abs(plus_di - minus_di) / (plus_di + minus_di))
        return plus_di, minus_di, self.adx.run(dx)


#: Every kernel by name.
KERNELS = {
    kernel.__name__: kernel
    for kernel in vars().copy().values()
    if isinstance(kernel, type) and kernel.__module__ == __name__ and kernel is not Kernel
}
