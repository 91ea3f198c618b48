"""polars: ``group_by().map_groups``, on frames and lazily."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar, cast

from ._parts import Task

if TYPE_CHECKING:
    import polars as pl

__all__ = ["compute"]

FrameT = TypeVar("FrameT", "pl.DataFrame", "pl.LazyFrame")


def compute(
    frame: FrameT, indicators: Sequence[str], by: str | Sequence[str], *, source: str = "close"
) -> FrameT:
    """Compute indicators over every series of a polars frame; lazily, where it is lazy.

    For a frame in memory, :func:`indicator_cache.compute` does the same in one call, which is
    quicker where series are short; this one fits into a query.

    Parameters
    ----------
    frame
        Bars; the rows of a series in order of time.
    indicators, by, source
        As for :func:`indicator_cache.compute`.

    Returns
    -------
    A frame with the columns that :func:`indicator_cache.compute` gives, series after series as they
    first appear.

    Raises
    ------
    PlanError
        When indicators or columns are wrong, with all that is. Nothing has been computed.
    """
    import polars as pl

    task = Task.of(indicators, by, source, shuffled=False)
    planned = _polars(task.plan(frame.collect_schema().to_frame()))

    def of_group(group: pl.DataFrame) -> pl.DataFrame:
        return _polars(task(group))

    groups = frame.group_by(*task.by, maintain_order=True)
    if isinstance(frame, pl.LazyFrame):
        return groups.map_groups(of_group, schema=planned.schema)
    # Without rows there are no groups, and no types to learn from them.
    return groups.map_groups(of_group) if len(frame) else planned


def _polars(table: object) -> pl.DataFrame:
    import polars as pl

    return cast("pl.DataFrame", pl.from_arrow(table))
