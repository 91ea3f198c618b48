"""Results as Arrow data, and as tables of the caller's library."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray

__all__ = ["ArrowColumn", "IndicatorTable", "library", "pyarrow_column", "pyarrow_times"]


def library(name: str, extra: str, purpose: str) -> ModuleType:
    """Return an optional library.

    Raises
    ------
    ImportError
        With the extra that brings it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs {name} ({error}): pip install 'indicator-cache[{extra}]'"
        ) from error


def _present(values: FloatArray) -> npt.NDArray[np.uint8]:
    """Return the bitmap of what is not NaN, which alone is not equal to itself."""
    return np.packbits(values == values, bitorder="little")  # noqa: PLR0124 - half as long as isnan


def pyarrow_column(values: FloatArray) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return a ``pyarrow.Array`` on the memory of `values`, NaN being null.

    Made of buffers, because the ways that pyarrow offers import pandas.
    """
    pa = library("pyarrow", "pyarrow", "a pyarrow result")
    return _pyarrow_array(pa, pa.float64(), values, _present(values))


def pyarrow_times(times: npt.NDArray[Any], zone: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return timestamps as a ``pyarrow.Array``."""
    pa = library("pyarrow", "pyarrow", "a pyarrow result")
    return _pyarrow_array(pa, *_as_stored(pa, times, zone))


def _pyarrow_array(
    pa: ModuleType, kind: object, values: npt.NDArray[Any], present: npt.NDArray[np.uint8]
) -> Any:  # noqa: ANN401
    buffers = [pa.py_buffer(present), pa.py_buffer(values)]
    return pa.Array.from_buffers(kind, len(values), buffers)


