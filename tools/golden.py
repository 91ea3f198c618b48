"""Golden digests: what every indicator gives, to the bit, on data that anyone can make again.

`tests/golden/digests.json` holds a digest for each indicator and data set. Whatever runs the
kernels is held against it: the backends in the tests, and through `check` any program that does
what `export` asks for, on whatever processor.

    python tools/golden.py write                  write the file anew, where revisions allow it
    python tools/golden.py check -- COMMAND...    run a program and compare what it prints
    python tools/golden.py export FOLDER          data and plan for such a program
    python tools/golden.py since REVISION         hold the file against that of a git revision

A program gets the folder as its last argument. `plan.txt` has a line ``data NAME`` for each data
set, whose five columns stand one after the other in ``NAME.f64`` as little-endian doubles, and a
line ``run INDICATOR NUMBER PARAMETER...`` for each run. For every run on every data set, all bars
at once, it prints ``INDICATOR NUMBER DATA SHA256``, the hash being that of the output columns, one
after the other, in the same form. ``x`` stands for the column ``close``.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import math
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt

import indicator_cache as ic
from indicator_cache.backends import Backend, resolve
from indicator_cache.spec import Value

ROOT = Path(__file__).resolve().parent.parent
RECORD = Path("tests/golden/digests.json")
FOLDER = ROOT / "target/golden"
COMMAND = "make golden"

FIELDS = ("open", "high", "low", "close", "volume")

Bars = dict[str, npt.NDArray[np.float64]]


# --- data: whole numbers and powers of two, so that nothing is rounded in the making ---


class Random:
    """Knuth's 64-bit linear congruential generator; its upper bits are good enough here."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def bits(self, count: int) -> int:
        """Return a whole number of at most that many bits."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self._state >> (64 - count)

    def between(self, low: int, high: int) -> int:
        """Return a whole number, both ends included."""
        return low + self.bits(53) % (high - low + 1)

    def one_in(self, count: int) -> bool:
        """Return whether it is this one's turn, by chance."""
        return self.between(1, count) == 1


def columns(rows: Iterable[tuple[int, ...]], exponent: int) -> Bars:
    """Bars of prices in units of a power of two, and a volume in whole numbers."""
    bars = [(*(math.ldexp(price, exponent) for price in row[:4]), float(row[4])) for row in rows]
    table = np.array(bars, np.float64).reshape(-1, len(FIELDS))
    return {name: np.ascontiguousarray(table[:, place]) for place, name in enumerate(FIELDS)}


def around(random: Random, closes: Iterable[int], spread: int) -> Iterator[tuple[int, ...]]:
    """Whole bars around closing prices."""
    before = None
    for close in closes:
        opening = close if before is None else before
        high = max(opening, close) + random.between(0, spread)
        low = min(opening, close) - random.between(0, spread)
        yield opening, high, low, close, random.bits(20)
        before = close


def walk(random: Random, bars: int, level: int, step: int) -> Iterator[tuple[int, ...]]:
    """Walk at random, staying between a half and twice the level."""

    def closes() -> Iterator[int]:
        close = level
        for _ in range(bars):
            move = random.between(-step, step)
            close += move if level < 2 * (close + move) < 4 * level else -move
            yield close

    return around(random, closes(), step)


def prices(random: Random, bars: int = 1200) -> Bars:
    """Walk from 100 in steps of up to 1, with all 53 bits in use."""
    return columns(walk(random, bars, 100 << 45, 1 << 45), -45)


def signs(random: Random, exponent: int) -> Bars:
    """Numbers of 53 bits, of both signs."""

    def number() -> int:
        size = random.bits(53)
        return -size if random.one_in(2) else size

    return columns((tuple(number() for _ in FIELDS) for _ in range(600)), exponent)


def missing(random: Random, bars: Bars) -> Bars:
    """Take out bars: at the start, at the end, and in runs between."""
    count = len(bars["close"])
    gone = False
    for bar in range(count):
        gone ^= random.one_in(3 if gone else 30)
        if gone or bar in {0, 1, 2, count - 2, count - 1}:
            for column in bars.values():
                column[bar] = np.nan
    return bars


