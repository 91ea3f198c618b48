"""Many series in one table: from an Arrow table to an Arrow table, series by series.

The rows of a series need not lie together. They are brought together once, all columns alike, so
that a series is a slice; results are written to slices of whole columns, and go back to the order
of the table at the end. pyarrow reads and makes the tables: who has many series in one has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _arrow
from ._arrays import FloatArray
from ._callers import is_arrow, is_from
from ._frames import check_order
from ._many import compute_many
from ._plan import Problems, families, inputs_of, requests_of
from ._requests import Request
from ._room import process_room
from ._table import library, pyarrow_column
from .errors import SchemaError

__all__ = [
    "Grouped",
    "Table",
    "as_arrow",
    "by_names",
    "check_table",
    "compute",
    "read_grouped",
    "series_codes",
]

#: A pyarrow.Table, or a part of one; pyarrow has no types of its own.
Table: TypeAlias = Any

IndexArray = npt.NDArray[np.intp]


def compute(
    table: object,
    indicators: Sequence[str],
    by: str | Sequence[str] | None = None,
    *,
    source: str = "close",
) -> Table:
    """Compute indicators over every series of a table: a pure function from table to table.

    It is what the adapters in :mod:`indicator_cache.engines` have their engines call, on whatever
    part of the data an engine holds. The results of a series depend on its rows alone, so that they
    have the same bits however the series are spread.

    Parameters
    ----------
    table
        Bars: anything with the Arrow PyCapsule interface (pyarrow, polars, a DuckDB relation), a
        ``pandas.DataFrame``, or a mapping of columns. ``open``, ``high``, ``low``, ``close`` and
        ``volume`` are found by name, as far as they are read; where there is a column ``valid``,
        bars are missing where it is false. Null and NaN are missing values.
    indicators
        What to compute: ``NAME[:VALUE,...][@SOURCE]``, as in :meth:`IndicatorCache.table`.
    by
        The column, or columns, that tell which series a row is of; None for one series. Rows of a
        series need not lie together, but have to be in order of time: a column ``timestamp`` has to
        increase within each.
    source
        Column that single-series indicators read, unless they name another.

    Returns
    -------
    A ``pyarrow.Table`` with a row for each row of `table`, in the same order: the columns of `by`,
    ``timestamp`` if there is one, and the results, called as in :meth:`IndicatorCache.table`,
    float64 with NaN as null. A table without rows gives one without rows, of the same types.

    Raises
    ------
    PlanError
        When indicators are not understood, or columns are missing or of the wrong type. It names
        all of them, and nothing has been computed.
    SchemaError
        When timestamps of a series do not increase, or a key is null. Nothing has been computed.
    ImportError
        When pyarrow is not installed.

    Examples
    --------
    >>> from indicator_cache import compute
    >>> table = {"symbol": ["A", "B", "A", "B"], "close": [1.0, 10.0, 2.0, 20.0]}
    >>> compute(table, ["sma:2"], by="symbol").to_pydict()
    {'symbol': ['A', 'B', 'A', 'B'], 'sma_2': [None, None, 1.5, 15.0]}
    """
    pa = library("pyarrow", "pyarrow", "compute")
    arrow = as_arrow(table)
    keys = by_names(by)
    problems = Problems()
    requests = requests_of(indicators, source, problems)
    check_table(arrow, keys, requests, problems)
    problems.check()
    grouped = read_grouped(arrow, keys, inputs_of(requests))
    kept = [*keys, *({"timestamp"} & {*arrow.column_names} - {*keys})]
    results = {name: pyarrow_column(column) for name, column in _results(requests, grouped).items()}
    fields = [*(arrow.schema.field(name) for name in kept)]
    fields += [pa.field(name, pa.float64()) for name in results]
    columns = [*(arrow.column(name) for name in kept), *results.values()]
    return pa.table(columns, schema=pa.schema(fields))


class Grouped(NamedTuple):
    """The columns of a table with the rows of each series in one piece."""

    columns: dict[str, FloatArray]
    times: npt.NDArray[Any] | None
    zone: str
    keys: list[Any]
    """What the series are called, in the order in which they first appear: the value of the one
    column that tells them apart, a tuple where there are several, None where there is none."""
    bounds: list[int]
    """Where each series begins, and where the last one ends."""
    order: IndexArray | None
    """The rows of the table as they are here; None where they are the same."""

    def series(self) -> Iterator[tuple[Any, int, int]]:
        """Go through the series: what it is called, where it begins and where it ends."""
        for key, (begin, end) in zip(self.keys, pairwise(self.bounds), strict=True):
            yield key, begin, end


def _results(requests: list[Request], grouped: Grouped) -> dict[str, FloatArray]:
    rows = grouped.bounds[-1]
    names = [name for request in requests for name in request.columns]
    # Each by itself, so that a caller who keeps one column does not keep all of them.
    room = {name: process_room.empty(1, rows)[0] for name in names}
    work = []
    for family in families(requests):
        inputs = [grouped.columns[name] for name in family.inputs]
        outputs = [[room[name] for name in member.columns] for member in family.members]
        work.append((family.spec.name, inputs, family.params, outputs))
    for _, begin, end in grouped.series():
        for name, inputs, params, outputs in work:
            compute_many(
                name,
                [column[begin:end] for column in inputs],
                params,
                [[column[begin:end] for column in columns] for columns in outputs],
            )
    return room if grouped.order is None else _put_back(room, grouped.order)


def _put_back(room: dict[str, FloatArray], order: IndexArray) -> dict[str, FloatArray]:
    """Return the columns in the order of the table, one after the other to be frugal."""
    where = np.empty_like(order)
    where[order] = np.arange(len(order))
    for name, column in room.items():
        room[name] = column[where]
    return room


# --- tables ---


def by_names(by: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the columns that tell series apart."""
    if by is None:
        return ()
    return (by,) if isinstance(by, str) else tuple(dict.fromkeys(by))


