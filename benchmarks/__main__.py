"""The command line of the benchmarks: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import datetime as dt
import sys

import indicator_cache as ic

from . import calls, compare, instructions, machine, peers, processes, report, table
from .record import Record, last
from .targets import targets

#: Seconds for each contender, where a glance is enough.
GLANCE = 0.03


def started() -> Record:
    """Return a record without measurements."""
    return Record(
        date=dt.datetime.now(dt.UTC).date().isoformat(),
        machine=machine.facts(),
        versions=machine.versions(),
    )


def run(*, quick: bool, long: bool) -> int:
    """Measure, tell, and write unless it was a glance."""
    functions, versions, absent = peers.installed()
    record = started()
    record.versions |= versions
    record.absent += absent
    table.measure(record, functions, allowance=GLANCE if quick else table.ALLOWANCE)
    calls.measure(record)
    if not quick:
        processes.imports(record)
        processes.memory(record)
        instructions.measure(record)
    if long:
        processes.long(record, list(ic.catalog()))
    found = targets(record)
    print("\n".join(report.ratios(record)))
    print("\n".join([*report.target_table(found), "", report.score(found)]))
    if record.absent:
        print(f"not installed, and left out: {', '.join(record.absent)}")
    if not quick:
        print(record.save().name)
        report.write(record)
    return 0


def against_last() -> int:
    """Measure again and tell what is slower than in the last record; return 1 if anything is."""
    now = started()
    before = last(like=now)
    if before is None:
        print("there is no record of a machine of this kind: make bench")
        return 1
    # Without peers, whose speed is not ours.
    table.measure(now, {})
    found = compare.slower(before, now)
    if found:
        again = started()
        doubtful = {(worse.operation, worse.bars) for worse in found}
        table.measure(again, {}, allowance=5 * table.ALLOWANCE, only=doubtful)
        found = compare.confirmed(found, compare.slower(before, again))
    instructions.measure(now)
    found += compare.longer(before, now)
    print(f"against the record of {before.date}:")
    if not now.instructions:
        print(now.notes["instructions"])
    print("\n".join(map(str, found)) or "nothing is slower by more than 10 %")
    print("\n".join(["where the time goes:", *(f"  {one}" for one in instructions.flame_graphs())]))
    return 1 if found else 0


def page() -> int:
    """Write the page of the last record."""
    record = last()
    if record is None:
        print("there is no record: make bench")
        return 1
    report.write(record)
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    ran = commands.add_parser("run", help="measure, and write a record, the page and the chart")
    ran.add_argument("--quick", action="store_true", help="a rough glance; nothing is written")
    ran.add_argument("--long", action="store_true", help="100,000,000 bars too; needs 12 GiB")
    commands.add_parser("compare", help="measure, and tell what is slower than before")
    commands.add_parser("page", help="write the page and the chart of the last record again")
    given = parser.parse_args()
    if given.command == "compare":
        return against_last()
    if given.command == "page":
        return page()
    return run(quick=given.quick, long=given.long)


if __name__ == "__main__":
    sys.exit(main())
