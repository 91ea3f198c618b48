"""Machine code: the extension module that the wheel carries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from .._arrays import FloatArray
from .._generated.catalog import FINGERPRINT
from ..errors import BackendUnavailableError, StateError
from ..spec import IndicatorSpec, Value
from . import Quick


def _absence() -> str:
    """Tell a missing library from one for another interpreter, which Python passes over alike."""
    from importlib.machinery import EXTENSION_SUFFIXES
    from pathlib import Path

    folder = Path(__file__).parent.parent
    libraries = (path for path in folder.glob("_native.*") if path.suffix != ".pyi")
    names = ", ".join(sorted(path.name for path in libraries))
    if not names:
        return "this installation has no _native library"
    loaded = " or ".join(f"_native{suffix}" for suffix in EXTENSION_SUFFIXES)
    return f"{folder} has {names}, which is for another interpreter: this one loads {loaded}"


try:
    from .. import _native
except ImportError:
    # Nothing that only a broken installation needs is imported above: it takes milliseconds.
    from importlib.util import find_spec

    # A library that is there and cannot be loaded: nobody says it better than the loader.
    if find_spec("indicator_cache._native") is not None:
        raise
    # Python's own words are that a name cannot be imported, which sounds like a mistake in here.
    raise ModuleNotFoundError(_absence()) from None

__all__ = ["NativeBackend", "create", "paths"]


class NativeBackend:
    """Runs the kernels in this process, with the interpreter released.

    Parameters
    ----------
    path
        The instruction set to compute with, one of :func:`paths`; unless given, that with the
        widest registers. The bits are the same.
    """

    name = "native"

    def __init__(self, path: str | None = None) -> None:
        known = _native.paths()
        self.path = known.index(path or known[-1])
        self.quick: Quick | None = partial(_native.compute, self.path)

    def machine(self, spec: IndicatorSpec, params: tuple[Value, ...]) -> _native.Machine:
        """Build an indicator in its initial state."""
        return _native.Machine(spec.position, spec.numbers(params), self.path)

    def begin(
        self,
        spec: IndicatorSpec,
        params: tuple[Value, ...],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> _native.Machine:
        """Compute one indicator and return it to go on with."""
        return _native.begin(spec.position, spec.numbers(params), inputs, outputs, self.path)

    def begin_new(
        self, spec: IndicatorSpec, params: tuple[Value, ...], inputs: tuple[FloatArray, ...]
    ) -> tuple[_native.Machine, tuple[FloatArray, ...]]:
        """Compute one indicator into new columns, read-only ones; return it to go on with."""
        return _native.begin_new(spec.position, spec.numbers(params), inputs, self.path)

    def restore(self, spec: IndicatorSpec, state: bytes) -> _native.Machine:  # noqa: ARG002
        """Build an indicator that goes on from a saved state."""
        try:
            return _native.Machine.restore(state, self.path)
        except ValueError as error:
            raise StateError(str(error).removeprefix(StateError.PREFIX)) from error

    def run(
        self,
        spec: IndicatorSpec,
        params: tuple[Value, ...],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> None:
        """Compute one indicator over whole columns, filling `outputs` in place."""
        _native.run(spec.position, spec.numbers(params), inputs, outputs, self.path)

    def run_many(
        self,
        spec: IndicatorSpec,
        params: Sequence[tuple[Value, ...]],
        inputs: Sequence[FloatArray],
        outputs: Sequence[Sequence[FloatArray]],
    ) -> None:
        """Compute one indicator for several sets of parameters, with outputs for each of them."""
        columns = [column for room in outputs for column in room]
        numbers = [spec.numbers(one) for one in params]
        _native.run_many(spec.position, numbers, inputs, columns, self.path)

    def details(self) -> dict[str, str]:
        """Return what is worth knowing about it, for people."""
        return {"library": str(_native.__file__), "cpu": _native.cpu()}


def paths() -> tuple[str, ...]:
    """Return the instruction sets that kernels are compiled for and that this processor has."""
    return tuple(_native.paths())


def create() -> NativeBackend:
    """Make the backend, if the library belongs to these Python files."""
    if _native.fingerprint() != FINGERPRINT:
        raise BackendUnavailableError(
            f"{_native.__file__} was built from other sources than the Python files"
        )
    return NativeBackend()
