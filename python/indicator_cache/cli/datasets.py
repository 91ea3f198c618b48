"""Bars of many series on disk: a Parquet file, a folder of them, or a CSV file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from .._frames import FIELDS
from .errors import CommandError, one_line
from .tables import TIMES, Table, is_parquet, positions, read

# After the above, which says what to install when there is no pyarrow.
import pyarrow as pa  # isort: skip
import pyarrow.dataset as pads  # isort: skip

__all__ = ["Dataset", "Group"]

_FAILURES = (OSError, ValueError, pa.ArrowException)


class Group(NamedTuple):
    """The series that have one value in the first column that tells series apart."""

    bars: dict[Any, int]
    """How many bars each series has."""
    files: dict[str, None]
    """Where they are, in order."""


class Dataset:
    """Bars with columns by their plain names; the time is called ``timestamp``.

    Those of `by` are called as there, and others keep their names. Neither case nor space around a
    name matters.
    """

    def __init__(self, rows: Any, by: tuple[str, ...]) -> None:  # noqa: ANN401 - pyarrow has no types
        self._rows = rows
        names = rows.schema.names
        found = {name: names.index(name) for name in by if name in names}
        wanted = [name for name in (*FIELDS, "valid", *map(str.lower, by)) if name not in found]
        found |= positions(names, wanted)
        times = positions(names, TIMES)
        for time in TIMES:
            if time in times and _is_time(rows.schema.types[times[time]]):
                found["timestamp"] = times[time]
                break
        taken = {*found.values()}
        self._columns = {name: names[at] for name, at in found.items()}
        self._columns |= {
            name: name
            for at, name in enumerate(names)
            if at not in taken and name not in self._columns
        }

    @classmethod
    def at(cls, place: str, by: tuple[str, ...], files: Sequence[str] = ()) -> Self:
        """Open a dataset, or some files of one.

        Raises
        ------
        CommandError
            When there is none.
        """
        path = Path(place)
        if not path.exists():
            raise CommandError(f"cannot read {place}: no such file or directory")
        try:
            if path.is_dir() or is_parquet(path):
                # Columns that are in the names of folders, as symbol=AAPL, are columns too.
                where = [*files] or path
                return cls(pads.dataset(where, format="parquet", partitioning="hive"), by)
        except _FAILURES as error:
            raise CommandError(f"cannot read {place}: {one_line(error)}") from error
        return cls(pads.dataset(read(path, [], by, one_series=False)), by)

    def nothing(self) -> Table:
        """Return a table with all columns and no rows."""
        kinds = {name: self._rows.schema.field(own).type for name, own in self._columns.items()}
        return pa.schema(kinds.items()).empty_table()

    def series(self, by: tuple[str, ...]) -> dict[Any, Group]:
        """Return what series there are, by the value of the first column of `by`."""
        if not by:
            return {None: Group({None: self._rows.count_rows()}, {})}
        found: dict[Any, Group] = {}
        columns = {name: pads.field(self._columns[name]) for name in by}
        for fragment in self._rows.get_fragments():
            for batch in fragment.to_batches(schema=self._rows.schema, columns=columns):
                for key, count in _counted(pa.Table.from_batches([batch]), by):
                    group = found.setdefault(key[0], Group({}, {}))
                    whole = key if len(by) > 1 else key[0]
                    group.bars[whole] = group.bars.get(whole, 0) + count
                    group.files.update(dict.fromkeys(_path(fragment)))
        return found

    def read(self, by: tuple[str, ...], first: list[Any] | None) -> Table:
        """Return the rows of some series, all columns that have a meaning and those of `by`."""
        kept = dict.fromkeys((*by, *FIELDS, "valid", "timestamp"))
        columns = {name: pads.field(self._columns[name]) for name in kept if name in self._columns}
        if first is None:
            return self._rows.to_table(columns=columns)
        own = pads.field(self._columns[by[0]])
        kind = self._rows.schema.field(self._columns[by[0]]).type
        if pa.types.is_dictionary(kind):
            own, kind = own.cast(kind.value_type), kind.value_type
        return self._rows.to_table(columns=columns, filter=own.isin(pa.array(first, kind)))


def _counted(table: Table, by: tuple[str, ...]) -> Iterator[tuple[tuple[Any, ...], int]]:
    for name in by:
        if table.column(name).null_count:
            raise CommandError(f"column {name} has nulls, which are of no series")
    found = table.group_by([*by], use_threads=False).aggregate([([], "count_all")])
    *keys, rows = (found.column(name).to_pylist() for name in (*by, "count_all"))
    yield from zip(zip(*keys, strict=True), rows, strict=True)


def _path(fragment: Any) -> list[str]:  # noqa: ANN401 - pyarrow has no types
    """Return where a fragment is; nowhere, when it is in memory."""
    return [fragment.path] if hasattr(fragment, "path") else []


def _is_time(kind: Any) -> bool:  # noqa: ANN401 - pyarrow has no types
    types = pa.types
    return any(is_kind(kind) for is_kind in (types.is_timestamp, types.is_date, types.is_integer))
