"""What one backend has a quicker way for, and others do as one thing after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .._arrays import FloatArray, new_columns
from ..spec import IndicatorSpec, Value
from . import Backend, Machine, Quick

__all__ = ["PlainBackend"]


class PlainBackend(Backend, Protocol):
    """The part of a backend that follows from the rest of it."""

    quick: Quick | None = None

    def begin_new(
        self, spec: IndicatorSpec, params: tuple[Value, ...], inputs: tuple[FloatArray, ...]
    ) -> tuple[Machine, Sequence[FloatArray]]:
        """Do as :meth:`begin`, in new columns."""
        outputs = new_columns(len(spec.outputs), len(inputs[0]))
        return self.begin(spec, params, inputs, outputs), outputs

    def run_many(
        self,
        spec: IndicatorSpec,
        params: Sequence[tuple[Value, ...]],
        inputs: Sequence[FloatArray],
        outputs: Sequence[Sequence[FloatArray]],
    ) -> None:
        """Compute one indicator for several sets of parameters, with outputs for each of them."""
        for one, room in zip(params, outputs, strict=True):
            self.run(spec, one, inputs, room)
