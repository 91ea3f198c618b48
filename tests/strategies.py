"""What the laws are tried on: parameters, bars and cuttings, drawn so that failures shrink."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

import indicator_cache as ic
from indicator_cache.spec import Value

from .bars import FIELDS, Array, Bars, around, columns_of, missing, walk

inf, nan = np.inf, np.nan

#: Values that have been hard for some indicator somewhere.
SPECIAL = (0.0, 1.0, -1.0, 100.0, nan, inf, -inf, -0.0, 1e12, -1e12, 1e-8, 1e9, 5e-324, 1.7e308)

#: NaNs that are not the one that leaves the package.
PAYLOADS = np.array(
    [0xFFF8 << 48, 0x7FF0_0000_0000_0001, 0xFFF0 << 48 | 7, 0x7FF8_DEAD << 32], np.uint64
).view(np.float64)

#: Lengths on either side of the edges of blocks: of those of averages, of the groups that run
#: abreast, and of what a kernel is handed at once, the first of which is as long as the former.
EDGES = (
    *(1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 100, 127, 128, 129, 143, 144, 145, 256, 272, 273, 700),
    *(1023, 1024, 1040, 1041, 2048, 2064, 2065),
)

#: Periods on either side of the edges of blocks, and longer than most series.
PERIODS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 20, 100, 512, 513, 5000)


class Case(NamedTuple):
    """An indicator's parameters, its bars, and where to cut them."""

    params: tuple[Value, ...]
    columns: list[Array]
    cuts: list[int]
    """Sorted, repeated where a run is empty."""
    seed: int
    """For what a law chooses by itself."""

    @property
    def bars(self) -> int:
        """How many."""
        return len(self.columns[0])


