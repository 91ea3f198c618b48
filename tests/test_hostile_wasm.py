"""A host that lies to the WebAssembly module: it gets a status or a trap, and nobody else notices.

The package never lies. These calls go around it, to the module itself: whatever a caller says, the
harm stays in that instance's memory. Every lie is told to an instance of its own, while another
instance, and the package's own, go on computing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from importlib import resources
from typing import Any

import numpy as np
import pytest
import wasmtime

import indicator_cache as ic

EMA = ic.catalog()["ema"].position
MACD = ic.catalog()["macd"].position

ALLOCATE, FREE, CATALOG, CREATE, RUN, DROP, SAVE, RESTORE, COPY, RESET, BARS = range(11)
STATUSES = {"fine": 0, "parameter": 1, "shape": 2, "memory": 3, "state": 4, "unknown": 5}
TRAP = -1

WORDS = 16
MIB = 1 << 20
MEMORY_LIMIT = 32 * MIB

#: Far more than an honest call here takes, and gone within a second.
FUEL = 50_000_000

#: Addresses and numbers that are wrong in every way there is.
LIES = (
    0,
    1,
    7,
    8,
    15,
    16,
    1 << 16,
    MEMORY_LIMIT,
    1 << 31,
    (1 << 32) - 16,
    (1 << 32) - 8,
    (1 << 32) - 1,
)


class Module:
    """The module as any host could call it."""

    def __init__(self, engine: wasmtime.Engine, module: wasmtime.Module) -> None:
        self.store = wasmtime.Store(engine)
        self.store.set_limits(memory_size=MEMORY_LIMIT)
        self.store.set_fuel(FUEL)
        exports: Any = wasmtime.Instance(self.store, module, []).exports(self.store)
        self.export, self.memory = exports["call"], exports["memory"]
        self.block = self.allocate(4 * WORDS)

    def call(self, operation: int, argument: int) -> int:
        self.store.set_fuel(FUEL)
        try:
            return int(self.export(self.store, operation, argument)) % (1 << 32)
        except (wasmtime.Trap, wasmtime.WasmtimeError):
            return TRAP

    def allocate(self, size: int) -> int:
        return self.call(ALLOCATE, size)

    def put(self, data: bytes) -> int:
        address = self.allocate(len(data))
        self.memory.write(self.store, data, address)
        return address

    def words(self) -> tuple[int, ...]:
        block = self.memory.read(self.store, self.block, self.block + 4 * WORDS)
        return struct.unpack(f"<{WORDS}I", block)

    def operate(self, operation: int, *words: int) -> int:
        self.memory.write(self.store, struct.pack(f"<{len(words)}I", *words), self.block)
        return self.call(operation, self.block)

    def ema(self, period: float = 3.0) -> int:
        """Build a machine; return its handle."""
        status = self.operate(CREATE, EMA, self.put(struct.pack("<d", period)), 1)
        return self.words()[0] if status == 0 else 0

    def column(self, *values: float) -> int:
        return self.put(struct.pack(f"<{len(values)}d", *values))

    def values(self, address: int, count: int) -> tuple[float, ...]:
        data = self.memory.read(self.store, address, address + 8 * count)
        return struct.unpack(f"<{count}d", data)

    def message(self) -> str:
        address, length, *_ = self.words()
        return bytes(self.memory.read(self.store, address, address + length)).decode()

    def is_fine(self) -> bool:
        """Whether it computes what it should. After a trap it does not: it traps ever after."""
        handle, x, out = self.ema(), self.column(1.0, 2.0, 3.0, 4.0), self.column(*[0.0] * 4)
        return (
            self.operate(RUN, handle, 4, x, out) == 0
            and self.values(out, 4) == (1.0, 1.5, 2.25, 3.125)
            and self.operate(DROP, handle) == 0
        )


@pytest.fixture(scope="module")
def compiled() -> tuple[wasmtime.Engine, wasmtime.Module]:
    config = wasmtime.Config()
    config.consume_fuel = True
    engine = wasmtime.Engine(config)
    code = resources.files("indicator_cache").joinpath("_wasm", "indicator.wasm").read_bytes()
    return engine, wasmtime.Module(engine, code)


@pytest.fixture
def module(compiled: tuple[wasmtime.Engine, wasmtime.Module]) -> Iterator[Module]:
    """An instance to lie to. Another one, and the package, must not notice."""
    witness = Module(*compiled)
    handle, x, out = witness.ema(), witness.column(1.0, 2.0), witness.column(0.0, 0.0)
    assert witness.operate(RUN, handle, 2, x, out) == 0
    before = witness.memory.read(witness.store)
    price = np.arange(1.0, 5.0)
    with ic.use_backend("wasm"):
        stream = ic.stream("ema", period=3)
        stream.update_many(price)

        yield Module(*compiled)

        assert stream.bars == 4
        assert stream.update(6.0) == 4.5625
        assert ic.ema(price, 3).tolist() == [1.0, 1.5, 2.25, 3.125]
    assert witness.memory.read(witness.store) == before
    assert witness.is_fine()


def test_without_lies(module: Module) -> None:
    assert module.is_fine()


@pytest.mark.parametrize("operation", [*range(12, 20), 1 << 31, (1 << 32) - 1])
def test_operations_that_do_not_exist(module: Module, operation: int) -> None:
    assert module.operate(operation) == STATUSES["unknown"]
    assert module.message() == "no such operation"
    assert module.is_fine()


@pytest.mark.parametrize("operation", [RUN, DROP, SAVE, COPY, RESET, BARS])
@pytest.mark.parametrize("handle", [0, 1, 2, 1 << 16, 1 << 31, (1 << 32) - 1])
def test_handles_of_nothing(module: Module, operation: int, handle: int) -> None:
    dropped = [module.ema() for _ in range(3)]
    assert [module.operate(DROP, handle) for handle in dropped] == [0, 0, 0]
    assert module.operate(operation, handle, 1, 16, 16) == STATUSES["unknown"]
    assert module.message() == "no such handle"
    assert module.is_fine()


@pytest.mark.parametrize("index", [len(ic.catalog()), 1 << 16, 1 << 31, (1 << 32) - 1])
def test_indicators_that_do_not_exist(module: Module, index: int) -> None:
    assert module.operate(CREATE, index, 0, 0) == STATUSES["unknown"]
    assert module.is_fine()


@pytest.mark.parametrize("count", [0, 2, 3, 1000, 1 << 20, (1 << 29) + 1, (1 << 32) - 1])
def test_a_wrong_number_of_parameters(module: Module, count: int) -> None:
    status = module.operate(CREATE, EMA, module.column(3.0), count)
    assert status in {STATUSES["shape"], TRAP}
    assert module.is_fine() is (status != TRAP)


@pytest.mark.parametrize("address", LIES)
def test_parameters_elsewhere(module: Module, address: int) -> None:
    status = module.operate(CREATE, EMA, address, 1)
    assert status in {0, STATUSES["parameter"], TRAP}
    assert module.is_fine() is (status != TRAP)


@pytest.mark.parametrize("value", [0.0, -1.0, 2.5, 1e300, float("nan"), float("inf")])
def test_parameters_out_of_range(module: Module, value: float) -> None:
    assert module.operate(CREATE, EMA, module.column(value), 1) == STATUSES["parameter"]
    assert "a whole number from 1 to" in module.message()
    assert module.is_fine()


@pytest.mark.parametrize("bars", [1 << 16, 1 << 22, 1 << 28, 1 << 29, 1 << 31, (1 << 32) - 1])
def test_more_bars_than_there_are(module: Module, bars: int) -> None:
    handle, x, out = module.ema(), module.column(1.0), module.column(0.0)
    # Sixteen bars and more overwrite what comes after: this instance's own, and only that.
    assert module.operate(RUN, handle, bars, x, out) in {*STATUSES.values(), TRAP}


@pytest.mark.parametrize("address", LIES)
@pytest.mark.parametrize("place", ["input", "output"])
def test_columns_elsewhere(module: Module, address: int, place: str) -> None:
    handle, good = module.ema(), module.column(*[1.0] * 64)
    columns = (address, good) if place == "input" else (good, address)
    assert module.operate(RUN, handle, 64, *columns) in {0, TRAP}


def test_columns_on_top_of_each_other(module: Module) -> None:
    assert module.operate(CREATE, MACD, module.column(3.0, 5.0, 2.0), 3) == 0
    (handle, *_), all_in_one = module.words(), module.column(*[1.0] * 64)
    assert module.operate(RUN, handle, 64, *[all_in_one] * 4) in {0, TRAP}
    assert module.operate(RUN, handle, 64, *range(all_in_one, all_in_one + 4)) in {0, TRAP}


@pytest.mark.parametrize("operation", range(2, 12))
@pytest.mark.parametrize("address", LIES)
def test_a_block_elsewhere(module: Module, operation: int, address: int) -> None:
    module.ema()
    assert module.call(operation, address) in {*STATUSES.values(), TRAP}


@pytest.mark.parametrize("address", LIES)
def test_freeing_what_was_not_allocated(module: Module, address: int) -> None:
    assert module.call(FREE, address) in {0, TRAP}
    # From here on its allocator may believe anything, and still reaches nothing else.
    for size in 1, 1000, MIB:
        module.allocate(size)


def test_freeing_twice(module: Module) -> None:
    address = module.allocate(1000)
    assert module.call(FREE, address) == 0
    module.call(FREE, address)
    for size in 1, 1000, 1000, MIB:
        module.allocate(size)


@pytest.mark.parametrize("size", [1 << 28, 1 << 31, (1 << 32) - 17, (1 << 32) - 16, (1 << 32) - 1])
def test_more_memory_than_there_is(module: Module, size: int) -> None:
    assert module.allocate(size) == 0
    assert module.is_fine()


def test_states_that_are_none(module: Module) -> None:
    assert module.operate(SAVE, module.ema()) == 0
    address, length, *_ = module.words()
    state = bytes(module.memory.read(module.store, address, address + length))
    for cut in range(length):
        assert module.operate(RESTORE, module.put(state), cut) == STATUSES["state"]
    for at in range(length):
        damaged = bytearray(state)
        damaged[at] ^= 0x55
        assert module.operate(RESTORE, module.put(bytes(damaged)), length) == STATUSES["state"]
    assert module.operate(RESTORE, module.put(state), length) == 0
    assert module.is_fine()


@pytest.mark.parametrize("address", LIES)
@pytest.mark.parametrize("length", [0, 1, 1000, 1 << 20, 1 << 31, (1 << 32) - 1])
def test_states_elsewhere(module: Module, address: int, length: int) -> None:
    status = module.operate(RESTORE, address, length)
    assert status in {STATUSES["state"], TRAP}
    assert module.is_fine() is (status != TRAP)


def test_states_until_memory_is_full(module: Module) -> None:
    """A status as long as one can be given; the machines that are there go on."""
    sma = ic.catalog()["sma"].position
    first = module.ema()
    long = module.column(500_000.0)
    statuses = [module.operate(CREATE, sma, long, 1) for _ in range(10)]
    assert statuses[0] == 0
    assert statuses[-1] == STATUSES["memory"]
    assert module.operate(BARS, first) == 0
    assert module.is_fine()


@pytest.mark.parametrize("seed", range(20))
def test_any_calls(module: Module, seed: int) -> None:
    """Operations and blocks at random, half of them near the truth."""
    rng = np.random.default_rng(seed)
    truths = [0, 1, 2, 3, 64, module.block, module.ema(), module.column(*[3.0] * 64)]
    for _ in range(300):
        words = rng.choice([*truths, *truths, *LIES, int(rng.integers(1 << 32))], WORDS).tolist()
        module.memory.write(module.store, struct.pack(f"<{WORDS}I", *words), module.block)
        argument = words[0] if rng.random() < 0.2 else module.block
        assert module.call(int(rng.integers(12)), argument) >= TRAP
