"""Many lives of a cache in one process: ``python -m tests.lives native 10000``.

Prints by how many KiB the process grew after the first tenth, and by how many Python objects.
"""

from __future__ import annotations

import gc
import resource
import sys

import indicator_cache as ic

from .bars import Bars
from .strategies import gappy

NAMES = tuple(ic.catalog())


def live(bars: Bars, number: int) -> None:
    """One life: a cache, an append, a peek, a stream, a saved state."""
    history = {name: column[:200] for name, column in bars.items()}
    more = {name: column[200:203] for name, column in bars.items()}
    forming = {name: column[203] for name, column in bars.items()}
    cache = ic.IndicatorCache({"M1": {"bid": history}})
    name = NAMES[number % len(NAMES)]
    cache.get("M1", "bid", name)
    cache.ema("M1", "bid", "close", 20 + number % 50)
    cache.append({"M1": {"bid": more}})
    cache.peek({"M1": {"bid": forming}}).get("M1", "bid", name)
    stream = ic.stream(name)
    row = [float(history["close"][-20])] * len(stream.spec.inputs)
    stream.update(*row)
    stream.peek(*row)
    ic.restore(stream.save()).update(*row)


def main() -> None:
    """Live, and measure."""
    backend, lives = sys.argv[1], int(sys.argv[2])
    bars = gappy(210)
    before = objects = 0
    with ic.use_backend(backend):
        for number in range(lives):
            if number == lives // 10:
                gc.collect()
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                objects = len(gc.get_objects())
            live(bars, number)
    gc.collect()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(grown, len(gc.get_objects()) - objects)  # noqa: T201 - its result


if __name__ == "__main__":
    main()
