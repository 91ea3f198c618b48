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


def measured(*, allowance: float, whole: bool, long: bool) -> Record:
    """Measure: the table alone, or everything."""
    functions, versions, absent = peers.installed()
    record = Record(
        date=dt.datetime.now(dt.UTC).date().isoformat(),
        machine=machine.facts(),
        versions=machine.versions() | versions,
        absent=absent,
    )
    table.measure(record, functions, allowance=allowance)
    calls.measure(record)
    if whole:
        processes.imports(record)
        processes.memory(record)
        instructions.measure(record)
    if long:
        processes.long(record, list(ic.catalog()))
    return record


def run(*, quick: bool, long: bool) -> int:
    """Measure, tell, and write unless it was a glance."""
    allowance = GLANCE if quick else table.ALLOWANCE
    record = measured(allowance=allowance, whole=not quick, long=long)
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
    # No peers, whose speed is not ours.
    now = measured(allowance=table.ALLOWANCE, whole=False, long=False)
    before = last(like=now)
    if before is None:
        print("there is no record of a machine of this kind: make bench")
        return 1
    found = compare.slower(before, now)
    if found:
        again = Record(now.date, now.machine, now.versions)
        table.measure(again, {}, only={(worse.operation, worse.bars) for worse in found})
        found = compare.confirmed(found, compare.slower(before, again))
    instructions.measure(now)
    found += compare.longer(before, now)
    print(f"against the record of {before.date}:")
    print("\n".join(map(str, found)) or "nothing is slower by more than 10 %")
    print("\n".join(["where the time goes:", *(f"  {one}" for one in instructions.flame_graphs())]))
    return 1 if found else 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    ran = commands.add_parser("run", help="measure, and write a record, the page and the chart")
    ran.add_argument("--quick", action="store_true", help="a rough glance; nothing is written")
    ran.add_argument("--long", action="store_true", help="100,000,000 bars too; needs 12 GiB")
    commands.add_parser("compare", help="measure, and tell what is slower than before")
    given = parser.parse_args()
    if given.command == "compare":
        return against_last()
    return run(quick=given.quick, long=given.long)


if __name__ == "__main__":
    sys.exit(main())
