"""Compare what an installed package computes with the committed digests.

`python tools/check_installed.py native python` wants those two backends and asks each for every
recorded result. For wheels on machines where the whole test suite cannot be had.
"""

from __future__ import annotations

import sys
from pathlib import Path

import indicator_cache as ic

# For `tools`. The package is not importable from there, so it is the installed one that is checked.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from tools import golden


def check(name: str) -> int:
    """Return how many indicators have the recorded digests; the first that has not is an error."""
    backend = ic.backends.load(name)
    recorded = golden.read()["indicators"]
    compared = 0
    for spec in ic.catalog().values():
        digests = golden.gathered(golden.results(backend, spec))[spec.name]
        if digests != recorded[spec.name]["digests"]:
            sys.exit(f"{spec.name}: the {name} backend does not have the recorded digests")
        compared += 1
    return compared


def main() -> None:
    """Check the backends named."""
    names = sys.argv[1:] or sys.exit("usage: check_installed.py BACKEND...")
    for name in names:
        print(f"{name}: {check(name)} indicators as recorded, {ic.__file__}")


if __name__ == "__main__":
    main()
