"""How far a sweep is, for whoever asked to know."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

__all__ = ["Counter", "counting"]

#: Is told how many results there are so far, and how many in all.
Counter: TypeAlias = Callable[[int, int], object]


@contextmanager
def counting(
    progress: bool | Counter,  # noqa: FBT001 - as the caller gave it
    total: int,
) -> Iterator[Callable[[int], object]]:
    """Show progress while the block runs: by a bar, by a function of the caller's, or not at all.

    Raises
    ------
    ImportError
        When a bar is wanted, and nothing is installed that could draw it.
    """
    if progress is True:
        with _bar(total) as count:
            yield count
        return
    done = 0

    def count_by(more: int) -> None:
        nonlocal done
        done += more
        if progress:
            progress(done, total)

    yield count_by


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], object]]:
    try:
        from tqdm import tqdm
    except ImportError:
        pass
    else:
        with tqdm(desc="sweep", total=total, unit="result") as bar:
            yield bar.update
        return
    try:
        from rich.progress import Progress
    except ImportError as error:
        raise ImportError(
            f"a progress bar needs tqdm or rich ({error}): pip install 'indicator-cache[progress]'"
        ) from error
    with Progress() as shown:
        task = shown.add_task("sweep", total=total)
        yield lambda more: shown.advance(task, more)
