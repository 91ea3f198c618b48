"""One answer: every backend gives the same bits, NaNs included.

Swept over the catalog, so that an indicator which is added is tested without a line here.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import numpy as np
import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

import indicator_cache as ic
from indicator_cache import _native
from indicator_cache.backends import Backend, wasm
from indicator_cache.backends.native import NativeBackend, paths
from indicator_cache.backends.python import PythonBackend
from indicator_cache.backends.wasm import WasmBackend

from .bars import (
    FIELDS,
    HARD_DATA,
    NAN_BITS,
    Array,
    Bars,
    Params,
    bits,
    columns_of,
    compute,
    parameter_sets,
    walk,
    with_gaps,
)
from .strategies import parameters

NAMES = tuple(ic.catalog())
MIB = 1 << 20

inf, nan = np.inf, np.nan

every_indicator = pytest.mark.parametrize("name", NAMES)


def check_agreement(name: str, bars: Bars, params: Params) -> None:
    with ic.use_backend("python"):
        expected = compute(name, bars, params)
    for backend in "native", "wasm":
        with ic.use_backend(backend):
            given = compute(name, bars, params)
        assert bits(given) == bits(expected), (backend, params)
    for column in expected.values():
        nans = column[np.isnan(column)].view(np.uint64)
        assert set(nans.tolist()) <= {NAN_BITS}


@every_indicator
@pytest.mark.parametrize("data", HARD_DATA)
def test_hard_data(name: str, data: str) -> None:
    for params in parameter_sets(ic.catalog()[name]):
        check_agreement(name, HARD_DATA[data], params)


@every_indicator
def test_work_longer_than_a_block(name: str) -> None:
    """More bars than go through the WebAssembly module at once."""
    bars = with_gaps(2**15 + 1001)
    for params in list(parameter_sets(ic.catalog()[name]))[:3]:
        check_agreement(name, bars, params)


@st.composite
def columns(draw: st.DrawFn) -> Bars:
    """Any numbers at all: bar by bar from a few values, so that equal ones and gaps are common."""
    some = draw(st.lists(st.floats(), min_size=1, max_size=12))
    usual = [1.0, 1.5, 100.0, np.nan]
    length = draw(st.integers(0, 300))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rare = draw(st.sampled_from([0.0, 0.01, 0.2, 1.0]))
    noise = draw(st.sampled_from([0.0, 1e-9, 1.0]))

    def column() -> Array:
        base = rng.choice(usual, length, p=[0.5, 0.2, 0.2, 0.1]) + noise * rng.normal(size=length)
        return np.where(rng.random(length) < rare, rng.choice(some, length), base)

    return {name: column() for name in FIELDS}


@every_indicator
@given(data=st.data(), bars=columns())
def test_any_data(name: str, data: st.DataObject, bars: Bars) -> None:
    spec = ic.catalog()[name]
    params = data.draw(parameters(spec))
    names = [parameter.name for parameter in spec.parameters]
    check_agreement(name, bars, dict(zip(names, params, strict=True)))


def test_signed_zero_of_a_parameter_is_seen_by_all() -> None:
    for factor in 0.0, -0.0:
        for bars in HARD_DATA["signed zeros"], HARD_DATA["flat"]:
            check_agreement("bollinger", bars, {"period": 3, "std_factor": factor})


# --- the WebAssembly module and its host ---


def run(backend: ic.backends.Backend, name: str, bars: Bars, **params: float) -> dict[str, bytes]:
    spec = ic.catalog()[name]
    outputs = [np.full(len(bars["close"]), 7.0) for _ in spec.outputs]
    backend.run(spec, spec.normalise(params), columns_of(spec, bars), outputs)
    return {o.name: column.tobytes() for o, column in zip(spec.outputs, outputs, strict=True)}


@pytest.fixture(scope="module")
def long_bars() -> Bars:
    return with_gaps(300_000)


@pytest.fixture(scope="module")
def small() -> WasmBackend:
    return WasmBackend(memory_limit=MIB)


@every_indicator
def test_little_memory_means_more_blocks(name: str, long_bars: Bars, small: WasmBackend) -> None:
    native = ic.backends.resolve("native")
    assert run(small, name, long_bars) == run(native, name, long_bars)


@every_indicator
def test_memory_error_and_what_comes_after(name: str, small: WasmBackend) -> None:
    """A state that does not fit is refused, and does no harm."""
    spec, bars = ic.catalog()[name], walk(100)
    expected = run(small, name, bars)
    if spec.window is not None and spec.parameters:
        with pytest.raises(MemoryError, match="INDICATOR_CACHE_WASM_MEMORY"):
            run(small, name, bars, **{p.name: p.max for p in spec.parameters if not p.options})
    assert run(small, name, bars) == expected


def test_memory_does_not_depend_on_earlier_work(long_bars: Bars) -> None:
    """What fits into a fresh instance fits into one that has worked, and the other way round."""
    fresh, used = (WasmBackend(memory_limit=2 * MIB) for _ in range(2))
    run(used, "bollinger", long_bars)
    short = walk(100)
    for period in (8_000, 16_000, 24_000, 32_000, 40_000, 48_000):
        try:
            expected = run(fresh, "sma", short, period=period)
        except MemoryError:
            break
        assert run(used, "sma", short, period=period) == expected


def test_blocks_leave_room_for_the_state(long_bars: Bars) -> None:
    """Whether a period fits depends on the limit alone, not on the number of bars."""
    backend = WasmBackend(memory_limit=2 * MIB)
    period = 16_000
    run(backend, "sma", walk(100), period=period)
    native = ic.backends.resolve("native")
    assert run(WasmBackend(memory_limit=2 * MIB), "sma", long_bars, period=period) == run(
        native, "sma", long_bars, period=period
    )


def test_memory_that_moves_when_it_grows(long_bars: Bars) -> None:
    """Without addresses kept for it, what was seen of it before is nothing any more."""
    backend, native = WasmBackend(), ic.backends.resolve("native")
    backend._instances.clear()
    backend._build(memory_reservation=0, memory_guard_size=0, memory_reservation_for_growth=0)
    (instance,) = backend._instances
    stream = backend.machine(ic.catalog()["ema"], (3,))
    sizes, places = set(), set()
    values: list[float] = []
    # Few bars take one call, in the middle of which it grows.
    periods = 10, 5_000, 20_000, 80_000, 320_000
    for bars, period in itertools.product((walk(100), long_bars), periods):
        assert run(backend, "sma", bars, period=period) == run(native, "sma", bars, period=period)
        values += stream.update((float(period),))
        sizes.add(len(instance._bytes))
        places.add(np.frombuffer(instance._bytes, np.uint8).ctypes.data)
    assert min(len(sizes), len(places)) > 1
    assert values == ic.ema([10.0, 5e3, 2e4, 8e4, 3.2e5] * 2, 3).tolist()


class Interrupted:
    """A column, to whose parts something is done whenever one has been written."""

    def __init__(self, column: Array, interruption: Callable[[], None]) -> None:
        self.column, self.interruption = column, interruption

    def __len__(self) -> int:
        return len(self.column)

    def __setitem__(self, place: slice, values: Array) -> None:
        self.column[place] = values
        self.interruption()


@pytest.mark.parametrize("instances", [8, 1])
def test_what_interrupts_a_call_does_not_change_it(
    long_bars: Bars, instances: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal's handler runs in the middle of whatever its thread does, and may compute."""
    monkeypatch.setattr(wasm, "_INSTANCES", instances)
    backend, native = WasmBackend(), ic.backends.resolve("native")
    ema, sma = (ic.catalog()[name] for name in ("ema", "sma"))
    x, short = long_bars["close"], walk(100)
    stream, other = backend.machine(ema, (20,)), backend.machine(sma, (7,))
    refused: list[str] = []

    def handler() -> None:
        assert run(backend, "macd", short) == run(native, "macd", short)
        assert backend.machine(sma, (1,)).update((2.0,)) == (2.0,)
        with pytest.raises(ic.BackendError) as caught:
            other.update((1.5,))
        refused.append(str(caught.value))

    found, expected = np.empty(len(x)), np.empty(len(x))
    stream.run([x], [Interrupted(found, handler)])  # type: ignore[list-item]
    native.run(ema, (20,), [x], [expected])
    assert found.tobytes() == expected.tobytes()
    assert len(refused) > 3
    assert set(refused) == {
        "this state's WebAssembly instance is in a call that this one interrupts"
    }
    assert (stream.bars, other.bars) == (len(x), 0)


