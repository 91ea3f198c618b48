"""What follows from the kernels' declarations is there, complete and up to date."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import indicator_cache as ic
from indicator_cache.backends.reference import KERNELS

from .bars import Bars, around, compute, parameter_sets, walk

ROOT = Path(__file__).resolve().parent.parent
NAMES = tuple(ic.catalog())

every_indicator = pytest.mark.parametrize("name", NAMES)


@pytest.mark.tree
def test_up_to_date() -> None:
    command = [sys.executable, "tools/generate.py", "--check"]
    done = subprocess.run(  # noqa: S603 - a file of this repository
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The generator, at work on a copy of what it has written."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "tools" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    catalog = module.read_catalog()
    monkeypatch.setattr(module, "read_catalog", lambda: catalog)
    for path in module.render(catalog):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((ROOT / path).read_bytes())
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


@pytest.mark.tree
def test_stale_files_are_told_with_the_command(
    generate: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    assert generate.main() == 0
    changed = tmp_path / "python/indicator_cache/_generated/methods.py"
    changed.write_text(changed.read_text(encoding="utf-8") + "#", encoding="utf-8")
    (tmp_path / "docs/indicators/sma.md").unlink()
    (tmp_path / "docs/indicators/gone.md").write_text("", encoding="utf-8")
    assert generate.main() == 1
    assert capsys.readouterr().err.splitlines() == [
        "docs/indicators/gone.md is stale, run: make generate",
        "docs/indicators/sma.md is stale, run: make generate",
        "python/indicator_cache/_generated/methods.py is stale, run: make generate",
    ]
    monkeypatch.setattr(sys, "argv", ["generate.py"])
    assert generate.main() == 0
    assert capsys.readouterr().out.count("\n") == 3
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    assert generate.main() == 0


def squeezed(text: str | None) -> str:
    assert text is not None
    return " ".join(text.split())


@every_indicator
def test_docstrings(name: str) -> None:
    """Formula, source, gap rule, parameters with ranges, outputs, errors: in every place."""
    spec = ic.catalog()[name]
    places = getattr(ic, name), getattr(ic.IndicatorCache, name), getattr(ic.SeriesView, name)
    for place in places:
        text = squeezed(place.__doc__)
        for part in (spec.title, *spec.formula.splitlines(), spec.source, spec.gaps):
            assert squeezed(part) in text, part
        for parameter in spec.parameters:
            assert squeezed(parameter.summary) in text
            limits = f"from {parameter.min!r} to {parameter.max!r}"
            if parameter.kind == "choice":
                limits = " or ".join(map(repr, parameter.options))
            elif parameter.kind == "flag":
                limits = "True or False"
            none = ", or None" if parameter.optional else ""
            assert f"{limits}{none}, {parameter.default!r} by default" in text
        for rule in spec.rules:
            assert f"not ``{rule.text}``" in text
        for output in spec.outputs:
            assert squeezed(output.summary) in text
        for section in "Returns -------", "Raises ------ ", "References ----------":
            assert section in text
        for error in "ParameterError", "SchemaError":
            assert error in text
        assert "float64" in text


@every_indicator
def test_signatures(name: str) -> None:
    spec = ic.catalog()[name]
    defaults = [(p.name, p.default) for p in spec.parameters]
    any_series = spec.inputs == ("x",)
    function = inspect.signature(getattr(ic, name)).parameters
    assert list(function) == [*spec.inputs, *(p.name for p in spec.parameters), "missing"]
    assert function["missing"].kind == inspect.Parameter.KEYWORD_ONLY
    source = [("source", "close")] if any_series else []
    for owner, lead in (ic.IndicatorCache, ["tf", "pt"]), (ic.SeriesView, []):
        method = inspect.signature(getattr(owner, name)).parameters
        required = [p.name for p in method.values() if p.default is inspect.Parameter.empty]
        assert required == ["self", *lead]
        given = [(p.name, p.default) for p in method.values()][len(required) :]
        assert given == [*source, *defaults, ("i", None), ("missing", None)]


@pytest.mark.tree
@every_indicator
def test_stubs(name: str) -> None:
    """Three overloads in both classes: all bars, one by name, one by position."""
    stub = ROOT / "python/indicator_cache/_generated/methods.pyi"
    classes = [
        node
        for node in ast.parse(stub.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    ]
    assert [node.name for node in classes] == ["CacheMethods", "ViewMethods"]
    for node in classes:
        overloads = [f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == name]
        assert len(overloads) == 3
        assert all(ast.unparse(f.decorator_list[0]) == "overload" for f in overloads)


@every_indicator
def test_nothing_is_missing(name: str) -> None:
    spec = ic.catalog()[name]
    assert name in ic.__all__
    for suffix in ".rs", ".md":
        assert (ROOT / "crates/core/src/kernels" / f"{name}{suffix}").is_file()
    page = (ROOT / "docs/indicators" / f"{name}.md").read_text(encoding="utf-8")
    assert page.count(f"# {spec.title}\n") == 1
    for part in (spec.formula, spec.source, spec.gaps, spec.summary):
        assert part in page
    prose = (ROOT / "crates/core/src/kernels" / f"{name}.md").read_text(encoding="utf-8")
    assert len(prose.split()) >= 20, "the prose is still to be written"
    assert prose.strip() in page
    index = (ROOT / "docs/indicators/index.md").read_text(encoding="utf-8")
    assert f"[`{name}`]({name}.md)" in index
    assert name in KERNELS
    assert spec.position == NAMES.index(name)


def test_nothing_is_left_over() -> None:
    kernels = {path.stem for path in (ROOT / "crates/core/src/kernels").glob("*.rs")} - {"mod"}
    pages = {path.stem for path in (ROOT / "docs/indicators").glob("*.md")} - {"index"}
    assert kernels == pages == set(KERNELS) == set(NAMES)
    assert sorted(NAMES) == list(NAMES)
    assert ic.__all__ == sorted(ic.__all__)
    assert all(hasattr(ic, name) for name in ic.__all__)
    several = {name for name, spec in ic.catalog().items() if len(spec.outputs) > 1}
    assert {f"{name.title().replace('_', '')}Result" for name in several} <= set(ic.__all__)


def test_catalog_cannot_be_changed() -> None:
    catalog = ic.catalog()
    with pytest.raises(TypeError):
        catalog["ema"] = catalog["sma"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        catalog["ema"].name = "sma"  # type: ignore[misc]


def rising() -> Bars:
    """Every bar moves, so that every indicator has a value as early as it ever can."""
    return around(walk(300)["close"] + 5.0 * np.arange(300), seed=1)


@every_indicator
def test_first_valid(name: str) -> None:
    spec, bars = ic.catalog()[name], rising()
    for params in parameter_sets(spec):
        expected = spec.first_valid(**params)
        columns = compute(name, bars, params)
        for column, (output, first) in zip(columns.values(), expected.items(), strict=True):
            present = np.flatnonzero(~np.isnan(column)).tolist()
            # From there on at the earliest: the deviation of one bar never exists, and nothing
            # can be measured in a variance without a source.
            never = not present and (1 in params.values() or params.get("omega") == 0.0)
            assert never or present == list(range(first, 300)), (output, params)


def test_version() -> None:
    manifest = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{ic.__version__}"\n' in manifest
