"""Spark 4: ``applyInArrow`` on groups, with its schema from the declarations of the indicators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ._parts import Task

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["compute"]


def compute(
    frame: DataFrame, indicators: Sequence[str], by: str | Sequence[str], *, source: str = "close"
) -> DataFrame:
    """Compute indicators over every series of a Spark DataFrame, lazily.

    Parameters
    ----------
    frame
        Bars, with a column ``timestamp``: Spark hands over the rows of a group in any order.
    indicators, by, source
        As for :func:`indicator_cache.compute`.

    Returns
    -------
    A DataFrame with the columns that :func:`indicator_cache.compute` gives.

    Raises
    ------
    PlanError
        When indicators or columns are wrong, with all that is. Nothing has been computed.
    """
    from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

    task = Task.of(indicators, by, source, shuffled=True)
    zone = frame.sparkSession.conf.get("spark.sql.session.timeZone")
    planned = task.plan(to_arrow_schema(frame.schema, timezone=zone).empty_table())

    schema = from_arrow_schema(planned.schema)
    # Groups come with the zone of the session, and results are expected in UTC.
    types = to_arrow_schema(schema, timezone="UTC")

    # Spark looks at the number of its arguments, so it has to be a function.
    def of_group(group: object) -> object:
        return task(group).cast(types)

    return frame.groupBy(*task.by).applyInArrow(of_group, schema)
