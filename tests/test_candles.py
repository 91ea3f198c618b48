"""Candles into columns: in machine code or in Python, the columns are the same."""
# ruff: noqa: ANN401 - much of what is given here is what the types forbid

from __future__ import annotations

import contextlib
from collections import UserDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import indicator_cache as ic

from .bars import FIELDS, Array


def read(candles: Any, backend: str = "python") -> ic.IndicatorCache:
    with ic.use_backend(backend):
        return ic.IndicatorCache({"M1": {"bid": candles}})


def columns_of(cache: ic.IndicatorCache) -> dict[str, Array]:
    """The columns of a cache: means over one bar."""
    columns = {}
    for field in FIELDS:
        with contextlib.suppress(ic.SchemaError):
            columns[field] = cache.sma("M1", "bid", field, 1)
    return columns


def outcome(candles: Any, backend: str) -> object:
    """What a cache makes of candles, as bytes, or the error."""
    try:
        cache = read(candles, backend)
    except ic.SchemaError as error:
        return error.column, str(error)
    # Means over several candles tell where candles begin.
    steps = [cache.view("M1", "bid", stepwise=True).sma("close", n).tobytes() for n in (1, 2, 3)]
    return len(cache), {n: column.tobytes() for n, column in columns_of(cache).items()}, steps


def same_outcome(candles: Any) -> object:
    expected = outcome(candles, "python")
    assert outcome(candles, "native") == expected
    assert outcome(candles, "wasm") == expected
    return expected


def refusal(candles: Any) -> tuple[str, str]:
    """The column and the message of the error, the same from all backends."""
    found: Any = same_outcome(candles)
    assert len(found) == 2, found
    column, message = found
    return column, message


def columns(candles: Any) -> dict[str, list[float]]:
    same_outcome(candles)
    return {name: column.tolist() for name, column in columns_of(read(candles)).items()}


ROW = {"open": 1.0, "high": 4.0, "low": 0.5, "close": 2.0, "volume": 10.0}
VALUES = tuple(ROW.values())


class Tuple(NamedTuple):
    open: Any
    high: Any
    low: Any
    close: Any
    volume: Any


@dataclass
class Data:
    open: Any
    high: Any
    low: Any
    close: Any
    volume: Any


@dataclass(slots=True)
class Slots:
    open: Any
    high: Any
    low: Any
    close: Any
    volume: Any


class Custom(Mapping[str, Any]):
    """A mapping that is no dict; what it has as attributes are not its fields."""

    open = high = low = close = volume = 1e9

    def __init__(self, *values: Any) -> None:
        self._values = dict(zip(FIELDS, values, strict=True))

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Dict(dict[str, Any]):
    """A dict whose attributes are not its fields."""

    open = high = low = close = volume = 1e9


class Properties:
    def __init__(self, *values: Any) -> None:
        self._values = dict(zip(FIELDS, values, strict=True))

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None


def as_dict(*values: Any) -> dict[str, Any]:
    return dict(zip(FIELDS, values, strict=True))


FORMS: dict[str, Callable[..., Any]] = {
    "dict": as_dict,
    "dict with attributes": lambda *values: Dict(as_dict(*values)),
    "UserDict": lambda *values: UserDict(as_dict(*values)),
    "mapping": Custom,
    "namespace": lambda *values: SimpleNamespace(**as_dict(*values)),
    "dataclass": Data,
    "slots": Slots,
    "namedtuple": Tuple,
    "properties": Properties,
}


class Float(float):
    __slots__ = ()


class Int(int):
    pass


numbers = st.one_of(
    st.none(),
    st.floats(),
    st.floats().map(np.float64),
    st.floats(width=32).map(np.float32),
    st.floats(width=16).map(np.float16),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.integers(-(2**63), 2**63 - 1).map(np.int64),
    st.integers(0, 255).map(np.uint8),
    st.decimals(allow_nan=False),
    st.fractions(),
    st.floats().map(Float),
    st.integers(-(2**60), 2**60).map(Int),
)

