"""One series of bars: candles or a table of columns, as columns with the starts of new candles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray, Growing, as_column, same_length
from ._frames import (
    FIELDS,
    Frame,
    check_metadata,
    check_order,
    check_values,
    check_zone,
    read_frame,
)
from ._numbers import real
from .errors import SchemaError

__all__ = ["FIELDS", "Batch", "Series", "read_next", "read_series", "series_of_table"]

_MISSING = object()

BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.intp]


class Tail(NamedTuple):
    """What the next bars have to know of those before."""

    #: What bars are: "candles", or which column of a table tells them apart, if any does.
    kind: str
    #: Identity of the last present candle: the object, its timestamp, or its number.
    last: object = _MISSING
    #: Values of the last present candle object.
    values: tuple[float, ...] = ()
    #: Candles begun so far, by the flags of a table.
    begun: int = 0
    #: Type of the timestamps.
    dtype: np.dtype[Any] | None = None
    #: Time zone of the timestamps.
    zone: str = ""
    #: Whether timestamps have to increase, and the last one.
    ordered: bool = False
    time: object = None
    #: Whether a field that a candle lacks is missing there, and no error.
    lenient: bool = False


class Batch(NamedTuple):
    """Some bars in a row."""

    bars: int
    columns: dict[str, FloatArray]
    """A missing bar is NaN in all of them."""
    new_bar: BoolArray | None
    """Where a new candle begins; None when the bars do not tell."""
    tail: Tail
    times: npt.NDArray[Any] | None = None
    """The timestamps, where they are times or numbers."""


class Series:
    """All bars of one series so far. Never changes: more bars make another one."""

    def __init__(
        self,
        label: str,
        columns: dict[str, Growing[np.float64]],
        new_bar: Growing[np.bool_] | None,
        tail: Tail,
        bars: int,
        times: Growing[Any] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.label = label
        self.bars = bars
        self.tail = tail
        self.metadata = metadata or {}
        self._columns = columns
        self._times = times
        self._new_bar = new_bar
        self._views = {name: column.view() for name, column in columns.items()}
        self._steps: tuple[IndexArray, IndexArray] | None = None

    @classmethod
    def of(cls, label: str, batch: Batch, metadata: Mapping[str, str] | None = None) -> Series:
        """Return the series of these bars."""
        columns = {name: Growing(column, batch.bars) for name, column in batch.columns.items()}
        new_bar = None if batch.new_bar is None else Growing(batch.new_bar, batch.bars)
        times = None if batch.times is None else Growing(batch.times, batch.bars)
        return cls(label, columns, new_bar, batch.tail, batch.bars, times, metadata)

    def extended(self, batch: Batch) -> Series:
        """Return the series with more bars. Arrays of this one stay as they are."""
        columns = {
            name: column.extended(batch.columns[name])
            for name, column in self._columns.items()
            if name in batch.columns
        }
        new_bar = self._new_bar
        if new_bar is not None and batch.new_bar is not None:
            new_bar = new_bar.extended(batch.new_bar)
        times = self._times
        if times is not None and batch.times is not None:
            times = times.extended(batch.times)
        return self._longer(columns, new_bar, times, batch)

    def joined(self, batch: Batch) -> Series:
        """Return the same as :meth:`extended` without touching this one's buffers."""
        columns = {
            name: Growing(np.append(column, batch.columns[name]), self.bars + batch.bars)
            for name, column in self._views.items()
            if name in batch.columns
        }
        new_bar = None
        if self._new_bar is not None and batch.new_bar is not None:
            starts = np.append(self._new_bar.view(), batch.new_bar)
            new_bar = Growing(starts, len(starts))
        times = None
        if self._times is not None and batch.times is not None:
            together = np.append(self._times.buffer[: self.bars], batch.times)
            times = Growing(together, len(together))
        return self._longer(columns, new_bar, times, batch)

    def _longer(
        self,
        columns: dict[str, Growing[np.float64]],
        new_bar: Growing[np.bool_] | None,
        times: Growing[Any] | None,
        batch: Batch,
    ) -> Series:
        bars = self.bars + batch.bars
        return Series(self.label, columns, new_bar, batch.tail, bars, times, self.metadata)

    @property
    def times(self) -> npt.NDArray[Any] | None:
        """The timestamps, read-only, in UTC where they have a zone; None when there are none."""
        if self._times is None:
            return None
        return self._times.view()

    def column(self, name: str) -> FloatArray:
        """Return a column.

        Raises
        ------
        SchemaError
            When the bars do not have it.
        """
        try:
            return self._views[name]
        except KeyError:
            known = ", ".join(self._views) or "none"
            raise SchemaError(
                name, f"the bars of {self.label} have no such column; they have: {known}"
            ) from None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self._views)

    def new_bars(self, since: int) -> BoolArray:
        """Return from bar `since` on where new candles begin.

        Raises
        ------
        SchemaError
            When the bars do not tell.
        """
        if self._new_bar is None:
            raise SchemaError(
                "new_bar",
                f"stepwise results of {self.label} need a column timestamp or new_bar, "
                "to tell where candles begin",
            )
        return self._new_bar.buffer[since : self.bars]

    def steps(self) -> tuple[IndexArray, IndexArray]:
        """Return where new candles begin, and how many bars there are before, between and after."""
        if self._steps is None:
            starts = np.flatnonzero(self.new_bars(0))
            self._steps = starts, np.diff(starts, prepend=0, append=self.bars)
        return self._steps


