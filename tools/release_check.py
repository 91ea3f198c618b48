"""Refuse a release that is not what it says: `make release-check`, or with TAG=v1.2.3.

A release is made from a commit, under one version, with a changelog that has an entry for it.
Everything that is wrong is told at once. docs/release.md has the steps before and after.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: What the README says until there is a release. It becomes the page of the package.
NOT_YET = "before the first release"


def versions(root: Path) -> dict[str, str]:
    """Return every version that the tree names, by where it stands."""
    manifest = tomllib.loads((root / "Cargo.toml").read_text(encoding="utf-8"))
    lock = tomllib.loads((root / "Cargo.lock").read_text(encoding="utf-8"))
    catalog = (root / "python/indicator_cache/_generated/catalog.py").read_text(encoding="utf-8")
    found = {"Cargo.toml": manifest["workspace"]["package"]["version"]}
    for package in lock["package"]:
        # Packages from a registry have a source.
        if "source" not in package:
            found[f"{package['name']} in Cargo.lock"] = package["version"]
    written = re.search(r'^VERSION\b.*= "(.*)"$', catalog, re.MULTILINE)
    found["the generated catalog"] = written[1] if written else "none"
    return found


def changelog_complaints(text: str, version: str, today: dt.date) -> list[str]:
    """Return what is wrong with the changelog for a release of this version today."""
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    complaints = []
    if not sections or not sections[0].startswith("[Unreleased]\n"):
        complaints.append("CHANGELOG.md does not begin with a section [Unreleased]")
    elif sections[0].removeprefix("[Unreleased]\n").strip():
        complaints.append("CHANGELOG.md has entries under [Unreleased]: move them to the version")
    newest = sections[1].splitlines()[0] if len(sections) > 1 else "nothing"
    heading = re.fullmatch(r"\[(.*)\] - (\d{4}-\d{2}-\d{2})", newest)
    if heading is None or heading[1] != version:
        complaints.append(
            f"CHANGELOG.md has {newest} after [Unreleased], expected [{version}] - {today}"
        )
    elif heading[2] != str(today):
        complaints.append(f"CHANGELOG.md dates {version} {heading[2]}, and today is {today}")
    elif not sections[1].partition("\n")[2].strip():
        complaints.append(f"CHANGELOG.md says nothing about {version}")
    return complaints


def complaints(root: Path, tag: str | None, today: dt.date) -> list[str]:
    """Return everything that stands in the way of a release."""
    found = []
    status = subprocess.run(
        ["git", "status", "--porcelain"],  # noqa: S607
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if status:
        found.append(f"the tree is not what was committed: {', '.join(map(str.strip, status))}")
    named = versions(root)
    version = named["Cargo.toml"]
    found += [
        f"{place} has version {other}, Cargo.toml has {version}: run `make setup generate`"
        for place, other in named.items()
        if other != version
    ]
    if tag is not None and tag != f"v{version}":
        found.append(f"the tag is {tag}, expected v{version}")
    if NOT_YET in (root / "README.md").read_text(encoding="utf-8"):
        found.append(f"README.md, the page of the package, still says: {NOT_YET}")
    # A tag is checked again when it is built, which may be a day later.
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    dated = re.search(rf"^## \[{re.escape(version)}\] - (\S+)$", changelog, re.MULTILINE)
    if tag is not None and dated is not None:
        try:
            today = min(today, dt.date.fromisoformat(dated[1]))
        except ValueError:
            found.append(f"CHANGELOG.md dates {version} {dated[1]}, which is no day")
    return found + changelog_complaints(changelog, version, today)


def main() -> int:
    """Print the complaints; 0 when there is none."""
    parser = argparse.ArgumentParser(description="Check that this commit can be released.")
    parser.add_argument("--tag", help="the tag that the release will have")
    tag = parser.parse_args().tag or None
    today = dt.datetime.now(dt.UTC).date()
    found = complaints(ROOT, tag, today)
    for complaint in found:
        print(f"release-check: {complaint}", file=sys.stderr)
    if not found:
        print(f"release-check: {versions(ROOT)['Cargo.toml']} can be released")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
