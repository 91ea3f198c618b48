"""What is in the three files of `dist`, and what their registries and tools will say of them."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tools.release_files import BUDGET, MODULE

import indicator_cache as ic

from .conftest import ROOT, Dist, done, tool

LIBRARY = "indicator_cache/_native.abi3.so"

#: Bytes. A limit is there to be noticed when something large comes in by mistake.
MODULE_BUDGET = 300 * 1024


def wheel(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sdist_files(path: Path) -> dict[str, bytes]:
    """Return the files of a source distribution, without the folder that they are in."""
    files = {}
    with tarfile.open(path) as archive:
        for member in archive:
            if (file := archive.extractfile(member)) is not None:
                files[member.name.partition("/")[2]] = file.read()
    return files


def info(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name.partition("/")[2]: files[name] for name in files if ".dist-info/" in name}


def tracked(*patterns: str) -> set[str]:
    """Return the committed files, and those about to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(  # noqa: S603 - git
        command, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}


def test_names(dist: Dist) -> None:
    base = f"indicator_cache-{ic.__version__}"
    assert dist.any.name == f"{base}-py3-none-any.whl"
    assert dist.sdist.name == f"{base}.tar.gz"
    assert dist.native.name.startswith(f"{base}-cp311-abi3-")
    # Elsewhere the C library comes with the system and has no version to be tied to.
    assert "manylinux_2_17" in dist.native.name or sys.platform != "linux"


