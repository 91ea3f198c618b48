"""What can go wrong, named for what the user did.

All of them are raised before anything is computed or changed, with one wording whatever the
backend.
"""

from __future__ import annotations

__all__ = [
    "BackendError",
    "BackendUnavailableError",
    "IndicatorCacheError",
    "MissingBarError",
    "ParameterError",
    "PlanError",
    "RequestError",
    "SchemaError",
    "StateError",
    "StoreWarning",
    "UnknownSeriesError",
]


class IndicatorCacheError(Exception):
    """Base of all errors of this package."""


class UnknownSeriesError(IndicatorCacheError, KeyError):
    """There is no such timeframe, or no such price type in it.

    Attributes
    ----------
    given
        What was asked for: a timeframe, or a (timeframe, price type) pair.
    known
        What there is.
    """

    def __init__(self, kind: str, given: object, known: tuple[object, ...]) -> None:
        super().__init__(kind, given, known)
        self.kind = kind
        self.given = given
        self.known = known

    def __str__(self) -> str:
        known = ", ".join(map(repr, self.known)) or "none"
        return f"unknown {self.kind} {self.given!r}; known: {known}"


class ParameterError(IndicatorCacheError, ValueError):
    """A parameter is not what the call allows.

    Attributes
    ----------
    parameter
        Name of the parameter.
    given
        The value that was given.
    expected
        What is allowed, in words.
    """

    def __init__(self, parameter: str, given: object, expected: str) -> None:
        super().__init__(parameter, given, expected)
        self.parameter = parameter
        self.given = given
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.parameter} must be {self.expected}, got {self.given!r}"


class RequestError(IndicatorCacheError, ValueError):
    """An indicator asked for in words, such as ``ema:20``, is not understood."""


class PlanError(IndicatorCacheError, ValueError):
    """A sweep, or a computation over many series, cannot be done as it was asked for.

    Raised before anything is computed, with all that is wrong.

    Attributes
    ----------
    problems
        What is wrong, one error each.
    """

    def __init__(self, problems: tuple[IndicatorCacheError, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "; ".join(map(str, self.problems))


class SchemaError(IndicatorCacheError, ValueError):
    """The bars are not in a form that can be used.

    Attributes
    ----------
    column
        Name of the offending column or field, or of the argument.
    """

    def __init__(self, column: str, message: str) -> None:
        super().__init__(column, message)
        self.column = column
        self.message = message

    def __str__(self) -> str:
        return f"{self.column}: {self.message}"


class MissingBarError(IndicatorCacheError, ValueError):
    """A bar is missing, and ``missing="raise"`` asks for an error then.

    Attributes
    ----------
    position
        The first missing bar, counted from 0: in the columns, in the series of a cache, or since
        the stream began.
    columns
        The columns that the indicator reads and that are NaN there.
    series
        Which series of a cache; "" for functions and streams.
    """

    def __init__(self, position: int, columns: tuple[str, ...], series: str = "") -> None:
        super().__init__(position, columns, series)
        self.position = position
        self.columns = columns
        self.series = series

    def __str__(self) -> str:
        where = f"{self.series}: " if self.series else ""
        are = "is" if len(self.columns) == 1 else "are"
        return (
            f"{where}bar {self.position} is missing: {', '.join(self.columns)} {are} NaN, "
            'and missing="raise" allows no gaps'
        )


class StateError(IndicatorCacheError, ValueError):
    """The bytes are not the state of a stream that this version can go on from."""

    #: How the message begins, here and in the compiled backends.
    PREFIX = "not a usable saved state: "

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.PREFIX + self.reason


class BackendUnavailableError(IndicatorCacheError, ImportError):
    """The backend that was asked for cannot be used here; the message says why."""


class BackendError(IndicatorCacheError, RuntimeError):
    """A backend failed during a computation. Nothing was stored; what was cached is intact."""


class StoreWarning(RuntimeWarning):
    """A store of results is damaged, or cannot be used. Results are right all the same."""
