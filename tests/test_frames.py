"""Tables in: the same bits whatever their kind, what is borrowed, and what is refused."""
# ruff: noqa: ANN401 - tables of five libraries, most without types

from __future__ import annotations

import datetime as dt
import gc
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import nanoarrow as na
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import indicator_cache as ic
from indicator_cache._arrays import as_column

from .bars import FIELDS, Array, Bars, missing, with_gaps, with_partial_gaps

BARS = with_gaps(300)
TIMES = np.datetime64("2024-03-29T21:00", "us") + np.arange(300) * np.timedelta64(60, "s")


def polars_table(bars: Bars) -> pl.DataFrame:
    times = pl.Series("timestamp", TIMES[: len(bars["close"])])
    names = pl.Series("name", ["x"] * len(times))
    return pl.DataFrame([names, times, *(pl.Series(n, x) for n, x in bars.items())])


def with_nulls(bars: Bars) -> pl.DataFrame:
    return polars_table(bars).with_columns(pl.col(FIELDS).fill_nan(None))


def structured(bars: Bars) -> np.ndarray[Any, Any]:
    kinds = [("flag", "i1"), ("timestamp", "M8[us]"), *((name, "f8") for name in bars)]
    table = np.zeros(len(bars["close"]), kinds)  # packed: fields begin anywhere
    table["timestamp"] = TIMES[: len(table)]
    for name, column in bars.items():
        table[name] = column
    return table


def sliced(bars: Bars) -> pa.Table:
    """The same bars as a part of more, in chunks that begin within a byte of the bitmaps."""
    table = with_nulls(bars).to_arrow()
    front, back = table.slice(0, 11), table.slice(11)
    longer = pa.concat_tables([table.slice(0, 5), front, back, table.slice(0, 3)])
    return longer.slice(5, len(table))


def struct_array(bars: Bars) -> pa.Array:
    """One array of structs, a slice of a longer one; a missing bar is a null with numbers in it."""
    columns = np.array(list(bars.values()))
    holes = np.isnan(columns).all(axis=0)
    cells = [pa.array(np.where(holes, 7.0, x), mask=~holes & np.isnan(x)) for x in columns]
    rows = pa.StructArray.from_arrays(cells, names=list(bars), mask=pa.array(holes))
    return pa.concat_arrays([rows.slice(0, 13), rows]).slice(13)


def valid_column(bars: Bars) -> pl.DataFrame:
    holes = np.isnan(bars["close"])
    table = polars_table({name: np.nan_to_num(x, nan=7.0) for name, x in bars.items()})
    return table.with_columns(pl.Series("valid", [None if hole else True for hole in holes]))


class Capsule:
    """A table of a library that nobody has heard of."""

    def __init__(self, table: Any) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


def as_candles(bars: Bars) -> list[dict[str, float] | None]:
    rows = [dict(zip(bars, row, strict=True)) for row in zip(*bars.values(), strict=True)]
    return [None if np.isnan(row["close"]) else row for row in rows]


def in_pandas(kind: str) -> Callable[[Bars], pd.DataFrame]:
    def table(bars: Bars) -> pd.DataFrame:
        frame = polars_table(bars).to_pandas()
        return frame.astype(dict.fromkeys(FIELDS, kind))

    return table


def database(bars: Bars) -> duckdb.DuckDBPyRelation:
    connection = duckdb.connect()
    connection.register("bars", with_nulls(bars))
    return connection.sql("select * from bars order by timestamp")


KINDS: dict[str, Callable[[Bars], Any]] = {
    "candles": as_candles,
    "dict of lists": lambda bars: {name: x.tolist() for name, x in bars.items()},
    "dict of polars": lambda bars: with_nulls(bars).to_dict(),
    "dict of pandas": lambda bars: dict(in_pandas("Float64")(bars)[list(FIELDS)]),
    "structured": structured,
    "structured, strided": lambda bars: structured(bars).repeat(2)[::2],
    "pandas": in_pandas("float64"),
    "pandas, big-endian": in_pandas(">f8"),
    "pandas, nullable": in_pandas("Float64"),
    "pandas, Arrow": in_pandas("double[pyarrow]"),
    "pandas, index": lambda bars: in_pandas("float64")(bars).set_index("timestamp"),
    "polars": polars_table,
    "polars, nulls": with_nulls,
    "polars, sliced": lambda bars: pl.concat([with_nulls(bars)] * 2, rechunk=True)[: len(TIMES)],
    "polars, chunks": lambda bars: pl.concat(
        [with_nulls(bars)[:99], with_nulls(bars)[99:]], rechunk=False
    ),
    "polars, valid": valid_column,
    "pyarrow": lambda bars: polars_table(bars).to_arrow(),
    "pyarrow, slices": sliced,
    "record batch": lambda bars: with_nulls(bars).to_arrow().combine_chunks().to_batches()[0],
    "reader": lambda bars: with_nulls(bars).to_arrow().to_reader(50),
    "structs": struct_array,
    "nanoarrow": lambda bars: na.Array(with_nulls(bars).to_arrow()),
    "unknown library": lambda bars: Capsule(with_nulls(bars)),
    "duckdb": database,
}


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("kind", KINDS)
def test_same_bits_whatever_the_kind(kind: str) -> None:
    expected = ic.IndicatorCache({"M1": {"bid": BARS}})
    cache = ic.IndicatorCache({"M1": {"bid": KINDS[kind](BARS)}})
    for source in FIELDS:
        ours, theirs = (one.sma("M1", "bid", source, 1) for one in (cache, expected))
        assert ours.tobytes() == theirs.tobytes()
    for one, other in zip(cache.dmi("M1", "bid"), expected.dmi("M1", "bid"), strict=True):
        assert one.tobytes() == other.tobytes()


