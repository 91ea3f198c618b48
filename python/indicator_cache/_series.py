"""One series of bars: candles or a table of columns, as columns with the starts of new candles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray, as_column, same_length
from .errors import SchemaError

__all__ = ["FIELDS", "Series", "read_series"]

#: The columns that a series can have.
FIELDS = ("open", "high", "low", "close", "volume")

#: Columns of a table that are not prices.
_OTHERS = ("timestamp", "valid", "new_bar")

_MISSING = object()


class Series:
    """Columns of one series, read-only.

    Attributes
    ----------
    bars
        Number of bars.
    columns
        The columns by name. A missing bar is NaN in all of them.
    new_bar
        Where a new candle begins, or None when the bars do not tell.
    """

    __slots__ = ("_steps", "bars", "columns", "label", "new_bar")

    def __init__(
        self,
        label: str,
        columns: dict[str, FloatArray],
        new_bar: npt.NDArray[np.bool_] | None,
        bars: int,
    ) -> None:
        self.label = label
        self.columns = columns
        self.new_bar = new_bar
        self.bars = bars
        self._steps: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]] | None = None
        for column in columns.values():
            column.flags.writeable = False

    def column(self, name: str) -> FloatArray:
        """Return a column.

        Raises
        ------
        SchemaError
            When the bars do not have it.
        """
        try:
            return self.columns[name]
        except KeyError:
            known = ", ".join(self.columns) or "none"
            raise SchemaError(
                name, f"the bars of {self.label} have no such column; they have: {known}"
            ) from None

    def steps(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return where new candles begin, and for each bar the number of candles begun so far.

        Raises
        ------
        SchemaError
            When the bars do not tell.
        """
        if self._steps is None:
            if self.new_bar is None:
                raise SchemaError(
                    "new_bar",
                    f"stepwise results of {self.label} need a column timestamp or new_bar, "
                    "to tell where candles begin",
                )
            self._steps = np.flatnonzero(self.new_bar), np.cumsum(self.new_bar)
        return self._steps


def read_series(label: str, bars: object, *, native: bool) -> Series:
    """Turn candles, or a mapping from names to columns, into a series.

    With `native`, plain candles are read by the extension module.

    Raises
    ------
    SchemaError
        When they are neither, or not usable.
    """
    if isinstance(bars, Mapping):
        return _read_table(label, bars)
    if isinstance(bars, (str, bytes)) or not isinstance(bars, Sequence):
        raise SchemaError(
            label,
            f"expected a sequence of candles or a mapping from names to columns, got "
            f"{type(bars).__name__}",
        )
    return _read_candles(label, bars if type(bars) is list else list(bars), native=native)


def _read_table(label: str, table: Mapping[Any, Any]) -> Series:
    columns = {
        # A copy: what the caller does to the arrays later must not change cached results.
        name: as_column(f"{label}: {name}", table[name]).copy()
        for name in FIELDS
        if name in table
    }
    if not columns:
        known = ", ".join(map(str, table)) or "none"
        raise SchemaError(label, f"expected columns among {', '.join(FIELDS)}; got: {known}")
    bars = same_length({f"{label}: {name}": column for name, column in columns.items()})
    others = {
        name: _other(f"{label}: {name}", table[name], bars) for name in _OTHERS if name in table
    }

    missing = np.logical_and.reduce([np.isnan(column) for column in columns.values()])
    if "valid" in others:
        missing |= ~_flags(f"{label}: valid", others["valid"])
        for column in columns.values():
            column[missing] = np.nan
    identity = None
    if "new_bar" in others:
        identity = np.cumsum(_flags(f"{label}: new_bar", others["new_bar"]))
    elif "timestamp" in others:
        identity = others["timestamp"]
    new_bar = None if identity is None else _starts(~missing, identity)
    return Series(label, columns, new_bar, bars)


def _other(name: str, values: object, bars: int) -> npt.NDArray[Any]:
    array = np.asarray(values)
    if array.shape != (bars,):
        raise SchemaError(name, f"expected {bars} bars, got shape {array.shape}")
    return array


def _flags(name: str, array: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    if array.dtype != np.bool_ and array.size:
        raise SchemaError(name, f"expected booleans, got an array of {array.dtype}")
    return array.astype(np.bool_)


def _starts(present: npt.NDArray[np.bool_], identity: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where a present bar belongs to another candle than the present bar before it."""
    where = np.flatnonzero(present)
    starts = np.zeros(len(present), np.bool_)
    starts[where[:1]] = True
    starts[where[1:]] = identity[where[1:]] != identity[where[:-1]]
    return starts


def _read_candles(label: str, candles: list[object], *, native: bool) -> Series:
    fields = _fields_of(candles)
    bars = len(candles)
    block = np.empty((len(fields), bars))
    starts = np.empty(bars, np.uint8)
    if not (native and _fill_natively(candles, fields, block, starts)):
        _fill(label, candles, fields, block, starts)
    return Series(label, dict(zip(fields, block, strict=True)), starts.view(np.bool_), bars)


def _fields_of(candles: list[object]) -> tuple[str, ...]:
    """Return the fields of the series. Volume is optional, and the first candle decides."""
    first = next((candle for candle in candles if candle is not None), None)
    if first is None or _field(first, "volume") is not _MISSING:
        return FIELDS
    return FIELDS[:-1]


def _fill_natively(
    candles: list[object],
    fields: tuple[str, ...],
    block: FloatArray,
    starts: npt.NDArray[np.uint8],
) -> bool:
    """Fill the columns in machine code, unless something is unusual."""
    from . import _native

    return _native.fill_columns(candles, fields, list(block), starts)


def _fill(
    label: str,
    candles: list[object],
    fields: tuple[str, ...],
    block: FloatArray,
    starts: npt.NDArray[np.uint8],
) -> None:
    nothing = (np.nan,) * len(fields)
    last: object = None
    values = nothing
    rows = []
    for bar, candle in enumerate(candles):
        starts[bar] = candle is not None and candle is not last
        if candle is None:
            rows.append(nothing)
            continue
        if candle is not last:
            values = tuple(_number(label, bar, candle, field) for field in fields)
            last = candle
        rows.append(values)
    if rows:
        block[:] = np.array(rows).T


def _field(candle: object, field: str) -> object:
    if isinstance(candle, Mapping):
        return candle.get(field, _MISSING)
    return getattr(candle, field, _MISSING)


def _number(label: str, bar: int, candle: object, field: str) -> float:
    value = _field(candle, field)
    if value is None:
        return np.nan
    if value is _MISSING:
        raise SchemaError(
            field, f"{label}: the {type(candle).__name__} candle at bar {bar} has no such field"
        )
    if not isinstance(value, (bool, str, bytes, bytearray, np.bool_)):
        try:
            return float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            pass
    raise SchemaError(
        field,
        f"{label}: the candle at bar {bar} has {value!r} where a number or None belongs",
    )