def as_arrow(given: Any) -> Table:  # noqa: ANN401 - whatever the caller has
    """Return a table as one of pyarrow, on the same memory where that is possible.

    Raises
    ------
    SchemaError
        When it is no table.
    """
    pa = library("pyarrow", "pyarrow", "a table of many series")
    if isinstance(given, pa.Table):
        return given
    if is_from(given, "pandas", "DataFrame"):
        index = given.index
        if "timestamp" not in given.columns and (
            index.name == "timestamp" or is_from(index, "pandas", "DatetimeIndex")
        ):
            given = given.reset_index(names="timestamp")
        return pa.Table.from_pandas(given, preserve_index=False)
    if not is_arrow(given) and not isinstance(given, Mapping):
        raise SchemaError("table", f"expected a table, got {type(given).__name__}")
    try:
        return pa.table(dict(given) if isinstance(given, Mapping) else given)
    except (TypeError, ValueError) as error:
        raise SchemaError("table", f"expected a table: {error}") from error


def check_table(
    table: Table, by: tuple[str, ...], requests: Sequence[Request], problems: Problems
) -> None:
    """Note every column that is missing, there twice, or not of the type that it has to be."""
    names = table.column_names
    known = ", ".join(names) or "none"
    needed = [*by, *inputs_of(requests)]
    for name in dict.fromkeys([*needed, "timestamp", "valid", "new_bar"]):
        if names.count(name) > 1:
            problems.add(SchemaError(name, "there are several columns of this name"))
        elif name not in names:
            if name in needed:
                problems.add(SchemaError(name, f"no such column; there are: {known}"))
        elif name not in by:
            _check_type(name, table.column(name).slice(0, 0), problems)
    results = {name for request in requests for name in request.columns}
    for name in sorted(results & {*by}):
        problems.add(SchemaError(name, "the series and a result are called the same"))


def _check_type(name: str, column: Any, problems: Problems) -> None:  # noqa: ANN401 - of pyarrow
    read = {"timestamp": _arrow.times, "valid": _arrow.flags, "new_bar": _arrow.flags}
    try:
        read.get(name, _arrow.numbers)(_arrow.read_column(column, name), name)
    except SchemaError as error:
        problems.add(error)


def read_grouped(table: Table, by: tuple[str, ...], needed: Sequence[str]) -> Grouped:
    """Read the columns of a table that has been checked, series by series.

    Raises
    ------
    SchemaError
        When a key or a timestamp is null, or timestamps do not increase.
    """
    columns = {name: _arrow.numbers(_column(table, name), name) for name in needed}
    if "valid" in table.column_names:
        valid = _arrow.flags(_column(table, "valid"), "valid")
        if not valid.all():
            columns = {name: np.where(valid, column, np.nan) for name, column in columns.items()}
    times, zone, repeats = None, "", None
    if "timestamp" in table.column_names:
        times, zone = _arrow.times(_column(table, "timestamp"), "timestamp")
        if "new_bar" in table.column_names:
            repeats = ~_arrow.flags(_column(table, "new_bar"), "new_bar")
    keys, starts, codes = _runs(table, by)
    bounds, order = [*starts.tolist(), len(table)], None
    if len(starts) > len(keys):
        rows = np.repeat(codes, np.diff(bounds))
        bounds = [0, *np.cumsum(np.bincount(rows, minlength=len(keys))).tolist()]
        order = np.argsort(rows, kind="stable")
        columns = {name: column[order] for name, column in columns.items()}
        times = None if times is None else times[order]
        repeats = None if repeats is None else repeats[order]
    grouped = Grouped(columns, times, zone, keys, bounds, order)
    if times is not None:
        _check_times(grouped, times, by, repeats)
    return grouped


