"""The laws hold for every indicator on every backend, and each rejects a kernel that breaks it.

Swept over the catalog, so that an indicator which is added is tested without a line here.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import find, settings
from hypothesis.errors import NoSuchExample

import indicator_cache as ic
from indicator_cache import _native
from indicator_cache.backends.python import PythonBackend
from indicator_cache.backends.reference import KERNELS
from indicator_cache.backends.reference import Machine as ReferenceMachine
from indicator_cache.backends.reference.kernels import bollinger as Bollinger  # noqa: N812
from indicator_cache.backends.reference.primitives import Delay
from indicator_cache.backends.reference.state import Reader, Writer, read_header
from indicator_cache.spec import Value

from . import laws
from .bars import Array
from .strategies import Case, cases

NAMES = tuple(ic.catalog())
ROOT = Path(__file__).parent.parent

#: Examples of each law for each indicator.
EXAMPLES = 200

OPTIONS = settings(settings.get_profile("ci"), max_examples=EXAMPLES)


@pytest.mark.parametrize("name", NAMES)
def test_laws(name: str) -> None:
    tries = laws.check(ic.catalog()[name], OPTIONS)
    assert set(tries) == set(laws.LAWS)
    assert min(tries.values()) >= EXAMPLES


# --- culprits: a law that does not reject its culprit proves nothing ---


class Honest:
    """Gives its input back: a kernel that no law has anything against."""

    def run(self, x: Array) -> Array:
        return x


class Kept:
    """A number that is saved and loaded."""

    def __init__(self) -> None:
        self.value = 0.0

    def save(self, to: Writer) -> None:
        to.float(self.value)

    def load(self, source: Reader) -> None:
        self.value = source.float()


class LooksAhead:
    def run(self, x: Array) -> Array:
        return np.append(x[1:], x[-1:])


class LooksAtTheEnd:
    """Scales by a number that is only known when all bars are."""

    def run(self, x: Array) -> Array:
        scale: float = np.max(np.abs(x), initial=1.0)
        return x / scale


class SumsInStorageOrder:
    """NumPy adds long columns in pairs, short ones in eights, so that the cutting shows."""

    def __init__(self) -> None:
        self.total = Kept()

    def run(self, x: Array) -> Array:
        before = self.total.value
        self.total.value = before + float(np.sum(x))
        return np.array([before + float(np.sum(x[: bar + 1])) for bar in range(len(x))])


class DependsOnBlockPosition:
    def run(self, x: Array) -> Array:
        return np.where(np.arange(len(x)) % 8 == 0, 1.0, x)


class DependsOnAlignment:
    """As code does that takes the values before the first whole vector in another way."""

    def run(self, x: Array) -> Array:
        return np.where(np.arange(len(x)) < -(x.ctypes.data // 8) % 4, 1.0, x)


class CountsCalls:
    def __init__(self) -> None:
        self.calls = Kept()

    def run(self, x: Array) -> Array:
        self.calls.value += 1.0
        return x


class KeepsPosition:
    """Saves where in memory its input stood."""

    def __init__(self) -> None:
        self.position = Kept()

    def run(self, x: Array) -> Array:
        if len(x):
            self.position.value = float(x.ctypes.data)
        return x


class ForgetsToSave:
    def __init__(self) -> None:
        self.bars = 0

    def run(self, x: Array) -> Array:
        bars = self.bars + np.arange(len(x))
        self.bars += len(x)
        return bars.astype(np.float64)


class SharesWithItsCopy:
    def __init__(self) -> None:
        self.bars = Kept()

    def __deepcopy__(self, memo: object) -> SharesWithItsCopy:
        return self

    def run(self, x: Array) -> Array:
        self.bars.value += len(x)
        return x


class FailsOnInfinity:
    def run(self, x: Array) -> Array:
        if np.isinf(x).any():
            raise OverflowError
        return x


class RunningSum:
    """The sum of two bars, from which what leaves the window is subtracted."""

    def __init__(self) -> None:
        self.total, self.earlier = Kept(), Delay(2)

    def run(self, x: Array) -> Array:
        out = np.empty_like(x)
        for bar, (new, old) in enumerate(zip(x, self.earlier.run(x), strict=True)):
            self.total.value += float(new) - (0.0 if np.isnan(old) else float(old))
            out[bar] = self.total.value
        return out


class StartsLate:
    def __init__(self) -> None:
        self.earlier = Delay(3)

    def run(self, x: Array) -> Array:
        return np.where(np.isnan(self.earlier.run(x)), np.nan, x)


class FusesMultiplyAdd(Bollinger):
    """Bollinger bands whose product is not rounded before it is added, as with ``mul_add``."""

    def run(self, x: Array) -> tuple[Array, Array, Array]:
        middle, squares = self.moments.run(x)
        deviation = np.sqrt(squares * self.per_degree)
        rows = list(zip(deviation, middle, strict=True))
        upper = [self.fused(self.std_factor, *row) for row in rows]
        lower = [self.fused(-self.std_factor, *row) for row in rows]
        return np.array(upper, np.float64), middle, np.array(lower, np.float64)

    @staticmethod
    def fused(a: float, b: float, c: float) -> float:
        exact = a * b + c
        if np.isfinite([a * b, b, c, exact]).all() and exact != 0.0:
            return float(Fraction(a) * Fraction(float(b)) + Fraction(float(c)))
        return exact


class CulpritMachine(ReferenceMachine):
    """The reference machine around any kernel, whose results leave it as they are."""

    def __init__(
        self, spec: ic.IndicatorSpec, params: tuple[Value, ...], kernel: type[Any]
    ) -> None:
        self._make = kernel
        super().__init__(spec, params)

    def _start(self) -> None:
        self._kernel, self._bars = self._make(*self._params), 0

    def _run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        with np.errstate(all="ignore"):
            results = self._kernel.run(*inputs)
        for out, column in zip(
            outputs, results if isinstance(results, tuple) else (results,), strict=True
        ):
            out[:] = column
        self._bars += len(inputs[0])

    def copy(self) -> CulpritMachine:
        twin = CulpritMachine(self._spec, self._params, self._make)
        twin._kernel, twin._bars = copy.deepcopy(self._kernel), self._bars
        return twin


class CulpritBackend(PythonBackend):
    def __init__(self, kernel: type[Any]) -> None:
        self.kernel = kernel

    def machine(self, spec: ic.IndicatorSpec, params: tuple[Value, ...]) -> CulpritMachine:
        return CulpritMachine(spec, params, self.kernel)

    def restore(self, spec: ic.IndicatorSpec, state: bytes) -> CulpritMachine:
        header, reader = read_header(state)
        machine = self.machine(spec, spec.from_numbers(header.params))
        machine.load(header.bars, reader)
        return machine


def declared(first_valid: int = 0, window: str = "1") -> ic.IndicatorSpec:
    """The declaration of a culprit: one input, one output."""
    sma = ic.catalog()["sma"]
    output = sma.outputs[0]._replace(first_valid_of=lambda: first_valid)
    return sma._replace(name="culprit", parameters=(), outputs=(output,), window=window)


BOLLINGER = ic.catalog()["bollinger"]

#: The law that has to reject it, the culprit, and how it is declared.
CULPRITS = [
    ("split", LooksAhead, declared()),
    ("split", SumsInStorageOrder, declared()),
    ("split", DependsOnBlockPosition, declared()),
    ("split", FailsOnInfinity, declared()),
    ("resume", CountsCalls, declared()),
    ("resume", ForgetsToSave, declared()),
    ("resume", SharesWithItsCopy, declared()),
    ("one_nan", Honest, declared()),  # hands the caller's own NaN on, since nobody is in between
    ("past", LooksAhead, declared()),
    ("past", LooksAtTheEnd, declared()),
    ("locality", RunningSum, declared(window="2")),
    ("first_valid", StartsLate, declared()),
    ("first_valid", Honest, declared(first_valid=2)),
    ("agree", FusesMultiplyAdd, BOLLINGER),
]


def violation(
    law: str, kernel: type[Any], spec: ic.IndicatorSpec, examples: int = EXAMPLES
) -> Case:
    """The smallest case found in which a kernel breaks a law."""
    backend = CulpritBackend(kernel)

    def breaks(case: Case) -> bool:
        try:
            laws.LAWS[law](backend, spec, case)
        except (AssertionError, OverflowError):
            return True
        return False

    return find(
        cases(spec), breaks, settings=settings(OPTIONS, max_examples=examples, database=None)
    )


@pytest.mark.parametrize(("law", "kernel", "spec"), CULPRITS)
def test_culprit(law: str, kernel: type[Any], spec: ic.IndicatorSpec) -> None:
    """It is rejected, and by an example that a person can look at."""
    smallest = violation(law, kernel, spec)
    assert smallest.bars <= 64, smallest


@pytest.mark.parametrize(
    ("law", "kernel"), [("split", DependsOnAlignment), ("resume", KeepsPosition)]
)
def test_culprit_that_sees_addresses(law: str, kernel: type[Any]) -> None:
    """Not searched for: where arrays stand is another matter in every run."""
    case = Case((), [np.linspace(90.0, 110.0, 40)], [1, 2, 3], 0)
    laws.LAWS[law](CulpritBackend(Honest), declared(), case)
    with pytest.raises(AssertionError):
        laws.LAWS[law](CulpritBackend(kernel), declared(), case)


@pytest.mark.parametrize("law", laws.LAWS)
def test_every_law_has_a_culprit(law: str) -> None:
    assert law in {culprit[0] for culprit in CULPRITS}


@pytest.mark.parametrize("law", [law for law in laws.LAWS if law not in {"one_nan", "agree"}])
def test_honest_kernel(law: str) -> None:
    """What is rejected is the offence, not the way the culprits are run."""
    with pytest.raises(NoSuchExample):
        violation(law, Honest, declared(), 50)


def test_honest_kernel_agrees() -> None:
    for law in "one_nan", "agree":
        with pytest.raises(NoSuchExample):
            violation(law, Canonical, BOLLINGER, 50)


class Canonical(Bollinger):
    def run(self, x: Array) -> tuple[Array, Array, Array]:
        upper, middle, lower = (np.where(np.isnan(c), np.nan, c) for c in super().run(x))
        return upper, middle, lower


# --- coverage: an indicator that lacks a part is a failure that says what to do ---


def lacking(name: str) -> list[str]:
    """What an indicator of the compiled core does not have yet, with the way to get it."""
    spec = ic.catalog().get(name)
    reference = "python/indicator_cache/backends/reference/kernels.py"
    page, prose = f"docs/indicators/{name}.md", f"crates/core/src/kernels/{name}.md"
    parts = {
        "no declaration in Python: run `make generate`": spec is not None,
        "no function: run `make generate`": callable(getattr(ic, name, None)),
        "no method of the cache: run `make generate`": hasattr(ic.IndicatorCache, name),
        f"no page {page}: run `make generate`": (ROOT / page).is_file(),
        f"no prose {prose}: write it, then run `make generate`": (ROOT / prose).is_file(),
        f"no reference kernel: write class `{name}` in {reference}": name in KERNELS,
        "not swept by the laws: run `make generate`, then `make test-python`": name in NAMES,
    }
    return [f"{name}: {what}" for what, present in parts.items() if not present]


def test_every_compiled_kernel_has_every_part() -> None:
    compiled = [kernel["name"] for kernel in json.loads(_native.catalog())]
    assert [what for name in compiled for what in lacking(name)] == []
    assert len(compiled) == len(NAMES) > 0


def test_parts_that_are_lacking_are_told_with_the_command() -> None:
    told = lacking("hull")
    assert len(told) == 7
    assert all("`" in line for line in told)


def test_the_sweep_is_over_every_indicator() -> None:
    (mark,) = test_laws.pytestmark  # type: ignore[attr-defined]
    assert mark.args == ("name", tuple(ic.catalog()))
