"""Dask: processes, workers that die, workers on different backends, and the command line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from distributed import Client, LocalCluster, wait

import indicator_cache as ic
from indicator_cache.cli import main
from indicator_cache.cli import sweep as command
from indicator_cache.engines.dask import compute

from ..panel import panel
from .bars import INDICATORS, PROBLEMS, WRONG, digest, shuffled, wanted

# Dask's own, about ports in use and about what its versions will do.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Start a cluster of two processes."""
    with LocalCluster(  # type: ignore[no-untyped-call, unused-ignore]
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        yield client


def frame(table: Any, partitions: int = 3) -> Any:  # noqa: ANN401
    return dd.from_pandas(table.to_pandas(), npartitions=partitions, sort=False)


def arrow(result: pd.DataFrame) -> Any:  # noqa: ANN401
    return pa.Table.from_pandas(result, preserve_index=False)


# --- results ---


@pytest.mark.usefixtures("client")
def test_the_digest_of_one_process() -> None:
    result = compute(frame(shuffled()), INDICATORS, by="symbol")
    computed = result.compute()
    assert digest(arrow(computed)) == wanted()
    # What was promised before anything was computed.
    assert [*result.dtypes.items()] == [*computed.dtypes.items()]


@pytest.mark.usefixtures("client")
def test_partitions_that_have_whole_series(tmp_path: Path) -> None:
    for at, (_, rows) in enumerate(panel().to_pandas().groupby("symbol", sort=False)):
        rows.to_parquet(tmp_path / f"{at}.parquet", index=False)
    bars = dd.read_parquet(tmp_path, split_row_groups=False, aggregate_files=False)
    result = compute(bars, INDICATORS, by="symbol", partitioned=True)
    assert result.npartitions == 6
    assert digest(arrow(result.compute())) == wanted()


@pytest.mark.usefixtures("client")
def test_series_in_the_index() -> None:
    result = compute(frame(shuffled()).set_index("symbol"), INDICATORS, by="symbol")
    assert digest(arrow(result.compute())) == wanted()


def test_refusals() -> None:
    with pytest.raises(ic.PlanError, match=PROBLEMS):
        compute(frame(panel()), WRONG, by="ticker")
    untimed = frame(panel().drop_columns("timestamp"))
    with pytest.raises(ic.PlanError, match=r"timestamp: no such column.*'ema:0'.*'hull'"):
        compute(untimed, WRONG, by="symbol")


# --- workers ---


@contextmanager
def workers(address: str, *backends: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start a worker for each backend, which nobody starts again when it dies."""
    run = [sys.executable, "-m", "distributed.cli.dask_worker", address]
    run += ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--name"]
    started = [
        subprocess.Popen(  # noqa: S603 - this interpreter
            [*run, name],
            env={**os.environ, "INDICATOR_CACHE_BACKEND": name.partition("-")[0]},
            stderr=subprocess.DEVNULL,
        )
        for name in backends
    ]
    try:
        yield started
    finally:
        for worker in started:
            worker.kill()
            worker.wait()


@pytest.fixture
def scheduler() -> Iterator[str]:
    """Start a cluster without workers."""
    with LocalCluster(  # type: ignore[no-untyped-call, unused-ignore]
        n_workers=0, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


def test_workers_on_different_backends(scheduler: str) -> None:
    with workers(scheduler, "native", "wasm", "python"), Client(scheduler) as client:
        client.wait_for_workers(3, timeout=60)
        used = {client.run(lambda: ic.backend_info().active)[at] for at in client.ncores()}
        assert used == {"native", "wasm", "python"}
        # The one backend whose logarithms are the C library's has its own promise about them.
        exact = [name for name in ic.catalog() if not ic.catalog()[name].transcendental]
        parts = frame(shuffled(), 6)
        result = compute(parts, exact, by="symbol").persist()
        wait(result)
        held_by = {at for holders in client.who_has(result).values() for at in holders}
        assert digest(arrow(result.compute())) == digest(ic.compute(panel(), exact, "symbol"))
        assert len(held_by) > 1


def test_native_and_wasm_agree_on_everything(scheduler: str) -> None:
    with workers(scheduler, "native", "wasm"), Client(scheduler) as client:
        client.wait_for_workers(2, timeout=60)
        result = compute(frame(shuffled(), 6), INDICATORS, by="symbol").persist()
        wait(result)
        assert len({at for holders in client.who_has(result).values() for at in holders}) == 2
        assert digest(arrow(result.compute())) == wanted()


class _Slow:
    """Waits for each partition, so that there is a middle to be killed in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, rows: pd.DataFrame) -> pd.DataFrame:
        if len(rows):
            (self.folder / f"{os.getpid()}-{time.monotonic_ns()}").touch()
            time.sleep(0.5)
        return rows


def test_a_worker_that_is_killed_in_the_middle(scheduler: str, tmp_path: Path) -> None:
    with workers(scheduler, "native-1", "wasm-2") as (first, _), Client(scheduler) as client:
        client.wait_for_workers(2, timeout=60)
        bars = frame(shuffled(), 8)
        slow = bars.map_partitions(_Slow(tmp_path), meta=bars._meta)
        future = client.compute(compute(slow, INDICATORS, by="symbol"))
        until(lambda: len([*tmp_path.glob(f"{first.pid}-*")]) >= 2)
        first.kill()
        assert first.wait() == -signal.SIGKILL
        assert digest(arrow(future.result(timeout=120))) == wanted()


def until(condition: Callable[[], object]) -> None:
    patience = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < patience
        time.sleep(0.01)


# --- the command line ---


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    path = tmp_path / "bars.parquet"
    close = 100 + np.cumsum(np.random.default_rng(0).normal(size=60 * 4_000))
    pq.write_table(pa.table({"id": np.repeat(np.arange(60), 4_000), "close": close}), path)
    return path


def arguments(dataset: Path, out: Path, address: str) -> list[str]:
    return [
        "sweep",
        str(dataset),
        "-i",
        "ema:5..60",
        "--by",
        "id",
        "-o",
        str(out),
        "--dask",
        address,
    ]


def test_sweeps_on_workers_write_the_same_files(
    dataset: Path,
    tmp_path: Path,
    address: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "_PART_SERIES", 7)
    assert main(arguments(dataset, tmp_path / "out", address)) == 0
    assert capsys.readouterr().out.endswith(": 60 files written, 0 were there\n")
    assert main(arguments(dataset, tmp_path / "out", address)) == 0
    assert capsys.readouterr().out.endswith(": 0 files written, 60 were there\n")
    assert main(arguments(dataset, tmp_path / "alone", address)[:-2]) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "alone").iterdir()
    }


