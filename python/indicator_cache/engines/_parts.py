"""What engines call on the parts of their data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .._groups import Table, as_arrow, compute
from .._plan import Problems
from ..errors import SchemaError

__all__ = ["Task"]


class Task(NamedTuple):
    """A computation as it is sent to workers: plain data, the same whatever backend they have."""

    indicators: tuple[str, ...]
    by: tuple[str, ...]
    source: str
    shuffled: bool
    """Whether rows come in any order, so that only their timestamps tell which is first."""

    @classmethod
    def of(
        cls, indicators: Sequence[str], by: str | Sequence[str], source: str, *, shuffled: bool
    ) -> Task:
        """Return the computation that a caller asks for."""
        texts = (indicators,) if isinstance(indicators, str) else tuple(indicators)
        return cls(texts, (by,) if isinstance(by, str) else tuple(by), source, shuffled)

    def __call__(self, part: object) -> Table:
        """Compute over the series of a part, all rows of each.

        Raises
        ------
        PlanError, SchemaError
            As :func:`indicator_cache.compute`; also when rows were shuffled and have no timestamps.
        """
        table = as_arrow(part)
        if self.shuffled and "timestamp" in table.column_names:
            # Bars that repeat a candle have one timestamp, and nothing tells their order any more.
            if "new_bar" in table.column_names:
                table = table.drop_columns("new_bar")
            if not _in_order(table.column("timestamp")):
                table = table.sort_by("timestamp")
        return compute(table, self.indicators, self.by, source=self.source)

    def plan(self, nothing: object) -> Table:
        """Return the result for a table without rows: names and types.

        Raises
        ------
        PlanError
            With all that is wrong.
        """
        table = as_arrow(nothing)
        if self.shuffled and "timestamp" not in table.column_names:
            problems = Problems()
            problems.add(
                SchemaError("timestamp", "no such column, and rows come in any order here")
            )
            problems.extend(lambda: self(table))
            problems.check()
        return self(table)


def _in_order(times: Any) -> bool:
    """Whether no time is before the one of the row before, as in most groups that engines make."""
    import pyarrow.compute as pc

    try:
        earlier = pc.any(pc.less(times.slice(1), times.slice(0, max(len(times) - 1, 0))))
    except NotImplementedError:
        # Not times at all, of which others will complain.
        return True
    return not earlier.as_py()
