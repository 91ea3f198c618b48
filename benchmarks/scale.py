"""Many series and many parameters: ``python -m benchmarks.scale``, which fills in docs/scale.md.

Every way of computing gets the same files and comes back with the number of values and a checksum
of their bits, which have to be equal. Each runs in a process of its own, so that its peak of memory
is its own too; engines are started and have computed one file before the clock runs. Nothing but
the checksum comes back: what people do with terabytes is write them where they were made.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.metadata
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import indicator_cache as ic

from . import machine, report

PAGE = Path(__file__).resolve().parent.parent / "docs" / "scale.md"

#: Fifty indicators, of the kinds and in the proportions of an optimisation.
INDICATORS = [
    *(f"ema:{period}" for period in range(5, 100, 5)),
    *(f"sma:{period}" for period in range(10, 110, 10)),
    *(f"rsi:{period}" for period in range(7, 25, 3)),
    *(f"atr:{period}" for period in range(7, 25, 3)),
    *(f"roc:{period}" for period in (5, 10, 20, 60)),
    "macd",
    "macd:8,21,5",
    "bollinger",
    "bollinger:50",
    "dmi",
]

#: Ten years of days, and series to a file.
BARS = 2520
PER_FILE = 100


class Sum(NamedTuple):
    """What is left of results: how many values, and a checksum that no order changes."""

    number: int
    bits: int

    def __add__(self, other: object) -> Sum:
        if not isinstance(other, Sum):
            return NotImplemented
        return Sum(self.number + other.number, (self.bits + other.bits) % 2**64)


#: What stands for null, whatever an engine has left in its place.
NOTHING = int(np.array(np.nan).view(np.uint64))


def summed(table: Any) -> Sum:  # noqa: ANN401 - anything that pyarrow takes
    """Add up the bits of all results, as whole numbers, reading every byte once."""
    arrow = table if isinstance(table, pa.Table) else pa.table(table)
    total = Sum(0, 0)
    for name in arrow.column_names:
        if name not in {"symbol", "timestamp"}:
            for chunk in arrow[name].chunks:
                bits = np.frombuffer(chunk.buffers()[1], np.uint64)[chunk.offset :][: len(chunk)]
                total += Sum(len(bits), int(bits.sum(dtype=np.uint64)))
                if chunk.null_count:
                    nulls = bits[chunk.is_null().to_numpy(zero_copy_only=False)]
                    total += Sum(0, NOTHING * len(nulls) - int(nulls.sum(dtype=np.uint64)))
    return total


def as_rows(total: Sum) -> dict[str, list[int]]:
    """Return a sum as the one row of a table, in halves that fit into any engine's integers."""
    return {"n": [total.number], "high": [total.bits >> 32], "low": [total.bits & 0xFFFF_FFFF]}


def of_rows(rows: Iterable[Any]) -> Sum:
    """Add up such rows."""
    parts = (Sum(int(row["n"]), (int(row["high"]) << 32) + int(row["low"])) for row in rows)
    return sum(parts, Sum(0, 0))


# --- data ---


def write_bars(folder: Path, symbols: int) -> None:
    """Write random walks, some series to a file."""
    days = np.datetime64("2015-01-01T00:00", "us") + np.arange(BARS) * np.timedelta64(1, "D")
    for first in range(0, symbols, PER_FILE):
        rng = np.random.default_rng(first)
        here = min(PER_FILE, symbols - first)
        moves = rng.normal(0.0, 0.01, (here, BARS))
        close = (100 * np.exp(np.cumsum(moves, axis=1))).ravel()
        spread = 0.005 * close * rng.random((2, here * BARS))
        names = np.repeat([f"S{first + at:05}" for at in range(here)], BARS)
        columns = {"symbol": names, "timestamp": np.tile(days, here)}
        columns |= {"high": close + spread[0], "low": close - spread[1], "close": close}
        pq.write_table(pa.table(columns), folder / f"{first:05}.parquet", compression="none")


def of_file(path: str) -> Sum:
    """Compute over the series of a file."""
    return summed(ic.compute(pq.read_table(path), INDICATORS, by="symbol"))


# --- ways: each yields, after getting ready, what is to be timed ---

Way = Callable[[list[str], int], Iterator[Callable[[], Sum]]]


