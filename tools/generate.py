"""Write everything that follows from the kernels' declarations.

The declarations stand beside the kernels, in Rust. From them come the Python functions, methods,
stubs, result types, the catalog, and a page of documentation for each indicator. They are committed
so that reading and installing need no generator; a test fails when they are stale.

    python tools/generate.py           write
    python tools/generate.py --check   only tell whether anything would change
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KERNELS = ROOT / "crates/core/src/kernels"
GENERATED = Path("python/indicator_cache/_generated")
DOCS = Path("docs/indicators")
PACKAGE = Path("python/indicator_cache/__init__.py")
COMMAND = "make generate"

Spec = dict[str, Any]

HEADER = f'''"""Made from the kernels' declarations, not to be edited: `{COMMAND}`."""

from __future__ import annotations
'''

STUB_HEADER = HEADER.replace("\nfrom __future__ import annotations\n", "")

WIDTH = 92

#: Of code, as in pyproject.toml.
LINE = 100


def read_catalog() -> dict[str, Any]:
    """Ask the core for its registry."""
    command = ["cargo", "run", "--quiet", "--package", "indicator-core", "--example", "catalog"]
    answer = subprocess.run(  # noqa: S603 - no shell, nothing from outside
        command, cwd=ROOT, check=True, capture_output=True, text=True
    )
    catalog: dict[str, Any] = json.loads(answer.stdout)
    return catalog


def render(catalog: dict[str, Any]) -> dict[Path, str]:
    """Return the text of every generated file."""
    specs = catalog["indicators"]
    files = {
        GENERATED / "__init__.py": f'"""Made by tools/generate.py. Do not edit: `{COMMAND}`."""\n',
        GENERATED / "catalog.py": catalog_module(catalog),
        GENERATED / "results.py": results_module(specs),
        GENERATED / "functions.py": functions_module(specs),
        GENERATED / "functions.pyi": functions_stub(specs),
        GENERATED / "methods.py": methods_module(specs),
        GENERATED / "methods.pyi": methods_stub(specs),
        DOCS / "index.md": docs_index(specs),
        PACKAGE: package_init((ROOT / PACKAGE).read_text(encoding="utf-8"), specs),
    }
    files.update({DOCS / f"{spec['name']}.md": docs_page(spec) for spec in specs})
    return files


# --- names and types ---


def result_class(spec: Spec) -> str:
    return "".join(part.capitalize() for part in spec["name"].split("_")) + "Result"


def is_single(spec: Spec) -> bool:
    return len(spec["outputs"]) == 1


def reads_any_series(spec: Spec) -> bool:
    return bool(spec["inputs"] == ["x"])


def result_type(spec: Spec, item: str) -> str:
    return item if is_single(spec) else f"{result_class(spec)}[{item}]"


#: The plain type of each kind of parameter.
TYPES = {"integer": "int", "float": "float", "choice": "str", "flag": "bool"}


def annotation(param: Spec) -> str:
    words = ", ".join(f'"{word}"' for word in param.get("options", ()))
    kind = f"Literal[{words}]" if words else TYPES[param["kind"]]
    return f"{kind} | None" if param["optional"] else kind


def typing_names(specs: list[Spec]) -> list[str]:
    """Return what the annotations need beyond the built-in types."""
    return ["Literal"] if any("options" in p for spec in specs for p in spec["params"]) else []


def signature(spec: Spec, *, defaults: bool = True) -> list[str]:
    return [
        f"{p['name']}: {annotation(p)}" + (f" = {p['default']!r}" if defaults else "")
        for p in spec["params"]
    ]


def tuple_of(items: list[str]) -> str:
    return "(" + ", ".join(items) + ("," if len(items) == 1 else "") + ")"


def values(spec: Spec) -> str:
    return tuple_of([p["name"] for p in spec["params"]])


def constant(spec: Spec) -> str:
    return f"_{spec['name'].upper()}"


# --- docstrings ---


def wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


def allowed(param: Spec) -> str:
    if param["kind"] == "choice":
        what = " or ".join(map(repr, param["options"]))
    elif param["kind"] == "flag":
        what = "True or False"
    else:
        kind = "Whole number" if param["kind"] == "integer" else "Number"
        what = f"{kind} from {param['min']!r} to {param['max']!r}"
    none = ", or None" if param["optional"] else ""
    return f"{what}{none}, {param['default']!r} by default."


def docstring(spec: Spec, inputs: list[str], *, cached: bool) -> str:
    """Docstring in numpydoc's order: summary, parameters, returns, raises, notes, references."""
    lines = [f"{spec['title']}. {spec['summary']}", ""]
    lines += ["Parameters", "----------", *inputs]
    for param in spec["params"]:
        lines += [param["name"], *wrapped(f"{param['summary']} {allowed(param)}", "    ")]
    if cached:
        lines += ["i", *wrapped(ITEM_DOC, "    ")]
    lines += ["missing", *wrapped(MISSING_DOC[cached], "    ")]
    lines += ["", "Returns", "-------"]
    shape = "as many values as bars, float64" + (", read-only" if cached else "")
    for output in spec["outputs"]:
        where = f"Not NaN from bar {output['first_valid']} on at the earliest, counted from 0."
        if output["first_valid"] == "0":
            where = "Not NaN from the first bar on at the earliest."
        lines += [output["name"], *wrapped(f"{output['summary']} {where}", "    ")]
    together = "An array" if is_single(spec) else "A named tuple of arrays"
    alone = "a float" if is_single(spec) else "of floats"
    ending = f"; with `i`, {alone}." if cached else f". {KINDS_DOC}"
    lines += ["", *wrapped(f"{together} with {shape}{ending}", "")]
    lines += ["", "Raises", "------"]
    if cached:
        lines += ["UnknownSeriesError", "    When there is no such timeframe or price type."]
    refused = " or ".join(
        ["When a parameter is not allowed", *(f"not ``{rule['text']}``" for rule in spec["rules"])]
    )
    lines += ["ParameterError", *wrapped(f"{refused}.", "    ")]
    lines += ["MissingBarError", "    When a bar is missing, and `missing` is to raise then."]
    schema = (
        "When the series lacks a column."
        if cached
        else ("When an input is not one row of real numbers, or lengths differ.")
    )
    lines += ["SchemaError", f"    {schema}"]
    lines += ["", "Notes", "-----", "::", ""]
    lines += [f"    {line}" for line in spec["formula"].splitlines()]
    lines += ["", *wrapped(f"Missing bars: {spec['gaps']}", "")]
    lines += ["", *wrapped(f"Numbers as of {spec['reference']}", ""), ""]
    lines += ["References", "----------", *wrapped(f"{spec['source']}.", "")]
    return "\n".join(lines)


COLUMN_DOC = (
    "One value per bar, oldest first; NaN or null is a missing bar. An array, a series of pandas "
    "or polars, anything with the Arrow PyCapsule interface, or a sequence of numbers."
)

KINDS_DOC = (
    "Series of pandas (with the same index) or polars, and Arrow arrays, where those were given."
)

ITEM_DOC = (
    "Bar whose value to return, negative counting from the end, NaN beyond the ends; "
    "None for all bars."
)

MISSING_DOC = {
    False: "What to do about missing bars: default (as under Notes), propagate, skip or raise; see "
    "docs/missing.md.",
    True: "What to do about missing bars: default (as under Notes), propagate, skip or raise; None "
    "for what the cache was made with.",
}

SOURCE_DOC = ["source", "    Column to read: open, high, low, close or volume."]
SERIES_DOC = ["tf, pt", "    Timeframe and price type."]


def quoted(text: str, indent: str) -> str:
    return textwrap.indent(f'"""{text}\n"""', indent, lambda line: bool(line.strip()))


# --- Python modules ---


def catalog_module(catalog: dict[str, Any]) -> str:
    parts = [
        HEADER,
        "from ..spec import Accuracy, IndicatorSpec, Output, Parameter, Rule\n",
        '__all__ = ["BY_NAME", "FINGERPRINT", "VERSION"]\n',
        f'VERSION = "{catalog["version"]}"\n',
        "#: Fingerprint of the declarations: a backend with another one belongs to other files.",
        f"FINGERPRINT = {catalog['fingerprint']}\n",
        "_CATALOG = (",
    ]
    for index, spec in enumerate(catalog["indicators"]):
        parts.append("    IndicatorSpec(")
        parts.append(f"        position={index},")
        parts += [
            f"        {key}={spec[key]!r},"
            for key in (
                "name",
                "title",
                "group",
                "summary",
                "formula",
                "source",
                "reference",
                "gaps",
            )
        ]
        parts.append(f"        inputs={tuple(spec['inputs'])!r},")
        parts.append("        parameters=(")
        parts += [
            f"            Parameter({p['name']!r}, {p['kind']!r}, {p.get('min', 0)!r}, "
            f"{p.get('max', 1)!r}, {p['default']!r}, {p['summary']!r}"
            + (f", options={tuple(p['options'])!r}" if "options" in p else "")
            + (", optional=True" if p["optional"] else "")
            + "),"
            for p in spec["params"]
        ]
        names = ", ".join(p["name"] for p in spec["params"])
        rules = [
            f"Rule({r['param']!r}, {r['text']!r}, lambda {names}: {r['text']})"
            for r in spec["rules"]
        ]
        parts.append(f"        ),\n        rules={tuple_of(rules)},\n        outputs=(")
        parts += [
            f"            Output({o['name']!r}, {o['summary']!r}, {o['first_valid']!r}, "
            f"lambda {names}: {o['first_valid']}, ".replace("lambda :", "lambda:")
            + f"Accuracy({o['accuracy']['ulps']!r}, {o['accuracy']['of']!r})),"
            for o in spec["outputs"]
        ]
        parts.append("        ),")
        parts.append(f"        window={spec['window']!r},")
        parts.append(
            f"        window_of=lambda {names}: {spec['window']},".replace("lambda :", "lambda:")
        )
        parts.append(f"        transcendental={spec['transcendental']!r},")
        parts.append(f"        revision={spec['revision']!r},\n    ),")
    parts.append(
        ")\n\n#: Every indicator by name.\nBY_NAME = {spec.name: spec for spec in _CATALOG}\n"
    )
    return "\n".join(parts)


def results_module(specs: list[Spec]) -> str:
    several = [spec for spec in specs if not is_single(spec)]
    names = sorted(result_class(spec) for spec in several)
    parts = [
        HEADER,
        "from typing import Any, Generic, NamedTuple, TypeVar\n",
        f"__all__ = {names!r}\n".replace("'", '"'),
        'T = TypeVar("T")\n',
    ]
    for spec in several:
        parts.append(f"\nclass {result_class(spec)}(NamedTuple, Generic[T]):")
        parts.append(f'    """{spec["title"]}: an array or a number for each output."""\n')
        for output in spec["outputs"]:
            parts.append(f"    {output['name']}: T")
            parts.append(f'    """{output["summary"]}"""')
        parts.append("")
    parts.append("\n#: The type of every indicator with more than one output.")
    parts.append("RESULTS: dict[str, Any] = {")
    parts += [f'    "{spec["name"]}": {result_class(spec)},' for spec in several]
    parts.append("}\n")
    return "\n".join(parts)


def imports_of_results(specs: list[Spec]) -> str:
    names = sorted(result_class(spec) for spec in specs if not is_single(spec))
    return f"from .results import {', '.join(names)}\n"


def constants(specs: list[Spec]) -> str:
    return "\n".join(f'{constant(spec)} = BY_NAME["{spec["name"]}"]' for spec in specs) + "\n"


def functions_module(specs: list[Spec]) -> str:
    names = sorted(spec["name"] for spec in specs)
    parts = [
        HEADER,
        f"from typing import {', '.join(['Any', *typing_names(specs)])}\n",
        "from .._compute import compute",
        "from .._missing import MissingPolicy",
        "from .catalog import BY_NAME",
        imports_of_results(specs),
        f"__all__ = {names!r}\n".replace("'", '"'),
        constants(specs),
    ]
    for spec in specs:
        returns = result_type(spec, "Any")
        inputs = [", ".join(spec["inputs"]), *wrapped(COLUMN_DOC, "    ")]
        parts.append(f"\n{function(spec, 'Any', returns)}:")
        parts.append(quoted(docstring(spec, inputs, cached=False), "    "))
        columns = tuple_of(spec["inputs"])
        parts.append(
            f"    result: {returns} = compute({constant(spec)}, {columns}, {values(spec)}, missing)"
        )
        parts.append("    return result\n")
    return "\n".join(parts)


def function(spec: Spec, given: str, returns: str) -> str:
    """Return the line that begins a function of columns of one kind."""
    arguments = [f"{name}: {given}" for name in spec["inputs"]] + signature(spec)
    arguments += ["*", 'missing: MissingPolicy = "default"']
    return f"def {spec['name']}({', '.join(arguments)}) -> {returns}"


def functions_stub(specs: list[Spec]) -> str:
    parts = [
        STUB_HEADER,
        f"from typing import {', '.join(['Any', *typing_names(specs), 'overload'])}\n",
        "import numpy.typing as npt\n",
        "from .._arrays import FloatArray",
        "from .._callers import ArrowLike, SeriesT",
        "from .._missing import MissingPolicy",
        imports_of_results(specs),
        f"__all__ = {sorted(spec['name'] for spec in specs)!r}\n".replace("'", '"'),
    ]
    kinds = {
        "SeriesT": "SeriesT",
        "npt.ArrayLike": "FloatArray",
        "ArrowLike": "Any",
    }
    for spec in specs:
        for given, result in kinds.items():
            parts += ["@overload", f"{function(spec, given, result_type(spec, result))}: ..."]
    return "\n".join(parts) + "\n"


def method(spec: Spec, lead: list[str], item: str, returns: str) -> str:
    """Return the line that begins a method; `item` is how it takes ``i``."""
    source = ['source: str = "close"'] if reads_any_series(spec) else []
    arguments = ["self", *lead, *source, *signature(spec), item, MISSING]
    return f"    def {spec['name']}({', '.join(arguments)}) -> {returns}:"


SERIES = ["tf: Hashable", "pt: Hashable"]

#: The last argument of every method. It could be one by name alone, but Python looks up the default
#: of such a one in a dictionary, which a call that is answered from memory would notice.
MISSING = "missing: MissingPolicy | None = None"

#: Arguments of what every method calls.
GET = (
    "self, spec: IndicatorSpec, {series}source: str, values: tuple[object, ...], i: int | None, "
    "missing: MissingPolicy | None"
)


#: What the methods of the cache look into before anything else.
RECENT = [
    "    #: Results by the very arguments of the call that gave them.",
    "    _recent: dict[tuple[object, ...], Any]",
    "    #: Calls answered from there.",
    "    _quick: int\n",
]


def recent_result(spec: Spec, index: int, source: str) -> list[str]:
    """Return the lines that answer a repeated call at once.

    Keys that compare equal may still be different arguments (20, 20.0 and True), hence the types.
    """
    names = [param["name"] for param in spec["params"]]
    plain = [
        f"(type({p['name']}) is {TYPES[p['kind']]} or {p['name']} is None)"
        if p["optional"]
        else f"type({p['name']}) is {TYPES[p['kind']]}"
        for p in spec["params"]
    ]
    key = ", ".join([str(index), "tf", "pt", *([source] if source != '""' else []), *names])
    lookup = f"self._recent.get(({key}))"
    return [
        "        try:",
        f"            hit = {lookup}" + (f" if {' and '.join(plain)} else None" if plain else ""),
        "        except TypeError:  # what cannot be a key is refused further down",
        "            hit = None",
        "        if hit is not None and i is None and missing is None:",
        "            self._quick += 1",
        "            return hit",
    ]


def methods_module(specs: list[Spec]) -> str:
    parts = [
        HEADER,
        "from collections.abc import Hashable",
        f"from typing import {', '.join(['Any', *typing_names(specs)])}\n",
        "from .._missing import MissingPolicy",
        "from ..spec import IndicatorSpec",
        "from .catalog import BY_NAME\n",
        '__all__ = ["CacheMethods", "ViewMethods"]\n',
        constants(specs),
    ]
    for name, lead, passed in ("CacheMethods", SERIES, "tf, pt, "), ("ViewMethods", [], ""):
        given = "tf: Hashable, pt: Hashable, " if lead else ""
        parts += [f"\nclass {name}:", '    """One method per indicator."""\n']
        if lead:
            parts += RECENT
        parts += [
            f"    def _get({GET.format(series=given)}) -> Any:",
            "        raise NotImplementedError\n",
        ]
        for index, spec in enumerate(specs):
            inputs = [
                *(SERIES_DOC if lead else []),
                *(SOURCE_DOC if reads_any_series(spec) else []),
            ]
            source = "source" if reads_any_series(spec) else '""'
            parts.append(method(spec, lead, "i: int | None = None", "Any"))
            parts.append(quoted(docstring(spec, inputs, cached=True), "        "))
            if lead:
                parts += recent_result(spec, index, source)
            parts.append(
                f"        return self._get({constant(spec)}, {passed}{source}, {values(spec)}, "
                "i, missing)\n"
            )
    return "\n".join(parts)


def methods_stub(specs: list[Spec]) -> str:
    parts = [
        STUB_HEADER,
        "from collections.abc import Hashable",
        f"from typing import {', '.join(['Any', *typing_names(specs), 'overload'])}\n",
        "from .._arrays import FloatArray",
        "from .._missing import MissingPolicy",
        "from ..spec import IndicatorSpec",
        imports_of_results(specs),
        '__all__ = ["CacheMethods", "ViewMethods"]\n',
    ]
    for name, lead in ("CacheMethods", SERIES), ("ViewMethods", []):
        given = "tf: Hashable, pt: Hashable, " if lead else ""
        parts.append(f"class {name}:")
        if lead:
            parts += RECENT
        parts.append(f"    def _get({GET.format(series=given)}) -> Any: ...")
        for spec in specs:
            for item, result in (
                ("i: None = None", "FloatArray"),
                ("*, i: int", "float"),
                ("", "float"),
            ):
                returns = result_type(spec, result)
                if item:
                    line = method(spec, lead, item, returns)
                else:
                    # By position, every argument before has to be given.
                    source = ["source: str"] if reads_any_series(spec) else []
                    given_all = ["self", *lead, *source, *signature(spec, defaults=False)]
                    given_all += ["i: int", MISSING]
                    line = f"    def {spec['name']}({', '.join(given_all)}) -> {returns}:"
                parts += ["    @overload", f"{line} ..."]
        parts.append("")
    return "\n".join(parts)


def package_init(text: str, specs: list[Spec]) -> str:
    """Return the package's own file with the generated names in its imports and ``__all__``.

    Spelled out, because neither people nor type checkers can see through anything cleverer.
    """
    current = {
        "functions": [spec["name"] for spec in specs],
        "results": [result_class(spec) for spec in specs if not is_single(spec)],
    }
    exported = set(re.findall(r'^    "(\w+)",$', text, re.MULTILINE))
    for module, names in current.items():
        pattern = rf"from \._generated\.{module} import \(\n(.*?)\)\n"
        found = re.search(pattern, text, re.DOTALL)
        if found is None:
            raise SystemExit(f"{PACKAGE}: no import of _generated.{module} to keep up to date")
        exported -= set(re.findall(r"\w+", found[1]))
        exported |= set(names)
        lines = "".join(f"    {name},\n" for name in sorted(names))
        text = text.replace(found[0], f"from ._generated.{module} import (\n{lines})\n")
    lines = "".join(f'    "{name}",\n' for name in sorted(exported))
    return re.sub(r"__all__ = \[.*?\]\n", f"__all__ = [\n{lines}]\n", text, flags=re.DOTALL)


# --- documentation ---


def docs_index(specs: list[Spec]) -> str:
    rows = [
        f"| [`{s['name']}`]({s['name']}.md) | {s['title']} | {s['group']} | "
        f"{', '.join(s['inputs'])} | "
        f"{', '.join(p['name'] + ' ' + str(p['default']) for p in s['params']) or '-'} | "
        f"{', '.join(o['name'] for o in s['outputs'])} |"
        for s in specs
    ]
    head = "| name | title | group | inputs | parameters | outputs |\n|---|---|---|---|---|---|"
    note = f"<!-- Made by tools/generate.py from the kernels' declarations: {COMMAND} -->"
    return f"{note}\n# Indicators\n\n{head}\n" + "\n".join(rows) + "\n"


def accuracy_section(spec: Spec) -> list[str]:
    lines = [
        ACCURACY_DOC,
        "",
        "| name | times | magnitude |",
        "|---|---|---|",
    ]
    bounds = [(output["name"], output["accuracy"]) for output in spec["outputs"]]
    lines += [f"| `{name}` | {bound['ulps']:g} | `{bound['of']}` |" for name, bound in bounds]
    if any("m(" in bound["of"] for _, bound in bounds):
        lines += ["", MAGNITUDE_DOC]
    lines += ["", "[Accuracy](../accuracy.md) tells how that is measured, and what others reach."]
    return lines


MISSING_PAGE = (
    "That is the default. [Missing bars](../missing.md) tells what else there is to choose."
)

ACCURACY_DOC = (
    "Against exact arithmetic the error is at most so many times 2^-53, what one rounding loses, "
    "times a magnitude, or times 2^-1022 where that is larger:"
)

MAGNITUDE_DOC = (
    "Where `m` is `1 + 1 / alpha` times the same average of magnitudes, `alpha` its smoothing "
    "factor; or times what two bars in a row reached within the last sixteen bars or, fading by "
    "`1 - alpha` a bar, before them, if that is larger."
)


def prose(spec: Spec) -> str:
    return (KERNELS / f"{spec['name']}.md").read_text(encoding="utf-8").strip()


def written(value: object) -> str:
    """Return a value as the formatter would have it."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


def call(function: str, arguments: list[str]) -> str:
    """Return a call as the formatter, which looks into the pages, would have it."""
    line = f"{function}({', '.join(arguments)})"
    if len(line) <= LINE:
        return line
    return "\n".join([f"{function}(", *(f"    {argument}," for argument in arguments), ")"])


def docs_page(spec: Spec) -> str:
    named = [*spec["inputs"], *(f"{p['name']}={written(p['default'])}" for p in spec["params"])]
    source = ['"close"'] if reads_any_series(spec) else []
    plain = ['"M1"', '"bid"', *source, *(written(p["default"]) for p in spec["params"])]
    lines = [
        f"<!-- Made from crates/core/src/kernels/{spec['name']}.* by {COMMAND}: edit there -->",
        f"# {spec['title']}",
        "",
        f"`{spec['name']}` · {spec['group']} · revision {spec['revision']}",
        "",
        spec["summary"],
        "",
        "```python",
        call(f"indicator_cache.{spec['name']}", named),
        call(f"cache.{spec['name']}", plain),
        "```",
        "",
        "## Formula",
        "",
        "```text",
        spec["formula"],
        "```",
        "",
        "## Parameters",
        "",
    ]
    if spec["params"]:
        lines += ["| name | meaning | allowed |", "|---|---|---|"]
        lines += [f"| `{p['name']}` | {p['summary']} | {allowed(p)} |" for p in spec["params"]]
    else:
        lines.append("None.")
    if spec["rules"]:
        lines += ["", f"Together: {', '.join('`' + rule['text'] + '`' for rule in spec['rules'])}."]
    lines += [
        "",
        "## Results",
        "",
        "| name | meaning | first bar with a value, from 0 |",
        "|---|---|---|",
    ]
    lines += [f"| `{o['name']}` | {o['summary']} | `{o['first_valid']}` |" for o in spec["outputs"]]
    if spec["window"]:
        none = (
            " Where that is `None`, it depends on all bars so far."
            if "None" in spec["window"]
            else ""
        )
        lines += [
            "",
            f"A result depends on the last `{spec['window']}` bars and on no others.{none}",
        ]
    else:
        lines += ["", "A result depends on all bars so far, ever less on the older ones."]
    lines += ["", *accuracy_section(spec)]
    lines += ["", "## Missing bars", "", spec["gaps"], "", MISSING_PAGE, "", prose(spec), ""]
    lines += [
        "## References",
        "",
        f"- {spec['source']}.",
        f"- Numbers as of `{spec['reference']}`.",
        "",
    ]
    return "\n".join(lines)


# --- command ---


def stale(files: dict[Path, str]) -> list[Path]:
    """Return the files whose content on disk is not what it should be, leftovers included."""
    different = [
        path
        for path, text in files.items()
        if not (ROOT / path).exists() or (ROOT / path).read_text(encoding="utf-8") != text
    ]
    present = {
        path.relative_to(ROOT)
        for folder in (GENERATED, DOCS)
        for path in (ROOT / folder).glob("*.*")
    }
    return sorted([*different, *(present - files.keys())])


def main() -> int:
    """Write, or with ``--check`` compare."""
    parser = argparse.ArgumentParser(
        description="Write what follows from the kernels' declarations."
    )
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 when stale")
    only_check = parser.parse_args().check
    files = render(read_catalog())
    outdated = stale(files)
    if only_check:
        for path in outdated:
            print(f"{path} is stale, run: {COMMAND}", file=sys.stderr)
        return 1 if outdated else 0
    for path in outdated:
        target = ROOT / path
        if path in files:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(files[path], encoding="utf-8")
        else:
            target.unlink()
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