def test_a_stream_that_stopped_among_its_bars_is_lost(long_bars: Bars) -> None:
    """Nobody could tell which of them it has taken."""
    backend, x = WasmBackend(), long_bars["close"]
    stream, found = backend.machine(ic.catalog()["ema"], (20,)), np.empty(len(x))

    def handler() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        stream.run([x], [Interrupted(found, handler)])  # type: ignore[list-item]
    with pytest.raises(ic.BackendError, match="lost"):
        stream.update((1.0,))
    assert backend.machine(ic.catalog()["sma"], (1,)).update((2.0,)) == (2.0,)


def test_calls_as_wasmtime_documents_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the quick way has moved in another version, that is the one."""
    monkeypatch.delattr("wasmtime._ffi.wasmtime_func_call_unchecked")
    backend, bars = WasmBackend(), walk(1000)
    assert backend._instances[0]._export.__name__ == "documented"
    assert run(backend, "macd", bars) == run(ic.backends.resolve("native"), "macd", bars)


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("(param i32 i32) (result i32)", "quick"),
        ("(param i32 i64) (result i32)", "documented"),
        ("(param i32) (result i32)", "documented"),
        ("(param i32 i32) (result i32 i32)", "documented"),
    ],
)
def test_only_what_has_the_right_type_is_called_without_a_look_at_it(kind: str, way: str) -> None:
    engine = wasmtime.Engine()
    text = f'(module (func (export "call") {kind} unreachable))'
    store = wasmtime.Store(engine)
    instance = wasmtime.Instance(store, wasmtime.Module(engine, text), [])
    function = instance.exports(store)["call"]
    assert wasm._callable(function, store).__name__ == way


def test_fuel() -> None:
    """A computation that takes too long is an error with a name; the next one has a full tank."""
    short, long = walk(1000), walk(64_000)
    expected = run(ic.backends.resolve("native"), "choppiness", short)
    backend = WasmBackend(fuel=10_000_000)
    for _ in range(3):
        assert run(backend, "choppiness", short) == expected
        with pytest.raises(ic.BackendError, match="fuel"):
            run(backend, "choppiness", long)


def test_trap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trap is an error with a name; the next call gets an instance that works."""
    backend = WasmBackend()
    bars = walk(1000)
    expected = run(backend, "ema", bars)
    call = wasm._Instance._call
    run_operations, beyond_memory = (4, 11), -64

    def misled(instance: wasm._Instance, operation: int, argument: int) -> int:
        return call(instance, operation, beyond_memory if operation in run_operations else argument)

    with monkeypatch.context() as context:
        context.setattr(wasm._Instance, "_call", misled)
        with pytest.raises(ic.BackendError, match=r"(?s)WebAssembly.*out of bounds"):
            run(backend, "ema", bars)
    assert run(backend, "ema", bars) == expected


