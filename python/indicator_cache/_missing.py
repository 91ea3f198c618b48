"""What becomes of results at and after missing bars, by choice: one layer around every kernel.

A bar is missing to an indicator when any column that the indicator reads is NaN there. Policies:

``default``
    What the indicator's definition says. The kernel sees the missing bars itself; there is no
    layer, so this costs nothing and changes no bit.
``propagate``
    NaN at a missing bar, and behind it the indicator begins anew: results are those of the bars
    since the last missing one, as if there had been none before. So they are NaN until there are
    enough of these for a first value, and whatever is not NaN was made of valid bars alone.
``skip``
    NaN at a missing bar; elsewhere the results of the valid bars, moved together.
``raise``
    :class:`MissingBarError` instead of results.

So no policy needs to know what an indicator does: each is a way to run its state machine, and is
the same on every backend, whole or bar by bar. The states of such machines are saved in an envelope
of their own, since going on with another policy would give results that are neither's::

    "ICSM"   4 bytes
    version  2 bytes, little-endian like all numbers here
    policy   1 byte with the length of the name, the name in ASCII
    bars     8 bytes: how many were taken, the missing ones included
    state    the machine's own saved state
    CRC-32   4 bytes, of all before
"""

from __future__ import annotations

import math
import struct
import threading
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Self, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray
from .backends._plain import PlainBackend
from .errors import MissingBarError, ParameterError, StateError
from .spec import IndicatorSpec, Value

if TYPE_CHECKING:
    from .backends import Backend, Machine

__all__ = [
    "DEFAULT",
    "POLICIES",
    "MissingPolicy",
    "Opened",
    "checked_policy",
    "guarded",
    "missing_bar",
    "missing_bars",
    "opened",
]

#: What to do about missing bars.
MissingPolicy: TypeAlias = Literal["default", "propagate", "skip", "raise"]

POLICIES: tuple[MissingPolicy, ...] = get_args(MissingPolicy)

#: One object for all, so that the usual case is told by identity.
DEFAULT: Literal["default"] = "default"

#: What others call the same, scipy's ``nan_policy`` first of all.
_OTHER_NAMES = {"omit": "skip", "drop": "skip", "ignore": "skip", "nan": "propagate"}
_OTHER_NAMES |= {"error": "raise", "strict": "raise", "none": "default"}


def checked_policy(given: object) -> MissingPolicy:
    """Return a policy that there is.

    Raises
    ------
    ParameterError
        For anything else; it suggests what may have been meant.
    """
    for policy in POLICIES:
        if isinstance(given, str) and given == policy:
            return policy
    expected = f"one of {', '.join(POLICIES)}"
    if isinstance(given, str):
        # Needed by nobody who spells it right, and slow to import.
        import difflib

        word = given.strip().lower()
        meant = difflib.get_close_matches(word, [*POLICIES, *_OTHER_NAMES], n=1)
        if meant:
            expected += f" (did you mean {_OTHER_NAMES.get(meant[0], meant[0])!r}?)"
    raise ParameterError("missing", given, expected)


def guarded(backend: Backend, policy: object) -> Backend:
    """Return a backend that computes under a policy: the very same one for ``default``.

    Raises
    ------
    ParameterError
        When there is no such policy.
    """
    policy = checked_policy(policy)
    return backend if policy == DEFAULT else _GuardedBackend(backend, _GUARDS[policy])


def missing_bars(inputs: Sequence[FloatArray]) -> npt.NDArray[np.bool_]:
    """Return for each bar whether it is missing."""
    missing = np.isnan(inputs[0])
    for column in inputs[1:]:
        missing |= np.isnan(column)
    return missing


def missing_bar(spec: IndicatorSpec, values: Sequence[float], position: int) -> MissingBarError:
    """Return the error for a bar with these values, some of them NaN."""
    names = zip(spec.inputs, values, strict=True)
    return MissingBarError(position, tuple(name for name, value in names if math.isnan(value)))


def _missing_at(inputs: Sequence[FloatArray]) -> npt.NDArray[np.intp]:
    return np.flatnonzero(missing_bars(inputs))