def _as_stored(
    library: ModuleType, times: npt.NDArray[Any], zone: str
) -> tuple[object, npt.NDArray[Any], npt.NDArray[np.uint8]]:
    """Return the type, the numbers and the bitmap that Arrow stores timestamps as.

    Types have the same names in nanoarrow and pyarrow.
    """
    if times.dtype.kind != "M":
        present = np.full((len(times) + 7) // 8, 255, np.uint8)
        return getattr(library, times.dtype.name)(), times, present
    present = np.packbits(~np.isnat(times), bitorder="little")
    unit, count = np.datetime_data(times.dtype)
    if (unit, count) == ("D", 1):
        return library.date32(), times.astype(np.int64).astype(np.int32), present
    if count != 1 or unit not in {"s", "ms", "us", "ns"}:
        unit, times = "s", times.astype("M8[s]")
    return library.timestamp(unit, zone or None), times.view(np.int64), present


class ArrowColumn:
    """A result for callers of Arrow libraries: one column of float64, NaN being null.

    Any of these libraries takes it: it has ``__arrow_c_array__``, for which the package nanoarrow
    is needed, and ``__array__``.
    """

    def __init__(self, name: str, values: FloatArray) -> None:
        self.name = name
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<ArrowColumn: {self.name}, {len(self)} values>"

    def __array__(
        self,
        dtype: npt.DTypeLike | None = None,
        copy: bool | None = None,  # noqa: FBT001 - numpy's protocol
    ) -> npt.NDArray[Any]:
        """Return the values as an array, null as NaN."""
        values = np.asarray(self._values, dtype)
        if copy is False and values is not self._values:
            raise ValueError(f"float64 cannot become {values.dtype} without a copy")
        return values.copy() if copy and values is self._values else values

    def __arrow_c_schema__(self) -> object:
        """Return the type as a capsule."""
        return _nanoarrow().float64().__arrow_c_schema__()

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """Return type and values as capsules, on the memory of the values.

        What type the caller would rather have makes no difference.
        """
        del requested_schema
        capsules: tuple[object, object] = _nanoarrow_column(self._values).__arrow_c_array__()
        return capsules


def _nanoarrow() -> ModuleType:
    return library("nanoarrow", "arrow", "handing over Arrow data")


def _nanoarrow_column(values: FloatArray) -> Any:  # noqa: ANN401 - a nanoarrow.c_array.CArray
    na = _nanoarrow()
    return na.c_array_from_buffers(na.float64(), len(values), [_present(values), values])


class IndicatorTable:
    """Indicators as columns, with the timestamps of the bars if they have any.

    Made by :meth:`IndicatorCache.table`. Every Arrow library takes it as it is
    (``polars.DataFrame(table)``, ``pyarrow.table(table)``, DuckDB by the name of the variable): it
    has ``__arrow_c_stream__``, for which the package nanoarrow is needed. NaN is null there.

    Attributes
    ----------
    columns
        The results by name, in order: read-only arrays of float64.
    timestamp
        The timestamps, in UTC where they have a zone; None where the bars have none.
    zone
        Time zone of the timestamps; "" for none.
    metadata
        ``timeframe`` and ``price_type``, and ``symbol`` if the bars told it.
    """

    def __init__(
        self,
        columns: Mapping[str, FloatArray],
        timestamp: npt.NDArray[Any] | None,
        zone: str,
        metadata: Mapping[str, str],
        bars: int,
    ) -> None:
        self.columns = dict(columns)
        self.timestamp = timestamp
        self.zone = zone
        self.metadata = dict(metadata)
        self._bars = bars

    def __len__(self) -> int:
        """Return the number of bars."""
        return self._bars

    def __repr__(self) -> str:
        return f"<IndicatorTable: {', '.join(self.names)}; {len(self)} bars>"

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Return a column."""
        if name == "timestamp" and self.timestamp is not None:
            return self.timestamp
        return self.columns[name]

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return [*(["timestamp"] if self.timestamp is not None else []), *self.columns]

    def __arrow_c_schema__(self) -> object:
        """Return names and types as a capsule."""
        return self._exported().schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the table as a capsule, one block on the memory of the arrays.

        What types the caller would rather have make no difference.
        """
        del requested_schema
        array = self._exported()
        stream = importlib.import_module("nanoarrow.c_array_stream").CArrayStream
        return stream.from_c_arrays([array], array.schema).__arrow_c_stream__()

    def _exported(self) -> Any:  # noqa: ANN401 - a nanoarrow.c_array.CArray
        na = _nanoarrow()
        types = dict.fromkeys(self.columns, na.float64())
        children = [_nanoarrow_column(column) for column in self.columns.values()]
        if self.timestamp is not None:
            kind, values, present = _as_stored(na, self.timestamp, self.zone)
            types = {"timestamp": kind, **types}
            children.insert(0, na.c_array_from_buffers(kind, len(self), [present, values]))
        schema = na.c_schema(na.struct(types)).modify(metadata=self._bytes())
        return na.c_array_from_buffers(schema, len(self), [None], children=children)

    def _bytes(self) -> dict[bytes, bytes]:
        return {name.encode(): text.encode() for name, text in self.metadata.items()}

    def to_pandas(self) -> Any:  # noqa: ANN401 - pandas is optional
        """Return a ``pandas.DataFrame``; missing values are NaN, `metadata` is in ``attrs``."""
        pd = library("pandas", "pandas", "to_pandas")
        columns: dict[str, Any] = {}
        if self.timestamp is not None:
            times = pd.Series(self.timestamp)
            if self.zone:
                times = times.dt.tz_localize("UTC").dt.tz_convert(self.zone)
            columns["timestamp"] = times
        frame = pd.DataFrame({**columns, **self.columns}, index=pd.RangeIndex(len(self)))
        frame.attrs.update(self.metadata)
        return frame

    def to_polars(self) -> Any:  # noqa: ANN401 - polars is optional
        """Return a ``polars.DataFrame``; missing values are null."""
        pl = library("polars", "polars", "to_polars")
        columns = [pl.Series(name, x, nan_to_null=True) for name, x in self.columns.items()]
        if self.timestamp is not None:
            times = self.timestamp
            if times.dtype.kind == "M" and np.datetime_data(times.dtype)[0] not in _POLARS_UNITS:
                times = times.astype("M8[ms]")
            column = pl.Series("timestamp", times)
            if self.zone:
                column = column.dt.replace_time_zone("UTC").dt.convert_time_zone(self.zone)
            columns.insert(0, column)
        return pl.DataFrame(columns)

    def to_arrow(self) -> Any:  # noqa: ANN401 - pyarrow has no types
        """Return a ``pyarrow.Table`` on the memory of the arrays; missing values are null."""
        pa = library("pyarrow", "pyarrow", "to_arrow")
        arrays = [pyarrow_column(column) for column in self.columns.values()]
        if self.timestamp is not None:
            arrays.insert(0, pyarrow_times(self.timestamp, self.zone))
        return pa.table(arrays, names=self.names).replace_schema_metadata(self._bytes())


#: What polars has of numpy's units of time.
_POLARS_UNITS = ("D", "ms", "us", "ns")
