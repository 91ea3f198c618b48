"""A release with files missing, too many, or not of one making is refused."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from tools import release_files

VERSION = "1.2.3"
BASE = f"indicator_cache-{VERSION}"
METADATA, MODULE = b"Name: indicator-cache\n", b"\0asm"

#: What a file is called for platforms whose name has something in the middle.
MIDDLE = {
    "manylinux_x86_64": "manylinux_2_17_x86_64.manylinux2014_x86_64",
    "manylinux_aarch64": "manylinux_2_17_aarch64.manylinux2014_aarch64",
    "manylinux_riscv64": "manylinux_2_39_riscv64",
    "musllinux_x86_64": "musllinux_1_2_x86_64",
    "musllinux_aarch64": "musllinux_1_2_aarch64",
    "macosx_x86_64": "macosx_10_12_x86_64",
    "macosx_arm64": "macosx_11_0_arm64",
}
WINDOWS = f"{BASE}-cp314-cp314t-win_arm64.whl"


def wheel(
    path: Path, metadata: bytes = METADATA, module: bytes = MODULE, library: str | None = None
) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{BASE}.dist-info/METADATA", metadata)
        archive.writestr(release_files.MODULE, module)
        if library is not None:
            archive.writestr(f"indicator_cache/{library}", b"code")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A release that can be published."""
    for interface in release_files.INTERFACES.values():
        for platform in release_files.PLATFORMS:
            name = f"{BASE}-{interface}-{MIDDLE.get(platform, platform)}.whl"
            library = "_native.pyd" if platform.startswith("win") else "_native.abi3.so"
            wheel(tmp_path / name, library=library)
    wheel(tmp_path / f"{BASE}-py3-none-any.whl")
    with tarfile.open(tmp_path / f"{BASE}.tar.gz", "w:gz") as archive:
        for name, content in ("PKG-INFO", METADATA), (f"python/{release_files.MODULE}", MODULE):
            member = tarfile.TarInfo(f"{BASE}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return tmp_path


def test_all_there(folder: Path) -> None:
    assert len(list(folder.iterdir())) == 29
    assert release_files.complaints(folder, VERSION) == []


def test_one_missing(folder: Path) -> None:
    (folder / WINDOWS).unlink()
    assert release_files.complaints(folder, VERSION) == ["cp314t-win_arm64: missing"]


def test_one_twice(folder: Path) -> None:
    wheel(folder / f"{BASE}-cp311-abi3-macosx_12_0_arm64.whl", library="_native.abi3.so")
    (told,) = release_files.complaints(folder, VERSION)
    assert told.startswith("cp311-macosx_arm64: ")


@pytest.mark.parametrize(
    "name",
    [
        "indicator_cache-1.2.2.tar.gz",
        f"{BASE}-cp311-cp311-win_amd64.whl",
        f"{BASE}-cp311-abi3-linux_x86_64.whl",
        f"{BASE}-cp311-abi3-manylinux_2_31_armv7l.whl",
        "publish.attestation",
    ],
)
def test_something_else(name: str, folder: Path) -> None:
    (folder / name).touch()
    assert release_files.complaints(folder, VERSION) == [f"{name} is no file of 1.2.3"]


@pytest.mark.parametrize("part", ["metadata", "module"])
def test_one_from_other_sources(part: str, folder: Path) -> None:
    """A newer maturin on one machine, say, or line ends of Windows; or a module built twice."""
    wheel(folder / WINDOWS, library="_native.pyd", **{part: b"other"})
    (told,) = release_files.complaints(folder, VERSION)
    assert told.startswith(f"{part} is not the same everywhere: ")
    assert f" in {WINDOWS}" in told


def test_libraries_where_they_belong(folder: Path) -> None:
    wheel(folder / WINDOWS)
    wheel(folder / f"{BASE}-py3-none-any.whl", library="_native.abi3.so")
    assert release_files.complaints(folder, VERSION) == [
        f"{WINDOWS} has no native library",
        f"{BASE}-py3-none-any.whl has a native library",
    ]


def test_something_large(folder: Path) -> None:
    wheel(folder / WINDOWS, library="_native.pyd", module=bytes(release_files.BUDGET))
    told = release_files.complaints(folder, VERSION)
    assert told[0] == f"{WINDOWS} has more than 3000000 bytes"
