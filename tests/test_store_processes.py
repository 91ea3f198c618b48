"""Eight processes hammer one store, while a ninth kills them at random and a tenth prunes.

For ten seconds, or as many as STORE_SECONDS in the environment says: ``make hammer`` is a minute.
"""
# ruff: noqa: S311 - chance, not secrets
# ruff: noqa: T201 - told by `make hammer`

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from indicator_cache import store as stores
from indicator_cache.store import _directory
from indicator_cache.store._store import _SLACK

from . import hammer

SECONDS = float(os.environ.get("STORE_SECONDS", "10"))
ASKING = 8


class Crew:
    """Processes that begin anew when they are killed."""

    def __init__(self, folder: Path) -> None:
        # Forked from a process that has nothing but the package, so that many may begin quickly.
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload([hammer.__name__])
        self.folder = folder
        self.begun = 0

    def begin(self, work: Callable[..., None], *more: Any) -> ForkServerProcess:  # noqa: ANN401
        self.begun += 1
        log = self.folder / f"{work.__name__}-{self.begun}.log"
        arguments = self.folder / "store", log, self.begun, *more
        process = self.context.Process(target=work, args=arguments, daemon=True)
        process.start()
        return process

    def counts(self, work: Callable[..., None], *, total: bool) -> Counter[int]:
        """Return the sums over all processes of what they wrote, or of their last lines."""
        sums: Counter[int] = Counter()
        for log in self.folder.glob(f"{work.__name__}-*.log"):
            lines = log.read_text().splitlines()
            for line in lines if total else lines[-1:]:
                sums.update(dict(enumerate(map(int, line.split()))))
        return sums


def kill(process: ForkServerProcess) -> None:
    """Kill a process, which has to be running: those that end by themselves found something."""
    assert process.is_alive(), f"{process} ended by itself"
    process.kill()
    process.join()


@pytest.mark.skipif(os.name != "posix", reason="Windows does not remove files that are mapped")
def test_many_processes(tmp_path: Path) -> None:
    known = hammer.expected()
    crew = Crew(tmp_path)
    stores.Store(tmp_path / "store")
    pruning = crew.begin(hammer.prune)
    asking = [crew.begin(hammer.ask, known) for _ in range(ASKING)]
    killed = 0
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            time.sleep(random.uniform(0.01, 0.3))
            at = random.randrange(ASKING)
            kill(asking[at])
            killed += 1
            asking[at] = crew.begin(hammer.ask, known)
            assert pruning.is_alive()
        for process in [*asking, pruning]:
            kill(process)
    finally:
        for process in [*asking, pruning]:
            process.kill()
            process.join()

    assert [path.read_text() for path in tmp_path.glob("*.error")] == []
    kinds = Counter(finding.kind for finding in stores.verify(tmp_path / "store"))
    counts = crew.counts(hammer.ask, total=False)
    hits, misses, written, evictions, damaged, failures = (counts[at] for at in range(6))
    removed = crew.counts(hammer.prune, total=True)
    print(
        f"{SECONDS:g} s: {killed} killed, {hits} hits, {misses} misses, {written} written, "
        f"{evictions} evicted, {removed[0]} pruned, {removed[1]} unfinished removed; left: {kinds}"
    )
    assert (damaged, failures) == (0, 0)
    # All of it happened.
    assert min(killed, hits, misses, written, removed[0]) > 0
    assert set(kinds) <= {"sound", "unfinished"}
    usage = stores.usage(tmp_path / "store")
    assert usage.bytes <= hammer.BOUND * (1 + ASKING / _SLACK)

    cleared = stores.clear(tmp_path / "store")
    assert (cleared.left_entries, cleared.left_bytes, cleared.failures) == (0, 0, 0)
    assert list(stores.verify(tmp_path / "store")) == []
    assert _directory.is_store(tmp_path / "store")
