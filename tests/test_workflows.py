"""What would be built and run elsewhere, as far as that can be known without going there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tools import release_files

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

pytestmark = pytest.mark.tree

#: The platforms of wheels, by the architecture that `.github/workflows/wheels.yml` asks for.
PLATFORMS = {
    ("linux", "x86_64"): ["manylinux_x86_64", "musllinux_x86_64"],
    ("linux", "aarch64"): ["manylinux_aarch64", "musllinux_aarch64"],
    ("linux", "riscv64"): ["manylinux_riscv64"],
    ("macos", "arm64"): ["macosx_arm64"],
    ("macos", "x86_64"): ["macosx_x86_64"],
    ("windows", "AMD64"): ["win_amd64"],
    ("windows", "ARM64"): ["win_arm64"],
}


@pytest.mark.parametrize(("system", "architecture"), PLATFORMS)
def test_what_cibuildwheel_would_build(system: str, architecture: str) -> None:
    command = [sys.executable, "-m", "cibuildwheel", "--print-build-identifiers"]
    listed = subprocess.run(  # noqa: S603 - our own interpreter
        [*command, "--platform", system, "--archs", architecture, str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.returncode == 0, listed.stderr
    expected = {
        f"{python}-{platform}"
        for python in release_files.INTERFACES
        for platform in PLATFORMS[system, architecture]
    }
    assert set(listed.stdout.split()) == expected


def test_one_maturin_for_all_files() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (pinned,) = (text for text in project["dependency-groups"]["dist"] if "maturin" in text)
    told = project["tool"]["cibuildwheel"]
    assert told["before-build"] == f"pip install {pinned.replace('[zig]', '')}"
    assert told["build-frontend"]["args"] == ["--no-isolation"]


def test_every_platform_is_asked_for() -> None:
    everywhere = {platform for listed in PLATFORMS.values() for platform in listed}
    assert everywhere == set(release_files.PLATFORMS)
    text = (ROOT / ".github/workflows/wheels.yml").read_text(encoding="utf-8")
    asked = re.findall(r"name: (linux|macos|windows)-\w+, os: [\w.-]+, archs: (\w+)", text)
    assert sorted(asked) == sorted(PLATFORMS)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow(path: Path) -> None:
    """Nothing is permitted that a job does not name, and every action is a commit with its tag."""
    text = path.read_text(encoding="utf-8")
    assert "\npermissions: {}\n" in text
    uses = re.findall(r"uses: (.*)", text)
    assert uses
    for action in uses:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


def test_one_commit_for_each_action() -> None:
    used: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for name, commit in re.findall(r"uses: ([\w./-]+)@(.*)", path.read_text(encoding="utf-8")):
            used.setdefault(name, set()).add(commit)
    assert {name: commits for name, commits in used.items() if len(commits) > 1} == {}


def test_every_extra_is_a_dependency_of_the_tests_or_of_the_demo() -> None:
    """An extra that no test installs could not be known to work."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    installed = {
        requirement.partition(";")[0]
        for group in ("test", "dev")
        for requirement in groups[group]
        if isinstance(requirement, str)
    }
    for extra in project["project"]["optional-dependencies"].values():
        for requirement in extra:
            assert requirement.partition(";")[0] in installed, requirement