def spoilt(random: Random, bars: Bars, one_in: int, patterns: Iterable[int]) -> Bars:
    """Put other bits in some places, of each column on its own."""
    choice = list(patterns)
    for column in bars.values():
        bits = column.view(np.uint64)
        for bar in range(len(bits)):
            if random.one_in(one_in):
                bits[bar] = choice[random.between(0, len(choice) - 1)]
    return bars


def flat(_: Random) -> Bars:
    return {name: np.full(600, 0.1) for name in FIELDS}


def steps(random: Random) -> Bars:
    """Constant pieces, so that averages come to rest and differences become nothing."""
    levels = [random.between(50 << 45, 150 << 45) for _ in range(30)]
    return columns(around(random, (level for level in levels for _ in range(40)), 0), -45)


def level(random: Random) -> Bars:
    """Make prices of a million, give or take a thousandth."""
    close = (10**6 * 2**33 + random.between(-(2**23), 2**23) for _ in range(3000))
    return columns(around(random, close, 2**23), -33)


def magnitudes(random: Random) -> Bars:
    """Prices of all sizes: almost nothing is the same after an addition in another order."""

    def price() -> float:
        return math.ldexp(random.between(1, 2**53 - 1), random.between(-60, 20))

    return {name: np.array([price() for _ in range(1200)]) for name in FIELDS}


def mirrored(random: Random) -> Bars:
    """Make neighbours of equal size and opposite sign, so that comparisons meet ties."""
    sizes = [random.between(2**52, 2**53 - 1) for _ in range(40)]
    rows = (
        tuple(random.between(-1, 1) * size for _ in FIELDS) for size in sizes for _ in range(20)
    )
    return columns(rows, -46)


def any_bits(random: Random) -> Bars:
    return {
        name: np.array([random.bits(64) for _ in range(600)], np.uint64).view(np.float64)
        for name in FIELDS
    }


def _bits(value: float) -> int:
    return int(np.float64(value).view(np.uint64))


_INFINITIES = (_bits(math.inf), _bits(-math.inf))
_ZEROS = (_bits(0.0), _bits(-0.0))
#: Quiet and signalling, of both signs, with and without a payload.
_NANS = (0x7FF8 << 48, 0xFFF8 << 48, 0x7FF0 << 48 | 1, 0xFFF0 << 48 | 7, 0x7FF8_DEAD_BEEF_0001)

MADE: dict[str, Callable[[Random], Bars]] = {
    "bars-0": lambda random: prices(random, 0),
    "bars-1": lambda random: prices(random, 1),
    "bars-2": lambda random: prices(random, 2),
    "walk": lambda random: prices(random, 5000),
    "ticks": lambda random: columns(walk(random, 3000, 100 << 10, 3), -10),
    "magnitudes": magnitudes,
    "flat": flat,
    "steps": steps,
    "level-1e6": level,
    "prices-2^-27": lambda random: columns(walk(random, 2000, 2**51, 2**45), -27 - 51),
    "prices-2^30": lambda random: columns(walk(random, 2000, 2**51, 2**45), 30 - 51),
    "spikes-1e12": lambda random: spoilt(random, prices(random), 100, (_bits(1e12), _bits(-1e12))),
    "gaps": lambda random: missing(random, prices(random)),
    "partial-gaps": lambda random: spoilt(random, prices(random), 12, _NANS[:1]),
    "nan-payloads": lambda random: spoilt(random, prices(random), 40, _NANS),
    "infinities": lambda random: spoilt(random, missing(random, prices(random)), 60, _INFINITIES),
    "signed-zeros": lambda random: spoilt(random, columns(walk(random, 600, 4, 1), 0), 2, _ZEROS),
    "denormals": lambda random: columns(walk(random, 1200, 2**20, 2**14), -1074),
    "smallest-normals": lambda random: columns(walk(random, 1200, 2**52, 2**46), -1074),
    "near-2^1000": lambda random: columns(walk(random, 600, 2**52, 2**48), 1000 - 52),
    "mirrored": mirrored,
    "overflow": lambda random: signs(random, 1024 - 53),
    "any-bits": any_bits,
}


def stocks() -> dict[str, Bars]:
    """Daily prices of five stocks: public domain, packaged as bokeh-sampledata."""
    from bokeh_sampledata import stocks as package

    return {
        f"stock-{name}": {field: np.array(prices[field], np.float64) for field in FIELDS}
        for name in ("AAPL", "FB", "GOOG", "IBM", "MSFT")
        for prices in [getattr(package, name)]
    }


