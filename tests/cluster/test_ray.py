"""Ray Data: processes, workers that die, workers on different backends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import ray

import indicator_cache as ic
from indicator_cache.engines.ray import compute

from ..panel import LENGTHS, panel
from .bars import INDICATORS, PROBLEMS, WRONG, digest, shuffled, wanted

# Ray's own, about files it leaves to the end of the process.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module", autouse=True)
def engine() -> Iterator[None]:
    """Start Ray with two processes."""
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        logging_level="ERROR",
        object_store_memory=200_000_000,
        # Workers import these tests.
        runtime_env={"env_vars": {"PYTHONPATH": str(Path(__file__).parents[2])}},
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()


def arrow(dataset: Any) -> Any:  # noqa: ANN401
    return pa.concat_tables(ray.get(dataset.to_arrow_refs()))


def by_series() -> Any:  # noqa: ANN401 - a dataset of Ray
    """Return a dataset with a block for each series."""
    return ray.data.from_arrow([panel().filter(pc.field("symbol") == name) for name in LENGTHS])


def test_the_digest_of_one_process() -> None:
    dataset = ray.data.from_arrow(shuffled()).repartition(3)
    assert digest(arrow(compute(dataset, INDICATORS, by="symbol", blocks=4))) == wanted()


def test_blocks_that_have_whole_series() -> None:
    result = compute(by_series(), INDICATORS, by="symbol", partitioned=True)
    assert digest(arrow(result)) == wanted()


def test_refusals() -> None:
    with pytest.raises(ic.PlanError, match=PROBLEMS):
        compute(by_series(), WRONG, by="ticker")


class _Die:
    """Kills its process the first time anybody gets there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, block: Any) -> Any:  # noqa: ANN401
        if block["symbol"][0].as_py() == "GE" and not (self.folder / "died").exists():
            (self.folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return block


def test_a_worker_that_is_killed_in_the_middle(tmp_path: Path) -> None:
    dying = by_series().map_batches(
        _Die(tmp_path).__call__, batch_size=None, batch_format="pyarrow"
    )
    result = compute(dying, INDICATORS, by="symbol", partitioned=True)
    assert digest(arrow(result)) == wanted()
    assert (tmp_path / "died").exists()


def test_workers_on_different_backends() -> None:
    used, parts = set(), []
    for at, name in enumerate(("native", "wasm")):
        blocks = ray.data.from_arrow(
            [panel().filter(pc.field("symbol") == one) for one in [*LENGTHS][at::2]]
        )
        options: dict[str, Any] = {"runtime_env": {"env_vars": {"INDICATOR_CACHE_BACKEND": name}}}
        parts.append(arrow(compute(blocks, INDICATORS, by="symbol", partitioned=True, **options)))
        asked = blocks.map_batches(
            lambda block: {"name": [ic.backend_info().active] * len(block)},
            batch_format="pyarrow",
            **options,
        )
        used |= {row["name"] for row in asked.take_all()}
    assert used == {"native", "wasm"}
    assert digest(pa.concat_tables(parts)) == wanted()
