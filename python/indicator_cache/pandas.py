"""The surface of the module that this package replaces, on pandas: one import changes.

    from indicator_cache.pandas import IndicatorCache

Methods, positional order and defaults are those of the original; results are series of pandas, or
tuples of them, on a ``RangeIndex`` as long as the list of candles. The numbers come from the same
cache and kernels as everything else here. Results are kept, and the same object is returned on
every call; their values are read-only, where those of the original could be overwritten by mistake
for everybody.

This module needs pandas (``pip install "indicator-cache[pandas]"``); the others do not.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from . import backends
from ._frames import FIELDS
from ._generated.catalog import BY_NAME
from ._series import read_candles
from .cache import IndicatorCache as _Cache
from .errors import ParameterError

__all__ = [
    "IndicatorCache",
    "clear_indicator_cache_pool",
    "get_cached_indicator_cache",
    "indicator_cache_pool_size",
]

Candles: TypeAlias = Sequence[object]
MultiCandleData: TypeAlias = Mapping[str, Mapping[str, Candles]]
Floats: TypeAlias = npt.NDArray[np.float64]


class IndicatorCache:
    """Indicators over lists of candles, by timeframe and price type, as series of pandas.

    Parameters
    ----------
    multi_candle_data
        Timeframe to price type to a list of candles: dicts, or objects, with open, high, low, close
        and volume. None is a missing bar; a field that a candle lacks is missing in that bar. Lists
        are read when one of their results is first asked for, as far as they went when the cache
        was made.

    A timeframe or price type that does not exist, and an empty list, give empty results.

    Examples
    --------
    >>> from indicator_cache.pandas import IndicatorCache
    >>> cache = IndicatorCache({"M1": {"bid": [{"close": 1.0}, {"close": 2.0}, None]}})
    >>> cache.ema("M1", "bid", 3).tolist()
    [1.0, 1.5, 1.5]
    """

    def __init__(self, multi_candle_data: MultiCandleData) -> None:
        self._candles = {
            (tf, price_type): (candles, len(candles))
            for tf, sides in multi_candle_data.items()
            for price_type, candles in sides.items()
        }
        self._caches: dict[tuple[str, str], _Cache] = {}
        self._kept: dict[Hashable, Any] = {}
        self._reading = threading.Lock()

    # --- bars ---

    def get_df(self, tf: str, price_type: str = "bid") -> pd.DataFrame:
        """Return the bars: open, high, low, close, volume."""
        columns = {name: self._column(tf, price_type, name) for name in FIELDS}
        return pd.DataFrame(columns)

    def get_closes(self, tf: str, price_type: str = "bid") -> pd.Series[float]:
        """Return the closing prices."""
        key = ("get_closes", tf, price_type)
        if key not in self._kept:
            self._kept[key] = _series(self._column(tf, price_type, "close"))
        closes: pd.Series[float] = self._kept[key]
        return closes

    @staticmethod
    def at(series: pd.Series[float] | None, index: int) -> float | None:
        """Return one value; None when there is no such bar, or its value is missing."""
        if series is None or not 0 <= index < len(series):
            return None
        value = float(series.iloc[index])
        return None if math.isnan(value) else value

    # --- indicators ---

    def ema(self, tf: str, price_type: str, period: int) -> pd.Series[float]:
        """Exponential moving average of the close. ValueError for a period below 1."""
        return self._one("ema", tf, price_type, period)

    def ema_stepwise(self, tf: str, price_type: str, period: int) -> pd.Series[float]:
        """Exponential moving average over new candles, carried forward over their repeats."""
        return self._one("ema", tf, price_type, period, stepwise=True)

    def sma(self, tf: str, price_type: str, period: int) -> pd.Series[float]:
        """Return the simple moving average of the close."""
        return self._one("sma", tf, price_type, period)

    def rsi(self, tf: str, price_type: str, period: int = 14) -> pd.Series[float]:
        """Relative strength index of the close."""
        return self._one("rsi", tf, price_type, period)

    def roc(self, tf: str, price_type: str, period: int = 14) -> pd.Series[float]:
        """Rate of change of the close, in percent."""
        return self._one("roc", tf, price_type, period)

    def atr(self, tf: str, price_type: str, period: int = 14) -> pd.Series[float]:
        """Average true range. All missing for a period below 1."""
        if period <= 0:
            return self._missing(tf, price_type)
        return self._one("atr", tf, price_type, period)

    def choppiness(self, tf: str, price_type: str, period: int = 14) -> pd.Series[float]:
        """Choppiness index."""
        return self._one("choppiness", tf, price_type, period)

    def macd(
        self,
        tf: str,
        price_type: str,
        fast_period: int = 12,
        slow_period: int = 26,
        signal_period: int = 9,
    ) -> tuple[pd.Series[float], pd.Series[float]]:
        """Return MACD of the close and its signal."""
        macd, signal, _ = self._all("macd", tf, price_type, fast_period, slow_period, signal_period)
        return macd, signal

    def dmi(
        self, tf: str, price_type: str, period: int = 14
    ) -> tuple[pd.Series[float], pd.Series[float], pd.Series[float]]:
        """Return +DI, -DI and ADX."""
        plus, minus, adx = self._all("dmi", tf, price_type, period)
        return plus, minus, adx

    def bollinger(
        self, tf: str, price_type: str, period: int = 20, std_factor: float = 2.0
    ) -> tuple[pd.Series[float], pd.Series[float], pd.Series[float]]:
        """Return upper band, middle and lower band of the close."""
        upper, middle, lower = self._all("bollinger", tf, price_type, period, std_factor)
        return upper, middle, lower

    def bollinger_stepwise(
        self, tf: str, price_type: str, period: int = 20, std_factor: float = 2.0
    ) -> tuple[pd.Series[float], pd.Series[float], pd.Series[float]]:
        """Return the bands over new candles, carried forward over their repeats."""
        upper, middle, lower = self._all(
            "bollinger", tf, price_type, period, std_factor, stepwise=True
        )
        return upper, middle, lower

    def zscore(
        self,
        tf: str,
        price_type: str,
        window: int = 100,
        mean_source: str = "rolling",
        ema_period: int | None = None,
    ) -> pd.Series[float]:
        """Score of the distance to a moving average: ``residual_zscore`` elsewhere here."""
        return self._one("residual_zscore", tf, price_type, window, mean_source, ema_period)

    def kalman_mean(
        self,
        tf: str,
        price_type: str,
        R: float = 0.01,  # noqa: N803 - a filter's R and Q are known by these names
        Q: float = 1.0,  # noqa: N803
    ) -> pd.Series[float]:
        """Level of the close, by a one-dimensional Kalman filter."""
        return self._one("kalman_mean", tf, price_type, R, Q)

    def kalman_zscore(
        self,
        tf: str,
        price_type: str,
        window: int = 100,
        R: float = 0.01,  # noqa: N803
        Q: float = 1.0,  # noqa: N803
    ) -> pd.Series[float]:
        """Score of the distance to the filtered level."""
        return self._one("kalman_zscore", tf, price_type, window, R, Q)

    def kalman_zscore_stepwise(
        self,
        tf: str,
        price_type: str,
        window: int = 100,
        R: float = 0.01,  # noqa: N803
        Q: float = 1.0,  # noqa: N803
    ) -> pd.Series[float]:
        """Score over new candles, carried forward over their repeats."""
        return self._one("kalman_zscore", tf, price_type, window, R, Q, stepwise=True)

    def garch_volatility(
        self,
        tf: str,
        price_type: str,
        alpha: float = 0.05,
        beta: float = 0.90,
        omega: float | None = None,
        use_log_returns: bool = True,  # noqa: FBT001, FBT002 - the original's order
        scale: float = 100.0,
        min_periods: int = 50,
        sigma_floor: float = 1e-6,
    ) -> pd.Series[float]:
        """Volatility of the returns, by GARCH(1, 1). All missing where alpha + beta >= 1."""
        if alpha + beta >= 1:
            return self._missing(tf, price_type)
        garch = (alpha, beta, omega, use_log_returns, scale, min_periods, sigma_floor)
        return self._one("garch_volatility", tf, price_type, *garch)

    def kalman_garch_zscore(
        self,
        tf: str,
        price_type: str,
        R: float = 0.01,  # noqa: N803
        Q: float = 1.0,  # noqa: N803
        alpha: float = 0.05,
        beta: float = 0.90,
        omega: float | None = None,
        use_log_returns: bool = True,  # noqa: FBT001, FBT002
        scale: float = 100.0,
        min_periods: int = 50,
        sigma_floor: float = 1e-6,
    ) -> pd.Series[float]:
        """Distance to the filtered level by volatility. All missing where alpha + beta >= 1."""
        if alpha + beta >= 1:
            return self._missing(tf, price_type)
        garch = (alpha, beta, omega, use_log_returns, scale, min_periods, sigma_floor)
        return self._one("kalman_garch_zscore", tf, price_type, R, Q, *garch)

    def garch_volatility_local(
        self,
        tf: str,
        price_type: str,
        idx: int,
        lookback: int = 400,
        alpha: float = 0.05,
        beta: float = 0.90,
        omega: float | None = None,
        use_log_returns: bool = True,  # noqa: FBT001, FBT002
        scale: float = 100.0,
        min_periods: int = 50,
        sigma_floor: float = 1e-6,
    ) -> pd.Series[float]:
        """Volatility on the last `lookback` bars up to `idx`. Empty where alpha + beta >= 1."""
        garch = (alpha, beta, omega, use_log_returns, scale, min_periods, sigma_floor)
        return _series(self._local("garch_volatility", tf, price_type, idx, lookback, garch))

    def kalman_garch_zscore_local(
        self,
        tf: str,
        price_type: str,
        idx: int,
        lookback: int = 400,
        R: float = 0.01,  # noqa: N803
        Q: float = 1.0,  # noqa: N803
        alpha: float = 0.05,
        beta: float = 0.90,
        omega: float | None = None,
        use_log_returns: bool = True,  # noqa: FBT001, FBT002
        scale: float = 100.0,
        min_periods: int = 50,
        sigma_floor: float = 1e-6,
    ) -> float | None:
        """Score at `idx` from the last `lookback` bars; None where there is none."""
        if not 0 <= idx < len(self._column(tf, price_type, "close")):
            return None
        garch = (alpha, beta, omega, use_log_returns, scale, min_periods, sigma_floor)
        scores = self._local("kalman_garch_zscore", tf, price_type, idx, lookback, (R, Q, *garch))
        return float(scores[-1]) if len(scores) and math.isfinite(scores[-1]) else None

    def vol_cluster_series(
        self,
        tf: str,
        price_type: str,
        idx: int,
        feature: str,
        atr_length: int,
        garch_lookback: int,
        garch_alpha: float = 0.05,
        garch_beta: float = 0.90,
        garch_omega: float | None = None,
        garch_use_log_returns: bool = True,  # noqa: FBT001, FBT002
        garch_scale: float = 100.0,
        garch_min_periods: int = 50,
        garch_sigma_floor: float = 1e-6,
    ) -> pd.Series[float]:
        """Return what volatility is clustered by: ``"atr_points"``, or else the local GARCH."""
        if feature == "atr_points":
            return self.atr(tf, price_type, atr_length)
        return self.garch_volatility_local(
            tf,
            price_type,
            idx,
            garch_lookback,
            garch_alpha,
            garch_beta,
            garch_omega,
            garch_use_log_returns,
            garch_scale,
            garch_min_periods,
            garch_sigma_floor,
        )

    # --- how ---

    def _one(
        self, name: str, tf: str, price_type: str, *values: object, stepwise: bool = False
    ) -> pd.Series[float]:
        (series,) = self._all(name, tf, price_type, *values, stepwise=stepwise)
        return series

    def _all(
        self, name: str, tf: str, price_type: str, *values: object, stepwise: bool = False
    ) -> tuple[pd.Series[float], ...]:
        key = (name, tf, price_type, values, stepwise)
        kept = self._kept.get(key)
        if kept is None:
            spec = BY_NAME[name]
            named: dict[str, Any] = dict(
                zip((p.name for p in spec.parameters), values, strict=True)
            )
            cache = self._cache(tf, price_type)
            if cache is None:
                spec.normalise(named)
                columns = [np.empty(0)] * len(spec.outputs)
            else:
                result: Any = cache.get(tf, price_type, name, stepwise=stepwise, **named)
                columns = [result] if len(spec.outputs) == 1 else list(result)
            kept = self._kept[key] = tuple(map(_series, columns))
        answer: tuple[pd.Series[float], ...] = kept
        return answer

    def _local(
        self,
        name: str,
        tf: str,
        price_type: str,
        idx: int,
        lookback: int,
        values: tuple[Any, ...],
    ) -> Floats:
        names = (parameter.name for parameter in BY_NAME[name].parameters)
        named: dict[str, Any] = dict(zip(names, values, strict=True))
        cache = self._cache(tf, price_type)
        if cache is None or named["alpha"] + named["beta"] >= 1:
            return np.empty(0)
        found: Floats = cache.local(tf, price_type, name, idx, lookback=lookback, **named)
        return found

    def _missing(self, tf: str, price_type: str) -> pd.Series[float]:
        return _series(np.full(len(self._column(tf, price_type, "close")), np.nan))

    def _column(self, tf: str, price_type: str, name: str) -> Floats:
        cache = self._cache(tf, price_type)
        return np.empty(0) if cache is None else cache._find(tf, price_type).column(name)

    def _cache(self, tf: str, price_type: str) -> _Cache | None:
        """Return the cache over one list, which is read now unless it was; None for none."""
        key = (tf, price_type)
        candles, count = self._candles.get(key, ((), 0))
        if not count:
            return None
        with self._reading:
            if key not in self._caches:
                native = backends.active().name == "native"
                series = read_candles(
                    f"{tf} {price_type}", candles[:count], native=native, lenient=True
                )
                self._caches[key] = _Cache({tf: {price_type: series}})
            return self._caches[key]


def _series(column: Floats) -> pd.Series[float]:
    column.flags.writeable = False
    return pd.Series(column, copy=False)


# --- the pool ---

_pool: weakref.WeakValueDictionary[Hashable, IndicatorCache] = weakref.WeakValueDictionary()
_pooling = threading.Lock()


def get_cached_indicator_cache(multi: MultiCandleData) -> IndicatorCache:
    """Return the cache over these very lists, as long as they are now, if one is alive.

    Two mappings with the same lists, by identity and length, share one. It is held weakly: it lives
    as long as somebody has it.
    """
    if not isinstance(multi, Mapping):
        raise ParameterError("multi", multi, "timeframes to price types to lists of candles")
    key = frozenset(
        (tf, price_type, id(candles), len(candles))
        for tf, sides in multi.items()
        for price_type, candles in sides.items()
    )
    with _pooling:
        # A living cache holds its lists, so that their identities are not given to others.
        cache = _pool.get(key)
        if cache is None:
            cache = _pool[key] = IndicatorCache(multi)
        return cache


def indicator_cache_pool_size() -> int:
    """Return how many caches of the pool are alive."""
    return len(_pool)


def clear_indicator_cache_pool() -> None:
    """Forget the caches of the pool. Whoever has one can go on with it."""
    with _pooling:
        _pool.clear()