#: What is refused wherever a number belongs.
NO_NUMBERS: tuple[Any, ...] = (
    True,
    False,
    np.True_,
    "1.0",
    b"1.0",
    bytearray(b"1.0"),
    memoryview(b"1.0"),
    1j,
    np.complex128(1),
    [1.0],
    (),
    {},
    object(),
    10**400,
    np.array([1.0, 2.0]),
    np.array("1.0"),
    np.array(True),  # noqa: FBT003
    np.datetime64("2024-01-01"),
    np.timedelta64(1, "s"),
)


def kind_of(value: object) -> str:
    return f"{type(value).__name__} {str(value)[:5]} {getattr(value, 'dtype', '')}"


@given(
    rows=st.lists(st.tuples(st.sampled_from(sorted(FORMS)), *[numbers] * 5), max_size=5),
    order=st.lists(st.integers(-1, 4), max_size=40),
)
def test_any_candles(rows: list[Any], order: list[int]) -> None:
    """Any numbers in any kind of candle, repeated and missing in any order."""
    candles = [FORMS[form](*values) for form, *values in rows]
    series = [candles[at] if 0 <= at < len(candles) else None for at in order]
    result: Any = same_outcome(series)
    used = {at for at in order if 0 <= at < len(rows)}
    if any(too_large(value) for at in used for value in rows[at][1:]):
        assert "where a number or None belongs" in result[1]
        return
    nothing = (None,) * 5
    cells = [rows[at][1:] if at in used else nothing for at in order]
    for name, values in zip(FIELDS, zip(*cells, strict=True), strict=False):
        expected = [np.nan if value is None else float(value) for value in values]
        np.testing.assert_array_equal(columns_of(read(series))[name], expected)


def too_large(value: Any) -> bool:
    try:
        float(0 if value is None else value)
    except OverflowError:
        return True
    return False


@given(data=st.data())
def test_any_refusal(data: st.DataObject) -> None:
    """One bad field among good ones: the same error from each backend."""
    kinds = st.sampled_from(sorted(FORMS))
    bad = data.draw(st.sampled_from(NO_NUMBERS) | numbers)
    where = data.draw(st.integers(0, 4))
    values = list(VALUES)
    values[where] = bad
    same_outcome([None, FORMS[data.draw(kinds)](*VALUES), FORMS[data.draw(kinds)](*values)])


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str) -> None:
    candle, other = FORMS[form](*VALUES), FORMS[form](2, None, 0, Decimal("0.1"), 3)
    nan = float("nan")
    given_columns = columns([None, candle, candle, None, candle, other])
    assert str(given_columns) == str(
        {
            "open": [nan, 1.0, 1.0, nan, 1.0, 2.0],
            "high": [nan, 4.0, 4.0, nan, 4.0, nan],
            "low": [nan, 0.5, 0.5, nan, 0.5, 0.0],
            "close": [nan, 2.0, 2.0, nan, 2.0, 0.1],
            "volume": [nan, 10.0, 10.0, nan, 10.0, 3.0],
        }
    )
    steps = read([None, candle, candle, None, candle, other]).view("M1", "bid", stepwise=True)
    assert str(steps.sma("open", 2).tolist()) == str([nan] * 5 + [1.5])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", NO_NUMBERS, ids=kind_of)
def test_no_number(form: str, value: Any) -> None:
    good = FORMS[form](*VALUES)
    bad = FORMS[form](*VALUES[:3], value, 10.0)
    column, message = refusal([good, None, bad])
    assert column == "close"
    assert message == (
        f"close: M1 bid: the candle at bar 2 has {value!r} where a number or None belongs"
    )


