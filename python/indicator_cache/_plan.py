"""What a sweep or a computation over many series is to do, checked as a whole before it begins."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from ._frames import FIELDS
from ._generated.catalog import BY_NAME
from ._requests import WORDS, Request, find, parse
from .errors import IndicatorCacheError, ParameterError, PlanError, RequestError
from .spec import IndicatorSpec, Parameter, Value, find_spec

__all__ = [
    "Family",
    "Grid",
    "Problems",
    "digest",
    "families",
    "grid_of",
    "inputs_of",
    "requests_of",
]

#: What to compute: texts, or for each indicator values by parameter, or a list of such.
Grid: TypeAlias = (
    Sequence[str] | Mapping[str, Mapping[str, object] | Sequence[Mapping[str, object]]]
)

#: Engines ask for the same over and over, group by group.
_parse_once = lru_cache(maxsize=1024)(parse)

#: More points in a range than anybody means.
_MOST_POINTS = 1_000_000


class Problems:
    """Collects what is wrong, to say all of it at once."""

    def __init__(self) -> None:
        self.found: list[IndicatorCacheError] = []

    def add(self, error: IndicatorCacheError) -> None:
        """Note a problem."""
        self.found.append(error)

    def extend(self, attempt: Callable[[], object]) -> None:
        """Note what else is wrong, by trying."""
        try:
            attempt()
        except PlanError as error:
            self.found.extend(error.problems)

    def check(self) -> None:
        """Raise what was found.

        Raises
        ------
        PlanError
            When there is anything.
        """
        if self.found:
            raise PlanError(tuple(self.found))


class Family(NamedTuple):
    """Requests that differ in nothing but their parameters."""

    spec: IndicatorSpec
    source: str | None
    members: list[Request]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns of the bars that they read."""
        return self.members[0].inputs

    @property
    def params(self) -> list[tuple[Value, ...]]:
        """The parameters of each, by position."""
        return [tuple(member.values.values()) for member in self.members]


def families(requests: Iterable[Request]) -> list[Family]:
    """Return neighbours that may be computed together, in the order of the requests."""
    return [
        Family(BY_NAME[name], source, list(members))
        for (name, source), members in itertools.groupby(
            requests, lambda request: (request.spec.name, request.source)
        )
    ]


def inputs_of(requests: Iterable[Request]) -> list[str]:
    """Return the columns of the bars that are read, each once."""
    return list(dict.fromkeys(name for request in requests for name in request.inputs))


def digest(requests: Iterable[Request]) -> str:
    """Return what tells one plan from another: all that results depend on beside the bars."""
    plan = [
        [request.spec.name, request.spec.revision, list(request.values.items()), request.source]
        for request in requests
    ]
    return hashlib.sha256(json.dumps(plan).encode()).hexdigest()


# --- one text for each result ---


def requests_of(texts: Sequence[str], source: str, problems: Problems) -> list[Request]:
    """Return what is asked for in words, each once; what is not understood is a problem."""
    if isinstance(texts, str):
        texts = [texts]
    requests: dict[str, Request] = {}
    for text in texts:
        try:
            request = _parse_once(text, source)
        except RequestError as error:
            problems.add(RequestError(f"{text!r}: {error}"))
        else:
            requests.setdefault(request.columns[0], request)
    if not texts:
        problems.add(RequestError("expected at least one indicator, got none"))
    return list(requests.values())


# --- grids ---


def grid_of(grid: Grid, sources: str | Sequence[str], problems: Problems) -> list[Request]:
    """Return every point of a grid, in order and once; what is not allowed is a problem.

    The order is that of the grid; within an indicator that of the sources, and within a source that
    of the parameters, the last one changing fastest.
    """
    sources = [sources] if isinstance(sources, str) else list(sources)
    for source in sources:
        if source not in FIELDS:
            problems.add(ParameterError("source", source, f"one of {', '.join(FIELDS)}"))
    if not sources:
        problems.add(ParameterError("sources", sources, "at least one column"))
    if isinstance(grid, str):
        grid = [grid]
    found = _of_mapping(grid, problems) if isinstance(grid, Mapping) else _of_texts(grid, problems)
    requests: dict[str, Request] = {}
    for spec, own, points in found:
        for column in [own] if own else _sources(spec, sources):
            for values in points:
                request = Request(spec, values, column)
                requests.setdefault(request.columns[0], request)
    if not grid:
        problems.add(RequestError("expected at least one indicator, got none"))
    return list(requests.values())


def _sources(spec: IndicatorSpec, sources: list[str]) -> Sequence[str | None]:
    return sources if spec.inputs == ("x",) else [None]


_Found: TypeAlias = Iterator[tuple[IndicatorSpec, str | None, list[dict[str, Value]]]]


