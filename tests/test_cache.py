"""The cache: signatures, one object per result, stepwise results, memory, threads, backends."""
# ruff: noqa: ANN401 - much of what is given here is what the types forbid

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest

import indicator_cache as ic
from indicator_cache.backends.python import PythonBackend
from indicator_cache.backends.reference import Machine
from indicator_cache.spec import Value

from . import oracles
from .bars import FIELDS, Array, Bars, as_columns, bits, compute, missing, walk, with_gaps

NAMES = tuple(ic.catalog())

every_indicator = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def cache() -> ic.IndicatorCache:
    return make()


def make(**options: Any) -> ic.IndicatorCache:
    sides = {"bid": with_gaps(200, 1), "ask": walk(200, 2)}
    return ic.IndicatorCache({"M1": sides, "H1": {"bid": walk(200, 3)}}, **options)


# --- what is returned ---


@pytest.mark.usefixtures("backend")
def test_signatures_by_position(cache: ic.IndicatorCache) -> None:
    m1 = "M1", "bid"
    assert isinstance(cache.ema(*m1, "close", 20, 150), float)
    assert isinstance(cache.sma(*m1, "open", 20, 150), float)
    assert isinstance(cache.rsi(*m1, "high", 14, 150), float)
    assert isinstance(cache.roc(*m1, "volume", 14, 150), float)
    assert isinstance(cache.atr(*m1, 14, 150), float)
    assert isinstance(cache.true_range(*m1, 150), float)
    assert [type(v) for v in cache.macd(*m1, "close", 12, 26, 9, 150)] == [float] * 3
    assert [type(v) for v in cache.bollinger(*m1, "close", 20, 2.0, 150)] == [float] * 3
    assert [type(v) for v in cache.dmi(*m1, 14, 150)] == [float] * 3


@pytest.mark.usefixtures("backend")
@every_indicator
def test_same_bits_as_the_function(cache: ic.IndicatorCache, name: str) -> None:
    for seed, (tf, pt) in enumerate([("M1", "bid"), ("M1", "ask"), ("H1", "bid")], start=1):
        bars = with_gaps(200, 1) if seed == 1 else walk(200, seed)
        assert bits(as_columns(getattr(cache, name)(tf, pt))) == bits(compute(name, bars))


def test_sources(cache: ic.IndicatorCache) -> None:
    bars = with_gaps(200, 1)
    for source in FIELDS:
        assert cache.ema("M1", "bid", source, 7).tobytes() == ic.ema(bars[source], 7).tobytes()
    assert len({cache.ema("M1", "bid", source, 7).tobytes() for source in FIELDS}) == 5


def test_parameters_are_part_of_the_key(cache: ic.IndicatorCache) -> None:
    close = with_gaps(200, 1)["close"]
    for fast, slow, signal in (3, 5, 7), (5, 3, 7), (3, 7, 5):
        expected = bits(as_columns(ic.macd(close, fast, slow, signal)))
        assert bits(as_columns(cache.macd("M1", "bid", "close", fast, slow, signal))) == expected
    assert cache.stats().entries == 3


@every_indicator
def test_same_object_on_every_call(cache: ic.IndicatorCache, name: str) -> None:
    method = getattr(cache, name)
    spec = ic.catalog()[name]
    first = method("M1", "bid")
    defaults: dict[str, Any] = {p.name: p.default for p in spec.parameters}
    sources: dict[str, Any] = {"source": "close"} if spec.inputs == ("x",) else {}
    again = [
        method("M1", "bid", **sources, **defaults),
        method("M1", "bid", *sources.values(), *defaults.values()),
        method(tf="M1", pt="bid", i=None),
        cache.get("M1", "bid", name),
        cache.get("M1", "bid", name, **sources, **defaults),
        getattr(cache.view("M1", "bid"), name)(),
        getattr(cache.view("M1", "bid"), name)(*sources.values(), *defaults.values()),
        cache.view("M1", "bid").get(name, **defaults),
    ]
    assert all(result is first for result in again)
    assert cache.stats()[:2] == (len(again), 1)


def test_equal_numbers_are_one_parameter(cache: ic.IndicatorCache) -> None:
    first = cache.bollinger("M1", "bid", "close", 20, 2.0)
    integer: Any = np.int32(20)
    for factor in (2, np.float32(2), np.float64(2)):
        value: Any = factor
        assert cache.bollinger("M1", "bid", "close", integer, value) is first
    assert cache.stats().entries == 1


