"""What a result was made of, in words; and the digest of these words, which is its name.

The bit law is what makes this sound. A result depends on the bytes of the columns that are read, on
the indicator with its revision and its parameters, and on nothing else: not on the backend, the
processor, the number of threads, or which process computed it.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .._missing import DEFAULT, MissingPolicy
from ..spec import IndicatorSpec, Value

__all__ = ["ColumnDigests", "describe", "name_of"]

#: Raised when files get another form: those of before then have names that nobody asks for.
_FORM = 1


def describe(
    spec: IndicatorSpec,
    params: tuple[Value, ...],
    inputs: Mapping[str, str],
    starts: str | None,
    missing: MissingPolicy = DEFAULT,
) -> bytes:
    """Return what a result was made of. Whatever a result depends on has to be in here.

    Parameters
    ----------
    spec, params
        The indicator, and its normalised parameters.
    inputs
        Digests of the columns that it reads, by the names it has for them.
    starts
        Digest of where new candles begin, for stepwise results.
    missing
        What becomes of missing bars.
    """
    words = {
        "store": _FORM,
        "indicator": spec.name,
        "revision": spec.revision,
        "params": {one.name: value for one, value in zip(spec.parameters, params, strict=True)},
        "inputs": dict(inputs),
        "starts": starts,
        "missing": missing,
    }
    return json.dumps(words, separators=(",", ":")).encode()


def name_of(description: bytes) -> str:
    """Return the name under which a result is stored: 64 hexadecimal digits."""
    return hashlib.sha256(description).hexdigest()


class ColumnDigests:
    """Digests of columns that may grow: each byte is read once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Hashable, tuple[int, Any]] = {}

    def of(self, key: Hashable, column: npt.NDArray[Any]) -> str:
        """Return the digest of a column, which is the one of before under `key` with more behind.

        A shorter one than before, of a computation that others have overtaken, is digested anew.
        """
        with self._lock:
            length, digest = self._known.get(key, (0, hashlib.sha256()))
            overtaken = length > len(column)
            if overtaken:
                length, digest = 0, hashlib.sha256()
            if length < len(column):
                digest = digest.copy()
                digest.update(_bytes(column[length:]))
                if not overtaken:
                    self._known[key] = len(column), digest
            return str(digest.hexdigest())


def _bytes(column: npt.NDArray[Any]) -> memoryview:
    """Return the bytes of a column as a little-endian machine has them."""
    return column.astype(column.dtype.newbyteorder("<"), copy=False).view(np.uint8).data
