"""Say whether a folder has all files of a release, and files that belong together.

The files come from many machines. What each of them cannot see is whether the others were there,
whether one release has one metadata, and whether all carry the same WebAssembly module.

    python tools/release_files.py FOLDER    before any of them is published
"""

from __future__ import annotations

import hashlib
import re
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULE = "indicator_cache/_wasm/indicator.wasm"

#: Interpreter and interface in a wheel's name, by how cibuildwheel calls the build.
INTERFACES = {"cp311": "cp311-abi3", "cp314t": "cp314-cp314t", "cp315t": "cp315-abi3.abi3t"}

#: As cibuildwheel calls them. In a name it is said between the two parts how old a system may be.
PLATFORMS = (
    "manylinux_x86_64",
    "manylinux_aarch64",
    "manylinux_riscv64",
    "musllinux_x86_64",
    "musllinux_aarch64",
    "macosx_x86_64",
    "macosx_arm64",
    "win_amd64",
    "win_arm64",
)

#: Bytes. Far below what an index takes, and above what any of them has.
BUDGET = 3_000_000


def names(version: str) -> dict[str, re.Pattern[str]]:
    """Return how every file of a release is named, natives by how cibuildwheel calls the build."""
    base = re.escape(f"indicator_cache-{version}")
    found = {"sdist": rf"{base}\.tar\.gz", "any": rf"{base}-py3-none-any\.whl"}
    for python, interface in INTERFACES.items():
        for platform in PLATFORMS:
            system, _, machine = platform.partition("_")
            tag = rf"{re.escape(interface)}-{system}[\w.]*_{machine}"
            found[f"{python}-{platform}"] = rf"{base}-{tag}\.whl"
    return {kind: re.compile(pattern) for kind, pattern in found.items()}


def contents(path: Path) -> dict[str, bytes]:
    """Return the files that matter here, by what they are."""
    found: dict[str, bytes] = {}
    if path.name.endswith(".tar.gz"):
        top = path.name.removesuffix(".tar.gz")
        wanted = {f"{top}/PKG-INFO": "metadata", f"{top}/python/{MODULE}": "module"}
        with tarfile.open(path) as sdist:
            for member in sdist:
                file = sdist.extractfile(member) if member.name in wanted else None
                if file is not None:
                    found[wanted[member.name]] = file.read()
        return found
    with zipfile.ZipFile(path) as wheel:
        for name in wheel.namelist():
            if name == MODULE:
                found["module"] = wheel.read(name)
            elif name.endswith(".dist-info/METADATA"):
                found["metadata"] = wheel.read(name)
            elif name.endswith((".so", ".pyd")):
                found["library"] = wheel.read(name)
    return found


def complaints(folder: Path, version: str) -> list[str]:
    """Return everything that is wrong with the files in a folder."""
    found = []
    kinds = names(version)
    by_kind: dict[str, list[str]] = {kind: [] for kind in kinds}
    digests: dict[str, dict[str, list[str]]] = {"metadata": {}, "module": {}}
    for path in sorted(folder.iterdir()):
        kind = next((kind for kind, name in kinds.items() if name.fullmatch(path.name)), None)
        if kind is None:
            found.append(f"{path.name} is no file of {version}")
            continue
        by_kind[kind].append(path.name)
        if path.stat().st_size > BUDGET:
            found.append(f"{path.name} has more than {BUDGET} bytes")
        inside = contents(path)
        for part, seen in digests.items():
            if part not in inside:
                found.append(f"{path.name} has no {part}")
            else:
                digest = hashlib.sha256(inside[part]).hexdigest()
                seen.setdefault(digest, []).append(path.name)
        if ("library" in inside) != (kind not in {"any", "sdist"}):
            native = "a" if "library" in inside else "no"
            found.append(f"{path.name} has {native} native library")
    for kind, files in by_kind.items():
        if len(files) != 1:
            found.append(f"{kind}: {', '.join(files) or 'missing'}")
    return found + differences(digests)


def differences(digests: dict[str, dict[str, list[str]]]) -> list[str]:
    """Return what of the files is not the same in all, and which have what."""
    found = []
    for part, seen in digests.items():
        if len(seen) > 1:
            groups = (f"{digest[:12]} in {', '.join(files)}" for digest, files in seen.items())
            found.append(f"{part} is not the same everywhere: {'; '.join(groups)}")
    return found


def main() -> int:
    """Print the complaints; 0 when there is none."""
    (folder,) = sys.argv[1:] or sys.exit("usage: release_files.py FOLDER")
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    version = manifest["workspace"]["package"]["version"]
    found = complaints(Path(folder), version)
    for complaint in found:
        print(f"release-files: {complaint}", file=sys.stderr)
    if not found:
        print(f"release-files: {len(names(version))} files of {version} belong together")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
