"""Bars to test with: random ones, and all that has ever been hard for an indicator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

import indicator_cache as ic
from indicator_cache.spec import Value

Array: TypeAlias = npt.NDArray[np.float64]
Bars: TypeAlias = dict[str, Array]
Params: TypeAlias = dict[str, Value]

FIELDS = ("open", "high", "low", "close", "volume")

#: The one NaN that leaves the package.
NAN_BITS = 0x7FF8_0000_0000_0000


def around(close: Array, seed: int = 0) -> Bars:
    """Whole bars around closing prices; every high is the highest, every low the lowest."""
    rng = np.random.default_rng(seed)
    before = np.concatenate([close[:1], close[:-1]])
    spread = 0.003 * np.abs(close) * rng.random((2, len(close)))
    return {
        "open": before,
        "high": np.maximum(before, close) + spread[0],
        "low": np.minimum(before, close) - spread[1],
        "close": close,
        "volume": rng.integers(0, 1000, len(close)).astype(np.float64),
    }


def walk(bars: int, seed: int = 0, *, start: float = 100.0, step: float = 0.01) -> Bars:
    """A geometric random walk."""
    moves = np.random.default_rng(seed).normal(0.0, step, bars)
    return around(start * np.exp(np.cumsum(moves)), seed)


def missing(bars: Bars, where: npt.NDArray[np.bool_] | slice) -> Bars:
    """The same with some bars missing: NaN in every column."""
    holes = {name: column.copy() for name, column in bars.items()}
    for column in holes.values():
        column[where] = np.nan
    return holes


def with_gaps(bars: int, seed: int = 0) -> Bars:
    """A walk with missing bars at the start, alone and in runs in the middle, and at the end."""
    rng = np.random.default_rng(seed)
    holes = rng.random(bars) < 0.03
    for begin in rng.integers(0, bars, 4):
        holes[begin : begin + rng.integers(2, 40)] = True
    holes[:17] = True
    holes[-9:] = True
    return missing(walk(bars, seed), holes)


def with_partial_gaps(bars: int, seed: int = 0) -> Bars:
    """A walk whose fields are missing each on its own."""
    rng = np.random.default_rng(seed)
    return {
        name: np.where(rng.random(bars) < 0.08, np.nan, column)
        for name, column in walk(bars, seed).items()
    }


def _spiked(spikes: Iterable[float]) -> Bars:
    close = walk(700, 3)["close"]
    for bar, spike in enumerate(spikes):
        close[40 + 97 * bar] = spike
    return around(close)


def outside_bars(bars: int) -> Bars:
    """Bars on a coarse grid: highs rise as much as lows fall, closes are equal, and so on."""
    rng = np.random.default_rng(4)
    close = 100.0 + rng.integers(-2, 3, bars).astype(np.float64)
    up, down = rng.integers(0, 3, (2, bars))
    return around(close) | {"high": close + up, "low": close - down}


def _noise(scale: float, level: float = 0.0) -> Bars:
    return around(level + scale * np.random.default_rng(5).normal(size=700))


def _nan_payloads() -> Bars:
    patterns = np.array(
        [0x7FF8 << 48, 0xFFF8 << 48, 0x7FF0_0000_0000_0001, 0xFFF0 << 48 | 7, 0x7FF8_DEAD << 32],
        np.uint64,
    ).view(np.float64)
    rng = np.random.default_rng(6)
    return {
        name: np.where(rng.random(700) < 0.2, rng.choice(patterns, 700), column)
        for name, column in walk(700, 6).items()
    }


def hard_data() -> Iterator[tuple[str, Bars]]:
    """Every fixed data set, by name."""
    rng = np.random.default_rng(7)
    inf = np.inf
    for bars in (0, 1, 2, 3, 8, 9):
        yield f"{bars} bars", walk(bars)
    yield "walk", walk(1100)
    yield "gaps", with_gaps(1100)
    yield "partial gaps", with_partial_gaps(700)
    yield "one missing bar", missing(walk(60), slice(30, 31))
    yield "nothing but gaps", missing(walk(60), slice(None))
    yield "starts late", missing(walk(700), slice(600))
    yield "ends early", missing(walk(700), slice(100, None))
    yield "constant", around(np.full(300, 0.1)) | {"high": np.full(300, 0.1)}
    yield "flat", {name: np.full(300, 0.1) for name in FIELDS}
    yield "flat with gaps", missing(dict.fromkeys(FIELDS, np.full(300, 0.1)), rng.random(300) < 0.2)
    yield "becomes flat", around(np.concatenate([walk(100)["close"], np.full(400, 97.3)]))
    yield "steps", around(np.repeat(rng.integers(90, 110, 70), 10).astype(np.float64))
    yield "outside bars", outside_bars(700)
    yield "spikes", _spiked([1e12, 1e-12, -1e12, 1e12])
    yield "level", _noise(1e-3, 1e6)
    yield "1e-8", walk(700, 8, start=1e-8)
    yield "1e9", walk(700, 9, start=1e9)
    yield "denormal", around(rng.integers(-9, 9, 700) * np.float64(5e-324))
    yield "signed zeros", around(rng.choice([0.0, -0.0], 300))
    yield "signs", _noise(1.0)
    yield "infinities", _spiked([inf, -inf, inf, inf, -inf])
    infinite = {
        name: np.where(rng.random(700) < 0.02, rng.choice([inf, -inf], 700), column)
        for name, column in with_gaps(700).items()
    }
    yield "infinite columns", infinite
    yield "huge", around(rng.choice([1.0, -1.0], 700) * 1.7e308 * rng.random(700))
    yield "around 2**1000", _noise(2.0**1000)
    yield "all magnitudes", around(rng.normal(size=700) * 10.0 ** rng.uniform(-300, 300, 700))
    yield "NaN payloads", _nan_payloads()


HARD_DATA = dict(hard_data())

_PERIODS = (1, 2, 3, 7, 8, 14, 20, 64, 100, 513, 5000)


class Case(NamedTuple):
    """An indicator with parameters."""

    name: str
    params: Params


def other_value(parameter: ic.spec.Parameter, turn: int) -> Value:
    """A word, a flag or nothing, where that is what the parameter may be; else a number."""
    if parameter.optional and turn % 2 == 0:
        return None
    if parameter.kind == "choice":
        return parameter.options[turn % len(parameter.options)]
    if parameter.kind == "flag":
        return turn % 2 == 0
    return parameter.min if parameter.default is None else parameter.default


def obeying(spec: ic.IndicatorSpec, params: Params) -> Params:
    """The same, with floats that break a rule replaced by their defaults."""
    if all(rule.holds(*params.values()) for rule in spec.rules):
        return params
    usual = {p.name: p.default for p in spec.parameters if p.kind == "float"}
    return params | usual


def parameter_sets(spec: ic.IndicatorSpec) -> Iterator[Params]:
    """Parameters to try with an indicator, read off its declaration."""
    yield {}
    if not spec.parameters:
        return
    for turn in range(len(_PERIODS)):
        params: Params = {}
        for place, parameter in enumerate(spec.parameters):
            other = other_value(parameter, turn)
            if isinstance(other, (bool, str)) or other is None:
                params[parameter.name] = other
            elif parameter.kind == "integer":
                value = _PERIODS[(turn + 2 * place) % len(_PERIODS)]
                params[parameter.name] = max(value, int(parameter.min))
            else:
                choices = (other, parameter.min, 0.1, parameter.max)
                params[parameter.name] = float(np.clip(choices[turn % 4], *parameter[2:4]))
        yield obeying(spec, params)


def columns_of(spec: ic.IndicatorSpec, bars: Bars, source: str = "close") -> list[Array]:
    """The columns that an indicator reads."""
    return [bars[source if name == "x" else name] for name in spec.inputs]


def as_columns(result: object) -> dict[str, Array]:
    """The outputs of an indicator by name, however many there are."""
    if isinstance(result, tuple):
        return dict(zip(result._fields, result, strict=True))  # type: ignore[attr-defined]
    assert isinstance(result, np.ndarray)
    return {"": result}


def compute(name: str, bars: Bars, params: Params | None = None) -> dict[str, Array]:
    """The outputs of an indicator over bars, with the backend in use."""
    columns = columns_of(ic.catalog()[name], bars)
    return as_columns(getattr(ic, name)(*columns, **(params or {})))


def bits(columns: dict[str, Array]) -> dict[str, bytes]:
    """What equality means here."""
    return {name: column.tobytes() for name, column in columns.items()}
