"""Make the wheel without native code, `py3-none-any`, from a source distribution.

maturin has no mode for it. What it would write is what it does write: the metadata are those of
`maturin pep517 write-dist-info`, byte for byte those of the native wheels, and the list of what the
WebAssembly module is made of comes from building that crate. The package's files are those in the
source distribution, which brings the module along.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from pathlib import Path

TAG = "py3-none-any"
MODULE = Path("python/indicator_cache/_wasm/indicator.wasm")
CRATE = "crates/wasm/Cargo.toml"


def build(sdist: Path, out: Path) -> Path:
    """Build the wheel for a source distribution and return its path."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        with tarfile.open(sdist) as archive:
            archive.extractall(work, filter="data")
        source = work / sdist.name.removesuffix(".tar.gz")
        if not (source / MODULE).is_file():
            sys.exit(f"{sdist} has no {MODULE}: run `make setup`, then build it again")
        staged = work / "wheel"
        staged.mkdir()
        shutil.copytree(source / "python", staged, dirs_exist_ok=True)
        written = maturin(source, "pep517", "write-dist-info", "--metadata-directory", str(staged))
        info = staged / written.splitlines()[-1]
        set_tag(info / "WHEEL")
        add_bill_of_materials(source, info / "sboms", work)
        out.mkdir(parents=True, exist_ok=True)
        run([sys.executable, "-m", "wheel", "pack", str(staged), "--dest-dir", str(out)], source)
    name, version = info.name.removesuffix(".dist-info").split("-")
    return out / f"{name}-{version}-{TAG}.whl"


def set_tag(path: Path) -> None:
    """Replace the tag of the machine that builds by the one for any machine."""
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith(("Tag:", "Root-Is-Purelib:"))]
    text = "\n".join([*kept, "Root-Is-Purelib: true", f"Tag: {TAG}", ""])
    path.write_text(text, encoding="utf-8", newline="\n")


def add_bill_of_materials(source: Path, into: Path, work: Path) -> None:
    """Take the SBOM of the crate with the module from a wheel around it, which is thrown away."""
    out = work / "crate"
    options = "--quiet", "--bindings", "cffi", "--profile", "dev"
    places = "--target-dir", str(work / "target"), "--out", str(out)
    # Nobody calls what is thrown away. maturin would make a header, and stumble over JavaScript.
    header = work / "target" / "header.h"
    header.parent.mkdir()
    header.touch()
    maturin(source, "build", *options, "--manifest-path", CRATE, *places)
    (wheel,) = out.glob("*.whl")
    into.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if "/sboms/" in name:
                (into / Path(name).name).write_bytes(archive.read(name))


def maturin(folder: Path, *arguments: str) -> str:
    """Run maturin in a folder and return what it printed."""
    return run([str(Path(sysconfig.get_path("scripts"), "maturin")), *arguments], folder)


def run(command: list[str], folder: Path) -> str:
    """Run a command in a folder and return its output; show everything only if it fails."""
    # maturin looks for its interpreter on the path, and finds the one that runs this.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(  # noqa: S603 - our own tools
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"{done.stdout}{done.stderr}{' '.join(command)} failed with {done.returncode}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the py3-none-any wheel from an sdist.")
    parser.add_argument("sdist", type=Path)
    parser.add_argument("--out", type=Path, default=Path("dist"))
    arguments = parser.parse_args()
    print(build(arguments.sdist.resolve(), arguments.out.resolve()))


if __name__ == "__main__":
    main()
