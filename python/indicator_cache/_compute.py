"""From checked arguments to results, for the functions and the cache alike."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from . import backends
from ._arrays import as_column, same_length
from ._generated.results import RESULTS
from .spec import IndicatorSpec

__all__ = ["Result", "compute", "results"]

#: One column, or a named tuple of several.
Result: TypeAlias = Any


def results(spec: IndicatorSpec, columns: list[Any]) -> Result:
    """Return the columns, or values, of an indicator as callers get them."""
    return columns[0] if len(columns) == 1 else RESULTS[spec.name](*columns)


def compute(
    spec: IndicatorSpec, inputs: tuple[npt.ArrayLike, ...], values: tuple[object, ...]
) -> Result:
    """Compute an indicator over array-likes with the backend in use."""
    params = spec.checked(values)
    columns = {
        name: as_column(name, given) for name, given in zip(spec.inputs, inputs, strict=True)
    }
    bars = same_length(columns)
    outputs = [np.empty(bars) for _ in spec.outputs]
    backends.active().run(spec, params, list(columns.values()), outputs)
    return results(spec, outputs)