def _column(table: Table, name: str) -> _arrow.Column:
    return _arrow.read_column(table.column(name), name)


def _runs(table: Table, by: tuple[str, ...]) -> tuple[list[Any], IndexArray, IndexArray]:
    """Return the names of the series, where rows of one follow those of another, and of which.

    Series come in the order in which they first appear. Mostly each is in one piece, so that there
    is little to look at but whether a row is of the same series as the one before.
    """
    rows = len(table)
    if not by:
        return [None] * min(rows, 1), np.zeros(min(rows, 1), np.intp), np.zeros(1, np.intp)
    columns = [_told_apart_by(table.column(name), name) for name in by]
    begins = np.ones(rows, np.bool_)
    if rows:
        begins[1:] = np.logical_or.reduce([*map(_changes, columns)])
    starts = np.flatnonzero(begins)
    if len(starts) < rows:
        columns = [column.take(starts) for column in columns]
    codes = np.zeros(len(starts), np.intp)
    parts = [_encoded(column, name) for column, name in zip(columns, by, strict=True)]
    for values, part in parts:
        codes = codes * len(values) + part
    _, first, ranked = np.unique(codes, return_index=True, return_inverse=True)
    place = np.empty_like(first)
    place[np.argsort(first)] = np.arange(len(first))
    first = np.sort(first)
    names = [[values[code] for code in part[first].tolist()] for values, part in parts]
    keys = names[0] if len(by) == 1 else [*zip(*names, strict=True)]
    return keys, starts, place[ranked]


def _told_apart_by(column: Any, name: str) -> Any:  # noqa: ANN401 - of pyarrow
    """Return a column of keys, after a look for null, of a type that pyarrow works with."""
    pa = library("pyarrow", "pyarrow", "a table of many series")
    if column.null_count:
        row = next(at for at, value in enumerate(column) if not value.is_valid)
        raise SchemaError(name, f"null at row {row}, which is of no series then")
    if pa.types.is_string_view(column.type):
        return column.cast(pa.large_string())
    return column.cast(pa.large_binary()) if pa.types.is_binary_view(column.type) else column


def _changes(column: Any) -> npt.NDArray[np.bool_]:  # noqa: ANN401 - of pyarrow
    """Return for each row but the first whether it has another key than the row before."""
    pa = library("pyarrow", "pyarrow", "a table of many series")
    pc = library("pyarrow.compute", "pyarrow", "a table of many series")
    try:
        changes = pc.not_equal(column.slice(1), column.slice(0, len(column) - 1))
    except pa.ArrowNotImplementedError:
        # Not to be compared, but perhaps to be told apart.
        return np.ones(len(column) - 1, np.bool_)
    found: npt.NDArray[np.bool_] = changes.to_numpy()
    return found


def series_codes(table: Table, by: tuple[str, ...]) -> IndexArray:
    """Return for each row a number that tells which series it is of.

    Raises
    ------
    SchemaError
        When a key is null.
    """
    _, starts, codes = _runs(table, by)
    return np.repeat(codes, np.diff(np.append(starts, len(table))))


def _encoded(column: Any, name: str) -> tuple[list[Any], IndexArray]:  # noqa: ANN401 - of pyarrow
    """Return the values that a column can have, and which of them each row has."""
    pa = library("pyarrow", "pyarrow", "a table of many series")
    if not pa.types.is_dictionary(column.type):
        try:
            column = column.dictionary_encode()
        except pa.ArrowNotImplementedError as error:
            raise SchemaError(name, f"series cannot be told apart by {column.type}") from error
    places: dict[Any, int] = {}
    parts = [np.empty(0, np.intp)]
    for chunk in column.chunks:
        # Each chunk may have a dictionary of its own.
        own = [places.setdefault(value, len(places)) for value in chunk.dictionary.to_pylist()]
        parts.append(np.array(own, np.intp)[chunk.indices.to_numpy()])
    return [*places], np.concatenate(parts)


def _check_times(
    grouped: Grouped,
    times: npt.NDArray[Any],
    by: tuple[str, ...],
    repeats: npt.NDArray[np.bool_] | None,
) -> None:
    suspect = times[1:] <= times[:-1]
    suspect[[end - 1 for end in grouped.bounds[1:-1]]] = False
    if not suspect.any():
        return
    for key, begin, end in grouped.series():
        if suspect[begin : end - 1].any():
            label = f"{', '.join(by)} {key}" if by else "table"
            own = None if repeats is None else repeats[begin:end]
            check_order(label, times[begin:end], None, own)
