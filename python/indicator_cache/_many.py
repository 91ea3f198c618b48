"""One indicator with many parameters over the same columns: the only door to it."""

from __future__ import annotations

from collections.abc import Sequence

from . import backends
from ._arrays import FloatArray, new_columns
from ._generated.catalog import BY_NAME
from .spec import Value

__all__ = ["compute_many"]


def compute_many(
    name: str,
    columns: Sequence[FloatArray],
    params: Sequence[tuple[Value, ...]],
    outputs: Sequence[Sequence[FloatArray]] | None = None,
) -> Sequence[Sequence[FloatArray]]:
    """Compute an indicator for every one of `params`, which have been checked.

    Parameters
    ----------
    name
        Name of the indicator.
    columns
        Its inputs, in the order of its declaration.
    params
        Parameters by position, normalised.
    outputs
        Where to write: for every one of `params` a column for each output. New ones unless given.

    Returns
    -------
    `outputs`. The bits are those of one computation after the other, whatever is done at once.
    """
    spec = BY_NAME[name]
    if outputs is None:
        outputs = [new_columns(len(spec.outputs), len(columns[0])) for _ in params]
    backends.active().run_many(spec, params, columns, outputs)
    return outputs