def read_series(
    label: str, bars: object, *, native: bool, keys: Mapping[str, object] | None = None
) -> Series:
    """Turn candles, a mapping from names to columns, or a table into a series.

    With `native`, plain candles are read by the extension module. `keys` are those under which the
    bars are given, by what a table's metadata calls them.

    Raises
    ------
    SchemaError
        When they are none of these, or not usable.
    """
    if isinstance(bars, Series):
        return bars
    frame = read_frame(label, bars)
    if frame is not None:
        return _read_frame(label, frame, keys or {})
    if isinstance(bars, Mapping):
        return series_of_table(label, bars, lent=False)
    if isinstance(bars, (str, bytes)) or not isinstance(bars, Sequence):
        raise SchemaError(
            label,
            "expected a sequence of candles, a mapping from names to columns or a table, got "
            f"{type(bars).__name__}",
        )
    return read_candles(label, bars, native=native)


def read_candles(
    label: str, bars: Sequence[object], *, native: bool, lenient: bool = False
) -> Series:
    """Turn candles into a series. With `lenient`, a field that one lacks is missing there.

    Raises
    ------
    SchemaError
        When they are not usable.
    """
    # A copy: reading a candle may run any code, which may change the list.
    candles = list(bars)
    fields = FIELDS if lenient else _fields_of(candles)
    tail = Tail("candles", lenient=lenient)
    return Series.of(label, _read_candles(label, candles, fields, tail, native=native))


def series_of_table(label: str, table: Mapping[Any, Any], *, lent: bool) -> Series:
    """Turn a mapping from names to columns into a series, without a copy if they are lent.

    Raises
    ------
    SchemaError
        When they are not usable.
    """
    names = tuple(name for name in FIELDS if name in table)
    if not names:
        known = ", ".join(map(str, table)) or "none"
        raise SchemaError(label, f"expected columns among {', '.join(FIELDS)}; got: {known}")
    kind = next((name for name in ("new_bar", "timestamp") if name in table), "")
    return Series.of(label, _read_table(label, table, names, Tail(kind), lent=lent))


def read_next(series: Series, bars: object, keys: Mapping[str, object]) -> Batch:
    """Read the next bars of a series: of its kind, and with its columns.

    `keys` are as for :func:`read_series`.

    Raises
    ------
    SchemaError
        When they are not usable.
    """
    if series.tail.kind == "candles":
        several = isinstance(bars, Sequence) and not hasattr(bars, "_fields")
        candles = list(bars) if several else [bars]  # type: ignore[call-overload]
        # Until there is a candle, it is open which fields candles have.
        fields = _fields_of(candles) if series.tail.last is _MISSING else series.names
        return _read_candles(series.label, candles, fields, series.tail, native=False)
    frame = read_frame(series.label, bars)
    if frame is not None:
        check_metadata(series.label, frame.metadata, {**series.metadata, **keys})
        check_zone(series.label, frame, series.tail.zone)
        bars = frame.columns
    if not isinstance(bars, Mapping):
        raise SchemaError(
            series.label,
            f"expected a mapping from names to values, as before, got {type(bars).__name__}",
        )
    kept = "timestamp" if series.times is not None else ""
    for name in dict.fromkeys(filter(None, (*series.names, series.tail.kind, kept))):
        if name not in bars:
            raise SchemaError(name, f"missing in the next bars of {series.label}")
    table = {
        name: np.atleast_1d(np.nan if values is None else values) for name, values in bars.items()
    }
    return _read_table(series.label, table, series.names, series.tail)


