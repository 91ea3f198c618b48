"""What stands in the way of a release is told, all of it, and nothing else."""

from __future__ import annotations

import datetime as dt
import subprocess
from pathlib import Path

import pytest
from tools import release_check

TODAY = dt.date(2030, 5, 17)

CHANGELOG = """# Changelog

## [Unreleased]

## [1.2.3] - 2030-05-17

### Added

- Something.

## [1.2.2] - 2029-01-01

- Something else.
"""

LOCK = """[[package]]
name = "indicator-core"
version = "1.2.3"

[[package]]
name = "libm"
version = "0.2.16"
source = "registry"
"""


def git(root: Path, *arguments: str) -> None:
    identity = "-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"
    subprocess.run(  # noqa: S603 - git
        ["git", *identity, *arguments],  # noqa: S607
        cwd=root,
        check=True,
        capture_output=True,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree that can be released."""
    catalog = tmp_path / "python/indicator_cache/_generated/catalog.py"
    catalog.parent.mkdir(parents=True)
    catalog.write_text('VERSION = "1.2.3"\n', encoding="utf-8")
    manifest = '[workspace.package]\nversion = "1.2.3"\n'
    files = {
        "Cargo.toml": manifest,
        "Cargo.lock": LOCK,
        "CHANGELOG.md": CHANGELOG,
        "README.md": "# Indicators\n\nStatus: released.\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "x")


def replace(root: Path, name: str, old: str, new: str) -> None:
    path = root / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    commit(root)


@pytest.mark.parametrize("tag", [None, "v1.2.3"])
def test_a_good_tree(tree: Path, tag: str | None) -> None:
    assert release_check.complaints(tree, tag, TODAY) == []


def test_a_dirty_tree(tree: Path) -> None:
    (tree / "forgotten.py").touch()
    (told,) = release_check.complaints(tree, None, TODAY)
    assert told == "the tree is not what was committed: ?? forgotten.py"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("Cargo.lock", "indicator-core in Cargo.lock"),
        ("python/indicator_cache/_generated/catalog.py", "the generated catalog"),
    ],
)
def test_differing_versions(tree: Path, name: str, place: str) -> None:
    replace(tree, name, "1.2.3", "1.2.2")
    (told,) = release_check.complaints(tree, None, TODAY)
    assert told == (f"{place} has version 1.2.2, Cargo.toml has 1.2.3: run `make setup generate`")


def test_another_tag(tree: Path) -> None:
    assert release_check.complaints(tree, "1.2.3", TODAY) == ["the tag is 1.2.3, expected v1.2.3"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("## [Unreleased]\n", "", "does not begin with a section [Unreleased]"),
        ("## [1.2.3] - 2030-05-17\n\n", "", "has entries under [Unreleased]"),
        ("1.2.3] -", "1.2.4] -", "has [1.2.4] - 2030-05-17 after [Unreleased], expected [1.2.3]"),
        ("2030-05-17", "2030-05-16", "dates 1.2.3 2030-05-16, and today is 2030-05-17"),
        ("### Added\n\n- Something.\n", "", "says nothing about 1.2.3"),
    ],
)
def test_a_stale_changelog(tree: Path, old: str, new: str, told: str) -> None:
    replace(tree, "CHANGELOG.md", old, new)
    complaints = release_check.complaints(tree, None, TODAY)
    assert [text for text in complaints if told in text], complaints


def test_a_page_that_says_there_is_no_release(tree: Path) -> None:
    replace(tree, "README.md", "released", "1.2.3, before the first release")
    (told,) = release_check.complaints(tree, None, TODAY)
    assert told == "README.md, the page of the package, still says: before the first release"


def test_a_tag_may_be_built_a_day_later(tree: Path) -> None:
    later = TODAY + dt.timedelta(days=1)
    assert release_check.complaints(tree, "v1.2.3", later) == []
    assert len(release_check.complaints(tree, None, later)) == 1


def test_everything_at_once(tree: Path) -> None:
    replace(tree, "Cargo.toml", "1.2.3", "1.3.0")
    (tree / "forgotten.py").touch()
    assert len(release_check.complaints(tree, "v1.2.3", TODAY)) == 5


@pytest.mark.tree
def test_the_versions_of_this_tree() -> None:
    found = release_check.versions(release_check.ROOT)
    assert len(found) == 5
    assert len(set(found.values())) == 1
