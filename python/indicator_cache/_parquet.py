"""Sweeps as Parquet files: one for each series, whole or not at all, and none written twice.

A file tells in its metadata what it was made of, as two digests: of the plan, and of the bars. By
them a sweep that is started again knows what is done. The plan counts in the revisions of the
kernels and not the version of the package, since results change with those alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import quote

import numpy as np

from ._files import TEMPORARY, whole_file
from ._plan import digest
from ._sweep import OneSeries, Sweep, SweepResult
from ._table import library, pyarrow_column, pyarrow_times
from .errors import PlanError, SchemaError

__all__ = ["Written", "check_folder", "file_names", "write_series"]

#: Names in the metadata of a file.
_PLAN, _BARS = b"indicator_cache.plan", b"indicator_cache.bars"

#: What tells the series of ``bars[timeframe][price_type]`` apart.
_PAIR = ("timeframe", "price_type")

#: Characters of a file's name that the series may take up.
_LONGEST = 150


class Written(NamedTuple):
    """What became of a sweep's files."""

    written: list[Path]
    kept: list[Path]
    """Those that were there, from the same sweep over the same bars."""


def write_series(
    sweep: Sweep,
    folder: Path,
    count: Callable[[int], object],
    names: Mapping[Any, str] | None = None,
) -> Written:
    """Write the file of every series that has none yet.

    `names` are those of the files, where the sweep does not have all series of its folder.

    Raises
    ------
    PlanError
        When there are files of another sweep.
    OSError
        When something cannot be written.
    """
    library("pyarrow.parquet", "pyarrow", "writing Parquet files")
    names = names or file_names(sweep.by, [one.key for one in sweep.series])
    plan = digest(sweep.requests)
    folder.mkdir(parents=True, exist_ok=True)
    check_folder(folder, plan, names.values())
    _sweep_up(folder, {names[one.key] for one in sweep.series})
    done = Written([], [])
    missing: list[tuple[OneSeries, Path, dict[bytes, bytes]]] = []
    for one in sweep.series:
        path = folder / names[one.key]
        made_of = {_PLAN: plan.encode(), _BARS: _digest_of_bars(one).encode()}
        if made_of.items() <= _metadata(path).items():
            count(len(sweep.requests))
            done.kept.append(path)
        else:
            missing.append((one, path, made_of))
    # All in one go: threads need not wait for a file to be closed.
    with closing(sweep.of([one for one, _, _ in missing])) as results:
        for one, path, made_of in missing:
            with whole_file(path) as file:
                _write(sweep, one, islice(results, len(sweep.requests)), file, made_of, count)
            done.written.append(path)
    return done


def check_folder(folder: Path, plan: str, names: Iterable[str]) -> None:
    """Refuse to write over files of another sweep.

    Raises
    ------
    PlanError
        When there are some.
    """
    others = [
        path
        for path in map(folder.joinpath, names)
        if path.exists() and _metadata(path).get(_PLAN) != plan.encode()
    ]
    if others:
        what = f"{len(others)} files are of another sweep, {others[0].name} the first"
        problem = SchemaError(str(folder), f"{what}; remove them, or choose another folder")
        raise PlanError((problem,))


def file_names(by: Sequence[str], keys: Sequence[Any]) -> dict[Any, str]:
    """Return what the files of series are called: ``symbol=AAPL.parquet``.

    Whatever a series is called, its file can be on any system: odd characters are written as in
    addresses, and names that are too long, or the same but for their case, end in a digest.
    """
    by = by or _PAIR
    stems = {key: _stem(by, key) for key in keys}
    seen: dict[str, int] = {}
    for stem in stems.values():
        seen[stem.casefold()] = seen.get(stem.casefold(), 0) + 1
    return {
        key: (stem if seen[stem.casefold()] == 1 and len(stem) <= _LONGEST else _unique(stem, key))
        + ".parquet"
        for key, stem in stems.items()
    }


def _stem(by: Sequence[str], key: Any) -> str:  # noqa: ANN401 - whatever series are called
    if key is None:
        return "series"
    return ",".join(f"{quote(name, '')}={quote(value, '')}" for name, value in _named(by, key))