# --- tables ---


def _read_frame(label: str, frame: Frame, keys: Mapping[str, object]) -> Series:
    """Turn a table into a series."""
    check_metadata(label, frame.metadata, keys)
    check_values(label, frame)
    names = tuple(name for name in FIELDS if name in frame.columns)
    kind = next((name for name in ("new_bar", "timestamp") if name in frame.columns), "")
    tail = Tail(kind, zone=frame.zone, ordered="timestamp" in frame.columns)
    batch = _read_table(label, frame.columns, names, tail, lent=frame.lent)
    return Series.of(label, batch, frame.metadata)


def _read_table(
    label: str,
    table: Mapping[Any, Any],
    names: tuple[str, ...],
    tail: Tail,
    *,
    lent: bool = False,
) -> Batch:
    columns = {name: as_column(name, table[name], f"{label}: ") for name in names}
    if not lent:
        # What the caller does to the arrays later must not change cached results.
        columns = {name: column.copy() for name, column in columns.items()}
    bars = same_length(names, list(columns.values()), f"{label}: ")
    if "valid" in table:
        absent = ~_flags(label, table, "valid", bars)
        if absent.any():
            # Another array where it is lent: Arrow memory is not to be written to.
            columns = {name: np.where(absent, np.nan, one) for name, one in columns.items()}
    times = None
    if tail.ordered or tail.kind == "timestamp":
        times = _timestamps(label, table, bars, tail)
        tail = tail._replace(dtype=times.dtype) if bars else tail
    if tail.ordered and times is not None and bars:
        repeats = ~_flags(label, table, "new_bar", bars) if tail.kind == "new_bar" else None
        check_order(label, times, tail.time, repeats)
        tail = tail._replace(time=times[-1])
    if tail.kind == "new_bar":
        identity: npt.NDArray[Any] = tail.begun + np.cumsum(_flags(label, table, "new_bar", bars))
        tail = tail._replace(begun=int(identity[-1]) if bars else tail.begun)
    elif times is not None:
        identity = times
    else:
        return Batch(bars, columns, None, tail)
    where = np.flatnonzero(~_missing_in_all(columns))
    new_bar = np.zeros(bars, np.bool_)
    new_bar[where[1:]] = identity[where[1:]] != identity[where[:-1]]
    if len(where):
        new_bar[where[0]] = tail.last is _MISSING or bool(identity[where[0]] != tail.last)
        tail = tail._replace(last=identity[where[-1]])
    return Batch(bars, columns, new_bar, tail, _kept(times, lent=lent))


def _missing_in_all(columns: Mapping[str, FloatArray]) -> BoolArray:
    """Return where the bars are missing: where all columns are NaN."""
    first, *rest = columns.values()
    missing = np.isnan(first)
    for column in rest:
        if not missing.any():
            break
        missing &= np.isnan(column)
    return missing


def _kept(times: npt.NDArray[Any] | None, *, lent: bool) -> npt.NDArray[Any] | None:
    """Return timestamps for tables of results; None when they are neither times nor numbers."""
    if times is None or lent:
        return times
    if _are_dates(times) and not any(getattr(time, "tzinfo", None) for time in times):
        return times.astype("M8[us]")
    return times.astype(times.dtype.newbyteorder("=")) if times.dtype.kind in "Miu" else None