#: Those that have no way to say that a field is missing alone.
WHOLE_BARS = {"candles", "polars, valid"}


@pytest.mark.parametrize("kind", [name for name in KINDS if name not in WHOLE_BARS])
def test_fields_that_are_missing_alone(kind: str) -> None:
    bars = missing(with_partial_gaps(300), slice(40, 60))
    expected = ic.IndicatorCache({"M1": {"bid": bars}})
    cache = ic.IndicatorCache({"M1": {"bid": KINDS[kind](bars)}})
    for name in FIELDS:
        ours, theirs = (one.sma("M1", "bid", name, 1) for one in (cache, expected))
        assert ours.tobytes() == theirs.tobytes()


# --- what is borrowed ---

MILLION = 1_000_000


def address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def test_a_million_bars_of_polars_are_not_copied() -> None:
    rng = np.random.default_rng(0)
    table = pl.DataFrame({name: rng.random(MILLION) for name in FIELDS})
    series = ic.IndicatorCache({"M1": {"bid": table}})._series["M1"]["bid"]
    for name in FIELDS:
        assert address(series.column(name)) == address(table[name].to_numpy(allow_copy=False))


#: Which tables a cache borrows from. What callers can write to is copied, and so is what is not yet
#: one row of float64.
BORROWED = {"polars", "pyarrow", "record batch", "unknown library", "nanoarrow"}


@pytest.mark.parametrize("kind", [*BORROWED, "pandas", "structured", "dict", "pyarrow, slices"])
def test_what_a_cache_borrows(kind: str) -> None:
    bars = {name: np.nan_to_num(x, nan=7.0) for name, x in BARS.items()}
    table = bars if kind == "dict" else KINDS[kind](bars)
    # Reading twice gives the same memory if and only if it is the table's.
    first, second = (
        ic.IndicatorCache({"M1": {"bid": table}})._series["M1"]["bid"] for _ in range(2)
    )
    for name in FIELDS:
        shared = np.shares_memory(first.column(name), second.column(name))
        assert shared is (kind in BORROWED)
        assert not first.column(name).flags.writeable
    assert first.times is None or not first.times.flags.writeable


@pytest.mark.parametrize(
    "kind",
    [np.asarray, pd.Series, pl.Series, pa.array, lambda x: pd.Series(x, dtype="double[pyarrow]")],
    ids=["numpy", "pandas", "polars", "pyarrow", "pandas, Arrow"],
)
def test_functions_borrow(kind: Callable[[Array], Any]) -> None:
    column = kind(np.arange(100.0))
    read = as_column("x", column)
    assert np.shares_memory(read, as_column("x", column))
    # Nobody writes to Arrow memory, not even by mistake.
    assert not read.flags.writeable or kind in {np.asarray, pd.Series}


@pytest.mark.parametrize("kind", [lambda x: x.astype("f4"), pd.Series, structured, dict])
def test_what_callers_do_later_has_no_effect(kind: Callable[[Any], Any]) -> None:
    close = np.arange(1.0, 6.0)
    if kind is dict:
        table: Any = {"close": close}
    elif kind is structured:
        table = np.zeros(5, [("close", "f8")])
        table["close"], close = close, table["close"]
    elif kind is pd.Series:
        table = pd.DataFrame({"close": close}, copy=False)
    else:
        close = kind(close)
        table = pd.DataFrame({"close": close}, copy=False)
    cache = ic.IndicatorCache({"M1": {"bid": table}})
    before = cache.sma("M1", "bid", "close", 1).tolist()
    close[:] = 0.0
    cache.clear()
    assert cache.sma("M1", "bid", "close", 1).tolist() == before == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_memory_lives_as_long_as_it_is_needed_and_no_longer() -> None:
    pool = pa.default_memory_pool()
    gc.collect()
    before = pool.bytes_allocated()
    table = pa.table({"close": pa.array(range(100_000)).cast("float64")})
    expected = table["close"].to_pylist()
    cache = ic.IndicatorCache({"M1": {"bid": table}})
    del table
    gc.collect()
    assert pool.bytes_allocated() - before >= 800_000
    assert cache.sma("M1", "bid", "close", 1).tolist() == expected
    del cache
    gc.collect()
    assert pool.bytes_allocated() == before


