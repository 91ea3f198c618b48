"""``indicator-cache compute``: indicators over the bars of a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .._arrays import FloatArray
from .._missing import MissingPolicy, checked_policy
from .._requests import Request, parse_all
from ..cache import IndicatorCache
from ..errors import ParameterError
from .errors import CommandError
from .progress import progress

__all__ = ["run"]


def run(file: str, indicators: Sequence[str], output: str | None, source: str, missing: str) -> int:
    """Read a file of bars, compute, and write all columns to another, or to standard output."""
    wanted = parse_all(indicators, source)
    try:
        policy = checked_policy(missing)
    except ParameterError as error:
        raise CommandError(f"--{error}") from None
    # Needs pyarrow, which is optional.
    from . import tables

    target = None if output is None else tables.check_output(output)
    with ExitStack() as stack:
        # Before any work, so that a target that cannot be written is known at once.
        sink = (
            sys.stdout.buffer if target is None else stack.enter_context(tables.whole_file(target))
        )
        needed = list(dict.fromkeys(name for request in wanted for name in request.inputs))
        table = tables.read(Path(file), needed)
        columns = {name: tables.column(table, name) for name in needed}
        table = tables.with_columns(table, _compute(columns, wanted, policy))
        parquet = target is not None and target.suffix.lower() != ".csv"
        tables.write(table, sink, parquet=parquet)
    return 0


def _compute(
    columns: dict[str, FloatArray], wanted: list[Request], missing: MissingPolicy
) -> dict[str, FloatArray]:
    view = IndicatorCache({"file": {"bars": columns}}, missing=missing).view("file", "bars")
    computed: dict[str, FloatArray] = {}
    with progress("computing", len(wanted), "indicator") as bar:
        for request in wanted:
            values: dict[str, Any] = dict(request.values)
            result = view.get(request.spec.name, source=request.source, **values)
            outputs = [result] if len(request.spec.outputs) == 1 else result
            computed.update(zip(request.columns, outputs, strict=True))
            bar.update()
    return computed