def _holes(bars: Bars, rng: np.random.Generator) -> Bars:
    """Bars missing alone and in runs, in the beginning too, and most of them present."""
    count = len(bars["close"])
    holes = rng.random(count) < 0.05
    for begin in 0, *rng.integers(0, count + 1, 3):
        holes[begin : begin + rng.integers(1, count // 12 + 2)] = True
    return missing(bars, holes)


def gappy(bars: int, seed: int = 0) -> Bars:
    """A walk with missing bars, however short it is."""
    return _holes(walk(bars, seed), np.random.default_rng(seed))


def _sprinkled(bars: Bars, rng: np.random.Generator, values: Array, share: float = 0.05) -> Bars:
    return {
        name: np.where(rng.random(len(column)) < share, rng.choice(values, len(column)), column)
        for name, column in bars.items()
    }


def _normal(level: float, scale: float) -> Callable[[int, np.random.Generator], Bars]:
    return lambda count, rng: around(level + scale * rng.normal(size=count))


def _walk(start: float = 100.0) -> Callable[[int, np.random.Generator], Bars]:
    return lambda count, rng: walk(count, int(rng.integers(1 << 31)), start=start)


#: Bars of every kind, made from a count and a generator.
KINDS: dict[str, Callable[[int, np.random.Generator], Bars]] = {
    "walk": _walk(),
    "gaps": lambda n, rng: _holes(_walk()(n, rng), rng),
    "partial gaps": lambda n, rng: _sprinkled(_walk()(n, rng), rng, np.array([nan])),
    "constant": lambda n, rng: dict.fromkeys(FIELDS, np.full(n, rng.choice([0.1, 1e9, 3.0]))),
    "constant with gaps": lambda n, rng: _holes(dict.fromkeys(FIELDS, np.full(n, 0.1)), rng),
    "steps": lambda n, rng: around(
        np.repeat(rng.integers(90, 110, n // 5 + 1), 5)[:n].astype(np.float64)
    ),
    "spikes": lambda n, rng: _sprinkled(_walk()(n, rng), rng, np.array([1e12, -1e12]), 0.01),
    "1e6 and 1e-3": _normal(1e6, 1e-3),
    "signs": _normal(0.0, 1.0),
    "2**1000": _normal(0.0, 2.0**1000),
    "denormals": lambda n, rng: around(rng.integers(-9, 9, n) * np.float64(5e-324)),
    "signed zeros": lambda n, rng: around(rng.choice([0.0, -0.0], n)),
    "infinities": lambda n, rng: _sprinkled(_walk()(n, rng), rng, np.array([inf, -inf]), 0.02),
    "infinities and gaps": lambda n, rng: _sprinkled(
        _holes(_walk()(n, rng), rng), rng, np.array([inf, -inf, nan]), 0.02
    ),
    "NaN payloads": lambda n, rng: _sprinkled(_walk()(n, rng), rng, PAYLOADS),
    "1e-8": _walk(1e-8),
    "1e9": _walk(1e9),
    "all magnitudes": lambda n, rng: around(rng.normal(size=n) * 10.0 ** rng.uniform(-300, 300, n)),
}


def parameters(spec: ic.IndicatorSpec) -> st.SearchStrategy[tuple[Value, ...]]:
    """Every parameter within its range, short periods above all."""

    def values(parameter: ic.spec.Parameter) -> st.SearchStrategy[Value]:
        if parameter.optional:
            return st.none() | values(parameter._replace(optional=False, default=parameter.min))
        if parameter.kind == "choice":
            return st.sampled_from(parameter.options)
        if parameter.kind == "flag":
            return st.booleans()
        if parameter.kind == "float":
            usual = st.sampled_from([parameter.default, parameter.min, parameter.max])
            return usual | st.floats(parameter.min, parameter.max)
        low, high = int(parameter.min), int(parameter.max)
        edges = st.sampled_from([period for period in PERIODS if low <= period <= high])
        return st.integers(low, min(high, 40)) | edges

    def allowed(params: tuple[Value, ...]) -> bool:
        return all(rule.holds(*params) for rule in spec.rules)

    return st.tuples(*map(values, spec.parameters)).filter(allowed)


_VALUES = st.sampled_from(SPECIAL) | st.floats()


@st.composite
def explicit_columns(draw: st.DrawFn, spec: ic.IndicatorSpec) -> list[Array]:
    """A few bars of any numbers at all."""
    row = st.tuples(*(_VALUES for _ in spec.inputs))
    rows = draw(st.lists(row, max_size=24))
    table = np.array(rows, np.float64).reshape(len(rows), len(spec.inputs))
    return [table[:, place].copy() for place in range(len(spec.inputs))]


@st.composite
def generated_columns(draw: st.DrawFn, spec: ic.IndicatorSpec) -> list[Array]:
    """Many bars of some kind, with a few numbers put in by hand."""
    kind = draw(st.sampled_from(tuple(KINDS)))
    count = draw(st.integers(0, 60) | st.sampled_from(EDGES))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 20)))
    with np.errstate(all="ignore"):
        bars = KINDS[kind](count, rng)
    columns = [column.astype(np.float64) for column in columns_of(spec, bars)]
    if count:
        place = st.tuples(
            st.integers(0, count - 1), st.integers(0, len(columns) - 1), st.sampled_from(SPECIAL)
        )
        for bar, column, value in draw(st.lists(place, max_size=4)):
            columns[column][bar] = value
    return columns


@st.composite
def cuttings(draw: st.DrawFn, bars: int) -> list[int]:
    """Where to cut: anywhere, at the edges of blocks, bar by bar for a while."""
    edges = [edge for edge in (0, *EDGES) if edge <= bars]
    cuts = draw(st.lists(st.integers(0, bars) | st.sampled_from(edges), max_size=6))
    if draw(st.booleans()):
        begin = draw(st.integers(0, bars))
        cuts += range(begin, min(begin + draw(st.integers(1, 20)), bars + 1))
    return sorted(cuts)


@st.composite
def cases(draw: st.DrawFn, spec: ic.IndicatorSpec) -> Case:
    """Whatever a law may be tried on."""
    params = draw(parameters(spec))
    columns = draw(explicit_columns(spec) | generated_columns(spec))
    return Case(params, columns, draw(cuttings(len(columns[0]))), draw(st.integers(0, 1 << 20)))
