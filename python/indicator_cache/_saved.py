"""The machine behind a result that was computed elsewhere."""

from __future__ import annotations

from typing import NamedTuple

from ._missing import MissingPolicy
from .backends import Machine
from .errors import StateError
from .spec import IndicatorSpec, Value

__all__ = ["SavedMachine"]


class SavedMachine(NamedTuple):
    """A machine as it was saved, brought back when bars are appended: most caches never do that."""

    state: bytes
    spec: IndicatorSpec
    params: tuple[Value, ...]
    bars: int
    """How many it has taken. Stepwise, it has taken candles."""
    backend: str
    missing: MissingPolicy

    def restored(self) -> Machine:
        """Return the machine.

        Raises
        ------
        StateError
            When the state is not of this indicator, or of another format.
        """
        from .streams import restore

        stream = restore(self.state, backend=self.backend)
        if stream.spec is not self.spec or tuple(stream.params.values()) != self.params:
            raise StateError(f"expected one of {self.spec.name}{self.params}, it is of {stream!r}")
        if stream.missing != self.missing:
            raise StateError(f"expected missing={self.missing!r}, it is of {stream!r}")
        if stream.bars != self.bars:
            raise StateError(f"expected one of {self.bars} bars, it has taken {stream.bars}")
        return stream._machine  # noqa: SLF001 - a stream is a machine for callers
