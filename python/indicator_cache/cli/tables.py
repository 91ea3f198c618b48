"""Files of bars: CSV and Parquet in, CSV and Parquet out."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from .. import _files as files
from .._arrays import FloatArray, as_column
from .._frames import FIELDS
from .._table import pyarrow_column
from .errors import CommandError, one_line
from .progress import progress

try:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as pacsv
    import pyarrow.parquet as pq
except ImportError as _error:
    raise CommandError(
        f"reading files needs pyarrow ({_error}): pip install 'indicator-cache[cli]'"
    ) from None

__all__ = [
    "TIMES",
    "Table",
    "check_output",
    "column",
    "is_parquet",
    "positions",
    "read",
    "whole_file",
    "with_columns",
    "write",
]

#: A pyarrow.Table; pyarrow has no types of its own.
Table: TypeAlias = Any

#: Names of the column that tells the time of a bar. The first one that a file has must not go back.
TIMES = ("timestamp", "datetime", "date", "time")

#: Rows that are read or written between two steps of the progress bar.
_BLOCK_ROWS = 1 << 17

_FAILURES = (OSError, ValueError, pa.ArrowException)


def read(
    path: Path, needed: Sequence[str], by: Sequence[str] = (), *, one_series: bool = True
) -> Table:
    """Return all columns of a file, after checking those that are needed.

    Of a CSV file, the columns `by`, which tell series apart, are texts: 005930 is no number.

    Raises
    ------
    CommandError
        When it cannot be read, or a column is missing, not numeric, or not in order of time.
    """
    try:
        table = _read_parquet(path, needed) if is_parquet(path) else _read_csv(path, needed, by)
        if one_series:
            _check_order(table)
    except CommandError as error:
        raise CommandError(f"{path}: {error}") from None
    except _FAILURES as error:
        raise CommandError(f"cannot read {path}: {one_line(error)}") from error
    return table


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet and not CSV, by its name.

    Raises
    ------
    CommandError
        When it is neither.
    """
    name = path.name.lower()
    if name.endswith((".parquet", ".pq")):
        return True
    if name.endswith((".csv", ".csv.gz")):
        return False
    raise CommandError("expected a file named .csv, .csv.gz or .parquet")


def _read_parquet(path: Path, needed: Sequence[str]) -> Table:
    with path.open("rb") as file, pq.ParquetFile(file) as source:
        schema = source.schema_arrow
        _check_columns(schema, needed)
        batches = []
        with progress("reading", source.metadata.num_rows, "bar") as bar:
            for batch in source.iter_batches(_BLOCK_ROWS):
                batches.append(batch)
                bar.update(len(batch))
    return pa.Table.from_batches(batches, schema)


def _read_csv(path: Path, needed: Sequence[str], by: Sequence[str]) -> Table:
    # Types are guessed from the first block. Prices that are whole numbers there need not be so
    # later on.
    with path.open("rb") as file:
        schema = _csv_reader(file, {}).schema
    _check_columns(schema, needed)
    types = dict.fromkeys(_texts(path, schema, by), pa.string())
    types |= {
        schema.names[position]: pa.float64()
        for name, position in positions(schema.names, FIELDS).items()
        if _is_number(schema.types[position])
    }
    batches = []
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        reader = _csv_reader(file, types)
        done = 0
        with progress("reading", size, "B") as bar:
            for batch in reader:
                batches.append(batch)
                # The reader closes the file when it is through.
                position = size if file.closed else file.tell()
                bar.update(position - done)
                done = position
    return pa.Table.from_batches(batches, reader.schema)


def _texts(path: Path, schema: Any, by: Sequence[str]) -> set[str]:  # noqa: ANN401 - pyarrow has no types
    """Return the columns that are texts, though they may look like numbers.

    Those that tell series apart, whatever is in them, and those of which a value begins with a zero
    that it would lose.
    """
    plain = {name: name.strip().lower() for name in schema.names}
    keys = {*map(str.lower, by)}
    texts = {name for name in schema.names if name in by or plain[name] in keys}
    others = {*FIELDS, *TIMES, "valid"}
    doubtful = [
        name
        for name, kind in zip(schema.names, schema.types, strict=True)
        if pa.types.is_integer(kind) and plain[name] not in others and name not in texts
    ]
    if doubtful:
        with path.open("rb") as file:
            for batch in _csv_reader(file, dict.fromkeys(doubtful, pa.string()), doubtful):
                for name, column in zip(batch.schema.names, batch.columns, strict=True):
                    if pc.any(pc.match_substring_regex(column, r"^\s*[+-]?0\d")).as_py():
                        texts.add(name)
    return texts


def _csv_reader(file: BinaryIO, types: dict[str, Any], only: Sequence[str] = ()) -> Any:  # noqa: ANN401 - pyarrow has no types
    compressed = str(file.name).lower().endswith(".gz")
    stream = pa.CompressedInputStream(file, "gzip") if compressed else file
    options = pacsv.ConvertOptions(column_types=types, include_columns=only)
    return pacsv.open_csv(stream, convert_options=options)