@functools.cache
def data_sets() -> Mapping[str, Bars]:
    """Every data set by name. Each has a seed of its own, so that adding one moves no other."""
    made = {name: make(Random(zlib.crc32(name.encode()))) for name, make in MADE.items()}
    return made | stocks()


def encoded(arrays: Iterable[npt.NDArray[np.float64]]) -> bytes:
    return b"".join(array.astype("<f8").tobytes() for array in arrays)


def digest(arrays: Iterable[npt.NDArray[np.float64]]) -> str:
    return hashlib.sha256(encoded(arrays)).hexdigest()


def inputs_of(spec: ic.IndicatorSpec, bars: Bars) -> list[npt.NDArray[np.float64]]:
    return [bars["close" if name == "x" else name] for name in spec.inputs]


# --- parameters: read off the declaration ---

PERIODS = (1, 2, 3, 14, 20, 33, 255)


def parameter_sets(spec: ic.IndicatorSpec) -> list[tuple[Value, ...]]:
    """Return the defaults, then short and long periods, combined, with floats low and high.

    Words, flags and None take turns. Where a rule forbids a set, its floats are the defaults.
    """
    sets = [spec.normalise({})]
    for turn in range(len(PERIODS)):
        values: list[Value] = []
        for place, parameter in enumerate(spec.parameters):
            if parameter.optional and turn % 3 == 0:
                values.append(None)
            elif parameter.kind == "choice":
                values.append(parameter.options[turn % len(parameter.options)])
            elif parameter.kind == "flag":
                values.append(turn % 2 == 0)
            elif parameter.kind == "integer":
                period = PERIODS[(turn + 2 * place) % len(PERIODS)]
                values.append(int(min(max(period, parameter.min), parameter.max)))
            else:
                usual = parameter.default if isinstance(parameter.default, float) else 0.1
                choice = (usual, usual / 3, parameter.min, parameter.max)
                values.append(float(min(max(choice[turn % 4], parameter.min), parameter.max)))
        if not all(rule.holds(*values) for rule in spec.rules):
            values = [
                parameter.default if parameter.kind == "float" else value
                for parameter, value in zip(spec.parameters, values, strict=True)
            ]
        sets.append(tuple(values))
    return list(dict.fromkeys(sets))


def in_words(spec: ic.IndicatorSpec, params: tuple[Value, ...]) -> str:
    """Return parameters as they stand in the record and in the plan, to the last digit."""
    return " ".join(map(repr, spec.numbers(params)))


# --- digests ---


class Result(NamedTuple):
    """One run on one data set: a line of a program's output."""

    indicator: str
    number: int
    data: str
    digest: str


class Golden(TypedDict):
    """What is recorded about an indicator."""

    revision: int
    parameters: list[str]
    digests: dict[str, str]


class Record(TypedDict):
    """The recorded file: digests of what goes in, and of what comes out."""

    data: dict[str, str]
    indicators: dict[str, Golden]


def results(backend: Backend, spec: ic.IndicatorSpec) -> Iterator[Result]:
    """Run an indicator on everything."""
    for data, bars in data_sets().items():
        inputs = inputs_of(spec, bars)
        for number, params in enumerate(parameter_sets(spec)):
            outputs = [np.empty(len(bars["close"])) for _ in spec.outputs]
            backend.run(spec, params, inputs, outputs)
            yield Result(spec.name, number, data, digest(outputs))


def gathered(lines: Iterable[Result]) -> dict[str, dict[str, str]]:
    """Turn the digests of runs into one for each indicator and data set."""
    hashes: dict[tuple[str, str], list[Result]] = {}
    for line in lines:
        hashes.setdefault((line.indicator, line.data), []).append(line)
    digests: dict[str, dict[str, str]] = {}
    for (indicator, data), runs in hashes.items():
        text = "".join(f"{run.number} {run.digest}\n" for run in sorted(runs))
        digests.setdefault(indicator, {})[data] = hashlib.sha256(text.encode()).hexdigest()
    return digests


