"""The command line of the benchmarks: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import datetime

from . import machine, peers, table
from .record import Record


def main() -> None:
    """Measure, write, tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("command", choices=("run", "compare"))
    parser.parse_args()
    functions, versions, absent = peers.installed()
    record = Record(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        machine=machine.facts(),
        versions=machine.versions() | versions,
        absent=absent,
    )
    table.measure(record, functions)
    print(record.save())


if __name__ == "__main__":
    main()
