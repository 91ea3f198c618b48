"""The artefacts in `dist`, and what it takes to install them away from this tree and the network.

`make test-dist` runs this folder. A plain `pytest` does not come here: pytest passes over folders
called `dist`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DIST = ROOT / "dist"

#: What the quick run leaves the other files out for: selection and doctor, the command line, all
#: bits that are recorded, the cache, threads, and the examples of the README.
QUICK = ("selection", "cli", "golden", "cache", "threads")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--suite", choices=("quick", "full"), default="full", help="how much of the test suite"
    )


@dataclass(frozen=True)
class Dist:
    """The three artefacts."""

    native: Path
    any: Path
    sdist: Path


@dataclass(frozen=True)
class Home:
    """A virtual environment and a copy of the tests, both outside the tree."""

    folder: Path

    @property
    def bin(self) -> Path:
        return self.folder / "venv" / "bin"

    @property
    def tests(self) -> Path:
        return self.folder / "tree"

    def run(self, *command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in the copy, without network, and return its end."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("INDICATOR_", "PYTHON"))}
        program, *arguments = command
        return subprocess.run(  # noqa: S603 - our own environment
            [*OFFLINE, self.bin / program, *arguments],
            cwd=self.tests,
            env={**kept, "VIRTUAL_ENV": str(self.folder / "venv"), **variables},
            capture_output=True,
            text=True,
            check=False,
        )


def _offline() -> tuple[str, ...]:
    """Return what to put before a command to take the network from it, where that is permitted."""
    # Root stays root over everybody, since some tests go on as somebody else. Anyone else needs a
    # namespace of users to be allowed, and stays who they are in it.
    user = () if os.geteuid() == 0 else ("--map-current-user",)
    prefix = ("unshare", *user, "--net")
    if shutil.which(prefix[0]) is None:
        return ()
    permitted = subprocess.run([*prefix, "true"], capture_output=True, check=False)  # noqa: S603
    return prefix if permitted.returncode == 0 else ()


OFFLINE = _offline()


def tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a tool of the environment in which these tests run."""
    folder = Path(sys.executable).parent
    return subprocess.run(  # noqa: S603 - our own environment
        [folder / name, *arguments],
        cwd=ROOT,
        # maturin looks for zig there.
        env={**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def done(process: subprocess.CompletedProcess[str]) -> str:
    """Return what a program printed, if it ended well."""
    assert process.returncode == 0, f"{process.args}\n{process.stdout}\n{process.stderr}"
    return process.stdout


@pytest.fixture(scope="session")
def dist() -> Dist:
    # The JavaScript package is made into a folder there.
    found = sorted(path for path in DIST.glob("*") if path.is_file())
    assert len(found) == 3, f"make dist: {[path.name for path in found]}"
    (sdist,) = DIST.glob("*.tar.gz")
    (pure,) = DIST.glob("*-none-any.whl")
    (native,) = set(DIST.glob("*.whl")) - {pure}
    return Dist(native, pure, sdist)


@pytest.fixture(scope="session")
def wheels() -> Path:
    """Wheels of all dependencies, those of the build and of the tests included."""
    folder = ROOT / "target" / "wheels"
    groups = "--group", "test"
    done(tool("pip", "download", "-q", "--dest", folder, *groups, "maturin>=1.9.4,<2", "pip"))
    return folder


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files of the repository, the package itself excepted."""
    folder = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in listed:
        if name and not name.startswith("python/") and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.fixture
def home(tree: Path) -> Iterator[Home]:
    """A new environment with nothing in it but pip."""
    with tempfile.TemporaryDirectory() as folder:
        # As programs in there see it: on macOS it goes by two names.
        made = Home(Path(folder).resolve())
        # pytest's folders are its user's alone, and some tests go on as somebody else.
        made.folder.chmod(0o755)
        environment = made.folder / "venv"
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)  # noqa: S603
        shutil.copytree(tree, made.tests)
        made.tests.chmod(0o755)
        yield made
