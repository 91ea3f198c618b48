"""Bars with their times: reading them, and the ends of bars."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .._arrays import FloatArray
from .._series import read_series
from ..errors import ParameterError, SchemaError
from ._calendar import DAY, SECOND, Calendar, Timeframe

__all__ = ["Bars", "Rows", "Table", "choice", "ends_of", "nanoseconds", "read_rows"]

IntArray = npt.NDArray[np.int64]

#: Columns by name.
Table: TypeAlias = dict[str, npt.NDArray[Any]]

#: Anything that has columns by name.
Bars: TypeAlias = Any

#: Outside of these years, calendars would leave what nanoseconds in 64 bits can tell.
_FIRST, _LAST = (
    int(np.datetime64(year, "ns").astype(np.int64)) for year in ("1700-01-01", "2200-01-01")
)


class Rows(NamedTuple):
    """Some bars in a row."""

    stamps: IntArray
    """Nanoseconds since 1970 in UTC, increasing."""
    columns: dict[str, FloatArray]


def read_rows(label: str, bars: Bars, *, zone: bool, naive: object) -> Rows:
    """Read bars with timestamps.

    Raises
    ------
    SchemaError
        When they are not usable.
    """
    series = read_series(label, bars, native=False)
    columns = {name: series.column(name) for name in series.names}
    stamps = read_stamps(label, bars, "timestamp", zone=zone, naive=naive)
    for name, column in columns.items():
        if len(column) != len(stamps):
            raise SchemaError(
                "timestamp",
                f"{label}: expected {len(column)} bars, as many as {name}, got {len(stamps)}",
            )
    return Rows(stamps, columns)


def read_stamps(label: str, bars: Bars, name: str, *, zone: bool, naive: object) -> IntArray:
    """Read a column of increasing times.

    Raises
    ------
    SchemaError
        When there is none, or it is not usable.
    """
    try:
        given = bars[name]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise SchemaError(name, f"{label}: missing; bars need their times") from None
    stamps, aware = _instants(label, name, given)
    if zone and not aware and naive != "utc":
        raise SchemaError(
            name,
            f"{label}: naive timestamps, and a time zone is asked for: expected timestamps with a "
            "zone, nanoseconds since 1970 in UTC as integers, or naive='utc' where they are in UTC",
        )
    wrong = np.flatnonzero(stamps[1:] <= stamps[:-1])
    if len(wrong):
        row = int(wrong[0]) + 1
        raise SchemaError(
            name,
            f"{label}: expected increasing times, got {text(stamps[row])} at row {row} "
            f"after {text(stamps[row - 1])}",
        )
    return stamps


def _instants(label: str, name: str, given: Any) -> tuple[IntArray, bool]:  # noqa: ANN401
    """Return nanoseconds, and whether they are known to be in UTC."""
    kind = getattr(given, "dtype", getattr(given, "type", None))
    aware = any(getattr(kind, tz, None) is not None for tz in ("tz", "time_zone"))
    if aware and hasattr(given, "to_numpy"):
        # pandas would give objects; polars and Arrow give the instants in UTC, as needed.
        is_pandas = hasattr(given, "iloc") or hasattr(given, "tz_convert")
        given = given.to_numpy(dtype="datetime64[ns]") if is_pandas else given.to_numpy()
    array = np.asarray(given)
    if array.ndim != 1:
        raise SchemaError(name, f"{label}: expected one dimension, got shape {array.shape}")
    if array.dtype.kind == "O":
        array, aware = _of_datetimes(label, name, array)
    if array.dtype.kind in "iu":
        array, aware = array.astype("datetime64[ns]"), True
    if array.dtype.kind != "M" and array.size:
        raise SchemaError(
            name,
            f"{label}: expected timestamps, or nanoseconds as integers, got an array of "
            f"{array.dtype}",
        )
    if array.dtype != "datetime64[ns]":
        # In microseconds first: there, dates beyond the range are still themselves.
        rough = array.astype("datetime64[us]").astype(np.int64)
        _check_years(label, name, rough, 1000)
        array = array.astype("datetime64[ns]")
    stamps = array.astype(np.int64)
    _check_years(label, name, stamps, 1)
    return stamps, aware


def _check_years(label: str, name: str, stamps: IntArray, unit: int) -> None:
    """Refuse times, counted in so many nanoseconds, in which nobody traded. NaT is one of them."""
    low, high = _FIRST // unit, _LAST // unit
    if len(stamps) and not low <= stamps.min() <= stamps.max() < high:
        row = int(np.flatnonzero((stamps < low) | (stamps >= high))[0])
        given = stamps[row : row + 1].view("datetime64[ns]" if unit == 1 else "datetime64[us]")[0]
        raise SchemaError(
            name, f"{label}: expected times from 1700 to 2200, got {given} at row {row}"
        )


def _of_datetimes(
    label: str, name: str, array: npt.NDArray[np.object_]
) -> tuple[npt.NDArray[Any], bool]:
    aware = None
    instants = np.empty(len(array), "datetime64[us]")
    for row, value in enumerate(array.tolist()):
        if not isinstance(value, dt.date):
            raise SchemaError(name, f"{label}: expected timestamps, got {value!r} at row {row}")
        zoned = isinstance(value, dt.datetime) and value.utcoffset() is not None
        if aware is not None and zoned != aware:
            raise SchemaError(
                name,
                f"{label}: timestamps with and without a zone, changing at row {row}",
            )
        aware = zoned
        if zoned and isinstance(value, dt.datetime):
            instants[row] = value.astimezone(dt.UTC).replace(tzinfo=None)
        else:
            instants[row] = value
    return instants, bool(aware)


def ends_of(
    label: str,
    stamps: IntArray,
    base: Timeframe | None,
    calendar: Calendar,
    times: Literal["open", "close"],
) -> tuple[IntArray, IntArray]:
    """Return for each bar an instant inside it that tells where it belongs, and its end.

    Without `base`, the end of a bar that is known by its beginning is unknown, and taken to be
    that beginning: a bar can then not see what ends within it.

    Raises
    ------
    SchemaError
        When times are not those of bars of the timeframe `base`.
    """
    inner = stamps if times == "open" else stamps - 1
    if base is None:
        return inner, stamps
    buckets = calendar.locate(base, inner)
    fits = (buckets.start if times == "open" else buckets.end) == stamps
    ends = buckets.end
    if buckets.inside is not None and base.unit == "s":
        # Bars between sessions are in no other bar, and nothing can be said against them.
        fits |= ~buckets.inside
        ends = np.where(buckets.inside, ends, stamps + base.number * SECOND * (times == "open"))
    elif buckets.inside is not None:
        fits &= buckets.inside
    if not fits.all():
        row = int(np.argmin(fits))
        raise SchemaError(
            "timestamp",
            f"{label}: expected {times}s of bars of the base timeframe in this calendar, got "
            f"{text(stamps[row])} at row {row}, in a bar from {text(buckets.start[row])} to "
            f"{text(buckets.end[row])}",
        )
    return inner, ends


def choice(parameter: str, given: object, *allowed: object) -> None:
    """Refuse what is not among the values allowed."""
    if given not in allowed:
        raise ParameterError(parameter, given, " or ".join(map(repr, allowed)))


def nanoseconds(parameter: str, given: object) -> int | None:
    """Read a duration.

    Raises
    ------
    ParameterError
        When it is none, or negative.
    """
    duration: int | None = None
    if given is None:
        return None
    if isinstance(given, np.timedelta64) and not np.isnat(given):
        duration = int(given.astype("timedelta64[ns]").astype(np.int64))
    elif isinstance(given, dt.timedelta):
        duration = given // dt.timedelta(microseconds=1) * 1000
    if duration is None or not 0 <= duration <= 100_000 * DAY:
        raise ParameterError(parameter, given, "a timedelta, not negative, or None")
    return duration


def text(stamp: np.int64) -> str:
    """Return an instant as people write it."""
    return str(np.datetime_as_string(np.datetime64(int(stamp), "ns"), "auto"))
