"""What became slower since another record."""

from __future__ import annotations

from typing import NamedTuple

import indicator_cache as ic

from .record import Cell, Record
from .table import COPY, PORTABLE, cached

#: Worse by more than this is told.
TOLERANCE = 0.10

#: Contenders that are ours.
OWN = (*ic.backends.NAMES, PORTABLE, *(cached(name) for name in ic.backends.NAMES))


class Worse(NamedTuple):
    """Something that needs more than it did."""

    operation: str
    bars: int
    who: str
    #: What was compared.
    kind: str
    before: float
    now: float

    def __str__(self) -> str:
        """Return a line for people."""
        return (
            f"{self.operation} at {self.bars:,} bars, {self.who}: {self.kind} "
            f"{self.before:.4g} before, {self.now:.4g} now (+{self.now / self.before - 1:.0%})"
        )


def to_copy(record: Record, cell: Cell) -> float | None:
    """Return how many copies of a column a cell takes, each timed in the same rounds."""
    return record.ratio(cell.operation, cell.bars, cell.who, COPY)


def slower(before: Record, now: Record, tolerance: float = TOLERANCE) -> list[Worse]:
    """Return our cells that take more copies than they did; others' speed is their business."""
    found = []
    for cell in now.cells:
        if cell.who not in OWN:
            continue
        old, new = to_copy(before, cell), to_copy(now, cell)
        if old is not None and new is not None and new > old * (1 + tolerance):
            found.append(Worse(cell.operation, cell.bars, cell.who, "copies", old, new))
    return found


def longer(before: Record, now: Record, tolerance: float = TOLERANCE) -> list[Worse]:
    """Return kernels that take more instructions than they did."""
    counts = {(one.operation, one.bars, one.path): one.count for one in before.instructions}
    found = []
    for one in now.instructions:
        old = counts.get((one.operation, one.bars, one.path))
        if old is not None and one.count > old * (1 + tolerance):
            worse = Worse(one.operation, one.bars, one.path, "instructions", old, one.count)
            found.append(worse)
    return found


def confirmed(first: list[Worse], again: list[Worse]) -> list[Worse]:
    """Return what was found twice: a machine that others use is slow now and then."""
    twice = {(worse.operation, worse.bars, worse.who) for worse in again}
    return [worse for worse in first if (worse.operation, worse.bars, worse.who) in twice]
