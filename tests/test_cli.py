"""The command line: what it prints, what it refuses, and that files appear whole or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import indicator_cache as ic
from indicator_cache import _requests as requests
from indicator_cache import backends
from indicator_cache._missing import MissingPolicy
from indicator_cache.backends import Backend
from indicator_cache.cli import main, progress, tables

BARS = 40


@pytest.fixture
def columns() -> dict[str, list[Any]]:
    close = [100 + (7 * bar % 11) + bar / 8 for bar in range(BARS)]
    return {
        "Date": [
            f"2024-01-{bar + 1:02}" if bar < 31 else f"2024-02-{bar - 30:02}" for bar in range(BARS)
        ],
        "Open": [price - 0.25 for price in close],
        "High": [price + 1.5 for price in close],
        "Low": [price - 1.25 for price in close],
        "Close": close,
        "Volume": [1000 + bar for bar in range(BARS)],
        "note": ["a, b"] * BARS,
    }


@pytest.fixture
def bars_csv(tmp_path: Path, columns: dict[str, list[Any]]) -> Path:
    path = tmp_path / "bars.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def rows_of(text: str) -> dict[str, list[str]]:
    header, *rows = csv.reader(io.StringIO(text))
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def numbers(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    return np.array([float(text) if text else np.nan for text in texts])


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Return the one line with which the command refuses."""
    try:
        code = main([*map(str, arguments)])
    except SystemExit as error:
        code = int(str(error.code))
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("indicator-cache")
    return err


def spawn(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("INDICATOR_CACHE")}
    return subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, *arguments],
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


# --- compute ---


def test_compute_prints_the_file_with_the_results_added(
    bars_csv: Path, columns: dict[str, list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(
        [
            "compute",
            str(bars_csv),
            "-i",
            "ema:20",
            "-i",
            "macd",
            "-i",
            "atr:period=5",
            "-i",
            "sma:3@high",
        ]
    )
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    table = rows_of(out)
    assert [*table] == [
        *columns,
        "ema_20",
        "macd_12_26_9_macd",
        "macd_12_26_9_signal",
        "macd_12_26_9_histogram",
        "atr_5",
        "sma_3_high",
    ]
    assert table["note"] == columns["note"]
    high, low, close = (np.array(columns[name]) for name in ("High", "Low", "Close"))
    # A decimal text of a float64 that reads back to the same bits.
    for name, expected in {
        "ema_20": ic.ema(close, 20),
        "macd_12_26_9_signal": ic.macd(close).signal,
        "atr_5": ic.atr(high, low, close, 5),
        "sma_3_high": ic.sma(high, 3),
    }.items():
        np.testing.assert_array_equal(numbers(table[name]), expected, strict=True)


def test_parquet_in_and_out_keeps_columns_and_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "timestamp": pa.array(range(6), pa.timestamp("us", "UTC")),
            "CLOSE ": pa.chunked_array([[1, None], [3], [4, 5, 2**53 + 1]], pa.int64()),
            "tag": ["a", None, "c", "d", "e", "f"],
        }
    )
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pq.write_table(table, source)
    assert main(["compute", str(source), "-i", "sma:1", "-o", str(target)]) == 0
    result = pq.read_table(target)
    assert result.select(table.column_names).equals(table)
    # The null is a gap, and the gap in the result is a null, not a NaN.
    assert result["sma_1"].to_pylist() == [1.0, None, 3.0, 4.0, 5.0, float(2**53)]
    assert sorted(tmp_path.iterdir()) == [source, target]


