"""One cache of indicators over several timeframes and both sides of the book."""

from __future__ import annotations

import operator
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from . import backends
from ._arrays import FloatArray, frozen
from ._compute import Result, normalise, results
from ._generated.catalog import BY_NAME
from ._generated.methods import CacheMethods, ViewMethods
from ._series import FIELDS, Series, read_series
from ._store import CacheStats, ResultStore
from .errors import ParameterError, SchemaError, UnknownSeriesError
from .spec import IndicatorSpec

__all__ = ["CacheStats", "IndicatorCache", "SeriesView"]


class IndicatorCache(CacheMethods):
    """Computes indicators once and keeps them.

    ``bars[timeframe][price_type]`` is a sequence of candles or a mapping of columns:

    - a candle is a dict or an object with ``open``, ``high``, ``low``, ``close`` and, if the first
      one has it, ``volume``; None is a missing bar, and so is a field that is None. The same
      object at successive bars is one candle of a longer timeframe, repeated;
    - a mapping has array-likes under those names, at least one, and may have ``timestamp`` (equal
      ones belong to one candle), ``new_bar`` (true where a candle begins; takes precedence) and
      ``valid`` (false where the bar is missing).

    All series have the same number of bars. They are read once, here; later changes to the bars
    have no effect.

    The cache is safe to use from many threads: a missing result is computed by one of them while
    the others that want it wait. Arrays are read-only, and the same object on every call.

    Parameters
    ----------
    bars
        The bars, by timeframe and price type.
    max_bytes
        Bound for the results kept; the least recently used are dropped first. None for no bound.
    backend
        Name of the backend that this cache is pinned to; None follows :func:`use_backend`.

    Raises
    ------
    SchemaError
        When the bars are not in this form, or differ in length.
    ParameterError
        When `max_bytes` or `backend` is not allowed.
    BackendUnavailableError
        When the backend asked for cannot be used.

    Examples
    --------
    >>> from indicator_cache import IndicatorCache
    >>> cache = IndicatorCache({"M1": {"bid": {"close": [1.0, 2.0, 3.0, 4.0]}}})
    >>> cache.ema("M1", "bid", "close", 3)
    array([1.   , 1.5  , 2.25 , 3.125])
    >>> cache.ema("M1", "bid", "close", 3, i=-1)
    3.125
    """

    def __init__(
        self,
        bars: Mapping[Any, Mapping[Any, object]],
        *,
        max_bytes: int | None = None,
        backend: str | None = None,
    ) -> None:
        if max_bytes is not None and (type(max_bytes) is not int or max_bytes < 0):
            raise ParameterError("max_bytes", max_bytes, "a whole number of bytes, or None")
        self._backend = None if backend is None else backends.resolve(backend)
        native = (self._backend or backends.active()).name == "native"
        self._series = _read_all(bars, native=native)
        self._store: ResultStore[Result] = ResultStore(max_bytes)

    def __len__(self) -> int:
        """Return the number of bars."""
        return next(iter(next(iter(self._series.values()), {}).values()), _NO_BARS).bars

    def __repr__(self) -> str:
        """Return a summary."""
        series = sum(map(len, self._series.values()))
        return f"<IndicatorCache: {series} series of {len(self)} bars>"

    @property
    def timeframes(self) -> tuple[Any, ...]:
        """The timeframes, in the order of the bars."""
        return tuple(self._series)

    def price_types(self, tf: Hashable) -> tuple[Any, ...]:
        """Return the price types of a timeframe, in the order of the bars."""
        return tuple(self._sides(tf))

    def view(self, tf: Hashable, pt: Hashable, *, stepwise: bool = False) -> SeriesView:
        """Return one series with the same methods, less the first two arguments.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        stepwise
            Compute on the bars where a new candle begins, and carry the results forward over the
            repeats. This is for a longer timeframe that was aligned to shorter bars by repeating
            each candle. Needs candle objects, or a column ``timestamp`` or ``new_bar``.

        Raises
        ------
        UnknownSeriesError
            When there is no such series.
        SchemaError
            When `stepwise` is asked for and the bars do not tell where candles begin.
        """
        series = self._find(tf, pt)
        if stepwise:
            series.steps()
        return SeriesView(self, tf, pt, stepwise=stepwise)

    def get(
        self,
        tf: Hashable,
        pt: Hashable,
        name: str,
        *,
        source: str | None = None,
        i: int | None = None,
        stepwise: bool = False,
        **params: object,
    ) -> Result:
        """Return an indicator by name, with parameters by name: for configuration files.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        name
            Name of the indicator, as in :func:`catalog`.
        source
            Column that a single-series indicator reads, ``close`` unless given.
        i
            Bar whose value to return; None for all of them.
        stepwise
            As in :meth:`view`.
        **params
            The indicator's parameters; those left out have their defaults.

        Raises
        ------
        UnknownSeriesError
            When there is no such series.
        ParameterError
            For an unknown indicator or parameter, or a value that is not allowed.
        """
        spec = find_spec(name)
        values = spec.normalise(params)
        if source is not None and spec.inputs != ("x",):
            raise ParameterError("source", source, f"left out: {name} has inputs of its own")
        return self._get(spec, tf, pt, source or "close", values, i, stepwise=stepwise)

    def ema_stepwise(
        self,
        tf: Hashable,
        pt: Hashable,
        source: str = "close",
        period: int = 20,
        i: int | None = None,
    ) -> Result:
        """Exponential moving average over new candles only; see :meth:`view` and :meth:`ema`."""
        return self._get(BY_NAME["ema"], tf, pt, source, (period,), i, stepwise=True)

    def bollinger_stepwise(
        self,
        tf: Hashable,
        pt: Hashable,
        source: str = "close",
        period: int = 20,
        std_factor: float = 2.0,
        i: int | None = None,
    ) -> Result:
        """Bollinger bands over new candles only; see :meth:`view` and :meth:`bollinger`."""
        return self._get(
            BY_NAME["bollinger"], tf, pt, source, (period, std_factor), i, stepwise=True
        )

    def stats(self) -> CacheStats:
        """Return counts of hits, misses and evictions, and what is held."""
        return self._store.stats()

    def clear(self) -> None:
        """Forget all results. Arrays handed out stay valid."""
        self._store.clear()

    def _get(
        self,
        spec: IndicatorSpec,
        tf: Hashable,
        pt: Hashable,
        source: str,
        values: tuple[object, ...],
        i: int | None,
        *,
        stepwise: bool = False,
    ) -> Result:
        """Return a result, from memory if it is there."""
        params = normalise(spec, values)
        if spec.inputs == ("x",):
            check_source(source)
        else:
            source = ""
        series = self._find(tf, pt)
        bar = None if i is None else bar_index(i)
        result = self._store.get(
            (spec.position, tf, pt, source, params, stepwise),
            lambda: self._compute(spec, series, source, params, stepwise=stepwise),
        )
        return result if bar is None else pick(spec, result, bar)

    def _compute(
        self,
        spec: IndicatorSpec,
        series: Series,
        source: str,
        params: tuple[float, ...],
        *,
        stepwise: bool,
    ) -> tuple[Result, int]:
        inputs = [series.column(source if name == "x" else name) for name in spec.inputs]
        backend = self._backend or backends.active()
        if not stepwise:
            block, views = frozen(len(spec.outputs), series.bars)
            backend.run(spec, params, inputs, list(block))
        else:
            starts, begun = series.steps()
            steps = np.full((len(spec.outputs), len(starts) + 1), np.nan)
            # Column 0 stays NaN: it is for the bars before the first candle.
            fresh = [np.empty(len(starts)) for _ in spec.outputs]
            backend.run(spec, params, [column[starts] for column in inputs], fresh)
            steps[:, 1:] = fresh
            block, views = frozen(len(spec.outputs), series.bars)
            np.take(steps, begun, axis=1, out=block)
        block.flags.writeable = False
        return results(spec, views), block.nbytes

    def _find(self, tf: Hashable, pt: Hashable) -> Series:
        sides = self._sides(tf)
        try:
            return sides[pt]
        except (KeyError, TypeError):
            raise UnknownSeriesError(f"price type of {tf!r}", pt, tuple(sides)) from None

    def _sides(self, tf: Hashable) -> dict[Hashable, Series]:
        try:
            return self._series[tf]
        except (KeyError, TypeError):
            raise UnknownSeriesError("timeframe", tf, tuple(self._series)) from None


