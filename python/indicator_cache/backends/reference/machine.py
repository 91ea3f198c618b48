"""A reference kernel with what is the same for every kernel."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Sequence

import numpy as np

from ..._arrays import FloatArray
from ...spec import IndicatorSpec, Value
from .kernels import KERNELS, Kernel
from .primitives import State
from .state import Header, Reader, Writer, seal

__all__ = ["Machine"]


class Machine:
    """One indicator with its state. Safe to share between threads."""

    def __init__(self, spec: IndicatorSpec, params: tuple[Value, ...]) -> None:
        self._spec = spec
        self._params = params
        self._lock = threading.Lock()
        self._start()

    def _start(self) -> None:
        self._kernel: Kernel = KERNELS[self._spec.name](*self._params)
        self._bars = 0

    @property
    def bars(self) -> int:
        """Bars taken."""
        return self._bars

    def run(self, inputs: Sequence[FloatArray], outputs: Sequence[FloatArray]) -> None:
        """Take the next bars, filling `outputs` in place."""
        with self._lock:
            self._run(inputs, outputs)

    def _run(self, inputs: Sequence[FloatArray], outputs: Sequence[FloatArray]) -> None:
        with np.errstate(all="ignore"):
            results = self._kernel.run(*inputs)
        columns = results if isinstance(results, tuple) else (results,)
        for out, column in zip(outputs, columns, strict=True):
            # One NaN for all: arithmetic leaves different bits on different machines.
            out[:] = np.where(np.isnan(column), np.nan, column)
        self._bars += len(inputs[0])

    def update(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Take one bar; return a value for each output."""
        outputs = np.empty((len(self._spec.outputs), 1))
        self.run([np.array([value]) for value in values], list(outputs))
        return tuple(outputs[:, 0].tolist())

    def peek(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Return what :meth:`update` would, without taking the bar."""
        return self.copy().update(values)

    def save(self) -> bytes:
        """Return the state as bytes."""
        with self._lock:
            spec = self._spec
            writer = Writer(
                Header(spec.name, spec.revision, spec.numbers(self._params), self._bars)
            )
            for part in _parts(self._kernel):
                part.save(writer)
            return seal(writer)

    def load(self, bars: int, reader: Reader) -> None:
        """Take over a state from what follows its header."""
        for part in _parts(self._kernel):
            part.load(reader)
        reader.end()
        self._bars = bars

    def copy(self) -> Machine:
        """Return an independent machine in the same state."""
        twin = Machine(self._spec, self._params)
        with self._lock:
            twin._kernel, twin._bars = copy.deepcopy(self._kernel), self._bars
        return twin

    def reset(self) -> None:
        """Go back to the state after construction."""
        with self._lock:
            self._start()


def _parts(kernel: object) -> Iterator[State]:
    """Yield the parts of a kernel that remember, those of kernels within it included."""
    for part in vars(kernel).values():
        if isinstance(part, State):
            yield part
        elif type(part) in KERNELS.values():
            yield from _parts(part)