def _check_columns(schema: Any, needed: Sequence[str]) -> None:  # noqa: ANN401 - pyarrow has no types
    found = positions(schema.names, needed)
    missing = [name for name in needed if name not in found]
    if missing:
        columns = ", ".join(schema.names) or "none"
        raise CommandError(f"no column {' or '.join(missing)}; the file has: {columns}")
    for position in found.values():
        if not _is_number(schema.types[position]):
            raise CommandError(
                f"column {schema.names[position]} is not numeric, but {schema.types[position]}"
            )


def positions(names: Sequence[str], wanted: Sequence[str]) -> dict[str, int]:
    """Return where the wanted columns are. Neither case nor space around a name matters.

    Raises
    ------
    CommandError
        When there are several of one name.
    """
    plain = [name.strip().lower() for name in names]
    for name in wanted:
        if plain.count(name) > 1:
            same = ", ".join(repr(names[i]) for i, other in enumerate(plain) if other == name)
            raise CommandError(f"more than one column {name}: {same}")
    return {name: plain.index(name) for name in wanted if name in plain}


def _is_number(kind: Any) -> bool:  # noqa: ANN401 - pyarrow has no types
    types = pa.types
    # A column without any value is of type null.
    return any(
        is_kind(kind)
        for is_kind in (types.is_integer, types.is_floating, types.is_decimal, types.is_null)
    )


def _check_order(table: Table) -> None:
    """Refuse bars that are not oldest first: newest first, or several stocks in one file."""
    found = positions(table.column_names, TIMES)
    position = next(iter(found.values()), None)
    if position is None:
        return
    times = table.column(position)
    types = pa.types
    if not (types.is_timestamp(times.type) or types.is_date(times.type) or _is_number(times.type)):
        return  # a text, of which nobody knows the order
    if types.is_null(times.type):
        return
    earlier = times.slice(0, max(len(times) - 1, 0))
    for bar in pc.indices_nonzero(pc.less(times.slice(1), earlier)).slice(0, 1).to_pylist():
        raise CommandError(
            f"column {table.column_names[position]} goes back in time at bar {bar + 1}, from "
            f"{times[bar]} to {times[bar + 1]}; one series is expected, oldest bar first"
        )


def column(table: Table, name: str) -> FloatArray:
    """Return a column of the bars; a null is NaN."""
    return as_column(name, table.column(positions(table.column_names, (name,))[name]))


def with_columns(table: Table, columns: dict[str, FloatArray]) -> Table:
    """Return the table with more columns, NaN being null there.

    Raises
    ------
    CommandError
        When it has a column of one of the names.
    """
    taken = [name for name in columns if name in table.column_names]
    if taken:
        raise CommandError(f"the file has a column {', '.join(taken)} already")
    for name, values in columns.items():
        table = table.append_column(name, pyarrow_column(values))
    return table


def check_output(text: str) -> Path:
    """Return where to write.

    Raises
    ------
    CommandError
        When nothing can be written there.
    """
    # Through links, so that the link stays and the file it points to is replaced.
    path = Path(os.path.realpath(text))
    if os.path.isdir(path):  # noqa: PTH112 - unlike Path.is_dir, false for a name that is too long
        raise CommandError(f"cannot write {text}: it is a directory")
    if path.suffix.lower() not in {".csv", ".parquet", ".pq"}:
        raise CommandError(f"cannot write {text}: expected a name that ends in .csv or .parquet")
    if not os.path.isdir(path.parent):  # noqa: PTH112 - likewise
        raise CommandError(f"cannot write {text}: there is no directory {path.parent}")
    return path


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears under `path` when the block ends without an error, or never.

    Raises
    ------
    CommandError
        When it cannot be written.
    """
    try:
        with files.whole_file(path) as file:
            yield file
    except OSError as error:
        raise CommandError(f"cannot write {path}: {one_line(error)}") from error


def write(table: Table, file: BinaryIO, *, parquet: bool) -> None:
    """Write a table.

    Raises
    ------
    CommandError
        When a column cannot be written in that form.
    """
    try:
        writer = pq.ParquetWriter(file, table.schema) if parquet else _csv_writer(table, file)
        with writer, progress("writing", len(table), "bar") as bar:
            for start in range(0, len(table), _BLOCK_ROWS):
                block = table.slice(start, _BLOCK_ROWS)
                writer.write_table(block)
                bar.update(len(block))
    except BrokenPipeError:
        raise
    except _FAILURES as error:
        raise CommandError(f"cannot write the result: {one_line(error)}") from error


def _csv_writer(table: Table, file: BinaryIO) -> Any:  # noqa: ANN401 - pyarrow has no types
    # pyarrow quotes every name, which is correct and ugly.
    names: list[str] = []
    row = csv.writer(_Lines(names), lineterminator="\n")
    row.writerow(table.column_names)
    file.write("".join(names).encode())
    return pacsv.CSVWriter(
        file, table.schema, write_options=pacsv.WriteOptions(include_header=False)
    )


class _Lines:
    """A file that is a list."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append
