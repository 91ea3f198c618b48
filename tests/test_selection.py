"""Which backend is chosen at import, and what is said when it cannot be had."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import pytest

import indicator_cache as ic

PACKAGE = Path(ic.__file__).parent

SHOW = """
info = indicator_cache.backend_info()
print(info.active, info.requested, sorted(info.failures))
print(indicator_cache.ema([1.0, 2.0], 3).tolist(), indicator_cache.sma([1.0, 3.0], 2).tolist())
for name, reason in sorted(info.failures.items()):
    print(name, reason)
"""

NO_NATIVE = "import sys; sys.modules['indicator_cache._native'] = None\n"
NO_WASMTIME = "import sys; sys.modules['wasmtime'] = None\n"


def run(
    code: str,
    choice: str | None = None,
    *,
    path: Path = PACKAGE.parent,
    variables: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("INDICATOR_CACHE_")}
    environment["PYTHONPATH"] = str(path)
    environment |= variables or {}
    if choice is not None:
        environment["INDICATOR_CACHE_BACKEND"] = choice
    return subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def shown(before: str = "", choice: str | None = None, path: Path = PACKAGE.parent) -> list[str]:
    done = run(before + "import indicator_cache" + SHOW, choice, path=path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines.pop(1) == "[1.0, 1.5] [nan, 2.0]"
    return lines


def refused(before: str = "", choice: str | None = None, path: Path = PACKAGE.parent) -> str:
    """Return the message with which the import fails."""
    attempt = (
        "try:\n    import indicator_cache\nexcept ImportError as error:\n"
        "    print(type(error).__name__, error)\nelse:\n    print('imported')\n"
    )
    done = run(before + attempt, choice, path=path)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.needs("native")
@pytest.mark.parametrize("choice", [None, "", "auto", " auto "])
def test_auto_takes_the_first(choice: str | None) -> None:
    assert shown(choice=choice) == ["native auto []"]


@pytest.mark.parametrize("choice", ic.backends.NAMES)
def test_a_choice_is_met(choice: str) -> None:
    assert shown(choice=choice) == [f"{choice} {choice} []"]


@pytest.mark.parametrize("choice", ["numpy", "Native", "native,wasm", "0"])
def test_an_unknown_choice_is_refused(choice: str) -> None:
    assert refused(choice=choice) == (
        "BackendUnavailableError INDICATOR_CACHE_BACKEND must be auto, native, wasm, python, "
        f"got {choice!r}"
    )


@pytest.mark.needs("native", "wasm")
def test_auto_falls_to_the_next_and_tells() -> None:
    first, *reasons = shown(NO_NATIVE)
    assert first == "wasm auto ['native']"
    assert re.match(r"native \w*ImportError|native ModuleNotFoundError", reasons[0])
    first, *reasons = shown(NO_NATIVE + NO_WASMTIME)
    assert first == "python auto ['native', 'wasm']"
    assert len(reasons) == 2
    assert "wasmtime" in reasons[1]
    # What was not needed was not tried.
    assert shown(NO_WASMTIME) == ["native auto []"]


@pytest.mark.parametrize(
    ("before", "choice", "reason"),
    [(NO_NATIVE, "native", "_native"), (NO_WASMTIME, "wasm", "wasmtime")],
)
def test_a_choice_that_cannot_be_met_is_an_import_error(
    before: str, choice: str, reason: str
) -> None:
    message = refused(before, choice)
    assert message.startswith(f"BackendUnavailableError the {choice} backend cannot be used: ")
    assert reason in message


@pytest.mark.needs("native", "wasm")
@pytest.mark.parametrize("error", ["OSError('libwasmtime')", "RuntimeError('no such platform')"])
def test_wasmtime_that_fails_in_its_own_way(error: str, tmp_path: Path) -> None:
    """Where it cannot run, its import raises more than ImportError."""
    (tmp_path / "wasmtime.py").write_text(f"raise {error}\n", encoding="utf-8")
    before = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    message = refused(before, "wasm")
    assert message.startswith("BackendUnavailableError the wasm backend cannot be used: ")
    kind, text = re.findall(r"\w+ \w+|\w+", error.replace("('", "|").replace("')", ""))[:2]
    assert kind in message
    assert text in message
    first, *reasons = shown(before + NO_NATIVE)
    assert first == "python auto ['native', 'wasm']"
    assert kind in reasons[1]


def copy_of_the_package(where: Path) -> Path:
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, where / "indicator_cache", ignore=skip)
    return where / "indicator_cache"


@pytest.mark.needs("native", "wasm")
def test_binaries_of_other_sources_are_refused(tmp_path: Path) -> None:
    """A library or module that was built from other declarations never computes."""
    catalog = copy_of_the_package(tmp_path) / "_generated" / "catalog.py"
    text = catalog.read_text(encoding="utf-8")
    changed = re.sub(r"(?i)= 0x[0-9a-f]{8,16}\b", "= 0x12345678", text)
    assert changed != text
    catalog.write_text(changed, encoding="utf-8")
    first, native, wasm = shown(path=tmp_path)
    assert first == "python auto ['native', 'wasm']"
    assert "was built from other sources" in native
    assert "was built from other sources" in wasm
    for choice in "native", "wasm":
        assert "was built from other sources" in refused(choice=choice, path=tmp_path)
    assert shown(choice="python", path=tmp_path) == ["python python []"]


@pytest.mark.needs("native", "wasm")
def test_damaged_module_is_refused(tmp_path: Path) -> None:
    module = copy_of_the_package(tmp_path) / "_wasm" / "indicator.wasm"
    code = module.read_bytes()
    for damaged in b"", code[:1000], b"\0asn" + code[4:]:
        module.write_bytes(damaged)
        assert refused(choice="wasm", path=tmp_path).startswith(
            "BackendUnavailableError the wasm backend cannot be used: "
        )
    module.unlink()
    assert "cannot be used: FileNotFoundError" in refused(choice="wasm", path=tmp_path)
    assert shown(path=tmp_path) == ["native auto []"]


@pytest.mark.needs("native", "wasm")
def test_import_brings_nothing_that_is_not_needed() -> None:
    code = (
        "import sys, indicator_cache as ic\nic.ema([1.0])\n"
        "ic.IndicatorCache({'M1': {'bid': {'close': [1.0]}}}).macd('M1', 'bid')\n"
        "print(sorted({'wasmtime', 'pandas', 'polars', 'pyarrow', 'tqdm'} & set(sys.modules)))"
    )
    for choice in "auto", "native", "python":
        done = run(code, choice)
        assert (done.stdout.strip(), done.stderr) == ("[]", "")
    assert run(code, "wasm").stdout.strip() == "['wasmtime']"


@pytest.mark.needs("native", "wasm")
def test_limit_of_memory() -> None:
    limit = "INDICATOR_CACHE_WASM_MEMORY"
    code = "import indicator_cache as ic; print(ic.backend_info().details['memory limit'])"
    assert run(code, "wasm", variables={limit: "4194304"}).stdout.strip() == "4194304 bytes"
    assert run(code, "wasm", variables={limit: ""}).stdout.strip() == "268435456 bytes"
    for bad in "much", "-1", "1e9", "0", "1000":
        done = run(code, "wasm", variables={limit: bad})
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        assert "BackendUnavailableError: the wasm backend cannot be used: " in done.stderr, last


def test_dropped_denormals_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process with a library built with -ffast-math."""
    assert not ic.backend_info().flush_to_zero
    with ic.use_backend("python"):
        monkeypatch.setattr(ic.backends, "flushes_to_zero", lambda: True)
        with pytest.warns(RuntimeWarning, match="denormal"):
            ic.backends.select_at_import()
        assert ic.backend_info().flush_to_zero