def test_nothing_is_kept_of_a_refused_table() -> None:
    pool = pa.default_memory_pool()
    gc.collect()
    before = pool.bytes_allocated()
    for _ in range(3):
        table = pa.table({"close": pa.array(map(str, range(10_000)))})
        with pytest.raises(ic.SchemaError):
            ic.IndicatorCache({"M1": {"bid": table}})
    del table
    gc.collect()
    assert pool.bytes_allocated() == before


NO_LIBRARY = """
import sys
x = [1.0, 2.0, 3.0]
{bring}
before = set(sys.modules)
import numpy as np
import indicator_cache as ic
def cache(table):
    return ic.IndicatorCache({{"M1": {{"bid": table}}}})
{use}
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(*sorted(loaded & {{"pandas", "polars", "pyarrow", "duckdb", "nanoarrow"}}))
"""

IN_POLARS = "import polars as pl; column = pl.Series(x); table = pl.DataFrame({'close': x})"
IN_PYARROW = "import pyarrow as pa; column = pa.array(x); table = pa.table({'close': x})"
IN_PANDAS = "import pandas as pd; column = pd.Series(x); table = pd.DataFrame({'close': x})"


@pytest.mark.parametrize(
    ("bring", "use"),
    [
        ("", "ic.ema(x); ic.ema(np.array(x)); cache({'close': x})"),
        ("", "cache(np.zeros(3, [('close', 'f8')])).table('M1', 'bid', ['ema'])"),
        (IN_POLARS, "ic.macd(column); cache(table).table('M1', 'bid', ['ema']).to_polars()"),
        (IN_PYARROW, "ic.macd(column); cache(table).table('M1', 'bid', ['ema']).to_arrow()"),
        (IN_PANDAS, "ic.macd(column); cache(table).table('M1', 'bid', ['ema']).to_pandas()"),
        ("import duckdb", "ic.ema(duckdb.sql('select 1.5::double'))"),
    ],
    ids=["lists", "records", "polars", "pyarrow", "pandas", "duckdb"],
)
def test_no_library_is_imported_that_the_caller_has_not(bring: str, use: str) -> None:
    program = NO_LIBRARY.format(bring=bring, use=use)
    command = [sys.executable, "-c", program]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert (answer.stderr, answer.stdout.split()) == ("", [])


# --- numbers ---

NUMBERS = [
    pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(),
    pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.decimal32(7, 3), pa.decimal64(18, -2),
    pa.decimal128(38, 10), pa.decimal128(20, 30), pa.decimal256(76, 20), pa.decimal128(5, -3),
]  # fmt: skip


def some(kind: pa.DataType) -> st.SearchStrategy[Any]:
    """Values of a type."""
    if pa.types.is_integer(kind):
        bits, signed = kind.bit_width, pa.types.is_signed_integer(kind)
        low = -(2 ** (bits - 1)) if signed else 0
        return st.integers(low, low + 2**bits - 1)
    if pa.types.is_floating(kind):
        return st.floats(width=kind.bit_width)
    bound = 10**kind.precision - 1
    return st.integers(-bound, bound).map(lambda n: Decimal(n).scaleb(-kind.scale, _wide()))


def _wide() -> Any:
    from decimal import Context

    return Context(prec=200)


def nearest(value: Any) -> float:
    """The float64 nearest to a number, by a way that has nothing to do with the package."""
    if value is None:
        return float("nan")
    if isinstance(value, Decimal):
        fraction = Fraction(value)
        return fraction.numerator / fraction.denominator
    return float(value)


@st.composite
def arrow_columns(draw: st.DrawFn) -> pa.ChunkedArray:
    """A column of numbers: nulls, chunks, some of them empty, some slices of more."""
    kind = draw(st.sampled_from(NUMBERS))
    chunks = []
    for _ in range(draw(st.integers(0, 3))):
        values = draw(st.lists(st.none() | some(kind), max_size=20))
        begin = draw(st.integers(0, len(values)))
        chunks.append(pa.array(values, kind).slice(begin, draw(st.integers(0, 20))))
    return pa.chunked_array(chunks, kind)


