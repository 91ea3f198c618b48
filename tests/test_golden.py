"""Golden digests: results today are those recorded, on every backend, to the bit.

Swept over the catalog; `tools/golden.py` makes data and parameters, and holds programs that are not
Python against the same record.
"""

from __future__ import annotations

import copy
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tools import golden

import indicator_cache as ic

BACKENDS = golden.all_backends()
RECORD = golden.read()

every_indicator = pytest.mark.parametrize("name", ic.catalog())


@every_indicator
def test_is_recorded(name: str) -> None:
    """Every indicator on every data set, with the parameters that its declaration leads to."""
    spec = ic.catalog()[name]
    recorded = RECORD["indicators"].get(name)
    assert recorded is not None, f"not recorded: {golden.COMMAND}"
    assert recorded["revision"] == spec.revision, f"recorded for another one: {golden.COMMAND}"
    parameters = [golden.in_words(spec, params) for params in golden.parameter_sets(spec)]
    assert recorded["parameters"] == parameters, f"not the parameters recorded: {golden.COMMAND}"
    assert set(recorded["digests"]) == set(golden.data_sets()), f"data sets: {golden.COMMAND}"


def test_nothing_else_is_recorded() -> None:
    assert set(RECORD["indicators"]) == set(ic.catalog()), golden.COMMAND
    assert golden.rendered(RECORD) == (golden.ROOT / golden.RECORD).read_text(encoding="utf-8")


@pytest.mark.parametrize("data", golden.data_sets())
def test_data(data: str) -> None:
    """The data is what it was. If a stock moved, it is another release of bokeh-sampledata."""
    digest = golden.digest(golden.data_sets()[data].values())
    assert digest == RECORD["data"].get(data), f"another {data} than recorded: {golden.COMMAND}"


@every_indicator
@pytest.mark.parametrize("backend", BACKENDS)
def test_results(name: str, backend: str) -> None:
    spec = ic.catalog()[name]
    digests = golden.gathered(golden.results(BACKENDS[backend], spec))[name]
    recorded = RECORD["indicators"][name]["digests"]
    differing = [data for data in recorded if digests.get(data) != recorded[data]]
    assert not differing, (
        f"{backend} gives other results for {name} than {golden.RECORD} on {', '.join(differing)}. "
        f"{golden.if_meant(name, spec.revision)}"
    )


def test_nothing_moved_since_the_last_commit() -> None:
    """No digest of a revision changes once it is committed, not even by an edit of the record."""
    committed = golden.at_revision("HEAD")
    if committed is None:
        pytest.skip("no git here, or not committed yet")
    assert golden.moved(committed, RECORD) == []


def test_new_revisions_are_announced() -> None:
    assert golden.unannounced_here() == []


# --- the rules themselves ---


def changed(change: Callable[[golden.Record], None]) -> list[str]:
    record = copy.deepcopy(RECORD)
    change(record)
    return golden.moved(RECORD, record)


def flip(record: golden.Record) -> golden.Golden:
    """Other results for one indicator on one data set."""
    indicator = record["indicators"]["ema"]
    indicator["digests"]["walk"] = "0" * 64
    return indicator


def test_other_results_need_a_new_revision() -> None:
    (complaint,) = changed(lambda record: (flip(record), None)[1])
    assert complaint.startswith(
        f"ema gives other results than those of revision {revision()} on walk. "
    )
    assert f"revision {revision() + 1}" in complaint


def revision() -> int:
    return RECORD["indicators"]["ema"]["revision"]


def test_a_new_revision_permits_other_results() -> None:
    def change(record: golden.Record) -> None:
        flip(record)["revision"] += 1

    assert changed(change) == []


def test_no_revision_comes_back() -> None:
    def change(record: golden.Record) -> None:
        record["indicators"]["ema"]["revision"] -= 1

    assert changed(change) == [f"ema went back to revision {revision() - 1}"]


def test_other_data_may_give_other_results() -> None:
    def change(record: golden.Record) -> None:
        flip(record)
        record["data"]["walk"] = "0" * 64

    assert changed(change) == []


def test_other_parameters_may_give_other_results() -> None:
    def change(record: golden.Record) -> None:
        flip(record)["parameters"] = ["7"]

    assert changed(change) == []


def test_what_is_new_needs_nothing() -> None:
    def change(record: golden.Record) -> None:
        record["indicators"]["newcomer"] = record["indicators"]["ema"]
        record["data"]["newcomer"] = "0" * 64
        record["indicators"]["ema"]["digests"]["newcomer"] = "0" * 64

    assert changed(change) == []


@pytest.mark.parametrize(
    ("changelog", "missing"),
    [
        ("", [2, 3]),
        ("- Results change: `ema`, revision 2: the seed.\n", [3]),
        ("- Results change: `ema`, revision 2.\n- results change: `ema`,\n  revision 3.\n", []),
        ("- Results change: `ema`.\n- `ema`, revision 2 and revision 3.\n", [2, 3]),
        ("- Results change: `sma`, revision 2.\n- Results change: `ema`, revision 31.\n", [2, 3]),
    ],
)
def test_changelog(changelog: str, missing: list[int]) -> None:
    assert golden.unannounced({"ema": 3, "roc": 1}, changelog) == [
        f'CHANGELOG.md has no line "Results change: `ema`, revision {revision}"'
        for revision in missing
    ]


