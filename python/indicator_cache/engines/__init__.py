"""Adapters: :func:`indicator_cache.compute` on engines that spread it over processes and machines.

Each module has a function ``compute(data, indicators, by, ...)`` from what its engine calls a table
to the same with the results, and is named as the engine: ``dask``, ``ray``, ``spark``, ``polars``,
``duckdb``. Engines are imported when they are used. Scheduling, retries and moving data are their
business. docs/scale.md tells which rows have to be together, and the cost.

Every one checks indicators and columns when it is called, by computing over no rows, and raises
:class:`PlanError` with all that is wrong before the engine has anything to do.
"""

from __future__ import annotations

__all__: list[str] = []
