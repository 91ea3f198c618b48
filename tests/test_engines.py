"""Adapters for polars and DuckDB, which run in this process; others are in tests/cluster."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import indicator_cache as ic
from indicator_cache.engines import duckdb as on_duckdb
from indicator_cache.engines import polars as on_polars

from .panel import INDICATORS, digest, panel

WRONG = ["ema:0", "sma:5", "hull"]
PROBLEMS = r"'ema:0'.*'hull'.*ticker: no such column"


@pytest.fixture(scope="module")
def wanted() -> str:
    return digest(ic.compute(panel(), INDICATORS, by="symbol"))


def in_polars(table: Any) -> pl.DataFrame:  # noqa: ANN401
    return pl.DataFrame(pl.from_arrow(table))


# --- polars ---


@pytest.mark.parametrize("order", ["series", "time"])
def test_polars(wanted: str, order: str) -> None:
    frame = in_polars(panel(order))
    result = on_polars.compute(frame, INDICATORS, by="symbol")
    assert digest(result) == wanted
    assert (
        result["symbol"]
        .unique(maintain_order=True)
        .equals(frame["symbol"].unique(maintain_order=True))
    )
    lazy = on_polars.compute(frame.lazy(), INDICATORS, by="symbol")
    assert lazy.collect_schema() == result.schema
    assert digest(lazy.collect()) == wanted


def test_polars_within_a_query() -> None:
    query = on_polars.compute(in_polars(panel()).lazy(), ["macd", "sma:3"], by=["symbol"])
    found = query.filter(pl.col("symbol") == "GE").select("sma_3").collect()
    close = panel().filter(pa.compute.field("symbol") == "GE")["close"]
    assert found["sma_3"].to_numpy().tobytes() == ic.sma(close.to_numpy(), 3).tobytes()


def test_polars_without_rows() -> None:
    none = in_polars(panel()).clear()
    result = on_polars.compute(none, ["macd"], by="symbol")
    assert result.schema == on_polars.compute(in_polars(panel()), ["macd"], by="symbol").schema
    assert on_polars.compute(none.lazy(), ["macd"], by="symbol").collect().equals(result)


def test_polars_refuses() -> None:
    frame = in_polars(panel())
    with pytest.raises(ic.PlanError, match=PROBLEMS):
        on_polars.compute(frame, WRONG, by="ticker")
    with pytest.raises(ic.PlanError, match=PROBLEMS):
        on_polars.compute(frame.lazy(), WRONG, by="ticker")


# --- DuckDB ---


@pytest.mark.parametrize("rows", [1, 7, 256, 300, 1 << 17])
def test_duckdb(wanted: str, rows: int) -> None:
    # Blocks of DuckDB have 2048 rows or the multiples; many copies of the series fill several.
    connection = duckdb.connect()
    bars = panel("shuffled")
    relation = connection.from_arrow(bars)
    result = on_duckdb.compute(relation, INDICATORS, by="symbol", rows=rows).read_all()
    assert digest(result) == wanted


@pytest.mark.parametrize("rows", [1, 2048, 5000])
def test_duckdb_cuts_between_series(rows: int) -> None:
    lengths = [1, 5000, 2047, 1, 2048, 3000, 1]
    keys = np.repeat(np.arange(len(lengths)), lengths)
    close = np.random.default_rng(0).normal(100, 1, len(keys))
    times = np.concatenate([np.arange(length) for length in lengths])
    bars = pa.table({"a": keys % 3, "b": keys, "timestamp": times, "close": close})
    by = ["a", "b"]
    relation = duckdb.connect().from_arrow(
        bars.take(np.random.default_rng(1).permutation(len(bars)))
    )
    reader = on_duckdb.compute(relation, ["ema:20"], by=by, rows=rows)
    sizes = [len(batch) for batch in reader if len(batch)]
    assert sum(sizes) == len(keys)
    assert len(sizes) > 1
    result = on_duckdb.compute(relation, ["ema:20"], by=by, rows=rows).read_all()
    order = [(name, "ascending") for name in (*by, "timestamp")]
    assert result.equals(ic.compute(bars.sort_by(order), ["ema:20"], by=by))


def test_duckdb_queries_results() -> None:
    relation = duckdb.connect().from_arrow(panel())
    results = on_duckdb.compute(relation, ["sma:3"], by="symbol")
    # By the name of the variable.
    query = "select max(sma_3) from results where symbol = 'GE'"
    highest = duckdb.execute(query).fetchall()
    del results
    close = panel().filter(pa.compute.field("symbol") == "GE")["close"].to_numpy()
    assert highest == [(np.nanmax(ic.sma(close, 3)),)]


def test_duckdb_refuses() -> None:
    relation = duckdb.connect().from_arrow(panel())
    with pytest.raises(ic.PlanError, match=PROBLEMS):
        on_duckdb.compute(relation, WRONG, by="ticker")
    with pytest.raises(ic.PlanError, match=r"timestamp: no such column.*'hull'"):
        on_duckdb.compute(relation.project("symbol, close"), WRONG, by="symbol")


# --- what is imported ---


def test_engines_are_imported_by_nobody_but_their_adapters() -> None:
    program = """
import sys
import indicator_cache as ic
import indicator_cache.engines
ic.compute, ic.sweep
assert not {"dask", "ray", "pyspark", "polars", "duckdb", "pyarrow", "pandas"} & {*sys.modules}
"""
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 - this interpreter


@pytest.mark.tree
def test_the_guide() -> None:
    """Every example in it gives what it says."""
    guide = Path(__file__).parent.parent / "docs" / "scale.md"
    found = doctest.testfile(str(guide), module_relative=False, encoding="utf-8")
    assert found.failed == 0
    assert found.attempted > 15
