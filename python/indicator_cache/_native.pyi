from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["catalog", "cpu", "fill_columns", "fingerprint", "run"]

def catalog() -> str: ...
def cpu() -> str: ...
def fill_columns(
    candles: list[object],
    fields: Sequence[str],
    columns: Sequence[npt.NDArray[np.float64]],
    new_bar: npt.NDArray[np.uint8],
) -> bool: ...
def fingerprint() -> int: ...
def run(
    index: int,
    params: Sequence[float],
    inputs: Sequence[npt.NDArray[np.float64]],
    outputs: Sequence[npt.NDArray[np.float64]],
) -> None: ...
