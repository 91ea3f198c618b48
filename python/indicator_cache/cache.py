"""One cache of indicators over several timeframes and both sides of the book."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from . import backends
from ._arrays import FloatArray, Growing, new_columns
from ._compute import Result, checked, results
from ._generated.catalog import BY_NAME
from ._generated.methods import CacheMethods, ViewMethods
from ._generated.results import BollingerResult
from ._memory import CacheStats, ResultStore
from ._missing import DEFAULT, MissingPolicy, checked_policy, guarded
from ._numbers import whole
from ._quality import Quality, QualityArray, QualityMachine
from ._requests import Request, parse_all
from ._saved import SavedMachine
from ._series import FIELDS, Batch, Series, Tail, read_next, read_series, series_of_table
from ._table import IndicatorTable
from .errors import (
    BackendError,
    MissingBarError,
    ParameterError,
    SchemaError,
    StateError,
    UnknownSeriesError,
)
from .spec import IndicatorSpec, Value, find_spec

if TYPE_CHECKING:
    from .store import Store
    from .store._link import StoreLink
    from .timeframes import Ladder

__all__ = ["CacheStats", "IndicatorCache", "SeriesView"]


class IndicatorCache(CacheMethods):
    """Computes indicators once and keeps them.

    ``bars[timeframe][price_type]`` is a sequence of candles, a mapping of columns or a table:

    - a candle is a dict or an object with ``open``, ``high``, ``low``, ``close`` and, if the first
      one has it, ``volume``; None is a missing bar, and so is a field that is None. The same
      object at successive bars is one candle of a longer timeframe, repeated;
    - a mapping has array-likes under those names, at least one, and may have ``timestamp`` (equal
      ones belong to one candle), ``new_bar`` (true where a candle begins; takes precedence) and
      ``valid`` (false where the bar is missing);
    - a table is anything with the Arrow PyCapsule interface (pyarrow, polars, a DuckDB relation), a
      ``pandas.DataFrame``, or a numpy array with named fields. Its columns have the same names and
      meanings, others are ignored; null is a missing value. Timestamps have to increase, unless
      ``new_bar`` says that a bar repeats its candle. Arrow memory is borrowed, not copied, where
      it is one row of float64 without nulls.

    All series have the same number of bars. They are read once, here; later changes to the bars
    have no effect. :meth:`append` adds bars, :meth:`peek` answers for one that is still forming.

    The cache is safe to use from many threads: a missing result is computed by one of them while
    the others that want it wait. Arrays are read-only, and the same object on every call.

    Parameters
    ----------
    bars
        The bars, by timeframe and price type.
    max_bytes
        Bound for the arrays kept; the least recently used are dropped first. None for no bound.
        The state from which a result goes on, some windows long at most, is not counted.
    backend
        Name of the backend that this cache is pinned to; None follows :func:`use_backend`.
    missing
        What to do about missing bars where a call does not tell: ``default``, ``propagate``,
        ``skip`` or ``raise``; see docs/missing.md.
    store
        A directory, or a :class:`Store`, in which results are looked for before they are computed,
        and left for other caches and processes; see docs/store.md. None for none.

    Raises
    ------
    SchemaError
        When the bars are not in this form, or differ in length.
    ParameterError
        When `max_bytes`, `backend`, `missing` or `store` is not allowed.
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
        missing: MissingPolicy = DEFAULT,
        store: Store | str | os.PathLike[str] | None = None,
    ) -> None:
        if max_bytes is not None and (type(max_bytes) is not int or max_bytes < 0):
            raise ParameterError("max_bytes", max_bytes, "a whole number of bytes, or None")
        self._missing = checked_policy(missing)
        self._backend = None if backend is None else backends.resolve(backend)
        native = (self._backend or backends.active()).name == "native"
        self._series = _read_all(bars, native=native)
        self._store: ResultStore[_Entry] = ResultStore(max_bytes)
        self._link = None if store is None else _linked(store)
        self._appending = threading.Lock()
        # Stays empty where results may be dropped: it does not know what was used last.
        self._recent = {}
        self._quick = 0

    @classmethod
    def from_bars(
        cls,
        bars: object,
        timeframes: Sequence[str],
        *,
        price_type: Hashable = "bid",
        bar: Literal["closed", "developing"] = "closed",
        policy: Literal["carry_forward", "strict"] = "carry_forward",
        max_age: object = None,
        timestamps: Literal["open", "close"] = "open",
        zone: object = None,
        naive: Literal["utc"] | None = None,
        session: object = None,
        week_start: str = "monday",
        max_bytes: int | None = None,
        backend: str | None = None,
        missing: MissingPolicy = DEFAULT,
        store: Store | str | os.PathLike[str] | None = None,
    ) -> IndicatorCache:
        """Make a cache over several timeframes from the bars of the shortest.

        The longer ones are made by :func:`resample` and told to each bar by :func:`align`: a bar
        knows what was over when it ended, and nothing of what came later. Their stepwise
        results, as from ``view(tf, pt, stepwise=True)``, are those of the longer bars; developing
        bars have none.

        :meth:`append` and :meth:`peek` of the cache take bars in the form of `bars`; they extend
        all timeframes, as a new cache on all bars would have them, bit for bit.

        Parameters
        ----------
        bars
            Columns by name, with ``timestamp``; or a mapping of price types to such bars, all
            with the same timestamps.
        timeframes
            That of `bars`, and longer ones: ``["M1", "H1", "D1"]``.
        price_type
            The price type of `bars`, if they have only one.
        bar, policy, max_age
            As for :func:`align`.
        timestamps, zone, naive, session, week_start
            As for :func:`resample`.
        max_bytes, backend, missing, store
            As for the class.

        Raises
        ------
        ParameterError
            When an argument is not allowed.
        SchemaError
            When the bars are not usable.
        BackendUnavailableError
            When the backend asked for cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from indicator_cache import IndicatorCache
        >>> minutes = np.datetime64("2024-01-02T09:58") + np.arange(4)
        >>> bars = {"timestamp": minutes, "close": [1.0, 2.0, 3.0, 4.0]}
        >>> cache = IndicatorCache.from_bars(bars, ["M1", "H1"])
        >>> cache.sma("H1", "bid", "close", 1)
        array([nan,  2.,  2.,  2.])
        """
        from .timeframes import Ladder

        ladder = Ladder(
            timeframes,
            price_type=price_type,
            bar=bar,
            policy=policy,
            max_age=max_age,
            timestamps=timestamps,
            zone=zone,
            naive=naive,
            session=session,
            week_start=week_start,
        )
        return _Laddered(
            ladder, bars, max_bytes=max_bytes, backend=backend, missing=missing, store=store
        )

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

    @property
    def store(self) -> Store | None:
        """The store that results are shared through, if there is one."""
        return None if self._link is None else self._link.store

    def price_types(self, tf: Hashable) -> tuple[Any, ...]:
        """Return the price types of a timeframe, in the order of the bars."""
        return tuple(self._sides(tf))

    def view(
        self,
        tf: Hashable,
        pt: Hashable,
        *,
        stepwise: bool = False,
        missing: MissingPolicy | None = None,
    ) -> SeriesView:
        """Return one series with the same methods, less the first two arguments.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        stepwise
            Compute on the bars where a new candle begins, and carry the results forward over the
            repeats. This is for a longer timeframe that was aligned to shorter bars by repeating
            each candle. Needs candle objects, or a column ``timestamp`` or ``new_bar``.
        missing
            What to do about missing bars where a call does not tell; None for what the cache was
            made with.

        Raises
        ------
        UnknownSeriesError
            When there is no such series.
        SchemaError
            When `stepwise` is asked for and the bars do not tell where candles begin.
        ParameterError
            When there is no such policy for missing bars.
        """
        series = self._find(tf, pt)
        if stepwise:
            series.steps()
        if missing is not None:
            missing = checked_policy(missing)
        return SeriesView(self, tf, pt, stepwise=stepwise, missing=missing)

    def get(
        self,
        tf: Hashable,
        pt: Hashable,
        name: str,
        *,
        source: str | None = None,
        i: int | None = None,
        stepwise: bool = False,
        missing: MissingPolicy | None = None,
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
        stepwise, missing
            As in :meth:`view`.
        **params
            The indicator's parameters; those left out have their defaults.

        Raises
        ------
        UnknownSeriesError
            When there is no such series.
        ParameterError
            For an unknown indicator or parameter, or a value that is not allowed.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.
        """
        spec, source, values = _asked(name, source, params)
        return self._get(spec, tf, pt, source, values, i, missing, stepwise=stepwise)

    def quality(
        self,
        tf: Hashable,
        pt: Hashable,
        name: str,
        *,
        source: str | None = None,
        stepwise: bool = False,
        missing: MissingPolicy | None = None,
        **params: object,
    ) -> QualityArray:
        """Tell for each bar what an indicator's results there are made of.

        Only missing bars and the bars' number matter, not their values: where the formula itself
        has no value, as for 0 / 0, a valid bar may have NaN.

        Parameters
        ----------
        tf, pt, name, source, stepwise, missing, **params
            As in :meth:`get`, for the results that are meant.

        Returns
        -------
        One :class:`Quality` for each bar, as an array of uint8, read-only, to compare with:
        ``cache.quality("M1", "bid", "ema") == Quality.VALID``.

        Raises
        ------
        UnknownSeriesError, ParameterError, SchemaError, MissingBarError
            As :meth:`get`.

        Examples
        --------
        >>> from indicator_cache import IndicatorCache
        >>> close = [1.0, 2.0, 3.0, float("nan"), 5.0, 6.0]
        >>> cache = IndicatorCache({"M1": {"bid": {"close": close}}})
        >>> cache.sma("M1", "bid", "close", 2)
        array([nan, 1.5, 2.5, nan, nan, 5.5])
        >>> cache.quality("M1", "bid", "sma", period=2)
        array([0, 1, 1, 2, 2, 1], dtype=uint8)
        """
        spec, source, values = _asked(name, source, params)
        grades: QualityArray = self._get(
            spec, tf, pt, source, values, None, missing, stepwise=stepwise, quality=True
        )
        return grades

    def table(
        self,
        tf: Hashable,
        pt: Hashable,
        indicators: Sequence[str],
        *,
        stepwise: bool = False,
        missing: MissingPolicy | None = None,
    ) -> IndicatorTable:
        """Return indicators as the columns of a table, with the timestamps of the bars.

        Where the series has none, those of the first one that has any, since all series of a
        cache go bar by bar.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        indicators
            What to compute: ``NAME[:VALUE,...][@SOURCE]``, as ``"ema"``, ``"ema:20"``,
            ``"ema:period=20@high"`` or ``"bollinger:20,2.5"``. Values are in the order of the
            parameters, or named; those left out have their defaults.
        stepwise, missing
            As in :meth:`view`.

        Returns
        -------
        A table with ``__arrow_c_stream__``, ``to_pandas()``, ``to_polars()`` and ``to_arrow()``. A
        column is called by the indicator, its parameters, the source unless it is close, and the
        output if there are several: ``ema_20``, ``ema_20_high``, ``macd_12_26_9_signal``.

        Raises
        ------
        UnknownSeriesError
            When there is no such series.
        RequestError
            When some of `indicators` are not understood; it names all of them.
        ParameterError
            When there is no such policy for missing bars.
        SchemaError
            When the bars lack a column.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.

        Examples
        --------
        >>> from indicator_cache import IndicatorCache
        >>> cache = IndicatorCache({"M1": {"bid": {"close": [1.0, 2.0, 3.0, 4.0]}}})
        >>> cache.table("M1", "bid", ["ema:3", "macd:2,3,2"])
        <IndicatorTable: ema_3, macd_2_3_2_macd, macd_2_3_2_signal, macd_2_3_2_histogram; 4 bars>
        """
        if isinstance(indicators, str):
            indicators = [indicators]
        requests = parse_all(indicators, "close")
        every = [one for sides in self._series.values() for one in sides.values()]
        series = self._find(tf, pt)
        timed = next((one for one in (series, *every) if one.times is not None), series)
        times = None if timed.times is None else timed.times[: series.bars]
        columns: dict[str, FloatArray] = {}
        for request in requests:
            result = self._requested(request, tf, pt, missing, stepwise=stepwise)
            outputs = [result] if len(request.spec.outputs) == 1 else result
            # Bars that another thread appended meanwhile are not in this table.
            cut = (output[: series.bars] for output in outputs)
            columns.update(zip(request.columns, cut, strict=True))
        metadata = {**series.metadata, "timeframe": str(tf), "price_type": str(pt)}
        return IndicatorTable(columns, times, timed.tail.zone, metadata, series.bars)

    def _requested(
        self,
        request: Request,
        tf: Hashable,
        pt: Hashable,
        missing: MissingPolicy | None,
        *,
        stepwise: bool,
    ) -> Result:
        values = tuple(request.values.values())
        source = request.source or "close"
        return self._get(request.spec, tf, pt, source, values, None, missing, stepwise=stepwise)

    def prefetch(
        self,
        indicators: Sequence[str],
        *,
        series: Iterable[tuple[Hashable, Hashable]] | None = None,
        stepwise: bool = False,
        missing: MissingPolicy | None = None,
        threads: int | None = None,
    ) -> None:
        """Compute results that will be asked for, several at once.

        Whatever is computed is what the methods would compute, to the bit, and is kept as
        theirs is. Meanwhile anybody may use the cache. An interrupt leaves those results that are
        complete.

        Parameters
        ----------
        indicators
            What to compute: ``"ema:20"``, ``"sma:50@high"``, as in :meth:`table`.
        series
            Pairs of timeframe and price type; None is all of them.
        stepwise, missing
            As in :meth:`view`.
        threads
            How many results at once; None is as many as there are processors.

        Raises
        ------
        RequestError
            When some of `indicators` are not understood; it names all of them.
        UnknownSeriesError
            When there is no such series.
        ParameterError
            When `threads` is not a whole number above zero, or there is no such policy for
            missing bars.
        SchemaError
            When bars lack a column.
        MissingBarError
            When a bar is missing, and `missing` is to raise then.

        Nothing has been computed where one of the first three is raised.

        Examples
        --------
        >>> from indicator_cache import IndicatorCache
        >>> cache = IndicatorCache({"M1": {"bid": {"close": [1.0, 2.0, 3.0, 4.0]}}})
        >>> cache.prefetch(["ema:3", "sma:2"], threads=2)
        >>> cache.stats().entries
        2
        """
        if isinstance(indicators, str):
            indicators = [indicators]
        requests = parse_all(indicators, "close")
        workers = (os.cpu_count() or 1) if threads is None else whole(threads)
        if workers is None or workers < 1:
            raise ParameterError("threads", threads, "a whole number above zero, or None")
        policy = self._missing if missing is None else checked_policy(missing)
        pairs: list[Any]
        if series is None:
            pairs = [(tf, pt) for tf, sides in self._series.items() for pt in sides]
        else:
            pairs = list(series)
            for pair in pairs:
                match pair:
                    case (tf, pt):
                        self._find(tf, pt)
                    case _:
                        raise ParameterError("series", pair, "pairs of timeframe and price type")

        def compute(job: tuple[tuple[Hashable, Hashable], Request]) -> None:
            (tf, pt), request = job
            self._requested(request, tf, pt, policy, stepwise=stepwise)

        jobs = list(itertools.product(pairs, requests))
        if workers == 1:
            for job in jobs:
                compute(job)
            return
        # Not for everybody to wait for at import.
        from concurrent.futures import ThreadPoolExecutor

        pool = ThreadPoolExecutor(workers, thread_name_prefix="indicator-cache")
        try:
            for _ in pool.map(compute, jobs):
                pass
        finally:
            pool.shutdown(cancel_futures=True)

    def local(
        self,
        tf: Hashable,
        pt: Hashable,
        name: str,
        idx: int,
        *,
        lookback: int = 400,
        source: str | None = None,
        missing: MissingPolicy | None = None,
        **params: object,
    ) -> Result:
        """Return an indicator as if there were no bars but the last ones up to some bar.

        Computed anew on every call, and not kept.

        Parameters
        ----------
        tf, pt
            Timeframe and price type.
        name
            Name of the indicator, as in :func:`catalog`.
        idx
            Last bar of the window, negative counting from the end. Beyond the last bar, the last.
        lookback
            Bars of the window; fewer where there are not as many.
        source, missing, **params
            As in :meth:`get`. Missing bars before the window have no effect, whatever the policy.

        Returns
        -------
        The results at the bars of the window, as :meth:`get` would return them. No bars, where
        `idx` is before the first one.

        Raises
        ------
        UnknownSeriesError, ParameterError, SchemaError, MissingBarError
            As :meth:`get`.
        """
        spec, source, values = _asked(name, source, params)
        check_source(source)
        bars, last = whole(lookback), whole(idx)
        if bars is None or bars < 1:
            raise ParameterError("lookback", lookback, "a whole number from 1 on")
        if last is None:
            raise ParameterError("idx", idx, "a whole number")
        series = self._find(tf, pt)
        end = min(last if last >= 0 else last + series.bars, series.bars - 1) + 1
        window = slice(max(end - bars, 0), max(end, 0))
        inputs = [column[window] for column in _inputs(spec, series, source)]
        outputs = new_columns(len(spec.outputs), len(inputs[0]))
        try:
            self._computing(missing).run(spec, values, inputs, outputs)
        except MissingBarError as error:
            missed = error.position + window.start
            raise _in_series(error, series, source, missed) from None
        return results(spec, outputs)

    def _computing(self, missing: MissingPolicy | None) -> backends.Backend:
        """Return what computes, under a policy for missing bars."""
        backend = self._backend or backends.active()
        policy = self._missing if missing is None else missing
        return backend if policy is DEFAULT else guarded(backend, policy)

    def garch_volatility_local(
        self,
        tf: Hashable,
        pt: Hashable,
        idx: int,
        lookback: int = 400,
        *,
        source: str = "close",
        missing: MissingPolicy | None = None,
        **params: object,
    ) -> FloatArray:
        """Volatility on the bars up to `idx` alone; see :meth:`local`, :meth:`garch_volatility`."""
        volatility: FloatArray = self.local(
            tf,
            pt,
            "garch_volatility",
            idx,
            lookback=lookback,
            source=source,
            missing=missing,
            **params,
        )
        return volatility

    def kalman_garch_zscore_local(
        self,
        tf: Hashable,
        pt: Hashable,
        idx: int,
        lookback: int = 400,
        *,
        source: str = "close",
        missing: MissingPolicy | None = None,
        **params: object,
    ) -> float | None:
        """Score at `idx` from the bars up to it; see :meth:`local`, :meth:`kalman_garch_zscore`.

        None where there is none, or it is not finite, or `idx` is not a bar.
        """
        scores: FloatArray = self.local(
            tf,
            pt,
            "kalman_garch_zscore",
            idx,
            lookback=lookback,
            source=source,
            missing=missing,
            **params,
        )
        if not -len(self) <= idx < len(self):
            return None
        score = float(scores[-1])
        return score if np.isfinite(score) else None

    @overload
    def ema_stepwise(
        self,
        tf: Hashable,
        pt: Hashable,
        source: str = ...,
        period: int = ...,
        i: None = ...,
        *,
        missing: MissingPolicy | None = ...,
    ) -> FloatArray: ...

    @overload
    def ema_stepwise(
        self,
        tf: Hashable,
        pt: Hashable,
        source: str = ...,
        period: int = ...,
        *,
        i: int,
        missing: MissingPolicy | None = ...,
    ) -> float: ...

    @overload
    def ema_stepwise(
        self,
        tf: Hashable,
        pt: Hashable,
        source: str,
        period: int,
        i: int,
        *,
        missing: MissingPolicy | None = ...,
    ) -> float: ...

    def ema_stepwise(
        self,
        tf: Hashable,
        pt: Hashable,
        source: str = "close",
        period: int = 20,
        i: int | None = None,
        *,
        missing: MissingPolicy | None = None,
    ) -> Result:
        """Exponential moving average over new candles only; see :meth:`view` and :meth:`ema`."""
        return self._get(BY_NAME["ema"], tf, pt, source, (period,), i, missing, stepwise=True)

    def kalman_zscore_stepwise(
        self,
        tf: Hashable,
        pt: Hashable,
        source: str = "close",
        window: int = 100,
        R: float = 0.01,  # noqa: N803 - a filter's R and Q are known by these names
        Q: float = 1.0,  # noqa: N803
        i: int | None = None,
        *,
        missing: MissingPolicy | None = None,
    ) -> Result:
        """Score over new candles only; see :meth:`view` and :meth:`kalman_zscore`."""
        spec, values = BY_NAME["kalman_zscore"], (window, R, Q)
        return self._get(spec, tf, pt, source, values, i, missing, stepwise=True)

    @overload
    def bollinger_stepwise(
        self,
        tf: Hashable,
        pt: Hashable,
        source: str = ...,
        period: int = ...,
        std_factor: float = ...,
        i: None = ...,
        *,
        missing: MissingPolicy | None = ...,
    ) -> BollingerResult[FloatArray]: ...

    @overload
    def bollinger_stepwise(
        self,
        tf: Hashable,
        pt: Hashable,
        source: str = ...,
        period: int = ...,
        std_factor: float = ...,
        *,
        i: int,
        missing: MissingPolicy | None = ...,
    ) -> BollingerResult[float]: ...

    @overload
    def bollinger_stepwise(
        self,
        tf: Hashable,
        pt: Hashable,
        source: str,
        period: int,
        std_factor: float,
        i: int,
        *,
        missing: MissingPolicy | None = ...,
    ) -> BollingerResult[float]: ...

    def bollinger_stepwise(
        self,
        tf: Hashable,
        pt: Hashable,
        source: str = "close",
        period: int = 20,
        std_factor: float = 2.0,
        i: int | None = None,
        *,
        missing: MissingPolicy | None = None,
    ) -> Result:
        """Bollinger bands over new candles only; see :meth:`view` and :meth:`bollinger`."""
        spec, values = BY_NAME["bollinger"], (period, std_factor)
        return self._get(spec, tf, pt, source, values, i, missing, stepwise=True)

    def append(self, bars: Mapping[Any, Mapping[Any, object]]) -> None:
        """Add the next bar, or bars, of every series.

        Every cached result is extended, in time proportional to the new bars, and equals that of
        a new cache on all bars, bit for bit. Arrays handed out before stay as they are. Threads
        that ask meanwhile get results of the bars before.

        Parameters
        ----------
        bars
            ``bars[timeframe][price_type]`` for every series of the cache: for series of candles
            a candle, None, or a sequence of those; for others a mapping from names to values or
            arrays, or a table, with all columns as before. All series get the same number of bars.

        Raises
        ------
        UnknownSeriesError
            When there is a series that the cache does not have.
        SchemaError
            When one is missing, or its bars are not usable, or they differ in number.

        In either case nothing is added.
        """
        with self._appending:
            batches = _read_next(self._series, bars)
            series = {
                tf: {pt: one.extended(batches[tf, pt]) for pt, one in sides.items()}
                for tf, sides in self._series.items()
            }
            extended = {}

            def commit() -> None:
                self._series = series
                self._recent = {}

            try:
                for key, entry in self._store.items():
                    try:
                        longer = entry.extended(series[entry.tf][entry.pt])
                    except (BackendError, MemoryError, MissingBarError, SchemaError, StateError):
                        # The result will be computed anew when somebody asks for it.
                        continue
                    extended[key] = longer, longer.size
                self._store.replace(extended, commit)
            except BaseException:
                # An interruption. Some states have taken the bars, so none may be gone on from.
                self._store.replace({}, lambda: None)
                raise

    def peek(self, bars: Mapping[Any, Mapping[Any, object]]) -> IndicatorCache:
        """Answer for a bar that is still forming, without adding it.

        Parameters
        ----------
        bars
            One bar for every series, as for :meth:`append`.

        Returns
        -------
        A cache of all bars and this one. Results that this cache holds are only extended, not
        computed again. It is independent of what is appended here later.

        Raises
        ------
        UnknownSeriesError, SchemaError
            As :meth:`append`.
        """
        with self._appending:
            batches = _read_next(self._series, bars)
            if any(batch.bars != 1 for batch in batches.values()):
                raise SchemaError("bars", "expected exactly one bar for every series")
            return _Peek(self, batches)

    def stats(self) -> CacheStats:
        """Return counts of hits, misses and evictions, and what is held."""
        stats = self._store.stats()
        return stats._replace(hits=stats.hits + self._quick)

    def clear(self) -> None:
        """Forget all results. Arrays handed out stay valid."""
        self._store.clear()
        self._recent = {}
        self._quick = 0

    def _get(
        self,
        spec: IndicatorSpec,
        tf: Hashable,
        pt: Hashable,
        source: str,
        values: tuple[object, ...],
        i: int | None,
        missing: MissingPolicy | None = None,
        *,
        stepwise: bool = False,
        quality: bool = False,
    ) -> Result:
        """Return a result, or its quality, from memory if it is there."""
        params = checked(spec, values)
        policy = self._missing if missing is None else checked_policy(missing)
        if spec.inputs == ("x",):
            check_source(source)
        else:
            source = ""
        self._find(tf, pt)
        bar = None if i is None else bar_index(i)
        key = (spec.position, tf, pt, source, params, stepwise, policy, quality)
        # The map of this moment: bars appended from now on replace it.
        recent = self._recent
        # The series is looked up again once the store has noted that a computation begins: bars
        # appended after that make the store hand out its result, but not keep it.
        try:
            entry = self._store.get(key, lambda: self._compute(key, spec, self._find(tf, pt)))
        except MissingBarError as error:
            series = self._find(tf, pt)
            # Where results are stepwise, the kernel has counted candles.
            bar_of = series.steps()[0][error.position] if stepwise else error.position
            raise _in_series(error, series, source, int(bar_of)) from None
        result = entry.result
        usual = policy is self._missing and not stepwise and not quality
        if usual and self._store.max_bytes is None:
            start = (spec.position, tf, pt, source) if source else (spec.position, tf, pt)
            recent[start + params] = result
        return result if bar is None else pick(spec, result, bar)

    def _compute(self, key: _Key, spec: IndicatorSpec, series: Series) -> tuple[_Entry, int]:
        backend = self._computing(key[6])
        if key[7]:
            entry: _Entry = _Grades.computed(key, spec, series, backend)
        elif self._link is None:
            entry = _Entry.computed(key, spec, series, backend)
        else:
            entry = _Entry.shared(key, spec, series, backend, self._link)
        return entry, entry.size

    def _find(self, tf: Hashable, pt: Hashable) -> Series:
        try:
            return self._series[tf][pt]
        except (KeyError, TypeError):
            sides = self._sides(tf)
            raise UnknownSeriesError(f"price type of {tf!r}", pt, tuple(sides)) from None

    def _sides(self, tf: Hashable) -> dict[Hashable, Series]:
        try:
            return self._series[tf]
        except (KeyError, TypeError):
            raise UnknownSeriesError("timeframe", tf, tuple(self._series)) from None


class _Peek(IndicatorCache):
    """A cache with one more bar than another one, whose results it extends."""

    def __init__(
        self, cache: IndicatorCache, batches: dict[tuple[Hashable, Hashable], Batch]
    ) -> None:
        self._backend = cache._backend
        self._missing = cache._missing
        self._store = ResultStore(cache._store.max_bytes)
        # What is made of a bar that is still forming is of use to nobody else.
        self._link = None
        self._appending = threading.Lock()
        self._recent = {}
        self._quick = 0
        self._cache = cache
        self._before = cache._series
        self._series = {
            tf: {pt: one.joined(batches[tf, pt]) for pt, one in sides.items()}
            for tf, sides in cache._series.items()
        }

    def _compute(self, key: _Key, spec: IndicatorSpec, series: Series) -> tuple[_Entry, int]:
        with self._cache._appending:
            # Once the other cache has moved on, its states are of no use here.
            if self._cache._series is self._before and series is self._find(key[1], key[2]):
                held = self._cache._store.peek(key)
                if held is not None:
                    with suppress(StateError):
                        entry = held.peeked(series)
                        return entry, entry.size
        return super()._compute(key, spec, series)


class _Laddered(IndicatorCache):
    """A cache whose longer timeframes follow from the shortest."""

    def __init__(
        self,
        ladder: Ladder,
        bars: object,
        *,
        max_bytes: int | None,
        backend: str | None,
        missing: MissingPolicy,
        store: Store | str | os.PathLike[str] | None,
    ) -> None:
        tables, self._ladder = ladder.taken(bars)
        # Nobody else has these columns, or may write to them.
        series = {
            tf: {pt: series_of_table(f"{tf} {pt}", table, lent=True) for pt, table in sides.items()}
            for tf, sides in tables.items()
        }
        super().__init__(series, max_bytes=max_bytes, backend=backend, missing=missing, store=store)
        self._climbing = threading.Lock()

    def append(self, bars: object) -> None:
        with self._climbing:
            tables, ladder = self._ladder.taken(bars)
            count, before = len(self), self._ladder
            self._ladder = ladder
            try:
                super().append(tables)
            except BaseException:
                # An interruption may come when the bars are there already.
                if len(self) == count:
                    self._ladder = before
                raise

    def peek(self, bars: object) -> IndicatorCache:
        with self._climbing:
            tables, _ = self._ladder.taken(bars)
            return super().peek(tables)


class SeriesView(ViewMethods):
    """One series of a cache: the same methods, without timeframe and price type."""

    def __init__(
        self,
        cache: IndicatorCache,
        tf: Hashable,
        pt: Hashable,
        *,
        stepwise: bool,
        missing: MissingPolicy | None,
    ) -> None:
        self._cache = cache
        self._tf = tf
        self._pt = pt
        self._stepwise = stepwise
        self._missing = missing

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
        missing: MissingPolicy | None = None,
        **params: object,
    ) -> Result:
        """Return an indicator by name; see :meth:`IndicatorCache.get`."""
        return self._cache.get(
            self._tf,
            self._pt,
            name,
            source=source,
            i=i,
            stepwise=self._stepwise,
            missing=self._missing if missing is None else missing,
            **params,
        )

    def quality(
        self,
        name: str,
        *,
        source: str | None = None,
        missing: MissingPolicy | None = None,
        **params: object,
    ) -> QualityArray:
        """Tell what results are made of; see :meth:`IndicatorCache.quality`."""
        return self._cache.quality(
            self._tf,
            self._pt,
            name,
            source=source,
            stepwise=self._stepwise,
            missing=self._missing if missing is None else missing,
            **params,
        )

    def _get(
        self,
        spec: IndicatorSpec,
        source: str,
        values: tuple[object, ...],
        i: int | None,
        missing: MissingPolicy | None,
    ) -> Result:
        policy = self._missing if missing is None else missing
        return self._cache._get(
            spec, self._tf, self._pt, source, values, i, policy, stepwise=self._stepwise
        )


#: Indicator, timeframe, price type, source, parameters, whether stepwise, what of missing bars,
#: and whether it is the result or its quality.
_Key: TypeAlias = tuple[int, Hashable, Hashable, str, tuple[Value, ...], bool, MissingPolicy, bool]

#: What goes on from a result.
_Machine: TypeAlias = backends.Machine | QualityMachine


class _Entry:
    """A result with the state machine that goes on from it."""

    __slots__ = ("_columns", "_key", "_machine", "_spec", "result")

    #: What stands at bars before the first candle, as a column of one.
    _nothing: ClassVar[npt.NDArray[Any]] = np.array([np.nan])

    def __init__(
        self,
        key: _Key,
        spec: IndicatorSpec,
        machine: _Machine | SavedMachine,
        columns: list[Growing[Any]],
    ) -> None:
        self._key = key
        self._spec = spec
        self._machine = machine
        self._columns = columns
        self.result = self._handed_out([column.view() for column in columns])

    def _handed_out(self, columns: list[Any]) -> Result:
        return results(self._spec, columns)

    @staticmethod
    def _room(spec: IndicatorSpec, bars: int) -> list[Any]:
        """Return columns to fill."""
        return new_columns(len(spec.outputs), bars)

    @classmethod
    def _begin(
        cls,
        key: _Key,
        spec: IndicatorSpec,
        backend: backends.Backend,
        inputs: tuple[FloatArray, ...],
    ) -> tuple[_Machine, Sequence[Any]]:
        """Compute columns; return them behind what to go on with."""
        return backend.begin_new(spec, key[4], inputs)

    @property
    def tf(self) -> Hashable:
        """Timeframe."""
        return self._key[1]

    @property
    def pt(self) -> Hashable:
        """Price type."""
        return self._key[2]

    @property
    def size(self) -> int:
        """Bytes of the arrays."""
        size = 0
        for column, _ in self._columns:
            size += column.nbytes
        return size

    @classmethod
    def computed(
        cls, key: _Key, spec: IndicatorSpec, series: Series, backend: backends.Backend
    ) -> _Entry:
        """Compute a result over all bars of a series."""
        inputs = _inputs(spec, series, key[3])
        if not key[5]:
            machine, outputs = cls._begin(key, spec, backend, inputs)
        else:
            starts, lengths = series.steps()
            taken = tuple([column[starts] for column in inputs])
            machine, steps = cls._begin(key, spec, backend, taken)
            outputs = [np.repeat(np.concatenate((cls._nothing, step)), lengths) for step in steps]
        return cls(key, spec, machine, [Growing(column, len(column)) for column in outputs])

    @classmethod
    def shared(
        cls,
        key: _Key,
        spec: IndicatorSpec,
        series: Series,
        backend: backends.Backend,
        link: StoreLink,
    ) -> _Entry:
        """Take a result from a store, or compute it and leave it there."""
        _, tf, pt, source, params, stepwise, policy, _ = key
        names = [source if name == "x" else name for name in spec.inputs]
        about = link.about(spec, params, (tf, pt), series, names, stepwise=stepwise, missing=policy)
        found = link.load(about, spec, series.bars)
        if found is not None:
            taken = len(series.steps()[0]) if stepwise else series.bars
            machine = SavedMachine(found.state, spec, params, taken, backend.name, policy)
            return cls(key, spec, machine, [Growing(one, series.bars) for one in found.columns])
        entry = cls.computed(key, spec, series, backend)
        begun = entry._begun()
        # The quality of results is computed sooner than it is read, and not shared.
        if not isinstance(begun, QualityMachine):
            columns = [column.buffer for column in entry._columns]
            link.save(about, spec, columns, bytes(begun.save()))
        return entry

    def _begun(self) -> _Machine:
        """Return the machine to go on with."""
        if isinstance(self._machine, SavedMachine):
            self._machine = self._machine.restored()
        return self._machine

    def extended(self, series: Series) -> _Entry:
        """Go on with the bars that the series has more. This entry must not be used again."""
        more = self._continued(self._begun(), series)
        columns = [
            column.extended(values) for column, values in zip(self._columns, more, strict=True)
        ]
        return type(self)(self._key, self._spec, self._machine, columns)

    def peeked(self, series: Series) -> _Entry:
        """Return the result for a series with more bars; this entry stays as it is."""
        machine = self._begun().copy()
        more = self._continued(machine, series)
        columns = [
            Growing(np.append(column.buffer[: column.length], values), series.bars)
            for column, values in zip(self._columns, more, strict=True)
        ]
        return type(self)(self._key, self._spec, machine, columns)

    def _continued(self, machine: _Machine, series: Series) -> list[Any]:
        """Take the bars that the series has more; return the results at them."""
        _, _, _, source, _, stepwise, _, _ = self._key
        since = self._columns[0].length
        inputs = [column[since:] for column in _inputs(self._spec, series, source)]
        if not stepwise:
            outputs = self._room(self._spec, series.bars - since)
            machine.run(inputs, outputs)
            return outputs
        new_bars = series.new_bars(since)
        steps = self._room(self._spec, int(new_bars.sum()) + 1)
        for step, column in zip(steps, self._columns, strict=True):
            step[0] = column.buffer[since - 1] if since else self._nothing[0]
        machine.run([column[new_bars] for column in inputs], [step[1:] for step in steps])
        return [np.take(step, np.cumsum(new_bars)) for step in steps]


class _Grades(_Entry):
    """The quality of a result, with the machine that goes on from it."""

    __slots__ = ()

    _nothing = np.array([Quality.WARM_UP], np.uint8)

    def _handed_out(self, columns: list[Any]) -> QualityArray:
        (grades,) = columns
        return grades  # type: ignore[no-any-return]

    @staticmethod
    def _room(spec: IndicatorSpec, bars: int) -> list[Any]:  # noqa: ARG004
        return [np.empty(bars, np.uint8)]

    @classmethod
    def _begin(
        cls,
        key: _Key,
        spec: IndicatorSpec,
        backend: backends.Backend,  # noqa: ARG003 - it takes none
        inputs: tuple[FloatArray, ...],
    ) -> tuple[QualityMachine, list[Any]]:
        *_, params, _, policy, _ = key
        machine = QualityMachine(spec, params, policy)
        outputs = cls._room(spec, len(inputs[0]))
        machine.run(inputs, outputs)
        return machine, outputs


def _asked(
    name: str, source: str | None, params: Mapping[str, object]
) -> tuple[IndicatorSpec, str, tuple[Value, ...]]:
    """Return the declaration, the column to read and all parameters of what is asked for by name.

    Raises
    ------
    ParameterError
        For an unknown indicator or parameter, or a value that is not allowed.
    """
    spec = find_spec(BY_NAME, name)
    values = spec.normalise(params)
    if source is not None and spec.inputs != ("x",):
        raise ParameterError("source", source, f"left out: {name} has inputs of its own")
    return spec, "close" if source is None else source, values


def _linked(store: Store | str | os.PathLike[str]) -> StoreLink:
    from .store import Store
    from .store._link import StoreLink

    return StoreLink(store if isinstance(store, Store) else Store(store))


def _inputs(spec: IndicatorSpec, series: Series, source: str) -> tuple[FloatArray, ...]:
    if spec.inputs == ("x",):
        return (series.column(source),)
    return tuple(map(series.column, spec.inputs))


def _in_series(
    error: MissingBarError, series: Series, source: str, position: int
) -> MissingBarError:
    """Return the error in the words of the cache: with its series, bars and columns."""
    columns = tuple(source if name == "x" else name for name in error.columns)
    return MissingBarError(position, columns, series.label)


_NO_BARS = Series("", {}, None, Tail(""), 0)


def pick(spec: IndicatorSpec, result: Result, bar: int) -> Result:
    """Return the value, or the named tuple of values, at a bar; NaN beyond the ends."""
    columns = [result] if len(spec.outputs) == 1 else result
    return results(spec, [_value(column, bar) for column in columns])


def _value(column: FloatArray, bar: int) -> float:
    return column.item(bar) if -len(column) <= bar < len(column) else np.nan


def bar_index(i: object) -> int:
    """Return `i` as a plain integer."""
    bar = whole(i)
    if bar is None:
        raise ParameterError("i", i, "a whole number, or None")
    return bar


def check_source(source: object) -> None:
    """Refuse what is not the name of a column."""
    if not isinstance(source, str) or source not in FIELDS:
        raise ParameterError("source", source, f"one of {', '.join(FIELDS)}")


def _read_all(bars: object, *, native: bool) -> dict[Hashable, dict[Hashable, Series]]:
    every: dict[Hashable, dict[Hashable, Series]] = {}
    first: Series | None = None
    symbol: dict[str, str] = {}
    for (tf, pt), given in _flat(bars):
        keys = {**symbol, "timeframe": tf, "price_type": pt}
        series = read_series(f"{tf} {pt}", given, native=native, keys=keys)
        first = first or series
        symbol = {
            name: text for name, text in series.metadata.items() if name == "symbol"
        } or symbol
        if series.bars != first.bars:
            raise SchemaError(
                series.label,
                f"expected {first.bars} bars, as many as {first.label}, got {series.bars}",
            )
        every.setdefault(tf, {})[pt] = series
    return every


def _read_next(
    every: dict[Hashable, dict[Hashable, Series]], bars: object
) -> dict[tuple[Hashable, Hashable], Batch]:
    """Read the next bars of every series, or refuse them all."""
    given = dict(_flat(bars))
    known = {(tf, pt): series for tf, sides in every.items() for pt, series in sides.items()}
    for key in given:
        if key not in known:
            raise UnknownSeriesError("series", key, tuple(known))
    batches: dict[tuple[Hashable, Hashable], Batch] = {}
    for key, series in known.items():
        if key not in given:
            raise SchemaError(series.label, "missing: every series needs its next bars")
        tf, pt = key
        batch = batches[key] = read_next(series, given[key], {"timeframe": tf, "price_type": pt})
        first = next(iter(batches.values()))
        if batch.bars != first.bars:
            raise SchemaError(
                series.label, f"expected {first.bars} bars as in other series, got {batch.bars}"
            )
    return batches


def _flat(bars: object) -> Iterator[tuple[tuple[Hashable, Hashable], object]]:
    """Yield (timeframe, price type) and bars of each series."""
    if not isinstance(bars, Mapping):
        raise SchemaError("bars", f"expected a mapping of timeframes, got {type(bars).__name__}")
    for tf, sides in bars.items():
        if not isinstance(sides, Mapping):
            raise SchemaError(
                str(tf), f"expected a mapping of price types, got {type(sides).__name__}"
            )
        for pt, series in sides.items():
            yield (tf, pt), series
