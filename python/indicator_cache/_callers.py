"""The kinds of columns that callers have, and results in the caller's own kind.

Nothing is imported here that the caller has not: who holds a pandas object has imported pandas.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from .errors import SchemaError

__all__ = [
    "ArrowLike",
    "Maker",
    "SeriesLike",
    "SeriesT",
    "is_arrow",
    "is_arrow_column",
    "is_from",
    "maker_for",
    "plain",
]

#: Makes a column of the caller's kind from a name and an array.
Maker: TypeAlias = Callable[[str, npt.NDArray[np.float64]], Any]


class SeriesLike(Protocol):
    """A series of pandas or polars, for type checkers."""

    def to_frame(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Return it as the one column of a table, which arrays and lists cannot."""


class _Stream(Protocol):
    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...  # noqa: ANN401


class _Array(Protocol):
    def __arrow_c_array__(self, requested_schema: Any = None) -> Any: ...  # noqa: ANN401


#: Anything with the Arrow PyCapsule interface, for type checkers.
ArrowLike: TypeAlias = _Stream | _Array


#: Results have the type of the input.
SeriesT = TypeVar("SeriesT", bound=SeriesLike)


def is_from(given: object, library: str, *names: str) -> bool:
    """Whether an object is of a library's class; a library nobody imported has no objects."""
    module = sys.modules.get(library)
    kinds = tuple(getattr(module, name, _Nothing) for name in names)
    return module is not None and isinstance(given, kinds)


class _Nothing:
    """What no object is an instance of, while a module is half imported."""


def is_arrow(given: object) -> bool:
    """Whether an object offers its data through the Arrow PyCapsule interface."""
    return hasattr(given, "__arrow_c_stream__") or hasattr(given, "__arrow_c_array__")


def is_arrow_column(given: object) -> bool:
    """Whether an object is a column that was read through that interface."""
    return is_from(given, f"{__package__}._arrow", "Column")


# --- columns ---


def plain(name: str, values: Any, where: str = "") -> Any:  # noqa: ANN401 - whatever the caller has
    """Return a column of pandas or Arrow as an array; anything else as it is.

    Raises
    ------
    SchemaError
        When it has no numbers.
    """
    if is_from(values, "pandas", "Series", "Index"):
        return _pandas_numbers(name, values, where)
    is_column = is_arrow_column(values)
    if not is_column and (not is_arrow(values) or is_from(values, "pandas", "DataFrame")):
        return values
    from . import _arrow

    column = values if is_column else _arrow.read_column(values, name)
    return _arrow.numbers(column, name, where)


def _pandas_numbers(name: str, column: Any, where: str) -> Any:  # noqa: ANN401 - a pandas object
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return column.to_numpy()
    if is_from(dtype, "pandas", "ArrowDtype"):
        return plain(name, column.array.__arrow_array__(), where)
    if dtype.kind in "iuf":
        return column.to_numpy(np.float64, na_value=np.nan)
    raise SchemaError(name, f"{where}expected real numbers, got an array of {dtype}")


def maker_for(inputs: Mapping[str, object]) -> Maker | None:
    """Return what makes results of the kind of the first input that is of any library's.

    Raises
    ------
    SchemaError
        When several have an index, and not the same one.
    """
    series = {name: given for name, given in inputs.items() if is_from(given, "pandas", "Series")}
    if series:
        return _pandas_maker(series)
    for given in inputs.values():
        if is_from(given, "polars", "Series", "DataFrame"):
            return _polars_column
        if is_from(given, "pandas", "Index", "DataFrame") or not is_arrow(given):
            continue
        if type(given).__module__.partition(".")[0] == "pyarrow":
            return _pyarrow_column
        from ._table import ArrowColumn

        return ArrowColumn
    return None


def _pandas_maker(series: Mapping[str, Any]) -> Maker:
    (first, column), *rest = series.items()
    index = column.index
    for name, other in rest:
        if other.index is not index and not other.index.equals(index):
            raise SchemaError(name, f"expected the index of {first}; results are never aligned")
    pandas = sys.modules["pandas"]
    return lambda name, values: pandas.Series(values, index=index, name=name, copy=False)


def _polars_column(name: str, values: npt.NDArray[np.float64]) -> Any:  # noqa: ANN401
    return sys.modules["polars"].Series(name, values, nan_to_null=True)


def _pyarrow_column(_: str, values: npt.NDArray[np.float64]) -> Any:  # noqa: ANN401
    from ._table import pyarrow_column

    return pyarrow_column(values)
