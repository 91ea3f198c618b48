"""Room for results: large blocks of memory that nobody refers to any more are used again.

Memory that is new to a process costs more than most indicators do. The system clears it page by
page as it is written to, and takes it back when it is freed; on a virtual machine, which gets it
from its host in turn, that makes one to twenty nanoseconds for every value, and threads wait for
each other at it. Whoever sweeps, or computes over file after file, drops results of the same size
as the next ones. So some blocks are remembered, and given out again when they are free.

Which they are when nothing but this module refers to them. A block is an array that owns its
memory, and results are views of it. However a view of a view is made, numpy has it refer to the
array that owns the memory; and so does what is not numpy's, buffers of Arrow columns for one, by
way of the view that it was made of. So the count of references tells, and there is nothing that
callers would have to give back.
"""

from __future__ import annotations

import sys
import threading
from collections import deque

import numpy as np

from ._arrays import FloatArray, length_at_lines, rows_at_lines

__all__ = ["MOST_BYTES", "Room", "process_room"]

#: Bytes of the blocks that a process remembers: what can stay with it when all results have been
#: dropped, if as many were there at once.
MOST_BYTES = 1 << 29

#: Bytes from which on blocks are remembered. The C library keeps smaller ones with the process.
_LEAST_BYTES = 1 << 18

#: How many blocks of a size are looked at. Those that were given out first are mostly the first
#: to be free, and where a caller keeps all results any look is in vain.
_LOOKS = 16


class Room:
    """Blocks of memory that were given out, up to so many bytes."""

    def __init__(self, most_bytes: int) -> None:
        # What rounding adds is no memory yet, since nothing is written to it.
        self._most_bytes = most_bytes * 9 // 8
        self._lock = threading.Lock()
        #: By length; the lengths in the order of their last use, the blocks of each likewise.
        self._blocks: dict[int, deque[FloatArray]] = {}
        self._bytes = 0

    def empty(self, rows: int, columns: int) -> FloatArray:
        """Return an array whose values are whatever they are.

        Unless it is small, each row begins at a line of the processor's cache.
        """
        if 8 * rows * columns < _LEAST_BYTES:
            return np.empty((rows, columns))
        length = _rounded(length_at_lines(rows, columns))
        kept = _FREE is not None and 8 * length <= self._most_bytes
        # Not to wait for another thread, nor for this one, where a garbage collection in here has
        # a finalizer of somebody's ask for room.
        if kept and self._lock.acquire(blocking=False):
            try:
                block = self._block(length)
            finally:
                self._lock.release()
        else:
            block = np.empty(length)
        return rows_at_lines(block, rows, columns)

    def _block(self, length: int) -> FloatArray:
        blocks = self._blocks.pop(length, None) or deque()
        self._blocks[length] = blocks
        for _ in range(min(len(blocks), _LOOKS)):
            block, references = _oldest(blocks)
            if references == _FREE:
                return block
        block = np.empty(length)
        blocks.append(block)
        self._bytes += block.nbytes
        while self._bytes > self._most_bytes:
            self._forget()
        return block

    def _forget(self) -> None:
        """Leave the block that was used least recently to whoever refers to it."""
        length, blocks = next(iter(self._blocks.items()))
        self._bytes -= blocks.popleft().nbytes
        if not blocks:
            del self._blocks[length]


def _rounded(length: int) -> int:
    """Return a length that others are rounded to as well: files have now more bars and now less.

    Of the eighth that this adds at most, nothing is written to, so that it is no memory yet.
    """
    step = 1 << max(length.bit_length() - 4, 0)
    return -(-length // step) * step


def _oldest(blocks: deque[FloatArray]) -> tuple[FloatArray, int]:
    """Return the block that was given out first, which becomes the last, and who refers to it."""
    block = blocks.popleft()
    blocks.append(block)
    return block, sys.getrefcount(block)


def _free() -> int | None:
    """Return the count of a block that nobody else refers to; None where counts do not tell."""
    if sys.implementation.name != "cpython" or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return None
    return _oldest(deque([np.empty(1)]))[1]


_FREE = _free()

#: What all that is computed in this process shares.
process_room = Room(MOST_BYTES)
