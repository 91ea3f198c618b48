"""Each artefact, installed where neither the source tree nor the network can help."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

import indicator_cache as ic

from .conftest import OFFLINE, QUICK, ROOT, Dist, Home, done, tool

#: What every process that computes says with `doctor`.
SELF_TESTS: set[str] = set()


def install(home: Home, wheels: Path, *what: str | Path) -> None:
    options = "install", "--quiet", "--no-index", "--no-cache-dir", "--find-links"
    done(home.run("python", "-m", "pip", *options, wheels, *what))


def doctor(home: Home, **variables: str) -> dict[str, Any]:
    """Return what `doctor` found, which agrees with all others before."""
    findings: dict[str, Any] = json.loads(
        done(home.run("indicator-cache", "doctor", "--json", **variables))
    )
    for probe in findings["backends"].values():
        if probe["usable"]:
            SELF_TESTS.add(probe["digest"])
    assert len(SELF_TESTS) == 1
    return findings


def usable(findings: dict[str, Any]) -> list[str]:
    return [name for name, probe in findings["backends"].items() if probe["usable"]]


def add_test_dependencies(home: Home, wheels: Path) -> None:
    options = "--quiet", "--offline", "--no-index", "--find-links", wheels
    target = "--python", home.bin / "python", "--group", "pyproject.toml:test"
    done(tool("uv", "pip", "install", *options, *target))


def run_suite(
    request: pytest.FixtureRequest, home: Home, missing: str = "", **variables: str
) -> None:
    """Run the tests against the installed package, and digests of the bits that it computes."""
    size = request.config.getoption("--suite")
    files = [f"tests/test_{name}.py" for name in QUICK] + ["README.md"] if size == "quick" else []
    # Faulthandler must not take signals over after wasmtime, which these tests import early.
    plugins = "-p", "tests.dist.without", "-p", "no:faulthandler"
    ended = home.run(
        *("python", "-m", "pytest", "-q", *plugins, "-m", "not tree", *files),
        INDICATOR_CACHE_TESTS_WITHOUT=missing,
        **variables,
    )
    sys.stdout.write(ended.stdout[-2000:])
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-5_000:]
    where = done(home.run("python", "-c", "import indicator_cache as ic; print(ic.__file__)"))
    assert where.startswith(str(home.bin.parent)), where
    present = [name for name in ic.backends.NAMES if name not in missing.split(",")]
    checked = done(home.run("python", "tools/check_installed.py", *present))
    assert len(checked.splitlines()) == len(present)


def test_native(request: pytest.FixtureRequest, dist: Dist, wheels: Path, home: Home) -> None:
    install(home, wheels, dist.native)
    findings = doctor(home)
    assert (findings["active"], usable(findings)) == ("native", ["native", "python"])
    assert "wasmtime" in findings["backends"]["wasm"]["reason"]
    add_test_dependencies(home, wheels)
    assert usable(doctor(home)) == ["native", "wasm", "python"]
    run_suite(request, home)


def test_native_wheel_on_wasm(
    request: pytest.FixtureRequest, dist: Dist, wheels: Path, home: Home
) -> None:
    install(home, wheels, f"{dist.native}[wasm]")
    assert doctor(home, INDICATOR_CACHE_BACKEND="wasm")["active"] == "wasm"
    add_test_dependencies(home, wheels)
    run_suite(request, home, INDICATOR_CACHE_BACKEND="wasm")


def test_any_with_wasmtime(
    request: pytest.FixtureRequest, dist: Dist, wheels: Path, home: Home
) -> None:
    install(home, wheels, f"{dist.any}[wasm]")
    findings = doctor(home)
    assert (findings["active"], usable(findings)) == ("wasm", ["wasm", "python"])
    reason = findings["backends"]["native"]["reason"]
    assert reason == "ModuleNotFoundError: this installation has no _native library"
    add_test_dependencies(home, wheels)
    run_suite(request, home, missing="native")


def test_any_without_wasmtime(
    request: pytest.FixtureRequest, dist: Dist, wheels: Path, home: Home
) -> None:
    install(home, wheels, dist.any)
    findings = doctor(home)
    assert (findings["active"], usable(findings), findings["ok"]) == ("python", ["python"], True)
    reason = findings["backends"]["wasm"]["reason"]
    assert "No module named 'wasmtime' (pip install 'indicator-cache[wasm]')" in reason
    add_test_dependencies(home, wheels)
    python = home.bin / "python"
    done(tool("uv", "pip", "uninstall", "--quiet", "--python", python, "wasmtime"))
    run_suite(request, home, missing="native,wasm")


def test_sdist(
    request: pytest.FixtureRequest, dist: Dist, wheels: Path, home: Home, tmp_path: Path
) -> None:
    """Vendored dependencies, the committed lock file, no network: what a distribution does."""
    source = unpacked(dist, tmp_path)
    vendored = subprocess.run(
        ["cargo", "vendor", "--locked", "--quiet", "vendor"],  # noqa: S607
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    (source / ".cargo").mkdir()
    (source / ".cargo" / "config.toml").write_text(done(vendored), encoding="utf-8")
    path = f"{home.bin}{os.pathsep}{os.environ['PATH']}"
    options = "install", "--quiet", "--no-index", "--no-cache-dir", "--find-links", wheels
    # Those of the wheels that are published.
    arguments = told_to_cibuildwheel()["environment"]["MATURIN_PEP517_ARGS"]
    assert "--locked" in arguments
    variables = {"PATH": path, "MATURIN_PEP517_ARGS": arguments, "CARGO_NET_OFFLINE": "true"}
    done(home.run("python", "-m", "pip", *options, source, **variables))
    assert usable(doctor(home)) == ["native", "python"]
    add_test_dependencies(home, wheels)
    run_suite(request, home)


def told_to_cibuildwheel() -> dict[str, Any]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    told: dict[str, Any] = project["tool"]["cibuildwheel"]
    return told


def test_module_is_built_the_same_elsewhere(dist: Dist, tmp_path: Path) -> None:
    """From the source distribution, in another folder, with this toolchain."""
    source = unpacked(dist, tmp_path / "some where else")
    shipped = source / "python/indicator_cache/_wasm/indicator.wasm"
    before = shipped.read_bytes()
    shipped.unlink()
    # Half a minute less, where the standard library has to be built first.
    sysroot = ROOT / "target" / "wasm-sysroot"
    if sysroot.is_dir():
        shutil.copytree(sysroot, source / "target" / "wasm-sysroot")
    command = ["bash", "tools/build_wasm.sh", "--locked"]
    built = subprocess.run(  # noqa: S603 - our own script
        command, cwd=source, capture_output=True, text=True, check=False
    )
    done(built)
    assert shipped.read_bytes() == before


def unpacked(dist: Dist, where: Path) -> Path:
    with tarfile.open(dist.sdist) as archive:
        archive.extractall(where, filter="data")
    (source,) = where.glob("indicator_cache-*")
    return source


def test_pip_takes_the_native_wheel(dist: Dist, home: Home) -> None:
    """From a folder with all three; and the other wheel for an interpreter it does not fit."""
    options = "--quiet", "--no-index", "--no-deps", "--find-links", dist.native.parent
    folder = home.folder / "chosen"
    fetch = "python", "-m", "pip", "download", *options
    done(home.run(*fetch, "--dest", folder, "indicator-cache"))
    assert [path.name for path in folder.iterdir()] == [dist.native.name]
    shutil.rmtree(folder)
    other = "--implementation", "pp", "--python-version", "3.11", "--abi", "pypy311_pp73"
    done(home.run(*fetch, "--only-binary", ":all:", *other, "--dest", folder, "indicator-cache"))
    assert [path.name for path in folder.iterdir()] == [dist.any.name]


def test_what_native_wheels_are_tested_with(dist: Dist, wheels: Path, home: Home) -> None:
    """The commands that cibuildwheel is told, in an environment with what it has: nothing else."""
    told = told_to_cibuildwheel()
    install(home, wheels, dist.native)
    code = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1], shell=True))"
    variables = {
        "PATH": f"{home.bin}{os.pathsep}{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
    }
    for name in "before-test", "test-command":
        command = told[name].replace("{project}", str(home.tests))
        printed = done(home.run("python", "-c", code, command, **variables))
    assert printed.splitlines()[-2].startswith(f"native: {len(ic.catalog())} indicators")


def test_network_is_gone(home: Home) -> None:
    """Where it can be taken away at all; elsewhere `--no-index` has to do."""
    if not OFFLINE:
        pytest.skip("no permission to take the network away")
    code = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"
    ended = home.run("python", "-c", code)
    assert ended.returncode == 1
    assert "unreachable" in ended.stderr
