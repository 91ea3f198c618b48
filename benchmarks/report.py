"""The page and the chart of a record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import indicator_cache as ic

from .peers import PEERS
from .record import Cell, Record
from .table import BACKTEST, COPY, DIVIDE, PANDAS, PORTABLE, SIZES, TOUCH, cached
from .targets import Target, targets

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, CHART = DOCS / "performance.md", DOCS / "performance.svg"

#: The columns of the tables, ours first.
COLUMNS = (
    *ic.backends.NAMES,
    PORTABLE,
    cached("native"),
    cached("wasm"),
    PANDAS,
    *PEERS,
    COPY,
    TOUCH,
    DIVIDE,
)

_SHOWN = {True: "yes", False: "**no**", None: ""}


class MarkerError(ValueError):
    """The page lacks the place of a generated part."""


def row(*words: object) -> str:
    """Return a line of a table."""
    return f"| {' | '.join(map(str, words))} |"


def digits(value: float) -> str:
    """Return as many digits as are worth reading."""
    return f"{float(f'{value:.3g}'):,g}"


def time(seconds: float) -> str:
    """Return microseconds."""
    return digits(seconds * 1e6)


def columns_of(record: Record, bars: int) -> list[str]:
    """Return the columns that have anything at a size."""
    there = {
        cell.who.split()[0] if cell.who.startswith(TOUCH) else cell.who
        for cell in record.cells
        if cell.bars == bars
    }
    return [name for name in COLUMNS if name in there]


def cell_of(record: Record, operation: str, bars: int, who: str) -> Cell | None:
    """Return what a column shows: for the bare loop, the best way of doing it."""
    names = {
        cell.who
        for cell in record.cells
        if cell.who == who or (who == TOUCH and cell.who.startswith(TOUCH))
    }
    return record.fastest(operation, bars, names)


def table_operations(record: Record, bars: int) -> list[str]:
    """Return the operations that the table has, the other calls left out."""
    return [name for name in record.operations(bars) if name in ic.catalog()]


def ratios(record: Record) -> Iterator[str]:
    """Return a table for each size: how many times as long as native."""
    for bars in SIZES:
        names = columns_of(record, bars)
        yield f"### {bars:,} bars"
        yield ""
        yield row("operation", "native, us", *(name for name in names if name != "native"))
        yield row("---", *["---:"] * len(names))
        for operation in table_operations(record, bars):
            own = record.best(operation, bars, "native")
            if own is None:
                continue
            cells = (cell_of(record, operation, bars, name) for name in names if name != "native")
            shown = ("" if cell is None else f"{cell.best / own:.2f}" for cell in cells)
            yield row(f"`{operation}`", time(own), *shown)
        yield ""


def times(record: Record) -> Iterator[str]:
    """Return a table for each size: best and median times."""
    for bars in SIZES:
        names = columns_of(record, bars)
        yield f"### {bars:,} bars, microseconds"
        yield ""
        yield row("operation", *names)
        yield row("---", *["---:"] * len(names))
        for operation in table_operations(record, bars):
            cells = (cell_of(record, operation, bars, name) for name in names)
            shown = (
                "" if cell is None else f"{time(cell.best)} ({time(cell.median)})" for cell in cells
            )
            yield row(f"`{operation}`", *shown)
        yield ""


def others(record: Record) -> Iterator[str]:
    """Return the table of the calls beside the table."""
    yield row("call", "bars", "who", "best, us", "median, us")
    yield row("---", "---:", "---", "---:", "---:")
    for cell in record.cells:
        if cell.operation not in ic.catalog() or cell.bars not in SIZES:
            bars = f"{cell.bars:,}" if cell.bars else ""
            yield row(cell.operation, bars, cell.who, time(cell.best), time(cell.median))


def target_table(found: list[Target]) -> Iterator[str]:
    """Return the targets, a table for each group."""
    group = ""
    for target in found:
        if target.group != group:
            group = target.group
            yield from ("", f"### {group}", "", row("what", "target", "measured", "met"))
            yield row("---", "---", "---", "---")
        yield row(target.name, target.wanted, target.measured, _SHOWN[target.met])


def score(found: list[Target]) -> str:
    """Return how many targets are met."""
    measured = [target.met for target in found if target.met is not None]
    absent = len(found) - len(measured)
    text = f"{sum(measured)} of {len(measured)} targets are met"
    return f"{text}; {absent} were not measured." if absent else f"{text}."


def instructions(record: Record) -> Iterator[str]:
    """Return the table of instruction counts."""
    if not record.instructions:
        yield record.notes.get("instructions", "Not counted.")
        return
    paths = list(dict.fromkeys(one.path for one in record.instructions))
    counts = {(one.operation, one.path): one.count / one.bars for one in record.instructions}
    yield row("operation", *paths)
    yield row("---", *["---:"] * len(paths))
    for operation in dict.fromkeys(one.operation for one in record.instructions):
        shown = (
            f"{counts[operation, path]:.1f}" if (operation, path) in counts else ""
            for path in paths
        )
        yield row(f"`{operation}`", *shown)


def memory(record: Record) -> Iterator[str]:
    """Return the table of peak memory."""
    if not record.memory:
        yield record.notes.get("memory", "Not measured.")
        return
    whos = list(dict.fromkeys(one.who for one in record.memory))
    peaks = {(one.operation, one.bars, one.who): one for one in record.memory}
    yield row("operation", "bars", "results, MiB", *(f"{who}, beyond them" for who in whos))
    yield row("---", "---:", "---:", *["---:"] * len(whos))
    for operation, bars in dict.fromkeys((one.operation, one.bars) for one in record.memory):
        found = [peaks.get((operation, bars, who)) for who in whos]
        outputs = next(one.outputs for one in found if one is not None)
        shown = ("" if one is None else f"{(one.peak - one.outputs) / 2**20:.2f}" for one in found)
        yield row(f"`{operation}`", f"{bars:,}", f"{outputs / 2**20:.1f}", *shown)


def conditions(record: Record) -> Iterator[str]:
    """Return what the figures depend on."""
    yield f"Measured on {record.date}."
    yield ""
    yield from (f"- {name}: {fact}" for name, fact in record.machine.items() if fact)
    yield "- versions: " + ", ".join(
        f"{name} {version}" for name, version in record.versions.items()
    )
    yield "- not installed, and left out: " + (", ".join(record.absent) or "none")
    yield from (f"- {what}: {note}" for what, note in record.notes.items())


def parts(record: Record) -> dict[str, str]:
    """Return the generated parts of the page by the names of their places."""
    found = targets(record)
    generated = {
        "conditions": conditions(record),
        "targets": iter([score(found), *target_table(found)]),
        "ratios": ratios(record),
        "others": others(record),
        "memory": memory(record),
        "instructions": instructions(record),
        "times": times(record),
    }
    return {name: "\n".join(lines).strip() for name, lines in generated.items()}


def filled(page: str, generated: dict[str, str]) -> str:
    """Return the page with its generated parts replaced.

    Raises
    ------
    MarkerError
        When a part has no place between its two markers.
    """
    for name, text in generated.items():
        start, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        before, opened, rest = page.partition(start)
        _, closed, after = rest.partition(end)
        if not opened or not closed:
            raise MarkerError(f"the page has no place for {name!r}: {start}, {end}")
        page = f"{before}{start}\n\n{text}\n\n{end}{after}"
    return page


def fill_in(name: str, lines: list[str]) -> None:
    """Print a part that is made by itself, and replace that of the page."""
    text = "\n".join(lines)
    page = filled(PAGE.read_text(encoding="utf-8"), {name: text})
    PAGE.write_text(page, encoding="utf-8")
    print(text)


def chart(record: Record, path: Path = CHART) -> None:
    """Draw bars a second, for each operation and everybody who has it."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    shown = [name for name in COLUMNS if name not in {COPY, TOUCH, DIVIDE}]
    operations = [
        name
        for name in table_operations(record, BACKTEST)
        if record.fastest(name, BACKTEST, PEERS) is not None
    ]
    across = 3
    down = -(-len(operations) // across)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "bars", "font.size": 8}):
        figure, axes = plt.subplots(
            down, across, figsize=(11, 2.7 * down), layout="constrained", squeeze=False
        )
        for axis in axes.flat[len(operations) :]:
            axis.set_visible(False)
        for axis, operation in zip(axes.flat, operations, strict=False):
            speeds = {
                name: BACKTEST / best / 1e6
                for name in shown
                if (best := record.best(operation, BACKTEST, name)) is not None
            }
            names = sorted(speeds, key=lambda name: speeds[name])
            values = [speeds[name] for name in names]
            own = {*ic.backends.NAMES, PORTABLE, cached("native"), cached("wasm")}
            colours = ["#1f6f8b" if name in own else "#b8b8b8" for name in names]
            drawn = axis.barh(names, values, color=colours, height=0.75)
            axis.bar_label(drawn, [digits(value) for value in values], padding=2)
            axis.set_title(operation, fontweight="bold")
            axis.set_xlim(0, max(values) * 1.15)
            axis.spines[["top", "right"]].set_visible(False)
        figure.suptitle(f"Million bars a second, {BACKTEST:,} bars; this package in colour")
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def write(record: Record) -> None:
    """Fill in the page and draw the chart."""
    page = filled(PAGE.read_text(encoding="utf-8"), parts(record))
    PAGE.write_text(page, encoding="utf-8")
    chart(record)