class _Guard:
    """A machine that is kept from missing bars. Safe to share between threads."""

    policy: ClassVar[MissingPolicy]

    def __init__(
        self, spec: IndicatorSpec, params: tuple[Value, ...], machine: Machine, bars: int
    ) -> None:
        self._spec = spec
        self._params = params
        self._machine = machine
        self._bars = bars
        self._lock = threading.Lock()

    @property
    def bars(self) -> int:
        """Bars taken, the missing ones included."""
        return self._bars

    def run(self, inputs: Sequence[FloatArray], outputs: Sequence[FloatArray]) -> None:
        """Take the next bars, filling `outputs` in place."""
        gaps = _missing_at(inputs)
        with self._lock:
            if len(gaps):
                self._run_across(gaps, inputs, outputs)
            else:
                self._machine.run(inputs, outputs)
            self._bars += len(inputs[0])

    def _run_across(
        self,
        gaps: npt.NDArray[np.intp],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> None:
        """Take bars some of which are missing, at `gaps`."""
        raise NotImplementedError

    def _meet_gap(self) -> None:
        """Take a missing bar."""

    def update(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Take one bar; return a value for each output."""
        with self._lock:
            if any(map(math.isnan, values)):
                results = self._at_gap(values)
                self._meet_gap()
            else:
                results = self._machine.update(values)
            self._bars += 1
            return results

    def peek(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Return what :meth:`update` would, without taking the bar."""
        with self._lock:
            if any(map(math.isnan, values)):
                return self._at_gap(values)
            return self._machine.peek(values)

    def _at_gap(self, values: tuple[float, ...]) -> tuple[float, ...]:  # noqa: ARG002
        """Return what there is at a missing bar."""
        return (math.nan,) * len(self._spec.outputs)

    def save(self) -> bytes:
        """Return the state as bytes, the same on every backend."""
        with self._lock:
            return _sealed(self.policy, self._bars, bytes(self._machine.save()))

    @classmethod
    def can_be(cls, bars: int, valid: int) -> bool:
        """Whether a machine that has taken `valid` bars can be one that was given so many."""
        return valid <= bars <= _MOST_BARS

    def copy(self) -> Self:
        """Return an independent machine in the same state."""
        with self._lock:
            return type(self)(self._spec, self._params, self._machine.copy(), self._bars)

    def reset(self) -> None:
        """Go back to the state after construction."""
        with self._lock:
            self._machine.reset()
            self._bars = 0


class _Propagating(_Guard):
    policy = "propagate"

    def _run_across(
        self,
        gaps: npt.NDArray[np.intp],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> None:
        for output in outputs:
            output[:] = np.nan
        parts = np.column_stack([np.append(0, gaps + 1), np.append(gaps, len(inputs[0]))])
        # Parts that end before there can be a value give nothing, and the next gap forgets them. So
        # the time is in proportion to the bars, though a reset takes as long as the state is wide.
        first = min(output.first_valid_of(*self._params) for output in self._spec.outputs)
        matter = parts[:, 1] - parts[:, 0] > first
        matter[[0, -1]] = True
        for start, end in parts[matter].tolist():
            if start:
                self._meet_gap()
            if end > start:
                part = slice(start, end)
                self._machine.run([x[part] for x in inputs], [x[part] for x in outputs])

    def _meet_gap(self) -> None:
        if self._machine.bars:
            self._machine.reset()


class _Skipping(_Guard):
    policy = "skip"

    def _run_across(
        self,
        gaps: npt.NDArray[np.intp],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> None:
        valid = np.ones(len(inputs[0]), np.bool_)
        valid[gaps] = False
        results = np.empty((len(outputs), len(valid) - len(gaps)))
        self._machine.run([column[valid] for column in inputs], list(results))
        for output, result in zip(outputs, results, strict=True):
            output[:] = np.nan
            output[valid] = result


class _Refusing(_Guard):
    policy = "raise"

    def _run_across(
        self,
        gaps: npt.NDArray[np.intp],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],  # noqa: ARG002
    ) -> None:
        at = int(gaps[0])
        raise missing_bar(self._spec, [column[at] for column in inputs], self._bars + at)

    def _at_gap(self, values: tuple[float, ...]) -> tuple[float, ...]:
        raise missing_bar(self._spec, values, self._bars)

    @classmethod
    def can_be(cls, bars: int, valid: int) -> bool:
        return valid == bars


_GUARDS = {guard.policy: guard for guard in (_Propagating, _Skipping, _Refusing)}


class _GuardedBackend(PlainBackend):
    """A backend all of whose machines are under a policy."""

    def __init__(self, backend: Backend, guard: type[_Guard]) -> None:
        self.name = backend.name
        self._backend = backend
        self._guard = guard

    def machine(self, spec: IndicatorSpec, params: tuple[Value, ...]) -> _Guard:
        return self._guard(spec, params, self._backend.machine(spec, params), 0)

    def begin(
        self,
        spec: IndicatorSpec,
        params: tuple[Value, ...],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> _Guard:
        if not len(_missing_at(inputs)):
            begun = self._backend.begin(spec, params, inputs, outputs)
            return self._guard(spec, params, begun, len(inputs[0]))
        machine = self.machine(spec, params)
        machine.run(inputs, outputs)
        return machine

    def restore(self, spec: IndicatorSpec, state: bytes) -> _Guard:
        envelope = opened(state)
        machine = self._backend.restore(spec, envelope.state)
        # Its parameters have been checked with the header.
        from .backends.reference.state import read_header

        params = spec.from_numbers(read_header(envelope.state)[0].params)
        if not self._guard.can_be(envelope.bars, machine.bars):
            raise StateError(f"of {envelope.bars} bars, {machine.bars} cannot be valid ones")
        return self._guard(spec, params, machine, envelope.bars)

    def run(
        self,
        spec: IndicatorSpec,
        params: tuple[Value, ...],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> None:
        if len(_missing_at(inputs)):
            self.machine(spec, params).run(inputs, outputs)
        else:
            self._backend.run(spec, params, inputs, outputs)

    def run_many(
        self,
        spec: IndicatorSpec,
        params: Sequence[tuple[Value, ...]],
        inputs: Sequence[FloatArray],
        outputs: Sequence[Sequence[FloatArray]],
    ) -> None:
        if len(_missing_at(inputs)):
            super().run_many(spec, params, inputs, outputs)
        else:
            self._backend.run_many(spec, params, inputs, outputs)

    def details(self) -> dict[str, str]:
        return self._backend.details()


# --- saved states ---

_MAGIC = b"ICSM"
_VERSION = 1
_HEAD = struct.Struct("<HB")
_BARS = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")
_MOST_BARS = 1 << 62


class Opened(NamedTuple):
    """What a saved state says of missing bars."""

    policy: MissingPolicy
    bars: int
    """Bars taken, where the policy is not the default."""
    state: bytes
    """The state of the machine."""


def _sealed(policy: MissingPolicy, bars: int, state: bytes) -> bytes:
    name = policy.encode()
    body = _MAGIC + _HEAD.pack(_VERSION, len(name)) + name + _BARS.pack(bars) + state
    return body + _CHECKSUM.pack(zlib.crc32(body))


def opened(state: bytes) -> Opened:
    """Take a saved state out of its envelope. Without one it is of the default policy.

    Raises
    ------
    StateError
        When the envelope is damaged, or of another version.
    """
    if not state.startswith(_MAGIC):
        return Opened(DEFAULT, 0, state)
    body, checksum = state[: -_CHECKSUM.size], state[-_CHECKSUM.size :]
    at = len(_MAGIC) + _HEAD.size
    if len(body) < at:
        raise StateError("truncated")
    version, length = _HEAD.unpack_from(body, len(_MAGIC))
    if version != _VERSION:
        raise StateError(f"it was written in envelope version {version}, this is {_VERSION}")
    if checksum != _CHECKSUM.pack(zlib.crc32(body)):
        raise StateError("its checksum is wrong")
    name, rest = body[at : at + length], body[at + length :]
    policy = next((one for one in _GUARDS if one.encode() == name), None)
    if policy is None:
        raise StateError(f"its policy for missing bars is unknown, {name!r}")
    if len(rest) < _BARS.size:
        raise StateError("truncated")
    (bars,) = _BARS.unpack_from(rest)
    return Opened(policy, bars, rest[_BARS.size :])