class SeriesView(ViewMethods):
    """One series of a cache: the same methods, without timeframe and price type."""

    def __init__(
        self, cache: IndicatorCache, tf: Hashable, pt: Hashable, *, stepwise: bool
    ) -> None:
        self._cache = cache
        self._tf = tf
        self._pt = pt
        self._stepwise = stepwise

    def __len__(self) -> int:
        """Return the number of bars."""
        return len(self._cache)

    def __repr__(self) -> str:
        """Return a summary."""
        kind = ", stepwise" if self._stepwise else ""
        return f"<SeriesView: {self._tf!r} {self._pt!r}{kind}, {len(self)} bars>"

    def get(
        self,
        name: str,
        *,
        source: str | None = None,
        i: int | None = None,
        **params: object,
    ) -> Result:
        """Return an indicator by name; see :meth:`IndicatorCache.get`."""
        return self._cache.get(
            self._tf, self._pt, name, source=source, i=i, stepwise=self._stepwise, **params
        )

    def _get(
        self, spec: IndicatorSpec, source: str, values: tuple[object, ...], i: int | None
    ) -> Result:
        return self._cache._get(  # noqa: SLF001 - the other half of the same thing
            spec, self._tf, self._pt, source, values, i, stepwise=self._stepwise
        )


_NO_BARS = Series("", {}, None, 0)