def _named(by: Sequence[str], key: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - likewise
    values = key if isinstance(key, tuple) else (key,)
    return [(name, str(value)) for name, value in zip(by, values, strict=True)]


def _unique(stem: str, key: Hashable) -> str:
    return f"{stem[:_LONGEST]}~{hashlib.sha256(repr(key).encode()).hexdigest()[:12]}"


def _sweep_up(folder: Path, names: set[str]) -> None:
    """Remove what was left of these files by a process that was killed."""
    for path in folder.glob(TEMPORARY.format("*", "*")):
        name, _, _ = path.name[1:].removesuffix(".tmp").rpartition(".")
        if name in names:
            path.unlink(missing_ok=True)


def _metadata(path: Path) -> dict[bytes, bytes]:
    """Return what a file says of itself; nothing where it is no such file."""
    pq = library("pyarrow.parquet", "pyarrow", "reading Parquet files")
    try:
        return pq.read_schema(path).metadata or {}
    except (OSError, ValueError):
        # There is none, or it is something else.
        return {}


def _digest_of_bars(series: OneSeries) -> str:
    digest = hashlib.sha256(repr((series.key, series.bars, series.zone)).encode())
    for name, column in sorted(series.columns.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(column).view(np.uint8).data)
    if series.times is not None:
        digest.update(str(series.times.dtype).encode())
        digest.update(np.ascontiguousarray(series.times).view(np.uint8).data)
    return digest.hexdigest()


def _write(
    sweep: Sweep,
    series: OneSeries,
    results: Iterable[SweepResult],
    file: BinaryIO,
    made_of: Mapping[bytes, bytes],
    count: Callable[[int], object],
) -> None:
    pa = library("pyarrow", "pyarrow", "writing Parquet files")
    pq = library("pyarrow.parquet", "pyarrow", "writing Parquet files")
    keys = _key_columns(pa, sweep.by, series)
    counted = {"bar": pa.array(np.arange(series.bars))}
    if series.times is not None:
        counted["timestamp"] = pyarrow_times(series.times, series.zone)
    kinds = {name: array.type for name, array in keys.items()}
    kinds["result"] = pa.dictionary(pa.int32(), pa.string())
    kinds |= {name: array.type for name, array in counted.items()}
    kinds["value"] = pa.float64()
    # What is never null is written sooner when that is said.
    fields = [pa.field(name, kind, name in {"timestamp", "value"}) for name, kind in kinds.items()]
    schema = pa.schema(fields, metadata=dict(made_of))
    with pq.ParquetWriter(
        file,
        schema,
        use_dictionary=[*keys, "result"],
        column_encoding=dict.fromkeys(counted, "DELTA_BINARY_PACKED"),
        # These encodings leave little of all columns but the values, and those have no redundancy
        # that could be found in the time that it takes to compute them.
        compression="none",
    ) as writer:
        for result in results:
            parts = []
            for name, values in result.columns.items():
                columns = {**keys, "result": _repeated(pa, name, series.bars), **counted}
                parts.append(pa.table({**columns, "value": pyarrow_column(values)}, schema=schema))
            group = pa.concat_tables(parts).unify_dictionaries()
            writer.write_table(group, row_group_size=max(len(group), 1))
            count(1)


def _repeated(pa: Any, value: Any, bars: int) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return a column with the same value throughout."""
    if not isinstance(value, str):
        return pa.repeat(value, bars)
    return pa.DictionaryArray.from_arrays(np.zeros(bars, np.int32), pa.array([value], pa.string()))


def _key_columns(pa: Any, by: tuple[str, ...], series: OneSeries) -> dict[str, Any]:  # noqa: ANN401
    """Return the columns that tell series apart."""
    if series.key is None:
        return {}
    # Timeframes and price types may be anything, and have been names for people all along.
    values = series.key if len(by) > 1 else [series.key]
    named = zip(by, values, strict=True) if by else _named(_PAIR, series.key)
    return {name: _repeated(pa, value, series.bars) for name, value in named}