@given(arrow_columns())
def test_any_number_becomes_the_nearest_float64(column: pa.ChunkedArray) -> None:
    expected = np.array([nearest(value) for value in column.to_pylist()], np.float64)
    read = as_column("x", column)
    assert read.dtype == np.float64
    np.testing.assert_array_equal(read, expected)
    assert np.signbit(read[expected == 0]).tolist() == np.signbit(expected[expected == 0]).tolist()


@pytest.mark.parametrize(
    "text", ["0.1", "1234567.125", "9007199254740993", "-0.3", "1e22", "1e-22"]
)
def test_decimals_of_every_library(text: str) -> None:
    value = Decimal(text)
    arrow = pa.array([value, None])
    column = pd.Series(arrow, dtype=pd.ArrowDtype(arrow.type))
    for given_column in (arrow, pl.Series(arrow), column):
        read = as_column("x", given_column)
        assert read[0] == float(value)
        assert np.isnan(read[1])
    if value == value.quantize(Decimal("1e-10"), context=_wide()):
        relation = duckdb.sql(f"select {value:f}::decimal(38, 10) as x")
        assert as_column("x", relation).tolist() == [float(value)]


@pytest.mark.parametrize("scale", [0, 3, 22, 23, 30, 37])
def test_decimals_near_what_float64_holds(scale: int) -> None:
    """Where a quotient of two floats is rounded twice, and where it is not."""
    rng = np.random.default_rng(scale)
    whole = [2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, -(2**63), 2**64 + 5]
    whole += rng.integers(-(2**62), 2**62, 300).tolist() + rng.integers(-999, 999, 300).tolist()
    values = [Decimal(value).scaleb(-scale, _wide()) for value in whole]
    read = as_column("x", pa.array(values, pa.decimal128(38, scale)))
    assert read.tolist() == [value / 10**scale for value in whole]


@pytest.mark.parametrize("kind", ["Int64", "Float32", "UInt8", "int16[pyarrow]"])
def test_numbers_of_pandas(kind: str) -> None:
    column = pd.Series([1, None, 3], dtype=kind)
    np.testing.assert_array_equal(as_column("x", column), [1.0, np.nan, 3.0])


# --- timestamps ---


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin", "+05:30"])
def test_timestamps_of_any_unit_and_zone(unit: str, zone: str | None) -> None:
    times = pa.array(np.arange(3) * 10**9 + 1_711_846_800, pa.timestamp("s"))
    times = times.cast(pa.timestamp(unit)).cast(pa.timestamp(unit, zone))
    table = pa.table({"timestamp": times, "close": [1.0, 2.0, 3.0]})
    for given_table in (table, table.to_pandas(), Capsule(table)):
        cache = ic.IndicatorCache({"M1": {"bid": given_table}})
        result = cache.table("M1", "bid", ["sma:1"])
        assert result.timestamp is not None
        assert (
            result.timestamp.astype("M8[s]").tolist()
            == times.cast("timestamp[s]").to_numpy(zero_copy_only=False).astype("M8[s]").tolist()
        )
        assert result.to_arrow()["timestamp"].cast(times.type).to_pylist() == times.to_pylist()


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, 2, 5], pa.date32()),
        pa.array([86400000 * day for day in (1, 2, 5)], pa.date64()),
        pa.array([1, 2, 5]),
        pa.array([1, 2, 5], pa.uint32()),
    ],
)
def test_dates_and_whole_numbers(column: pa.Array) -> None:
    table = pa.table({"timestamp": column, "close": [1.0, 2.0, 3.0]})
    result = ic.IndicatorCache({"M1": {"bid": table}}).table("M1", "bid", ["sma:1"]).to_arrow()
    expected = column.cast(pa.timestamp("ms")) if column.type == pa.date64() else column
    assert result["timestamp"].combine_chunks().equals(expected)


def test_valid_is_false_where_it_is_null() -> None:
    present, true = (pa.py_buffer(bytes([bits])) for bits in (0b101, 0b111))
    valid = pa.Array.from_buffers(pa.bool_(), 3, [present, true])
    table = pa.table({"close": [1.0, 2.0, 3.0], "valid": valid})
    cache = ic.IndicatorCache({"M1": {"bid": table}})
    np.testing.assert_array_equal(cache.sma("M1", "bid", "close", 1), [1.0, np.nan, 3.0])


def test_volume_may_be_unknown() -> None:
    table = pl.DataFrame({"close": [1.0, 2.0], "volume": [None, None]})
    cache = ic.IndicatorCache({"M1": {"bid": table}})
    assert np.isnan(cache.sma("M1", "bid", "volume", 1)).all()


