"""Results in memory: computed once however many threads ask, bounded on request."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, NamedTuple, TypeVar, cast

__all__ = ["CacheStats", "ResultStore"]

T = TypeVar("T")


class CacheStats(NamedTuple):
    """Counts since construction or the last ``clear()``; ``entries`` and ``bytes`` are now."""

    hits: int
    """Answers from memory. Threads that ask at the same instant may be counted as one."""
    misses: int
    """Computations, and results taken from a store on disk."""
    evictions: int
    """Results dropped to stay within ``max_bytes``."""
    entries: int
    bytes: int
    max_bytes: int | None


class _Flight:
    """A computation under way."""

    __slots__ = ("done", "landed")

    def __init__(self) -> None:
        #: Taken until then: all that is needed of an event, and made in a tenth of the time.
        self.done = threading.Lock()
        self.done.acquire()
        #: The result with its size, once there is one; still None when the computation failed.
        self.landed: tuple[Any, int] | None = None


class ResultStore(Generic[T]):
    """A map from keys to results with their sizes; least recently used first out."""

    def __init__(self, max_bytes: int | None) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._results: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._flights: dict[Hashable, _Flight] = {}
        self._generation = 0
        self._hits = self._misses = self._evictions = self._bytes = 0

    def get(self, key: Hashable, compute: Callable[[], tuple[T, int]]) -> T:
        """Return the result under `key`; one thread computes a missing one, others wait for it.

        An error reaches the thread that computed; those that waited try for themselves.
        """
        while True:
            with self._lock:
                held = self._results.get(key)
                if held is not None:
                    self._results.move_to_end(key)
                    self._hits += 1
                    return held[0]
                own = _Flight()
                flight = self._flights.setdefault(key, own)
                generation = self._generation
            if flight is own:
                return self._fly(key, compute, flight, generation)
            with flight.done:
                pass
            # Handed over, since a result is not always kept.
            if flight.landed is not None:
                with self._lock:
                    self._hits += 1
                return cast("T", flight.landed[0])

    def _fly(
        self,
        key: Hashable,
        compute: Callable[[], tuple[T, int]],
        flight: _Flight,
        generation: int,
    ) -> T:
        landed: tuple[T, int] | None = None
        try:
            landed = flight.landed = compute()
            return landed[0]
        finally:
            try:
                with self._lock:
                    if landed is not None:
                        self._misses += 1
                    # A result whose computation began before clear() is handed out, but not kept.
                    # The flight has been forgotten then, and there may be another one.
                    if generation == self._generation:
                        del self._flights[key]
                        if landed is not None:
                            self._keep(key, landed)
            finally:
                flight.done.release()

    def _keep(self, key: Hashable, landed: tuple[T, int]) -> None:
        _, size = landed
        if self.max_bytes is not None and size > self.max_bytes:
            return
        self._results[key] = landed
        self._bytes += size
        while self.max_bytes is not None and self._bytes > self.max_bytes:
            _, (_, dropped) = self._results.popitem(last=False)
            self._bytes -= dropped
            self._evictions += 1

    def peek(self, key: Hashable) -> T | None:
        """Return what is held under `key`, without any effect."""
        with self._lock:
            held = self._results.get(key)
            return None if held is None else held[0]

    def items(self) -> list[tuple[Hashable, T]]:
        """Return all that is held."""
        with self._lock:
            return [(key, result) for key, (result, _) in self._results.items()]

    def replace(self, results: dict[Hashable, tuple[T, int]], commit: Callable[[], None]) -> None:
        """Hold these results instead of all others, and `commit` at the same instant.

        Computations under way will not be kept.
        """
        with self._lock:
            self._generation += 1
            self._flights.clear()
            # In the order of their last use, which may have changed in the meantime.
            order = [key for key in self._results if key in results]
            self._results.clear()
            self._bytes = 0
            for key in order:
                self._keep(key, results[key])
            commit()

    def clear(self) -> None:
        """Forget all results and counts."""
        with self._lock:
            self._generation += 1
            self._results.clear()
            self._flights.clear()
            self._hits = self._misses = self._evictions = self._bytes = 0

    def stats(self) -> CacheStats:
        """Return counts and sizes."""
        with self._lock:
            return CacheStats(
                self._hits,
                self._misses,
                self._evictions,
                len(self._results),
                self._bytes,
                self.max_bytes,
            )