#: The last two are constants that the Rust compiler exports from every module.
EXPORTS = ["__data_end", "__heap_base", "call", "memory"]


def test_module_imports_nothing_and_exports_one_function() -> None:
    module = wasmtime.Module(wasmtime.Engine(), WasmBackend().bytecode)
    assert module.imports == []
    assert sorted(export.name for export in module.exports) == EXPORTS
    assert sorted(WasmBackend().exports()) == EXPORTS


def test_module_uses_simd() -> None:
    """An engine without simd128 refuses it."""
    config = wasmtime.Config()
    config.wasm_relaxed_simd = False
    config.wasm_simd = False
    with pytest.raises(wasmtime.WasmtimeError, match=r"(?i)simd"):
        wasmtime.Module(wasmtime.Engine(config), WasmBackend().bytecode)


def test_one_catalog() -> None:
    """The binaries hold the declarations that the Python files were made from."""
    assert WasmBackend().catalog() == _native.catalog()
    declared = {spec["name"]: spec for spec in json.loads(_native.catalog())}
    assert tuple(declared) == NAMES
    for name, spec in ic.catalog().items():
        assert spec.position == list(declared).index(name)
        assert list(spec.inputs) == declared[name]["inputs"]
        for mine, theirs in zip(spec.parameters, declared[name]["params"], strict=True):
            assert mine._asdict() == {"min": 0, "max": 1, "options": ()} | {
                key: tuple(value) if key == "options" else value for key, value in theirs.items()
            }
        rules = [{"param": rule.parameter, "text": rule.text} for rule in spec.rules]
        assert rules == declared[name]["rules"]
        for output, its in zip(spec.outputs, declared[name]["outputs"], strict=True):
            assert (output.name, output.first_valid) == (its["name"], its["first_valid"])
        for key in "title", "group", "summary", "formula", "source", "reference", "gaps":
            assert getattr(spec, key) == declared[name][key]
        assert (spec.transcendental, spec.revision) == (
            declared[name]["transcendental"],
            declared[name]["revision"],
        )


