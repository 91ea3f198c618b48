"""Write the JavaScript package: `make npm` runs this when the WebAssembly module is there.

Of the files in npm/src, none knows an indicator. The functions, the methods and the types with
their documentation are written here, from the kernels' own declarations.

    python -m tools.npm_package FOLDER    FOLDER holds what wasm-bindgen made
"""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.generate import ROOT, Spec, allowed, is_single, read_catalog, reads_any_series, wrapped

SOURCES = ROOT / "npm/src"
MODULE = "engine_bg.wasm"

HEADER = "// Made from the kernels' declarations by tools/npm_package.py.\n"

#: What a parameter can be in TypeScript.
TYPES = {"integer": "number", "float": "number", "flag": "boolean"}


def manifest(version: str) -> dict[str, Any]:
    """Return the contents of package.json."""
    types = "./index.d.ts"
    return {
        "name": "indicator-cache",
        "version": version,
        "description": "Technical indicators: the same 64 bits in browsers, Node and Python",
        "keywords": ["technical indicators", "trading", "finance", "webassembly"],
        "license": "MIT OR Apache-2.0",
        "type": "module",
        "sideEffects": ["./browser.js", "./bundler.js", "./node.js"],
        "engines": {"node": ">=20.19"},
        # `module` is a condition that bundlers set and nobody else, whatever they bundle for.
        "exports": {
            ".": {
                "types": types,
                "module": "./bundler.js",
                "node": "./node.js",
                "default": "./browser.js",
            },
            **{
                f"./{name}": {"types": types, "default": f"./{name}.js"}
                for name in ("browser", "bundler", "node")
            },
        },
        "types": types,
    }


# --- code ---


def functions(specs: list[Spec]) -> str:
    """Return a function for each indicator, and the methods of caches and views."""
    parts = [HEADER, 'import { compute } from "./compute.js";\n']
    for spec in specs:
        name = spec["name"]
        parts.append(
            f'export function {name}(...given) {{\n  return compute("{name}", given);\n}}\n'
        )
    for kind, lead in ("CacheMethods", "tf, pt, "), ("ViewMethods", ""):
        parts.append(f"export class {kind} {{")
        for spec in specs:
            name = spec["name"]
            parts.append(f"  {name}({lead}options) {{")
            parts.append(f'    return this.get({lead}"{name}", options);\n  }}\n')
        parts[-1] = parts[-1].rstrip() + "\n}\n"
    return "\n".join(parts)


def everything(specs: list[Spec]) -> str:
    """Return what the package exports."""
    names = "".join(f"  {spec['name']},\n" for spec in specs)
    return f'{HEADER}export * from "./index.js";\nexport {{\n{names}}} from "./functions.js";\n'


# --- types ---


def class_name(spec: Spec) -> str:
    return "".join(part.capitalize() for part in spec["name"].split("_"))


def parameter_type(param: Spec) -> str:
    plain = " | ".join(map(json.dumps, param.get("options", ()))) or TYPES[param["kind"]]
    return f"{plain} | null" if param["optional"] else plain


def in_javascript(text: str) -> str:
    """Return words about values with the values as they are written here."""
    for python, javascript in ("True", "true"), ("False", "false"), ("None", "null"):
        text = text.replace(python, javascript)
    return text


def comment(lines: list[str], indent: str = "") -> str:
    body = "\n".join(f"{indent} * {line}".rstrip() for line in lines)
    return f"{indent}/**\n{body.replace('*/', '* /')}\n{indent} */"


def documentation(spec: Spec, *, cached: bool) -> list[str]:
    """Return what an editor shows: summary, formula, parameters, results, errors, sources."""
    lines = [
        f"{spec['title']}. {spec['summary']}",
        "",
        "```text",
        *spec["formula"].splitlines(),
        "```",
        "",
    ]
    lines += wrapped(f"Missing bars: {spec['gaps']}", "")
    lines += ["", *wrapped(f"Numbers as of {spec['reference']}", ""), ""]
    lines += wrapped(f"Source: {spec['source']}.", "")
    lines.append("")
    if not cached:
        lines += [f"@param {name} - One value per bar, oldest first." for name in spec["inputs"]]
    together = "A Float64Array" if is_single(spec) else "Float64Arrays"
    found = "; ".join(
        f"`{o['name']}`: {o['summary']} From bar {o['first_valid']}." for o in spec["outputs"]
    )
    lines += wrapped(f"@returns {together} as long as the inputs. {found}", "")
    rules = "".join(f" or not `{rule['text']}`" for rule in spec["rules"])
    lines.append(f"@throws ParameterError when a parameter is not allowed{rules}.")
    lacking, unfit = (
        "the series lacks a column",
        "an input is not one row of numbers, or lengths differ",
    )
    lines.append(f"@throws SchemaError when {lacking if cached else unfit}.")
    if cached:
        lines.append("@throws UnknownSeriesError when there is no such timeframe or price type.")
    return lines