def test_zeros_in_front_stay(tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    # The zeros come after what types are guessed from.
    plain = "".join(f"5930,{at},7\n" for at in range(100_000))
    source.write_text(f"symbol,close,lot\n{plain}005930,1,7\n", encoding="utf-8")
    assert main(["compute", str(source), "-i", "sma:1", "-o", str(target)]) == 0
    table = pq.read_table(target)
    assert table.column("symbol")[-1].as_py() == "005930"
    assert table.column(2).type == "int64"
    assert table.column("sma_1").to_pylist() == [*map(float, range(100_000)), 1.0]


def test_whole_numbers_at_the_beginning_of_a_csv_say_nothing_of_the_rest(tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv.gz", tmp_path / "out.parquet"
    rows = 300_000  # beyond the first block, from which types are guessed
    with gzip.open(source, "wt") as file:
        file.write("close,volume\n" + "7,1\n" * rows + "7.5,1.5\n")
    assert main(["compute", str(source), "-i", "sma:2", "-o", str(target)]) == 0
    assert pq.read_table(target)["sma_2"][rows].as_py() == 7.25


def test_no_bars_give_no_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("date,close\n")
    assert main(["compute", str(path), "-i", "bollinger:2,0.5"]) == 0
    names = "bollinger_2_0.5_upper,bollinger_2_0.5_middle,bollinger_2_0.5_lower"
    assert capsys.readouterr().out == f"date,close,{names}\n"


def test_the_default_source_can_be_changed(
    bars_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "compute",
        str(bars_csv),
        "--source",
        "HIGH",
        "-i",
        "ema",
        "-i",
        "roc:1@low",
        "-i",
        "dmi",
    ]
    assert main(arguments) == 0
    names = [*rows_of(capsys.readouterr().out)][7:]
    assert names == ["ema_20_high", "roc_1_low", "dmi_14_plus_di", "dmi_14_minus_di", "dmi_14_adx"]


@pytest.mark.parametrize("policy", ["default", "propagate", "skip"])
def test_missing_bars_by_choice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], policy: MissingPolicy
) -> None:
    path = tmp_path / "gaps.csv"
    path.write_text("day,close\n1,1\n2,2\n3,\n4,4\n5,5\n")
    arguments = ["compute", str(path), "-i", "ema:3", "-i", "sma:2", "--missing", policy]
    assert main(arguments) == 0
    rows = rows_of(capsys.readouterr().out)
    close = np.array([1.0, 2.0, np.nan, 4.0, 5.0])
    assert numbers(rows["ema_3"]).tobytes() == ic.ema(close, 3, missing=policy).tobytes()
    assert numbers(rows["sma_2"]).tobytes() == ic.sma(close, 2, missing=policy).tobytes()


def test_missing_bars_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "gaps.csv"
    path.write_text("day,close\n1,1\n2,\n")
    message = refusal(capsys, "compute", path, "-i", "ema", "--missing", "raise")
    assert "bar 1 is missing: close is NaN" in message
    output = tmp_path / "out.csv"
    refusal(capsys, "compute", path, "-i", "ema", "--missing", "raise", "-o", output)
    assert not output.exists()
    message = refusal(capsys, "compute", "no such file", "-i", "ema", "--missing", "skp")
    assert message == (
        "indicator-cache: --missing must be one of default, propagate, skip, raise "
        "(did you mean 'skip'?), got 'skp'\n"
    )


