"""Tables that callers have: pandas, anything of Arrow's, structured arrays."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ._arrays import as_column
from ._callers import is_arrow, is_arrow_column, is_from
from .errors import SchemaError

__all__ = [
    "FIELDS",
    "Frame",
    "check_metadata",
    "check_order",
    "check_values",
    "check_zone",
    "read_frame",
]

#: The columns of numbers that bars can have.
FIELDS = ("open", "high", "low", "close", "volume")

#: The metadata of a table that is looked at.
_METADATA = ("symbol", "timeframe", "price_type")


class Frame(NamedTuple):
    """A table whose columns have been checked one by one."""

    columns: dict[str, npt.NDArray[Any]]
    """Numbers as float64, ``valid`` and ``new_bar`` as booleans, ``timestamp``."""
    zone: str
    """Time zone of the timestamps, which are in UTC then; "" when they have none."""
    metadata: dict[str, str]
    lent: bool
    """Whether the arrays may be kept, because nobody is to write to them."""


def read_frame(label: str, given: object) -> Frame | None:
    """Read the columns of a table that have a meaning here; None when it is none of these tables.

    Raises
    ------
    SchemaError
        When a column is not what its name says.
    """
    found = _columns(label, given)
    if found is None:
        return None
    raw, metadata, lent = found
    where = f"{label}: "
    columns: dict[str, npt.NDArray[Any]] = {
        name: as_column(name, raw[name], where) for name in FIELDS if name in raw
    }
    columns |= {
        name: _flags(name, raw[name], where) for name in ("valid", "new_bar") if name in raw
    }
    zone = ""
    if "timestamp" in raw:
        columns["timestamp"], zone = _times("timestamp", raw["timestamp"], where)
    metadata = {name: metadata[name] for name in _METADATA if name in metadata}
    return Frame(columns, zone, metadata, lent)


def check_metadata(label: str, metadata: Mapping[str, str], keys: Mapping[str, object]) -> None:
    """Refuse a table that says it belongs to another place.

    Raises
    ------
    SchemaError
        When one of the keys under which it was given has another name in its metadata.
    """
    for name, key in keys.items():
        names = {str(key)}
        if isinstance(key, Enum):
            names |= {key.name, str(key.value)}
        said = metadata.get(name)
        if said is not None and said not in names:
            raise SchemaError(name, f"{label}: expected {key!r}, the table's metadata say {said!r}")


def check_values(label: str, frame: Frame) -> None:
    """Refuse a table without rows, and prices of which there is not one.

    Raises
    ------
    SchemaError
        When it is such a table. Volume may be unknown for all bars.
    """
    for name, column in frame.columns.items():
        if not len(column):
            raise SchemaError(label, "expected at least one row, got a table of zero rows")
        if name in FIELDS[:-1] and np.isnan(column).all():
            raise SchemaError(name, f"{label}: all {len(column)} values are null or NaN")


def check_order(
    label: str,
    times: npt.NDArray[Any],
    before: object,
    repeats: npt.NDArray[np.bool_] | None,
) -> None:
    """Refuse timestamps that do not increase.

    They may stay the same at the bars that `repeats` marks. `before` is the timestamp of the bar
    before the first one, None for none.

    Raises
    ------
    SchemaError
        With the first row that goes back or repeats.
    """
    if before is not None:
        times = np.append(np.array([before], times.dtype), times)
        repeats = None if repeats is None else np.append(False, repeats)
    bad = times[1:] <= times[:-1]
    if repeats is not None:
        bad &= ~(repeats[1:] & (times[1:] == times[:-1]))
    if not bad.any():
        return
    at = int(bad.argmax()) + 1
    row = at if before is None else at - 1
    how = "repeats that of" if times[at] == times[at - 1] else f"is before {times[at - 1]}, that of"
    previous = f"row {row - 1}" if row else "the last bar"
    raise SchemaError("timestamp", f"{label}: {times[at]} at row {row} {how} {previous}")


def check_zone(label: str, frame: Frame, zone: str) -> None:
    """Refuse to go on with timestamps in a zone after some without, or the other way round.

    Raises
    ------
    SchemaError
        When they cannot be compared.
    """
    if "timestamp" in frame.columns and bool(frame.zone) is not bool(zone):
        expected, got = (
            f"in zone {name}" if name else "without a zone" for name in (zone, frame.zone)
        )
        raise SchemaError("timestamp", f"{label}: expected timestamps {expected}, got some {got}")


def _columns(
    label: str,
    given: Any,  # noqa: ANN401 - whatever the caller has
) -> tuple[dict[str, Any], dict[str, str], bool] | None:
    """Return the columns by name as they are, the metadata, and whether nobody writes to them."""
    if is_from(given, "pandas", "DataFrame"):
        names = [*map(str, given.columns)]
        positions = _unique(label, names)
        columns = {name: given.iloc[:, at] for name, at in positions.items()}
        index = given.index
        if "timestamp" not in columns and (
            index.name == "timestamp" or is_from(index, "pandas", "DatetimeIndex")
        ):
            columns["timestamp"] = index.to_series()
        return columns, {key: str(value) for key, value in given.attrs.items()}, False
    if isinstance(given, np.ndarray) and given.dtype.names:
        return {name: given[name] for name in _unique(label, [*given.dtype.names])}, {}, False
    if not is_arrow(given):
        return None
    from . import _arrow

    read, metadata = _arrow.read_columns(given, label)
    positions = _unique(label, [column.field.name for column in read])
    return {name: read[at] for name, at in positions.items()}, metadata, True


def _unique(label: str, names: list[str]) -> dict[str, int]:
    """Return where the columns are that have a meaning here."""
    positions: dict[str, int] = {}
    for at, name in enumerate(names):
        if name not in {*FIELDS, "valid", "new_bar", "timestamp"}:
            continue
        if name in positions:
            raise SchemaError(name, f"{label}: there are several columns of this name")
        positions[name] = at
    if not any(name in FIELDS for name in positions):
        known = ", ".join(names) or "none"
        raise SchemaError(label, f"expected columns among {', '.join(FIELDS)}; got: {known}")
    return positions


def _flags(name: str, column: Any, where: str) -> npt.NDArray[np.bool_]:  # noqa: ANN401
    column = _arrow_in_pandas(name, column)
    if is_arrow_column(column):
        from . import _arrow

        return _arrow.flags(column, name, where)
    if column.dtype.kind != "b":
        raise SchemaError(name, f"{where}expected booleans, got an array of {column.dtype}")
    if isinstance(column.dtype, np.dtype):
        return np.asarray(column)
    flags: npt.NDArray[np.bool_] = column.to_numpy(np.bool_, na_value=False)
    return flags


def _times(name: str, column: Any, where: str) -> tuple[npt.NDArray[Any], str]:  # noqa: ANN401
    column = _arrow_in_pandas(name, column)
    if is_arrow_column(column):
        from . import _arrow

        return _arrow.times(column, name, where)
    zone = ""
    if column.dtype.kind not in "Miu":
        raise SchemaError(
            name,
            f"{where}expected timestamps, dates or whole numbers, got an array of {column.dtype}",
        )
    if is_from(column, "pandas", "Series"):
        missing = column.isna().to_numpy()
        if is_from(column.dtype, "pandas", "DatetimeTZDtype"):
            zone = str(column.dtype.tz)
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    else:
        missing = np.isnat(column) if column.dtype.kind == "M" else np.zeros(len(column), np.bool_)
    if missing.any():
        raise SchemaError(name, f"{where}null at row {int(missing.argmax())}")
    return column.to_numpy() if hasattr(column, "to_numpy") else column, zone


def _arrow_in_pandas(name: str, column: Any) -> Any:  # noqa: ANN401 - a column of any kind
    """Return what pandas holds as Arrow data as that."""
    if is_from(getattr(column, "dtype", None), "pandas", "ArrowDtype"):
        from . import _arrow

        return _arrow.read_column(column.array.__arrow_array__(), name)
    return column
