"""Sweeps: many parameters over one series or many, handed out one by one in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy.typing as npt

from . import backends
from ._arrays import FloatArray
from ._compute import Result, results
from ._frames import FIELDS
from ._generated.catalog import BY_NAME
from ._groups import as_arrow, by_names, check_table, read_grouped
from ._many import compute_many
from ._numbers import whole
from ._plan import Family, Grid, Problems, families, grid_of, inputs_of
from ._progress import Counter, counting
from ._requests import Request
from ._room import MOST_BYTES, Room, process_room
from ._series import read_series
from .errors import IndicatorCacheError, ParameterError, SchemaError
from .spec import Value

if TYPE_CHECKING:
    import os

    from ._parquet import Written
    from .store import Store
    from .store._link import SweepLink

__all__ = ["MAX_BYTES", "OneSeries", "Sweep", "SweepResult", "sweep"]

#: Results that are held at a time unless the caller says otherwise, in bytes: as many as there is
#: room for, so that all of it is used again and again.
MAX_BYTES = MOST_BYTES

#: What is computed in one go: a multiple of what is done side by side, and no more than this many
#: bytes if that is possible, so that threads end together and an interrupt does not wait.
_SIDE_BY_SIDE = 16
_BLOCK_BYTES = 1 << 23


class SweepResult(NamedTuple):
    """One indicator with one set of parameters over one series."""

    series: Any
    """What the series is called: the value of the column `by`, a tuple where there are several, the
    pair of timeframe and price type, or None for bars of one series."""
    name: str
    params: dict[str, Value]
    """All parameters, defaults included."""
    source: str | None
    """The column it was computed from; None for an indicator that has inputs of its own."""
    result: Result
    """An array as long as the series, or a named tuple of them."""

    @property
    def columns(self) -> dict[str, FloatArray]:
        """The arrays by the names that they have in tables: ``ema_20``, ``macd_12_26_9_signal``."""
        request = Request(BY_NAME[self.name], self.params, self.source)
        arrays = [self.result] if len(request.spec.outputs) == 1 else self.result
        return dict(zip(request.columns, arrays, strict=True))


class OneSeries(NamedTuple):
    """The columns of one series."""

    key: Any
    columns: Mapping[str, FloatArray]
    times: npt.NDArray[Any] | None
    zone: str
    bars: int


class _Block(NamedTuple):
    """Some members of a family over one series: what is computed in one go."""

    series: OneSeries
    family: Family
    room: Room
    link: SweepLink | None

    def compute(self) -> list[SweepResult]:
        """Compute them, or take them from the store."""
        spec, params = self.family.spec, self.family.params
        inputs = {name: self.series.columns[name] for name in self.family.inputs}
        shape = len(spec.outputs), self.series.bars
        computed: Sequence[Sequence[FloatArray]]
        if self.link is None:
            outputs = [[*self.room.empty(*shape)] for _ in params]
            computed = compute_many(spec.name, [*inputs.values()], params, outputs)
        else:
            computed = [
                self.link.result(
                    spec, one, self.series.key, inputs, lambda: self.room.empty(*shape)
                )
                for one in params
            ]
        return [
            SweepResult(
                self.series.key, spec.name, member.values, member.source, results(spec, [*outputs])
            )
            for member, outputs in zip(self.family.members, computed, strict=True)
        ]


def sweep(
    bars: object,
    grid: Grid,
    *,
    by: str | Sequence[str] | None = None,
    sources: str | Sequence[str] = "close",
    threads: int = 1,
    max_bytes: int = MAX_BYTES,
    progress: bool | Counter = False,
    store: Store | str | os.PathLike[str] | None = None,
) -> Sweep:
    """Compute indicators for many parameters, lazily.

    Everything is checked here, and nothing is computed until the results are asked for, one by one
    in a loop, or as Parquet files.

    Parameters
    ----------
    bars
        One series, in any form that :class:`IndicatorCache` takes; ``bars[timeframe][price_type]``;
        or, with `by`, a table of many series, as for :func:`compute`.
    grid
        Parameters by indicator: ``{"ema": {"period": range(5, 205)}}`` is every combination of the
        values given, and ``{"rsi": [{"period": 7}, {"period": 14}]}`` is these and no others;
        parameters left out have their defaults. Or a list of texts:
        ``NAME[:[PARAMETER=]VALUE,...][@SOURCE]`` with values like ``7``, ``5..200`` (both included)
        and ``1..3..0.5`` (in steps).
    by
        The column, or columns, that tell the series of a table apart.
    sources
        Columns that single-series indicators read, one after the other.
    threads
        How many blocks of results are computed at once. It changes no result and no order.
    max_bytes
        Bound for results that are computed and not yet handed over; those that the caller keeps
        are the caller's. The memory of those that are dropped is used again: within this bound when
        it is given, and otherwise as by :func:`compute`.
    progress
        True shows a bar, for which tqdm or rich is needed (the extra ``progress``). A function is
        called with the number of results so far and in all.
    store
        A :class:`Store`, or the path of one, from which results are taken and where those that had
        to be computed are left, for caches and further sweeps. Results are read-only then. It is
        for indicators that cost more than reading a file does: see docs/store.md.

    Returns
    -------
    An iterable of :class:`SweepResult`, with a length. The order is: series as they first appear;
    indicators as in `grid`; sources; parameters as given, the last one changing fastest. What
    is asked for twice comes once.

    Raises
    ------
    PlanError
        When indicators, parameters or sources are not allowed, or columns are missing or of the
        wrong type. It names all of them.
    SchemaError
        When a key is null, or timestamps do not increase.
    ParameterError
        When `threads`, `max_bytes` or `store` is not allowed, or `max_bytes` is too little for a
        result.
    ImportError
        When a library that is needed for `by`, `progress` or `store` is not installed.

    Examples
    --------
    >>> from indicator_cache import sweep
    >>> close = [1.0, 2.0, 4.0]
    >>> for one in sweep({"close": close}, {"sma": {"period": [1, 2]}, "roc": [{"period": 2}]}):
    ...     print(one.name, one.params, one.result)
    sma {'period': 1} [1. 2. 4.]
    sma {'period': 2} [nan 1.5 3. ]
    roc {'period': 2} [ nan  nan 300.]
    """
    workers = whole(threads)
    if workers is None or workers < 1:
        raise ParameterError("threads", threads, "a whole number above zero")
    problems = Problems()
    requests = grid_of(grid, sources, problems)
    keys = by_names(by)
    if keys:
        series = _of_table(bars, keys, requests, problems)
    else:
        series = _of_bars(bars, requests, problems)
    room = whole(max_bytes)
    least = _least_bytes(series, requests, workers)
    if room is None or room < least:
        expected = f"a number of bytes from {least} on, what {_in_flight(workers)} results take"
        raise ParameterError("max_bytes", max_bytes, expected)
    link = None if store is None else _linked(store)
    return Sweep(series, requests, keys, workers, room, progress, link)


class Sweep:
    """A sweep that has been checked: its results in a loop, or as files.

    Made by :func:`sweep`. May be gone through several times; each time it computes anew.
    """

    def __init__(
        self,
        series: list[OneSeries],
        requests: list[Request],
        by: tuple[str, ...],
        threads: int,
        max_bytes: int,
        progress: bool | Counter,  # noqa: FBT001 - one of the public function's, which has a name
        link: SweepLink | None,
    ) -> None:
        self.series = series
        self.requests = requests
        self.by = by
        self.threads = threads
        self.max_bytes = max_bytes
        self._progress = progress
        self._link = link

    def __len__(self) -> int:
        """Return the number of results."""
        return len(self.series) * len(self.requests)

    def __repr__(self) -> str:
        return f"<Sweep: {len(self.series)} series, {len(self.requests)} results each>"

    def __iter__(self) -> Iterator[SweepResult]:
        """Compute and hand out the results, one by one."""
        with (
            counting(self._progress, len(self)) as count,
            closing(self.of(self.series)) as found,
        ):
            for result in found:
                yield result
                count(1)

    def to_parquet(self, folder: str | Path) -> Written:
        """Write the results to Parquet files in a folder, one for each series.

        A file has a row for every bar and output, and a row group for each indicator with its
        parameters: the columns `by`, ``result`` (``ema_20``), ``bar`` (from 0), ``timestamp`` if
        there is one, and ``value``, NaN being null. It is written under another name and renamed
        when it is whole. Files that are there from the same sweep over the same bars are left as
        they are, so that a sweep that was stopped goes on with the series it had not finished.
        One sweep at a time may write to a folder.

        Parameters
        ----------
        folder
            Where to; it is made if need be.

        Returns
        -------
        The files that were written, and those that were there.

        Raises
        ------
        PlanError
            When files in the folder are of another sweep. Nothing has been computed.
        OSError
            When something cannot be written. Whole files stay.
        ImportError
            When pyarrow is not installed.
        """
        from ._parquet import write_series

        with counting(self._progress, len(self)) as count:
            return write_series(self, Path(folder), count)

    def of(self, series: Sequence[OneSeries]) -> Generator[SweepResult]:
        """Compute and hand out the results for some of the series.

        To be closed when it is left before its end, so that no thread goes on.
        """
        blocks = self._blocks(series)
        with closing(self._in_turn(blocks) if self.threads == 1 else self._ahead(blocks)) as done:
            for block in done:
                block.reverse()
                while block:
                    # Not to hold on to what has been handed out.
                    yield block.pop()

    def _blocks(self, series: Sequence[OneSeries]) -> Iterator[_Block]:
        share = self.max_bytes // _in_flight(self.threads)
        groups = families(self.requests)
        # Whoever gives a bound has all that is kept within it, and nothing kept in the end.
        room = process_room if self.max_bytes == MAX_BYTES else Room(self.max_bytes)
        for one in series:
            for family in groups:
                size = max(_bytes_of(one, family.members[0]), 1)
                members = min(share // size, max(_BLOCK_BYTES // size, _SIDE_BY_SIDE))
                members -= members % _SIDE_BY_SIDE if members > _SIDE_BY_SIDE else 0
                for at in range(0, len(family.members), members):
                    some = family.members[at : at + members]
                    yield _Block(one, family._replace(members=some), room, self._link)

    def _in_turn(self, blocks: Iterator[_Block]) -> Generator[list[SweepResult]]:
        return (block.compute() for block in blocks)

    def _ahead(self, blocks: Iterator[_Block]) -> Generator[list[SweepResult]]:
        """Compute in threads, some blocks ahead of the one that is handed out."""
        from concurrent.futures import Future, ThreadPoolExecutor

        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="indicator-cache")
        waiting: deque[Future[list[SweepResult]]] = deque()
        try:
            for block in blocks:
                waiting.append(pool.submit(block.compute))
                if len(waiting) == _in_flight(self.threads):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # Also when the loop over the results is left, or interrupted.
            pool.shutdown(cancel_futures=True)


def _linked(store: Store | str | os.PathLike[str]) -> SweepLink:
    from .store import Store
    from .store._link import SweepLink

    return SweepLink(store if isinstance(store, Store) else Store(store))


def _in_flight(threads: int) -> int:
    """Return how many blocks there are at a time: one for each thread, and one being handed out."""
    return 1 if threads == 1 else threads + 1


def _bytes_of(series: OneSeries, request: Request) -> int:
    return 8 * series.bars * len(request.spec.outputs)


def _least_bytes(series: list[OneSeries], requests: list[Request], threads: int) -> int:
    longest = max(series, key=lambda one: one.bars, default=None)
    if longest is None:
        return 0
    return _in_flight(threads) * max(_bytes_of(longest, request) for request in requests)


# --- bars ---


def _of_table(
    bars: object, by: tuple[str, ...], requests: list[Request], problems: Problems
) -> list[OneSeries]:
    table = as_arrow(bars)
    check_table(table, by, requests, problems)
    problems.check()
    grouped = read_grouped(table, by, inputs_of(requests))
    return [
        OneSeries(
            key,
            {name: column[begin:end] for name, column in grouped.columns.items()},
            None if grouped.times is None else grouped.times[begin:end],
            grouped.zone,
            end - begin,
        )
        for key, begin, end in grouped.series()
    ]


def _of_bars(bars: object, requests: list[Request], problems: Problems) -> list[OneSeries]:
    native = backends.active().name == "native"
    needed = inputs_of(requests)
    found = []
    for key, label, given in _each(bars):
        try:
            series = read_series(label, given, native=native)
        except SchemaError as error:
            problems.add(error)
            continue
        for name in needed:
            if name not in series.names:
                problems.add(_missing(name, label, series.names))
        columns = {name: series.column(name) for name in needed if name in series.names}
        found.append(OneSeries(key, columns, series.times, series.tail.zone, series.bars))
    problems.check()
    return found


def _missing(name: str, label: str, names: Sequence[str]) -> IndicatorCacheError:
    return SchemaError(name, f"{label}: no such column; there are: {', '.join(names)}")


def _each(bars: object) -> Iterator[tuple[Any, str, object]]:
    """Go through the series: what each is called, the same for messages, and its bars."""
    if not isinstance(bars, Mapping) or not bars or {*bars} & {*FIELDS}:
        yield None, "bars", bars
        return
    for tf, sides in bars.items():
        if not isinstance(sides, Mapping):
            yield None, "bars", bars
            return
        for pt, given in sides.items():
            yield (tf, pt), f"{tf} {pt}", given