def test_the_same_asked_for_twice_is_computed_once(
    bars_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compute", str(bars_csv), "-i", "ema", "-i", "ema:period=20@close"]) == 0
    assert [*rows_of(capsys.readouterr().out)].count("ema_20") == 1


@pytest.mark.parametrize("name", ic.catalog())
def test_every_indicator_can_be_asked_for_with_and_without_parameters(name: str) -> None:
    spec = ic.catalog()[name]
    plain = requests.parse(name, "close")
    listed = ",".join(str(parameter.default) for parameter in spec.parameters)
    named = ",".join(f"{parameter.name}={parameter.default}" for parameter in spec.parameters)
    assert len(set(plain.columns)) == len(spec.outputs)
    if spec.parameters:
        assert requests.parse(f"{name}:{listed}", "close") == plain
        assert requests.parse(f"{name}:{named}", "close") == plain


def test_all_bad_requests_are_named_before_the_file_is_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad = {
        "emma": "did you mean ema?",
        "quux": "unknown indicator 'quux'",
        "ema:0": "period must be a whole number from 1",
        "rsi:1.5": "got '1.5'",
        "ema:": "got ''",
        "ema:1e9": "got '1e9'",
        "bollinger:20,nan": "std_factor must be a number",
        "macd:1,2,3,4": "got 4 values",
        "macd:fast=3,4": "needs a name",
        "macd:fast=3,fast=4": "fast is given twice",
        "ema:length=3": "no parameter 'length'",
        "atr@high": "takes no source",
        "ema@bid": "the source must be one of",
    }
    arguments = [part for text in bad for part in ("-i", text)]
    line = refusal(capsys, "compute", "no-such-file.csv", "-i", "ema", *arguments)
    for text, reason in bad.items():
        assert repr(text) in line
        assert reason in line
    assert "no-such-file" not in line


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"date,close\n2024-01-01,x\n", "column close is not numeric, but string"),
        ("a.csv", b"close\ntrue\n", "column close is not numeric, but bool"),
        ("a.csv", b"open,high\n1,2\n", "no column close; the file has: open, high"),
        ("a.csv", b"close, Close\n1,2\n", "more than one column close: 'close', ' Close'"),
        ("a.csv", b"close,ema_20\n1,2\n", "has a column ema_20 already"),
        ("a.csv", b"close\n1\n2,3\n", "cannot read"),
        ("a.csv", b"", "cannot read"),
        ("a.csv", b"close,\xff\n1,2\n", "cannot read"),
        ("a.csv", b"date,close\n2024-01-02,1\n2024-01-01,1\n", "goes back in time at bar 1"),
        ("a.csv.gz", b"close\n1\n", "cannot read"),
        ("a.parquet", b"PAR1", "cannot read"),
        ("a.xlsx", b"", "expected a file named .csv"),
    ],
)
def test_unusable_files_are_refused(
    name: str, content: bytes, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, target = tmp_path / name, tmp_path / "out.csv"
    path.write_bytes(content)
    line = refusal(capsys, "compute", path, "-i", "ema", "-o", target)
    assert reason in line
    assert str(path) in line or "already" in line
    assert [*tmp_path.iterdir()] == [path]


def test_missing_files_and_directories_are_refused(
    tmp_path: Path, bars_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capsys, "compute", tmp_path / "no.csv", "-i", "ema")
    assert "No such file or directory" in line
    assert refusal(capsys, "compute", tmp_path, "-i", "ema")
    assert "it is a directory" in refusal(capsys, "compute", bars_csv, "-i", "ema", "-o", tmp_path)
    target = tmp_path / "no" / "out.csv"
    assert "no directory" in refusal(capsys, "compute", bars_csv, "-i", "ema", "-o", target)
    target = bars_csv / "out.csv"
    assert "no directory" in refusal(capsys, "compute", bars_csv, "-i", "ema", "-o", target)
    target = tmp_path / "out.txt"
    assert ".csv or .parquet" in refusal(capsys, "compute", bars_csv, "-i", "ema", "-o", target)
    target = tmp_path / f"{'x' * 255}.csv"
    assert "cannot write" in refusal(capsys, "compute", bars_csv, "-i", "ema", "-o", target)
    assert [*tmp_path.iterdir()] == [bars_csv]


def test_a_column_that_cannot_be_written_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "in.parquet", tmp_path / "out.csv"
    pq.write_table(pa.table({"close": [1.0], "nested": [[1, 2]]}), source)
    assert "cannot write" in refusal(capsys, "compute", source, "-i", "ema", "-o", target)
    assert [*tmp_path.iterdir()] == [source]


@pytest.mark.parametrize("arguments", [[], ["compute", "f.csv"], ["nonsense"], ["list", "emma"]])
def test_bad_usage_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, *arguments)


