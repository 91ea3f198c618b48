"""The pure parts of the benchmarks: ratios, targets, comparisons, the form of a record."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import numpy as np
import pytest
from benchmarks import compare, peers, report, table, targets, timing, windows
from benchmarks.record import HISTORY, Instructions, Memory, Record, RecordError, last, load
from benchmarks.timing import Contender, Timing, interleaved

import indicator_cache as ic

from .bars import Array, columns_of, walk

COMMAND = "python -m benchmarks page"


def record(*cells: tuple[str, int, str, float]) -> Record:
    one = Record("2000-01-02", {"cpu": "Some(R) CPU 9", "cores": "4"}, {"numpy": "2"})
    for operation, bars, who, best in cells:
        one.add(operation, bars, {who: Timing(best, 2 * best, 5)})
    return one


# --- timing ---


def test_rounds_are_interleaved_and_prepared() -> None:
    seen: list[str] = []
    slow = timing.LONG + 1.0
    contenders = {
        name: Contender(lambda name=name: seen.append(name), lambda: seen.append("ready"))  # type: ignore[misc]
        for name in ("first", "second")
    }
    with pytest.MonkeyPatch.context() as patch:
        # A clock on which everything takes long, so that each turn is a single call.
        clock = iter(slow * tick for tick in range(1000))
        patch.setattr(timing, "now", lambda: (next(clock), 0.0))
        patch.setattr(timing, "since", lambda _start: slow)
        results = interleaved(contenders, allowance=0.0)
    assert {result.rounds for result in results.values()} == {timing.FEWEST}
    turns = seen[-4 * timing.FEWEST :]
    assert turns[::2] == ["ready"] * (2 * timing.FEWEST)
    assert turns[1::2] == ["first", "second", "second", "first", "first", "second"]


def test_time_of_others_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "now", lambda: (10.0, 5.0))
    assert timing.since((4.0, 3.0)) == 2.0
    # Two threads ran for longer than time passed.
    assert timing.since((9.0, 1.0)) == 1.0


# --- records ---


def full() -> Record:
    one = record(("ema", 100, "native", 1.23456e-6))
    one.memory.append(Memory("ema", 100, "native", 900, 800))
    one.instructions.append(Instructions("ema", 100, "avx2", 1234))
    one.notes["prefetch"] = "not there"
    return one


def test_record_survives_the_disk(tmp_path: Path) -> None:
    path = full().save(tmp_path)
    assert path.name == "2000-01-02-some-cpu-9-4-cores.json"
    assert load(path) == full() == last(tmp_path, like=full())
    assert load(path).best("ema", 100, "native") == 1.235e-6


def test_last_record_is_of_the_same_kind_of_machine(tmp_path: Path) -> None:
    full().save(tmp_path)
    other = full()
    other.date, other.machine = "2001-01-01", {"cpu": "other", "cores": "4"}
    other.save(tmp_path)
    assert last(tmp_path) == other
    assert last(tmp_path, like=full()) == full()
    other.machine = {"cpu": "third", "cores": "4"}
    assert last(tmp_path, like=other) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"schema": 1', '"schema": 0'),
        ('"bars": 100', '"bars": "100"'),
        ('"bars": 100', '"bars": true'),
        ('"bars": 100', '"bar": 100'),
        ('"absent"', '"missing"'),
        ("{", "["),
    ],
)
def test_other_forms_are_refused(tmp_path: Path, old: str, new: str) -> None:
    path = full().save(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RecordError):
        load(path)


@pytest.mark.parametrize("path", sorted(HISTORY.glob("*.json")), ids=lambda path: path.stem)
def test_history_is_readable_and_tells_nothing_private(path: Path) -> None:
    one = load(path)
    assert path.stem == one.name()
    facts = json.dumps([one.machine, one.versions, one.notes])
    assert not set("/\\") & set(facts.replace('\\"', ""))
    assert platform.node() not in facts.split()


# --- targets ---


def measured(one: Record, name: str) -> targets.Target:
    (found,) = (target for target in targets.targets(one) if target.name == name)
    return found


@pytest.mark.parametrize(("pandas", "met"), [(10e-3, True), (9.9e-3, False)])
def test_factor_over_pandas(pandas: float, met: bool) -> None:  # noqa: FBT001
    one = record(("ema", 50_000, "pandas", pandas), ("ema", 50_000, "cache native", 1e-3))
    target = measured(one, "ema")
    assert target.met is met
    assert target.measured == ("10.00x" if met else "9.90x")


def test_webassembly_stands_beside_native_code_with_registers_as_narrow() -> None:
    cells = ("sma", 1_000_000, "wasm", 3e-3), ("sma", 1_000_000, "native", 1e-3)
    assert measured(record(*cells), "sma as a function").measured == "3.00x"
    target = measured(record(*cells, ("sma", 1_000_000, "portable", 2e-3)), "sma as a function")
    assert (target.measured, target.met) == ("3.00x; portable 2.00x", False)


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert {target.met for target in targets.targets(record())} == {None}
    assert report.score(targets.targets(record())).startswith("0 of 0 targets")


@pytest.mark.parametrize(
    ("native", "met"), [(1.0e-3, True), (1.3e-3, True), (1.31e-3, False), (0.5e-3, True)]
)
def test_near_the_bare_loop_is_enough_at_the_largest_size(native: float, met: bool) -> None:  # noqa: FBT001
    one = record(
        ("ema", 1_000_000, "native", native),
        ("ema", 1_000_000, "TA-Lib", 1.2e-3),
        ("ema", 1_000_000, "wickra fast", 1.1e-3),
        ("ema", 1_000_000, "touch columns", 1.5e-3),
        ("ema", 1_000_000, "touch blocks", 1.0e-3),
    )
    assert measured(one, "ema (wickra fast)").met is met


def test_fastest_peer_is_a_peer() -> None:
    one = record(
        ("sma", 50_000, "native", 2e-3),
        ("sma", 50_000, "python", 1e-6),
        ("sma", 50_000, "copy", 1e-6),
        ("sma", 50_000, "kand", 3e-3),
        ("sma", 50_000, "wickra", 4e-3),
    )
    assert measured(one, "sma (kand)").measured == "1.50x"


def test_memory_beyond_results() -> None:
    one = record(("ema", 1_000_000, "native", 1.0))
    one.memory.append(Memory("ema", 1_000_000, "native", 8_000_000 + 2**20, 8_000_000))
    assert measured(one, "ema, native beyond its results").met is True
    one.memory[0] = Memory("ema", 1_000_000, "native", 8_000_001 + 2**20, 8_000_000)
    assert measured(one, "ema, native beyond its results").met is False


# --- comparisons ---


def beside_copy(native: float, copy: float = 1.0) -> Record:
    return record(
        ("ema", 100, "native", native), ("ema", 100, "kand", 9 * native), ("ema", 100, "copy", copy)
    )


@pytest.mark.parametrize(
    ("now", "names"),
    [
        (beside_copy(2.0), []),
        (beside_copy(2.19), []),
        (beside_copy(2.21), ["native"]),
        # A machine that is busy is slower at copying too.
        (beside_copy(4.0, 2.0), []),
        (beside_copy(2.0, 0.5), ["native"]),
        (record(("rsi", 100, "native", 9.0), ("rsi", 100, "copy", 1.0)), []),
    ],
)
def test_slower_is_told_by_the_ratio_to_a_copy(now: Record, names: list[str]) -> None:
    assert [worse.who for worse in compare.slower(beside_copy(2.0), now)] == names


@pytest.mark.parametrize(("count", "flagged"), [(900, 0), (1100, 0), (1101, 1)])
def test_more_instructions_are_told(count: int, flagged: int) -> None:
    before, now = record(), record()
    before.instructions.append(Instructions("ema", 50, "avx2", 1000))
    before.instructions.append(Instructions("ema", 50, "portable", 1))
    now.instructions.append(Instructions("ema", 50, "avx2", count))
    found = compare.longer(before, now)
    assert len(found) == flagged
    assert all("avx2: instructions 1000 before, 1101 now (+10%)" in str(one) for one in found)


def test_only_what_is_found_twice_is_told() -> None:
    found = compare.slower(beside_copy(2.0), beside_copy(3.0))
    assert compare.confirmed(found, found) == found
    assert compare.confirmed(found, []) == []


# --- the page ---


def test_generated_parts_are_replaced() -> None:
    page = "a\n<!-- generated: x -->\nold\n<!-- end: x -->\nb\n"
    new = report.filled(page, {"x": "new"})
    assert new == "a\n<!-- generated: x -->\n\nnew\n\n<!-- end: x -->\nb\n"
    assert report.filled(new, {"x": "new"}) == new
    with pytest.raises(report.MarkerError, match="no place for 'y'"):
        report.filled(page, {"y": "new"})


def test_page_is_that_of_the_last_record() -> None:
    one = last()
    assert one is not None
    page = report.PAGE.read_text(encoding="utf-8")
    assert report.filled(page, report.parts(one)) == page, f"{report.PAGE.name} is stale: {COMMAND}"


def test_whatever_was_measured_has_a_row() -> None:
    one = record(("ema", 100, "native", 2e-6), ("ema", 100, "copy", 1e-6))
    assert "| `ema` | 2 | 0.5 |" in "\n".join(report.ratios(one)).replace("0.50", "0.5")


def test_windows_stand_beside_those_who_have_them() -> None:
    names = windows.operations()
    assert {"sma", "bollinger", "zscore"} <= set(names)
    native, other = Timing(1e-3, 1e-3, 3), Timing(3e-3, 3e-3, 3)
    timings = {("sma", 20): {"native": native, "TA-Lib": other}, ("zscore", 50): {"native": native}}
    assert list(windows.table(timings)) == [
        "| operation | bars | native, ns a bar | TA-Lib |",
        "| --- | ---: | ---: | ---: |",
        "| `sma` | 20 | 20 | 3.00 |",
        "| `zscore` | 50 | 20 |  |",
    ]


# --- contenders ---

BARS = walk(4000, 17, step=1e-3)


def last_values(result: object) -> list[float]:
    """The values of the last bar, in whatever a package puts its columns."""
    if isinstance(result, tuple):
        return [value for column in result for value in last_values(column)]
    rows = result.tolist()  # type: ignore[attr-defined]
    return rows[-1] if isinstance(rows[-1], list) else [rows[-1]]


@pytest.mark.parametrize("peer", peers.PEERS)
def test_peers_compute_the_same(peer: str) -> None:
    """As far as their definitions do: some divide by the period, some have other weights."""
    functions, _, absent = peers.installed()
    if peer in absent:
        pytest.skip(f"{peer} is not installed: make bench-peers")
    for name, function in functions[peer].items():
        spec = ic.catalog()[name]
        columns = columns_of(spec, BARS)
        theirs = np.array(last_values(function(*columns, *table.defaults(spec))))
        if (peer, name) == ("tulipy", "roc"):
            theirs = theirs * 100.0
        for value in last_values(getattr(ic, name)(*columns)):
            assert np.abs(theirs / value - 1.0).min() < 0.06, name


@pytest.mark.parametrize("inputs", [1, 2, 3])
@pytest.mark.parametrize("outputs", [1, 3])
def test_bare_loops_read_and_write_everything(inputs: int, outputs: int) -> None:
    columns: list[Array] = [np.full(40_000, 10.0**place) for place in range(inputs)]
    for loop in (table.touch_columns, table.touch_blocks):
        results = loop(columns, outputs)
        assert [len(result) for result in results] == [40_000] * outputs
        assert not any(np.ptp(result) for result in results)
        assert sum({result.item(-1) for result in results}) == (10**inputs - 1) // 9