def test_a_worker_that_is_killed_during_a_sweep(
    dataset: Path, tmp_path: Path, scheduler: str
) -> None:
    out = tmp_path / "out"
    with workers(scheduler, "native-1", "wasm-2") as (first, _):
        run = [sys.executable, "-m", "indicator_cache", *arguments(dataset, out, scheduler)]
        with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
            until(lambda: len([*out.glob("id=*.parquet")]) >= 2)
            first.kill()
            printed, _err = process.communicate(timeout=120)
    assert process.returncode == 0, printed
    ic.sweep(pq.read_table(dataset), ["ema:5..60"], by="id").to_parquet(tmp_path / "alone")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "alone").iterdir()
    }


def test_an_interrupt_calls_the_rest_off(dataset: Path, tmp_path: Path, address: str) -> None:
    out = tmp_path / "out"
    run = [sys.executable, "-m", "indicator_cache", *arguments(dataset, out, address)]
    with subprocess.Popen(run, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        until(lambda: [*out.glob("id=*.parquet")])
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "indicator-cache: interrupted\n")
    with Client(address) as client:
        until(lambda: not any(client.processing().values()))
    assert not [*out.glob(".*")]
    assert len([*out.iterdir()]) < 60
    assert all(pq.ParquetFile(path).num_row_groups == 56 for path in out.iterdir())


@pytest.mark.parametrize("nowhere", ["tcp://127.0.0.1:9", "nonsense://"])
def test_no_scheduler(
    dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    nowhere: str,
) -> None:
    monkeypatch.setattr(command, "_PATIENCE", 1)
    assert main(arguments(dataset, tmp_path / "out", nowhere)) == 2
    assert re.search(f"no Dask scheduler at {nowhere}: ", capsys.readouterr().err)
