"""The declarations of the indicators, as Python objects.

They are made from the kernels' own declarations, so they cannot differ from what is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from ._numbers import real, whole
from .errors import ParameterError

__all__ = ["Accuracy", "IndicatorSpec", "Output", "Parameter", "Rule", "Value"]

#: What a parameter can be: a number, a word, a bool, or None where that is allowed.
Value: TypeAlias = float | str | None

_NUMBERS: frozenset[type] = frozenset({int, float})


class Parameter(NamedTuple):
    """A parameter of an indicator."""

    name: str
    kind: Literal["integer", "float", "choice", "flag"]
    min: float
    """Smallest allowed value of a number."""
    max: float
    """Largest allowed value of a number."""
    default: Value
    summary: str
    options: tuple[str, ...] = ()
    """The words to choose from."""
    optional: bool = False
    """Whether None is allowed."""

    @property
    def expected(self) -> str:
        """What is allowed, in words."""
        if self.kind == "choice":
            words = f"one of {', '.join(self.options)}"
        elif self.kind == "flag":
            words = "True or False"
        else:
            kind = "a whole number" if self.kind == "integer" else "a number"
            words = f"{kind} from {self.min!r} to {self.max!r}"
        return f"{words}, or None" if self.optional else words

    def normalise(self, value: object) -> Value:
        """Return `value` as the plain int, float, word or bool that it stands for.

        Raises
        ------
        ParameterError
            For anything out of range, and for what only looks like a number: a bool, a float where
            a whole number belongs, a string, NaN.
        """
        if value is None and self.optional:
            return None
        if self.kind == "choice":
            if isinstance(value, str) and value in self.options:
                return str(value)
        elif self.kind == "flag":
            if isinstance(value, (bool, np.bool_)):
                return bool(value)
        else:
            number: float | None
            if self.kind == "integer":
                # By its type, since a bool is an int to Python. Nearly all of them pass here.
                number = value if type(value) is int else whole(value)
            else:
                number = _finite(value)
            if number is not None and self.min <= number <= self.max:
                return number
        raise ParameterError(self.name, value, self.expected)

    def number(self, value: Value) -> float:
        """Return the number that stands for a normalised value in kernels and saved states."""
        if value is None:
            return math.nan
        if isinstance(value, str):
            return self.options.index(value)
        return int(value) if isinstance(value, bool) else value

    def from_number(self, number: float) -> Value:
        """Return what a number stands for, or the number, if it stands for nothing."""
        if self.optional and math.isnan(number):
            return None
        if self.kind == "choice" and number in range(len(self.options)):
            return self.options[int(number)]
        if self.kind == "flag" and number in {0.0, 1.0}:
            return bool(number)
        return int(number) if self.kind == "integer" and number.is_integer() else number


class Rule(NamedTuple):
    """What parameters have to fulfil together."""

    parameter: str
    """The one that is refused otherwise."""
    text: str
    """A condition over the parameters."""
    holds: Callable[..., bool]
    """The same as a function of the parameters, in the order of the spec."""


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
    rules: tuple[Rule, ...]
    """What they have to fulfil together."""
    outputs: tuple[Output, ...]
    window: str | None
    """Bars that a result depends on, its own included: an expression over the parameters. None
    when it depends on all bars so far."""
    window_of: Callable[..., int | None]
    """The same as a function of the parameters, in the order of the spec."""
    transcendental: bool
    """Whether logarithms or exponentials take part."""
    revision: int
    """Raised whenever a released result changes by a bit."""

    def checked(self, values: Iterable[object]) -> tuple[Value, ...]:
        """Return parameters given by position as plain values.

        Raises
        ------
        ParameterError
            For the first value that is not allowed.
        """
        plain = tuple(map(Parameter.normalise, self.parameters, values))
        for rule in self.rules:
            if not rule.holds(*plain):
                names = [parameter.name for parameter in self.parameters]
                given = plain[names.index(rule.parameter)]
                raise ParameterError(rule.parameter, given, f"such that {rule.text}")
        return plain

    def numbers(self, values: tuple[Value, ...]) -> tuple[float, ...]:
        """Return the numbers that stand for parameters in kernels and saved states."""
        for value in values:
            if type(value) not in _NUMBERS:
                break
        else:
            # They stand for themselves, as in nearly every call.
            return values  # type: ignore[return-value] # all of them are numbers
        return tuple(map(Parameter.number, self.parameters, values))

    def normalise(self, values: Mapping[str, object]) -> tuple[Value, ...]:
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
        return self.checked(
            values.get(parameter.name, parameter.default) for parameter in self.parameters
        )

    def from_numbers(self, numbers: Sequence[float]) -> tuple[Value, ...]:
        """Return parameters that were stored as floats as the values that they were.

        Raises
        ------
        ParameterError
            When they are not what the indicator allows.
        """
        if len(numbers) != len(self.parameters):
            raise ParameterError(
                "params", numbers, f"{len(self.parameters)} values for {self.name}"
            )
        return self.checked(map(Parameter.from_number, self.parameters, numbers))

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
    number = value if type(value) is float else real(value)
    # One zero for both: they are one key, so they have to be one value.
    return number + 0.0 if number is not None and math.isfinite(number) else None
