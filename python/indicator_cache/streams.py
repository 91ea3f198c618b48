"""Indicators bar by bar: the same state machines that compute whole series, fed as bars come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import backends
from ._arrays import as_column, new_columns, same_length
from ._compute import Result, results
from ._generated.catalog import BY_NAME
from ._missing import DEFAULT, MissingPolicy, checked_policy, guarded, opened
from ._numbers import real
from .errors import ParameterError, StateError
from .spec import IndicatorSpec, Value, find_spec

if TYPE_CHECKING:
    from .backends import Backend, Machine

__all__ = ["Stream", "restore", "stream"]


class Stream:
    """An indicator that takes its bars as they come.

    Made by :func:`stream` or :func:`restore`. Whatever way the bars are fed, one by one, many at
    once, or across a saved state, the results are those of the whole series, bit for bit.

    A stream may be shared by threads: every call takes its bars as a whole.
    """

    __slots__ = ("_machine", "_params", "_spec", "backend", "missing")

    def __init__(
        self,
        spec: IndicatorSpec,
        params: tuple[Value, ...],
        backend: str,
        machine: Machine,
        missing: MissingPolicy = DEFAULT,
    ) -> None:
        self._spec = spec
        self._params = params
        self._machine = machine
        self.backend = backend
        self.missing = missing

    def __repr__(self) -> str:
        """Return a summary."""
        params = "".join(f", {name}={value!r}" for name, value in self.params.items())
        policy = "" if self.missing == DEFAULT else f", missing={self.missing!r}"
        return f"<Stream {self._spec.name!r}{params}{policy}: {self.bars} bars>"

    @property
    def spec(self) -> IndicatorSpec:
        """The indicator's declaration."""
        return self._spec

    @property
    def params(self) -> dict[str, Value]:
        """The indicator's parameters by name."""
        names = (parameter.name for parameter in self._spec.parameters)
        return dict(zip(names, self._params, strict=True))

    @property
    def bars(self) -> int:
        """Bars taken since the start or the last reset."""
        return self._machine.bars

    def update(self, *values: float | None, **named: float | None) -> Result:
        """Take the next bar.

        Parameters
        ----------
        *values, **named
            A number for each input of the indicator, by position in the spec's order or by name.
            None or NaN where it is missing.

        Returns
        -------
        The result at this bar: a float, or the indicator's named tuple of floats.

        Raises
        ------
        ParameterError
            When a value is not a number, or one is missing or too many. The bar is not taken.
        MissingBarError
            When a value is missing in a stream with ``missing="raise"``. The bar is not taken.

        Examples
        --------
        >>> import indicator_cache as ic
        >>> s = ic.stream("ema", period=3)
        >>> s.update(1.0), s.update(2.0), s.update(x=3.0)
        (1.0, 1.5, 2.25)
        """
        found = self._machine.update(self._bar(values, named))
        return found[0] if len(found) == 1 else results(self._spec, found)

    def peek(self, *values: float | None, **named: float | None) -> Result:
        """Return what :meth:`update` would for a bar that is still forming; nothing changes."""
        return results(self._spec, self._machine.peek(self._bar(values, named)))

    def update_many(self, *columns: npt.ArrayLike, **named: npt.ArrayLike) -> Result:
        """Take the next bars.

        Parameters
        ----------
        *columns, **named
            An array for each input, by position in the spec's order or by name; one value per
            bar, NaN where it is missing.

        Returns
        -------
        The results at these bars: an array, or the indicator's named tuple of arrays.

        Raises
        ------
        SchemaError
            When a column is not one row of real numbers, or lengths differ. No bar is taken.
        ParameterError
            When a column is missing or too many.
        MissingBarError
            When a bar is missing in a stream with ``missing="raise"``. No bar is taken.
        """
        names = self._spec.inputs
        inputs = list(map(as_column, names, _by_position(self._spec, columns, named)))
        outputs = new_columns(len(self._spec.outputs), same_length(names, inputs))
        self._machine.run(inputs, outputs)
        return results(self._spec, outputs)

    def reset(self) -> None:
        """Go back to the state before the first bar."""
        self._machine.reset()

    def save(self) -> bytes:
        """Return the state as bytes, from which :func:`restore` goes on, on any backend."""
        return bytes(self._machine.save())

    def copy(self) -> Stream:
        """Return an independent stream in the same state."""
        return Stream(self._spec, self._params, self.backend, self._machine.copy(), self.missing)

    def __copy__(self) -> Stream:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Stream:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the saved state; it comes back on whatever backend is in use there."""
        return restore, (self.save(),)

    def _bar(
        self, values: tuple[float | None, ...], named: dict[str, float | None]
    ) -> tuple[float, ...]:
        names = self._spec.inputs
        if named or len(values) != len(names):
            values = _by_position(self._spec, values, named)
        for value in values:
            if type(value) is not float:
                return tuple(map(_number, names, values))
        return values  # type: ignore[return-value] # all of them are floats


def stream(
    name: str,
    /,
    *,
    backend: str | None = None,
    missing: MissingPolicy = DEFAULT,
    **params: object,
) -> Stream:
    """Start an indicator that takes its bars as they come.

    Parameters
    ----------
    name
        Name of the indicator, as in :func:`catalog`.
    backend
        Where to compute; None for the backend in use.
    missing
        What to do about missing bars: ``default``, ``propagate``, ``skip`` or ``raise``; see
        docs/missing.md.
    **params
        The indicator's parameters; those left out have their defaults.

    Raises
    ------
    ParameterError
        For an unknown indicator or parameter, or a value that is not allowed.
    BackendUnavailableError
        When the backend asked for cannot be used.
    """
    spec = find_spec(BY_NAME, name)
    values = spec.normalise(params)
    policy = checked_policy(missing)
    chosen = guarded(_backend(backend), policy)
    return Stream(spec, values, chosen.name, chosen.machine(spec, values), policy)


def restore(
    state: bytes, /, *, backend: str | None = None, missing: MissingPolicy | None = None
) -> Stream:
    """Go on from a saved state, on whatever backend it was saved.

    Parameters
    ----------
    state
        What :meth:`Stream.save` returned.
    backend
        Where to compute; None for the backend in use.
    missing
        The policy for missing bars that the state has to be of. None for whichever it is.

    Raises
    ------
    StateError
        When the bytes are damaged, truncated, of another kind, or of an indicator, revision or
        format version that this version does not have; or of another policy than `missing`.
    ParameterError
        When there is no such policy.
    """
    wanted = None if missing is None else checked_policy(missing)
    if not isinstance(state, (bytes, bytearray, memoryview)):
        raise StateError(f"expected bytes, got {type(state).__name__}")
    state = bytes(state)
    # The NumPy kernels come with it: milliseconds that only those pay who restore.
    from .backends.reference.state import read_header

    policy, _, kernel_state = opened(state)
    header, _ = read_header(kernel_state)
    spec = BY_NAME.get(header.name)
    if spec is None:
        raise StateError(f"it belongs to an unknown indicator, {header.name!r}")
    if header.revision != spec.revision:
        raise StateError(
            f"it belongs to revision {header.revision} of {spec.name}, this is {spec.revision}"
        )
    try:
        params = spec.from_numbers(header.params)
    except ParameterError as error:
        raise StateError(str(error)) from error
    if wanted not in {None, policy}:
        raise StateError(f"it was saved with missing={policy!r}, not {wanted!r}")
    chosen = guarded(_backend(backend), policy)
    return Stream(spec, params, chosen.name, chosen.restore(spec, state), policy)


def _backend(name: str | None) -> Backend:
    return backends.active() if name is None else backends.resolve(name)


def _by_position(
    spec: IndicatorSpec, values: tuple[Any, ...], named: dict[str, Any]
) -> tuple[Any, ...]:
    if not named and len(values) == len(spec.inputs):
        return values
    expected = f"one for each of {', '.join(spec.inputs)}"
    if len(values) > len(spec.inputs):
        raise ParameterError("inputs", values, expected)
    given = dict(zip(spec.inputs, values, strict=False))
    for name, value in named.items():
        if name in given or name not in spec.inputs:
            raise ParameterError(name, value, f"given once, and one of {', '.join(spec.inputs)}")
        given[name] = value
    if len(given) < len(spec.inputs):
        raise ParameterError("inputs", tuple(given), expected)
    return tuple(given[name] for name in spec.inputs)


def _number(name: str, value: object) -> float:
    if type(value) is float:
        return value
    if value is None:
        return np.nan
    number = real(value)
    if number is not None:
        return number
    raise ParameterError(name, value, "a number, or None where it is missing")
