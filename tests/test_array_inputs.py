"""What the functions and tables take as a row of numbers, and what they refuse."""
# ruff: noqa: ANN401 - much of what is given here is what the types forbid

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import indicator_cache as ic

from .bars import Array, with_gaps

X = with_gaps(300)["close"]
#: Numbers that survive a conversion to less precise types.
WHOLE = np.round(np.linspace(-50, 50, 300))


def strided(x: Array) -> Array:
    wide = np.zeros((len(x), 3))
    wide[:, 1] = x
    return wide[:, 1]


def unaligned(x: Array) -> Array:
    """Contiguous, yet not at a multiple of eight: what comes after a header in a file."""
    return np.frombuffer(b"HEAD" + x.tobytes(), np.float64, offset=4)


def packed(x: Array) -> Array:
    table = np.zeros(len(x), [("flag", "i1"), ("x", "f8")])
    table["x"] = x
    return table["x"]


def read_only(x: Array) -> Array:
    x = x.copy()
    x.flags.writeable = False
    return x


SAME: dict[str, Callable[[Array], Any]] = {
    "list": lambda x: x.tolist(),
    "tuple": lambda x: tuple(x.tolist()),
    "big-endian": lambda x: x.astype(">f8"),
    "long double": lambda x: x.astype(np.longdouble),
    "strided": strided,
    "reversed": lambda x: x[::-1].copy()[::-1],
    "unaligned": unaligned,
    "packed": packed,
    "read-only": read_only,
    "memoryview": lambda x: x.data,
    "array": lambda x: array.array("d", x.tolist()),
    "pandas": pd.Series,
    "pandas with an index": lambda x: pd.Series(x, index=np.arange(len(x))[::-1]),
    "polars": pl.Series,
    "polars with nulls": lambda x: pl.Series(x, nan_to_null=True),
    "polars chunks": lambda x: pl.concat([pl.Series(x[:100]), pl.Series(x[100:])], rechunk=False),
    "pyarrow": lambda x: pa.array(x, from_pandas=True),
    "pyarrow chunks": lambda x: pa.chunked_array([x[:100], x[100:]]),
    "masked": lambda x: np.ma.array(np.nan_to_num(x, nan=7.0), mask=np.isnan(x)),
    "list of scalars": list,
}


def bits(result: Any) -> bytes:
    """Return the numbers of a result of any kind, null as NaN."""
    return np.asarray(result, np.float64).tobytes()


WHOLE_KINDS = ("i1", "i2", "i4", "i8", ">i2", ">i8", "f2", "f4", ">f4", "f8")


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("form", SAME)
def test_same_bits_whatever_the_form(form: str) -> None:
    given = SAME[form](X)
    for name in "ema", "sma", "rsi", "roc":
        assert bits(getattr(ic, name)(given, 7)) == bits(getattr(ic, name)(X, 7))
    assert bits(ic.atr(given, X, given, 7)) == bits(ic.atr(X, X, X, 7))
    cache = ic.IndicatorCache({"M1": {"bid": {"close": given}}})
    assert cache.ema("M1", "bid", "close", 7).tobytes() == ic.ema(X, 7).tobytes()


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("kind", WHOLE_KINDS)
def test_same_bits_whatever_the_type(kind: str) -> None:
    expected = ic.ema(WHOLE, 7).tobytes()
    assert ic.ema(WHOLE.astype(kind), 7).tobytes() == expected
    assert ic.ema(WHOLE.astype(kind)[::2], 7).tobytes() == ic.ema(WHOLE[::2], 7).tobytes()
    unsigned = np.abs(WHOLE)
    assert ic.ema(unsigned.astype("u1"), 7).tobytes() == ic.ema(unsigned, 7).tobytes()


def test_large_whole_numbers_are_rounded_as_python_rounds_them() -> None:
    values = [2**63 - 1, -(2**53) - 1, 2**53 + 1, 123_456_789]
    assert ic.ema(values, 1).tolist() == [float(value) for value in values]
    assert ic.ema(np.array([2**64 - 1], np.uint64), 1).tolist() == [2.0**64]


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    "empty", [[], (), np.empty(0), np.empty(0, "f4"), pd.Series([], dtype=float)]
)
def test_empty(empty: Any) -> None:
    for name, spec in ic.catalog().items():
        result = getattr(ic, name)(*[empty] * len(spec.inputs))
        for column in result if isinstance(result, tuple) else (result,):
            assert (column.shape, column.dtype) == ((0,), np.float64)