def _other(label: str, table: Mapping[Any, Any], name: str, bars: int) -> npt.NDArray[Any]:
    array = np.asarray(table[name])
    if array.shape != (bars,):
        raise SchemaError(name, f"{label}: expected {bars} bars, got shape {array.shape}")
    return array


def _timestamps(label: str, table: Mapping[Any, Any], bars: int, tail: Tail) -> npt.NDArray[Any]:
    """Return timestamps in the type of those before: other types never compare equal."""
    array = _other(label, table, "timestamp", bars)
    if tail.dtype is None or array.dtype == tail.dtype:
        return array
    if tail.dtype.kind == "M" and _are_dates(array):
        array = _in_utc(label, array, tail.zone).astype(tail.dtype)
    if tail.dtype.kind == array.dtype.kind:
        return array.astype(tail.dtype)
    raise SchemaError(
        "timestamp", f"{label}: expected {tail.dtype}, as before, got an array of {array.dtype}"
    )


def _in_utc(label: str, dates: npt.NDArray[Any], zone: str) -> npt.NDArray[Any]:
    """Return Python's dates and times without their zones, which they have if there is one."""
    zoned = [getattr(date, "tzinfo", None) is not None for date in dates]
    if any(has_zone is not bool(zone) for has_zone in zoned):
        expected = "times with a zone" if zone else "times without a zone"
        raise SchemaError("timestamp", f"{label}: expected {expected}, as before")
    return np.array(
        [date.astimezone(UTC).replace(tzinfo=None) if zone else date for date in dates], object
    )


def _are_dates(array: npt.NDArray[Any]) -> bool:
    """Whether these are Python's dates, with which `numpy` knows what to do."""
    return array.dtype.kind == "O" and all(hasattr(value, "isoformat") for value in array)


def _flags(label: str, table: Mapping[Any, Any], name: str, bars: int) -> BoolArray:
    array = _other(label, table, name, bars)
    if array.dtype != np.bool_ and array.size:
        raise SchemaError(name, f"{label}: expected booleans, got an array of {array.dtype}")
    return array.astype(np.bool_)


# --- candles ---


def _fields_of(candles: list[object]) -> tuple[str, ...]:
    """Return the fields of the series. Volume is optional, and the first candle decides."""
    first = next((candle for candle in candles if candle is not None), None)
    if first is None or _field(first, "volume") is not _MISSING:
        return FIELDS
    return FIELDS[:-1]


def _read_candles(
    label: str, candles: list[object], fields: tuple[str, ...], tail: Tail, *, native: bool
) -> Batch:
    block = np.empty((len(fields), len(candles)))
    starts = np.empty(len(candles), np.uint8)
    if not (native and _fill_natively(candles, fields, block, starts)):
        _fill(label, candles, fields, block, starts, tail)
    where = np.flatnonzero(starts)
    if len(where):
        values = tuple(block[:, where[-1]].tolist())
        tail = tail._replace(last=candles[where[-1]], values=values)
    columns = dict(zip(fields, block, strict=True))
    return Batch(len(candles), columns, starts.view(np.bool_), tail)


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
    tail: Tail,
) -> None:
    nothing = (np.nan,) * len(fields)
    last, values = tail.last, tail.values
    rows = []
    for bar, candle in enumerate(candles):
        starts[bar] = candle is not None and candle is not last
        if candle is None:
            rows.append(nothing)
            continue
        if candle is not last:
            values = tuple(
                _number(label, bar, candle, field, lenient=tail.lenient) for field in fields
            )
            last = candle
        rows.append(values)
    if rows:
        block[:] = np.array(rows).T


def _field(candle: object, field: str) -> object:
    if isinstance(candle, Mapping):
        return candle.get(field, _MISSING)
    return getattr(candle, field, _MISSING)


def _number(label: str, bar: int, candle: object, field: str, *, lenient: bool) -> float:
    value = _field(candle, field)
    if value is None or (lenient and value is _MISSING):
        return np.nan
    if value is _MISSING:
        raise SchemaError(
            field, f"{label}: the {type(candle).__name__} candle at bar {bar} has no such field"
        )
    number = real(value)
    if number is not None:
        return number
    raise SchemaError(
        field,
        f"{label}: the candle at bar {bar} has {value!r} where a number or None belongs",
    )