def computed(backend: Backend) -> Record:
    """Return what the record should say, by a backend."""
    return {
        "data": {name: digest(bars.values()) for name, bars in data_sets().items()},
        "indicators": {
            spec.name: {
                "revision": spec.revision,
                "parameters": [in_words(spec, params) for params in parameter_sets(spec)],
                "digests": gathered(results(backend, spec))[spec.name],
            }
            for spec in ic.catalog().values()
        },
    }


def read() -> Record:
    record: Record = json.loads((ROOT / RECORD).read_text(encoding="utf-8"))
    return record


def rendered(record: Record) -> str:
    return json.dumps(record, indent=2, sort_keys=True) + "\n"


def at_revision(revision: str) -> Record | None:
    """Return the record of a git revision; None without git, as in an unpacked archive."""
    try:
        shown = subprocess.run(  # noqa: S603 - no shell
            ["git", "show", f"{revision}:./{RECORD.as_posix()}"],  # noqa: S607 - git from PATH
            cwd=ROOT,
            check=True,
            capture_output=True,
            encoding="utf-8",
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    record: Record = json.loads(shown.stdout)
    return record


# --- rules ---


def moved(old: Record, new: Record) -> list[str]:
    """Tell which indicators changed without a new revision, in words.

    Digests are held against each other where the same went in: the same data, the same parameters.
    """
    complaints = []
    same_data = {name for name, digest in old["data"].items() if new["data"].get(name) == digest}
    for name, now in new["indicators"].items():
        before = old["indicators"].get(name)
        if before is None:
            continue
        if now["revision"] < before["revision"]:
            complaints.append(f"{name} went back to revision {now['revision']}")
        if now["revision"] != before["revision"] or now["parameters"] != before["parameters"]:
            continue
        differing = [
            data
            for data in before["digests"]
            if data in same_data & now["digests"].keys()
            and before["digests"][data] != now["digests"][data]
        ]
        if differing:
            complaints.append(
                f"{name} gives other results than those of revision {now['revision']} on "
                f"{', '.join(differing)}. {if_meant(name, now['revision'])}"
            )
    return complaints


def if_meant(name: str, revision: int) -> str:
    """Tell how to change results."""
    return (
        f"If that is meant: raise `revision` in crates/core/src/kernels/{name}.rs, add a line "
        f'"Results change: `{name}`, revision {revision + 1}" with the reason to CHANGELOG.md, '
        f"and run `make generate` and `{COMMAND}`."
    )


def unannounced(revisions: Mapping[str, int], changelog: str) -> list[str]:
    """Tell which revisions the changelog does not announce, in words."""
    points = re.split(r"^\s*[-*] ", changelog, flags=re.MULTILINE)
    points = [" ".join(point.split()) for point in points]
    return [
        f'CHANGELOG.md has no line "Results change: `{name}`, revision {revision}"'
        for name, newest in revisions.items()
        for revision in range(2, newest + 1)
        if not any(
            "results change" in point.lower()
            and f"`{name}`" in point
            and re.search(rf"\brevision {revision}\b", point)
            for point in points
        )
    ]


def unannounced_here() -> list[str]:
    """Tell which revisions of this catalog the changelog does not announce."""
    revisions = {name: spec.revision for name, spec in ic.catalog().items()}
    return unannounced(revisions, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))


def differences(record: Record, lines: list[Result], who: str) -> list[str]:
    """Hold runs against the record; tell what is wrong, in words."""
    expected = {
        (name, number, data)
        for name, golden in record["indicators"].items()
        for number in range(len(golden["parameters"]))
        for data in record["data"]
    }
    given = [line[:3] for line in lines]
    if len(given) != len(set(given)) or set(given) != expected:
        missing, unexpected = sorted(expected - set(given)), sorted(set(given) - expected)
        what = f"missing: {missing[:3]}; unexpected: {unexpected[:3]}"
        return [f"{who} made {len(given)} runs instead of {len(expected)}; {what}"]
    complaints = []
    digests = gathered(lines)
    for name, golden in record["indicators"].items():
        recorded = golden["digests"]
        differing = [data for data in recorded if digests[name][data] != recorded[data]]
        if differing:
            complaints.append(f"{who}: {name} differs on {', '.join(differing)}")
            complaints += blame([line for line in lines if line.indicator == name])
    return complaints


