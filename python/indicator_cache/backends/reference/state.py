"""Saved states, in the bytes that every backend reads and writes.

The layout is documented in the Rust sources, ``crates/core/src/state.rs``: a header that names
indicator, revision, parameters and the number of bars; the state of each part in turn; a checksum.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import StateError

__all__ = ["Header", "Reader", "Writer", "read_header", "seal"]

_MAGIC = b"ICST"
_VERSION = 1
_MOST_BARS = 1 << 62
_CHECKSUM = struct.Struct("<I")


class Header(NamedTuple):
    """What precedes the parts."""

    name: str
    revision: int
    params: tuple[float, ...]
    bars: int


class Writer:
    """Collects the state of the parts."""

    def __init__(self, header: Header) -> None:
        name = header.name.encode()
        self.parts = [_MAGIC, struct.pack("<HB", _VERSION, len(name)), name]
        self.parts.append(struct.pack("<IB", header.revision, len(header.params)))
        self.floats(np.array(header.params))
        self.integer(header.bars)

    def float(self, value: float) -> None:
        self.floats(np.array([value]))

    def floats(self, values: npt.NDArray[np.float64]) -> None:
        one_nan = np.where(np.isnan(values), np.nan, values)
        self.parts.append(one_nan.astype("<f8").tobytes())

    def integer(self, value: int) -> None:
        self.parts.append(struct.pack("<Q", value))

    def flag(self, value: bool) -> None:  # noqa: FBT001 - a flag is what it writes
        self.parts.append(struct.pack("<?", value))


def seal(writer: Writer) -> bytes:
    """Return all that was written, with its checksum."""
    body = b"".join(writer.parts)
    return body + _CHECKSUM.pack(zlib.crc32(body))


class Reader:
    """Takes the state of the parts apart again."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.at = 0

    def take(self, size: int) -> bytes:
        part = self.body[self.at : self.at + size]
        if len(part) < size:
            raise StateError("truncated")
        self.at += size
        return part

    def float(self) -> float:
        return float(self.floats(1)[0])

    def floats(self, count: int) -> npt.NDArray[np.float64]:
        return np.frombuffer(self.take(8 * count), "<f8").astype(np.float64)

    def integer(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def flag(self) -> bool:
        byte = self.take(1)[0]
        if byte > 1:
            raise StateError("a flag is neither 0 nor 1")
        return bool(byte)

    def end(self) -> None:
        if self.at != len(self.body):
            raise StateError("it is too long")


def read_header(state: bytes) -> tuple[Header, Reader]:
    """Check the frame of a saved state; return its header and what follows.

    Raises
    ------
    StateError
        When the bytes are truncated, damaged, or of another kind or format version.
    """
    body, checksum = state[: -_CHECKSUM.size], state[-_CHECKSUM.size :]
    reader = Reader(body)
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise StateError("it does not begin as a saved state does")
    version = int.from_bytes(reader.take(2), "little")
    if version != _VERSION:
        raise StateError(f"it was written in format version {version}, this is {_VERSION}")
    if checksum != _CHECKSUM.pack(zlib.crc32(body)):
        raise StateError("its checksum is wrong")
    try:
        name = reader.take(reader.take(1)[0]).decode("ascii")
    except UnicodeDecodeError:
        raise StateError("it belongs to an unknown indicator") from None
    revision = int.from_bytes(reader.take(4), "little")
    params = tuple(reader.floats(reader.take(1)[0]).tolist())
    bars = reader.integer()
    if bars > _MOST_BARS:
        raise StateError("it has taken more bars than there can be")
    return Header(name, revision, params, bars), reader
