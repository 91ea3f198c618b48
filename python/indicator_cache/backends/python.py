"""NumPy: the readable specification, put to work where nothing else runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._arrays import FloatArray
from ..spec import IndicatorSpec
from .reference import KERNELS

__all__ = ["PythonBackend", "create"]


class PythonBackend:
    """Runs the reference kernels."""

    name = "python"

    def run(
        self,
        spec: IndicatorSpec,
        params: tuple[float, ...],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> None:
        """Compute one indicator over whole columns, filling `outputs` in place."""
        with np.errstate(all="ignore"):
            results = KERNELS[spec.name](*params).run(*inputs)
        columns = results if isinstance(results, tuple) else (results,)
        for out, column in zip(outputs, columns, strict=True):
            # One NaN for all: arithmetic leaves different bits on different machines.
            out[:] = np.where(np.isnan(column), np.nan, column)

    def details(self) -> dict[str, str]:
        """Return what is worth knowing about it, for people."""
        return {"numpy": np.__version__}


def create() -> PythonBackend:
    """Make the backend."""
    return PythonBackend()
