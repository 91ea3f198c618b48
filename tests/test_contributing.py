"""CONTRIBUTING shows a real indicator: its files as they are."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
KERNELS = ROOT / "crates/core/src/kernels"


@pytest.mark.parametrize(
    ("path", "fence"),
    [(KERNELS / "roc.rs", "```rust"), (KERNELS / "roc.md", "````markdown")],
    ids=["roc.rs", "roc.md"],
)
def test_the_files_shown_are_those_in_the_tree(path: Path, fence: str) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = text.split(f"{fence}\n")[1].split(f"\n{fence[: fence.rindex('`') + 1]}\n")[0]
    assert shown == path.read_text(encoding="utf-8").strip(), f"copy {path.name} to CONTRIBUTING.md"
