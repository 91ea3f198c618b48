"""A store as a process uses it: what it asks for, leaves there, counts and warns of."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .._arrays import FloatArray
from ..backends import flushes_to_zero
from ..errors import ParameterError, StoreWarning
from . import _directory, _files
from ._identity import name_of

__all__ = ["Store", "StoreStats"]

#: When to compare the checksum of a file.
_VERIFY = ("first", "always", "never")

#: Part of the bound that a process may fill before it looks again at what others have written.
_SLACK = 16

#: Seconds without writing after a failure: a full disk may be emptied.
_REST = 60.0

#: Files remembered as sound; beyond, all are forgotten, and their checksums compared again.
_MOST_SOUND = 65_536


class StoreStats(NamedTuple):
    """Counts of what happened through one :class:`Store`, in this process."""

    hits: int
    """Results taken from the store."""
    misses: int
    """Results that had to be computed."""
    written: int
    """Results left in the store."""
    evictions: int
    """Results removed to stay within ``max_bytes``."""
    damaged: int
    """Files that were not what they should be. Their results were computed, and count as misses."""
    failures: int
    """Attempts to read or write that the system refused."""


class Store:
    """Results on disk, for all caches, processes and backends that compute the same.

    A result is named by a digest of what it was made of, and mapped into memory, so that processes
    share it. Many processes may use one directory at once: nobody waits for anybody, and a file is
    there whole or not at all.

    A store is never a reason to fail. A file that is damaged or not what its name stands for is
    computed anew, replaced, and reported by a :class:`StoreWarning`; when the directory cannot be
    written to or is gone, caches go on without, and one warning says so. Writing is tried again a
    minute later.

    Parameters
    ----------
    path
        The directory; it is made when there is none.
    max_bytes
        Bound for the directory; what was used least recently is removed first. A process alone
        stays below it; each further one that writes may exceed it by a sixteenth until it looks
        again. None for no bound.
    verify
        When to compare the checksum of a file: ``first``, when this store opens it for the first
        time, or it has changed since; ``always``; or ``never``, which believes whatever has the
        right size, header and description.

    Raises
    ------
    ParameterError
        When `path` is something else than a store, an empty directory or none yet, or another
        argument is not allowed.
    ImportError
        When the package xxhash is not installed: ``pip install 'indicator-cache[store]'``.

    Examples
    --------
    >>> import tempfile
    >>> import indicator_cache as ic
    >>> bars = {"M1": {"bid": {"close": [1.0, 2.0, 3.0, 4.0]}}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for _ in range(2):
    ...         store = ic.Store(folder, max_bytes=1_000_000)
    ...         last = ic.IndicatorCache(bars, store=store).ema("M1", "bid", "close", 3, i=-1)
    ...         print(last, store.stats().hits, store.stats().written)
    3.125 0 1
    3.125 1 0
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | None = None,
        verify: Literal["first", "always", "never"] = "first",
    ) -> None:
        if not isinstance(path, (str, os.PathLike)):
            raise ParameterError("store", path, "a path, or a Store")
        if max_bytes is not None:
            _directory.checked_bytes("max_bytes", max_bytes)
        if verify not in _VERIFY:
            raise ParameterError("verify", verify, f"one of {', '.join(_VERIFY)}")
        _files.library_of_checksums()
        #: The directory.
        self.path = Path(path).absolute()
        self.max_bytes = max_bytes
        self.verify = verify
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(StoreStats._fields, 0)
        self._sound: dict[str, tuple[int, ...]] = {}
        self._warned = False
        self._rest_until = 0.0
        self._room = threading.Lock()
        #: Bytes that may be written before the directory is looked at; less than 0 at first.
        self._free = -1
        try:
            _directory.open_directory(self.path)
        except OSError as error:
            self._refused("opened", error)

    def __repr__(self) -> str:
        """Return a summary."""
        bound = "" if self.max_bytes is None else f", max_bytes={self.max_bytes}"
        return f"Store({str(self.path)!r}{bound}, verify={self.verify!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the settings: another process opens the same directory, with its own counts."""
        return partial(Store, str(self.path), max_bytes=self.max_bytes, verify=self.verify), ()

    def stats(self) -> StoreStats:
        """Return what happened through this store."""
        with self._lock:
            return StoreStats(**self._counts)

    def load(self, about: bytes, outputs: Sequence[str], bars: int) -> _files.Stored | None:
        """Return the result that was made of this, None when there is none to be had."""
        name = name_of(about)
        path = _directory.entry_path(self.path, name)
        try:
            stored = _files.read(
                path, about, outputs, bars, lambda identity: self._doubted(name, identity)
            )
        except FileNotFoundError:
            self._count("misses")
        except _files.DamagedError as error:
            self._count("misses", "damaged")
            _warn(f"{path}: {error}; the result is computed anew")
        except OSError as error:
            self._count("misses")
            self._refused("read", error)
        else:
            self._count("hits")
            self._note(name, path, stored)
            return stored
        return None

    def _note(self, name: str, path: Path, stored: _files.Stored) -> None:
        """Note that a result was used, and that it was sound."""
        if self.verify == "first":
            with self._lock:
                if len(self._sound) == _MOST_SOUND:
                    self._sound.clear()
                self._sound[name] = stored.identity
        # Whoever may only read shares what others use.
        with suppress(OSError):
            os.utime(path, ns=(time.time_ns(), stored.modified))

    def save(self, about: bytes, columns: Mapping[str, FloatArray], state: bytes) -> None:
        """Leave a result for whoever asks for it next, if that is possible."""
        # Bits of a thread that drops denormal numbers are not those of others.
        if time.monotonic() < self._rest_until or flushes_to_zero():
            return
        size = _files.size_of(about, columns, state)
        path = _directory.entry_path(self.path, name_of(about))
        try:
            if size > _files.MOST_BYTES or not self._has_room(size):
                return
            if self._write(path, about, columns, state):
                self._count("written")
        except OSError as error:
            self._refused("written to", error)

    def _write(
        self, path: Path, about: bytes, columns: Mapping[str, FloatArray], state: bytes
    ) -> bool:
        """Write a file; whether it is there, unless somebody removes all files of the store."""
        for _ in range(2):
            try:
                _files.write(path, about, columns, state)
            except FileNotFoundError:
                # The first of its folder, or removed before it was whole; unless the directory is
                # gone, which is not ours to make again.
                if not _directory.is_store(self.path):
                    raise
                path.parent.mkdir(exist_ok=True)
            else:
                return True
        return False

    def _has_room(self, size: int) -> bool:
        """Whether a file of some size may be written, which it may if others can go for it.

        The bound has a part for what is written between two looks at the directory. A look leaves
        this part free, and the size of the file; so a process alone never exceeds the bound.
        """
        if self.max_bytes is None:
            return True
        slack = self.max_bytes // _SLACK
        with self._room:
            if size > self._free:
                most = self.max_bytes - slack - size
                if most < 0:
                    return False
                pruned = _directory.prune(self.path, most)
                self._count(evictions=pruned.entries)
                if pruned.left_bytes > most:
                    return False
                self._free = slack + size
            self._free -= size
            return True

    def _doubted(self, name: str, identity: tuple[int, ...]) -> bool:
        """Whether to compare the checksum of a file."""
        if self.verify != "first":
            return self.verify == "always"
        return self._sound.get(name) != identity

    def _count(self, *names: str, evictions: int = 0) -> None:
        with self._lock:
            for name in names:
                self._counts[name] += 1
            self._counts["evictions"] += evictions

    def _refused(self, what: str, error: OSError) -> None:
        """Note that the system refused something, and say so once."""
        self._count("failures")
        if what != "read":
            self._rest_until = time.monotonic() + _REST
        with self._lock:
            warned, self._warned = self._warned, True
        if not warned:
            reason = error.strerror or str(error)
            _warn(f"{self.path} cannot be {what} ({reason}): going on without the store")


def _warn(message: str) -> None:
    warnings.warn(message, StoreWarning, stacklevel=2)
