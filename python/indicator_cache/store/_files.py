"""One result as one file: an ``.npy`` with one record.

The fields of the record are the outputs by name, in float64; ``_state``, from which the indicator
goes on; ``_about``, what the result was made of; and ``_checksum``, XXH3 with 128 bits over all
bytes of the file before it. ``numpy.load(path, mmap_mode="r")`` opens it, and so does whatever else
knows the format.

Nothing in a file is interpreted before it is known to be what is looked for. From the indicator,
the bars and the description follow all bytes of the header, but for the length of the state, which
follows from the size of the file. So reading compares; it does not parse.
"""

from __future__ import annotations

import mmap
import os
import secrets
import sys
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .._arrays import FloatArray
from .._table import library

__all__ = [
    "MOST_BYTES",
    "DamagedError",
    "Stored",
    "checksum_error",
    "description_in",
    "library_of_checksums",
    "put",
    "read",
    "size_of",
    "write",
]

#: Records of numpy have less than 2 GiB.
MOST_BYTES = 2**31 - 1

_CHECKSUM_BYTES = 16

#: Whether the system replaces a file that somebody has mapped. Windows does not.
_REPLACES_MAPPED = os.name == "posix"

#: What a header begins with, before its length in two bytes.
_MAGIC = b"\x93NUMPY\x01\x00"

#: To a multiple of this many bytes headers are padded.
_ALIGNMENT = 64

_Content: TypeAlias = mmap.mmap | bytes


class DamagedError(Exception):
    """A file is not what its name promises; the message says why."""


class Stored(NamedTuple):
    """A result as it was found."""

    columns: list[FloatArray]
    """Read-only, on the memory of the file."""
    state: bytes
    modified: int
    """When the file was written, in nanoseconds since 1970."""
    identity: tuple[int, ...]
    """Another one when the file is another, or was written to."""


def library_of_checksums() -> Any:  # noqa: ANN401 - a module
    """Return the package that computes checksums.

    Raises
    ------
    ImportError
        When it is not installed; says how to.
    """
    return library("xxhash", "store", "a store")


def _header(outputs: Sequence[str], bars: int, state: int, about: int) -> bytes:
    """Return the head of a file, the same to the byte whatever the version of numpy."""
    fields: list[tuple[Any, ...]] = [(name, "<f8", (bars,)) for name in outputs]
    fields += [("_state", "|u1", (state,)), ("_about", f"|S{about}")]
    fields += [("_checksum", "|u1", (_CHECKSUM_BYTES,))]
    text = f"{{'descr': {fields!r}, 'fortran_order': False, 'shape': (), }}".encode()
    length = len(_MAGIC) + 2 + len(text) + 1
    padding = -length % _ALIGNMENT
    size = len(text) + padding + 1
    return _MAGIC + size.to_bytes(2, "little") + text + b" " * padding + b"\n"


# --- writing ---


def size_of(about: bytes, columns: Mapping[str, FloatArray], state: bytes) -> int:
    """Return the size of a file."""
    bars = len(next(iter(columns.values())))
    header = len(_header(list(columns), bars, len(state), len(about)))
    return header + 8 * bars * len(columns) + len(state) + len(about) + _CHECKSUM_BYTES


def write(path: Path, about: bytes, columns: Mapping[str, FloatArray], state: bytes) -> None:
    """Write a file, whole or not at all.

    Readers of a file that it replaces keep what they have. The system may write the bytes to the
    disk when it likes: what a loss of power leaves behind has a wrong checksum.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    bars = len(next(iter(columns.values())))
    parts: list[Any] = [_header(list(columns), bars, len(state), len(about))]
    parts += [column.astype("<f8", copy=False).data for column in columns.values()]
    parts += [state, about]
    checksum = library_of_checksums().xxh3_128()
    for part in parts:
        checksum.update(part)
    put(path, [*parts, checksum.digest()])


def put(path: Path, parts: Sequence[Any]) -> None:
    """Write bytes to a file under another name, and give it its own when they are all there."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            for part in parts:
                file.write(part)
        _rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _rename(temporary: Path, path: Path) -> None:
    try:
        temporary.replace(path)
    except PermissionError:
        # Under this name stand the same bytes, since nobody maps what is damaged.
        if _REPLACES_MAPPED or not path.exists():
            raise
        temporary.unlink()


