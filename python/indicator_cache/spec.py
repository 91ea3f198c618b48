"""The declarations of the indicators, as Python objects.

They are made from the kernels' own declarations, so they cannot differ from what is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from ._numbers import real, whole
from .errors import ParameterError

__all__ = ["Accuracy", "IndicatorSpec", "Output", "Parameter"]


class Parameter(NamedTuple):
    """A parameter of an indicator."""

    name: str
    kind: Literal["integer", "float"]
    min: float
    """Smallest allowed value."""
    max: float
    """Largest allowed value."""
    default: float
    summary: str

    @property
    def expected(self) -> str:
        """What is allowed, in words."""
        kind = "a whole number" if self.kind == "integer" else "a number"
        return f"{kind} from {self.min!r} to {self.max!r}"

    def normalise(self, value: object) -> float:
        """Return `value` as the plain int or float that it stands for.

        Raises
        ------
        ParameterError
            For anything out of range, and for what only looks like a number: a bool, a float where
            a whole number belongs, a string, NaN.
        """
        number = whole(value) if self.kind == "integer" else _finite(value)
        if number is None or not self.min <= number <= self.max:
            raise ParameterError(self.name, value, self.expected)
        return number


class Accuracy(NamedTuple):
    """How far a result can be from that of exact arithmetic.

    The error is at most `ulps` times 2**-53 times the magnitude `of`, or times 2**-1022 where that
    is larger.
    """

    ulps: float
    of: str
    """An expression over inputs, parameters and outputs."""


class Output(NamedTuple):
    """An output column of an indicator."""

    name: str
    summary: str
    first_valid: str
    """First bar, from 0, that can hold a value: an expression over the parameters."""
    first_valid_of: Callable[..., int]
    """The same as a function of the parameters, in the order of the spec."""
    accuracy: Accuracy
    """The largest error against exact arithmetic."""


class IndicatorSpec(NamedTuple):
    """The declaration of an indicator."""

    position: int
    """Position in the registry of kernels, by which backends know it."""
    name: str
    title: str
    group: str
    summary: str
    formula: str
    source: str
    """The book or paper that the formula comes from."""
    reference: str
    """The independent implementation whose numbers these are."""
    gaps: str
    """What happens at missing bars."""
    inputs: tuple[str, ...]
    """Input columns; ``x`` stands for any one series."""
    parameters: tuple[Parameter, ...]
    outputs: tuple[Output, ...]
    window: str | None
    """Bars that a result depends on, its own included: an expression over the parameters. None
    when it depends on all bars so far."""
    transcendental: bool
    """Whether logarithms or exponentials take part."""
    revision: int
    """Raised whenever a released result changes by a bit."""

    def normalise(self, values: Mapping[str, object]) -> tuple[float, ...]:
        """Return all parameters by position, defaults included.

        Raises
        ------
        ParameterError
            For a value that is not allowed, or a name that the indicator does not have.
        """
        names = tuple(parameter.name for parameter in self.parameters)
        for name, value in values.items():
            if name not in names:
                expected = f"one of the parameters of {self.name} ({', '.join(names) or 'none'})"
                raise ParameterError(name, value, expected)
        return tuple(
            parameter.normalise(values.get(parameter.name, parameter.default))
            for parameter in self.parameters
        )

    def from_numbers(self, numbers: Sequence[float]) -> tuple[float, ...]:
        """Return parameters that were stored as floats as the numbers that they were.

        Raises
        ------
        ParameterError
            When they are not what the indicator allows.
        """
        if len(numbers) != len(self.parameters):
            raise ParameterError(
                "params", numbers, f"{len(self.parameters)} values for {self.name}"
            )
        return tuple(
            parameter.normalise(
                int(number) if parameter.kind == "integer" and number.is_integer() else number
            )
            for parameter, number in zip(self.parameters, numbers, strict=True)
        )

    def first_valid(self, **params: Any) -> dict[str, int]:  # noqa: ANN401 - checked at run time
        """First bar, from 0, at which each output can hold a value when no bar is missing."""
        values = self.normalise(params)
        return {output.name: output.first_valid_of(*values) for output in self.outputs}


def find_spec(catalog: Mapping[str, IndicatorSpec], name: object) -> IndicatorSpec:
    """Return the declaration of an indicator.

    Raises
    ------
    ParameterError
        When there is none of that name.
    """
    spec = catalog.get(name) if isinstance(name, str) else None
    if spec is None:
        raise ParameterError("indicator", name, f"one of {', '.join(catalog)}")
    return spec


def _finite(value: object) -> float | None:
    number = real(value)
    # One zero for both: they are one key, so they have to be one value.
    return number + 0.0 if number is not None and math.isfinite(number) else None
