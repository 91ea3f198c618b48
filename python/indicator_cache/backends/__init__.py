"""Where results are computed: machine code, WebAssembly, or NumPy, with the same bits from each.

``INDICATOR_CACHE_BACKEND`` (``auto``, ``native``, ``wasm`` or ``python``) is read when the package
is imported. ``auto`` takes the first usable one in that order. A named backend that cannot be used
is an error, never replaced by another.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from types import TracebackType
from typing import NamedTuple, Protocol, Self, TypeAlias

from .._arrays import FloatArray
from ..errors import BackendUnavailableError, ParameterError
from ..spec import IndicatorSpec, Value

__all__ = [
    "NAMES",
    "VARIABLE",
    "Backend",
    "BackendInfo",
    "Machine",
    "Quick",
    "active",
    "backend_info",
    "resolve",
    "select_at_import",
    "use_backend",
]

#: Backends in the order in which ``auto`` tries them.
NAMES = ("native", "wasm", "python")

_MODULES = {"native": ".native", "wasm": ".wasm", "python": ".python"}

#: Environment variable with the backend to use.
VARIABLE = "INDICATOR_CACHE_BACKEND"


class Machine(Protocol):
    """One indicator with its state. Safe to share between threads."""

    @property
    def bars(self) -> int:
        """Bars taken."""
        ...

    def run(self, inputs: Sequence[FloatArray], outputs: Sequence[FloatArray]) -> None:
        """Take the next bars, filling `outputs` in place."""
        ...

    def update(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Take one bar; return a value for each output."""
        ...

    def peek(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Return what :meth:`update` would, without taking the bar."""
        ...

    def save(self) -> bytes:
        """Return the state as bytes, the same on every backend."""
        ...

    def copy(self) -> Self:
        """Return an independent machine in the same state."""
        ...

    def reset(self) -> None:
        """Go back to the state after construction."""
        ...


#: Computes one indicator into new columns, from its position, the numbers that stand for its
#: parameters, and whatever callers have for columns. None where those are not just as kernels read
#: them.
Quick: TypeAlias = Callable[
    [int, tuple[float, ...], tuple[object, ...]], tuple[FloatArray, ...] | None
]


class Backend(Protocol):
    """What computes. Arguments have been checked before they get here."""

    name: str

    quick: Quick | None
    """What takes less time than to look at the columns and :meth:`run`, if there is such a way."""

    def machine(self, spec: IndicatorSpec, params: tuple[Value, ...]) -> Machine:
        """Build an indicator in its initial state."""
        ...

    def begin(
        self,
        spec: IndicatorSpec,
        params: tuple[Value, ...],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> Machine:
        """Do as :meth:`run`, and return the indicator to go on with."""
        ...

    def begin_new(
        self, spec: IndicatorSpec, params: tuple[Value, ...], inputs: tuple[FloatArray, ...]
    ) -> tuple[Machine, Sequence[FloatArray]]:
        """Do as :meth:`begin`, in new columns. They may be read-only."""
        ...

    def restore(self, spec: IndicatorSpec, state: bytes) -> Machine:
        """Build an indicator that goes on from a saved state, whose header has been checked."""
        ...

    def run(
        self,
        spec: IndicatorSpec,
        params: tuple[Value, ...],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> None:
        """Compute one indicator over whole columns, filling `outputs` in place."""
        ...

    def run_many(
        self,
        spec: IndicatorSpec,
        params: Sequence[tuple[Value, ...]],
        inputs: Sequence[FloatArray],
        outputs: Sequence[Sequence[FloatArray]],
    ) -> None:
        """Compute one indicator for several sets of parameters, with outputs for each of them."""
        ...

    def details(self) -> dict[str, str]:
        """Return what is worth knowing about it, for people."""
        ...


class BackendInfo(NamedTuple):
    """Which backend is in use, and what became of the others."""

    active: str
    requested: str
    """What was asked for: a name, or ``auto``."""
    failures: dict[str, str]
    """Backends that were tried in vain, with the reason."""
    details: dict[str, str]
    flush_to_zero: bool
    """Whether this thread's floating-point unit drops tiny numbers, which breaks the promise of
    equal bits. Libraries built with ``-ffast-math`` switch that on."""


class _Selection:
    """The process-wide choice."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.loaded: dict[str, Backend] = {}
        self.failures: dict[str, str] = {}
        self.requested = "auto"
        self.active: Backend | None = None


_selection = _Selection()


def load(name: str) -> Backend:
    """Return the backend called `name`.

    Raises
    ------
    ParameterError
        When there is none of that name.
    BackendUnavailableError
        When it cannot be used here.
    """
    if name not in NAMES:
        raise ParameterError("backend", name, f"one of {', '.join(NAMES)}")
    with _selection.lock:
        backend = _selection.loaded.get(name)
        if backend is None:
            try:
                create: Callable[[], Backend] = import_module(_MODULES[name], __name__).create
                backend = create()
            # A broken library can fail in any way when it is loaded, and `auto` must go on.
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                _selection.failures[name] = reason
                raise BackendUnavailableError(
                    f"the {name} backend cannot be used: {reason}"
                ) from error
            _selection.loaded[name] = backend
            _selection.failures.pop(name, None)
        return backend


def resolve(requested: str) -> Backend:
    """Return the backend for a name or ``auto``."""
    if requested != "auto":
        return load(requested)
    for name in NAMES:
        try:
            return load(name)
        except BackendUnavailableError:
            continue
    raise BackendUnavailableError(f"no backend can be used: {_selection.failures}")


def active() -> Backend:
    """Return the backend in use."""
    backend = _selection.active
    return backend if backend is not None else select_at_import()


def select_at_import() -> Backend:
    """Choose what the environment asks for."""
    with _selection.lock:
        requested = os.environ.get(VARIABLE, "").strip() or "auto"
        if requested not in {"auto", *NAMES}:
            raise BackendUnavailableError(
                f"{VARIABLE} must be auto, {', '.join(NAMES)}, got {requested!r}"
            )
        _selection.requested = requested
        _selection.active = resolve(requested)
        if flushes_to_zero():
            warnings.warn(
                "this process drops denormal numbers (a library built with -ffast-math switched "
                "that on): results may differ from other machines in their last bits",
                RuntimeWarning,
                stacklevel=3,
            )
        return _selection.active


class use_backend:  # noqa: N801 - a function to its users, who may also write `with` before it
    """Switch all caches that are not pinned, and all functions, to another backend.

    Takes effect at once; in a ``with`` statement, until its end. The choice is one for the whole
    process, all threads included. Results already cached are kept: they are the same bits.

    Parameters
    ----------
    name
        ``native``, ``wasm``, ``python`` or ``auto``.

    Raises
    ------
    ParameterError
        When there is no backend of that name.
    BackendUnavailableError
        When it cannot be used here. The one in use stays in use.

    Examples
    --------
    >>> import indicator_cache as ic
    >>> with ic.use_backend("python"):
    ...     ic.backend_info().active
    'python'
    """

    def __init__(self, name: str) -> None:
        backend = resolve(name)
        with _selection.lock:
            self._before = _selection.active, _selection.requested
            _selection.active, _selection.requested = backend, name

    def __enter__(self) -> Backend:
        return active()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with _selection.lock:
            _selection.active, _selection.requested = self._before


def backend_info() -> BackendInfo:
    """Tell which backend is in use, what was asked for, and why others are not usable."""
    backend = active()
    return BackendInfo(
        backend.name,
        _selection.requested,
        dict(_selection.failures),
        backend.details(),
        flushes_to_zero(),
    )


def flushes_to_zero() -> bool:
    """Whether the floating-point unit replaces denormal numbers by zero."""
    return sys.float_info.min * float("0.5") == 0.0