# --- reading ---


def read(
    path: Path,
    about: bytes,
    outputs: Sequence[str],
    bars: int,
    doubted: Callable[[tuple[int, ...]], bool],
) -> Stored:
    """Return the result in a file.

    Parameters
    ----------
    path
        The file.
    about
        What it has to be made of.
    outputs, bars
        The columns it has to have, and their length.
    doubted
        Whether to compare the checksum of the file with this identity.

    Raises
    ------
    DamagedError
        When it is something else, or damaged.
    OSError
        When it cannot be read, FileNotFoundError when there is none.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        content = _content(file.fileno(), status.st_size)
    identity = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
    begin = len(_MAGIC) + 2
    begin += int.from_bytes(content[len(_MAGIC) : begin], "little")
    state_at = begin + 8 * bars * len(outputs)
    about_at = status.st_size - _CHECKSUM_BYTES - len(about)
    if about_at < state_at:
        raise DamagedError("truncated")
    if content[:begin] != _header(outputs, bars, about_at - state_at, len(about)):
        raise DamagedError("its header is another")
    if content[about_at : about_at + len(about)] != about:
        raise DamagedError("it is not the result that its name stands for")
    if doubted(identity) and not _sound(content):
        raise DamagedError("its checksum is wrong")
    columns = [
        np.frombuffer(content, "<f8", bars, begin + 8 * bars * number).astype(float, copy=False)
        for number in range(len(outputs))
    ]
    return Stored(columns, content[state_at:about_at], status.st_mtime_ns, identity)


def checksum_error(path: Path) -> str | None:
    """Return what is wrong with a file whose contents are not known, if anything is.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    with path.open("rb") as file:
        content = _content(file.fileno(), os.fstat(file.fileno()).st_size)
    if content[: len(_MAGIC)] != _MAGIC:
        return "its header is another"
    return None if _sound(content) else "its checksum is wrong"


def description_in(path: Path) -> bytes:
    """Return what the result in a file was made of, where the checksum is right.

    Raises
    ------
    DamagedError
        When the file has no description.
    OSError
        When it cannot be read.
    """
    try:
        record = np.load(path, mmap_mode="r", allow_pickle=False)
        found: object = record["_about"].item()
    except (ValueError, IndexError, EOFError) as error:
        raise DamagedError("it is no result") from error
    if not isinstance(found, bytes):
        raise DamagedError("it is no result")
    return found


def _sound(content: _Content) -> bool:
    if len(content) < _CHECKSUM_BYTES:
        return False
    with memoryview(content) as view, view[:-_CHECKSUM_BYTES] as checked:
        found: bytes = library_of_checksums().xxh3_128_digest(checked)
    return found == content[-_CHECKSUM_BYTES:]


# --- maps ---

#: Maps in use. Python before 3.13 keeps a file descriptor for each, of which a process has no more
#: than 1,024 on many systems; Linux gives it 65,530 maps. Beyond these bounds files are read.
_maps: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()
_maps_lock = threading.Lock()
_WITHOUT_DESCRIPTOR = sys.version_info >= (3, 13) and sys.platform != "win32"
_MOST_MAPS = 16_384 if _WITHOUT_DESCRIPTOR else 256
_OPTIONS: dict[str, Any] = {"trackfd": False} if _WITHOUT_DESCRIPTOR else {}


def _content(descriptor: int, size: int) -> _Content:
    """Return the bytes of a file, mapped unless that would be one map too many."""
    with _maps_lock:
        if size and len(_maps) < _MOST_MAPS:
            with suppress(OSError):
                mapped = mmap.mmap(descriptor, size, access=mmap.ACCESS_READ, **_OPTIONS)
                _maps.add(mapped)
                return mapped
    with open(descriptor, "rb", closefd=False) as file:
        return file.read()
