"""Results in the caller's own kind: columns from functions, tables from a cache."""
# ruff: noqa: ANN401 - columns of five libraries, most without types

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from typing import Any

import duckdb
import nanoarrow as na
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import indicator_cache as ic

from .bars import Array, with_gaps

BARS = with_gaps(200)
X = BARS["close"]
INDEX = pd.date_range("2024-01-01", periods=200, freq="min", name="time")


class Capsule:
    """A column of a library that nobody has heard of."""

    def __init__(self, values: Array) -> None:
        self.array = pa.array(values, from_pandas=True)

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return self.array.__arrow_c_array__(requested_schema)


DATABASES: list[object] = []


def relation(values: Array) -> duckdb.DuckDBPyRelation:
    connection = duckdb.connect()
    DATABASES.append(connection)  # older relations do not keep it
    connection.register("bars", pl.DataFrame({"bar": range(len(values)), "close": values}))
    return connection.sql("select close from bars order by bar")


def bits(column: Any) -> bytes:
    return np.asarray(column, np.float64).tobytes()


KINDS: dict[str, tuple[Callable[[Array], Any], type]] = {
    "list": (lambda x: x.tolist(), np.ndarray),
    "numpy": (np.asarray, np.ndarray),
    "pandas": (lambda x: pd.Series(x, index=INDEX), pd.Series),
    "pandas, nullable": (lambda x: pd.Series(x, index=INDEX, dtype="Float64"), pd.Series),
    "pandas, Arrow": (lambda x: pd.Series(x, index=INDEX, dtype="double[pyarrow]"), pd.Series),
    "pandas index": (pd.Index, np.ndarray),
    "polars": (pl.Series, pl.Series),
    "polars table": (lambda x: pl.DataFrame({"close": x}), pl.Series),
    "pyarrow": (pa.array, pa.Array),
    "pyarrow chunks": (lambda x: pa.chunked_array([x[:9], x[9:]]), pa.Array),
    "pyarrow table": (lambda x: pa.table({"close": x}), pa.Array),
    "nanoarrow": (lambda x: na.Array(pa.array(x)), ic.ArrowColumn),
    "duckdb": (relation, ic.ArrowColumn),
    "unknown library": (Capsule, ic.ArrowColumn),
}


@pytest.mark.parametrize("kind", KINDS)
def test_columns(kind: str) -> None:
    make, returned = KINDS[kind]
    for name in "ema", "rsi":
        result = getattr(ic, name)(make(X), 5)
        assert isinstance(result, returned)
        assert bits(result) == getattr(ic, name)(X, 5).tobytes()
    bands = ic.bollinger(make(X), 5)
    assert isinstance(bands, ic.BollingerResult)
    for got, expected in zip(bands, ic.bollinger(X, 5), strict=True):
        assert isinstance(got, returned)
        assert bits(got) == expected.tobytes()


def test_series_of_pandas_keep_their_index() -> None:
    series = pd.Series(X, index=INDEX, name="close")
    result = ic.ema(series, 5)
    assert result.index is series.index
    assert result.name == "ema"
    assert result.dtype == np.float64
    assert [column.name for column in ic.macd(series)] == ["macd", "signal", "histogram"]
    # The first series decides, arrays beside it have no say.
    mixed: Any = ic.atr(BARS["high"], pd.Series(BARS["low"], index=INDEX), X, 5)
    assert mixed.index.equals(INDEX)


def test_series_of_pandas_are_never_aligned() -> None:
    high, close = pd.Series(BARS["high"], index=INDEX), pd.Series(X, index=INDEX[::-1])
    with pytest.raises(ic.SchemaError) as caught:
        ic.atr(high, high, close)
    assert str(caught.value) == "close: expected the index of high; results are never aligned"
    assert caught.value.column == "close"
    same = pd.Series(X, index=INDEX.copy())
    assert bits(ic.atr(high, high, same)) == ic.atr(BARS["high"], BARS["high"], X).tobytes()


