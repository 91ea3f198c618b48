"""Ray Data: ``map_batches`` over whole blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ._parts import Task

if TYPE_CHECKING:
    from ray.data import Dataset

__all__ = ["compute"]


def compute(
    dataset: Dataset,
    indicators: Sequence[str],
    by: str | Sequence[str],
    *,
    source: str = "close",
    partitioned: bool = False,
    blocks: int | None = None,
    **options: Any,
) -> Dataset:
    """Compute indicators over every series of a Ray dataset, lazily.

    Parameters
    ----------
    dataset
        Bars, with a column ``timestamp``.
    indicators, by, source
        As for :func:`indicator_cache.compute`.
    partitioned
        True says that all rows of a series are in one block, in order of time, as they are with a
        file for each series. Otherwise rows are brought together first, which moves all data.
    blocks
        How many blocks rows are brought together in; None is Ray's default.
    **options
        Passed on to ``map_batches``: ``num_cpus``, ``concurrency``, ``runtime_env`` and so on.

    Returns
    -------
    A dataset with the columns that :func:`indicator_cache.compute` gives.

    Raises
    ------
    PlanError
        When indicators or columns are wrong, with all that is. Nothing has been computed.
    """
    task = Task.of(indicators, by, source, shuffled=not partitioned)
    task.plan(_nothing(dataset))
    if not partitioned:
        blocks = blocks or dataset.context.default_hash_shuffle_parallelism
        dataset = dataset.repartition(blocks, keys=list(task.by))
    # A batch without a size is a block: no series is cut in two.
    return dataset.map_batches(task, batch_size=None, batch_format="pyarrow", **options)


def _nothing(dataset: Dataset) -> Any:
    schema = dataset.schema()
    import pyarrow as pa

    return pa.schema(zip(schema.names, schema.types, strict=True)).empty_table()