def test_results_do_not_depend_on_which_zero_came_first() -> None:
    """0.0 and -0.0 are equal as keys; they must be equal as parameters."""
    bars = {"M1": {"bid": {"close": np.array([-0.0, -0.0, -0.0, 0.0, -0.0])}}}
    results = set()
    for factors in (0.0, -0.0), (-0.0, 0.0):
        cache = ic.IndicatorCache(bars)
        for factor in factors:
            results.add(str(bits(as_columns(cache.bollinger("M1", "bid", "close", 2, factor)))))
    assert len(results) == 1


@every_indicator
def test_read_only(cache: ic.IndicatorCache, name: str) -> None:
    for column in as_columns(getattr(cache, name)("M1", "ask")).values():
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1.0
        with pytest.raises(ValueError, match="WRITEABLE"):
            column.flags.writeable = True
        with pytest.raises(ValueError, match="WRITEABLE"):
            column.setflags(write=True)
        with pytest.raises(ValueError, match="WRITEABLE"):
            column[3:].setflags(write=True)
        assert column.dtype == np.float64
        assert column.flags.c_contiguous
        assert column.shape == (200,)


def test_read_only_through_the_base(cache: ic.IndicatorCache) -> None:
    """The way around through `base` is closed as well."""
    column: Any = cache.dmi("M1", "ask").adx
    while column is not None:
        if isinstance(column, np.ndarray):
            with pytest.raises(ValueError, match="WRITEABLE"):
                column.setflags(write=True)
        column = getattr(column, "base", None)


def test_named_tuples(cache: ic.IndicatorCache) -> None:
    expected = {
        "macd": ("macd", "signal", "histogram"),
        "bollinger": ("upper", "middle", "lower"),
        "dmi": ("plus_di", "minus_di", "adx"),
    }
    for name in NAMES:
        for result in (getattr(cache, name)("M1", "ask"), getattr(cache, name)("M1", "ask", i=99)):
            fields = getattr(result, "_fields", None)
            assert fields == expected.get(name)
            assert fields is None or isinstance(result, tuple)
    result = cache.macd("M1", "ask")
    assert isinstance(result, ic.MacdResult)
    assert result.histogram.tobytes() == (result.macd - result.signal).tobytes()


@every_indicator
def test_item(cache: ic.IndicatorCache, name: str) -> None:
    method = getattr(cache, name)
    columns = as_columns(method("H1", "bid"))
    for i in (
        0,
        1,
        60,
        199,
        -1,
        -2,
        -200,
        np.int64(60),
        np.uint8(60),
        200,
        10**30,
        -201,
        -(10**30),
    ):
        values = method("H1", "bid", i=i)
        values = values if isinstance(values, tuple) else (values,)
        assert all(type(value) is float for value in values)
        expected = [c[int(i)] if -200 <= i < 200 else np.nan for c in columns.values()]
        assert np.array(values).tobytes() == np.array(expected).tobytes()
    assert cache.stats().misses == 1


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("table", [[], {"close": []}, {"close": [], "high": [], "low": []}])
def test_no_bars(table: Any) -> None:
    cache = ic.IndicatorCache({"M1": {"bid": table}})
    assert len(cache) == 0
    assert cache.ema("M1", "bid").shape == (0,)
    assert cache.macd("M1", "bid").signal.shape == (0,)
    assert np.isnan(cache.ema("M1", "bid", i=0))
    assert np.isnan(cache.bollinger("M1", "bid", i=-1)).all()
    if not isinstance(table, dict) or len(table) > 1:
        assert cache.atr("M1", "bid").shape == (0,)


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("bars", [[None] * 5, {name: [np.nan] * 5 for name in FIELDS}])
def test_nothing_but_missing_bars(bars: Any) -> None:
    cache = ic.IndicatorCache({"M1": {"bid": bars}})
    for name in NAMES:
        for column in as_columns(getattr(cache, name)("M1", "bid")).values():
            assert column.tobytes() == np.full(5, np.nan).tobytes()


