"""WebAssembly: the same kernels as a portable module, sandboxed, run by wasmtime.

The module imports nothing, so that it can reach nothing but its own memory, and exports that
memory and one function of two integers; ``crates/wasm`` documents the operations. An instance
belongs to one call at a time: they wait in a pool. Whatever is longer than the memory limit
allows goes through in blocks, which the kernels cannot tell from one run.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import struct
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from importlib import metadata, resources
from typing import Any, Self

import numpy as np
import wasmtime

from .._arrays import FloatArray
from .._generated.catalog import BY_NAME, FINGERPRINT
from ..errors import BackendError, BackendUnavailableError, ParameterError, StateError
from ..spec import IndicatorSpec, Value
from ._plain import PlainBackend

__all__ = ["DEFAULT_MEMORY_LIMIT", "MEMORY_LIMIT_VARIABLE", "WasmBackend", "create"]

#: Bytes that an instance may have, unless the environment says otherwise.
DEFAULT_MEMORY_LIMIT = 256 * 1024 * 1024

#: Environment variable with another limit, in bytes.
MEMORY_LIMIT_VARIABLE = "INDICATOR_CACHE_WASM_MEMORY"

(
    _ALLOCATE,
    _FREE,
    _CATALOG,
    _CREATE,
    _RUN,
    _DROP,
    _SAVE,
    _RESTORE,
    _COPY,
    _RESET,
    _BARS,
    _COMPUTE,
) = range(12)
_OUT_OF_MEMORY, _BAD_STATE = 3, 4

#: Words of an argument block, and bytes of a word.
_WORDS, _WORD = 16, 4

#: Parameters that there is room for.
_PARAMETERS = max(len(spec.parameters) for spec in BY_NAME.values())

#: Numbers that go through at once, those of all columns together: 768 KiB. So many that a call's
#: cost hardly shows, so few that they stay in the processor's cache between copying and computing.
_BLOCK_NUMBERS = 3 << 15

#: Below this many bars, a lack of memory is an error.
_SMALLEST_BLOCK = 256

_NUMBER = np.dtype("<f8")

#: Instances that work side by side; whoever needs another one waits.
_INSTANCES = 8


def _callable(function: Any, store: wasmtime.Store) -> Callable[[int, int], int]:
    """Return an exported function of two integers as one of Python.

    Calling it as wasmtime's documentation has it looks its type up and converts value by value,
    every time: 30 microseconds, fifteen times what the call itself takes. What is done here instead
    is to look at the type once, and then the part that depends on the values, with the same names
    of the same package; where those have moved in another version, the documented way it is.
    """

    def documented(operation: int, argument: int) -> int:
        return int(function(store, operation, argument))

    kind, integer = function.type(store), wasmtime.ValType.i32()
    usual = kind.params == [integer] * 2 and kind.results == [integer]
    # Values that are not converted are as WebAssembly has them, the lowest byte first.
    if not usual or sys.byteorder != "little":
        return documented
    try:
        ffi: Any = importlib.import_module("wasmtime._ffi")
        call = ffi.wasmtime_func_call_unchecked
        # One for all calls, since it is set by the last one: after a trap there is no other.
        trap: Any = ctypes.POINTER(ffi.wasm_trap_t)()
        trap_address = ctypes.byref(trap)
        # Arguments, and then results.
        values = (ffi.wasmtime_val_raw_t * 2)()
        first, second = values
        first.i64 = second.i64 = 0
        context, address = store._context(), ctypes.byref(function._func)
        error_from: Any = wasmtime.WasmtimeError._from_ptr
        trap_from: Any = wasmtime.Trap._from_ptr
    except (ImportError, AttributeError, TypeError):
        return documented

    def quick(operation: int, argument: int) -> int:
        # None of them is negative, and the whole of a value is to be filled.
        first.i64, second.i64 = operation, argument
        error: Any = call(context, address, values, 2, trap_address)
        if error:
            raise error_from(error)
        if trap:
            raise trap_from(trap)
        return int(first.i32)

    return quick


class _Instance:
    """One instance of the module with its memory.

    For one thread at a time: whoever enters a ``with`` statement with it has taken `lock`, which is
    released at the end.
    """

    def __init__(
        self, engine: wasmtime.Engine, module: wasmtime.Module, limit: int, fuel: int | None
    ) -> None:
        self.lock = threading.RLock()
        #: Whether a call failed in the middle. Nothing in it can be relied upon then.
        self.broken = False
        #: Whether a call is under way. Who gets the lock and finds this is what interrupted it in
        #: its own thread, a signal's handler, and must not change what was put into memory for it.
        self.busy = False
        #: Machines whose owners have gone, to be dropped at the next opportunity.
        self.orphans: list[int] = []
        self._fuel = fuel
        self._store = wasmtime.Store(engine)
        self._store.set_limits(memory_size=limit, instances=1, tables=1, memories=1)
        if fuel is not None:
            self._store.set_fuel(fuel)
        exports = wasmtime.Instance(self._store, module, []).exports(self._store)
        self._export = _callable(exports["call"], self._store)
        self._memory: Any = exports["memory"]
        self._size = 0
        self._look()
        self._block = self._allocate(_WORDS * _WORD)
        self._params = self._allocate(_PARAMETERS * _NUMBER.itemsize)
        self._columns = self._columns_size = 0

    def __enter__(self) -> Self:
        self.busy = True
        try:
            while self.orphans and not self.broken:
                self.drop(self.orphans.pop())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.busy = False
        self.lock.release()

    def close(self) -> None:
        """Give everything back to wasmtime."""
        self.broken = True
        del self._export, self._memory, self._bytes, self._numbers
        self._store.close()

    def fingerprint(self) -> int:
        self._operate(_CATALOG)
        return self._words(3)[2]

    def catalog(self) -> str:
        self._operate(_CATALOG)
        return self._answer().decode()

    def create(self, spec: IndicatorSpec, params: tuple[Value, ...]) -> int:
        self._operate(_CREATE, spec.position, *self._write(spec.numbers(params)))
        return self._words(1)[0]

    def run(self, handle: int, inputs: Sequence[FloatArray], outputs: Sequence[FloatArray]) -> None:
        self._blocks((_RUN, handle), inputs, outputs)

    def compute(
        self,
        spec: IndicatorSpec,
        params: tuple[Value, ...],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> None:
        """Create, run and drop: in one call where one block is enough."""
        width = len(inputs) + len(outputs)
        if len(inputs[0]) <= self._reserve(len(inputs[0]), width):
            start = (_COMPUTE, spec.position, *self._write(spec.numbers(params)))
            self._blocks(start, inputs, outputs)
            return
        handle = self.create(spec, params)
        try:
            self.run(handle, inputs, outputs)
        finally:
            if not self.broken:
                self.drop(handle)

    def _write(self, params: tuple[float, ...]) -> tuple[int, int]:
        """Put parameters where the module finds them; return address and count."""
        struct.pack_into(f"<{len(params)}d", self._bytes, self._params, *params)
        return self._params, len(params)

    def _blocks(
        self, start_of: tuple[int, ...], inputs: Sequence[FloatArray], outputs: Sequence[FloatArray]
    ) -> None:
        """Do an operation that ends with bars and columns, as often as it takes."""
        bars, width = len(inputs[0]), len(inputs) + len(outputs)
        if not bars:
            return
        operation, *arguments = start_of
        block = self._reserve(bars, width)
        step = block * _NUMBER.itemsize
        addresses = range(self._columns, self._columns + width * step, step)
        # The same, counted in numbers.
        first = self._columns // _NUMBER.itemsize
        places = range(first, first + width * block, block)
        count, numbers = 0, self._numbers
        rows: list[FloatArray] = []
        for start in range(0, bars, block):
            end = min(start + block, bars)
            if count != end - start:
                # Once for all blocks but the last: the module leaves the words as they are.
                count = end - start
                self._tell(*arguments, count, *addresses)
                rows = [numbers[place : place + count] for place in places]
            for row, column in zip(rows, inputs, strict=False):
                row[:] = column[start:end]
            self._perform(operation)
            if numbers is not self._numbers:
                numbers = self._numbers
                rows = [numbers[place : place + count] for place in places]
            for row, column in zip(rows[len(inputs) :], outputs, strict=True):
                column[start:end] = row

    def update(self, handle: int, values: tuple[float, ...], outputs: int) -> tuple[float, ...]:
        """Take one bar, as :meth:`run` does, without an array."""
        inputs = len(values)
        self._reserve(1, inputs + outputs)
        step = _NUMBER.itemsize
        first = self._columns
        results = first + inputs * step
        struct.pack_into(f"<{inputs}d", self._bytes, first, *values)
        self._operate(_RUN, handle, 1, *range(first, results + outputs * step, step))
        return struct.unpack_from(f"<{outputs}d", self._bytes, results)

    def save(self, handle: int) -> bytes:
        self._operate(_SAVE, handle)
        return self._answer()

    def restore(self, state: bytes) -> int:
        address = self._put(state)
        self._operate(_RESTORE, address, len(state), free=address)
        return self._words(1)[0]

    def copy(self, handle: int) -> int:
        self._operate(_COPY, handle)
        return self._words(1)[0]

    def reset(self, handle: int) -> None:
        self._operate(_RESET, handle)

    def bars(self, handle: int) -> int:
        self._operate(_BARS, handle)
        low, high = self._words(2)
        return low | high << 32

    def drop(self, handle: int) -> None:
        self._operate(_DROP, handle)

    def _put(self, data: bytes) -> int:
        address = self._allocate(max(len(data), 1))
        self._bytes[address : address + len(data)] = data
        return address

    def _reserve(self, bars: int, width: int) -> int:
        """Make room for columns of `bars`, or of as many as fit and go at once; return how many."""
        bars = min(bars, _BLOCK_NUMBERS // width)
        while True:
            size = bars * width * _NUMBER.itemsize
            if size <= self._columns_size:
                return bars
            if self._columns:
                self._call(_FREE, self._columns)
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
        address = self._call(_ALLOCATE, size)
        if not address:
            raise MemoryError(
                f"the WebAssembly instance has no room for {size} bytes; "
                f"{MEMORY_LIMIT_VARIABLE} sets its limit"
            )
        return address

    def _operate(self, operation: int, *arguments: int, free: int = 0) -> None:
        self._tell(*arguments)
        self._perform(operation, free)

    def _tell(self, *arguments: int) -> None:
        struct.pack_into(f"<{len(arguments)}I", self._bytes, self._block, *arguments)

    def _perform(self, operation: int, free: int = 0) -> None:
        """Do an operation with the arguments that were told."""
        status = self._call(operation, self._block)
        if free:
            words = self._words(_WORDS)
            self._call(_FREE, free)
            struct.pack_into(f"<{_WORDS}I", self._bytes, self._block, *words)
        if status == _OUT_OF_MEMORY:
            raise MemoryError(f"{self._answer().decode()}; {MEMORY_LIMIT_VARIABLE} sets the limit")
        if status == _BAD_STATE:
            raise StateError(self._answer().decode().removeprefix(StateError.PREFIX))
        if status:
            raise BackendError(self._answer().decode())

    def _call(self, operation: int, argument: int) -> int:
        try:
            if self._fuel is not None:
                self._store.set_fuel(self._fuel)
            # Addresses are signed to wasmtime, which has no unsigned integers.
            result = self._export(operation, argument) & 0xFFFF_FFFF
            # Here, so that after an interruption nobody looks at memory that has moved.
            if self._memory.data_len(self._store) != self._size:
                self._look()
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            self.broken = True
            raise BackendError(f"WebAssembly: {error}") from error
        except BaseException:
            self.broken = True
            raise
        return result

    def _look(self) -> None:
        """Get linear memory into view: no copy, until it grows, which may also move it."""
        self._size = self._memory.data_len(self._store)
        memory = np.frombuffer(self._memory.get_buffer_ptr(self._store), np.uint8)
        self._bytes = memory.data
        self._numbers = memory.view(_NUMBER)

    def _words(self, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"<{count}I", self._bytes, self._block)

    def _answer(self) -> bytes:
        address, length = self._words(2)
        return bytes(self._bytes[address : address + length])


class Machine:
    """One indicator with its state, in an instance of the module."""

    def __init__(
        self, spec: IndicatorSpec, backend: WasmBackend, instance: _Instance, handle: int
    ) -> None:
        self._spec = spec
        self._backend = backend
        self._instance = instance
        self._handle = handle

    def __del__(self) -> None:
        # At any point of any thread, even inside a call, so it only leaves a note.
        self._instance.orphans.append(self._handle)

    def _alone(self) -> _Instance:
        """Give exclusive use of the instance, in a ``with`` statement."""
        instance = self._instance
        instance.lock.acquire()
        reason = ""
        if instance.busy:
            reason = "this state's WebAssembly instance is in a call that this one interrupts"
        elif instance.broken:
            reason = "this state was lost when its WebAssembly instance failed in another call"
        if reason:
            instance.lock.release()
            raise BackendError(reason)
        return instance

    @property
    def bars(self) -> int:
        """Bars taken."""
        with self._alone() as instance:
            return instance.bars(self._handle)

    def run(self, inputs: Sequence[FloatArray], outputs: Sequence[FloatArray]) -> None:
        """Take the next bars, filling `outputs` in place."""
        with self._alone() as instance:
            try:
                instance.run(self._handle, inputs, outputs)
            except MemoryError:
                # There was no room for the bars, of which none has been taken.
                raise
            except BaseException:
                # Perhaps some have been.
                instance.broken = True
                raise

    def update(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Take one bar; return a value for each output."""
        with self._alone() as instance:
            return instance.update(self._handle, values, len(self._spec.outputs))

    def peek(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Return what :meth:`update` would, without taking the bar."""
        with self._alone() as instance:
            twin = instance.copy(self._handle)
            try:
                return instance.update(twin, values, len(self._spec.outputs))
            finally:
                if not instance.broken:
                    instance.drop(twin)

    def save(self) -> bytes:
        """Return the state as bytes."""
        with self._alone() as instance:
            return instance.save(self._handle)

    def copy(self) -> Machine:
        """Return an independent machine in the same state."""
        with self._alone() as instance:
            try:
                return Machine(self._spec, self._backend, instance, instance.copy(self._handle))
            except MemoryError:
                state = instance.save(self._handle)
        return self._backend.restore(self._spec, state)

    def reset(self) -> None:
        """Go back to the state after construction."""
        with self._alone() as instance:
            instance.reset(self._handle)


class WasmBackend(PlainBackend):
    """Runs the kernels in instances of the WebAssembly module.

    Parameters
    ----------
    memory_limit
        Bytes of memory that an instance may have. An instance that is full of states makes room
        for another one.
    fuel
        Units of work that one call into the module may take, or None for any. Counting doubles
        the time.
    """

    name = "wasm"

    def __init__(self, memory_limit: int = DEFAULT_MEMORY_LIMIT, fuel: int | None = None) -> None:
        self.memory_limit = memory_limit
        self.fuel = fuel
        self.bytecode = (
            resources.files("indicator_cache").joinpath("_wasm", "indicator.wasm").read_bytes()
        )
        self._instances: list[_Instance] = []
        self._alive: weakref.WeakSet[_Instance] = weakref.WeakSet()
        # Whatever interrupts a thread may ask for an instance, too.
        self._lock = threading.RLock()
        # wasmtime's own finalisers fail noisily once the interpreter is being taken apart.
        self._shared: list[wasmtime.Engine | wasmtime.Module] = []
        weakref.finalize(self, _close, self._alive, self._shared)
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
        self._shared += [self._module, self._engine]
        if self._module.imports:
            raise BackendUnavailableError("the WebAssembly module wants to import something")
        instance = self._new_instance()
        if instance.fingerprint() != FINGERPRINT:
            raise BackendUnavailableError(
                "indicator.wasm was built from other sources than the Python files"
            )
        self._instances.append(instance)

    def _new_instance(self) -> _Instance:
        instance = _Instance(self._engine, self._module, self.memory_limit, self.fuel)
        self._alive.add(instance)
        return instance

    def _any(self) -> _Instance:
        """Give exclusive use of some instance, in a ``with`` statement.

        A free one, a new one, or the first to get free.
        """
        with self._lock:
            self._instances = [instance for instance in self._instances if not instance.broken]
            for instance in self._instances:
                if instance.lock.acquire(blocking=False):
                    if not instance.busy:
                        return instance
                    instance.lock.release()
            if len(self._instances) < _INSTANCES:
                instance = self._new_instance()
                instance.lock.acquire()
                self._instances.append(instance)
                return instance
        instance = self._instances[threading.get_ident() % len(self._instances)]
        instance.lock.acquire()
        if instance.busy:
            instance.lock.release()
            instance = self._new_instance()
            instance.lock.acquire()
        return instance

    def machine(self, spec: IndicatorSpec, params: tuple[Value, ...]) -> Machine:
        """Build an indicator in its initial state.

        Raises
        ------
        MemoryError
            When the state does not fit into the memory limit.
        """
        return self._settle(spec, lambda instance: instance.create(spec, params))

    def begin(
        self,
        spec: IndicatorSpec,
        params: tuple[Value, ...],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> Machine:
        """Compute one indicator and return it to go on with."""

        def build(instance: _Instance) -> int:
            handle = instance.create(spec, params)
            try:
                instance.run(handle, inputs, outputs)
            except MemoryError:
                instance.drop(handle)
                raise
            return handle

        return self._settle(spec, build)

    def restore(self, spec: IndicatorSpec, state: bytes) -> Machine:
        """Build an indicator that goes on from a saved state."""
        return self._settle(spec, lambda instance: instance.restore(state))

    def _settle(self, spec: IndicatorSpec, build: Callable[[_Instance], int]) -> Machine:
        """Build a machine in an instance with room for it."""
        with self._any() as instance:
            try:
                return Machine(spec, self, instance, build(instance))
            except MemoryError:
                fresh = self._new_instance()
        # Only one that is full of other states is worth another try in an empty one.
        machine = Machine(spec, self, fresh, build(fresh))
        with self._lock:
            self._instances.insert(0, fresh)
        return machine

    def run(
        self,
        spec: IndicatorSpec,
        params: tuple[Value, ...],
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
        with self._any() as instance:
            try:
                instance.compute(spec, params, inputs, outputs)
            except MemoryError:
                # Only one that is full of states is worth another try in an empty one.
                self._new_instance().compute(spec, params, inputs, outputs)

    def exports(self) -> list[str]:
        """Return the names of all that the module exports."""
        return [export.name for export in self._module.exports]

    def catalog(self) -> str:
        """Return the kernels' declarations as the module itself tells them."""
        with self._any() as instance:
            return instance.catalog()

    def details(self) -> dict[str, str]:
        """Return what is worth knowing about it, for people."""
        import hashlib

        return {
            "wasmtime": metadata.version("wasmtime"),
            "module": f"{len(self.bytecode)} bytes",
            "sha256": hashlib.sha256(self.bytecode).hexdigest(),
            "memory limit": f"{self.memory_limit} bytes",
        }


def _close(
    instances: weakref.WeakSet[_Instance], shared: list[wasmtime.Engine | wasmtime.Module]
) -> None:
    for instance in instances:
        instance.close()
    for one in shared:
        one.close()


def create() -> WasmBackend:
    """Make the backend with the limits that the environment sets."""
    text = os.environ.get(MEMORY_LIMIT_VARIABLE, "")
    if not text:
        return WasmBackend()
    if not text.isdecimal():
        raise ParameterError(MEMORY_LIMIT_VARIABLE, text, "a number of bytes")
    return WasmBackend(memory_limit=int(text))
