"""What counts as a number, for parameters, fields of candles and values of streams alike."""

from __future__ import annotations

import operator

import numpy as np

__all__ = ["real", "whole"]

#: What ``float`` takes without complaint, though it is no number to anybody who is careful.
_NOT_NUMBERS = (bool, np.bool_, str, bytes, bytearray, memoryview, np.complexfloating)


def whole(value: object) -> int | None:
    """Return the plain integer that `value` is, or None: for bools, floats, and all else."""
    if isinstance(value, bool):
        return None
    try:
        # Takes numpy's integers too, and refuses its bools.
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def real(value: object) -> float | None:
    """Return the plain float that `value` stands for, or None: for bools, text, and all else."""
    if isinstance(value, _NOT_NUMBERS):
        return None
    if isinstance(value, np.ndarray) and value.dtype.kind not in "iuf":
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
