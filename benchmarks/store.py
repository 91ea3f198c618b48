"""When taking a result from a store beats computing it: ``make bench-store``.

Every indicator with its defaults, at several sizes. Each contender starts from a cache that has
read its bars but has no results, and ends with a result of which every page has been touched, since
a result that is mapped has not been read yet. What the operating system keeps of the files in
memory it may use, as it would for the second process of a sweep; from a disk is measured apart.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import indicator_cache as ic
from indicator_cache import store as stores

from . import machine
from .report import DOCS, digits, filled, row
from .table import bars_of
from .timing import Contender, interleaved

PAGE = DOCS / "store.md"

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)

#: A store as found by the first who opens a file, by those who have opened it before, and by those
#: who have to compute and leave the result there.
FIRST, LATER, MISS = "first", "later", "miss"

#: Seconds for each contender of an indicator at a size.
ALLOWANCE = 0.15

#: Values on a page of memory.
_PAGE_OF_VALUES = 512

_SERIES = "M1", "bid"


def _touch(result: Any) -> None:  # noqa: ANN401 - an array, or a tuple of some
    for column in result if isinstance(result, tuple) else (result,):
        column[::_PAGE_OF_VALUES].sum()


def _asking(cache: ic.IndicatorCache, name: str, before: Callable[[], object] | None = None) -> Any:  # noqa: ANN401
    """Return what asks for a result as for the first time."""

    def ask() -> None:
        cache.clear()
        if before is not None:
            before()
        _touch(cache.get(*_SERIES, name))

    return ask


def _cache(size: int, **settings: Any) -> ic.IndicatorCache:  # noqa: ANN401
    return ic.IndicatorCache({_SERIES[0]: {_SERIES[1]: bars_of(size)}}, **settings)


def _remove(folder: Path) -> None:
    for path in folder.glob("??/*.npy"):
        path.unlink()


def measured(name: str, size: int, folder: Path) -> dict[str, float]:
    """Return seconds for one indicator at one size, by contender."""
    there, gone = folder / "there", folder / "gone"
    caches = {
        FIRST: _cache(size, store=ic.Store(there, verify="always")),
        LATER: _cache(size, store=ic.Store(there, verify="never")),
        MISS: _cache(size, store=gone),
        **{backend: _cache(size, backend=backend) for backend in ic.backends.NAMES},
    }
    stores.clear(there)
    contenders = {
        who: Contender(_asking(cache, name, (lambda: _remove(gone)) if who == MISS else None))
        for who, cache in caches.items()
    }
    return {
        who: timing.best for who, timing in interleaved(contenders, allowance=ALLOWANCE).items()
    }


def from_disk(name: str, size: int, folder: Path) -> float | None:
    """Return seconds to take a result from a disk, None where the system keeps files in memory."""
    if not hasattr(os, "posix_fadvise"):
        return None
    samples = []
    for _ in range(5):
        store = ic.Store(folder / "there", verify="always")
        cache = _cache(size, store=store)
        cache.get(*_SERIES, name)
        cache.clear()
        for path in store.path.glob("??/*.npy"):
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        started = time.perf_counter()
        _touch(cache.get(*_SERIES, name))
        samples.append(time.perf_counter() - started)
    return statistics.median(samples)


def digest_seconds(size: int) -> float:
    """Return the seconds that the digest of one column takes, once for each column of a cache."""
    column = bars_of(size)["close"].view("u1").data
    contender = Contender(lambda: hashlib.sha256(column).hexdigest())
    return interleaved({"digest": contender})["digest"].best


Times = dict[str, dict[int, dict[str, float]]]


def measure() -> tuple[Times, dict[int, float], dict[str, float]]:
    """Return seconds by indicator and size, of digests by size, and from a disk by indicator."""
    times: Times = {}
    disk: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        for name in ic.catalog():
            times[name] = {}
            for size in SIZES:
                times[name][size] = measured(name, size, folder)
                print(
                    name,
                    size,
                    {who: digits(t * 1e6) for who, t in times[name][size].items()},
                    flush=True,
                )
            found = from_disk(name, SIZES[-1], folder)
            if found is not None:
                disk[name] = found
    return times, {size: digest_seconds(size) for size in SIZES}, disk


# --- the page ---


def conditions() -> Iterator[str]:
    """Return what the figures depend on."""
    facts, versions = machine.facts(), machine.versions()
    yield f"Measured on {dt.datetime.now(dt.UTC).date().isoformat()}."
    yield ""
    yield from (f"- {name}: {fact}" for name, fact in facts.items() if fact)
    yield "- versions: " + ", ".join(f"{name} {version}" for name, version in versions.items())


def nanoseconds(times: Times, disk: dict[str, float]) -> Iterator[str]:
    """Return nanoseconds for a bar at the largest size."""
    size = SIZES[-1]
    heads = "indicator", *ic.backends.NAMES, "store, first", "store, later", "from disk", "miss"
    yield row(*heads)
    yield row("---", *["--:"] * (len(heads) - 1))
    for name, found in times.items():
        every = [found[size][who] for who in (*ic.backends.NAMES, FIRST, LATER)]
        cells = [digits(seconds / size * 1e9) for seconds in every]
        cells.append(digits(disk[name] / size * 1e9) if name in disk else "")
        cells.append(digits(found[size][MISS] / size * 1e9))
        yield row(f"`{name}`", *cells)


def break_even(
    found: dict[int, dict[str, float]], backend: str, extra: dict[int, float], who: str
) -> str:
    """Return the size from which on a store is faster, through all larger ones."""
    since = None
    for size in reversed(SIZES):
        if found[size][who] + extra[size] >= found[size][backend]:
            break
        since = size
    return "never" if since is None else f"{since:,}"


def break_even_table(times: Times, digests: dict[int, float]) -> Iterator[str]:
    """Return from how many bars on a store is worth it."""
    heads = [f"{backend}, {which}" for backend in ic.backends.NAMES for which in ("one", "many")]
    yield row("indicator", *heads)
    yield row("---", *["--:"] * len(heads))
    for name, found in times.items():
        columns = len(ic.catalog()[name].inputs)
        alone = {size: columns * seconds for size, seconds in digests.items()}
        among = dict.fromkeys(SIZES, 0.0)
        cells = [
            break_even(found, backend, extra, FIRST)
            for backend in ic.backends.NAMES
            for extra in (alone, among)
        ]
        yield row(f"`{name}`", *cells)


def overhead(times: Times, digests: dict[int, float]) -> Iterator[str]:
    """Return what a store costs at each size, over all indicators of one column and one output."""
    yield row("bars", "digest of a column", "store, first", "store, later", "miss beyond native")
    yield row(*["--:"] * 5)
    single = [
        name for name, spec in ic.catalog().items() if len(spec.inputs) == len(spec.outputs) == 1
    ]
    for size in SIZES:
        first, later, miss = (
            statistics.median(times[name][size][who] for name in single)
            for who in (FIRST, LATER, MISS)
        )
        native = statistics.median(times[name][size]["native"] for name in single)
        cells = [digits(one * 1e6) for one in (digests[size], first, later, miss - native)]
        yield row(f"{size:,}", *cells)


def main() -> int:
    """Measure, and write the figures into the page."""
    times, digests, disk = measure()
    generated = {
        "conditions": conditions(),
        "nanoseconds": nanoseconds(times, disk),
        "break-even": break_even_table(times, digests),
        "overhead": overhead(times, digests),
    }
    page = filled(
        PAGE.read_text(encoding="utf-8"),
        {name: "\n".join(lines) for name, lines in generated.items()},
    )
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