def in_process(files: list[str], workers: int) -> Iterator[Callable[[], Sum]]:
    """One file after the other, or in threads."""
    of_file(files[0])
    if workers == 1:
        yield lambda: sum(map(of_file, files), Sum(0, 0))
        return
    with ThreadPoolExecutor(workers) as pool:
        yield lambda: sum(pool.map(of_file, files), Sum(0, 0))


def processes(files: list[str], workers: int) -> Iterator[Callable[[], Sum]]:
    """Python's own pool."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(of_file, files[:1] * (2 * workers)))
        yield lambda: sum(pool.map(of_file, files), Sum(0, 0))


def dask(files: list[str], workers: int) -> Iterator[Callable[[], Sum]]:
    """Partitions that are files."""
    import dask.dataframe as dd
    import pandas as pd
    from distributed import Client, LocalCluster

    from indicator_cache.engines.dask import compute

    def rows(frame: Any) -> Any:  # noqa: ANN401
        columns = [frame[name] for name in frame if name not in {"symbol", "timestamp"}]
        bits = [column.to_numpy().view(np.uint64) for column in columns]
        parts = (Sum(len(one), int(one.sum(dtype=np.uint64))) for one in bits)
        return pd.DataFrame(as_rows(sum(parts, Sum(0, 0))))

    def run(some: list[str]) -> Sum:
        bars = dd.read_parquet(some, split_row_groups=False, aggregate_files=False)
        results = compute(bars, INDICATORS, by="symbol", partitioned=True)
        meta = pd.DataFrame(as_rows(Sum(0, 0)))
        found = results.map_partitions(rows, meta=meta.iloc[:0]).compute()
        return of_rows(found.to_dict("records"))

    with (
        LocalCluster(  # type: ignore[no-untyped-call, unused-ignore]
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster),
    ):
        run(files[:1])
        yield lambda: run(files)


def ray(files: list[str], workers: int) -> Iterator[Callable[[], Sum]]:
    """Blocks that are files."""
    import ray as engine

    from indicator_cache.engines.ray import compute

    engine.init(num_cpus=workers, include_dashboard=False, logging_level="ERROR")
    engine.data.DataContext.get_current().enable_progress_bars = False

    def run(some: list[str]) -> Sum:
        # All of them as a folder: with a list of files, threads of Ray's get in each other's way
        # as they look for a library that is not installed.
        place = some[0] if len(some) == 1 else str(Path(some[0]).parent)
        bars = engine.data.read_parquet(place, override_num_blocks=len(some))
        results = compute(bars, INDICATORS, by="symbol", partitioned=True)
        found = results.map_batches(
            lambda table: pa.table(as_rows(summed(table))), batch_size=None, batch_format="pyarrow"
        )
        return of_rows(found.take_all())

    run(files[:1])
    yield lambda: run(files)
    engine.shutdown()


def spark(files: list[str], workers: int) -> Iterator[Callable[[], Sum]]:
    """Have Spark bring groups together."""
    from pyspark.sql import SparkSession

    from indicator_cache.engines.spark import compute

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master(f"local[{workers}]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "4g")
        .config("spark.sql.shuffle.partitions", str(4 * workers))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")

    def rows(batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            table = pa.table(as_rows(summed(pa.Table.from_batches([batch]))))
            yield from table.to_batches()

    def run(some: list[str]) -> Sum:
        results = compute(session.read.parquet(*some), INDICATORS, by="symbol")
        found = results.mapInArrow(rows, "n long, high long, low long").collect()
        return of_rows(found)

    run(files[:1])
    yield lambda: run(files)
    session.stop()


def polars(files: list[str], workers: int) -> Iterator[Callable[[], Sum]]:
    """Ask a lazy query for each file."""
    del workers
    import polars as pl

    from indicator_cache.engines.polars import compute

    def run(some: list[str]) -> Sum:
        queries = (compute(pl.scan_parquet(one), INDICATORS, by="symbol") for one in some)
        return sum((summed(query.collect()) for query in queries), Sum(0, 0))

    run(files[:1])
    yield lambda: run(files)


def duckdb(files: list[str], workers: int) -> Iterator[Callable[[], Sum]]:
    """Stream one query over all files, which DuckDB sorts."""
    import duckdb as engine

    from indicator_cache.engines.duckdb import compute

    def run(some: list[str]) -> Sum:
        connection = engine.connect(config={"threads": workers})
        results = compute(connection.read_parquet(some), INDICATORS, by="symbol")
        return sum((summed(pa.Table.from_batches([batch])) for batch in results), Sum(0, 0))

    run(files[:1])
    yield lambda: run(files)


def sweeping(files: list[str], workers: int) -> Iterator[Callable[[], Sum]]:
    """Two hundred averages of the bars of a file, as one series, in bounded memory."""
    close = pq.read_table(files[0])["close"].to_numpy()

    def run() -> Sum:
        grid = {"ema": {"period": range(5, 205)}}
        total = Sum(0, 0)
        for one in ic.sweep({"close": close}, grid, threads=workers):
            total += Sum(len(one.result), 0)
        return total

    yield run


WAYS: dict[str, tuple[str, Way]] = {
    way.__name__: (title, way)
    for title, way in (
        ("`compute`, a file after the other, or threads", in_process),
        ("`compute` in processes", processes),
        ("Dask, `partitioned=True`", dask),
        ("Ray Data, `partitioned=True`", ray),
        ("Spark, `applyInArrow`", spark),
        ("polars, lazily", polars),
        ("DuckDB, sorted by it and streamed", duckdb),
        ("`sweep`, 200 averages of one series", sweeping),
    )
}

#: What is measured: the way, workers, and whether over all symbols.
PLAN = [
    ("in_process", 1, True),
    ("in_process", 2, True),
    ("processes", 1, True),
    ("processes", 2, True),
    ("dask", 1, True),
    ("dask", 2, True),
    ("in_process", 1, False),
    ("dask", 2, False),
    ("ray", 2, False),
    ("spark", 2, False),
    ("polars", 1, False),
    ("duckdb", 1, False),
    ("sweeping", 1, False),
    ("sweeping", 2, False),
]


class Figure(NamedTuple):
    """One measurement."""

    way: str
    workers: int
    symbols: int
    seconds: float
    results: int
    bits: int
    peak: int
    """Bytes: of the process, or of the largest of its children."""

    @property
    def nanoseconds(self) -> float:
        """What a value costs, on each of the workers."""
        return self.seconds * self.workers / self.results * 1e9


def measure(way: str, workers: int, folder: str, symbols: int, rounds: int) -> Figure:
    """Measure in this process: the best of some rounds."""
    files = sorted(map(str, Path(folder, str(symbols)).glob("*.parquet")))
    best, total = float("inf"), Sum(0, 0)
    with _ready(way, files, workers) as run:
        for _ in range(rounds):
            start = time.perf_counter()
            total = run()
            best = min(best, time.perf_counter() - start)
    used = (resource.getrusage(who).ru_maxrss for who in _WHO)
    peak = max(used) * (1 if sys.platform == "darwin" else 1024)
    return Figure(way, workers, symbols, best, total.number, total.bits, peak)


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


@contextmanager
def _ready(way: str, files: list[str], workers: int) -> Iterator[Callable[[], Sum]]:
    steps = WAYS[way][1](files, workers)
    yield next(steps)
    for _ in steps:
        pass


def apart(*arguments: object) -> Figure:
    """Measure in a process of its own."""
    run = [sys.executable, "-m", "benchmarks.scale", "--one", *map(str, arguments)]
    # A worker is one thread, which pyarrow's reading and converting keeps to as well.
    done = subprocess.run(  # noqa: S603 - this very module
        run,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        cwd=PAGE.parent.parent,
    )
    if done.returncode:
        sys.exit(f"{arguments[0]}: {done.stderr}")
    return Figure(**json.loads(done.stdout.splitlines()[-1]))


# --- the page ---


def table_of(figures: list[Figure]) -> Iterator[str]:
    """Yield the table of all measurements."""
    yield report.row(
        "way",
        "workers",
        "series",
        "seconds",
        "values a second",
        "ns a value and worker",
        "times the in-process run",
        "peak memory",
    )
    yield report.row("---", *["---:"] * 7)
    base = {
        one.symbols: one.nanoseconds
        for one in figures
        if (one.way, one.workers) == ("in_process", 1)
    }
    for one in figures:
        yield report.row(
            WAYS[one.way][0],
            one.workers,
            f"{one.symbols:,}" if one.way != "sweeping" else 1,
            f"{one.seconds:.2f}",
            f"{one.results / one.seconds / 1e6:,.0f} million",
            f"{one.nanoseconds:.2f}",
            f"{one.nanoseconds / base[one.symbols]:.2f}" if one.way != "sweeping" else "",
            f"{one.peak / 2**20:,.0f} MiB"
            if one.way in {"in_process", "processes", "polars", "duckdb", "sweeping"}
            else "",
        )


def scaling(figures: list[Figure]) -> Iterator[str]:
    """Yield what a second worker brings."""
    seconds = {(one.way, one.workers, one.symbols): one.seconds for one in figures}
    for (way, workers, symbols), alone in seconds.items():
        both = seconds.get((way, 2, symbols))
        if workers == 1 and both is not None:
            yield f"- {WAYS[way][0]}: {alone / both:.2f} times as fast with two workers."


def cluster(figures: list[Figure]) -> Iterator[str]:
    """Yield the calculation for a hundred machines."""
    dasks = [one for one in figures if (one.way, one.workers) == ("dask", 2)]
    one = max(dasks, key=lambda figure: figure.symbols)
    cores, symbols, minutes, grid = 100 * 16, 10_000, 5 * 252 * 390, 1000
    values = symbols * minutes * grid
    seconds = values * one.nanoseconds * 1e-9 / cores
    read, written = symbols * minutes * 32 / 1e9, values * 8 / 1e12
    yield (
        f"- {symbols:,} symbols x {minutes:,} bars of a minute (five years) x {grid:,} results: "
        f"{values / 1e12:.2f}e12 values."
    )
    yield f"- {one.nanoseconds:.1f} ns a value and worker: Dask, two workers, reading included."
    yield (
        f"- 100 machines of 16 cores, a worker each: {values / 1e12:.2f}e12 x "
        f"{one.nanoseconds:.1f} ns / {cores:,} = {seconds / 60:.1f} minutes, "
        f"{values / seconds / 1e9:,.0f}e9 values a second."
    )
    yield (
        f"- Bars to read: {read:,.0f} GB, {read / 100:,.1f} GB a machine, so "
        f"{read / 100:,.0f} s at 1 GB/s. Results, if they are kept: {written:,.0f} TB, "
        f"{written * 10 / 60:,.0f} minutes at 1 GB/s a machine."
    )


def conditions(rounds: int) -> Iterator[str]:
    """Yield what the figures depend on."""
    yield f"Measured on {dt.datetime.now(dt.UTC).date().isoformat()}, best of {rounds} rounds."
    yield ""
    for name, fact in machine.facts().items():
        yield f"- {name}: {fact}"
    for name in ("numpy", "pyarrow", "dask", "ray", "pyspark", "polars", "duckdb"):
        yield f"- {name}: {importlib.metadata.version(name)}"


def run(symbols: int, few: int, rounds: int, *, dry: bool) -> int:
    """Measure everything, and fill in the page."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="bench-scale-") as folder:
        for count in {symbols, few}:
            Path(folder, str(count)).mkdir()
            write_bars(Path(folder, str(count)), count)
        for way, workers, every in PLAN:
            figures.append(apart(way, workers, folder, symbols if every else few, rounds))
            print(line_of(figures[-1]), flush=True)
    for count in {one.symbols for one in figures}:
        sums = {
            (one.results, one.bits)
            for one in figures
            if one.symbols == count and one.way != "sweeping"
        }
        if len(sums) != 1:
            sys.exit(f"the ways do not agree: {sums}")
    parts = {
        "conditions": conditions(rounds),
        "figures": table_of(figures),
        "scaling": scaling(figures),
        "cluster": cluster(figures),
    }
    if not dry:
        page = PAGE.read_text(encoding="utf-8")
        filled = report.filled(page, {name: "\n".join(lines) for name, lines in parts.items()})
        PAGE.write_text(filled, encoding="utf-8")
    return 0


def line_of(one: Figure) -> str:
    """Return a measurement as it is told while others go on."""
    return (
        f"{one.way:12} {one.workers} {one.symbols:6} {one.seconds:8.2f} s "
        f"{one.nanoseconds:8.2f} ns {one.peak / 2**20:7.0f} MiB"
    )


def main() -> int:
    """Measure all, or one way for another process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--symbols", type=int, default=10_000)
    parser.add_argument("--few", type=int, default=1_000, help="symbols for slower engines")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--dry", action="store_true", help="leave the page as it is")
    parser.add_argument("--one", nargs=5, metavar=("WAY", "WORKERS", "FOLDER", "SYMBOLS", "ROUNDS"))
    options = parser.parse_args()
    if options.one is None:
        return run(options.symbols, options.few, options.rounds, dry=options.dry)
    way, workers, folder, symbols, rounds = options.one
    print(json.dumps(measure(way, int(workers), folder, int(symbols), int(rounds))._asdict()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