def test_nan_is_null_in_arrow() -> None:
    expected = np.isnan(ic.sma(X, 5))
    assert 0 < expected.sum() < len(X)
    assert ic.sma(pl.Series(X), 5).is_null().to_list() == expected.tolist()
    assert ic.sma(pa.array(X), 5).is_null().to_pylist() == expected.tolist()
    column = ic.sma(Capsule(X), 5)
    assert pl.Series(column).is_null().to_list() == expected.tolist()
    assert pa.array(column).is_null().to_pylist() == expected.tolist()
    assert ic.sma(pl.Series(X), 5).name == "sma"


def test_a_column_for_any_library() -> None:
    column = ic.ema(Capsule(X), 5)
    assert (len(column), column.name) == (200, "ema")
    assert repr(column) == "<ArrowColumn: ema, 200 values>"
    assert na.c_schema(column).format == "g"
    # It can be given to the next function, which borrows its memory.
    assert bits(ic.sma(column, 3)) == ic.sma(ic.ema(X, 5), 3).tobytes()
    assert pa.array(column).buffers()[1].address == np.asarray(column).ctypes.data
    assert not np.shares_memory(np.array(column, copy=True), np.asarray(column))
    assert column.__array__(np.float32, copy=None).dtype == np.float32
    with pytest.raises(ValueError, match="float64 cannot become float32 without a copy"):
        column.__array__(np.float32, copy=False)


@pytest.mark.parametrize("empty", [pd.Series([], dtype=float), pl.Series([], dtype=pl.Float64)])
def test_no_bars(empty: Any) -> None:
    result = ic.ema(empty)
    assert type(result) is type(empty)
    assert len(result) == 0


# --- tables ---

TIMES = INDEX.to_numpy()


def cache_of(times: Any = TIMES, **columns: Array) -> ic.IndicatorCache:
    times = {} if times is None else {"timestamp": times}
    return ic.IndicatorCache({"M1": {"bid": {**times, **(columns or BARS)}}})


def test_a_table() -> None:
    cache = cache_of()
    table = cache.table("M1", "bid", ["ema:20", "macd", "sma:period=5@high", "ema"])
    names = ["ema_20", *(f"macd_12_26_9_{name}" for name in ("macd", "signal", "histogram"))]
    assert table.names == ["timestamp", *names, "sma_5_high"]
    assert len(table) == 200
    assert repr(table) == f"<IndicatorTable: {', '.join(table.names)}; 200 bars>"
    assert table["ema_20"].tobytes() == cache.ema("M1", "bid", "close", 20).tobytes()
    assert table["sma_5_high"].tobytes() == cache.sma("M1", "bid", "high", 5).tobytes()
    signal = cache.macd("M1", "bid").signal
    assert table.columns["macd_12_26_9_signal"].tobytes() == signal.tobytes()
    assert table["timestamp"].tolist() == TIMES.tolist()
    assert table.metadata == {"timeframe": "M1", "price_type": "bid"}
    assert not any(table[name].flags.writeable for name in table.names)
    with pytest.raises(KeyError):
        table["rsi_14"]


def test_one_request_alone_and_none() -> None:
    assert cache_of(None).table("M1", "bid", "atr").names == ["atr_14"]
    nothing = cache_of(None).table("M1", "bid", [])
    assert (nothing.names, len(nothing), nothing.timestamp) == ([], 200, None)
    assert nothing.to_pandas().shape == (200, 0)


@pytest.mark.parametrize("zone", ["", "America/New_York"])
def test_the_same_table_in_every_library(zone: str) -> None:
    times = pa.array(TIMES).cast(pa.timestamp("ns", zone or None))
    given = pa.table({"timestamp": times, **BARS})
    cache = ic.IndicatorCache({"M1": {"bid": given}})
    table = cache.table("M1", "bid", ["sma:5", "dmi"])
    assert table.zone == zone
    arrow = table.to_arrow()
    assert arrow["timestamp"].combine_chunks().equals(times)
    assert arrow["sma_5"].null_count == np.isnan(table["sma_5"]).sum() > 0
    assert arrow.schema.metadata == {b"timeframe": b"M1", b"price_type": b"bid"}
    assert pa.table(table).equals(arrow, check_metadata=True)
    assert pa.table(table, schema=arrow.schema).equals(arrow)
    assert pa.schema(table) == arrow.schema
    polars = table.to_polars()
    assert pl.DataFrame(table).equals(polars)
    assert polars.to_arrow().cast(arrow.schema).equals(arrow)
    frame = table.to_pandas()
    assert frame.attrs == table.metadata
    assert frame["timestamp"].tolist() == given["timestamp"].to_pandas().tolist()
    for name in table.columns:
        assert bits(frame[name]) == bits(polars[name]) == bits(arrow[name]) == bits(table[name])
    # And in again.
    names = list(table.columns)
    again = ic.IndicatorCache(
        {"M1": {"bid": arrow.rename_columns(["timestamp", "close", *names[1:]])}}
    )
    assert again.sma("M1", "bid", "close", 1).tobytes() == table["sma_5"].tobytes()
    assert again.table("M1", "bid", []).zone == zone