def test_the_row_of_a_null_counts_from_the_first_chunk() -> None:
    table = pa.table({"timestamp": pa.chunked_array([[1, 2, 3], [4, None]]), "close": [1.0] * 5})
    with pytest.raises(ic.SchemaError, match="timestamp: M1 bid: null at row 4"):
        ic.IndicatorCache({"M1": {"bid": table}})


# --- what is refused ---

GOOD: dict[str, Any] = {
    "timestamp": TIMES[:4],
    "open": [1.0] * 4,
    "high": [2.0] * 4,
    "low": [1.0] * 4,
}
GOOD |= {"close": [1.0, 2.0, 1.0, 2.0]}


def bad(**columns: Any) -> dict[str, Any]:
    return {**GOOD, **columns}


T = TIMES[:4]

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no column": (
        {"timestamp": T, "Close": [1.0] * 4},
        "M1 bid: expected columns among open, high, low, close, volume; got: timestamp, Close",
    ),
    "unsorted": (
        bad(timestamp=T[[0, 2, 1, 3]]),
        "timestamp: M1 bid: {1} at row 2 is before {2}, that of row 1",
    ),
    "newest first": (
        bad(timestamp=T[::-1]),
        "timestamp: M1 bid: {2} at row 1 is before {3}, that of row 0",
    ),
    "duplicate": (
        bad(timestamp=T[[0, 1, 2, 2]]),
        "timestamp: M1 bid: {2} at row 3 repeats that of row 2",
    ),
    "null timestamp": (
        bad(timestamp=[T[0].item(), T[1].item(), None, T[3].item()]),
        "timestamp: M1 bid: null at row 2",
    ),
    "all null": (
        bad(high=[None] * 4),
        "high: M1 bid: all 4 values are null or NaN",
    ),
    "zero rows": (
        {name: values[:0] for name, values in GOOD.items()},
        "M1 bid: expected at least one row, got a table of zero rows",
    ),
}


@pytest.mark.parametrize("kind", ["polars", "pyarrow", "pandas", "duckdb", "unknown library"])
@pytest.mark.parametrize("reason", REFUSED)
def test_refused(kind: str, reason: str) -> None:
    columns, message = REFUSED[reason]
    table = pl.DataFrame(columns)
    if reason in {"all null", "zero rows"}:
        table = table.with_columns(pl.col(name).cast(pl.Float64) for name in FIELDS[:4])
    given_table: Any = table
    if kind == "pyarrow":
        given_table = table.to_arrow()
    elif kind == "pandas":
        given_table = table.to_pandas()
    elif kind == "duckdb":
        connection = duckdb.connect()
        connection.register("bars", table)
        given_table = connection.sql("from bars")
    elif kind == "unknown library":
        given_table = Capsule(table)
    with pytest.raises(ic.SchemaError) as caught:
        ic.IndicatorCache({"M1": {"bid": given_table}})
    # Units of time differ.
    times = [f"{time}:00" for time in T.astype("M8[m]")]
    assert str(caught.value).replace(".000000", "") == message.format(*times)


TYPES: dict[str, tuple[str, Any, str]] = {
    "strings": ("close", pa.array(["1.0"]), "expected real numbers, got an array of utf8"),
    "views": ("low", pl.Series(["1.0"]), "expected real numbers, got an array of utf8_view"),
    "booleans": ("high", pa.array([True]), "expected real numbers, got an array of bool"),
    "dictionary": (
        "close",
        pa.array(["a"]).dictionary_encode(),
        "expected real numbers, got an array of dictionary",
    ),
    "lists": ("close", pa.array([[1.0]]), "expected real numbers, got an array of list"),
    "structs": ("close", pa.array([{"a": 1.0}]), "expected real numbers, got an array of struct"),
    "times": (
        "close",
        pa.array([1], pa.timestamp("us", "UTC")),
        "expected real numbers, got an array of timestamp[us, UTC]",
    ),
    "durations": (
        "close",
        pa.array([1], pa.duration("s")),
        "expected real numbers, got an array of duration",
    ),
    "timestamps of strings": (
        "timestamp",
        pa.array(["2024-01-01"]),
        "expected timestamps, dates or whole numbers, got an array of utf8",
    ),
    "timestamps of floats": (
        "timestamp",
        pa.array([1.5]),
        "expected timestamps, dates or whole numbers, got an array of float64",
    ),
    "timestamps of decimals": (
        "timestamp",
        pa.array([Decimal("1.50")]),
        "expected timestamps, dates or whole numbers, got an array of decimal128(3, 2)",
    ),
    "valid of numbers": ("valid", pa.array([1]), "expected booleans, got an array of int64"),
    "new_bar of strings": ("new_bar", pa.array(["a"]), "expected booleans, got an array of utf8"),
}