def result_type(spec: Spec, item: str) -> str:
    return item if is_single(spec) else f"{class_name(spec)}Result<{item}>"


def declarations(specs: list[Spec]) -> str:
    """Return the types of everything that grows with the registry."""
    parts = [HEADER, 'import { Column, ReadonlyColumn, Source } from "./index.js";\n']
    for spec in specs:
        parts.append(f"/** Parameters of {{@link {spec['name']}}}. */")
        parts.append(f"export interface {class_name(spec)}Parameters {{")
        for param in spec["params"]:
            text = in_javascript(f"{param['summary']} {allowed(param)}")
            parts.append(comment(wrapped(text, ""), "  "))
            parts.append(f"  readonly {param['name']}?: {parameter_type(param)};")
        parts.append("}\n")
        if not is_single(spec):
            parts.append(f"/** {spec['title']}: an array or a number for each output. */")
            parts.append(f"export type {class_name(spec)}Result<T> = {{")
            for output in spec["outputs"]:
                parts.append(comment(wrapped(output["summary"], ""), "  "))
                parts.append(f"  {output['name']}: T;")
            parts.append("};\n")
        columns = "".join(f"{name}: Column, " for name in spec["inputs"])
        parts.append(comment(documentation(spec, cached=False)))
        parts.append(
            f"export function {spec['name']}({columns}params?: {class_name(spec)}Parameters): "
            f"{result_type(spec, 'Float64Array')};\n"
        )
    tables: dict[str, Callable[[Spec], str]] = {
        "Parameters": lambda spec: f"{class_name(spec)}Parameters",
        "Results<T>": lambda spec: result_type(spec, "T"),
        "Inputs<T>": lambda spec: f"[{', '.join(f'{name}: T' for name in spec['inputs'])}]",
    }
    for name, kind_of in tables.items():
        parts.append(f"/** {name.partition('<')[0]} of each indicator. */")
        parts.append(f"export interface {name} {{")
        parts += [f"  {spec['name']}: {kind_of(spec)};" for spec in specs]
        parts.append("}\n")
    parts.append("/** Name of an indicator. */\nexport type IndicatorName = keyof Parameters;\n")
    for kind, lead in ("CacheMethods", "tf: string, pt: string, "), ("ViewMethods", ""):
        parts.append(f"/** A method for each indicator. */\nexport interface {kind} {{")
        for spec in specs:
            source = " & { readonly source?: Source }" if reads_any_series(spec) else ""
            parts.append(comment(documentation(spec, cached=True), "  "))
            parts.append(
                f"  {spec['name']}({lead}options?: {class_name(spec)}Parameters{source}): "
                f"{result_type(spec, 'ReadonlyColumn')};\n"
            )
        parts[-1] = parts[-1].rstrip() + "\n}\n"
    return "\n".join(parts)


# --- command ---


def write(folder: Path) -> None:
    """Add to what wasm-bindgen made whatever else belongs into the package."""
    catalog = read_catalog()
    specs = catalog["indicators"]
    for path in SOURCES.iterdir():
        shutil.copy(path, folder)
    for name in "LICENSE-MIT", "LICENSE-APACHE", "npm/README.md":
        shutil.copy(ROOT / name, folder)
    # The time is left out, so that the same sources give the same bytes.
    packed = base64.b64encode(gzip.compress((folder / MODULE).read_bytes(), mtime=0)).decode()
    texts = {
        "all.js": everything(specs),
        "functions.js": functions(specs),
        "functions.d.ts": declarations(specs),
        "inline.js": f'export default "{packed}";\n',
        "package.json": json.dumps(manifest(catalog["version"]), indent=2) + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