def test_duckdb_reads_a_table() -> None:
    results = cache_of().table("M1", "bid", ["sma:5"])  # noqa: F841 - by the name of the variable
    found: Any = duckdb.sql("select count(*), count(sma_5), max(timestamp) from results")
    assert found.fetchall()[0][:2] == (200, int((~np.isnan(ic.sma(X, 5))).sum()))


def test_memory_of_results_is_not_copied() -> None:
    table = cache_of().table("M1", "bid", ["ema:5"])
    address = table["ema_5"].ctypes.data
    for arrow in (table.to_arrow(), pa.table(table)):
        assert arrow["ema_5"].chunk(0).buffers()[1].address == address


@pytest.mark.parametrize("bars", [10_000, 10_001, 10_007])
def test_long_results_begin_at_lines_of_the_processors_cache(bars: int) -> None:
    x = np.linspace(1.0, 2.0, bars)
    for columns in (ic.ema(x),), ic.macd(x), ic.bollinger(x):
        for column in columns:
            assert column.ctypes.data % 64 == 0
            assert column.flags.c_contiguous
            assert column.flags.writeable
            assert len(column) == bars
    upper, middle, lower = ic.bollinger(x)
    before = upper.tobytes(), lower.tobytes()
    middle[:] = 0.0
    assert (upper.tobytes(), lower.tobytes()) == before


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (np.arange(4).astype("M8[D]"), pa.date32()),
        (np.arange(4).astype("M8[h]"), pa.timestamp("s")),
        (np.arange(4).astype("M8[s]"), pa.timestamp("s")),
        ((1000 * np.arange(4)).astype(">M8[ns]"), pa.timestamp("ns")),
        (np.arange(4), pa.int64()),
        (np.arange(4, dtype=">u2"), pa.uint16()),
        ([dt.datetime(2024, 1, day) for day in (1, 2, 3, 4)], pa.timestamp("us")),  # noqa: DTZ001
        (["a", "b", "c", "d"], None),
        ([0.5, 1.0, 1.5, 2.0], None),
    ],
)
def test_timestamps_that_are_kept(times: Any, expected: pa.DataType | None) -> None:
    """Times and whole numbers; anything else only tells candles apart."""
    table = cache_of(times, close=np.arange(4.0)).table("M1", "bid", ["ema:2"])
    if expected is None:
        assert table.timestamp is None
        return
    arrow = table.to_arrow()
    assert arrow.schema.field("timestamp").type == expected
    assert pa.table(table).equals(arrow)
    column = arrow["timestamp"].cast("int64" if "int" in str(expected) else pa.timestamp("us"))
    assert (
        column.to_pylist()
        == np.asarray(times).astype("i8" if "int" in str(expected) else "M8[us]").tolist()
    )
    assert table.to_polars()["timestamp"].n_unique() == 4
    assert table.to_pandas()["timestamp"].is_monotonic_increasing


def test_missing_timestamps_of_a_mapping_are_null() -> None:
    times = np.array(["2024-01-01", "NaT", "2024-01-03"], "M8[s]")
    table = cache_of(times, close=np.arange(3.0)).table("M1", "bid", ["ema:2"])
    assert table.to_arrow()["timestamp"].null_count == 1
    assert pa.table(table).equals(table.to_arrow())
    assert table.to_polars()["timestamp"].null_count() == 1
    assert table.to_pandas()["timestamp"].isna().tolist() == [False, True, False]