def _of_mapping(grid: Mapping[str, Any], problems: Problems) -> _Found:
    for name, given in grid.items():
        try:
            spec = find_spec(BY_NAME, name)
        except ParameterError as error:
            problems.add(error)
            continue
        points: Sequence[Mapping[str, object]]
        if isinstance(given, Mapping):
            points = _product(spec, given, problems)
        elif isinstance(given, Sequence) and all(isinstance(point, Mapping) for point in given):
            points = given
        else:
            problems.add(
                ParameterError(name, given, "values by parameter, or a list of parameters by name")
            )
            continue
        if not points:
            problems.add(RequestError(f"{name}: expected at least one set of parameters, got none"))
        yield spec, None, _checked(spec, points, problems)


def _product(
    spec: IndicatorSpec, given: Mapping[str, object], problems: Problems
) -> list[dict[str, object]]:
    choices: dict[str, list[object]] = {}
    for name, values in given.items():
        several = isinstance(values, Iterable) and not isinstance(values, str)
        choices[name] = list(values) if several else [values]  # type: ignore[call-overload]
        if not choices[name]:
            problems.add(RequestError(f"{spec.name}: {name} has no values"))
    return _combined(choices)


def _combined(choices: Mapping[str, Sequence[object]]) -> list[dict[str, object]]:
    return [
        dict(zip(choices, point, strict=True)) for point in itertools.product(*choices.values())
    ]


def _checked(
    spec: IndicatorSpec, points: Iterable[Mapping[str, object]], problems: Problems
) -> list[dict[str, Value]]:
    names = [parameter.name for parameter in spec.parameters]
    allowed = []
    for point in points:
        try:
            allowed.append(dict(zip(names, spec.normalise(point), strict=True)))
        except ParameterError as error:
            said = ", ".join(f"{name}={value!r}" for name, value in point.items())
            problems.add(RequestError(f"{spec.name} with {said}: {error}"))
    return allowed


# --- grids in words ---


def _of_texts(texts: Sequence[str], problems: Problems) -> _Found:
    for text in texts:
        try:
            spec, source, choices = _parse(text)
        except RequestError as error:
            problems.add(RequestError(f"{text!r}: {error}"))
        else:
            yield spec, source, _checked(spec, _combined(choices), problems)


def _parse(text: str) -> tuple[IndicatorSpec, str | None, dict[str, list[object]]]:
    """Read ``NAME[:[PARAMETER=]VALUE,...][@SOURCE]``, a value being ``FIRST..LAST[..STEP]`` too.

    Values go on for one parameter until the next name. Without any name they are the first
    parameter's, which has to be the only one where there are several values: in
    ``macd:12,26,9`` nobody could tell three parameters from three values.
    """
    text, has_source, source = text.partition("@")
    name, has_values, listed = text.partition(":")
    spec = find(name.strip())
    if has_source and spec.inputs != ("x",):
        raise RequestError(f"{spec.name} takes no source, since it reads {', '.join(spec.inputs)}")
    source = source.strip().lower()
    if has_source and source not in FIELDS:
        raise RequestError(f"the source must be one of {', '.join(FIELDS)}, got {source!r}")
    parameters = {parameter.name: parameter for parameter in spec.parameters}
    pieces = [piece.strip() for piece in listed.split(",")] if has_values else []
    if pieces and not parameters:
        raise RequestError(f"{spec.name} has no parameters, got {listed!r}")
    if len(parameters) > 1 and len(pieces) > 1 and "=" not in pieces[0]:
        names = ", ".join(parameters)
        raise RequestError(f"{spec.name} has several parameters ({names}), so values need names")
    current = next(iter(parameters), "")
    choices: dict[str, list[object]] = {}
    for piece in pieces:
        before, is_named, value = piece.partition("=")
        if is_named:
            current = before.strip()
            if current not in parameters:
                raise RequestError(f"no parameter {current!r}: {', '.join(parameters)}")
            if current in choices:
                raise RequestError(f"{current} is given twice")
        values = _values(parameters[current], (value if is_named else piece).strip())
        choices.setdefault(current, []).extend(values)
    return spec, source or None, choices


def _values(parameter: Parameter, text: str) -> list[object]:
    if parameter.kind == "choice":
        return [text]
    if text.lower() in WORDS:
        return [WORDS[text.lower()]]
    number = int if parameter.kind == "integer" else float
    first, is_range, rest = text.partition("..")
    if not is_range:
        try:
            return [number(text)]
        except ValueError:
            raise RequestError(
                f"{parameter.name} must be {parameter.expected}, got {text!r}"
            ) from None
    last, has_step, step = rest.partition("..")
    try:
        # In decimal, where 0.1 is what it says and the last one is met.
        begin, end, by = Decimal(first), Decimal(last), Decimal(step if has_step else "1")
        points = int((end - begin) / by) + 1 if by > 0 and end >= begin else 0
        whole = parameter.kind != "integer" or all(x == int(x) for x in (begin, end, by))
    except (InvalidOperation, OverflowError, ValueError):
        points, whole = 0, True
    if not 0 < points <= _MOST_POINTS or not whole:
        raise RequestError(
            f"{parameter.name}: expected a range FIRST..LAST or FIRST..LAST..STEP, got {text!r}"
        )
    return [number(begin + at * by) for at in range(points)]
