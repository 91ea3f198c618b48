"""``indicator-cache sweep``: many parameters over every series of a dataset, as Parquet files.

The dataset need not fit into memory: series are read some at a time, a part. A part is what a
worker of Dask gets to do, and what is done here one after the other without Dask. Files appear
whole, and those that are there are not made again, so that it does not matter which parts had been
done when a sweep was stopped, or a worker died.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from .._groups import check_table
from .._parquet import check_folder, file_names, write_series
from .._plan import Problems, digest, grid_of
from .._sweep import MAX_BYTES, Sweep, sweep
from ..errors import BackendError, ParameterError, PlanError, SchemaError
from .errors import CommandError, one_line
from .progress import progress

__all__ = ["Part", "run", "run_part"]

#: Bars and series of a part: some at a time, for memory and so that workers end together.
_PART_ROWS = 1 << 20
_PART_SERIES = 256

#: Seconds to wait for a scheduler.
_PATIENCE = 10


class Part(NamedTuple):
    """Some series of a dataset, and what is to become of them. A worker needs no more."""

    dataset: str
    indicators: tuple[str, ...]
    source: str
    by: tuple[str, ...]
    first: list[Any] | None
    """Values of the first column of `by`; None for all rows."""
    names: dict[Any, str]
    """Of the files."""
    output: str
    threads: int
    max_bytes: int


def run(
    dataset: str,
    indicators: Sequence[str],
    output: str,
    *,
    by: Sequence[str] = (),
    source: str = "close",
    threads: int = 1,
    max_bytes: int = MAX_BYTES,
    dask: str | None = None,
) -> int:
    """Check everything, do what is not done yet, and tell how many files there are."""
    # Needs pyarrow, which is optional.
    from . import datasets

    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise CommandError(f"cannot write {output}: it is not a directory")
    problems = Problems()
    requests = grid_of(indicators, source, problems)
    found = datasets.Dataset.at(dataset, tuple(by))
    check_table(found.nothing(), tuple(by), requests, problems)
    problems.check()
    with _complaints(dataset, output):
        counts = found.counts(tuple(by))
        names = file_names(by, [key for keys in counts.values() for key in keys])
        check_folder(folder, digest(requests), names.values())
        folder.mkdir(parents=True, exist_ok=True)
        parts = [
            Part(
                str(Path(dataset).absolute()),
                tuple(indicators),
                source,
                tuple(by),
                first,
                names if first is None else _names_of(first, counts, names),
                str(folder.absolute()),
                threads,
                max_bytes,
            )
            for first in _shares(counts, bool(by))
        ]
        written = kept = 0
        done = _on_dask(parts, dask) if dask else map(run_part, parts)
        with progress("sweeping", len(names), "series") as bar:
            for new, old in done:
                written, kept = written + new, kept + old
                bar.update(new + old)
    print(f"{output}: {written} files written, {kept} were there")
    return 0


def run_part(part: Part) -> tuple[int, int]:
    """Do a part; return how many files were written, and how many were there."""
    from . import datasets

    table = datasets.Dataset.at(part.dataset, part.by).read(part.by, part.first)
    planned: Sweep = sweep(
        table,
        part.indicators,
        by=part.by or None,
        sources=part.source,
        threads=part.threads,
        max_bytes=part.max_bytes,
    )
    done = write_series(planned, Path(part.output), lambda _: None, part.names)
    return len(done.written), len(done.kept)


def _shares(counts: Mapping[Any, Mapping[Any, int]], several: bool) -> Iterator[list[Any] | None]:  # noqa: FBT001
    """Yield which series go together."""
    if not several:
        yield None
        return
    share: list[Any] = []
    rows = series = 0
    for first, keys in counts.items():
        more = sum(keys.values())
        if share and (rows + more > _PART_ROWS or series + len(keys) > _PART_SERIES):
            yield share
            share, rows, series = [], 0, 0
        share, rows, series = [*share, first], rows + more, series + len(keys)
    if share:
        yield share


def _names_of(
    first: list[Any], counts: Mapping[Any, Mapping[Any, int]], names: Mapping[Any, str]
) -> dict[Any, str]:
    return {key: names[key] for key in itertools.chain.from_iterable(counts[one] for one in first)}


@contextmanager
def _complaints(dataset: str, output: str) -> Iterator[None]:
    """Say of what goes wrong with files which of them it was."""
    try:
        yield
    except (PlanError, CommandError, BrokenPipeError):
        raise
    except (SchemaError, ParameterError) as error:
        raise CommandError(f"{dataset}: {error}") from error
    except OSError as error:
        place = error.filename or output
        raise CommandError(f"cannot read or write {place}: {one_line(error)}") from error


def _on_dask(parts: Sequence[Part], address: str) -> Iterator[tuple[int, int]]:
    """Have the parts done by the workers of a cluster, which see the same files.

    Dask does a part again when its worker dies. When this ends early, the rest is called off; what
    a worker is in the middle of becomes whole files, or none.
    """
    try:
        from distributed import Client, KilledWorker, as_completed
    except ImportError as error:
        raise CommandError(f"--dask needs dask ({error}): pip install 'dask[distributed]'") from None
    try:
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise CommandError(f"no Dask scheduler at {address}: {one_line(error)}") from error
    with client:
        futures = [client.submit(run_part, part, pure=False) for part in parts]
        try:
            for future in as_completed(futures):
                try:
                    yield future.result()
                except KilledWorker as error:
                    raise BackendError(f"workers died again and again: {one_line(error)}") from error
        finally:
            client.cancel(futures)