@pytest.mark.parametrize("reason", TYPES)
def test_refused_types_of_arrow(reason: str) -> None:
    name, column, message = TYPES[reason]
    good = {"open": [1.0], "close": [1.0]}
    table = (
        pl.DataFrame({**good, name: column}) if name == "low" else pa.table({**good, name: column})
    )
    with pytest.raises(ic.SchemaError) as caught:
        ic.IndicatorCache({"M1": {"bid": table}})
    assert str(caught.value) == f"{name}: M1 bid: {message}"
    assert caught.value.column == name


PANDAS_TYPES: dict[str, tuple[str, Any, str]] = {
    "objects": ("close", pd.Series(["1"], dtype=object), "real numbers, got an array of object"),
    "strings": ("close", pd.Series(["1"], dtype="str"), "real numbers, got an array of str"),
    "booleans": ("close", pd.Series([True]), "real numbers, got an array of bool"),
    "nullable": ("close", pd.Series([True], dtype="boolean"), "real numbers, got an array of bool"),
    "categories": (
        "close",
        pd.Series([1.0]).astype("category"),
        "real numbers, got an array of category",
    ),
    "complex": ("close", pd.Series([1j]), "real numbers, got an array of complex128"),
    "times": (
        "close",
        pd.Series(pd.to_datetime(["2024-01-01"], utc=True)),
        "real numbers, got an array of datetime64[",
    ),
    "strings as times": (
        "timestamp",
        pd.Series(["2024"], dtype="str"),
        "timestamps, dates or whole numbers, got an array of str",
    ),
    "periods": (
        "timestamp",
        pd.Series(pd.period_range("2024", periods=1)),
        "timestamps, dates or whole numbers, got an array of period[D]",
    ),
    "valid": ("valid", pd.Series([1]), "booleans, got an array of int64"),
}


@pytest.mark.parametrize("reason", PANDAS_TYPES)
def test_refused_types_of_pandas(reason: str) -> None:
    name, column, message = PANDAS_TYPES[reason]
    table = pd.DataFrame({"open": [1.0], "close": [1.0]}).assign(**{name: column})
    with pytest.raises(ic.SchemaError) as caught:
        ic.IndicatorCache({"M1": {"bid": table}})
    assert str(caught.value).startswith(f"{name}: M1 bid: expected {message}")


def test_mixed_lengths() -> None:
    one, other = polars_table(BARS), polars_table(BARS)[:-1]
    with pytest.raises(ic.SchemaError) as caught:
        ic.IndicatorCache({"M1": {"bid": one, "ask": other}})
    assert str(caught.value) == "M1 ask: expected 300 bars, as many as M1 bid, got 299"
    columns = {"high": pl.Series([1.0, 2.0]), "close": pa.array([1.0])}
    with pytest.raises(ic.SchemaError) as caught:
        ic.IndicatorCache({"M1": {"bid": columns}})
    assert str(caught.value) == "close: M1 bid: expected 2 bars, as many as high, got 1"


def test_columns_twice() -> None:
    tables = (
        pd.DataFrame([[1.0, 2.0]], columns=["close", "close"]),
        pa.table([pa.array([1.0]), pa.array([1.0])], names=["close", "close"]),
    )
    for table in tables:
        with pytest.raises(ic.SchemaError) as caught:
            ic.IndicatorCache({"M1": {"bid": table}})
        assert str(caught.value) == "close: M1 bid: there are several columns of this name"
    # Of columns that mean nothing here there may be any number.
    table = pa.table([pa.array([1.0])] * 3, names=["a", "close", "a"])
    assert len(ic.IndicatorCache({"M1": {"bid": table}})) == 1


def test_a_column_that_is_needed_and_missing() -> None:
    cache = ic.IndicatorCache({"M1": {"bid": pl.DataFrame({"close": [1.0]})}})
    with pytest.raises(ic.SchemaError) as caught:
        cache.atr("M1", "bid")
    expected = "high: the bars of M1 bid have no such column; they have: close"
    assert str(caught.value) == expected


def test_not_a_table() -> None:
    with pytest.raises(
        ic.SchemaError, match=r"^M1 bid: expected a table, got an array of float64$"
    ):
        ic.IndicatorCache({"M1": {"bid": pa.array([1.0])}})
    with pytest.raises(ic.SchemaError, match=r"^M1 bid: expected a sequence of candles, a mapping"):
        ic.IndicatorCache({"M1": {"bid": np.ones((3, 2))}})
    with pytest.raises(ic.SchemaError, match=r"^x: expected one column, got a table of 2: a, b$"):
        ic.ema(pa.table({"a": [1.0], "b": [1.0]}))
    with pytest.raises(ic.SchemaError, match=r"^x: expected one dimension, got 2"):
        ic.ema(pd.DataFrame({"a": [1.0]}))


