"""NumPy: the readable specification, put to work where nothing else runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._arrays import FloatArray
from ..spec import IndicatorSpec, Value
from ._plain import PlainBackend
from .reference import Machine
from .reference.state import read_header

__all__ = ["PythonBackend", "create"]


class PythonBackend(PlainBackend):
    """Runs the reference kernels."""

    name = "python"

    def machine(self, spec: IndicatorSpec, params: tuple[Value, ...]) -> Machine:
        """Build an indicator in its initial state."""
        return Machine(spec, params)

    def begin(
        self,
        spec: IndicatorSpec,
        params: tuple[Value, ...],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> Machine:
        """Compute one indicator and return it to go on with."""
        machine = self.machine(spec, params)
        machine.run(inputs, outputs)
        return machine

    def restore(self, spec: IndicatorSpec, state: bytes) -> Machine:
        """Build an indicator that goes on from a saved state."""
        header, reader = read_header(state)
        machine = Machine(spec, spec.from_numbers(header.params))
        machine.load(header.bars, reader)
        return machine

    def run(
        self,
        spec: IndicatorSpec,
        params: tuple[Value, ...],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> None:
        """Compute one indicator over whole columns, filling `outputs` in place."""
        self.begin(spec, params, inputs, outputs)

    def details(self) -> dict[str, str]:
        """Return what is worth knowing about it, for people."""
        return {"numpy": np.__version__}


def create() -> PythonBackend:
    """Make the backend."""
    return PythonBackend()
