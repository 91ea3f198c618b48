"""What the tests of all engines compute."""

from __future__ import annotations

import functools
from typing import Any

import indicator_cache as ic

from ..panel import INDICATORS, digest, panel

__all__ = ["INDICATORS", "PROBLEMS", "WRONG", "digest", "shuffled", "wanted"]

#: Indicators of which two are wrong.
WRONG = ["ema:0", "sma:5", "hull"]

#: What has to be said of them, where the column `ticker` is missing too.
PROBLEMS = r"'ema:0'.*'hull'.*ticker: no such column"


def shuffled() -> Any:  # noqa: ANN401 - a pyarrow.Table
    """Return the series with their rows in no order at all."""
    return panel("shuffled")


@functools.cache
def wanted() -> str:
    """Return the digest of what one process computes."""
    return digest(ic.compute(panel(), INDICATORS, by="symbol"))