# --- libraries that cannot be loaded ---


def without_native(where: Path) -> Path:
    package = copy_of_the_package(where)
    for library in package.glob("_native.*"):
        if library.suffix != ".pyi":
            library.unlink()
    return package


def doctor(path: Path) -> dict[str, Any]:
    done = run(
        "import sys; sys.argv = ['indicator-cache', 'doctor', '--json']\n"
        "from indicator_cache.cli import main; sys.exit(main(sys.argv[1:]))",
        path=path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    findings: dict[str, Any] = json.loads(done.stdout)
    return findings


@pytest.mark.needs("native", "wasm")
def test_doctor_tells_that_there_is_no_library(tmp_path: Path) -> None:
    without_native(tmp_path)
    findings = doctor(tmp_path)
    assert findings["backends"]["native"]["reason"] == (
        "ModuleNotFoundError: this installation has no _native library"
    )
    assert findings["active"] == "wasm"


def test_doctor_names_a_library_for_another_interpreter(tmp_path: Path) -> None:
    package = without_native(tmp_path)
    (package / "_native.cpython-399-vax.so").write_bytes(b"")
    reason = doctor(tmp_path)["backends"]["native"]["reason"]
    assert reason.startswith(
        f"ModuleNotFoundError: {package} has _native.cpython-399-vax.so, which is for another"
    )
    for suffix in EXTENSION_SUFFIXES:
        assert f"_native{suffix}" in reason


def test_doctor_repeats_the_words_of_the_loader(tmp_path: Path) -> None:
    library = without_native(tmp_path) / f"_native{EXTENSION_SUFFIXES[0]}"
    library.write_bytes(b"This is not a library." * 100)
    words = run(
        "import importlib.util as u\n"
        f"s = u.spec_from_file_location('indicator_cache._native', {str(library)!r})\n"
        "try: u.module_from_spec(s)\n"
        "except ImportError as error: print(error)",
    ).stdout.strip()
    assert words
    assert doctor(tmp_path)["backends"]["native"]["reason"] == f"ImportError: {words}"


@pytest.mark.needs("native", "wasm")
def test_doctor_tells_of_a_library_that_is_something_else(tmp_path: Path) -> None:
    """A loadable library without our module in it: here, NumPy's."""
    other = importlib.util.find_spec("numpy.random.mtrand")
    assert other is not None
    assert other.origin is not None
    shutil.copyfile(other.origin, without_native(tmp_path) / f"_native{EXTENSION_SUFFIXES[0]}")
    findings = doctor(tmp_path)
    assert findings["active"] == "wasm"
    reason = findings["backends"]["native"]["reason"]
    assert reason.startswith("ImportError: ")
    assert "PyInit__native" in reason


@pytest.mark.parametrize("choice", ic.backends.NAMES)
def test_import_compiles_nothing(choice: str) -> None:
    """No compiler, no build, no other process: what is imported was built long ago."""
    code = (
        "import sys\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, _: seen.append(event))\n"
        "import indicator_cache as ic\n"
        "ic.ema([1.0, 2.0])\n"
        "started = ('subprocess.', 'os.system', 'os.exec', 'os.posix_spawn', 'os.fork', 'os.spawn',"
        " 'os.startfile', 'socket.')\n"
        "print([event for event in seen if event.startswith(started)], len(seen) > 0)"
    )
    done = run(code, choice)
    assert (done.stdout.strip(), done.stderr) == ("[] True", "")


@pytest.mark.needs("native")
def test_import_brings_no_part_of_python_that_takes_long() -> None:
    code = (
        "import sys, numpy\nbefore = set(sys.modules)\nimport indicator_cache\n"
        "slow = {'concurrent.futures', 'difflib', 'hashlib', 'json', 'pathlib', 'urllib.parse'}\n"
        "print(slow & set(sys.modules) - before)"
    )
    assert run(code, "native").stdout.strip() == "set()"


def test_what_few_need_comes_when_they_need_it() -> None:
    code = (
        "import sys, indicator_cache as ic\nic.ema([1.0])\n"
        "late = {f'indicator_cache.{name}' for name in ('_arrow', 'pandas', 'timeframes')}\n"
        "print(late & set(sys.modules), {'align', 'resample'} <= {*dir(ic)})\n"
        "print(ic.resample.__module__ in sys.modules)\n"
        "ic.xyzzy\n"
    )
    done = run(code)
    assert done.stdout.splitlines() == ["set() True", "True"]
    assert done.stderr.endswith("module 'indicator_cache' has no attribute 'xyzzy'\n")
