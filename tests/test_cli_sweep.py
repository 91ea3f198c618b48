"""``indicator-cache sweep``: what it writes, what it refuses, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

import indicator_cache as ic
from indicator_cache.cli import main
from indicator_cache.cli import sweep as command

from .panel import SERIES, panel

GRID = ["-i", "ema:5..7", "-i", "rsi:7,14", "-i", "atr"]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    path = tmp_path / "bars.parquet"
    pq.write_table(panel(), path)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def wanted(folder: Path) -> dict[str, bytes]:
    """Return the files that the same sweep writes from Python."""
    ic.sweep(panel(), ["ema:5..7", "rsi:7,14", "atr"], by="symbol").to_parquet(folder)
    return contents(folder)


def test_the_files_are_those_of_python(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["sweep", str(dataset), *GRID, "--by", "symbol", "-o", str(tmp_path / "out")]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (f"{tmp_path / 'out'}: 6 files written, 0 were there\n", "")
    assert contents(tmp_path / "out") == wanted(tmp_path / "wanted")
    (tmp_path / "out" / "symbol=GE.parquet").unlink()
    assert main([*arguments, "--threads", "2"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out'}: 1 files written, 5 were there\n"
    assert contents(tmp_path / "out") == contents(tmp_path / "wanted")


def test_parts_do_not_show(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[object] = []
    run_part = command.run_part

    def counted(part: command.Part) -> tuple[int, int]:
        parts.append(part.first)
        return run_part(part)

    monkeypatch.setattr(command, "_PART_SERIES", 4)
    monkeypatch.setattr(command, "_PART_ROWS", 400)
    monkeypatch.setattr(command, "run_part", counted)
    out = tmp_path / "out"
    assert main(["sweep", str(dataset), *GRID, "--by", "symbol", "-o", str(out)]) == 0
    assert parts == [["AAPL"], ["BRK.B", "CON"], ["GE"], ["MSFT"], ["X Y/Z"]]
    assert contents(out) == wanted(tmp_path / "wanted")


@pytest.mark.parametrize("form", ["folder", "folders by symbol", "csv", "odd names"])
def test_forms_of_datasets(form: str, tmp_path: Path) -> None:
    place = tmp_path / "bars"
    if form == "csv":
        place = tmp_path / "bars.csv"
        pacsv.write_csv(panel(), place)
    elif form == "odd names":
        place = tmp_path / "bars.pq"
        names = [
            {"timestamp": "Date", "symbol": "SYMBOL"}.get(name, name.title() + " ")
            for name in panel().column_names
        ]
        pq.write_table(panel().rename_columns(names), place)
    elif form == "folder":
        place.mkdir()
        pq.write_table(panel().slice(0, 400), place / "1.parquet")
        pq.write_table(panel().slice(400), place / "2.parquet")
    else:
        pq.write_to_dataset(panel(), place, partition_cols=["symbol"])
    out = tmp_path / "out"
    arguments = ["sweep", str(place), *GRID, "--by", "symbol", "-o", str(out)]
    assert main(arguments) == 0
    expected = wanted(tmp_path / "wanted")
    assert sorted(contents(out)) == sorted(expected)
    for name in expected:
        columns = ["result", "bar", "value"]
        found, right = (
            pq.read_table(folder / name, columns=columns, partitioning=None)
            for folder in (out, tmp_path / "wanted")
        )
        assert found.equals(right)


def test_series_called_by_numbers(tmp_path: Path) -> None:
    path, out = tmp_path / "bars.csv", tmp_path / "out"
    path.write_text("Code,close\n005930,1\n005930,2\n5930,3\n", encoding="utf-8")
    assert main(["sweep", str(path), "-i", "sma:1", "--by", "code", "-o", str(out)]) == 0
    assert {*contents(out)} == {"code=005930.parquet", "code=5930.parquet"}
    table = pq.read_table(out / "code=005930.parquet", partitioning=None)
    assert table.column("code").to_pylist() == ["005930", "005930"]
    assert table.column("value").to_pylist() == [1.0, 2.0]


def test_one_series_and_several_columns(tmp_path: Path) -> None:
    path, out = tmp_path / "bars.parquet", tmp_path / "out"
    pq.write_table(pa.table({**SERIES["GE"], "a": ["x", "y"] * 128, "b": [1] * 256}), path)
    assert main(["sweep", str(path), "-i", "ema:5@high", "-o", str(out / "one")]) == 0
    assert [*contents(out / "one")] == ["series.parquet"]
    assert main(["sweep", str(path), "-i", "ema:5", "--by", "a", "--by", "b", "-o", str(out)]) == 0
    assert {"a=x,b=1.parquet", "a=y,b=1.parquet"} < {path.name for path in out.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-i", "hull", "-i", "ema:0", "--by", "ticker"], "'hull'.*period=0.*ticker: no such"),
        (["-i", "macd:12,26,9"], "values need names"),
        (["-i", "ema"], "timestamp: .* is before"),
        (["-i", "ema", "--by", "symbol", "--threads", "0"], "threads must be a whole number"),
    ],
)
def test_refusals(
    dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    assert main(["sweep", str(dataset), *arguments, "-o", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert re.search(words, err), err
    assert not (tmp_path / "out").exists() or not [*(tmp_path / "out").iterdir()]


def test_refusals_of_places(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refusal(place: Path, output: Path) -> str:
        assert main(["sweep", str(place), "-i", "ema", "--by", "symbol", "-o", str(output)]) == 2
        return capsys.readouterr().err

    assert "no such file" in refusal(tmp_path / "none.parquet", tmp_path / "out")
    (tmp_path / "bars.txt").write_text("x")
    assert "expected a file named" in refusal(tmp_path / "bars.txt", tmp_path / "out")
    (tmp_path / "bad.parquet").write_text("x")
    assert "cannot read" in refusal(tmp_path / "bad.parquet", tmp_path / "out")
    assert "it is not a directory" in refusal(dataset, dataset)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "symbol=GE.parquet").write_text("mine")
    assert "1 files are of another sweep" in refusal(dataset, tmp_path / "out")
    nulls = pa.table({"symbol": ["A", None], "close": [1.0, 2.0]})
    pq.write_table(nulls, tmp_path / "nulls.parquet")
    assert "symbol has nulls" in refusal(tmp_path / "nulls.parquet", tmp_path / "new")


def test_without_dask(
    dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    arguments = ["sweep", str(dataset), "-i", "ema", "--by", "symbol", "-o", str(tmp_path / "out")]
    assert main([*arguments, "--dask", "tcp://127.0.0.1:9"]) == 2
    assert "pip install 'dask[distributed]'" in capsys.readouterr().err


def test_an_interrupt_leaves_whole_files_to_go_on_from(tmp_path: Path) -> None:
    path, out = tmp_path / "bars.parquet", tmp_path / "out"
    close = 100 + np.cumsum(np.random.default_rng(0).normal(size=40 * 8_000))
    ids = np.repeat(np.arange(40), 8_000)
    pq.write_table(pa.table({"id": ids, "close": close}), path)
    run = [sys.executable, "-m", "indicator_cache", "sweep", str(path), "-i", "sma:5..60"]
    run += ["--by", "id", "-o", str(out), "--threads", "2"]
    with subprocess.Popen(  # noqa: S603 - ours
        run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        patience = time.monotonic() + 60
        while len([*out.glob("id=*.parquet")]) < 3:
            assert process.poll() is None, process.stderr
            assert time.monotonic() < patience
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGINT)
        printed, err = process.communicate(timeout=60)
    assert (process.returncode, printed, err) == (130, "", "indicator-cache: interrupted\n")
    left = sorted(out.iterdir())
    assert 3 <= len(left) < 40
    assert all(pq.ParquetFile(one).num_row_groups == 56 for one in left)
    before = {one: one.stat().st_mtime_ns for one in left}
    done = subprocess.run(run, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert done.stdout == f"{out}: {40 - len(left)} files written, {len(left)} were there\n"
    assert {one: one.stat().st_mtime_ns for one in left} == before
    assert len([*out.iterdir()]) == 40