def blame(lines: list[Result]) -> list[str]:
    """Tell for which parameters an indicator differs from the extension module, in words."""
    spec = ic.catalog()[lines[0].indicator]
    sets = [in_words(spec, params) for params in parameter_sets(spec)]
    ours = set(results(resolve("native"), spec))
    numbers = sorted({line.number for line in lines if line not in ours})
    if not numbers:
        return ["  and so does the extension module here"]
    return [f"  unlike the extension module here for {spec.name}({sets[n]})" for n in numbers]


# --- commands ---


def all_backends() -> dict[str, Backend]:
    """Everything in this process that computes."""
    from indicator_cache.backends.native import NativeBackend, paths

    return {
        **{f"native {path}": NativeBackend(path) for path in paths()},
        "wasm": resolve("wasm"),
        "python": resolve("python"),
    }


def write() -> list[str]:
    """Write the record, unless that would hide something."""
    backends = all_backends()
    new = computed(backends.pop("native portable"))
    complaints = unannounced_here()
    for name, backend in backends.items():
        for spec in ic.catalog().values():
            digests = gathered(results(backend, spec))[spec.name]
            if digests != new["indicators"][spec.name]["digests"]:
                complaints.append(f"{spec.name}: {name} differs from native portable")
    # The committed one too: deleting the file is no way round.
    for old in (read() if (ROOT / RECORD).exists() else None, at_revision("HEAD")):
        complaints += moved(old, new) if old else []
    if not complaints:
        (ROOT / RECORD).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / RECORD).write_text(rendered(new), encoding="utf-8", newline="\n")
        count = sum(len(golden["digests"]) for golden in new["indicators"].values())
        print(f"{RECORD.as_posix()}: {count} digests")
    return list(dict.fromkeys(complaints))


def export(folder: Path) -> None:
    """Write data and plan for programs that are not Python."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, bars in data_sets().items():
        (folder / f"{name}.f64").write_bytes(encoded(bars[field] for field in FIELDS))
    lines = [f"data {name}" for name in data_sets()]
    for spec in ic.catalog().values():
        for number, params in enumerate(parameter_sets(spec)):
            lines.append(f"run {spec.name} {number} {in_words(spec, params)}".rstrip())
    (folder / "plan.txt").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def check(label: str, command: list[str]) -> list[str]:
    """Let a program do the plan and hold what it prints against the record."""
    export(FOLDER)
    done = subprocess.run(  # noqa: S603 - no shell; the command is the caller's
        [*command, str(FOLDER)], check=False, stdout=subprocess.PIPE, encoding="utf-8"
    )
    if done.returncode:
        return [f"{label}: {command[0]} failed with exit status {done.returncode}"]
    record = read()
    try:
        words = [line.split() for line in done.stdout.splitlines()]
        lines = [Result(name, int(number), data, digest) for name, number, data, digest in words]
    except ValueError as error:
        return [f"{label}: no line of a result: {error}"]
    complaints = differences(record, lines, label)
    if not complaints:
        count = sum(len(golden["digests"]) for golden in record["indicators"].values())
        print(f"{label}: {count} digests of {len(lines)} runs as recorded")
    return complaints


def since(revision: str) -> list[str]:
    """Hold the record against that of a git revision."""
    old = at_revision(revision)
    return [f"no {RECORD.as_posix()} at {revision}"] if old is None else moved(old, read())


def main() -> int:
    parser = argparse.ArgumentParser(description="Golden digests of every indicator.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("write", help="write the record anew, where revisions allow it")
    checking = commands.add_parser("check", help="hold a program against the record")
    checking.add_argument("--label", default="program", help="what to call it")
    checking.add_argument("program", nargs="+", metavar="COMMAND")
    exporting = commands.add_parser("export", help="write data and plan for a program")
    exporting.add_argument("folder", type=Path)
    comparing = commands.add_parser("since", help="hold the record against an older one")
    comparing.add_argument("revision")
    arguments = parser.parse_args()
    complaints: list[str] = []
    match arguments.command:
        case "write":
            complaints = write()
        case "check":
            complaints = check(arguments.label, arguments.program)
        case "since":
            complaints = since(arguments.revision)
        case _:
            export(arguments.folder)
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
