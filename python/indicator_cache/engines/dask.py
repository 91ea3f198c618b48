"""Dask DataFrames: ``map_partitions``, with its meta from the declarations of the indicators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ._parts import Task

if TYPE_CHECKING:
    import dask.dataframe as dd

__all__ = ["compute"]


def compute(
    frame: dd.DataFrame,
    indicators: Sequence[str],
    by: str | Sequence[str],
    *,
    source: str = "close",
    partitioned: bool = False,
) -> dd.DataFrame:
    """Compute indicators over every series of a Dask DataFrame, lazily.

    Parameters
    ----------
    frame
        Bars, with a column ``timestamp``.
    indicators, by, source
        As for :func:`indicator_cache.compute`; `by` may be the index.
    partitioned
        True says that all rows of a series are in one partition, in order of time, as they are with
        a file for each series. Otherwise rows are brought together first, which moves all data.

    Returns
    -------
    A DataFrame with the columns that :func:`indicator_cache.compute` gives, NaN where there is no
    value. The index is that of each partition.

    Raises
    ------
    PlanError
        When indicators or columns are wrong, with all that is. Nothing has been computed.
    """
    task = Task.of(indicators, by, source, shuffled=not partitioned)
    if frame.index.name in task.by:
        # Dask cuts a sorted index between two values, never within one.
        partitioned = partitioned or frame.known_divisions
        frame = frame.reset_index()
    meta = _of_partition(frame._meta, task.plan)  # noqa: SLF001 - as Dask's own libraries do
    if not partitioned:
        frame = frame.shuffle(on=list(task.by))
    return frame.map_partitions(_of_partition, task, meta=meta).clear_divisions()


def _of_partition(partition: Any, task: Any) -> Any:
    return task(partition).to_pandas()
