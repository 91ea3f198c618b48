"""Made from the kernels' declarations, not to be edited: `make generate`."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, TypeVar

__all__ = ["BollingerResult", "DmiResult", "MacdResult"]

T = TypeVar("T")


class BollingerResult(NamedTuple, Generic[T]):
    """Bollinger bands: an array or a number for each output."""

    upper: T
    """Upper band, in the unit of the input."""
    middle: T
    """Mean of the window, in the unit of the input."""
    lower: T
    """Lower band, in the unit of the input."""


class DmiResult(NamedTuple, Generic[T]):
    """Directional movement index: an array or a number for each output."""

    plus_di: T
    """Upward movement, in percent of the range."""
    minus_di: T
    """Downward movement, in percent of the range."""
    adx: T
    """Strength of the trend, from 0 to 100."""


class MacdResult(NamedTuple, Generic[T]):
    """Moving average convergence/divergence: an array or a number for each output."""

    macd: T
    """Fast minus slow average, in the unit of the input."""
    signal: T
    """Average of the difference, in the unit of the input."""
    histogram: T
    """Difference minus signal, in the unit of the input."""


#: The type of every indicator with more than one output.
RESULTS: dict[str, Any] = {
    "bollinger": BollingerResult,
    "dmi": DmiResult,
    "macd": MacdResult,
}