def test_inputs_are_left_alone_and_results_are_new() -> None:
    x = X.copy()
    result = ic.ema(x, 1)
    assert not np.shares_memory(result, x)
    assert x.tobytes() == X.tobytes()
    result[0] = 5.0
    assert ic.ema(x, 1) is not result


REFUSED: dict[str, tuple[Any, str]] = {
    "two dimensions": (np.ones((3, 2)), "expected one dimension, got 2 (shape (3, 2))"),
    "one column": (np.ones((3, 1)), "expected one dimension, got 2 (shape (3, 1))"),
    "matrix of nothing": (np.ones((0, 2)), "expected one dimension, got 2 (shape (0, 2))"),
    "nested": ([[1.0], [2.0]], "expected one dimension, got 2"),
    "ragged": ([[1.0], [2.0, 3.0]], "expected a row of numbers: "),
    "number": (5.0, "expected one dimension, got 0"),
    "None": (None, "expected one dimension, got 0"),
    "string": ("123", "expected one dimension, got 0"),
    "bytes": (b"123", "expected one dimension, got 0"),
    "dict": ({"close": [1.0]}, "expected one dimension, got 0"),
    "generator": ((x for x in [1.0]), "expected one dimension, got 0"),
    "objects": (np.array([1.0, 2.0], object), "expected real numbers, got an array of object"),
    "None inside": ([1.0, None], "expected real numbers, got an array of object"),
    "complex": ([1.0, 2j], "expected real numbers, got an array of complex128"),
    "bool": ([True, False], "expected real numbers, got an array of bool"),
    "strings": (["1.0", "2.0"], "expected real numbers, got an array of <U3"),
    "byte strings": ([b"1.0"], "expected real numbers, got an array of |S3"),
    "dates": (np.array(["2024"], "M8[D]"), "expected real numbers, got an array of datetime64"),
    "times": (np.array([1], "m8[s]"), "expected real numbers, got an array of timedelta64"),
    "records": (np.zeros(2, [("a", "f8")]), "expected real numbers, got an array of [('a'"),
    "pandas strings": (pd.Series(["a"]), "expected real numbers, got an array of "),
    "pandas bool": (pd.Series([True]), "expected real numbers, got an array of bool"),
    "polars bool": (pl.Series([True]), "expected real numbers, got an array of bool"),
    "masked bool": (np.ma.array([True]), "expected real numbers, got an array of bool"),
    "masked complex": (np.ma.array([1j]), "expected real numbers, got an array of complex128"),
    "masked strings": (np.ma.array(["1"]), "expected real numbers, got an array of <U1"),
    "masked objects": (
        np.ma.array([1], dtype=object),
        "expected real numbers, got an array of obj",
    ),
}


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("form", REFUSED)
def test_refused(form: str) -> None:
    values, message = REFUSED[form]
    with pytest.raises(ic.SchemaError) as caught:
        ic.ema(values)
    assert str(caught.value).startswith(f"x: {message}")
    assert caught.value.column == "x"
    with pytest.raises(ic.SchemaError) as caught:
        ic.atr(X, values, X)
    assert caught.value.column == "low"
    with pytest.raises(ic.SchemaError) as caught:
        ic.IndicatorCache({"M1": {"bid": {"close": values}}})
    assert message in str(caught.value)
    assert "close" in str(caught.value)
    assert "M1 bid" in str(caught.value)


@pytest.mark.usefixtures("backend")
def test_lengths_must_match() -> None:
    with pytest.raises(ic.SchemaError) as caught:
        ic.atr(X, X[:-1], X)
    assert str(caught.value) == "low: expected 300 bars, as many as high, got 299"
    with pytest.raises(ic.SchemaError, match="expected 0 bars, as many as high, got 300"):
        ic.atr([], X, X)
