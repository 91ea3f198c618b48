"""The directory of a store: what is in it, what of that is sound, and what may go.

::

    CACHEDIR.TAG                        says what this is, in the form that backup programs know
    0f/                                 the first two digits of a name
    0f/3a...c1.npy                      a result: the other 62
    0f/3a...c1.npy.8d...20.tmp          a result that is being written, or whose writer was killed

There is no index. A file is there whole, under the name of what it was made of, or it is not; so
there is nothing that could be out of step, and nothing to lock. When a result was used last is the
file's time of access, which whoever opens it sets; the time of modification stays what it was.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from ..errors import ParameterError
from . import _files
from ._identity import name_of

__all__ = [
    "Finding",
    "Pruned",
    "Usage",
    "checked_bytes",
    "clear",
    "entry_path",
    "is_store",
    "open_directory",
    "prune",
    "usage",
    "verify",
]

_TAG = "CACHEDIR.TAG"
#: The first line is what the specification of these files demands.
_TAG_TEXT = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# A store of results of indicator-cache. Whatever is in here can be computed again.\n"
)

_FOLDER = re.compile(r"[0-9a-f]{2}")
_ENTRY = re.compile(r"[0-9a-f]{62}\.npy")
_UNFINISHED = re.compile(r"[0-9a-f]{62}\.npy\.[0-9a-f]{16}\.tmp")
_UNFINISHED_TAG = re.compile(r"CACHEDIR\.TAG\.[0-9a-f]{16}\.tmp")

#: Seconds without a write after which a writer is believed to be dead. If it was not, it writes the
#: file once more.
ABANDONED = 60.0


class Usage(NamedTuple):
    """What is in the directory of a store."""

    entries: int
    bytes: int
    """Bytes of the entries."""
    unfinished: int
    """Files that are being written, or whose writers were killed."""
    unfinished_bytes: int
    foreign: int
    """Files and directories that no store makes. They are left alone."""
    oldest: float | None
    """When the entry that nobody has used for the longest time was used, in seconds since 1970."""


class Finding(NamedTuple):
    """What there is to say of one file."""

    path: Path
    kind: Literal["sound", "damaged", "unfinished", "foreign"]
    reason: str


class Pruned(NamedTuple):
    """What has been removed, and what is left."""

    entries: int
    bytes: int
    unfinished: int
    left_entries: int
    left_bytes: int
    """What is being written included."""
    failures: int
    """Files that could not be removed; on Windows, those that somebody has mapped."""


class _Item(NamedTuple):
    kind: Literal["entry", "unfinished", "foreign"]
    path: Path
    size: int
    used: float
    written: float


def entry_path(root: Path, name: str) -> Path:
    """Return where the result of a name is."""
    return root / name[:2] / f"{name[2:]}.npy"


def is_store(root: Path) -> bool:
    """Whether a directory has the tag of a store."""
    try:
        return (root / _TAG).read_bytes() == _TAG_TEXT
    except OSError:
        return False


def open_directory(root: Path) -> None:
    """Make a directory a store, unless it is one.

    Raises
    ------
    ParameterError
        When there is something else; nobody's files shall be taken for results.
    OSError
        When it cannot be made or read.
    """
    with suppress(FileExistsError):
        root.mkdir(parents=True)
    if not root.is_dir():
        raise ParameterError("store", str(root), "a directory, or none yet")
    if is_store(root):
        return
    # Another process may be at the same.
    names = (path.name for path in root.iterdir())
    others = [name for name in names if not _UNFINISHED_TAG.fullmatch(name)]
    if others and not is_store(root):
        expected = "a store, an empty directory, or none yet"
        raise ParameterError("store", str(root), f"{expected} (it has {min(others)!r} in it)")
    _files.put(root / _TAG, [_TAG_TEXT])


def _items(root: Path) -> Iterator[_Item]:
    """Yield what is in a store, as far as nobody removes it meanwhile."""
    with os.scandir(root) as found:
        top = list(found)
    for one in top:
        if one.is_dir(follow_symlinks=False) and _FOLDER.fullmatch(one.name):
            with suppress(FileNotFoundError), os.scandir(one) as found:
                inside = list(found)
            for other in inside:
                yield from _item(other, _ENTRY, _UNFINISHED)
        elif one.name != _TAG:
            yield from _item(one, None, _UNFINISHED_TAG)


def _item(
    found: os.DirEntry[str], entry: re.Pattern[str] | None, unfinished: re.Pattern[str]
) -> Iterator[_Item]:
    with suppress(FileNotFoundError):
        status = found.stat(follow_symlinks=False)
        kind: Literal["entry", "unfinished", "foreign"] = "foreign"
        if found.is_file(follow_symlinks=False):
            if entry is not None and entry.fullmatch(found.name):
                kind = "entry"
            elif unfinished.fullmatch(found.name):
                kind = "unfinished"
        yield _Item(kind, Path(found.path), status.st_size, status.st_atime, status.st_mtime)


def _opened(path: str | os.PathLike[str]) -> Path:
    root = Path(path)
    if not is_store(root):
        raise ParameterError("path", str(root), f"the directory of a store, with its {_TAG}")
    return root


def checked_bytes(name: str, given: object) -> int:
    """Return a number of bytes.

    Raises
    ------
    ParameterError
        When it is none.
    """
    if type(given) is not int or given < 0:
        raise ParameterError(name, given, "a whole number of bytes")
    return given


def usage(path: str | os.PathLike[str]) -> Usage:
    """Tell what is in a store.

    Raises
    ------
    ParameterError
        When `path` is no store.
    OSError
        When it cannot be read.
    """
    items = list(_items(_opened(path)))
    sizes = {
        kind: [item.size for item in items if item.kind == kind]
        for kind in ("entry", "unfinished", "foreign")
    }
    return Usage(
        len(sizes["entry"]),
        sum(sizes["entry"]),
        len(sizes["unfinished"]),
        sum(sizes["unfinished"]),
        len(sizes["foreign"]),
        min((item.used for item in items if item.kind == "entry"), default=None),
    )


def verify(path: str | os.PathLike[str]) -> Iterator[Finding]:
    """Examine every file of a store, one by one. Nothing is changed, times of use included.

    A file that somebody removes meanwhile is passed over.

    Raises
    ------
    ParameterError
        When `path` is no store.
    OSError
        When it cannot be read.
    """
    return _examinations(sorted(_items(_opened(path)), key=lambda item: item.path))


def _examinations(items: list[_Item]) -> Iterator[Finding]:
    for item in items:
        with suppress(FileNotFoundError):
            yield _examined(item)


def _examined(item: _Item) -> Finding:
    if item.kind == "foreign":
        return Finding(item.path, "foreign", "no store makes files of this name")
    if item.kind == "unfinished":
        age = max(time.time() - item.written, 0.0)
        state = "its writer was killed" if age > ABANDONED else "being written, or its writer died"
        return Finding(item.path, "unfinished", f"{state}; begun {age:.0f} s ago")
    status = item.path.stat()
    reason = _damage(item.path)
    with suppress(OSError):
        os.utime(item.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    if reason is None:
        return Finding(item.path, "sound", "")
    return Finding(item.path, "damaged", reason)


def _damage(path: Path) -> str | None:
    try:
        reason = _files.checksum_error(path)
        if reason is None:
            name = name_of(_files.description_in(path))
            if entry_path(Path(), name) != Path(*path.parts[-2:]):
                reason = "it is not the result that its name stands for"
    except _files.DamagedError as error:
        return str(error)
    except FileNotFoundError:
        raise
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return reason


def prune(path: str | os.PathLike[str], max_bytes: int) -> Pruned:
    """Remove what was used least recently, until a store has at most so many bytes.

    Also removes what writers began more than a minute ago. Processes that use a result which is
    removed keep it. What no store makes is left alone, and not counted.

    Raises
    ------
    ParameterError
        When `path` is no store, or `max_bytes` no number of bytes.
    OSError
        When it cannot be read.
    """
    excess = -checked_bytes("max_bytes", max_bytes)
    items = list(_items(_opened(path)))
    now = time.time()
    doomed: list[_Item] = []
    for item in items:
        if item.kind == "unfinished" and now - item.written > ABANDONED:
            doomed.append(item)
        elif item.kind != "foreign":
            excess += item.size
    entries = (item for item in items if item.kind == "entry")
    for item in sorted(entries, key=lambda item: item.used):
        if excess <= 0:
            break
        excess -= item.size
        doomed.append(item)
    return _removed(items, doomed)


def clear(path: str | os.PathLike[str]) -> Pruned:
    """Remove all results of a store, and what is being written to it.

    Raises
    ------
    ParameterError
        When `path` is no store.
    OSError
        When it cannot be read.
    """
    items = list(_items(_opened(path)))
    return _removed(items, [item for item in items if item.kind != "foreign"])


def _removed(items: list[_Item], doomed: list[_Item]) -> Pruned:
    gone = [item for item in doomed if _gone(item.path)]
    entries = [item.size for item in gone if item.kind == "entry"]
    left = [item.size for item in items if item.kind == "entry"]
    held = sum(item.size for item in items if item.kind != "foreign")
    return Pruned(
        len(entries),
        sum(entries),
        len(gone) - len(entries),
        len(left) - len(entries),
        held - sum(item.size for item in gone),
        len(doomed) - len(gone),
    )


def _gone(path: Path) -> bool:
    """Remove a file; whether it is gone, whoever did it."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True