# --- the data ---


def test_data_is_exact_and_hostile() -> None:
    """Each set has in it what its name says."""
    sets = golden.data_sets()
    close = {name: bars["close"] for name, bars in sets.items()}
    assert [len(close[f"bars-{count}"]) for count in range(3)] == [0, 1, 2]
    assert all(len(column) == len(close[name]) for name in sets for column in sets[name].values())
    units = close["walk"] * 2.0**45
    assert np.all(units == np.trunc(units))
    assert np.any(units % 2), "all 53 bits in use"
    assert np.all(close["ticks"] * 1024 == np.trunc(close["ticks"] * 1024))
    assert np.any(np.diff(close["ticks"]) == 0)
    assert {1e12, -1e12} <= set(close["spikes-1e12"].tolist())
    assert np.max(np.abs(close["level-1e6"] - 1e6)) <= 1 / 1024
    assert np.isnan(close["gaps"]).any()
    assert np.all(np.isnan(close["gaps"]) == np.isnan(sets["gaps"]["high"]))
    assert np.any(np.isnan(close["partial-gaps"]) != np.isnan(sets["partial-gaps"]["high"]))
    assert {math.inf, -math.inf} <= set(close["infinities"].tolist())
    zeros = close["signed-zeros"][close["signed-zeros"] == 0]
    assert set(np.signbit(zeros).tolist()) == {False, True}
    nans = close["nan-payloads"][np.isnan(close["nan-payloads"])].view(np.uint64)
    assert len(set(nans.tolist())) == 5
    pairs = close["mirrored"]
    assert np.any((pairs[1:] == -pairs[:-1]) & (pairs[1:] != 0))
    tiny = sys.float_info.min
    assert 0 < np.min(close["denormals"]) < np.max(close["denormals"]) < tiny
    assert np.min(close["smallest-normals"]) < tiny < np.max(close["smallest-normals"])
    assert np.min(close["near-2^1000"]) < 2.0**1000 < np.max(close["near-2^1000"])
    assert np.min(close["prices-2^-27"]) < 2.0**-27 < np.max(close["prices-2^-27"])
    assert np.min(close["prices-2^30"]) < 2.0**30 < np.max(close["prices-2^30"])
    assert len(close["stock-IBM"]) == 3270


# --- programs ---

PROGRAM = """
import hashlib, pathlib, sys

import numpy as np

import indicator_cache as ic
from indicator_cache.backends import resolve

folder = pathlib.Path(sys.argv[-1])
fields = "open", "high", "low", "close", "volume"
plan = [line.split() for line in (folder / "plan.txt").read_text().splitlines()]
for kind, name, number, *words in [line for line in plan if line[0] == "run"]:
    spec = ic.catalog()[name]
    for _, data in [line for line in plan if line[0] == "data"]:
        table = np.fromfile(folder / f"{data}.f64", "<f8").reshape(len(fields), -1)
        inputs = [table[fields.index("close" if x == "x" else x)] for x in spec.inputs]
        outputs = np.empty((len(spec.outputs), table.shape[1]))
        params = spec.from_numbers([float(word) for word in words])
        resolve("native").run(spec, params, inputs, list(outputs))
        SABOTAGE
        print(name, number, data, hashlib.sha256(outputs.tobytes()).hexdigest())
"""


@pytest.mark.parametrize(
    ("sabotage", "complaints"),
    [
        ("pass", []),
        (
            "if (name, number, data) == ('ema', '1', 'walk'): outputs[0, 77] *= 1 + 2**-52",
            [
                "a program: ema differs on walk",
                "  unlike the extension module here for ema(1)",
            ],
        ),
        (
            "if (name, number, data) == ('sma', '0', 'gaps'): continue",
            ["a program made {less} runs instead of {runs}; missing: [('sma', 0, '"],
        ),
        ("print('nonsense')", ["a program: no line of a result: "]),
        ("raise SystemExit(3)", [f"a program: {sys.executable} failed with exit status 3"]),
    ],
)
def test_program(
    sabotage: str, complaints: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that does as `export` asks passes; one that differs in a bit does not."""
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    code = PROGRAM.replace("SABOTAGE", sabotage)
    given = golden.check("a program", [sys.executable, "-c", code])
    runs = len(golden.data_sets()) * sum(
        len(golden.parameter_sets(spec)) for spec in ic.catalog().values()
    )
    expected = [text.format(runs=runs, less=runs - 1) for text in complaints]
    assert len(given) == len(expected)
    assert all(text.startswith(start) for text, start in zip(given, expected, strict=True))


def test_write_is_gated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command writes what is recorded, and refuses what would hide a change."""
    record = tmp_path / golden.RECORD
    record.parent.mkdir(parents=True)
    shutil.copy(golden.ROOT / "CHANGELOG.md", tmp_path)
    old = copy.deepcopy(RECORD)
    flip(old)
    record.write_text(golden.rendered(old), encoding="utf-8")
    monkeypatch.setattr(golden, "ROOT", tmp_path)
    monkeypatch.setattr(
        golden, "all_backends", lambda: {"native portable": BACKENDS["native portable"]}
    )
    (complaint,) = golden.write()
    assert "ema gives other results" in complaint
    assert golden.read() == old
    record.unlink()
    assert golden.write() == []
    assert golden.read() == RECORD
