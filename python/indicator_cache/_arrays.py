"""Arrays: whatever callers bring as columns for kernels, and columns that can grow."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ._callers import plain
from .errors import SchemaError

FloatArray = npt.NDArray[np.float64]

T = TypeVar("T", bound=np.generic)

#: Kinds of numpy types that are numbers: signed, unsigned, floating.
_NUMBERS = "iuf"

_FLOAT64 = np.dtype(np.float64)

#: Types that are known not to be any library's, at the price of one comparison.
PLAIN: frozenset[type] = frozenset({np.ndarray, list, tuple})

#: Numbers in a line of the processor's cache.
_LINE = 8


def length_at_lines(rows: int, columns: int) -> int:
    """Return how long a block is that has room for :func:`rows_at_lines`, wherever it begins."""
    return rows * _whole_lines(columns) + _LINE


def rows_at_lines(block: FloatArray, rows: int, columns: int) -> FloatArray:
    """Return rows of a block that each begin at a multiple of 64 bytes.

    Every other store of a wide register that begins elsewhere is one to two lines of the
    processor's cache, and the C library's blocks do.
    """
    step, begin = _whole_lines(columns), _first_line(block)
    return block[begin : begin + rows * step].reshape(rows, step)[:, :columns]


def new_columns(columns: int, length: int) -> list[FloatArray]:
    """Return room for results.

    One block for all of them: several that are freed one by one make the C library give the memory
    back to the system, and asking for it again then costs as much as an indicator does.
    """
    return [np.empty(length)] if columns == 1 else list(np.empty((columns, length)))


def _whole_lines(length: int) -> int:
    return length + -length % _LINE


def _first_line(block: FloatArray) -> int:
    """Return the place of the first value at a multiple of 64 bytes.

    Asked for in this way, an address takes a quarter of the time of numpy's answers.
    """
    first = ctypes.c_char.from_buffer(block)  # type: ignore[arg-type] # it is a buffer
    return -(ctypes.addressof(first) // block.itemsize) % _LINE


def as_column(name: str, values: Any, where: str = "") -> FloatArray:  # noqa: ANN401 - whatever the caller has
    """Return `values` as a column, the very same array where that is possible.

    Raises
    ------
    SchemaError
        When they are not one row of real numbers; its message begins with `where`.
    """
    if type(values) is np.ndarray:
        # First, since this is the way of small arrays that are asked about often.
        flags = values.flags
        if values.dtype is _FLOAT64 and values.ndim == 1 and flags.c_contiguous and flags.aligned:
            return values
    elif type(values) not in PLAIN:
        values = plain(name, values, where)
    try:
        array = np.asanyarray(values)
    except (TypeError, ValueError) as error:
        raise SchemaError(name, f"{where}expected a row of numbers: {error}") from error
    if array.ndim != 1:
        raise SchemaError(
            name, f"{where}expected one dimension, got {array.ndim} (shape {array.shape})"
        )
    if array.dtype.kind not in _NUMBERS and array.size:
        raise SchemaError(name, f"{where}expected real numbers, got an array of {array.dtype}")
    if isinstance(array, np.ma.MaskedArray):
        array = np.ma.filled(array.astype(np.float64), np.nan)
    column = np.ascontiguousarray(np.asarray(array), dtype=np.float64)
    # A field of a packed record may begin anywhere.
    return column if column.flags.aligned else column.copy()


def same_length(names: Sequence[str], columns: Sequence[FloatArray], where: str = "") -> int:
    """Return the length of all columns.

    Raises
    ------
    SchemaError
        When they differ; nothing is ever aligned silently.
    """
    bars = len(columns[0])
    for place, column in enumerate(columns):
        if len(column) != bars:
            raise SchemaError(
                names[place],
                f"{where}expected {bars} bars, as many as {names[0]}, got {len(column)}",
            )
    return bars


class Growing(NamedTuple, Generic[T]):
    """The first `length` values of a buffer, with room for more behind them.

    Appending writes only behind the values, so that views of them stay as they are; when the
    buffer is full, they move to one of twice the size. Of several continuations of one column,
    only the latest may be used.
    """

    buffer: npt.NDArray[T]
    length: int

    def extended(self, values: npt.NDArray[Any]) -> Growing[T]:
        """Return the column with more values at its end."""
        if not len(values):
            return self
        length = self.length + len(values)
        buffer = self.buffer
        if length > len(buffer):
            buffer = np.empty(max(length, 2 * len(buffer)), buffer.dtype)
            buffer[: self.length] = self.buffer[: self.length]
        buffer[self.length : length] = values
        return Growing(buffer, length)

    def view(self) -> npt.NDArray[T]:
        """Return the values as an array that cannot be made writable."""
        if not self.length:
            nothing = np.empty(0, self.buffer.dtype)
            nothing.flags.writeable = False
            return nothing
        memory: object = self.buffer.base
        if type(memory) is memoryview and memory.readonly and self.length == len(self.buffer):
            # It is one.
            return self.buffer
        # Through a read-only buffer: numpy lets the owner of an array make any view writable.
        # Timestamps have none, their bytes do.
        values = self.buffer[: self.length]
        if values.dtype.kind in "mM":
            values = values.view(np.uint8)
        return np.frombuffer(values.data.toreadonly(), self.buffer.dtype)
