"""The executable specification: every indicator in NumPy, written to be read.

Same bits as the compiled kernels, NaNs included; the tests compare them. Start with
:mod:`.kernels`, where an indicator is a few lines, then :mod:`.primitives`, which hold the two
ideas that everything rests on: the blocked recurrence and the window as a fixed tree.
:class:`Machine` adds what is the same for every kernel.
"""

from __future__ import annotations

from .kernels import KERNELS, Kernel
from .machine import Machine

__all__ = ["KERNELS", "Kernel", "Machine"]
