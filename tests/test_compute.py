"""Many series in one table: the bits of each series alone, however the table is laid out."""

from __future__ import annotations

import datetime as dt
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import indicator_cache as ic
from indicator_cache import _groups as groups

from .panel import INDICATORS, LENGTHS, digest, expected, panel


@pytest.fixture
def nothing_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make any computation an error."""

    def refuse(*_: object) -> None:
        raise AssertionError("computed something")

    monkeypatch.setattr(groups, "compute_many", refuse)


@pytest.mark.parametrize("order", ["series", "time", "mixed"])
def test_every_series_has_the_bits_of_a_cache_of_its_own(backend: str, order: str) -> None:
    table = panel("time" if order == "time" else "series")
    if order == "mixed":
        # Series cut in two, the second halves first but for their time, in many chunks.
        table = table.sort_by("timestamp")
        table = pa.Table.from_batches(table.to_batches(max_chunksize=97))
    result = ic.compute(table, INDICATORS, by="symbol")
    assert result.select(["symbol", "timestamp"]).equals(table.select(["symbol", "timestamp"]))
    symbols = np.array(table["symbol"].to_pylist())
    for symbol, columns in expected().items():
        assert result.column_names[2:] == [*columns]
        for name, column in columns.items():
            found = result[name].to_numpy()[symbols == symbol]
            assert found.tobytes() == column.tobytes(), (symbol, name, backend)


KINDS: dict[str, Callable[[Any], Any]] = {
    "batch": lambda table: table.combine_chunks().to_batches()[0],
    "pandas": lambda table: table.to_pandas(),
    "pandas by time": lambda table: table.to_pandas().set_index("timestamp"),
    "polars": pl.from_arrow,
    "polars, categories": lambda table: pl.DataFrame(pl.from_arrow(table)).with_columns(
        pl.col("symbol").cast(pl.Categorical)
    ),
    "duckdb": duckdb.from_arrow,
    "columns": lambda table: {name: table[name] for name in table.column_names},
    "dictionary": lambda table: table.set_column(
        0, "symbol", table["symbol"].dictionary_encode().cast(pa.dictionary(pa.int8(), "string"))
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_tables(kind: str) -> None:
    table = panel("time")
    asked = ["ema:20", "macd", "atr:14"]
    assert digest(ic.compute(KINDS[kind](table), asked, "symbol")) == digest(
        ic.compute(table, asked, "symbol")
    )


def test_several_columns_tell_series_apart() -> None:
    table = pa.table(
        {
            "venue": ["b", "a", "b", "a", "b", "a"],
            "id": [1, 1, 2, 1, 1, 1],
            "close": [1.0, 10.0, 100.0, 20.0, 3.0, 30.0],
        }
    )
    result = ic.compute(table, ["sma:2"], by=["venue", "id"])
    assert result.column_names == ["venue", "id", "sma_2"]
    assert result["sma_2"].to_pylist() == [None, None, None, 15.0, 2.0, 25.0]


DAYS = [dt.date(2024, 1, day) for day in (1, 2, 3)]

KEYS: list[tuple[pa.DataType, list[Any]]] = [
    *((kind, ["a", "b", "c"]) for kind in (pa.string(), pa.large_string(), pa.string_view())),
    *((kind, [b"a", b"b", b"c"]) for kind in (pa.binary(), pa.binary(1), pa.binary_view())),
    (pa.dictionary(pa.int8(), pa.string()), ["a", "b", "c"]),
    (pa.int16(), [7, -7, 0]),
    (pa.float64(), [7.0, float("nan"), 0.5]),
    (pa.float16(), [*map(np.float16, [7, 1, 0.5])]),
    (pa.date32(), DAYS),
    (pa.timestamp("us"), [dt.datetime.combine(day, dt.time()) for day in DAYS]),
]


@pytest.mark.parametrize(("kind", "names"), KEYS, ids=[str(kind) for kind, _ in KEYS])
@pytest.mark.parametrize("order", [[0, 0, 0, 1, 1, 2], [2, 0, 1, 0, 2, 0]])
def test_kinds_of_keys(kind: pa.DataType, names: list[Any], order: list[int]) -> None:
    # Each chunk with a part of the rows, and a dictionary of its own if it has one.
    parts = [pa.array([names[at] for at in some], kind) for some in (order[:2], order[2:])]
    values = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    table = pa.table({"key": pa.chunked_array(parts), "close": values})
    last: dict[int, float] = {}
    wanted = []
    for at, value in zip(order, values, strict=True):
        wanted.append((last[at] + value) / 2 if at in last else None)
        last[at] = value
    assert ic.compute(table, ["sma:2"], by="key")["sma_2"].to_pylist() == wanted


def test_one_series() -> None:
    result = ic.compute({"close": [1.0, 2.0, 4.0]}, "sma:2")
    assert result.to_pydict() == {"sma_2": [None, 1.5, 3.0]}


@pytest.mark.parametrize("by", [None, "symbol"])
def test_no_rows_give_no_rows_of_the_same_types(by: str | None) -> None:
    table = panel()
    full = ic.compute(table, ["macd"], by="symbol")
    none = ic.compute(table.slice(0, 0), ["macd"], by=by)
    assert len(none) == 0
    assert none.schema == (full if by else full.drop_columns("symbol")).schema


def test_valid_tells_missing_bars() -> None:
    close, valid = [1.0, 2.0, 3.0, 4.0], [True, False, True, None]
    table = pa.table({"close": close, "valid": valid})
    holes = ic.compute({"close": [1.0, None, 3.0, None]}, ["ema:2"])
    assert ic.compute(table, ["ema:2"]).equals(holes)


def test_a_bar_may_repeat_its_candle() -> None:
    table = {"timestamp": [1, 1, 2], "new_bar": [True, False, True], "close": [1.0, 1.0, 2.0]}
    assert ic.compute(table, ["sma:2"])["sma_2"].to_pylist() == [None, 1.0, 1.5]


@pytest.mark.usefixtures("nothing_computed")
def test_all_that_is_wrong_is_said_at_once() -> None:
    table = pa.table(
        {
            "symbol": ["A"],
            "close": ["1.0"],
            "high": [1.0],
            "valid": [1],
            "timestamp": ["now"],
            "sma_3": [1.0],
        }
    )
    with pytest.raises(ic.PlanError) as caught:
        ic.compute(table, ["hull", "ema:0", "atr", "sma:3"], by=["ticker", "sma_3"])
    assert [str(problem) for problem in caught.value.problems] == [
        "'hull': unknown indicator 'hull'; indicator-cache list tells what there is",
        "'ema:0': period must be a whole number from 1 to 1000000, got 0",
        f"ticker: no such column; there are: {', '.join(table.column_names)}",
        f"low: no such column; there are: {', '.join(table.column_names)}",
        "close: expected real numbers, got an array of utf8",
        "timestamp: expected timestamps, dates or whole numbers, got an array of utf8",
        "valid: expected booleans, got an array of int64",
        "sma_3: the series and a result are called the same",
    ]
    assert str(caught.value) == "; ".join(map(str, caught.value.problems))


@pytest.mark.usefixtures("nothing_computed")
@pytest.mark.parametrize(
    ("table", "indicators", "by", "error", "words"),
    [
        ({"close": [1.0]}, [], None, ic.PlanError, "expected at least one indicator"),
        ({"close": [1.0]}, ["ema"], "symbol", ic.PlanError, "symbol: no such column"),
        (
            {"symbol": ["A", None], "close": [1.0, 2.0]},
            ["ema"],
            "symbol",
            ic.SchemaError,
            "symbol: null at row 1",
        ),
        (
            {"symbol": ["A", "B", "A"], "timestamp": [5, 1, 4], "close": [1.0, 2.0, 3.0]},
            ["ema"],
            "symbol",
            ic.SchemaError,
            "timestamp: symbol A: 4 at row 1 is before 5, that of row 0",
        ),
        (
            {"timestamp": [5, None], "close": [1.0, 2.0]},
            ["ema"],
            None,
            ic.SchemaError,
            "timestamp: null at row 1",
        ),
        (
            {"symbol": [["A"]], "close": [1.0]},
            ["ema"],
            "symbol",
            ic.SchemaError,
            "symbol: series cannot be told apart by list",
        ),
        ([1.0], ["ema"], None, ic.SchemaError, "expected a table, got list"),
        ({"close": [1.0], "open": [1.0, 2.0]}, ["ema"], None, ic.SchemaError, "expected a table"),
    ],
)
def test_refusals(
    table: object, indicators: list[str], by: str | None, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=re.escape(words)):
        ic.compute(table, indicators, by)


def test_errors_travel_between_processes() -> None:
    import pickle

    with pytest.raises(ic.PlanError) as caught:
        ic.compute({"close": [1.0]}, ["hull", "atr"])
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert str(again) == str(caught.value)
    assert len(again.problems) == 3


def test_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"indicator-cache\[pyarrow\]"):
        ic.compute({"close": [1.0]}, ["ema"])


def test_an_interrupt_ends_a_computation() -> None:
    program = """
import numpy as np, indicator_cache as ic
print("go", flush=True)
table = {"id": np.repeat(np.arange(2000), 500), "close": np.ones(1_000_000)}
while True:
    ic.compute(table, [f"sma:{period}" for period in range(1, 20)], by="id")
"""
    with subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert err.endswith("KeyboardInterrupt\n")


def test_lengths_are_what_the_tests_say() -> None:
    assert sum(LENGTHS.values()) == len(panel())