def test_a_table_stays_as_it_is() -> None:
    cache = cache_of(np.arange(3), close=np.arange(3.0))
    table = cache.table("M1", "bid", ["sma:1"])
    cache.append({"M1": {"bid": {"timestamp": 3, "close": 3.0}}})
    assert (len(table), len(table["sma_1"]), len(table["timestamp"])) == (3, 3, 3)
    longer = cache.table("M1", "bid", ["sma:1"])
    assert longer.to_arrow().to_pydict() == {
        "timestamp": [0, 1, 2, 3],
        "sma_1": [0.0, 1.0, 2.0, 3.0],
    }
    peeked = cache.peek({"M1": {"bid": {"timestamp": 9, "close": 9.0}}})
    assert peeked.table("M1", "bid", ["sma:1"]).to_arrow()["timestamp"][-1].as_py() == 9
    assert len(cache.table("M1", "bid", [])) == 4


def test_bars_that_another_thread_appends_meanwhile() -> None:
    class Racing(ic.IndicatorCache):
        def _get(self, *args: Any, **kwargs: Any) -> Any:
            time = float(len(self))
            self.append({"M1": {"bid": {"timestamp": len(self), "close": time}}})
            return super()._get(*args, **kwargs)

    cache = Racing({"M1": {"bid": {"timestamp": np.arange(3), "close": np.arange(3.0)}}})
    table = cache.table("M1", "bid", ["sma:1", "bollinger:2"])
    assert {len(table[name]) for name in table.names} == {3}
    assert (len(table), len(cache)) == (3, 5)


def test_timestamps_of_another_series() -> None:
    """Longer timeframes have none of their own: they are told bar by bar."""
    minutes = np.datetime64("2024-01-02T09:58", "ns") + np.arange(4) * np.timedelta64(1, "m")
    bars = pl.DataFrame({"timestamp": minutes, "close": [1.0, 2.0, 3.0, 4.0]})
    for how in "closed", "developing":
        cache: Any = ic.IndicatorCache.from_bars(bars, ["M1", "H1"], bar=how)
        table = cache.table("H1", "bid", ["sma:1"])
        assert table["timestamp"].tolist() == minutes.tolist()
        cache.append({"timestamp": minutes[-1:] + np.timedelta64(1, "m"), "close": [5.0]})
        assert len(cache.table("H1", "bid", [])["timestamp"]) == 5


def test_stepwise_tables() -> None:
    cache = cache_of(np.array([1, 1, 2, 2]), close=np.array([1.0, 1.0, 3.0, 3.0]))
    table = cache.table("M1", "bid", ["ema:3"], stepwise=True)
    assert table["ema_3"].tolist() == cache.ema_stepwise("M1", "bid", "close", 3).tolist()
    assert table["ema_3"].tolist() != cache.table("M1", "bid", ["ema:3"])["ema_3"].tolist()


def test_what_is_not_understood() -> None:
    cache = cache_of()
    with pytest.raises(ic.RequestError) as caught:
        cache.table("M1", "bid", ["emma", "ema:20", "ema:0", "atr@high"])
    message = str(caught.value)
    assert message.startswith(
        "'emma': unknown indicator 'emma'; did you mean ema?; 'ema:0': period"
    )
    assert "'atr@high': atr takes no source" in message
    assert "ema:20" not in message
    assert isinstance(caught.value, ValueError)
    with pytest.raises(ic.UnknownSeriesError):
        cache.table("H1", "bid", ["ema"])
    with pytest.raises(ic.SchemaError, match="volume: the bars of M1 bid have no such column"):
        cache_of(close=X).table("M1", "bid", ["ema@volume"])
    assert cache.stats().entries == 0


@pytest.mark.parametrize(
    ("library", "extra", "method"),
    [
        ("nanoarrow", "arrow", "__arrow_c_stream__"),
        ("nanoarrow", "arrow", "__arrow_c_schema__"),
        ("nanoarrow", "arrow", "__arrow_c_array__"),
        ("pyarrow", "pyarrow", "to_arrow"),
        ("polars", "polars", "to_polars"),
        ("pandas", "pandas", "to_pandas"),
    ],
)
def test_a_library_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, library: str, extra: str, method: str
) -> None:
    table: Any = cache_of().table("M1", "bid", ["ema"])
    if method == "__arrow_c_array__":
        table = ic.ema(Capsule(X))
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"needs {library} .*'indicator-cache\[{extra}\]'"):
        getattr(table, method)()
