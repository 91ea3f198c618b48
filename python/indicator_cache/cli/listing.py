"""``indicator-cache list``: what there is."""

from __future__ import annotations

import textwrap

from .._generated.catalog import BY_NAME
from .._requests import find
from ..spec import IndicatorSpec

__all__ = ["run"]


def run(name: str | None) -> int:
    """Print all indicators, one a line, or the whole declaration of one."""
    if name is not None:
        print("\n".join(_declaration(find(name))))
        return 0
    rows = [(_call(spec), _outputs(spec), spec.title) for spec in BY_NAME.values()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for call, outputs, title in rows:
        print(f"{call:{widths[0]}}  ->  {outputs:{widths[1]}}  {title}")
    return 0


def _call(spec: IndicatorSpec) -> str:
    inputs = ["source"] if spec.inputs == ("x",) else list(spec.inputs)
    parameters = [f"{parameter.name}={parameter.default}" for parameter in spec.parameters]
    return f"{spec.name}({', '.join(inputs + parameters)})"


def _outputs(spec: IndicatorSpec) -> str:
    return ", ".join(output.name for output in spec.outputs)


def _declaration(spec: IndicatorSpec) -> list[str]:
    lines = [f"{spec.name}: {spec.title} ({spec.group})", *_wrap(spec.summary, "  "), ""]
    lines += [f"  {line}" for line in spec.formula.splitlines()]
    inputs = ", ".join(spec.inputs)
    lines += ["", f"inputs       {'any one column' if inputs == 'x' else inputs}"]
    for number, parameter in enumerate(spec.parameters):
        lines += _wrap(
            f"{parameter.name}: {parameter.expected}, {parameter.default} by default. "
            f"{parameter.summary}",
            "" if number else "parameters",
        )
    for number, output in enumerate(spec.outputs):
        lines += _wrap(
            f"{output.name}: {output.summary} First value at bar {output.first_valid}, "
            "counted from 0.",
            "" if number else "outputs",
        )
    lines += _wrap(spec.gaps, "gaps")
    lines += _wrap(spec.reference, "numbers of")
    lines += _wrap(spec.source, "source")
    lines += [f"revision     {spec.revision}"]
    return lines


def _wrap(text: str, label: str) -> list[str]:
    indent = label if label.isspace() else f"{label:13}"
    return textwrap.wrap(
        text,
        width=96,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
