from collections.abc import Sequence
from typing import Self, final

import numpy as np
import numpy.typing as npt

__all__ = [
    "Machine",
    "begin",
    "begin_new",
    "catalog",
    "compute",
    "cpu",
    "fill_columns",
    "fingerprint",
    "paths",
    "run",
    "run_many",
]

@final
class Machine:
    def __new__(cls, index: int, params: Sequence[float], path: int) -> Self: ...
    @staticmethod
    def restore(state: bytes, path: int) -> Machine: ...
    @property
    def bars(self) -> int: ...
    def run(
        self,
        inputs: Sequence[npt.NDArray[np.float64]],
        outputs: Sequence[npt.NDArray[np.float64]],
    ) -> None: ...
    def update(self, values: tuple[float, ...]) -> tuple[float, ...]: ...
    def peek(self, values: tuple[float, ...]) -> tuple[float, ...]: ...
    def save(self) -> bytes: ...
    def copy(self) -> Machine: ...
    def reset(self) -> None: ...

def begin(
    index: int,
    params: Sequence[float],
    inputs: Sequence[npt.NDArray[np.float64]],
    outputs: Sequence[npt.NDArray[np.float64]],
    path: int,
) -> Machine: ...
def begin_new(
    index: int,
    params: Sequence[float],
    inputs: tuple[npt.NDArray[np.float64], ...],
    path: int,
) -> tuple[Machine, tuple[npt.NDArray[np.float64], ...]]: ...
def catalog() -> str: ...
def compute(
    path: int,
    index: int,
    params: Sequence[float],
    inputs: tuple[object, ...],
) -> tuple[npt.NDArray[np.float64], ...] | None: ...
def cpu() -> str: ...
def fill_columns(
    candles: list[object],
    fields: Sequence[str],
    columns: Sequence[npt.NDArray[np.float64]],
    new_bar: npt.NDArray[np.uint8],
) -> bool: ...
def fingerprint() -> int: ...
def paths() -> list[str]: ...
def run(
    index: int,
    params: Sequence[float],
    inputs: Sequence[npt.NDArray[np.float64]],
    outputs: Sequence[npt.NDArray[np.float64]],
    path: int,
) -> None: ...
def run_many(
    index: int,
    params: Sequence[Sequence[float]],
    inputs: Sequence[npt.NDArray[np.float64]],
    outputs: Sequence[npt.NDArray[np.float64]],
    path: int,
) -> None: ...