def test_an_output_is_replaced_at_once_and_keeps_its_permissions(
    tmp_path: Path, bars_csv: Path
) -> None:
    target, link = tmp_path / "out.csv", tmp_path / "link.csv"
    target.write_text("before")
    target.chmod(0o600)
    link.symlink_to(target)
    assert main(["compute", str(bars_csv), "-i", "ema", "-o", str(link)]) == 0
    assert link.is_symlink()
    assert target.read_text().startswith("Date,")
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (MemoryError(), 1), (OSError(28, "full"), 2)]
)
def test_an_output_appears_whole_or_not_at_all(
    error: BaseException,
    code: int,
    tmp_path: Path,
    bars_csv: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = tmp_path / "out.parquet"
    target.write_bytes(b"before")
    listed = sorted(tmp_path.iterdir())

    class Unlucky(progress._Silent):
        def update(self, n: int = 1) -> None:  # noqa: ARG002
            if self.armed:
                # Some of it has been written by now.
                assert len(list(tmp_path.iterdir())) == len(listed) + 1
                raise error

        armed = False

    def unlucky(what: str, *_: object) -> Unlucky:
        Unlucky.armed = what == "writing"
        return Unlucky()

    monkeypatch.setattr(tables, "progress", unlucky)
    assert main(["compute", str(bars_csv), "-i", "ema", "-o", str(target)]) == code
    assert capsys.readouterr().err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == listed
    assert target.read_bytes() == b"before"


def test_without_pyarrow_it_says_what_to_install(bars_csv: Path) -> None:
    script = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from indicator_cache.cli import main\n"
        f"sys.exit(main(['compute', {str(bars_csv)!r}, '-i', 'ema']))"
    )
    done = spawn("-c", script)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'indicator-cache[cli]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_it_does_without_pandas(bars_csv: Path) -> None:
    # pyarrow imports it for many of its conveniences: slow, and an interrupt gets lost in there.
    script = (
        "import sys\n"
        "from indicator_cache.cli import main\n"
        f"code = main(['compute', {str(bars_csv)!r}, '-i', 'macd'])\n"
        "sys.exit(code or 'pandas' in sys.modules)"
    )
    assert spawn("-c", script).returncode == 0


def test_a_reader_that_has_had_enough_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("close\n" + "1\n" * 200_000)
    with subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-m", "indicator_cache", "compute", str(path), "-i", "ema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full here")
