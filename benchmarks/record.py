"""The record of a run: its form on disk, and what is read off it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from .timing import Timing

HISTORY = Path(__file__).resolve().parent / "history"

#: Raised when the form changes. Older records are not compared with.
SCHEMA = 1

#: Significant digits of a time: more than a repetition would confirm.
DIGITS = 4


class RecordError(ValueError):
    """A file is no record of this form."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Seconds of one call: the least and the median of so many rounds."""

    operation: str
    bars: int
    who: str
    best: float
    median: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that the process grew by at most, and bytes of the results."""

    operation: str
    bars: int
    who: str
    peak: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Instructions:
    """Instructions of one run over all bars, as callgrind counts them."""

    operation: str
    bars: int
    path: str
    count: int


@dataclass(slots=True)
class Record:
    """Everything that one run measured."""

    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    absent: list[str] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    instructions: list[Instructions] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def add(self, operation: str, bars: int, timings: dict[str, Timing]) -> None:
        """Add what was timed together."""
        self.cells += [
            Cell(operation, bars, who, rounded(best), rounded(median), rounds)
            for who, (best, median, rounds) in timings.items()
        ]

    def best(self, operation: str, bars: int, who: str) -> float | None:
        """Return the least time of a cell, if it was measured."""
        for cell in self.cells:
            if (cell.operation, cell.bars, cell.who) == (operation, bars, who):
                return cell.best
        return None

    def ratio(
        self, operation: str, bars: int, who: str, to: str, *, other: str | None = None
    ) -> float | None:
        """Return how many times as long `who` takes as `to`, for the same or another operation."""
        mine = self.best(operation, bars, who)
        theirs = self.best(other or operation, bars, to)
        return None if mine is None or not theirs else mine / theirs

    def operations(self, bars: int) -> list[str]:
        """Return the operations measured at a size, in their order."""
        return list(dict.fromkeys(cell.operation for cell in self.cells if cell.bars == bars))

    def fastest(self, operation: str, bars: int, among: Iterable[str]) -> Cell | None:
        """Return the quickest cell of some contenders."""
        names = set(among)
        cells = [
            cell
            for cell in self.cells
            if (cell.operation, cell.bars) == (operation, bars) and cell.who in names
        ]
        return min(cells, key=lambda cell: cell.best, default=None)

    def name(self) -> str:
        """Return the name of the file: the date and what kind of machine it was."""
        words = f"{self.machine['cpu']} {self.machine['cores']} cores".lower()
        kind = "".join(c if c.isalnum() else " " for c in words.replace("(r)", "")).split()
        return f"{self.date}-{'-'.join(kind)}"

    def save(self, folder: Path = HISTORY) -> Path:
        """Write the record; one of the same day and machine is replaced."""
        path = folder / f"{self.name()}.json"
        rows = {
            key: [asdict(row) for row in getattr(self, key)]
            for key in ("cells", "memory", "instructions")
        }
        plain: dict[str, Any] = {"schema": SCHEMA}
        plain |= {
            field.name: rows.get(field.name, getattr(self, field.name)) for field in fields(self)
        }
        path.write_text(dumps(plain), encoding="utf-8")
        return path


def rounded(value: float) -> float:
    """Return as many digits as mean something."""
    return float(f"{value:.{DIGITS}g}")


def dumps(plain: dict[str, Any]) -> str:
    """Return JSON with one measurement a line, which makes differences readable."""
    parts = []
    for key, value in plain.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = ",\n".join(f"    {json.dumps(row)}" for row in value)
            parts.append(f"  {json.dumps(key)}: [\n{rows}\n  ]")
        else:
            text = json.dumps(value, indent=2).replace("\n", "\n  ")
            parts.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


_Row = TypeVar("_Row", Cell, Memory, Instructions)

_KINDS: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "float": (int, float)}


def _rows(kind: type[_Row], values: Any) -> list[_Row]:  # noqa: ANN401 - parsed JSON
    if not isinstance(values, list):
        raise RecordError(f"expected a list of {kind.__name__}, got {type(values).__name__}")
    rows = []
    for value in values:
        try:
            row = kind(**value)
        except TypeError as error:
            raise RecordError(f"no {kind.__name__}: {value!r} ({error})") from None
        for one in fields(row):
            given = getattr(row, one.name)
            if isinstance(given, bool) or not isinstance(given, _KINDS[str(one.type)]):
                raise RecordError(f"{kind.__name__}.{one.name} is {given!r}, not {one.type}")
        rows.append(row)
    return rows


def load(path: Path) -> Record:
    """Read a record.

    Raises
    ------
    RecordError
        When the file is of another form, naming what is wrong.
    """
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RecordError(f"{path.name} is not JSON: {error}") from None
    if not isinstance(plain, dict) or plain.pop("schema", None) != SCHEMA:
        raise RecordError(f"{path.name} is not of schema {SCHEMA}")
    expected = {field.name for field in fields(Record)}
    if plain.keys() != expected:
        raise RecordError(f"{path.name} has {sorted(plain)}, expected {sorted(expected)}")
    plain["cells"] = _rows(Cell, plain["cells"])
    plain["memory"] = _rows(Memory, plain["memory"])
    plain["instructions"] = _rows(Instructions, plain["instructions"])
    return Record(**plain)


def last(folder: Path = HISTORY, *, like: Record | None = None) -> Record | None:
    """Return the latest record, of the same kind of machine as another one if there is any."""
    kind = None if like is None else like.name().removeprefix(like.date)
    for path in sorted(folder.glob("*.json"), reverse=True):
        if kind is None or path.stem.endswith(kind):
            return load(path)
    return None
