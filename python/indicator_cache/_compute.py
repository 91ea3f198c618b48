"""From checked arguments to results, for the functions and the cache alike."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from . import backends
from ._arrays import PLAIN, FloatArray, as_column, same_length
from ._callers import maker_for
from ._generated.results import RESULTS
from ._missing import DEFAULT, guarded
from .spec import IndicatorSpec

__all__ = ["Result", "compute", "empty_outputs", "results"]

#: One column, or a named tuple of several.
Result: TypeAlias = Any


def empty_outputs(spec: IndicatorSpec, bars: int) -> list[FloatArray]:
    """Return room for the results of an indicator.

    One block for all of them: several that are freed one by one make the C library give the memory
    back to the system, and asking for it again then costs as much as an indicator does.
    """
    return list(np.empty((len(spec.outputs), bars)))


def results(spec: IndicatorSpec, columns: list[Any]) -> Result:
    """Return the columns, or values, of an indicator as callers get them."""
    return columns[0] if len(columns) == 1 else RESULTS[spec.name](*columns)


def compute(
    spec: IndicatorSpec,
    inputs: tuple[npt.ArrayLike, ...],
    values: tuple[object, ...],
    missing: object = DEFAULT,
) -> Result:
    """Compute an indicator with the backend in use, in the caller's kind of columns."""
    params = spec.checked(values)
    backend = backends.active()
    if missing is not DEFAULT:
        backend = guarded(backend, missing)
    columns = {
        name: as_column(name, given) for name, given in zip(spec.inputs, inputs, strict=True)
    }
    bars = same_length(columns)
    make = None
    for given in inputs:
        if type(given) not in PLAIN:
            make = maker_for(dict(zip(spec.inputs, inputs, strict=True)))
            break
    outputs = empty_outputs(spec, bars)
    backend.run(spec, params, list(columns.values()), outputs)
    if make is None:
        return results(spec, outputs)
    return results(
        spec, [make(output.name, x) for output, x in zip(spec.outputs, outputs, strict=True)]
    )
