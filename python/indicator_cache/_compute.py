"""From checked arguments to results, for the functions and the cache alike."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy.typing as npt

from . import backends
from ._arrays import PLAIN, as_column, new_columns, same_length
from ._callers import maker_for
from ._generated.catalog import BY_NAME
from ._generated.results import RESULTS
from ._missing import DEFAULT, guarded
from .spec import IndicatorSpec, Value

__all__ = ["Result", "checked", "compute", "results"]

#: One column, or a named tuple of several.
Result: TypeAlias = Any


_SPECS = tuple(BY_NAME.values())

#: Types of which equal values are the same ones, now and later.
_PLAIN: frozenset[type] = frozenset({int, float, str, bool, type(None)})


def checked(spec: IndicatorSpec, values: tuple[object, ...]) -> tuple[Value, ...]:
    """Return parameters by position as plain values, sooner where they have been seen before.

    Raises
    ------
    ParameterError
        For the first value that is not allowed.
    """
    return _checked(spec, values)[0]


#: Parameters as plain values, and as the numbers that stand for them.
_Checked: TypeAlias = tuple[tuple[Value, ...], tuple[float, ...]]


def _checked(spec: IndicatorSpec, values: tuple[object, ...]) -> _Checked:
    try:
        return _seen(spec.position, *values)
    except TypeError:
        # Not a key, or not for long.
        pass
    return _anew(spec, values)


def _anew(spec: IndicatorSpec, values: tuple[object, ...]) -> _Checked:
    params = spec.checked(values)
    return params, spec.numbers(params)


def _plain(position: int, *values: object) -> _Checked:
    if not _PLAIN.issuperset(map(type, values)):
        raise TypeError
    return _anew(_SPECS[position], values)


#: Not as a decorator, of which tools that compare types at run time make another signature.
_seen = lru_cache(maxsize=1024, typed=True)(_plain)


def results(spec: IndicatorSpec, columns: Sequence[Any]) -> Result:
    """Return the columns, or values, of an indicator as callers get them."""
    return columns[0] if len(columns) == 1 else RESULTS[spec.name](*columns)


def compute(
    spec: IndicatorSpec,
    inputs: tuple[npt.ArrayLike, ...],
    values: tuple[object, ...],
    missing: object = DEFAULT,
) -> Result:
    """Compute an indicator with the backend in use, in the caller's kind of columns."""
    params, numbers = _checked(spec, values)
    backend = backends.active()
    if missing is not DEFAULT:
        backend = guarded(backend, missing)
    elif backend.quick is not None:
        computed = backend.quick(spec.position, numbers, inputs)
        if computed is not None:
            return computed[0] if len(computed) == 1 else results(spec, computed)
    columns = list(map(as_column, spec.inputs, inputs))
    outputs = new_columns(len(spec.outputs), same_length(spec.inputs, columns))
    make = None
    for given in inputs:
        if type(given) not in PLAIN:
            make = maker_for(dict(zip(spec.inputs, inputs, strict=True)))
            break
    backend.run(spec, params, columns, outputs)
    if make is None:
        return results(spec, outputs)
    return results(
        spec, [make(output.name, x) for output, x in zip(spec.outputs, outputs, strict=True)]
    )
