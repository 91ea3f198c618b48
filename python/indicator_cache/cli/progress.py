"""A progress bar for long work, for people only."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Protocol, Self

__all__ = ["Progress", "progress"]

#: Seconds of work before a bar appears.
_PATIENCE = 1.0


class Progress(Protocol):
    """What counts the work done."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> object:
        """End."""
        ...

    def update(self, n: int = 1) -> object:
        """Count `n` more units."""
        ...


class _Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def update(self, n: int = 1) -> None:
        """Count nothing."""


def progress(what: str, total: int, unit: str) -> Progress:
    """Return a bar that shows on a terminal, once the work has gone on for a while."""
    if not sys.stderr.isatty():
        return _Silent()
    try:
        from tqdm import tqdm
    except ImportError:
        return _Silent()
    bar: Progress = tqdm(
        desc=what, total=total, unit=unit, unit_scale=True, delay=_PATIENCE, leave=False
    )
    return bar