def test_calls_as_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where wasmtime has no longer what the quick way needs, calls go the documented one."""
    bars = walk(1000)
    calls = []
    documented = wasmtime.Func.__call__

    def counted(func: wasmtime.Func, store: wasmtime.Store, *arguments: int) -> object:
        calls.append(arguments)
        return documented(func, store, *arguments)

    monkeypatch.setattr(wasmtime.Func, "__call__", counted)
    quick = WasmBackend()
    assert not calls
    monkeypatch.delattr(wasmtime.Trap, "_from_ptr")
    slow = WasmBackend()
    assert calls
    assert run(slow, "dmi", bars) == run(quick, "dmi", bars)


@every_indicator
@pytest.mark.parametrize(
    "bars", [walk(1500), with_gaps(1500), walk(5)], ids=["walk", "gaps", "few"]
)
def test_many(name: str, bars: Bars) -> None:
    """Several sets of parameters at once give what each gives alone, on every instruction set."""
    spec = ic.catalog()[name]
    sets = [spec.normalise(params) for params in parameter_sets(spec)]
    sets = [sets[place % len(sets)] for place in range(37)]
    inputs = columns_of(spec, bars)

    def room() -> list[list[Array]]:
        return [[np.empty(len(inputs[0])) for _ in spec.outputs] for _ in sets]

    native, alone = NativeBackend(), room()
    for params, outputs in zip(sets, alone, strict=True):
        native.run(spec, params, inputs, outputs)
    backends: list[Backend] = [NativeBackend(path) for path in paths()]
    for backend in *backends, WasmBackend():
        backend.run_many(spec, sets, inputs, many := room())
        for expected, found in zip(alone, many, strict=True):
            assert [x.tobytes() for x in found] == [x.tobytes() for x in expected]


def hard_to_divide(seed: int, count: int) -> Array:
    """Numbers with quotients near the middle of two others, and some that no short way is for."""
    random = np.random.default_rng(seed)
    digits = random.integers(0, 1 << 52, count, dtype=np.uint64)
    short = digits >> random.integers(40, 52, count, dtype=np.uint64)
    all_ones = np.uint64((1 << 52) - 1)
    kinds = [digits, short, all_ones ^ short, digits & ~np.uint64((1 << 26) - 1)]
    digits = np.choose(np.arange(count) // 64 % 4, kinds)
    exponents = random.integers(1023 - 300, 1023 + 300, count // 512 + 1).repeat(512)[:count]
    exponents += random.integers(-40, 40, count)
    values = (digits | exponents.astype(np.uint64) << np.uint64(52)).view(np.float64)
    values *= random.choice([1.0, -1.0], count)
    odd = [0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324, 1e-300, 1e300]
    places = random.integers(0, count, count // 700)
    values[places] = random.choice(odd, len(places))
    return values


@pytest.mark.parametrize("path", paths())
def test_quotients_are_those_of_a_division(path: str) -> None:
    """What some processors are spared the division for has the bits of one."""
    roc = ic.catalog()["roc"]
    for seed in range(40):
        prices = hard_to_divide(seed, 40_000)
        found, before = np.empty(len(prices)), prices[:-1]
        NativeBackend(path).run(roc, (1,), [prices], [found])
        with np.errstate(all="ignore"):
            expected = 100.0 * ((prices[1:] - before) / before)
        expected = np.where(np.isnan(expected), np.nan, expected)
        assert found[1:].tobytes() == expected.tobytes()


@pytest.mark.parametrize("path", paths())
def test_the_short_way_to_a_true_range_is_not_taken_too_far(path: str) -> None:
    """It is for positive prices in order. Each triple comes alone: no other decides for it."""
    spec = ic.catalog()["true_range"]
    prices = (nan, inf, -inf, 0.0, -0.0, 5e-324, 1.0, 1.1, -1.0, 1.7e308, -1.7e308)
    backends: list[Backend] = [PythonBackend(), NativeBackend(path), WasmBackend()]
    machines = [backend.machine(spec, ()) for backend in backends]
    for before, high, low in itertools.product(prices, repeat=3):
        for bar in (1.0, 1.0, before), (high, low, 1.0):
            results = [np.array(machine.update(bar)).tobytes() for machine in machines]
            assert len(set(results)) == 1, (before, high, low)


@pytest.mark.parametrize("path", paths())
def test_two_quotients_with_one_denominator_are_those_of_divisions(path: str) -> None:
    dmi = ic.catalog()["dmi"]
    for seed in range(20):
        random = np.random.default_rng(seed)
        low = np.cumsum(random.normal(0.0, random.choice([0.0, 1.0, 1e-90, 1e80], 20_000)))
        high = low + np.abs(random.normal(0.0, 1.0, 20_000))
        # Movements so small that nothing is left of a remainder, in ranges of about one.
        low[5_000:10_000] = 1e-307 * random.normal(0.0, 1.0, 5_000)
        high[5_000:10_000] = 1.0
        close = high + np.abs(random.normal(0.0, 1.0, 20_000))
        low[random.choice(20_000, 100)] = np.nan
        found, expected = np.empty((3, 20_000)), np.empty((3, 20_000))
        for backend, outputs in ((path, found), ("portable", expected)):
            NativeBackend(backend).run(dmi, (2,), [high, low, close], list(outputs))
        assert np.isfinite(expected).sum() > 30_000
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", ["sma", "bollinger", "zscore", "choppiness"])
def test_windows_with_values_that_would_overflow_and_missing_ones(name: str) -> None:
    """The quick way through windows is left for the former, not for the latter."""
    spec = ic.catalog()[name]
    odd = np.array([np.inf, -np.inf, 1e300, -1e300, 2.0**980, np.nan, np.nan]).view(np.uint64)
    # A signalling NaN, which some instructions make of other numbers what others do not.
    odd[-1] = 0x7FF4_0000_0000_0001
    for seed in range(100):
        random = np.random.default_rng(seed)
        bars = int(random.integers(100, 700))
        inputs = []
        for _ in spec.inputs:
            column = 100.0 + np.cumsum(random.normal(0.0, 1.0, bars))
            places = random.integers(0, bars, random.integers(0, 6))
            column.view(np.uint64)[places] = random.choice(odd, len(places))
            inputs.append(column)
        period = int(random.choice([2, 3, 7, 15, 16, 17, 20, 31, 32, 33, 50]))
        params = spec.normalise({spec.parameters[0].name: period})
        found = []
        backends: list[Backend] = [PythonBackend(), *map(NativeBackend, paths())]
        for backend in backends:
            outputs = [np.empty(bars) for _ in spec.outputs]
            backend.run(spec, params, inputs, outputs)
            found.append([output.tobytes() for output in outputs])
        assert all(outputs == found[0] for outputs in found[1:])
