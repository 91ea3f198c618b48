"""``indicator-cache store``: what it prints, and exit codes that mean something."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

import pytest

import indicator_cache as ic
from indicator_cache.cli import main

BARS = {"M1": {"bid": {"close": [float(bar) for bar in range(100)]}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of five results, of which ``ema:2`` was used last a long time ago."""
    cache = ic.IndicatorCache(BARS, store=tmp_path / "store")
    for age, period in enumerate((6, 5, 4, 3, 2)):
        before = set(entries(tmp_path / "store"))
        cache.ema("M1", "bid", "close", period)
        (new,) = set(entries(tmp_path / "store")) - before
        os.utime(new, (1_000_000_000 - age, new.stat().st_mtime))
    return tmp_path / "store"


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("??/*.npy"))


def test_stats(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = sum(path.stat().st_size for path in entries(folder))
    assert main(["store", "stats", str(folder)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"results     5, {size:,} bytes",
        "unfinished  0, 0 bytes",
        "foreign     0",
        "oldest use  2001-09-09 01:46:36+00:00",
    ]
    assert main(["store", "stats", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "entries": 5,
        "bytes": size,
        "unfinished": 0,
        "unfinished_bytes": 0,
        "foreign": 0,
        "oldest": 999_999_996.0,
    }


def test_stats_of_an_empty_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ic.Store(tmp_path)
    assert main(["store", "stats", str(tmp_path)]) == 0
    assert "oldest" not in capsys.readouterr().out


def test_verify(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "verify", str(folder)]) == 0
    assert capsys.readouterr().out == "5 sound, 0 damaged, 0 unfinished, 0 foreign\n"
    # What a killed writer leaves does no harm.
    first = entries(folder)[0]
    unfinished = first.with_name(f"{first.name}.{'0' * 16}.tmp")
    unfinished.write_bytes(b"half of")
    assert main(["store", "verify", str(folder)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"unfinished: {unfinished}: being written, or its writer died")
    assert out[1] == "5 sound, 0 damaged, 1 unfinished, 0 foreign"


def test_verify_finds_damage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = entries(folder)[0]
    first.write_bytes(first.read_bytes()[:-1])
    assert main(["store", "verify", str(folder)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"damaged: {first}: its checksum is wrong",
        "4 sound, 1 damaged, 0 unfinished, 0 foreign",
    ]
    assert main(["store", "verify", str(folder), "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "sound": 4,
        "damaged": 1,
        "unfinished": 0,
        "foreign": 0,
        "files": [{"path": str(first), "kind": "damaged", "reason": "its checksum is wrong"}],
    }


def test_verify_finds_what_is_foreign(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "letters").touch()
    assert main(["store", "verify", str(folder)]) == 1
    assert "foreign: " in capsys.readouterr().out


def test_prune(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {path: path.stat().st_size for path in entries(folder)}
    last = max(sizes, key=lambda path: path.stat().st_atime)
    total, kept = sum(sizes.values()), sizes[last]
    assert main(["store", "prune", str(folder), "--max-bytes", str(kept)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"removed     4 results, {total - kept:,} bytes",
        "unfinished  0 removed",
        f"left        1 results, {kept:,} bytes",
    ]
    assert entries(folder) == [last]
    assert main(["store", "prune", str(folder), "--max-bytes", "1.5Gi", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["left_entries"] == 1


def test_clear(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "letters").touch()
    assert main(["store", "clear", str(folder)]) == 0
    assert "left        0 results, 0 bytes" in capsys.readouterr().out
    assert entries(folder) == []
    assert (folder / "letters").exists()
    assert ic.IndicatorCache(BARS, store=folder).ema("M1", "bid", i=-1) > 0
    assert len(entries(folder)) == 1


def test_what_cannot_be_removed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    assert main(["store", "clear", str(folder)]) == 1
    assert "failed      5 files could not be removed" in capsys.readouterr().out


@pytest.mark.parametrize("action", ["stats", "verify", "prune", "clear"])
def test_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str], action: str) -> None:
    more = ["--max-bytes", "1G"] if action == "prune" else []
    for path in (tmp_path, tmp_path / "nowhere"):
        assert main(["store", action, str(path), *more]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err == (
            "indicator-cache: path must be the directory of a store, with its CACHEDIR.TAG, "
            f"got {str(path)!r}\n"
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "ACTION"),
        (["tidy", "x"], "invalid choice: 'tidy'"),
        (["stats"], "PATH"),
        (["prune", "x"], "--max-bytes"),
        (["prune", "x", "--max-bytes", "-5"], "expected"),
        (["prune", "x", "--max-bytes", "5 apples"], "expected a size as 500M, 2G or 1.5Gi"),
    ],
)
def test_what_is_no_command(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["store", *arguments])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_a_store_that_cannot_be_read(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object) -> NoReturn:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    assert main(["store", "stats", str(folder)]) == 2
    assert capsys.readouterr().err == (
        f"indicator-cache: cannot read {folder}: Permission denied\n"
    )


def test_verifying_needs_checksums(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xxhash", None)
    assert main(["store", "verify", str(folder)]) == 2
    assert "pip install 'indicator-cache[store]'" in capsys.readouterr().err
    assert main(["store", "stats", str(folder)]) == 0
