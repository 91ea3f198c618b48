"""Results on disk, shared by processes: named by what they were made of, mapped into memory.

``IndicatorCache(bars, store="path")`` is all that most need. A :class:`Store` has settings, and
counts; the functions are what the command ``indicator-cache store`` is made of.
"""

from __future__ import annotations

from ..errors import StoreWarning
from ._directory import Finding, Pruned, Usage, clear, prune, usage, verify
from ._store import Store, StoreStats

__all__ = [
    "Finding",
    "Pruned",
    "Store",
    "StoreStats",
    "StoreWarning",
    "Usage",
    "clear",
    "prune",
    "usage",
    "verify",
]