def test_one_metadata(dist: Dist) -> None:
    """Installers read one wheel and assume the same of all."""
    native, pure = info(wheel(dist.native)), info(wheel(dist.any))
    assert native["METADATA"] == pure["METADATA"] == sdist_files(dist.sdist)["PKG-INFO"]
    text = native["METADATA"].decode()
    assert "\nLicense-Expression: MIT OR Apache-2.0\n" in text
    assert "\nRequires-Python: >=3.11\n" in text
    extras = set(re.findall(r"^Provides-Extra: (.*)$", text, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert extras == set(project["optional-dependencies"])
    assert extras >= {"wasm", "pandas", "polars", "arrow", "cli", "demo"}
    without_extra = re.findall(r"^Requires-Dist: ((?!.*extra ==).*)$", text, re.MULTILINE)
    assert without_extra == [
        "numpy>=1.26",
        "wasmtime>=45 ; implementation_name != 'cpython' and sys_platform != 'emscripten'",
    ]
    assert native["entry_points.txt"] == pure["entry_points.txt"]


def test_the_same_module_everywhere(dist: Dist) -> None:
    sources = sdist_files(dist.sdist)
    modules = [
        wheel(dist.native)[MODULE],
        wheel(dist.any)[MODULE],
        sources[f"python/{MODULE}"],
        (ROOT / "python" / MODULE).read_bytes(),
    ]
    assert len({hashlib.sha256(module).hexdigest() for module in modules}) == 1
    assert len(modules[0]) <= MODULE_BUDGET


def test_files_of_the_wheels(dist: Dist) -> None:
    package = {name.removeprefix("python/") for name in tracked("python")} | {MODULE}
    native, pure = wheel(dist.native), wheel(dist.any)
    in_native = {name for name in native if ".dist-info/" not in name}
    in_pure = {name for name in pure if ".dist-info/" not in name}
    assert in_native == package | {LIBRARY}
    assert in_pure == package
    assert all(native[name] == pure[name] for name in package)
    common = {"METADATA", "WHEEL", "RECORD", "entry_points.txt"}
    licences = {"licenses/LICENSE-MIT", "licenses/LICENSE-APACHE"}
    assert set(info(native)) == common | licences | {"sboms/indicator-py.cyclonedx.json"}
    assert set(info(pure)) == common | licences | {"sboms/indicator-wasm.cyclonedx.json"}
    for licence in licences:
        assert info(pure)[licence] == (ROOT / Path(licence).name).read_bytes()


def test_nothing_native_in_the_any_wheel(dist: Dist) -> None:
    files = wheel(dist.any)
    assert not [name for name in files if re.search(r"\.(so|pyd|dylib|dll|a)\b", name)]
    executables = b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"
    assert not [name for name, content in files.items() if content.startswith(executables)]
    lines = info(files)["WHEEL"].decode().splitlines()
    assert [line for line in lines if line.startswith(("Tag", "Root"))] == [
        "Root-Is-Purelib: true",
        "Tag: py3-none-any",
    ]


def test_files_of_the_source_distribution(dist: Dist) -> None:
    """All that is needed to build both halves again, and the module ready."""
    files = set(sdist_files(dist.sdist))
    roots = {"Cargo.toml", "Cargo.lock", "pyproject.toml", "README.md"}
    scripts = {"tools/build_wasm.sh", "tools/wasm_target.sh"}
    licences = {"LICENSE-MIT", "LICENSE-APACHE"}
    assert tracked("python", "crates") | roots | scripts | licences | {f"python/{MODULE}"} <= files
    assert not [name for name in files if "__pycache__" in name or name.endswith((".so", ".pyd"))]


def test_sizes(dist: Dist) -> None:
    assert dist.native.stat().st_size < BUDGET
    assert dist.any.stat().st_size < BUDGET


def test_no_folder_of_this_machine(dist: Dist) -> None:
    """Panic messages have paths, and those must not be where this was built."""
    for name, code in wheel(dist.native).items():
        if name in {MODULE, LIBRARY}:
            for folder in ROOT, Path.home():
                assert str(folder).encode() not in code, (name, folder)


def test_stripped(dist: Dist) -> None:
    assert b".symtab" not in wheel(dist.native)[LIBRARY]


@pytest.mark.parametrize(
    "command",
    [
        ("twine", "check", "--strict"),
        ("check-wheel-contents",),
        ("abi3audit", "--strict", "--assume-minimum-abi3", "3.11"),
    ],
    ids=lambda command: command[0],
)
def test_auditors(command: tuple[str, ...], dist: Dist) -> None:
    if command[0] == "twine":
        files = [dist.native, dist.any, dist.sdist]
    elif command[0] == "abi3audit":
        files = [dist.native]
    else:
        files = [dist.native, dist.any]
    done(tool(*command, *files))


def audit(wheel: Path) -> None:
    """Do what cibuildwheel is told to do with a wheel that says it keeps to a stable interface."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    command = project["tool"]["cibuildwheel"]["audit-command"].split()
    done(tool(*(word.format(project=ROOT, abi3_wheel=wheel) for word in command)))


def test_audit_as_in_the_workflow(dist: Dist) -> None:
    audit(dist.native)


def test_versions(dist: Dist) -> None:
    manifest = tomllib.loads(sdist_files(dist.sdist)["Cargo.toml"].decode())
    assert manifest["workspace"]["package"]["version"] == ic.__version__


def test_uv_accepts_the_project(dist: Dist, tmp_path: Path) -> None:
    """All extras and groups can be resolved, for every platform and Python at once."""
    for name, content in sdist_files(dist.sdist).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    done(tool("uv", "lock", "--quiet", "--project", tmp_path))
    assert 'name = "indicator-cache"' in (tmp_path / "uv.lock").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("interpreter", "tag"), [("python3.14t", "cp314-cp314t"), ("python3.15t", "cp315-abi3.abi3t")]
)
def test_wheels_for_interpreters_without_the_lock(
    interpreter: str, tag: str, dist: Dist, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """maturin knows enough about them to build for them where they are not installed."""
    if request.config.getoption("--suite") == "quick" or sys.platform != "linux":
        pytest.skip("two more builds, in the full suite on Linux")
    options = "--quiet", "--release", "--locked", "--strip", "--zig", "--interpreter", interpreter
    target = ROOT / "target" / "dist"
    places = "--target-dir", target, "--out", tmp_path
    done(tool("maturin", "build", *options, *places, "--compatibility", "manylinux_2_17"))
    (built,) = tmp_path.glob("*.whl")
    assert f"-{tag}-manylinux" in built.name
    assert info(wheel(built))["METADATA"] == info(wheel(dist.native))["METADATA"]
    assert wheel(built)[MODULE] == wheel(dist.native)[MODULE]
    done(tool("check-wheel-contents", built))
    if "abi3" in tag:
        audit(built)