def pick(spec: IndicatorSpec, result: Result, bar: int) -> Result:
    """Return the value, or the named tuple of values, at a bar; NaN beyond the ends."""
    columns = [result] if len(spec.outputs) == 1 else result
    return results(spec, [_value(column, bar) for column in columns])


def _value(column: FloatArray, bar: int) -> float:
    return column.item(bar) if -len(column) <= bar < len(column) else np.nan


def bar_index(i: object) -> int:
    """Return `i` as a plain integer."""
    if not isinstance(i, bool):
        try:
            return operator.index(i)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise ParameterError("i", i, "a whole number, or None")


def check_source(source: object) -> None:
    """Refuse what is not the name of a column."""
    if not isinstance(source, str) or source not in FIELDS:
        raise ParameterError("source", source, f"one of {', '.join(FIELDS)}")


def find_spec(name: object) -> IndicatorSpec:
    """Return the declaration of an indicator."""
    spec = BY_NAME.get(name) if isinstance(name, str) else None
    if spec is None:
        raise ParameterError("indicator", name, f"one of {', '.join(BY_NAME)}")
    return spec


def _read_all(bars: object, *, native: bool) -> dict[Hashable, dict[Hashable, Series]]:
    every: dict[Hashable, dict[Hashable, Series]] = {}
    first: Series | None = None
    if not isinstance(bars, Mapping):
        raise SchemaError("bars", f"expected a mapping of timeframes, got {type(bars).__name__}")
    for tf, sides in bars.items():
        if not isinstance(sides, Mapping):
            raise SchemaError(
                str(tf), f"expected a mapping of price types, got {type(sides).__name__}"
            )
        every[tf] = {}
        for pt, candles in sides.items():
            series = read_series(f"{tf} {pt}", candles, native=native)
            first = first or series
            if series.bars != first.bars:
                raise SchemaError(
                    series.label,
                    f"expected {first.bars} bars, as many as {first.label}, got {series.bars}",
                )
            every[tf][pt] = series
    return every
