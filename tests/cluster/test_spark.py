"""Spark on this machine: processes, workers that die, workers on different backends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

import indicator_cache as ic
from indicator_cache.engines.spark import compute

from ..panel import panel
from .bars import INDICATORS, PROBLEMS, WRONG, digest, shuffled, wanted

# Spark's own, about the newest pandas and about sockets.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """Start Spark with two processes, and four tries for what fails."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # Workers import these tests.
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    session = (
        SparkSession.builder.master("local[2, 4]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.adaptive.coalescePartitions.enabled", "false")
        .config("spark.sql.session.timeZone", "America/New_York")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


def zoned(table: Any, zone: str = "UTC") -> Any:  # noqa: ANN401
    """Return the table with timestamps in a zone; Spark takes others for those of its session."""
    times = table["timestamp"].cast(pa.timestamp("us", zone))
    return table.set_column(1, "timestamp", times)


def test_the_digest_of_one_process(session: Any) -> None:  # noqa: ANN401
    frame = session.createDataFrame(shuffled())
    frame = frame.withColumn("timestamp", frame.timestamp.cast("timestamp_ntz"))
    result = compute(frame, INDICATORS, by="symbol")
    computed = result.toArrow()
    assert digest(computed) == wanted()
    assert computed.column_names == result.columns


def test_timestamps_in_a_zone(session: Any) -> None:  # noqa: ANN401
    frame = session.createDataFrame(zoned(shuffled(), "Europe/Berlin"))
    assert digest(compute(frame, INDICATORS, by="symbol").toArrow()) == wanted()


def test_refusals(session: Any) -> None:  # noqa: ANN401
    with pytest.raises(ic.PlanError, match=PROBLEMS):
        compute(session.createDataFrame(panel()), WRONG, by="ticker")
    untimed = session.createDataFrame(panel().drop_columns("timestamp"))
    with pytest.raises(ic.PlanError, match=r"timestamp: no such column.*'ema:0'.*'hull'"):
        compute(untimed, WRONG, by="symbol")


def test_a_worker_that_is_killed_in_the_middle(session: Any, tmp_path: Path) -> None:  # noqa: ANN401
    died = str(tmp_path / "died")

    def die(batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            if "GE" in batch["symbol"].to_pylist() and not os.path.exists(died):  # noqa: PTH110
                open(died, "x").close()  # noqa: PTH123 - nothing here to import
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch

    frame = session.createDataFrame(zoned(panel())).repartition(6)
    result = compute(frame.mapInArrow(die, frame.schema), INDICATORS, by="symbol")
    assert digest(result.toArrow()) == wanted()
    assert Path(died).exists()


def test_workers_on_different_backends(session: Any) -> None:  # noqa: ANN401
    """A backend for each group, since all workers of a machine have one environment."""

    def name_of(symbol: str) -> str:
        return "wasm" if len(symbol) % 2 else "native"

    def backend(table: Any) -> Any:  # noqa: ANN401
        symbol = table["symbol"][0].as_py()
        with ic.use_backend(name_of(symbol)):
            used = pa.array([ic.backend_info().active] * len(table))
            result = ic.compute(table.sort_by("timestamp"), INDICATORS, by="symbol")
        return result.append_column("used", used).cast(types)

    names = ic.compute(panel().slice(0, 0), INDICATORS, by="symbol").schema
    types = pa.schema(
        [names.field(0), pa.field("timestamp", pa.timestamp("us", "UTC"))]
        + [names.field(at) for at in range(2, len(names))]
        + [pa.field("used", pa.string())]
    )
    from pyspark.sql.pandas.types import from_arrow_schema

    grouped = session.createDataFrame(zoned(shuffled())).groupBy("symbol")
    result = grouped.applyInArrow(backend, from_arrow_schema(types)).toArrow()
    assert {*result["used"].to_pylist()} == {"native", "wasm"}
    assert digest(result.drop_columns("used")) == wanted()
