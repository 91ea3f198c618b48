"""Audit a wheel with a stable interface: `python tools/abi3_audit.py WHEEL`, beside abi3audit.

From 3.15 on a module is entered by a function that is named after it, and abi3audit takes that one
for a function of the interpreter that is not stable. It is ours, and let through here. Everything
else that abi3audit finds is an error, as with its option --strict.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

ENTRY = "PyModExport__native"


def complaints(report: dict[str, Any]) -> list[str]:
    """Return what is wrong, by abi3audit's report as JSON."""
    found = []
    libraries = [each for spec in report["specs"].values() for each in spec["wheel"]]
    if len(libraries) != 1:
        found.append(f"{len(libraries)} libraries, expected one")
    for library in libraries:
        name, result = library["name"], library["result"]
        strange = sorted(set(result["non_abi3_symbols"]) - {ENTRY})
        if strange:
            found.append(f"{name} uses what is not stable: {', '.join(strange)}")
        if not result["is_abi3_baseline_compatible"]:
            newer = ", ".join(sorted(result["future_abi3_objects"]))
            found.append(
                f"{name} is for {result['baseline']} and needs {result['computed']}: {newer}"
            )
    return found


def main() -> int:
    """Print the complaints; 0 when there is none."""
    (wheel,) = sys.argv[1:] or sys.exit("usage: abi3_audit.py WHEEL")
    program = Path(sysconfig.get_path("scripts"), "abi3audit")
    done = subprocess.run(  # noqa: S603 - our own tool
        [program, "--strict", "--report", wheel], stdout=subprocess.PIPE, text=True, check=False
    )
    if not done.stdout.strip():
        return done.returncode or 1
    found = complaints(json.loads(done.stdout))
    for complaint in found:
        print(f"abi3_audit: {complaint}", file=sys.stderr)
    if not found:
        print(f"abi3_audit: {Path(wheel).name} keeps to the stable interface")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
