"""WebAssembly: the same kernels as a portable module, sandboxed, run by wasmtime.

The module imports nothing, so that it can reach nothing but its own memory, and exports that
memory and one function of two integers; ``crates/wasm`` documents the operations. An instance
belongs to one call at a time: they wait in a pool. Whatever is longer than the memory limit
allows goes through in blocks, which the kernels cannot tell from one run.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from importlib import metadata, resources
from typing import Any

import numpy as np
import numpy.typing as npt
import wasmtime

from .._arrays import FloatArray
from .._generated.catalog import CATALOG_JSON_FNV1A
from ..errors import BackendError, BackendUnavailableError, ParameterError
from ..spec import IndicatorSpec

__all__ = ["DEFAULT_MEMORY_LIMIT", "MEMORY_LIMIT_VARIABLE", "WasmBackend", "create"]

#: Bytes that an instance may have, unless the environment says otherwise.
DEFAULT_MEMORY_LIMIT = 256 * 1024 * 1024

#: Environment variable with another limit, in bytes.
MEMORY_LIMIT_VARIABLE = "INDICATOR_CACHE_WASM_MEMORY"

_ALLOCATE, _FREE, _CATALOG, _CREATE, _RUN, _DROP = range(6)
_OUT_OF_MEMORY = 3

#: Words of an argument block.
_WORDS = 16

#: Bars that go through at once. Long enough that a call's cost does not show, short enough that
#: the columns stay in the processor's cache between copying and computing.
_BLOCK_BARS = 1 << 15

#: Below this many bars, a lack of memory is an error.
_SMALLEST_BLOCK = 256

_WORD = np.dtype("<u4")
_NUMBER = np.dtype("<f8")

#: Idle instances kept. More may be at work at once.
_IDLE = 8


class _Instance:
    """One instance of the module with its memory. For one thread at a time."""

    def __init__(self, engine: wasmtime.Engine, module: wasmtime.Module, limit: int) -> None:
        self._store = wasmtime.Store(engine)
        self._store.set_limits(memory_size=limit, instances=1, tables=1, memories=1)
        exports = wasmtime.Instance(self._store, module, []).exports(self._store)
        self._call: Any = exports["call"]
        self._memory: Any = exports["memory"]
        self._block = self._allocate(_WORDS * _WORD.itemsize)
        self._columns = self._columns_size = 0

    def refuel(self, fuel: int) -> None:
        self._store.set_fuel(fuel)

    def fingerprint(self) -> int:
        self._operate(_CATALOG)
        _, _, low, high = self._words()[:4].tolist()
        return int(low | high << 32)

    def catalog(self) -> str:
        self._operate(_CATALOG)
        return self._text()

    def run(
        self,
        spec: IndicatorSpec,
        params: tuple[float, ...],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> None:
        bars = len(inputs[0])
        if not bars:
            return
        width = len(inputs) + len(outputs)
        block = self._reserve(min(bars, _BLOCK_BARS), width)
        handle = self._create(spec, params)
        addresses = [self._columns + column * block * _NUMBER.itemsize for column in range(width)]
        for start in range(0, bars, block):
            count = min(block, bars - start)
            rows = self._at(self._columns, _NUMBER, width * block).reshape(width, block)
            for row, column in zip(rows, inputs, strict=False):
                row[:count] = column[start : start + count]
            self._operate(_RUN, handle, count, *addresses)
            # The memory may have moved if it grew meanwhile.
            rows = self._at(self._columns, _NUMBER, width * block).reshape(width, block)
            for row, column in zip(rows[len(inputs) :], outputs, strict=True):
                column[start : start + count] = row[:count]
        self._operate(_DROP, handle)

    def _create(self, spec: IndicatorSpec, params: tuple[float, ...]) -> int:
        address = self._allocate(max(len(params), 1) * _NUMBER.itemsize)
        self._at(address, _NUMBER, len(params))[:] = params
        self._operate(_CREATE, spec.position, address, len(params))
        handle = int(self._words()[0])
        self._call(self._store, _FREE, address)
        return handle

    def _reserve(self, bars: int, width: int) -> int:
        """Make room for `width` columns of as many bars as fit, at most `bars`; return how many."""
        while True:
            size = bars * width * _NUMBER.itemsize
            if size <= self._columns_size:
                return bars
            if self._columns:
                self._call(self._store, _FREE, self._columns)
                self._columns = self._columns_size = 0
            try:
                self._columns = self._allocate(size)
            except MemoryError:
                if bars <= _SMALLEST_BLOCK:
                    raise
                bars = max(bars // 2, _SMALLEST_BLOCK)
            else:
                self._columns_size = size
                return bars

    def _allocate(self, size: int) -> int:
        # Addresses are signed to wasmtime, which has no unsigned integers.
        address = int(self._call(self._store, _ALLOCATE, size)) & 0xFFFF_FFFF
        if not address:
            raise MemoryError(
                f"the WebAssembly instance has no room for {size} bytes; "
                f"{MEMORY_LIMIT_VARIABLE} sets its limit"
            )
        return address

    def _operate(self, operation: int, *arguments: int) -> None:
        self._words()[: len(arguments)] = arguments
        status = self._call(self._store, operation, self._block)
        if status == _OUT_OF_MEMORY:
            raise MemoryError(f"{self._text()}; {MEMORY_LIMIT_VARIABLE} sets the limit")
        if status:
            raise BackendError(self._text())

    def _words(self) -> npt.NDArray[np.uint32]:
        return self._at(self._block, _WORD, _WORDS)

    def _text(self) -> str:
        address, length = self._words()[:2].tolist()
        return self._at(address, np.dtype(np.uint8), length).tobytes().decode()

    def _at(self, address: int, kind: np.dtype[Any], count: int) -> npt.NDArray[Any]:
        """Return linear memory as an array: no copy, valid until the memory grows."""
        pointer = self._memory.get_buffer_ptr(self._store, count * kind.itemsize, address)
        return np.frombuffer(pointer, kind) if count else np.empty(0, kind)


class WasmBackend:
    """Runs the kernels in instances of the WebAssembly module.

    Parameters
    ----------
    memory_limit
        Bytes of memory that an instance may have.
    fuel
        Units of work that a computation may take, or None for any. Counting doubles the time.
    """

    name = "wasm"

    def __init__(self, memory_limit: int = DEFAULT_MEMORY_LIMIT, fuel: int | None = None) -> None:
        self.memory_limit = memory_limit
        self.fuel = fuel
        self.bytecode = (
            resources.files("indicator_cache").joinpath("_wasm", "indicator.wasm").read_bytes()
        )
        self._idle: list[_Instance] = []
        self._lock = threading.Lock()
        try:
            self._build()
        except wasmtime.WasmtimeError:
            # A low limit on address space (ulimit -v) leaves no room for guard regions, which
            # make bounds checks free. Without them everything works, only slower.
            self._build(memory_reservation=0, memory_guard_size=0)

    def _build(self, **settings: int) -> None:
        config = wasmtime.Config()
        config.wasm_simd = True
        config.wasm_relaxed_simd = False
        config.wasm_threads = False
        config.wasm_memory64 = False
        config.wasm_multi_memory = False
        # With worker threads, compiling in a forked child would wait for them for ever.
        config.parallel_compilation = False
        config.macos_use_mach_ports = False
        config.consume_fuel = self.fuel is not None
        for name, value in settings.items():
            setattr(config, name, value)
        self._engine = wasmtime.Engine(config)
        self._module = wasmtime.Module(self._engine, self.bytecode)
        if self._module.imports:
            raise BackendUnavailableError("the WebAssembly module wants to import something")
        instance = self._new_instance()
        if instance.fingerprint() != CATALOG_JSON_FNV1A:
            raise BackendUnavailableError(
                "indicator.wasm was built from other sources than the Python files"
            )
        self._idle.append(instance)

    def _new_instance(self) -> _Instance:
        return _Instance(self._engine, self._module, self.memory_limit)

    def run(
        self,
        spec: IndicatorSpec,
        params: tuple[float, ...],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> None:
        """Compute one indicator over whole columns, filling `outputs` in place.

        Raises
        ------
        MemoryError
            When the kernel's state does not fit into the memory limit.
        BackendError
            When the module trapped, or ran out of fuel.
        """
        with self._lock:
            instance = self._idle.pop() if self._idle else None
        try:
            if instance is None:
                instance = self._new_instance()
            if self.fuel is not None:
                instance.refuel(self.fuel)
            instance.run(spec, params, inputs, outputs)
        # After a failure of any kind the instance is not put back: its state is unknown.
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            raise BackendError(f"WebAssembly: {error}") from error
        with self._lock:
            if len(self._idle) < _IDLE:
                self._idle.append(instance)

    def exports(self) -> list[str]:
        """Return the names of all that the module exports."""
        return [export.name for export in self._module.exports]

    def catalog(self) -> str:
        """Return the kernels' declarations as the module itself tells them."""
        return self._new_instance().catalog()

    def details(self) -> dict[str, str]:
        """Return what is worth knowing about it, for people."""
        import hashlib

        return {
            "wasmtime": metadata.version("wasmtime"),
            "module": f"{len(self.bytecode)} bytes",
            "sha256": hashlib.sha256(self.bytecode).hexdigest(),
            "memory limit": f"{self.memory_limit} bytes",
        }


def create() -> WasmBackend:
    """Make the backend with the limits that the environment sets."""
    text = os.environ.get(MEMORY_LIMIT_VARIABLE, "")
    if not text:
        return WasmBackend()
    if not text.isdecimal():
        raise ParameterError(MEMORY_LIMIT_VARIABLE, text, "a number of bytes")
    return WasmBackend(memory_limit=int(text))
