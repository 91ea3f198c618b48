"""Anything array-like into the columns that kernels take: contiguous float64, in native order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .errors import SchemaError

FloatArray = npt.NDArray[np.float64]

#: Kinds of numpy types that are numbers: signed, unsigned, floating.
_NUMBERS = "iuf"


def as_column(name: str, values: npt.ArrayLike) -> FloatArray:
    """Return `values` as a column, the very same array where that is possible.

    Raises
    ------
    SchemaError
        When they are not one row of real numbers.
    """
    try:
        array = np.asanyarray(values)
    except (TypeError, ValueError) as error:
        raise SchemaError(name, f"expected a row of numbers: {error}") from error
    if isinstance(array, np.ma.MaskedArray):
        array = np.ma.filled(array.astype(np.float64), np.nan)
    if array.ndim != 1:
        raise SchemaError(name, f"expected one dimension, got {array.ndim} (shape {array.shape})")
    if array.dtype.kind not in _NUMBERS and array.size:
        raise SchemaError(name, f"expected real numbers, got an array of {array.dtype}")
    return np.ascontiguousarray(np.asarray(array), dtype=np.float64)


def same_length(columns: dict[str, FloatArray]) -> int:
    """Return the length of all columns.

    Raises
    ------
    SchemaError
        When they differ; nothing is ever aligned silently.
    """
    (first, column), *rest = columns.items()
    for name, other in rest:
        if len(other) != len(column):
            raise SchemaError(
                name, f"expected {len(column)} bars, as many as {first}, got {len(other)}"
            )
    return len(column)


def frozen(rows: int, columns: int) -> tuple[npt.NDArray[np.float64], list[FloatArray]]:
    """Return a writable block of results and its rows as the read-only arrays to hand out.

    The rows are views: numpy refuses to make a view writable once its base is read-only.
    """
    block = np.empty((rows, columns))
    views = list(block)
    for view in views:
        view.flags.writeable = False
    return block, views
