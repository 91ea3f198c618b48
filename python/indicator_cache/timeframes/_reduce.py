"""Several bars as one: first, highest, lowest, last, sum; over whole groups, and so far.

Values that are missing are passed over. A result depends on the values and their order alone:

- the highest and the lowest go by the order of the bits, in which -0.0 is below 0.0;
- a sum starts from 0.0 and takes value after value. So a group of bars can be replaced by its own
  result, and more bars added to that, without a difference in any bit;
- every NaN is the same one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from .._arrays import FloatArray

__all__ = ["reduced", "running"]

IntArray = npt.NDArray[np.int64]
IndexArray = npt.NDArray[np.intp]

_HIGHEST, _LOWEST = np.iinfo(np.int64).max, np.iinfo(np.int64).min

#: What stands for a missing value: integers that only a NaN would have.
_EXTREMES = {"high": (np.maximum, _LOWEST), "low": (np.minimum, _HIGHEST)}


def reduced(columns: Mapping[str, FloatArray], begins: IndexArray) -> dict[str, FloatArray]:
    """Return one bar for each group of rows. Groups begin at `begins`, the first at row 0."""
    return {name: _reduced(name, column, begins) for name, column in columns.items()}


def running(columns: Mapping[str, FloatArray], begins: IndexArray) -> dict[str, FloatArray]:
    """Return for each row the bar that its group makes up to there, the row included."""
    return {name: _running(name, column, begins) for name, column in columns.items()}


def _reduced(name: str, x: FloatArray, begins: IndexArray) -> FloatArray:
    if not len(begins):
        return np.empty(0)
    missing = np.isnan(x)
    complete = not missing.any()
    if name in _EXTREMES:
        extreme, nothing = _EXTREMES[name]
        return _floats(extreme.reduceat(_keys(x, missing, nothing), begins), nothing)
    # Of each group the first value, and where the values of the next one begin.
    rows = None if complete else np.flatnonzero(~missing)
    first, end = begins, np.append(begins[1:], len(x))
    if name == "volume":
        group = np.repeat(np.arange(len(begins)), end - begins)
        # Adds one by one, in the order of the rows.
        sums = np.bincount(group, x if complete else np.where(missing, 0.0, x))
        sums[np.isnan(sums)] = np.nan
    if rows is not None:
        first, end = np.searchsorted(rows, first), np.searchsorted(rows, end)
    some = first < end
    wanted = (first if name == "open" else end - 1)[some]
    result = np.full(len(begins), np.nan)
    if name == "volume":
        result[some] = sums[some]
    else:
        result[some] = x[wanted if rows is None else rows[wanted]]
    return result


def _running(name: str, x: FloatArray, begins: IndexArray) -> FloatArray:
    if not len(begins):
        return np.empty(0)
    missing = np.isnan(x)
    if name in _EXTREMES:
        extreme, nothing = _EXTREMES[name]
        keys = _keys(x, missing, nothing)
        _accumulate(extreme, keys, begins)
        return _floats(keys, nothing)
    begin = np.repeat(begins, np.diff(begins, append=len(x)))
    at = np.arange(len(x))
    latest = np.maximum.accumulate(np.where(missing, -1, at))
    some = latest >= begin
    result = np.full(len(x), np.nan)
    if name == "volume":
        sums = np.where(missing, 0.0, x) + 0.0
        with np.errstate(invalid="ignore", over="ignore"):
            _accumulate(np.add, sums, begins)
        result[some] = sums[some]
        result[np.isnan(result)] = np.nan
    elif name == "close":
        result[some] = x[latest[some]]
    else:
        rows = np.flatnonzero(~missing)
        first = np.searchsorted(rows, begin[some])
        result[some] = x[rows[first]]
    return result


def _accumulate(ufunc: np.ufunc, values: npt.NDArray[np.generic], begins: IndexArray) -> None:
    """Put in place of each value that of its group up to there, in the order of the rows."""
    lengths = np.diff(begins, append=len(values))
    if len(begins) <= int(lengths.max()):
        for begin, length in zip(begins.tolist(), lengths.tolist(), strict=True):
            part = values[begin : begin + length]
            ufunc.accumulate(part, out=part)
        return
    # Many short groups: all second values at once, all third ones, and so on.
    order = np.argsort(-lengths, kind="stable")
    begins, lengths = begins[order], lengths[order]
    for nth in range(1, int(lengths[0])):
        rows = begins[: np.searchsorted(-lengths, -nth)] + nth
        values[rows] = ufunc(values[rows - 1], values[rows])


def _keys(x: FloatArray, missing: npt.NDArray[np.bool_], nothing: int) -> IntArray:
    """Return integers in the order of the values."""
    keys = _turned(x.view(np.int64))
    keys[missing] = nothing
    return keys


def _floats(keys: IntArray, nothing: int) -> FloatArray:
    values = _turned(keys).view(np.float64)
    values[keys == nothing] = np.nan
    return values


def _turned(bits: IntArray) -> IntArray:
    """Turn the bits of floats into integers in the same order, or back."""
    mask = bits >> 63
    mask &= _HIGHEST
    mask ^= bits
    return mask