def test_a_stream_that_fails() -> None:
    def batches() -> Any:
        yield pa.record_batch({"close": [1.0]})
        raise OSError("the disk is gone")

    schema = pa.schema({"close": pa.float64()})
    reader = pa.RecordBatchReader.from_batches(schema, batches())
    with pytest.raises(ic.SchemaError, match=r"^M1 bid: the Arrow stream failed: .*disk is gone"):
        ic.IndicatorCache({"M1": {"bid": reader}})


def test_capsules_that_are_none() -> None:
    class Wrong:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return 5

    with pytest.raises(ic.SchemaError, match="x: expected a capsule named arrow_array_stream"):
        ic.ema(Wrong())

    class Same:
        capsule = pa.table({"close": [1.0]}).__arrow_c_stream__()

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return self.capsule

    assert len(pa.table(Same())) == 1
    # The capsule is empty now: reading it again would crash.
    with pytest.raises(ic.SchemaError, match="M1 bid: the Arrow data were taken by somebody else"):
        ic.IndicatorCache({"M1": {"bid": Same()}})
    schema, array = pa.array([1.0]).__arrow_c_array__()

    class SameArray:
        def __arrow_c_array__(self, requested_schema: object = None) -> object:
            return schema, array

    assert len(pa.array(SameArray())) == 1
    with pytest.raises(ic.SchemaError, match="x: the Arrow data were taken by somebody else"):
        ic.ema(SameArray())


# --- metadata ---


def labelled(**metadata: str) -> pa.Table:
    return pa.table({"close": [1.0, 2.0]}).replace_schema_metadata(metadata)


class Side(Enum):
    BID = "bid"


def test_metadata_that_fit() -> None:
    table = labelled(symbol="EURUSD", timeframe="M1", price_type="bid", author="me")
    frame = pd.DataFrame({"close": [1.0, 2.0]})
    frame.attrs = {"symbol": "EURUSD", "timeframe": "H1", "anything": object()}
    for side in ("bid", Side.BID):
        cache = ic.IndicatorCache({"M1": {side: table}, "H1": {side: frame}})
        assert len(cache) == 2
    result = cache.table("M1", Side.BID, ["ema"])
    assert result.metadata["symbol"] == "EURUSD"


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"timeframe": "H1"}, "timeframe: M1 bid: expected 'M1', the table's metadata say 'H1'"),
        (
            {"price_type": "ask"},
            "price_type: M1 bid: expected 'bid', the table's metadata say 'ask'",
        ),
    ],
)
def test_metadata_that_do_not_fit(metadata: dict[str, str], message: str) -> None:
    frame = pd.DataFrame({"close": [1.0, 2.0]})
    frame.attrs.update(metadata)
    for table in (labelled(**metadata), frame):
        with pytest.raises(ic.SchemaError) as caught:
            ic.IndicatorCache({"M1": {"bid": table}})
        assert str(caught.value) == message


def test_one_cache_is_of_one_symbol() -> None:
    bars = {"bid": labelled(symbol="EURUSD"), "ask": labelled(symbol="GBPUSD")}
    with pytest.raises(ic.SchemaError) as caught:
        ic.IndicatorCache({"M1": bars})
    expected = "symbol: M1 ask: expected 'EURUSD', the table's metadata say 'GBPUSD'"
    assert str(caught.value) == expected
    cache = ic.IndicatorCache({"M1": {"bid": labelled(symbol="EURUSD")}})
    for metadata in ({"symbol": "GBPUSD"}, {"timeframe": "H1"}):
        with pytest.raises(ic.SchemaError, match="the table's metadata say"):
            cache.append({"M1": {"bid": labelled(**metadata)}})
    assert len(cache) == 2


# --- more bars ---


@pytest.mark.parametrize("kind", ["pandas", "pandas, index", "polars", "pyarrow", "structured"])
def test_append_and_peek(kind: str) -> None:
    def part(begin: int, end: int) -> Any:
        table = KINDS[kind](BARS)
        if kind == "pyarrow":
            return table.slice(begin, end - begin)
        return table.iloc[begin:end] if kind.startswith("pandas") else table[begin:end]

    whole = ic.IndicatorCache({"M1": {"bid": KINDS[kind](BARS)}})
    cache = ic.IndicatorCache({"M1": {"bid": part(0, 200)}})
    cache.atr("M1", "bid")
    cache.append({"M1": {"bid": part(200, 299)}})
    peeked = cache.peek({"M1": {"bid": part(299, 300)}})
    names = ["atr", "ema:3", "macd"]
    for one in (peeked, cache):
        got, expected = (each.table("M1", "bid", names) for each in (one, whole))
        for name in got.names:
            assert got[name].tobytes() == expected[name][: len(one)].tobytes()
    with pytest.raises(ic.SchemaError) as caught:
        cache.append({"M1": {"bid": part(298, 299)}})
    assert str(caught.value).endswith("at row 0 repeats that of the last bar")
    with pytest.raises(ic.SchemaError) as caught:
        cache.append({"M1": {"bid": part(10, 20)}})
    assert "at row 0 is before 20" in str(caught.value)
    assert len(cache) == 299


