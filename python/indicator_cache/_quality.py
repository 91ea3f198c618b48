"""What the results at each bar are made of: a machine like those of the indicators, without prices.

Two counts tell everything: how many valid bars there have been in a row, up to this one, and how
many altogether. When the second is larger, a gap lies between valid bars. So quality goes on from
where it was as bars come, like any result, and takes time in proportion to the bars.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray
from ._missing import MissingPolicy, missing_bar, missing_bars
from .spec import IndicatorSpec, Value

__all__ = ["Quality", "QualityArray", "QualityMachine"]

QualityArray = npt.NDArray[np.uint8]


class Quality(enum.IntEnum):
    """What the results at a bar are made of, as :meth:`IndicatorCache.quality` has it.

    >>> import numpy as np
    >>> from indicator_cache import Quality
    >>> np.array([0, 1, 2], np.uint8) == Quality.VALID
    array([False,  True, False])
    """

    WARM_UP = 0
    """Valid bars, but fewer than it takes until all outputs can have a value."""
    VALID = 1
    """Valid bars alone, and enough of them."""
    GAP_AFFECTED = 2
    """The bar is missing, or a missing bar has changed the results or keeps them away."""


class _Needs(NamedTuple):
    """What an indicator needs for results that a gap has not touched."""

    begun: int
    """Valid bars in a row from the beginning on."""
    resumed: float
    """Valid bars in a row after a gap."""


class QualityMachine:
    """The quality of an indicator's results, bar by bar."""

    def __init__(
        self, spec: IndicatorSpec, params: tuple[Value, ...], policy: MissingPolicy
    ) -> None:
        self._spec = spec
        self._policy = policy
        self._needs = _needs(spec, params, policy)
        self._bars = self._valid = self._in_a_row = 0

    def run(self, inputs: Sequence[FloatArray], outputs: Sequence[QualityArray]) -> None:
        """Take the next bars, filling the one output in place.

        Raises
        ------
        MissingBarError
            When a bar is missing, and the policy is to raise then. No bar is taken.
        """
        (output,) = outputs
        bars = len(output)
        if not bars:
            return
        missing = missing_bars(inputs)
        if self._policy == "raise" and missing.any():
            at = int(missing.argmax())
            raise missing_bar(self._spec, [column[at] for column in inputs], self._bars + at)
        place = np.arange(bars)
        last_gap = np.maximum.accumulate(np.where(missing, place, -1 - self._in_a_row))
        in_a_row = place - last_gap
        valid = self._valid + np.cumsum(~missing)
        if self._policy == "skip":
            # To the indicator there is no gap.
            in_a_row = valid
        resumed = valid > in_a_row
        output[:] = Quality.VALID
        output[~resumed & (in_a_row < self._needs.begun)] = Quality.WARM_UP
        output[resumed & (in_a_row < self._needs.resumed)] = Quality.GAP_AFFECTED
        output[missing] = Quality.GAP_AFFECTED
        self._bars += bars
        self._valid = int(valid[-1])
        self._in_a_row = int(place[-1] - last_gap[-1])

    def copy(self) -> Self:
        """Return an independent machine in the same state."""
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin


def _needs(spec: IndicatorSpec, params: tuple[Value, ...], policy: MissingPolicy) -> _Needs:
    begun = 1 + max(output.first_valid_of(*params) for output in spec.outputs)
    if policy != "default":
        # Whatever comes after a gap comes as in the beginning.
        return _Needs(begun, begun)
    window = spec.window_of(*params)
    # Without a window, what a gap did is never quite forgotten.
    return _Needs(begun, np.inf if window is None else window)
