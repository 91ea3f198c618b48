"""What processes do that hammer one store: ask for results and prune, until they are killed."""
# ruff: noqa: S311 - chance, not secrets

from __future__ import annotations

import hashlib
import random
import warnings
from pathlib import Path
from typing import Any

import indicator_cache as ic
from indicator_cache import store as stores

from .bars import Bars, as_columns, walk

#: Long enough for a file to take longer to write than to compute.
BARS = 40_000
SERIES: list[Bars] = [walk(BARS, seed) for seed in range(3)]
BOUND = 24_000_000
NAMES = ("ema", "sma", "macd", "atr", "bollinger", "kalman_mean")


class Wrong(Exception):  # noqa: N818 - nothing is in error but the result
    """A result has other bits than it has to have."""


def digest(result: Any) -> str:  # noqa: ANN401 - results are of any shape
    """Return the digest of the bits of a result."""
    hashed = hashlib.sha256()
    for column in as_columns(result).values():
        hashed.update(column.tobytes())
    return hashed.hexdigest()


def cache_of(series: int, store: ic.Store | None) -> ic.IndicatorCache:
    """Return a cache on one of the series."""
    return ic.IndicatorCache({"M1": {"bid": SERIES[series]}}, store=store)


def expected() -> dict[tuple[int, str], tuple[str, str]]:
    """Return the digest of every result, and of the same with one more bar."""
    found = {}
    for series in range(len(SERIES)):
        cache = cache_of(series, None)
        before = {name: digest(cache.get("M1", "bid", name)) for name in NAMES}
        cache.append(one_bar())
        for name in NAMES:
            found[series, name] = before[name], digest(cache.get("M1", "bid", name))
    return found


def one_bar() -> dict[str, dict[str, dict[str, float]]]:
    """Return a bar for a cache to go on with."""
    return {"M1": {"bid": dict.fromkeys(SERIES[0], 101.5)}}


def ask(folder: Path, log: Path, seed: int, known: dict[tuple[int, str], tuple[str, str]]) -> None:
    """Ask for results and compare them, until killed. Any warning is an error."""
    warnings.simplefilter("error")
    random.seed(seed)
    try:
        _ask(folder, log, known)
    except BaseException as error:
        # At once: it may be killed before it has ended.
        log.with_suffix(".error").write_text(repr(error))
        raise


def _ask(folder: Path, log: Path, known: dict[tuple[int, str], tuple[str, str]]) -> None:
    verify: Any = random.choice(["first", "always"])
    store = ic.Store(folder, max_bytes=BOUND, verify=verify)
    with log.open("ab", buffering=0) as file:
        while True:
            series = random.randrange(len(SERIES))
            cache = cache_of(series, store)
            names = random.sample(NAMES, 3)
            for name in names:
                if digest(cache.get("M1", "bid", name)) != known[series, name][0]:
                    raise Wrong(name)
            if random.random() < 0.2:
                cache.append(one_bar())
                for name in names:
                    if digest(cache.get("M1", "bid", name)) != known[series, name][1]:
                        raise Wrong(f"{name}, appended to")
            file.write(f"{' '.join(map(str, store.stats()))}\n".encode())


def prune(folder: Path, log: Path, seed: int) -> None:
    """Remove results, now some, now all, until killed."""
    random.seed(seed)
    with log.open("ab", buffering=0) as file:
        while True:
            if random.random() < 0.1:
                removed = stores.clear(folder)
            else:
                removed = stores.prune(folder, random.randrange(BOUND))
            for _ in stores.verify(folder):
                pass
            file.write(f"{removed.entries} {removed.unfinished}\n".encode())
