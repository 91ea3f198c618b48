"""``indicator-cache sweep``: many parameters over every series of a dataset, as Parquet files.

The dataset need not fit into memory: series are read some at a time, a part. A part is what a
worker of Dask gets to do, and what is done here one after the other without Dask. Files appear
whole, and those that are there are not made again, so that it does not matter which parts had been
done when a sweep was stopped, or a worker died.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .._groups import check_table
from .._parquet import check_folder, file_names, write_series
from .._plan import Problems, digest, grid_of
from .._sweep import MAX_BYTES, Sweep, sweep
from ..errors import BackendError, ParameterError, PlanError, SchemaError
from .errors import CommandError, one_line
from .progress import progress

if TYPE_CHECKING:
    from .datasets import Group

__all__ = ["Part", "run", "run_part"]

#: Bars and series of a part: some at a time, for memory and so that workers end together.
_PART_ROWS = 1 << 18
_PART_SERIES = 64

#: Seconds to wait for a scheduler, and for workers to end; and between looks whether to go on.
_PATIENCE = 10
_ASK_EVERY = 0.5


class Part(NamedTuple):
    """Some series of a dataset, and what is to become of them. A worker needs no more."""

    dataset: str
    files: list[str]
    """Those of the dataset to read; none for all."""
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
        groups = found.series(tuple(by))
        names = file_names(by, [key for group in groups.values() for key in group.bars])
        check_folder(folder, digest(requests), names.values())
        folder.mkdir(parents=True, exist_ok=True)
        whole = Part(
            str(Path(dataset).absolute()),
            [],
            tuple(indicators),
            source,
            tuple(by),
            None,
            names,
            str(folder.absolute()),
            threads,
            max_bytes,
        )
        parts = [*_shares(whole, groups)] if by else [whole]
        written = kept = 0
        done = _on_dask(parts, dask) if dask else map(run_part, parts)
        with progress("sweeping", len(names), "series") as bar:
            for new, old in done:
                written, kept = written + new, kept + old
                bar.update(new + old)
    print(f"{output}: {written} files written, {kept} were there")
    return 0


def run_part(part: Part, count: Callable[[int], object] = bool) -> tuple[int, int]:
    """Do a part; return how many files were written, and how many were there.

    `count` is called with the number of further results; what it raises ends the part.
    """
    from . import datasets

    table = datasets.Dataset.at(part.dataset, part.by, part.files).read(part.by, part.first)
    planned: Sweep = sweep(
        table,
        part.indicators,
        by=part.by or None,
        sources=part.source,
        threads=part.threads,
        max_bytes=part.max_bytes,
    )
    done = write_series(planned, Path(part.output), count, part.names)
    return len(done.written), len(done.kept)


def _shares(whole: Part, groups: Mapping[Any, Group]) -> Iterator[Part]:
    """Cut the whole into parts, each with the files that its series are in."""
    share: list[Any] = []
    rows = series = 0
    for first, group in groups.items():
        more = sum(group.bars.values())
        # What is in memory anyway is not read again and again.
        full = rows + more > _PART_ROWS or series + len(group.bars) > _PART_SERIES
        if share and full and group.files:
            yield _part(whole, groups, share)
            share, rows, series = [], 0, 0
        share, rows, series = [*share, first], rows + more, series + len(group.bars)
    if share:
        yield _part(whole, groups, share)


def _part(whole: Part, groups: Mapping[Any, Group], share: list[Any]) -> Part:
    files = dict.fromkeys(file for first in share for file in groups[first].files)
    keys = [key for first in share for key in groups[first].bars]
    names = {key: whole.names[key] for key in keys}
    return whole._replace(files=[*files], first=share, names=names)


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

    Dask does a part again when its worker dies. When this ends early, by an interrupt for one, the
    rest is called off: workers are told, and clean up what they are in the middle of.
    """
    try:
        from distributed import Client, Event, KilledWorker, as_completed, wait
    except ImportError as error:
        raise CommandError(
            f"--dask needs dask ({error}): pip install 'dask[distributed]'"
        ) from None
    try:
        client = Client(address, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        raise CommandError(f"no Dask scheduler at {address}: {one_line(error)}") from error
    with client:
        called_off = Event(f"indicator-cache-{secrets.token_hex(8)}", client=client)
        futures = [client.submit(_on_worker, part, called_off.name, pure=False) for part in parts]
        try:
            for future in as_completed(futures):
                try:
                    yield future.result()
                except KilledWorker as error:
                    raise BackendError(
                        f"workers died again and again: {one_line(error)}"
                    ) from error
        except BaseException:
            called_off.set()
            with suppress(TimeoutError):
                wait(futures, timeout=_PATIENCE)
            raise
        finally:
            client.cancel(futures)


class _CalledOffError(Exception):
    """Nobody waits for this part any more."""


def _on_worker(part: Part, name: str) -> tuple[int, int]:
    from distributed import Event

    called_off, asked = Event(name), 0.0

    def check(_: int) -> None:
        nonlocal asked
        if time.monotonic() - asked > _ASK_EVERY:
            if called_off.is_set():
                raise _CalledOffError
            asked = time.monotonic()

    check(0)
    return run_part(part, check)
