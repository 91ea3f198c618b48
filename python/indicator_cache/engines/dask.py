"""Dask DataFrames: ``map_partitions``, with its meta from the declarations of the indicators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

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
    meta = task.plan(frame._meta).to_pandas()  # noqa: SLF001 - as Dask's own libraries do
    if not partitioned:
        frame = frame.shuffle(on=list(task.by))
    return frame.map_partitions(_of_partition, task, meta=meta).clear_divisions()


def _of_partition(partition: Any, task: Task) -> Any:
    """Compute over a partition; a frame on the memory of the results, where null is NaN already."""
    import pandas as pd

    table = task(partition)
    kept = [name for name in table.column_names if name in {*task.by, "timestamp"}]
    results = {
        name: np.frombuffer(table.column(name).chunk(0).buffers()[1], np.float64, len(table))
        for name in table.column_names
        if name not in kept
    }
    frame = table.select(kept).to_pandas()
    return pd.DataFrame({**{name: frame[name] for name in kept}, **results}, copy=False)
