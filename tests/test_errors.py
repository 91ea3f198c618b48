"""What is refused, with which words, and that nothing has changed afterwards."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

import indicator_cache as ic

from .bars import columns_of, walk

BARS = walk(60)

BAD_WHOLE: tuple[Any, ...] = (
    True,
    False,
    np.True_,
    20.0,
    np.float64(20),
    float("nan"),
    float("inf"),
    0,
    -1,
    np.int64(-1),
    2**40,
    10**400,
    1_000_001,
    "20",
    b"20",
    None,
    20j,
    [20],
    (),
    np.array([20]),
    np.array(20.0),
)

BAD_REAL: tuple[Any, ...] = (
    True,
    np.False_,
    np.array(True),  # noqa: FBT003 - it is an array
    float("nan"),
    float("inf"),
    -float("inf"),
    -1.0,
    -5e-324,
    2**40,
    10**400,
    "2.0",
    b"2.0",
    bytearray(b"2.0"),
    memoryview(b"2.0"),
    np.array("2.0"),
    None,
    2j,
    np.complex128(2),
    [2.0],
    np.array([2.0, 3.0]),
)


BAD_FLAG: tuple[Any, ...] = (0, 1, 1.0, np.int64(1), "True", None, np.array(True), [True])  # noqa: FBT003

BAD_WORD: tuple[Any, ...] = ("", "ROLLING", "sma", b"rolling", 0, 1.0, True, None, ["rolling"])

BAD = {"integer": BAD_WHOLE, "float": BAD_REAL, "flag": BAD_FLAG, "choice": BAD_WORD}


def bad_parameters() -> Iterator[tuple[str, ic.spec.Parameter, Any]]:
    for name, spec in ic.catalog().items():
        for parameter in spec.parameters:
            for value in BAD[parameter.kind]:
                # 0 bars to wait is allowed, and so is None where it may be.
                allowed = (
                    type(value) is int and parameter.kind == "integer" and value == parameter.min
                )
                if not allowed and not (value is None and parameter.optional):
                    yield name, parameter, value


def in_words(parameter: ic.spec.Parameter) -> str:
    """What is allowed, as it is told."""
    if parameter.kind == "choice":
        return f"one of {', '.join(parameter.options)}"
    if parameter.kind == "flag":
        return "True or False"
    kind = "a whole number" if parameter.kind == "integer" else "a number"
    none = ", or None" if parameter.optional else ""
    return f"{kind} from {parameter.min!r} to {parameter.max!r}{none}"


def described(value: object) -> str:
    return f"{type(value).__name__} {getattr(value, 'dtype', '')!s}"


KINDS_OF_VALUES = sorted({described(value) for values in BAD.values() for value in values})


def make() -> ic.IndicatorCache:
    return ic.IndicatorCache({"M1": {"bid": BARS, "ask": BARS}, "H1": {"bid": BARS}})


class Unchanged:
    """A cache with results, and the means to see whether it is as it was."""

    def __init__(self) -> None:
        self.cache = make()
        self.results = {name: self.cache.get("M1", "bid", name) for name in ic.catalog()}
        self.stats = self.cache.stats()
        self.bytes = [np.asarray(result).tobytes() for result in self.results.values()]

    def check(self) -> None:
        assert self.cache.stats() == self.stats
        assert [np.asarray(result).tobytes() for result in self.results.values()] == self.bytes
        for name, result in self.results.items():
            assert self.cache.get("M1", "bid", name) is result


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("kind_of_value", KINDS_OF_VALUES)
def test_parameters(kind_of_value: str) -> None:
    """Every parameter of every indicator, by every way to give it."""
    state = Unchanged()
    for name, parameter, value in bad_parameters():
        if described(value) != kind_of_value:
            continue
        spec = ic.catalog()[name]
        given: dict[str, Any] = {parameter.name: value}
        cache, view = state.cache, state.cache.view("M1", "bid")
        calls: list[Callable[[], object]] = [
            lambda: getattr(ic, name)(*columns_of(spec, BARS), **given),  # noqa: B023
            lambda: getattr(cache, name)("M1", "bid", **given),  # noqa: B023
            lambda: getattr(cache, name)("M1", "bid", **given, i=3),  # noqa: B023
            lambda: getattr(view, name)(**given),  # noqa: B023
            lambda: cache.get("M1", "bid", name, **given),  # noqa: B023
            lambda: view.get(name, **given),  # noqa: B023
            lambda: spec.first_valid(**given),  # noqa: B023
        ]
        expected = in_words(parameter)
        for call in calls:
            with pytest.raises(ic.ParameterError) as caught:
                call()
            error = caught.value
            assert (error.parameter, error.expected) == (parameter.name, expected)
            assert error.given is value
            assert str(error) == f"{parameter.name} must be {expected}, got {value!r}"
    state.check()


def test_words() -> None:
    """The message as a person reads it."""
    with pytest.raises(ValueError, match="must be") as caught:
        ic.ema(BARS["close"], 0)
    assert str(caught.value) == "period must be a whole number from 1 to 1000000, got 0"


def spec_defaults(spec: ic.IndicatorSpec) -> dict[str, Any]:
    return {parameter.name: parameter.default for parameter in spec.parameters}


def test_limits_are_allowed() -> None:
    for name, spec in ic.catalog().items():
        for parameter in spec.parameters:
            limits: tuple[Any, ...] = parameter.min, parameter.max
            if parameter.kind == "choice":
                limits = parameter.options
            elif parameter.kind == "flag":
                limits = True, np.False_
            for value in (*limits, None) if parameter.optional else limits:
                # Where a rule forbids it beside the defaults, beside the lowest floats.
                for others in {}, {p.name: p.min for p in spec.parameters if p.kind == "float"}:
                    params = spec_defaults(spec) | others | {parameter.name: value}
                    if all(rule.holds(*params.values()) for rule in spec.rules):
                        getattr(ic, name)(*columns_of(spec, BARS), **params)


def test_what_equals_an_allowed_value_may_still_be_refused() -> None:
    x = BARS["close"]
    expected = ic.sma(x, 1)
    for bad in True, 1.0, np.float64(1.0):
        with pytest.raises(ic.ParameterError, match=f"^period .*{re.escape(repr(bad))}"):
            ic.sma(x, bad)  # type: ignore[arg-type]
    assert ic.sma(x, 1).tobytes() == expected.tobytes()
    middle = ic.bollinger(x, 1, 0.0)
    assert [column.tobytes() for column in ic.bollinger(x, 1, -0.0)] == [
        column.tobytes() for column in middle
    ]


def test_a_number_that_changes_is_read_anew() -> None:
    class Dial:
        period = 0

        def __index__(self) -> int:
            self.period += 1
            return self.period

    x, dial = BARS["close"], Dial()
    for period in 1, 2, 3:
        found: Any = ic.sma(x, dial)  # type: ignore[call-overload]
        assert found.tobytes() == ic.sma(x, period).tobytes()


@pytest.mark.usefixtures("backend")
def test_what_parameters_have_to_fulfil_together() -> None:
    close = BARS["close"]
    for call in (
        lambda: ic.garch_volatility(close, alpha=0.5, beta=0.5),
        lambda: make().garch_volatility("M1", "bid", alpha=0.5, beta=0.5),
        lambda: ic.stream("garch_volatility", alpha=0.5, beta=0.5),
        lambda: ic.catalog()["garch_volatility"].first_valid(alpha=0.5, beta=0.5),
    ):
        with pytest.raises(ic.ParameterError) as caught:
            call()
        assert str(caught.value) == "beta must be such that alpha + beta < 1, got 0.5"
        assert (caught.value.parameter, caught.value.given) == ("beta", 0.5)


def refused_by_the_cache() -> dict[str, tuple[Callable[[ic.IndicatorCache], object], str]]:
    source = "source must be one of open, high, low, close, volume, got"
    whole = "i must be a whole number, or None, got"
    m1: tuple[Any, Any] = ("M1", "bid")
    bad: Any = [1]
    numbers: dict[str, Any] = {"1.0": 1.0, "nan": np.nan, "True": True, "'1'": "1", "[1]": bad}
    table: dict[str, tuple[Callable[[ic.IndicatorCache], object], str]] = {
        "timeframe": (lambda c: c.ema("M2", "bid"), "unknown timeframe 'M2'; known: 'M1', 'H1'"),
        "timeframe None": (lambda c: c.ema(None, "bid"), "unknown timeframe None; known: 'M1',"),
        "timeframe list": (lambda c: c.ema(bad, "bid"), "unknown timeframe [1]; known: 'M1', "),
        "side": (lambda c: c.ema("H1", "ask"), "unknown price type of 'H1' 'ask'; known: 'bid'"),
        "side list": (lambda c: c.ema("H1", bad), "unknown price type of 'H1' [1]; known: 'bid'"),
        "side of view": (lambda c: c.view("M1", "mid"), "unknown price type of 'M1' 'mid'; known"),
        "side of get": (lambda c: c.get("M1", 3, "ema"), "unknown price type of 'M1' 3; known: "),
        "side of stepwise": (lambda c: c.ema_stepwise("M1", 3), "unknown price type of 'M1' 3"),
        "sides": (lambda c: c.price_types("M2"), "unknown timeframe 'M2'; known: 'M1', 'H1'"),
        "source": (lambda c: c.ema(*m1, "price"), f"{source} 'price'"),
        "source case": (lambda c: c.macd(*m1, "Close"), f"{source} 'Close'"),
        "source empty": (lambda c: c.ema(*m1, ""), f"{source} ''"),
        "source number": (lambda c: c.ema(*m1, 20), f"{source} 20"),  # type: ignore[call-overload]
        "source list": (lambda c: c.rsi(*m1, bad), f"{source} [1]"),
        "source of view": (lambda c: c.view(*m1).roc("typical"), f"{source} 'typical'"),
        "source of get": (lambda c: c.get(*m1, "sma", source="typical"), f"{source} 'typical'"),
        "indicator": (lambda c: c.get(*m1, "vwap"), "indicator must be one of atr, bollinger, "),
        "indicator of view": (lambda c: c.view(*m1).get("vwap"), "indicator must be one of atr, "),
        "parameter": (lambda c: c.get(*m1, "ema", span=3), "span must be one of the parameters of"),
    }
    for text, number in numbers.items():
        for how in (ema_at, atr_of_view_at, get_at):
            table[f"{how.__name__} {text}"] = (partial(how, i=number), f"{whole} {text}")
    return table


def ema_at(cache: ic.IndicatorCache, i: int) -> object:
    return cache.ema("M1", "bid", i=i)


def atr_of_view_at(cache: ic.IndicatorCache, i: int) -> object:
    return cache.view("M1", "bid").atr(i=i)


def get_at(cache: ic.IndicatorCache, i: int) -> object:
    return cache.get("M1", "bid", "dmi", i=i)


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("what", refused_by_the_cache())
def test_calls(what: str) -> None:
    state = Unchanged()
    call, message = refused_by_the_cache()[what]
    with pytest.raises((ic.ParameterError, ic.UnknownSeriesError)) as caught:
        call(state.cache)
    assert str(caught.value).startswith(message)
    state.check()


def test_families() -> None:
    """Each is what a person would catch without knowing this package."""
    bases = {
        ic.UnknownSeriesError: KeyError,
        ic.ParameterError: ValueError,
        ic.SchemaError: ValueError,
        ic.BackendUnavailableError: ImportError,
        ic.BackendError: RuntimeError,
    }
    for kind, base in bases.items():
        assert issubclass(kind, base)
        assert issubclass(kind, ic.IndicatorCacheError)


def test_details_and_pickles() -> None:
    """They survive the way from a worker process."""
    cache = make()
    calls: tuple[Callable[[], object], ...] = (
        lambda: cache.ema("M2", "bid"),
        lambda: cache.ema("M1", "bid", "close", 0),
        lambda: ic.ema([[1.0]]),
    )
    for call in calls:
        with pytest.raises(ic.IndicatorCacheError) as caught:
            call()
        again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - made here
        assert type(again) is type(caught.value)
        assert str(again) == str(caught.value)
        assert vars(again) == vars(caught.value)
    with pytest.raises(ic.UnknownSeriesError) as unknown:
        cache.ema("H1", "ask")
    assert unknown.value.known == ("bid",)


CLOSE = BARS["close"]

#: Bars, the column that the error names, and what it says.
BAD_BARS: dict[str, tuple[Any, str, str]] = {
    "None": (None, "bars", "expected a mapping of timeframes, got NoneType"),
    "list": ([1], "bars", "expected a mapping of timeframes, got list"),
    "no sides": ({"M1": [1.0]}, "M1", "expected a mapping of price types, got list"),
    "no columns": (
        {"M1": {"bid": {"price": [1.0]}}},
        "M1 bid",
        "expected columns among open, high",
    ),
    "empty table": ({"M1": {"bid": {}}}, "M1 bid", "expected columns among open, high"),
    "lengths": (
        {"M1": {"bid": {"close": CLOSE, "high": CLOSE[1:]}}},
        "close",
        "expected 59 bars, as many as high, got 60",
    ),
    "lengths of series": (
        {"M1": {"bid": BARS}, "H1": {"ask": {"close": CLOSE[1:]}}},
        "H1 ask",
        "expected 60 bars, as many as M1 bid, got 59",
    ),
    "lengths of candles": (
        {"M1": {"bid": BARS, "ask": [None] * 59}},
        "M1 ask",
        "expected 60 bars, as many as M1 bid, got 59",
    ),
    "length of timestamp": (
        {"M1": {"bid": {"close": CLOSE, "timestamp": [1]}}},
        "timestamp",
        "expected 60 bars, got shape (1,)",
    ),
    "length of valid": (
        {"M1": {"bid": {"close": CLOSE, "valid": [True]}}},
        "valid",
        "expected 60 bars, got shape (1,)",
    ),
    "scalar new_bar": (
        {"M1": {"bid": {"close": CLOSE, "new_bar": True}}},
        "new_bar",
        "expected 60 bars, got shape ()",
    ),
    "numbers for valid": (
        {"M1": {"bid": {"close": CLOSE, "valid": np.ones(60)}}},
        "valid",
        "expected booleans, got an array of float64",
    ),
    "numbers for new_bar": (
        {"M1": {"bid": {"close": CLOSE, "new_bar": np.ones(60, int)}}},
        "new_bar",
        "expected booleans, got an array of int64",
    ),
    "objects": (
        {"M1": {"bid": {"close": CLOSE, "high": [None] * 60}}},
        "high",
        "expected real numbers, got an array of object",
    ),
}


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("what", BAD_BARS)
def test_bars(what: str) -> None:
    bars, column, message = BAD_BARS[what]
    with pytest.raises(ic.SchemaError) as caught:
        ic.IndicatorCache(bars)
    assert message in str(caught.value)
    assert column in str(caught.value)


@pytest.mark.parametrize("what", BAD_BARS)
def test_schema_errors_name_the_column(what: str) -> None:
    """In a form that a program can use: the name that the caller gave it, and nothing else."""
    bars, column, _ = BAD_BARS[what]
    with pytest.raises(ic.SchemaError) as caught:
        ic.IndicatorCache(bars)
    assert caught.value.column == column


@pytest.mark.usefixtures("backend")
def test_a_column_that_is_not_there() -> None:
    """It is missed where it is needed, and that changes nothing."""
    cache = ic.IndicatorCache({"M1": {"bid": {"close": CLOSE, "high": CLOSE}}})
    cache.ema("M1", "bid")
    before = cache.stats()
    calls: dict[str, Callable[[], object]] = {
        "low": lambda: cache.atr("M1", "bid"),
        "volume": lambda: cache.ema("M1", "bid", "volume"),
        "open": lambda: cache.view("M1", "bid").macd("open", i=3),
    }
    for column, call in calls.items():
        with pytest.raises(ic.SchemaError) as caught:
            call()
        assert caught.value.column == column
        assert str(caught.value) == (
            f"{column}: the bars of M1 bid have no such column; they have: high, close"
        )
    assert cache.stats() == before
