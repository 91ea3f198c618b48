"""Several sets of parameters, for backends that know no better way than one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from .._arrays import FloatArray
from ..spec import IndicatorSpec, Value

__all__ = ["OneByOne"]


class OneByOne:
    """The part of a backend that takes one set of parameters after the other."""

    def run(
        self,
        spec: IndicatorSpec,
        params: tuple[Value, ...],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> None:
        """Compute one indicator over whole columns, filling `outputs` in place."""
        raise NotImplementedError

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
