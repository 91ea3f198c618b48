"""The laws on cases that nobody has seen yet, for as long as one likes: ``make soak SECONDS=3600``.

Goes round the catalog until the time is up. A violation is shrunk and printed with the command
that shows it again; the exit status tells.
"""

# ruff: noqa: T201 - it talks to a person

from __future__ import annotations

import secrets
import sys
import time
import traceback
from collections import Counter

from hypothesis import HealthCheck, settings

import indicator_cache as ic

from . import laws

#: Examples in a row for one indicator.
BATCH = 100

OPTIONS = settings(
    max_examples=BATCH,
    database=None,
    deadline=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)


def batch(name: str, seed: int) -> Counter[str]:
    """Try all laws on an indicator with the cases of a seed."""
    return laws.check(ic.catalog()[name], OPTIONS, seed)


def soak(seconds: float) -> int:
    """Return how many indicators broke a law."""
    end = time.monotonic() + seconds
    tries: Counter[str] = Counter()
    broken: set[str] = set()
    rounds = 0
    # The first round is finished in any case, so that every indicator is seen.
    while rounds == 0 or time.monotonic() < end:
        for name in ic.catalog():
            if name in broken or (rounds and time.monotonic() > end):
                continue
            seed = secrets.randbits(32)
            try:
                tries += batch(name, seed)
            # Whatever it is, the other indicators are to be tried as well.
            except Exception:  # noqa: BLE001
                broken.add(name)
                traceback.print_exc()
                print(f"again: python -m tests.soak {name} {seed}", file=sys.stderr)
        rounds += 1
    told = ", ".join(sorted(broken)) or "none"
    least = min(tries.values(), default=0)
    print(f"{rounds} rounds, {least} examples of every law; broken by: {told}")
    return len(broken)


def main(arguments: list[str]) -> int:
    """``soak SECONDS``, or ``soak INDICATOR SEED`` for one batch again."""
    if len(arguments) == 2:
        batch(arguments[0], int(arguments[1]))
        return 0
    return min(soak(float(arguments[0])), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
