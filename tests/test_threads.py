"""Everything at once from many threads: caches, appending, clearing, peeking, streams.

The same test runs on builds with and without the interpreter lock; docs/threads.md says what may be
relied on. Whatever a thread gets must be a beginning of what one thread computes over all bars.
"""

from __future__ import annotations

import random
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest

import indicator_cache as ic

from .bars import Array, walk

BARS, START = 160, 60
READERS = 3
ROUNDS = 100

#: Four of the nine results of `CALLS`, so that some are always being dropped.
TIGHT = 4 * BARS * 8

CLOSE = walk(BARS, 7)["close"]
COLUMNS = walk(BARS, 7)

CALLS: dict[str, Callable[[ic.IndicatorCache], object]] = {
    "ema": lambda cache: cache.ema("M1", "bid", "close", 9),
    "macd": lambda cache: cache.macd("M1", "bid", "close", 3, 7, 4),
    "bollinger": lambda cache: cache.bollinger("M1", "ask", "high", 11),
    "atr": lambda cache: cache.atr("M1", "ask", 5),
    "dmi": lambda cache: cache.dmi("M1", "bid", 6),
}


def bars(first: int, last: int) -> dict[str, dict[str, dict[str, Array]]]:
    names = "open", "high", "low", "close"
    table = {name: COLUMNS[name][first:last] for name in names}
    return {"M1": {"bid": table, "ask": table}}


def as_columns(result: object) -> list[Array]:
    return [np.asarray(column) for column in (result if isinstance(result, tuple) else (result,))]


class Crowd:
    """Threads that use the same objects, and what they found wrong."""

    def __init__(self, backend: str, max_bytes: int | None) -> None:
        self.backend = backend
        whole = ic.IndicatorCache(bars(0, BARS), backend=backend)
        self.expected = {name: as_columns(call(whole)) for name, call in CALLS.items()}
        self.caches = [
            ic.IndicatorCache(bars(0, START), backend=backend, max_bytes=max_bytes)
            for _ in range(2)
        ]
        self.stream = ic.stream("ema", period=9, backend=backend)
        self.faults: list[str] = []

    def run(self) -> None:
        work: list[Callable[[], None]] = [self.feed, self.save]
        for number, cache in enumerate(self.caches):
            work += [partial(self.read, cache, 10 * number + seed) for seed in range(READERS)]
            work += [partial(do, cache) for do in (self.append, self.clear, self.peek)]
        together = threading.Barrier(len(work))
        threads = [threading.Thread(target=self.guarded, args=(one, together)) for one in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def guarded(self, work: Callable[[], None], together: threading.Barrier) -> None:
        together.wait()
        try:
            work()
        except Exception as error:  # noqa: BLE001 - told by the thread that runs the test
            self.faults.append(repr(error))

    def check(self, name: str, cache: ic.IndicatorCache, least: int) -> int:
        """Compare one result, of `least` bars or more, and return of how many it is."""
        columns = as_columns(CALLS[name](cache))
        length = len(columns[0])
        if not least <= length <= BARS:
            self.faults.append(f"{name}: {length} bars after {least}")
        for got, full in zip(columns, self.expected[name], strict=True):
            if got.tobytes() != full[:length].tobytes():
                self.faults.append(f"{name}: other bits at {length} bars")
        return length

    def read(self, cache: ic.IndicatorCache, seed: int) -> None:
        choose, least = random.Random(seed), START  # noqa: S311 - not a secret
        for _ in range(ROUNDS):
            # A thread never sees fewer bars than it has seen.
            least = self.check(choose.choice(list(CALLS)), cache, least)

    def append(self, cache: ic.IndicatorCache) -> None:
        for bar in range(START, BARS):
            cache.append(bars(bar, bar + 1))

    def clear(self, cache: ic.IndicatorCache) -> None:
        for _ in range(ROUNDS // 4):
            cache.clear()
            cache.stats()

    def peek(self, cache: ic.IndicatorCache) -> None:
        for _ in range(ROUNDS // 4):
            ahead = cache.peek(bars(BARS - 1, BARS))
            if not START < len(ahead.atr("M1", "ask", 5)) <= BARS + 1:
                self.faults.append("peek: not a bar more")

    def feed(self) -> None:
        for value, right in zip(CLOSE, ic.ema(CLOSE, 9), strict=True):
            if np.float64(self.stream.update(value)).tobytes() != right.tobytes():
                self.faults.append("stream: other bits")

    def save(self) -> None:
        for _ in range(ROUNDS // 4):
            ic.restore(self.stream.save(), backend=self.backend).update(1.0)


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns much more often than usual, where they take turns at all."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("max_bytes", [None, TIGHT])
@pytest.mark.parametrize("backend", ic.backends.NAMES)
def test_everything_at_once(backend: str, max_bytes: int | None) -> None:
    crowd = Crowd(backend, max_bytes)
    crowd.run()
    assert crowd.faults == []
    for cache in crowd.caches:
        assert [crowd.check(name, cache, BARS) for name in CALLS] == [BARS] * len(CALLS)
    assert crowd.faults == []


@pytest.mark.needs("native")
@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this build has an interpreter lock"
)
def test_the_interpreter_lock_stays_away() -> None:
    """A library that does not say it can do without would bring it back for the whole process."""
    code = (
        "import sys, indicator_cache as ic\n"
        "assert ic.backend_info().active == 'native'\n"
        "assert not sys._is_gil_enabled()"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    subprocess.run(command, check=True)  # noqa: S603 - our own interpreter and code