def test_names_of_series(cache: ic.IndicatorCache) -> None:
    assert cache.timeframes == ("M1", "H1")
    assert cache.price_types("M1") == ("bid", "ask")
    assert cache.price_types("H1") == ("bid",)
    assert len(cache) == 200
    assert len(cache.view("M1", "bid")) == 200
    assert "3 series of 200 bars" in repr(cache)
    assert "'M1' 'bid', stepwise, 3 bars" in repr(repeated().view("M1", "bid", stepwise=True))
    keys: dict[Any, Any] = {(5, "min"): {0: {"close": [1.0]}}, None: {1.5: {"close": [2.0]}}}
    odd = ic.IndicatorCache(keys)
    assert odd.ema((5, "min"), 0, i=0) == 1.0
    assert odd.ema(None, 1.5, i=0) == 2.0


def test_length_is_that_of_any_series() -> None:
    """Also when the first timeframe has no series."""
    bars: dict[str, Any] = {"M1": {}, "H1": {"bid": {"close": [1.0, 2.0]}}}
    assert len(ic.IndicatorCache(bars)) == 2
    assert len(ic.IndicatorCache({})) == 0


def test_later_changes_to_arrays_have_no_effect() -> None:
    table: dict[str, Any] = dict(walk(50))
    table |= {"timestamp": np.arange(50) // 3, "valid": np.arange(50) != 7}
    sides: dict[str, Any] = {"bid": table}
    expected = [c.tobytes() for c in stepwise_dmi(ic.IndicatorCache({"M1": sides}))]
    cache = ic.IndicatorCache({"M1": sides})
    for column in table.values():
        column[:] = 0
    table.clear()
    sides.clear()
    assert [c.tobytes() for c in stepwise_dmi(cache)] == expected


def stepwise_dmi(cache: ic.IndicatorCache) -> ic.DmiResult[Array]:
    result: ic.DmiResult[Array] = cache.get("M1", "bid", "dmi", stepwise=True)
    return result


def test_later_changes_to_candles_have_no_effect() -> None:
    candles: list[Any] = [dict.fromkeys(FIELDS, float(close)) for close in range(9)]
    cache = ic.IndicatorCache({"M1": {"bid": candles}})
    candles[0]["close"] = 1e6
    candles.clear()
    assert cache.ema("M1", "bid", "close", 3).tobytes() == ic.ema(np.arange(9.0), 3).tobytes()


def test_arrays_outlive_the_cache() -> None:
    cache = make()
    kept = cache.ema("M1", "ask")
    before = kept.tobytes()
    cache.clear()
    del cache
    gc.collect()
    assert kept.tobytes() == before


# --- get and view ---


def test_get(cache: ic.IndicatorCache) -> None:
    assert cache.get("M1", "bid", "ema", source="open", period=7) is cache.ema(
        "M1", "bid", "open", 7
    )
    assert cache.get("M1", "bid", "dmi", period=7, i=99) == cache.dmi("M1", "bid", 7, 99)
    for bad, message in (
        ({"name": "emma"}, "indicator must be one of atr, "),
        ({"name": None}, "indicator must be one of atr, "),
        ({"name": "ema", "perod": 3}, "perod must be one of the parameters of ema"),
        ({"name": "true_range", "period": 3}, "period must be one of the parameters of true_range"),
        ({"name": "atr", "source": "open"}, "source must be left out"),
        ({"name": "ema", "source": "price"}, "source must be one of open, high"),
        ({"name": "ema", "source": ""}, "source must be one of open, high"),
    ):
        arguments: dict[str, Any] = dict(bad)
        with pytest.raises(ic.ParameterError, match=message):
            cache.get("M1", "bid", **arguments)


def test_view(cache: ic.IndicatorCache) -> None:
    view = cache.view("M1", "bid")
    assert isinstance(view, ic.SeriesView)
    assert view.atr(7, -1) == cache.atr("M1", "bid", 7, -1)
    assert view.get("macd", fast=3, i=99) == cache.macd("M1", "bid", fast=3, i=99)
    assert view.get("ema", source="open") is cache.ema("M1", "bid", "open")
    for tf, pt in ("M2", "bid"), ("M1", "mid"):
        with pytest.raises(ic.UnknownSeriesError):
            cache.view(tf, pt)


# --- stepwise ---


class Candle:
    """One object per candle, however often it is repeated."""

    def __init__(self, row: dict[str, float]) -> None:
        self.open, self.high, self.low = row["open"], row["high"], row["low"]
        self.close, self.volume = row["close"], row["volume"]


#: Which candle each bar belongs to: -1 is a missing bar. Candle 1 and 5 are interrupted.
LAYOUT = [-1, -1, 0, 0, 0, 1, -1, 1, 1, 2, -1, -1, 3, 4, 4, 5, 5, -1, 5, 6, 6, 6, -1]
LAYOUT += [7 + bar // 4 if bar % 11 else -1 for bar in range(200)]
STARTS = [bar for bar, candle in enumerate(LAYOUT) if candle >= 0 and candle not in LAYOUT[:bar]]


def columns_in_layout() -> Bars:
    """Columns where every bar has the values of its candle."""
    candles = {name: np.append(column, np.nan) for name, column in walk(70, 4).items()}
    return {name: column[LAYOUT] for name, column in candles.items()}


def layouts() -> dict[str, Any]:
    """The same bars in every form that tells where candles begin."""
    source, columns = walk(70, 4), columns_in_layout()
    rows = [{name: float(column[at]) for name, column in source.items()} for at in range(70)]
    objects = [Candle(row) for row in rows]
    at = np.array(LAYOUT)
    starts = np.isin(np.arange(len(at)), STARTS)
    times = np.datetime64("2024-01-01", "s") + at
    return {
        "dicts": [rows[c] if c >= 0 else None for c in LAYOUT],
        "objects": [objects[c] if c >= 0 else None for c in LAYOUT],
        "tuple": tuple(objects[c] if c >= 0 else None for c in LAYOUT),
        "timestamps": columns | {"timestamp": at},
        "datetimes": columns | {"timestamp": times},
        "strings": columns | {"timestamp": [f"candle {c}" for c in LAYOUT]},
        "pandas": columns | {"timestamp": pd.Series(times)},
        "pandas with zone": columns | {"timestamp": pd.Series(times).dt.tz_localize("UTC")},
        "new_bar": columns | {"new_bar": starts},
        "new_bar before timestamp": columns | {"new_bar": starts, "timestamp": np.zeros(len(at))},
        "valid": walked_over(columns, at) | {"timestamp": at, "valid": at >= 0},
    }


def walked_over(columns: Bars, at: Any) -> Bars:
    """Numbers where bars are missing, which `valid` has to hide."""
    return {name: np.where(at < 0, 1e6, column) for name, column in columns.items()}


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("layout", layouts())
@every_indicator
def test_stepwise_is_the_indicator_over_candles(name: str, layout: str) -> None:
    cache = ic.IndicatorCache({"H1": {"bid": layouts()[layout]}})
    columns = columns_in_layout()
    over_candles = compute(name, {field: column[STARTS] for field, column in columns.items()})
    # For each bar how many candles have begun: the position of its result, after a leading NaN.
    begun = np.searchsorted(STARTS, np.arange(len(LAYOUT)), side="right")
    expected = {o: np.append(np.nan, c)[begun].tobytes() for o, c in over_candles.items()}
    view = cache.view("H1", "bid", stepwise=True)
    assert bits(as_columns(getattr(view, name)())) == expected
    assert getattr(view, name)() is cache.get("H1", "bid", name, stepwise=True)
    assert getattr(view, name)() is view.get(name)
    assert getattr(view, name)() is not getattr(cache, name)("H1", "bid")


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("layout", layouts())
def test_stepwise_against_pandas(layout: str) -> None:
    cache = ic.IndicatorCache({"H1": {"bid": layouts()[layout]}})
    close = columns_in_layout()["close"]
    for period in 1, 5, 20, 200:
        (ema,) = oracles.stepwise(oracles.ema, [close], STARTS, period)
        agrees(cache.ema_stepwise("H1", "bid", "close", period), ema)
        bands = oracles.stepwise(oracles.bollinger, [close], STARTS, period, 2.5)
        given = cache.bollinger_stepwise("H1", "bid", "close", period, 2.5)
        for column, expected in zip(given, bands, strict=True):
            agrees(column, expected)
    assert cache.ema_stepwise("H1", "bid") is cache.view("H1", "bid", stepwise=True).ema()
    assert cache.ema_stepwise("H1", "bid", "open", 5, -1) == cache.ema_stepwise(
        "H1", "bid", "open", 5
    ).item(-1)
    assert cache.bollinger_stepwise("H1", "bid", i=99).middle == (
        cache.bollinger_stepwise("H1", "bid").middle.item(99)
    )


def agrees(given: Array, expected: Array) -> None:
    np.testing.assert_allclose(given, expected, rtol=1e-9, equal_nan=True)
    assert not given.flags.writeable


def repeated() -> ic.IndicatorCache:
    candle = dict.fromkeys(FIELDS, 1.0)
    return ic.IndicatorCache({"M1": {"bid": [candle, candle, dict(candle)]}})


@pytest.mark.usefixtures("backend")
def test_equal_candles_are_not_the_same_candle() -> None:
    """Only identity tells; equality does not."""
    steps = repeated().view("M1", "bid", stepwise=True).sma("close", 2)
    assert np.isnan(steps).tolist() == [True, True, False]


def test_new_bar_at_a_missing_bar() -> None:
    """The candle begins where it is first present; the first present bar always begins one."""
    table = {"close": [1.0, np.nan, 3.0, 4.0], "new_bar": [False, True, False, False]}
    cache = ic.IndicatorCache({"M1": {"bid": table}})
    assert cache.ema_stepwise("M1", "bid", "close", 1).tolist() == [1.0, 1.0, 3.0, 3.0]


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("bars", [0, 4])
def test_stepwise_without_candles(bars: int) -> None:
    table = {"close": [np.nan] * bars, "timestamp": list(range(bars))}
    for series in ([None] * bars, table):
        cache = ic.IndicatorCache({"M1": {"bid": series}})
        nothing = np.full(bars, np.nan).tobytes()
        assert cache.ema_stepwise("M1", "bid").tobytes() == nothing
        assert [c.tobytes() for c in cache.bollinger_stepwise("M1", "bid")] == [nothing] * 3


def test_stepwise_needs_to_know_where_candles_begin() -> None:
    cache = ic.IndicatorCache({"M1": {"bid": {"close": [1.0, 1.0]}}})
    before = cache.stats()
    calls: list[Callable[[], object]] = [
        lambda: cache.view("M1", "bid", stepwise=True),
        lambda: cache.ema_stepwise("M1", "bid"),
        lambda: cache.get("M1", "bid", "ema", stepwise=True),
    ]
    for call in calls:
        with pytest.raises(ic.SchemaError, match="timestamp or new_bar") as caught:
            call()
        assert caught.value.column == "new_bar"
    assert cache.stats() == before


# --- memory ---


def test_stats_and_clear(cache: ic.IndicatorCache) -> None:
    assert cache.stats() == ic.CacheStats(0, 0, 0, 0, 0, None)
    first = cache.ema("M1", "bid")
    cache.ema("M1", "bid", i=3)
    cache.macd("M1", "bid")
    assert cache.stats() == ic.CacheStats(1, 2, 0, 2, 4 * 200 * 8, None)
    cache.clear()
    assert cache.stats() == ic.CacheStats(0, 0, 0, 0, 0, None)
    again = cache.ema("M1", "bid")
    assert again is not first
    assert again.tobytes() == first.tobytes()


def test_least_recently_used_goes_first() -> None:
    size = 200 * 8
    cache = make(max_bytes=3 * size)
    a, b, c = (cache.ema("M1", "bid", "close", period) for period in (1, 2, 3))
    assert cache.ema("M1", "bid", "close", 1) is a
    cache.ema("M1", "bid", "close", 4)
    assert cache.stats()[2:] == (1, 3, 3 * size, 3 * size)
    assert cache.ema("M1", "bid", "close", 1) is a
    assert cache.ema("M1", "bid", "close", 3) is c
    assert cache.ema("M1", "bid", "close", 2) is not b
    cache.macd("M1", "bid")
    assert cache.stats().entries == 1
    assert cache.stats().bytes == 3 * size


def test_larger_than_the_bound() -> None:
    """It is returned, not kept, and drives nothing out."""
    cache = make(max_bytes=2 * 200 * 8)
    kept = cache.ema("M1", "bid")
    assert cache.macd("M1", "bid").macd.tobytes() == make().macd("M1", "bid").macd.tobytes()
    assert cache.stats()[2:4] == (0, 1)
    assert cache.ema("M1", "bid") is kept
    nothing = make(max_bytes=0)
    assert nothing.ema("M1", "bid").tobytes() == kept.tobytes()
    assert nothing.stats() == ic.CacheStats(0, 1, 0, 0, 0, 0)


@pytest.mark.parametrize("bound", [-1, 1.5, True, "1", float("nan")])
def test_bounds_that_are_none(bound: Any) -> None:
    with pytest.raises(ic.ParameterError, match="max_bytes must be a whole number") as caught:
        make(max_bytes=bound)
    assert caught.value.parameter == "max_bytes"


# --- threads ---


class Instrumented(PythonBackend):
    """A backend that counts, waits at a gate, and can fail."""

    name = "instrumented"

    def __init__(self) -> None:
        self.calls = 0
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.error: BaseException | None = None
        self._lock = threading.Lock()

    def begin(
        self,
        spec: ic.IndicatorSpec,
        params: tuple[Value, ...],
        inputs: Sequence[Array],
        outputs: Sequence[Array],
    ) -> Machine:
        with self._lock:
            self.calls += 1
            error, self.error = self.error, None
        self.entered.set()
        assert self.gate.wait(30)
        if error is not None:
            raise error
        return super().begin(spec, params, inputs, outputs)


def instrumented(**options: Any) -> tuple[ic.IndicatorCache, Instrumented]:
    cache, backend = make(**options), Instrumented()
    cache._backend = backend
    return cache, backend


def ask_at_once(
    cache: ic.IndicatorCache, backend: Instrumented, threads: int
) -> list[Array | BaseException]:
    """What threads get that ask for one entry while it is computed; errors are returned."""
    waiting = threading.Barrier(threads + 1)

    def ask() -> Array | BaseException:
        waiting.wait(30)
        try:
            return cache.ema("M1", "bid")
        except (RuntimeError, KeyboardInterrupt) as error:
            return error

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(ask) for _ in range(threads)]
        waiting.wait(30)
        assert backend.entered.wait(30)
        # Time for the others to get there too. Were it too short, the test could only pass.
        threading.Event().wait(0.2)
        backend.gate.set()
        return [future.result(30) for future in futures]


@pytest.mark.parametrize("threads", [2, 8])
def test_a_miss_is_computed_once(threads: int) -> None:
    cache, backend = instrumented()
    results = ask_at_once(cache, backend, threads)
    assert backend.calls == 1
    assert all(result is results[0] for result in results)
    assert cache.stats().misses == 1


@pytest.mark.parametrize("threads", [2, 8])
def test_a_miss_is_computed_once_even_if_not_kept(threads: int) -> None:
    cache, backend = instrumented(max_bytes=0)
    results = ask_at_once(cache, backend, threads)
    assert backend.calls == 1
    assert all(result is results[0] for result in results)


@pytest.mark.parametrize("kind", [ic.BackendError, KeyboardInterrupt])
def test_an_error_reaches_one_and_poisons_nothing(kind: type[BaseException]) -> None:
    cache, backend = instrumented()
    backend.error = kind("no luck")
    results = ask_at_once(cache, backend, 4)
    errors = [result for result in results if isinstance(result, BaseException)]
    assert [type(error) for error in errors] == [kind]
    assert backend.calls == 2
    (first, *rest) = [result for result in results if not isinstance(result, BaseException)]
    assert all(result is first for result in rest)
    assert first is cache.ema("M1", "bid")
    assert cache.stats().misses == 1


def test_clear_during_a_computation() -> None:
    """What was begun before is handed out, but it is not kept."""
    cache, backend = instrumented()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(cache.ema, "M1", "bid")
        assert backend.entered.wait(30)
        cache.clear()
        backend.gate.set()
        early = first.result(30)
    assert cache.stats()[3:5] == (0, 0)
    late = cache.ema("M1", "bid")
    assert backend.calls == 2
    assert late is not early
    assert late.tobytes() == early.tobytes()
    assert cache.ema("M1", "bid") is late


def test_different_entries_do_not_wait_for_each_other() -> None:
    cache, backend = instrumented()
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(cache.ema, "M1", "bid")
        assert backend.entered.wait(30)
        backend.entered.clear()
        other = pool.submit(cache.ema, "M1", "ask")
        assert backend.entered.wait(30)
        backend.gate.set()
        slow.result(30)
        other.result(30)
    assert backend.calls == 2


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("max_bytes", [None, 20_000])
def test_eight_threads_and_one_give_the_same_bits(max_bytes: int | None) -> None:
    """Different entries in different orders, some of them crowded out meanwhile."""

    def work(cache: ic.IndicatorCache, seed: int) -> dict[Any, dict[str, bytes]]:
        asked = [
            (tf, pt, name, period)
            for tf, pt in (("M1", "bid"), ("M1", "ask"), ("H1", "bid"))
            for name in NAMES
            for period in (1, 5, 14)
        ]
        np.random.default_rng(seed).shuffle(asked)
        found = {}
        for tf, pt, name, period in asked:
            params: dict[str, Any] = {
                p.name: max(int(period), int(p.min)) for p in ic.catalog()[name].parameters if p.min
            }
            result = cache.get(tf, pt, name, **params)
            found[tf, pt, name, period] = bits(as_columns(result))
        return found

    expected = work(make(), 0)
    shared = make(max_bytes=max_bytes)
    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work, shared, seed) for seed in range(8)]:
            assert future.result(60) == expected
    if max_bytes is None:
        assert shared.stats().misses == shared.stats().entries
    else:
        assert shared.stats().bytes <= max_bytes
        assert shared.stats().evictions > 0


