"""DuckDB, through Arrow: series stream out of a query and results into the next one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._groups import series_codes
from ._parts import Task

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyRelation

__all__ = ["compute"]


def compute(
    relation: DuckDBPyRelation,
    indicators: Sequence[str],
    by: str | Sequence[str],
    *,
    source: str = "close",
    rows: int = 1 << 17,
) -> pa.RecordBatchReader:
    """Compute indicators over every series of a DuckDB relation, some series at a time.

    Parameters
    ----------
    relation
        Bars, with a column ``timestamp``; DuckDB sorts them by series and time.
    indicators, by, source
        As for :func:`indicator_cache.compute`.
    rows
        Bars that are asked for at a time. In memory are these, the series that began before them,
        and their results.

    Returns
    -------
    A ``pyarrow.RecordBatchReader`` with the columns that :func:`indicator_cache.compute` gives,
    series after series. DuckDB reads it by the name of its variable, in another connection or
    cursor while the first is still being read; ``read_all()`` makes a table of it.

    Raises
    ------
    PlanError
        When indicators or columns are wrong, with all that is. Nothing has been computed.
    """
    import pyarrow as pa
    from duckdb import ColumnExpression

    task = Task.of(indicators, by, source, shuffled=True)
    planned = task.plan(relation.limit(0).to_arrow_table())
    # Bars that repeat a candle have one timestamp, and sorting does not keep their order.
    kept = map(ColumnExpression, (name for name in relation.columns if name != "new_bar"))
    ordered = relation.select(*kept).sort(*map(ColumnExpression, (*task.by, "timestamp")))
    results = _results(ordered.to_arrow_reader(rows), task._replace(shuffled=False))
    return pa.RecordBatchReader.from_batches(planned.schema, results)


def _results(reader: Any, task: Task) -> Iterator[Any]:
    """Compute over series as soon as they are whole, which is when the next one begins."""
    import pyarrow as pa

    waiting: list[Any] = []
    for batch in reader:
        table = pa.Table.from_batches([batch])
        begun = np.flatnonzero(np.diff(_codes_after(waiting, table, task.by)))
        if len(begun):
            last = int(begun[-1]) + (0 if waiting else 1)
            yield from task(pa.concat_tables([*waiting, table.slice(0, last)])).to_batches()
            waiting, table = [], table.slice(last)
        waiting.append(table)
    if waiting:
        yield from task(pa.concat_tables(waiting)).to_batches()


def _codes_after(waiting: list[Any], table: Any, by: tuple[str, ...]) -> Any:
    """Return which series rows are of, the last one that waits put in front."""
    import pyarrow as pa

    front = [waiting[-1].slice(len(waiting[-1]) - 1)] if waiting else []
    return series_codes(pa.concat_tables([*front, table]).select(list(by)), by)
