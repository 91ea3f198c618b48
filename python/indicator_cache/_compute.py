"""From checked arguments to results, for the functions and the cache alike."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from . import backends
from ._arrays import FloatArray, as_column, same_length
from ._callers import maker_for
from ._generated.results import RESULTS
from .spec import IndicatorSpec, Parameter

__all__ = ["Result", "compute", "normalise", "results"]

#: One column, or a named tuple of several.
Result: TypeAlias = Any


def normalise(spec: IndicatorSpec, values: tuple[object, ...]) -> tuple[float, ...]:
    """Return parameter values given by position as plain numbers, or refuse them."""
    return tuple(map(Parameter.normalise, spec.parameters, values))


def results(spec: IndicatorSpec, columns: list[Any]) -> Result:
    """Return the columns, or values, of an indicator as callers get them."""
    return columns[0] if len(columns) == 1 else RESULTS[spec.name](*columns)


def compute(
    spec: IndicatorSpec, inputs: tuple[npt.ArrayLike, ...], values: tuple[object, ...]
) -> Result:
    """Compute an indicator over array-likes with the backend in use."""
    params = normalise(spec, values)
    columns = {
        name: as_column(name, given) for name, given in zip(spec.inputs, inputs, strict=True)
    }
    bars = same_length(columns)
    outputs = [np.empty(bars) for _ in spec.outputs]
    backends.active().run(spec, params, list(columns.values()), outputs)
    for given in inputs:
        if type(given) is not np.ndarray and type(given) is not list:
            return results(spec, _in_kind(spec, inputs, outputs))
    return results(spec, outputs)


def _in_kind(
    spec: IndicatorSpec, inputs: tuple[npt.ArrayLike, ...], outputs: list[FloatArray]
) -> list[Any]:
    """Return the outputs as columns of the caller's kind."""
    make = maker_for(dict(zip(spec.inputs, inputs, strict=True)))
    if make is None:
        return outputs
    return [make(output.name, x) for output, x in zip(spec.outputs, outputs, strict=True)]