# --- backends ---


@pytest.mark.parametrize("name", ic.backends.NAMES)
def test_pinned(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pinned cache stays with its backend; one that is not follows the switch."""
    pinned, free = make(backend=name), make()
    called: set[str] = set()

    def spy(backend: Any, method: str) -> None:
        real = getattr(backend, method)

        def noting(*arguments: Any) -> Any:
            called.add(backend.name)
            return real(*arguments)

        monkeypatch.setattr(backend, method, noting)

    for each in ic.backends.NAMES:
        for method in ("run", "begin", "begin_new"):
            spy(ic.backends.resolve(each), method)

    def computed_by(compute: Callable[[], object]) -> set[str]:
        called.clear()
        compute()
        return set(called)

    for other in ic.backends.NAMES:
        with ic.use_backend(other):
            pinned.clear()
            free.clear()
            assert computed_by(lambda: pinned.ema("M1", "bid")) == {name}
            assert computed_by(lambda: free.ema("M1", "bid")) == {other}
            assert computed_by(lambda: ic.ema([1.0])) == {other}


def test_results_survive_a_switch(cache: ic.IndicatorCache) -> None:
    with ic.use_backend("python"):
        first = cache.ema("M1", "bid")
    with ic.use_backend("wasm"):
        assert cache.ema("M1", "bid") is first


def test_use_backend_as_a_switch_and_in_with() -> None:
    def active() -> tuple[str, str]:
        info = ic.backend_info()
        return info.active, info.requested

    before = active()
    with ic.use_backend("python") as outer:
        assert outer.name == "python"
        assert active() == ("python", "python")
        with ic.use_backend("wasm"):
            assert active() == ("wasm", "wasm")
            ic.use_backend("native")
            assert active() == ("native", "native")
        assert active() == ("python", "python")
        with pytest.raises(ZeroDivisionError), ic.use_backend("native"):
            _ = 1 / 0
        assert active() == ("python", "python")
        with ic.use_backend("auto"):
            assert active() == ("native", "auto")
    assert active() == before


@pytest.mark.parametrize("name", ["numpy", "", "Native", None, 3, ["native"]])
def test_no_such_backend(name: Any) -> None:
    before = ic.backend_info()
    calls: list[Callable[[], object]] = [lambda: ic.use_backend(name)]
    if name is not None:
        calls.append(lambda: make(backend=name))
    for call in calls:
        with pytest.raises(ic.ParameterError, match="backend must be one of native") as caught:
            call()
        assert caught.value.parameter == "backend"
        assert caught.value.given == name
    assert ic.backend_info() == before


def test_missing_bars_of_one_side_do_not_touch_the_other() -> None:
    sides = {"bid": missing(walk(50), slice(10, 20)), "ask": walk(50)}
    cache = ic.IndicatorCache({"M1": sides})
    assert cache.sma("M1", "ask", "close", 2).tobytes() == ic.sma(walk(50)["close"], 2).tobytes()
