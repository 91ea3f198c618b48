"""Arrow data through the PyCapsule interface: columns in, without any Arrow library.

An object with ``__arrow_c_stream__`` or ``__arrow_c_array__`` hands over a capsule with C
structures that the Arrow specification has frozen (the C data interface and the C stream
interface). They are read here with :mod:`ctypes`, which needs neither pyarrow nor a compiler:
docs/decisions/0006-arrow-input.md. Arrays made here are views of the producer's memory, and keep
it alive; Arrow memory must not change, so they are read-only.

In this module a column is a list of chunks, and a chunk knows its type only as the format string of
the specification. What the types mean for bars is decided at the bottom.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from ctypes import POINTER, c_char_p, c_int, c_int64, c_void_p, py_object
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .errors import SchemaError

__all__ = ["Column", "Times", "read_column", "read_columns", "type_name"]


class _Schema(ctypes.Structure):
    """``struct ArrowSchema``."""


class _Array(ctypes.Structure):
    """``struct ArrowArray``."""


class _Stream(ctypes.Structure):
    """``struct ArrowArrayStream``."""


# A field that holds the address of a function reads as something false where the address is null.
# All calls release the interpreter meanwhile: a database may compute its answer in get_next.
_Schema._fields_ = [
    ("format", c_char_p),
    ("name", c_char_p),
    ("metadata", c_void_p),
    ("flags", c_int64),
    ("n_children", c_int64),
    ("children", POINTER(POINTER(_Schema))),
    ("dictionary", POINTER(_Schema)),
    ("release", ctypes.CFUNCTYPE(None, POINTER(_Schema))),
    ("private_data", c_void_p),
]
_Array._fields_ = [
    ("length", c_int64),
    ("null_count", c_int64),
    ("offset", c_int64),
    ("n_buffers", c_int64),
    ("n_children", c_int64),
    ("buffers", POINTER(c_void_p)),
    ("children", POINTER(POINTER(_Array))),
    ("dictionary", POINTER(_Array)),
    ("release", ctypes.CFUNCTYPE(None, POINTER(_Array))),
    ("private_data", c_void_p),
]
_Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(c_int, POINTER(_Stream), POINTER(_Schema))),
    ("get_next", ctypes.CFUNCTYPE(c_int, POINTER(_Stream), POINTER(_Array))),
    ("get_last_error", ctypes.CFUNCTYPE(c_char_p, POINTER(_Stream))),
    ("release", ctypes.CFUNCTYPE(None, POINTER(_Stream))),
    ("private_data", c_void_p),
]


# By a prototype of our own: the function object in pythonapi is the whole process's.
_get_pointer: Any = None
if hasattr(ctypes, "pythonapi"):
    _get_pointer = ctypes.PYFUNCTYPE(c_void_p, py_object, c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )


class _Owned:
    """A structure that a stream filled in, released with the last array that needs it."""

    def __init__(self, structure: _Schema | _Array) -> None:
        self.structure: Any = structure

    def __del__(self) -> None:
        if self.structure.release:
            self.structure.release(self.structure)


class _Memory:
    """Memory that belongs to somebody else, as numpy wants to hear of it."""

    def __init__(self, address: int, dtype: np.dtype[Any], length: int, owner: object) -> None:
        self.__array_interface__ = {
            "version": 3,
            "data": (address, True),
            "typestr": dtype.str,
            "shape": (length,),
        }
        self.owner = owner


class Field(NamedTuple):
    """Name and type of a column."""

    name: str
    format: str
    """As the specification writes types: ``g`` for float64, ``tsu:UTC`` for a timestamp."""


class Chunk(NamedTuple):
    """Some values of a column in a row, and what keeps them alive."""

    length: int
    start: int
    """Where they begin in the buffers."""
    buffers: tuple[int, ...]
    """Addresses: of the bitmap of present values, 0 for none, and of the values."""
    outer: npt.NDArray[np.bool_] | None
    """False at rows that are null as a whole; None where there are none."""
    owner: object

    def values(self, dtype: npt.DTypeLike, per_value: int = 1) -> npt.NDArray[Any]:
        """Return the numbers in the buffer, as they are."""
        kind = np.dtype(dtype)
        address = self.buffers[1] if len(self.buffers) > 1 else 0
        if not self.length or not address:
            return np.empty(0, kind)
        address += self.start * kind.itemsize * per_value
        return np.asarray(_Memory(address, kind, self.length * per_value, self.owner))

    def bits(self, buffer: int) -> npt.NDArray[np.bool_]:
        """Return a buffer of bits."""
        first = self.start // 8
        stop = (self.start + self.length + 7) // 8
        memory = _Memory(self.buffers[buffer] + first, np.dtype("u1"), stop - first, self.owner)
        bits = np.unpackbits(np.asarray(memory), bitorder="little")
        return bits[self.start - 8 * first :][: self.length].view(np.bool_)

    def missing(self) -> npt.NDArray[np.bool_] | None:
        """Return where values are null, or None where all are present."""
        present = self.outer
        if self.length and self.buffers and self.buffers[0]:
            own = self.bits(0)
            present = own if present is None else own & present
        return None if present is None or present.all() else ~present


class Column(NamedTuple):
    """A column in chunks."""

    field: Field
    chunks: list[Chunk]


class Times(NamedTuple):
    """Timestamps: a numpy array in the unit they came in, in UTC where they have a zone."""

    values: npt.NDArray[Any]
    zone: str


# --- structures to chunks ---


class _Content(NamedTuple):
    """All that an object handed over: its own rows and, of a table, the columns."""

    rows: Column
    columns: list[Column]
    metadata: dict[str, str]


def read_columns(given: Any, name: str) -> tuple[list[Column], dict[str, str]]:  # noqa: ANN401 - duck-typed
    """Return the columns of a table, and the metadata of its schema.

    Raises
    ------
    SchemaError
        When it is not a table.
    """
    content = _read(given, name)
    if content.rows.field.format != "+s":
        kind = type_name(content.rows.field)
        raise SchemaError(name, f"expected a table, got an array of {kind}")
    return content.columns, content.metadata


def read_column(given: Any, name: str) -> Column:  # noqa: ANN401 - duck-typed
    """Return a single column: an array, or the column of a table that has only one.

    Raises
    ------
    SchemaError
        When there are several.
    """
    content = _read(given, name)
    if content.rows.field.format != "+s":
        return content.rows
    if len(content.columns) != 1:
        names = ", ".join(column.field.name for column in content.columns) or "none"
        raise SchemaError(
            name, f"expected one column, got a table of {len(content.columns)}: {names}"
        )
    return content.columns[0]


def _read(given: Any, name: str) -> _Content:  # noqa: ANN401 - duck-typed
    if _get_pointer is None:
        raise SchemaError(
            name, "Arrow objects are read on CPython only; give a dict of arrays instead"
        )
    if not hasattr(given, "__arrow_c_stream__"):
        schema_capsule, array_capsule = given.__arrow_c_array__()
        content = _typed(_inside(name, schema_capsule, b"arrow_schema", _Schema))
        _add(content, _inside(name, array_capsule, b"arrow_array", _Array), array_capsule)
        return content
    # The capsule releases the stream when it goes.
    capsule = given.__arrow_c_stream__()
    stream = _inside(name, capsule, b"arrow_array_stream", _Stream)
    schema = _Owned(_Schema())
    _check(name, stream, stream.get_schema(stream, schema.structure))
    content = _typed(schema.structure)
    while True:
        array = _Owned(_Array())
        _check(name, stream, stream.get_next(stream, array.structure))
        if not array.structure.release:
            return content
        _add(content, array.structure, array)


def _inside(name: str, capsule: object, label: bytes, kind: type[Any]) -> Any:  # noqa: ANN401 - a structure
    try:
        structure = kind.from_address(_get_pointer(capsule, label))
    except ValueError as error:
        expected = f"expected a capsule named {label.decode()}: {error}"
        raise SchemaError(name, expected) from error
    # Whoever takes the content leaves the capsule without; calling into it then would be the end.
    if not structure.release:
        raise SchemaError(name, "the Arrow data were taken by somebody else before")
    return structure


def _check(name: str, stream: Any, code: int) -> None:  # noqa: ANN401 - a structure
    if code:
        reason = stream.get_last_error(stream) or b"no reason given"
        raise SchemaError(name, f"the Arrow stream failed: {reason.decode(errors='replace')}")


def _typed(schema: Any) -> _Content:  # noqa: ANN401 - a structure
    """Return content without any rows."""
    children = [schema.children[at].contents for at in range(schema.n_children)]
    columns = [Column(_field(child), []) for child in children]
    return _Content(Column(_field(schema), []), columns, _metadata(schema.metadata))


def _add(content: _Content, array: Any, owner: object) -> None:  # noqa: ANN401 - a structure
    """Add the rows of an array."""
    rows = _chunk(array, owner)
    content.rows.chunks.append(rows)
    if content.rows.field.format != "+s":
        return
    missing = rows.missing()
    present = None if missing is None else ~missing
    for at, column in enumerate(content.columns):
        cells = _chunk(array.children[at].contents, owner)
        start = cells.start + rows.start
        column.chunks.append(cells._replace(length=rows.length, start=start, outer=present))


def _field(schema: Any) -> Field:  # noqa: ANN401 - a structure
    name = (schema.name or b"").decode(errors="replace")
    return Field(name, "dictionary" if schema.dictionary else schema.format.decode())


def _chunk(array: Any, owner: object) -> Chunk:  # noqa: ANN401 - a structure
    buffers = tuple(array.buffers[at] or 0 for at in range(array.n_buffers))
    return Chunk(array.length, array.offset, buffers, None, owner)


def _metadata(address: int | None) -> dict[str, str]:
    """Decode the metadata of a schema: counts and lengths as 32-bit integers, then bytes."""
    if not address:
        return {}
    texts = _texts(address)
    return {next(texts): next(texts) for _ in range(c_int.from_address(address).value)}


def _texts(address: int) -> Iterator[str]:
    while True:
        address += 4
        length = c_int.from_address(address).value
        yield ctypes.string_at(address + 4, length).decode(errors="replace")
        address += length


# --- what types mean ---

_NUMBERS = {"c": "i1", "C": "u1", "s": "i2", "S": "u2", "i": "i4", "I": "u4", "l": "i8", "L": "u8"}
_NUMBERS |= {"e": "f2", "f": "f4", "g": "f8"}

#: The largest power of ten that float64 holds exactly.
_EXACT_POWERS = 22

_UNITS = {"s": "s", "m": "ms", "u": "us", "n": "ns"}

_NAMES = {"n": "null", "b": "bool", "u": "utf8", "U": "large_utf8", "vu": "utf8_view"}
_NAMES |= {"z": "binary", "Z": "large_binary", "vz": "binary_view", "+s": "struct"}
_NAMES |= {"+l": "list", "+L": "large_list", "tdD": "date32", "tdm": "date64"}


def type_name(field: Field) -> str:
    """Return the name of a type as people know it."""
    text = field.format
    if text in _NAMES:
        return _NAMES[text]
    if text in _NUMBERS:
        dtype = np.dtype(_NUMBERS[text])
        return str(dtype)
    kind, _, rest = text.partition(":")
    if kind == "d":
        precision, scale, *bits = rest.split(",")
        return f"decimal{bits[0] if bits else 128}({precision}, {scale})"
    if kind[:2] == "ts":
        return f"timestamp[{_UNITS[kind[2]]}{', ' if rest else ''}{rest}]"
    families = {"tt": "time", "tD": "duration", "ti": "interval", "+w": "fixed_size_list"}
    families |= {"w": "fixed_size_binary", "+r": "run_end_encoded", "+u": "union"}
    return families.get(kind[:2], text)


def numbers(column: Column, name: str, where: str = "") -> npt.NDArray[np.float64]:
    """Return a column as float64, null as NaN; a view where it is one chunk of float64.

    Integers and floats are converted as numpy does it, to the nearest float64. So are decimals: the
    result is the float64 nearest to the decimal number, as that of ``float(Decimal(...))``.

    Raises
    ------
    SchemaError
        When it has no numbers.
    """
    text = column.field.format
    if text not in _NUMBERS and not text.startswith("d:") and text != "n":
        raise SchemaError(
            name, f"{where}expected real numbers, got an array of {type_name(column.field)}"
        )
    parts = [_floats(chunk, text) for chunk in column.chunks]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0), *parts])


def _floats(chunk: Chunk, text: str) -> npt.NDArray[np.float64]:
    if text == "n":
        return np.full(chunk.length, np.nan)
    missing = chunk.missing()
    if text in _NUMBERS:
        values = np.asarray(chunk.values(_NUMBERS[text]), np.float64)
    else:
        values = _decimals(chunk, text, missing)
    return values if missing is None else np.where(missing, np.nan, values)


def _decimals(
    chunk: Chunk, text: str, missing: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.float64]:
    """Return decimals: whole numbers of 32 to 256 bits, over a power of ten."""
    _, digits, *bits = text.removeprefix("d:").split(",")
    scale = int(digits)
    size = int(bits[0]) // 8 if bits else 16
    lanes = max(size // 8, 1)
    words = chunk.values(f"i{min(size, 8)}", lanes).reshape(chunk.length, lanes)
    at = 0 if sys.byteorder == "little" else lanes - 1
    low = words[:, at].astype(np.int64)
    fits = (np.delete(words, at, axis=1) == low[:, None] >> 63).all(axis=1)
    # Where the integer and the power of ten are exact as floats, their quotient is rounded once.
    exact = fits & (np.abs(low >> 1) < 2**52) & (0 <= scale <= _EXACT_POWERS)
    values = low / 10.0 ** min(max(scale, 0), _EXACT_POWERS)
    if missing is not None:  # what stands beneath a null is anything
        exact |= missing
    for row in np.flatnonzero(~exact):
        whole = int.from_bytes(words[row].tobytes(), sys.byteorder, signed=True)
        # Python rounds the quotient of two integers once, whatever their size.
        values[row] = whole / 10**scale if scale >= 0 else float(whole * 10**-scale)
    return values


def flags(column: Column, name: str, where: str = "") -> npt.NDArray[np.bool_]:
    """Return a column of booleans, null as false.

    Raises
    ------
    SchemaError
        When it is none.
    """
    if column.field.format != "b":
        raise SchemaError(
            name, f"{where}expected booleans, got an array of {type_name(column.field)}"
        )
    parts = []
    for chunk in column.chunks:
        values = chunk.bits(1) if chunk.length else np.empty(0, np.bool_)
        missing = chunk.missing()
        parts.append(values if missing is None else values & ~missing)
    return np.concatenate([np.empty(0, np.bool_), *parts])


def times(column: Column, name: str, where: str = "") -> Times:
    """Return a column of timestamps, dates, or whole numbers that stand for times.

    Raises
    ------
    SchemaError
        When it is something else, or a value is null.
    """
    kind, _, zone = column.field.format.partition(":")
    if kind[:2] == "ts":
        stored, meant = "i8", f"M8[{_UNITS[kind[2]]}]"
    elif kind in {"tdD", "tdm"}:
        stored, meant = ("i4", "M8[D]") if kind == "tdD" else ("i8", "M8[ms]")
    elif kind in _NUMBERS and _NUMBERS[kind][0] in "iu":
        stored = meant = _NUMBERS[kind]
    else:
        raise SchemaError(
            name,
            f"{where}expected timestamps, dates or whole numbers, got an array of "
            f"{type_name(column.field)}",
        )
    row = 0
    for chunk in column.chunks:
        missing = chunk.missing()
        if missing is not None:
            raise SchemaError(name, f"{where}null at row {row + int(missing.argmax())}")
        row += chunk.length
    raw = [chunk.values(stored) for chunk in column.chunks]
    values = raw[0] if len(raw) == 1 else np.concatenate([np.empty(0, stored), *raw])
    same_size = values.itemsize == np.dtype(meant).itemsize
    return Times(values.view(meant) if same_size else values.astype(meant), zone)