@pytest.mark.parametrize("arguments", [["list"], ["compute", "FILE", "-i", "ema"]])
def test_an_output_that_is_full_is_an_error(arguments: list[str], bars_csv: Path) -> None:
    arguments = [str(bars_csv) if argument == "FILE" else argument for argument in arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(  # noqa: S603 - this interpreter
            [sys.executable, "-m", "indicator_cache", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("indicator-cache: cannot write")
    assert done.stderr.count("\n") == 1


def test_progress_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(progress.progress("reading", 1, "B"), progress._Silent)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.progress("reading", 1, "B") as bar:
        assert not isinstance(bar, progress._Silent)
        bar.update(1)


# --- list ---


def test_list_has_a_line_for_every_indicator(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("(")[0] for line in lines] == [*ic.catalog()]
    assert any(
        line.startswith("macd(source, fast=12, slow=26, signal=9)")
        and "macd, signal, histogram" in line
        for line in lines
    )


@pytest.mark.parametrize("name", ic.catalog())
def test_list_describes_an_indicator(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", name]) == 0
    text = " ".join(capsys.readouterr().out.split())
    spec = ic.catalog()[name]
    for part in (spec.title, spec.summary, spec.formula, spec.gaps, spec.source, spec.reference):
        assert " ".join(part.split()) in text
    for parameter in spec.parameters:
        assert f"{parameter.name}: {parameter.expected}, {parameter.default} by default" in text
    for output in spec.outputs:
        assert f"{output.name}: {output.summary}" in text


# --- doctor ---


class Patient:
    """A backend with something wrong with it."""

    def __init__(self, backend: Backend, error: Exception | None) -> None:
        self._backend = backend
        self._error = error

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a backend has
        return getattr(self._backend, name)

    def run(self, *arguments: Any) -> None:  # noqa: ANN401 - whatever a backend takes
        if self._error is not None:
            raise self._error
        self._backend.run(*arguments)
        *_, outputs = arguments
        outputs[0].view(np.uint64)[-1] ^= 1


def doctor(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = main(["doctor", "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.needs(*backends.NAMES)
def test_doctor_finds_all_backends_well(capsys: pytest.CaptureFixture[str], backend: str) -> None:
    code, findings = doctor(capsys)
    assert code == 0
    assert findings["active"] == findings["requested"] == backend
    assert findings["agree"] is findings["ok"] is True
    assert findings["problem"] is None
    assert findings["flush_to_zero"] is False
    assert [*findings["backends"]] == [*backends.NAMES]
    assert {"wasmtime", "module", "sha256", "memory limit"} <= {
        *findings["backends"]["wasm"]["details"]
    }
    assert "cpu" in findings["backends"]["native"]["details"]

    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert f"{backend}: usable, active" in text
    assert text.count(findings["backends"]["native"]["digest"]) == len(backends.NAMES)


@pytest.mark.needs("native", "wasm")
@pytest.mark.parametrize("name", backends.NAMES)
def test_doctor_finds_a_wrong_bit(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(backends._selection.loaded, name, Patient(backends.load(name), None))
    code, findings = doctor(capsys)
    assert code == 1
    assert findings["agree"] is False
    assert "do not agree" in findings["problem"]
    assert main(["doctor"]) == 1
    assert "PROBLEM: the backends do not agree" in capsys.readouterr().out


def test_doctor_finds_a_backend_that_loads_and_does_not_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    patient = Patient(backends.load("wasm"), ic.BackendError("trap"))
    monkeypatch.setitem(backends._selection.loaded, "wasm", patient)
    with ic.use_backend("python"):
        code, findings = doctor(capsys)
    assert code == 0  # it was not asked for
    assert findings["backends"]["wasm"]["usable"] is False
    assert findings["backends"]["wasm"]["reason"] == "BackendError: trap"
    with ic.use_backend("wasm"):
        code, findings = doctor(capsys)
    assert code == 1
    assert "the wasm backend does not work" in findings["problem"]


@pytest.mark.needs("wasm")
@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"INDICATOR_CACHE_BACKEND": "gpu"}, "must be auto, native, wasm, python, got 'gpu'"),
        ({"INDICATOR_CACHE_BACKEND": "wasm", "INDICATOR_CACHE_WASM_MEMORY": "1"}, "memory"),
    ],
)
def test_doctor_starts_where_the_package_refuses_to(variables: dict[str, str], reason: str) -> None:
    assert "BackendUnavailableError" in spawn("-c", "import indicator_cache", **variables).stderr
    # Not for every program that runs as a module, but for this one.
    assert spawn("-m", "indicator_cache.errors", **variables).returncode == 1

    done = spawn("-m", "indicator_cache", "doctor", "--json", **variables)
    findings = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, "")
    assert findings["active"] is None
    assert findings["requested"] == variables["INDICATOR_CACHE_BACKEND"]
    assert reason in findings["problem"]
    assert findings["backends"]["python"]["usable"] is True

    script = Path(sys.executable).with_name("indicator-cache")
    if script.exists():
        done = spawn(str(script), "doctor", **variables)
        assert (done.returncode, done.stderr) == (1, "")
        assert "active         none" in done.stdout


def test_what_needs_a_backend_meets_the_error_that_was_put_off(bars_csv: Path) -> None:
    arguments = ("-m", "indicator_cache", "compute", str(bars_csv), "-i", "ema")
    done = spawn(*arguments, INDICATOR_CACHE_BACKEND="gpu")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("indicator-cache: INDICATOR_CACHE_BACKEND must be")
    assert spawn("-m", "indicator_cache", "list", INDICATOR_CACHE_BACKEND="gpu").returncode == 0


def test_doctor_says_what_to_install_for_wasm() -> None:
    script = (
        "import sys; sys.modules['wasmtime'] = None\n"
        "from indicator_cache.cli import main\n"
        "sys.exit(main(['doctor']))"
    )
    done = spawn("-c", script)
    assert done.returncode == 0
    assert "wasm: NOT usable" in done.stdout
    assert "pip install 'indicator-cache[wasm]'" in done.stdout
