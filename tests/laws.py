"""The laws of an indicator, each written once: functions over any backend and any declaration.

``test_laws`` sweeps them over the catalog and over kernels that break one each; ``soak`` does the
same for as long as one likes. A law is broken when it raises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from hypothesis import given, note, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

import indicator_cache as ic
from indicator_cache.backends import Backend, Machine
from indicator_cache.backends.native import NativeBackend, paths
from indicator_cache.spec import Value

from .bars import NAN_BITS, Array, columns_of, walk
from .strategies import SPECIAL, Case, cases

Law: TypeAlias = Callable[[Backend, ic.IndicatorSpec, Case], None]

#: All that computes, one instruction set each.
SUBJECTS: dict[str, Backend] = {
    "native": ic.backends.resolve("native"),
    **{f"native, {path}": NativeBackend(path) for path in paths()},
    "wasm": ic.backends.resolve("wasm"),
    "python": ic.backends.resolve("python"),
}

#: Bars of the walks on which first values are looked for.
LONG = 60

WALKS = [walk(LONG, seed) for seed in range(8)]


def split(backend: Backend, spec: ic.IndicatorSpec, case: Case) -> None:
    """Any cutting of the bars into runs gives the same bits as one run."""
    machine = backend.machine(spec, case.params)
    pieces = run_in_pieces(machine, spec, case.columns, case.cuts)
    whole = run_whole(backend, spec, case.params, case.columns)
    same(whole, pieces, "one run and pieces")
    assert machine.bars == case.bars


def resume(backend: Backend, spec: ic.IndicatorSpec, case: Case) -> None:
    """A copy, a saved and a reset state go on identically; the bytes do not tell the cutting."""
    whole = run_whole(backend, spec, case.params, case.columns)
    cut = case.cuts[len(case.cuts) // 2] if case.cuts else case.bars // 2
    before = [column[:cut] for column in case.columns]
    after = [column[cut:] for column in case.columns]
    expected = [column[cut:] for column in whole]
    first, other = (backend.machine(spec, case.params) for _ in range(2))
    run_in_pieces(first, spec, before, ())
    run_in_pieces(other, spec, before, [at for at in case.cuts if at <= cut])
    state = first.save()
    assert other.save() == state, f"bytes at bar {cut} tell how the bars were cut"
    loaded = backend.restore(spec, state)
    assert loaded.save() == state, f"loaded at bar {cut} and saved again: other bytes"
    assert loaded.bars == cut
    for what, machine in ("copy", first.copy()), ("saved state", loaded):
        same(expected, run_in_pieces(machine, spec, after, ()), f"{what} at bar {cut}")
    assert first.save() == state, f"a copy at bar {cut} changed the original"
    first.reset()
    same(whole, run_in_pieces(first, spec, case.columns, ()), f"reset at bar {cut}")


def one_nan(backend: Backend, spec: ic.IndicatorSpec, case: Case) -> None:
    """Every NaN has the same bits."""
    for column in run_whole(backend, spec, case.params, case.columns):
        patterns = column[np.isnan(column)].view(np.uint64)
        assert set(patterns.tolist()) <= {NAN_BITS}


def past(backend: Backend, spec: ic.IndicatorSpec, case: Case) -> None:
    """No result depends on a later bar, nor on whether there is one."""
    cut = case.cuts[0] if case.cuts else case.bars // 2
    whole = run_whole(backend, spec, case.params, case.columns)
    expected = [column[:cut] for column in whole]
    for what, other in (
        ("another future", spoiled(case, slice(cut, None))),
        ("no future", [column[:cut].copy() for column in case.columns]),
    ):
        found = run_whole(backend, spec, case.params, other)
        same(expected, [column[:cut] for column in found], f"{what} after bar {cut}")


def locality(backend: Backend, spec: ic.IndicatorSpec, case: Case) -> None:
    """What lies outside the declared window cannot touch a result."""
    window = window_of(spec, case.params)
    if window is None:
        return
    # As many bars are spoiled as leave a result to look at, if any do.
    cut = min([*case.cuts, case.bars // 2]) if case.cuts else case.bars // 2
    cut = min(cut, max(case.bars - window, 0))
    clean = cut + window - 1
    whole = run_whole(backend, spec, case.params, case.columns)
    found = run_whole(backend, spec, case.params, spoiled(case, slice(cut)))
    same([c[clean:] for c in whole], [c[clean:] for c in found], f"first {cut} bars spoiled")


def first_valid(backend: Backend, spec: ic.IndicatorSpec, case: Case) -> None:
    """No value comes before the declared bar, and on some random walk one comes there.

    Parameters of zero can leave nothing to divide by, and so no value there; some more cannot.
    """
    anything = run_whole(backend, spec, case.params, case.columns)
    declared = [output.first_valid_of(*case.params) for output in spec.outputs]
    begins = _begins(backend, spec, case.params, declared)
    above = tuple(1e-6 if type(x) is float and x == 0.0 else x for x in case.params)
    if begins != declared and all(rule.holds(*above) for rule in spec.rules):
        begins = _begins(backend, spec, above, declared)
    for output, column, expected, first in zip(
        spec.outputs, anything, declared, begins, strict=True
    ):
        assert np.isnan(column[:expected]).all(), f"{output.name} before bar {expected}"
        # Some parameters leave an output without any value.
        if first < LONG:
            assert first == expected, f"{output.name} begins at {first}, not {expected}"


def _begins(
    backend: Backend, spec: ic.IndicatorSpec, params: tuple[Value, ...], declared: list[int]
) -> list[int]:
    """Return where each output has its first value on some walk, trying no more than needed."""
    begins = [LONG] * len(declared)
    for prices in WALKS:
        found = run_whole(backend, spec, params, columns_of(spec, prices))
        begins = [min(pair) for pair in zip(begins, map(first_present, found), strict=True)]
        if begins == declared:
            break
    return begins


def agree(backend: Backend, spec: ic.IndicatorSpec, case: Case) -> None:
    """Every backend gives the bits of the reference, in its results and in its saved states."""
    expected = stages(SUBJECTS["python"], spec, case)
    others = [backend] if backend not in SUBJECTS.values() else _COMPILED
    for other in others:
        for (a, state), (b, its) in zip(expected, stages(other, spec, case), strict=True):
            same(a, b, other.name)
            assert its == state, f"{other.name} saves other bytes"


_COMPILED = [subject for name, subject in SUBJECTS.items() if name != "python"]

LAWS: dict[str, Law] = {
    law.__name__: law for law in (split, resume, one_nan, past, locality, first_valid, agree)
}


def check(spec: ic.IndicatorSpec, options: settings, seed: int | None = None) -> Counter[str]:
    """Try every law on an indicator, each on the same cases, on one backend or another by chance.

    Returns how often each was tried. A violation is raised, by the smallest case that shows it.
    """
    tries: Counter[str] = Counter()

    def obeys(subject: str, case: Case) -> None:
        for name, law in LAWS.items():
            tries[name] += 1
            note(f"law: {name}")
            law(SUBJECTS[subject], spec, case)

    test = options(given(st.sampled_from(tuple(SUBJECTS)), cases(spec))(obeys))
    (test if seed is None else seeded(seed)(test))()
    return tries


# --- what laws are made of ---


def run_whole(
    backend: Backend, spec: ic.IndicatorSpec, params: tuple[Value, ...], columns: list[Array]
) -> list[Array]:
    """The results of one run."""
    outputs = [np.full(len(columns[0]), 7.0) for _ in spec.outputs]
    backend.run(spec, params, columns, outputs)
    return outputs


def run_in_pieces(
    machine: Machine, spec: ic.IndicatorSpec, columns: list[Array], cuts: Iterable[int]
) -> list[Array]:
    """The results of a run for each piece between two cuts."""
    bars = len(columns[0])
    outputs = [np.full(bars, 7.0) for _ in spec.outputs]
    for start, stop in pairwise([0, *cuts, bars]):
        machine.run(
            [column[start:stop] for column in columns], [column[start:stop] for column in outputs]
        )
    return outputs


def same(expected: Sequence[Array], found: Sequence[Array], what: str) -> None:
    """Compare bits."""
    for place, (a, b) in enumerate(zip(expected, found, strict=True)):
        assert len(a) == len(b), f"{what}: lengths"
        if a.tobytes() != b.tobytes():
            bar = int(np.flatnonzero(a.view(np.uint64) != b.view(np.uint64))[0])
            message = f"{what}: output {place}, bar {bar}: {b[bar]!r} instead of {a[bar]!r}"
            raise AssertionError(message)


def spoiled(case: Case, where: slice) -> list[Array]:
    """The columns with other values there."""
    rng = np.random.default_rng(case.seed)
    columns = [column.copy() for column in case.columns]
    for column in columns:
        column[where] = rng.choice([*SPECIAL, 99.0, 101.0], len(column[where]))
    return columns


def window_of(spec: ic.IndicatorSpec, params: tuple[Value, ...]) -> int | None:
    """Bars that a result depends on."""
    if spec.window is None:
        return None
    names = {
        parameter.name: value for parameter, value in zip(spec.parameters, params, strict=True)
    }
    # The declaration has it as a text, for people.
    bars = eval(spec.window, {"max": max, "min": min, "__builtins__": {}}, names)  # noqa: S307
    return None if bars is None else int(bars)


def stages(backend: Backend, spec: ic.IndicatorSpec, case: Case) -> list[tuple[list[Array], bytes]]:
    """The results of some runs in a row, and what is saved after each."""
    machine = backend.machine(spec, case.params)
    found = []
    for start, stop in pairwise([0, *case.cuts[:3], case.bars]):
        block = [column[start:stop] for column in case.columns]
        found.append((run_in_pieces(machine, spec, block, ()), machine.save()))
    return found


def first_present(column: Array) -> int:
    """First bar with a value, or the length."""
    present = np.flatnonzero(~np.isnan(column))
    return int(present[0]) if len(present) else len(column)
