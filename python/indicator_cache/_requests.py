"""Indicators as they are asked for in words: ``ema:20``, ``macd``, ``sma:50@high``.

On the command line and in :meth:`IndicatorCache.table`; also, how their columns are called.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from ._frames import FIELDS
from ._generated.catalog import BY_NAME
from .errors import ParameterError, RequestError
from .spec import IndicatorSpec, Parameter, Value

__all__ = ["WORDS", "Request", "find", "parse", "parse_all"]


class Request(NamedTuple):
    """An indicator with its parameters."""

    spec: IndicatorSpec
    values: dict[str, Value]
    """All parameters, defaults included."""
    source: str | None
    """The column to read; None for an indicator that has inputs of its own."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns of the bars that it reads."""
        return self.spec.inputs if self.source is None else (self.source,)

    @property
    def columns(self) -> list[str]:
        """Names of the columns it gives: ``ema_20``, ``ema_20_high``, ``macd_12_26_9_signal``.

        This is the rule: the indicator, its parameters in order, the source unless it is close,
        and the output if there are several, joined by underscores.
        """
        parts = [self.spec.name, *(_plain(value) for value in self.values.values())]
        if self.source not in {None, "close"}:
            parts.append(str(self.source))
        stem = "_".join(parts)
        outputs = self.spec.outputs
        return [stem] if len(outputs) == 1 else [f"{stem}_{output.name}" for output in outputs]


def parse_all(texts: Sequence[str], default_source: str) -> list[Request]:
    """Return what is asked for, without repetitions.

    Raises
    ------
    RequestError
        When some are not understood; it names all of them.
    """
    requests: list[Request] = []
    complaints: list[str] = []
    for text in texts:
        try:
            request = parse(text, default_source)
        except RequestError as error:
            complaints.append(f"{text!r}: {error}")
        else:
            if request not in requests:
                requests.append(request)
    if complaints:
        raise RequestError("; ".join(complaints))
    return requests


def parse(text: str, default_source: str) -> Request:
    """Return what one text asks for.

    Raises
    ------
    RequestError
        When it is not understood.
    """
    text, has_source, source = text.partition("@")
    name, has_values, listed = text.partition(":")
    spec = find(name.strip())
    values = _read_values(spec, listed.split(",") if has_values else [])
    if spec.inputs != ("x",):
        if has_source:
            inputs = ", ".join(spec.inputs)
            raise RequestError(f"{spec.name} takes no source, since it reads {inputs}")
        return Request(spec, values, None)
    source = source.strip().lower() if has_source else default_source
    if source not in FIELDS:
        raise RequestError(f"the source must be one of {', '.join(FIELDS)}, got {source!r}")
    return Request(spec, values, source)


def find(name: str) -> IndicatorSpec:
    """Return the declaration of an indicator.

    Raises
    ------
    RequestError
        When there is none of that name.
    """
    if name in BY_NAME:
        return BY_NAME[name]
    import difflib

    similar = difflib.get_close_matches(name.lower(), BY_NAME, n=1)
    hint = f"did you mean {similar[0]}?" if similar else "indicator-cache list tells what there is"
    raise RequestError(f"unknown indicator {name!r}; {hint}")


def _read_values(spec: IndicatorSpec, texts: list[str]) -> dict[str, Value]:
    parameters = {parameter.name: parameter for parameter in spec.parameters}
    if len(texts) > len(parameters):
        names = ", ".join(parameters) or "none"
        raise RequestError(
            f"{spec.name} has {len(parameters)} parameters ({names}), got {len(texts)} values"
        )
    given: dict[str, Value] = {}
    named = False
    for text, in_order in zip(texts, parameters, strict=False):
        name, has_name, value = text.partition("=")
        if has_name:
            named, name = True, name.strip()
        elif named:
            raise RequestError(f"{text!r} comes after a named value, so it needs a name too")
        else:
            name, value = in_order, text
        if name not in parameters:
            raise RequestError(f"{spec.name} has no parameter {name!r}: {', '.join(parameters)}")
        if name in given:
            raise RequestError(f"{name} is given twice")
        try:
            given[name] = _read_value(parameters[name], value.strip())
        except ParameterError as error:
            raise RequestError(str(error)) from None
    values = {name: given.get(name, parameter.default) for name, parameter in parameters.items()}
    try:
        spec.checked(values.values())
    except ParameterError as error:
        raise RequestError(str(error)) from None
    return values


#: How values that are not numbers are written, in any case.
WORDS: dict[str, Value] = {"none": None, "true": True, "false": False}


def _read_value(parameter: Parameter, text: str) -> Value:
    value: object = text
    if parameter.kind != "choice" and text.lower() in WORDS:
        return parameter.normalise(WORDS[text.lower()])
    # Else the parameter refuses the text, in the words that it always has.
    with suppress(ValueError):
        if parameter.kind == "integer":
            value = int(text)
        elif parameter.kind == "float":
            value = float(text)
    return parameter.normalise(value)


def _plain(value: Value) -> str:
    """Return a value as people write it: 2 for 2.0, 0.1 for 0.1, none for None."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return repr(value).removesuffix(".0")