@pytest.mark.parametrize("field", FIELDS)
def test_no_field(field: str) -> None:
    """Of a later candle volume is required as well: the first one had it."""
    partial = {name: value for name, value in ROW.items() if name != field}
    kinds: dict[str, Any] = {"dict": partial, "SimpleNamespace": SimpleNamespace(**partial)}
    for kind, candle in kinds.items():
        column, message = refusal([ROW, None, ROW, candle])
        assert column == field
        assert message == f"{field}: M1 bid: the {kind} candle at bar 3 has no such field"
        if field != "volume":
            column, message = refusal([candle, ROW])
            assert (column, "at bar 0" in message) == (field, True)


def test_volume_is_optional() -> None:
    """The first candle decides. None is a value like others: missing."""
    without = {name: value for name, value in ROW.items() if name != "volume"}
    assert list(columns([None, without])) == ["open", "high", "low", "close"]
    assert list(columns([without, ROW])) == ["open", "high", "low", "close"]
    assert np.isnan(columns([without | {"volume": None}])["volume"]).all()
    cache = ic.IndicatorCache({"M1": {"bid": [without]}})
    with pytest.raises(ic.SchemaError, match="no such column; they have: open, high, low, close"):
        cache.ema("M1", "bid", "volume")


@pytest.mark.parametrize("candle", [1.0, "candle", (1.0, 2.0), [1.0], object(), Fraction(1)])
def test_what_is_no_candle(candle: Any) -> None:
    column, message = refusal([None, candle])
    assert column == "open"
    assert "at bar 1" in message
    assert type(candle).__name__ in message


def test_sequences() -> None:
    rows = [ROW, None, ROW]
    for sequence in (rows, tuple(rows), deque(rows)):
        assert same_outcome(sequence) == same_outcome(rows)


@pytest.mark.parametrize(
    "bars", [None, 5, "bars", b"rows", iter([ROW]), {1: 2}.keys(), ROW.values()]
)
def test_what_is_no_sequence(bars: Any) -> None:
    with pytest.raises(
        ic.SchemaError, match="expected a sequence of candles, a mapping from names"
    ):
        ic.IndicatorCache({"M1": {"bid": bars}})


class Moody:
    """A candle whose closing price raises."""

    open = high = low = volume = 1.0

    def __init__(self, error: Exception) -> None:
        self._error = error

    @property
    def close(self) -> float:
        raise self._error


def test_attribute_error_in_a_property() -> None:
    column, message = refusal([ROW, Moody(AttributeError("inside"))])
    assert (column, message) == (
        "close",
        "close: M1 bid: the Moody candle at bar 1 has no such field",
    )


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("kind", [ValueError, ZeroDivisionError, RuntimeError])
def test_other_errors_in_a_property(kind: type[Exception]) -> None:
    """They are the caller's, and get through unchanged."""
    error = kind("inside")
    with pytest.raises(kind, match=r"^inside$") as caught:
        ic.IndicatorCache({"M1": {"bid": [ROW, Moody(error)]}})
    assert caught.value is error


class Meddler:
    """A candle that changes the list it is in when it is read."""

    high = low = close = volume = 1.0

    def __init__(self, change: Callable[[], object]) -> None:
        self._change = change

    @property
    def open(self) -> float:
        self._change()
        return 1.0


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("how", ["clear", "pop", "append"])
def test_list_changed_while_it_is_read(how: str) -> None:
    """The bars are those at the time of the call."""
    candles: list[Any] = [{**ROW, "open": float(bar)} for bar in range(5)]
    changes = {
        "clear": candles.clear,
        "pop": candles.pop,
        "append": lambda: candles.append(ROW),
    }
    candles[2] = Meddler(changes[how])
    cache = ic.IndicatorCache({"M1": {"bid": candles}})
    assert cache.ema("M1", "bid", "open", 1).tolist() == [0.0, 1.0, 1.0, 3.0, 4.0]


def test_fraction_and_decimal() -> None:
    row = {**ROW, "open": Fraction(1, 3), "close": Decimal("NaN"), "high": Decimal("Infinity")}
    given_columns = columns([row])
    assert given_columns["open"] == [1 / 3]
    assert np.isnan(given_columns["close"]).all()
    assert given_columns["high"] == [np.inf]