def test_append_what_is_not_a_table_to_one() -> None:
    cache = ic.IndicatorCache(
        {"M1": {"bid": pl.DataFrame({"timestamp": [1, 2], "close": [1.0, 2.0]})}}
    )
    cache.append({"M1": {"bid": {"timestamp": 5, "close": 3.0}}})
    assert cache.sma("M1", "bid", "close", 1).tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ic.SchemaError, match="timestamp: M1 bid: 5 at row 0 repeats"):
        cache.append({"M1": {"bid": {"timestamp": 5, "close": 3.0}}})
    with pytest.raises(ic.SchemaError, match="timestamp: missing in the next bars of M1 bid"):
        cache.append({"M1": {"bid": {"close": 3.0}}})


def test_zones_do_not_come_and_go() -> None:
    def table(zone: str | None, begin: int) -> pa.Table:
        times = pa.array([begin], pa.timestamp("s", zone))
        return pa.table({"timestamp": times, "close": [1.0]})

    cache = ic.IndicatorCache({"M1": {"bid": table("UTC", 1)}})
    cache.append({"M1": {"bid": table("Europe/Berlin", 2)}})
    with pytest.raises(ic.SchemaError) as caught:
        cache.append({"M1": {"bid": table(None, 3)}})
    expected = "timestamp: M1 bid: expected timestamps in zone UTC, got some without a zone"
    assert str(caught.value) == expected


def test_times_of_python_after_those_of_a_table() -> None:
    def cache(zone: str | None) -> ic.IndicatorCache:
        times = pa.array([0], pa.timestamp("s", zone))
        return ic.IndicatorCache({"M1": {"bid": pa.table({"timestamp": times, "close": [1.0]})}})

    noon = dt.datetime(2024, 7, 1, 12)  # noqa: DTZ001 - without a zone on purpose
    in_berlin = noon.replace(tzinfo=ZoneInfo("Europe/Berlin"))
    for zone, time, other in ("UTC", in_berlin, noon), (None, noon, in_berlin):
        one = cache(zone)
        with pytest.raises(ic.SchemaError) as caught:
            one.append({"M1": {"bid": {"timestamp": other, "close": 2.0}}})
        kind = "with" if zone else "without"
        assert str(caught.value) == f"timestamp: M1 bid: expected times {kind} a zone, as before"
        one.append({"M1": {"bid": {"timestamp": time, "close": 2.0}}})
        last = one.table("M1", "bid", []).to_arrow()["timestamp"][-1].as_py()
        assert last == time


def test_appending_nothing_and_a_missing_bar() -> None:
    table = pl.DataFrame({"timestamp": [1, 2], "close": [1.0, 2.0]})
    cache = ic.IndicatorCache({"M1": {"bid": table}})
    cache.append({"M1": {"bid": table[:0]}})
    missing = pl.DataFrame({"timestamp": [3], "close": pl.Series([None], dtype=pl.Float64)})
    cache.append({"M1": {"bid": missing}})
    np.testing.assert_array_equal(cache.sma("M1", "bid", "close", 1), [1.0, 2.0, np.nan])
    assert table["close"].to_list() == [1.0, 2.0]


def test_repeated_bars_of_a_longer_timeframe() -> None:
    """With `new_bar` a timestamp may repeat where no new candle begins, and only there."""
    close = [1.0, 1.0, 2.0, 2.0, 3.0]
    flags = [True, False, True, False, True]
    table = pl.DataFrame({"timestamp": [1, 1, 2, 2, 3], "close": close, "new_bar": flags})
    cache = ic.IndicatorCache({"H1": {"bid": table}})
    assert cache.ema_stepwise("H1", "bid", "close", 1).tolist() == close
    expected = ic.IndicatorCache({"H1": {"bid": {"close": close, "new_bar": flags}}})
    for name in ("ema:3", "rsi:2"):
        ours, theirs = (c.table("H1", "bid", [name], stepwise=True) for c in (cache, expected))
        assert ours.columns[ours.names[-1]].tobytes() == theirs.columns[theirs.names[-1]].tobytes()
    wrong = table.with_columns(pl.Series("new_bar", [True, False, True, True, True]))
    with pytest.raises(ic.SchemaError, match="timestamp: H1 bid: 2 at row 3 repeats that of row 2"):
        ic.IndicatorCache({"H1": {"bid": wrong}})
