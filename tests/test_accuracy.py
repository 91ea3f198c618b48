"""How far results are from exact arithmetic: never farther than declared, and declared honestly.

Measured on one backend; the others have the same bits, which other tests check.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import numpy as np
import pytest

import indicator_cache as ic

from . import exact
from .bars import (
    Array,
    Bars,
    Params,
    around,
    as_columns,
    columns_of,
    missing,
    obeying,
    other_value,
    walk,
    with_gaps,
    with_partial_gaps,
)

PERIODS = (1, 2, 3, 14, 20, 100, 1000)

#: Indicators that depend on the first bars for ever, and so does a Kalman filter without steps.
UNFORGETTING = {"garch_volatility", "kalman_garch_zscore"}

#: A bound may be so many times the largest error that was measured.
GENEROUS = 100

BARS = 1500


def spiked(seed: int, *spikes: float, bars: int = BARS) -> Bars:
    """A walk with outliers, 113 bars apart so that no two are at the same place in a block."""
    close = walk(bars, seed)["close"]
    for begin in range(40, bars - 8, 113):
        close[begin : begin + len(spikes)] = spikes
    return around(close)


def hard_data() -> Iterator[tuple[str, Bars]]:
    rng = np.random.default_rng(11)
    noise = rng.normal(size=BARS)
    yield "walk", walk(BARS, 1)
    yield "level 1e6, deviation 1e-3", around(1e6 + 1e-3 * noise)
    yield "spikes of 1e12", spiked(2, 1e12)
    yield "spikes of two bars", spiked(3, 1e12, 2e12)
    yield "denormals", around(rng.integers(-9, 9, BARS) * np.float64(5e-324))
    yield "smallest normals", walk(BARS, 4, start=3e-308)
    yield "1e-8", walk(BARS, 5, start=1e-8)
    yield "1e9", walk(BARS, 6, start=1e9)
    yield "gaps", with_gaps(BARS, 7)
    yield "partial gaps", with_partial_gaps(BARS, 8)
    yield "long gap", missing(walk(BARS, 9), slice(300, 900))
    yield "mixed signs", around(noise)
    magnitudes: Array = np.power(10.0, rng.uniform(-100, 100, BARS))
    yield "all magnitudes", around(np.multiply(noise, magnitudes))
    yield "steps", around(np.repeat(rng.integers(90, 110, BARS // 10), 10).astype(np.float64))
    yield "becomes flat", around(np.concatenate([walk(100)["close"], np.full(BARS - 100, 97.3)]))
    yield "trend", around(np.linspace(100.0, 115.0, BARS))


HARD_DATA = dict(hard_data())


def _is_period(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def parameter_sets(spec: ic.IndicatorSpec) -> Iterator[Params]:
    """Each period in each place."""
    for turn in range(len(PERIODS) if spec.parameters else 1):
        params: Params = {}
        for place, parameter in enumerate(spec.parameters):
            other = other_value(parameter, turn)
            if isinstance(other, (bool, str)) or other is None:
                params[parameter.name] = other
            elif parameter.kind == "integer":
                period = PERIODS[(turn + 2 * place) % len(PERIODS)]
                params[parameter.name] = max(period, int(parameter.min))
            else:
                choices = (other, parameter.min, parameter.max)
                params[parameter.name] = choices[turn % 3]
        yield obeying(spec, params)


def oracle_of(name: str) -> exact.Oracle:
    if name not in exact.ORACLES:
        file = Path(exact.__file__).name
        pytest.fail(f"{name} has no exact oracle: write one in tests/{file}", pytrace=False)
    return exact.ORACLES[name]


def measure(
    spec: ic.IndicatorSpec,
    bars: Bars,
    params: Params,
    *,
    remembered: int | None = None,
    last: int | None = None,
) -> dict[str, float]:
    """The largest error of each output, over the last bars or all.

    With `remembered`, the oracle sees that many bars at the end: all that is left to the others is
    too little to matter.
    """
    columns = columns_of(spec, bars)
    with ic.use_backend("native"):
        results = as_columns(getattr(ic, spec.name)(*columns, **params)).values()
    seen = slice(None if remembered is None else -remembered, None)
    expected = oracle_of(spec.name)(*(exact.column(x[seen]) for x in columns), **params)
    end = slice(None if last is None else -last, None)
    return {
        output.name: max(
            exact.errors(result[seen][end], exact.Exact(values[end], magnitudes[end])), default=0.0
        )
        for output, result, (values, magnitudes) in zip(
            spec.outputs, results, expected, strict=True
        )
    }


every_indicator = pytest.mark.parametrize("name", ic.catalog())


@every_indicator
def test_declared_bounds_hold_and_are_not_generous(name: str) -> None:
    spec = ic.catalog()[name]
    bounds = {output.name: output.accuracy.ulps for output in spec.outputs}
    largest = dict.fromkeys(bounds, 0.0)
    for data, bars in HARD_DATA.items():
        for params in parameter_sets(spec):
            for output, error in measure(spec, bars, params).items():
                assert error <= bounds[output], (output, data, params)
                largest[output] = max(largest[output], error)
    for output, error in largest.items():
        assert bounds[output] <= GENEROUS * error, (output, error)


@every_indicator
def test_longest_memory(name: str) -> None:
    """Where errors have the most bars to add up."""
    spec = ic.catalog()[name]
    bounds = {output.name: output.accuracy.ulps for output in spec.outputs}
    params: Params = {
        p.name: p.default
        if p.optional or p.kind not in {"integer", "float"} or p.max < 10_000
        else 10_000.0
        if p.kind == "float"
        else 10_000
        for p in spec.parameters
    }
    bars = spiked(12, 1e12, bars=40_000)
    for output, error in measure(spec, bars, params, last=100).items():
        assert error <= bounds[output], output


@pytest.fixture(scope="module")
def ten_million_bars() -> Bars:
    return walk(10_000_000, 13, step=1e-4)


@every_indicator
def test_after_ten_million_bars(name: str, ten_million_bars: Bars) -> None:
    """The last values are as accurate as the first ones."""
    spec = ic.catalog()[name]
    for params in parameter_sets(spec):
        periods = [value for value in params.values() if _is_period(value)]
        # After 75 periods a Wilder average has forgotten all but 2**-108.
        remembered = 75 * sum(periods) + 1000
        if remembered > 5_000 or name in UNFORGETTING or params.get("Q") == 0.0:
            continue
        first = {column: x[:3_000] for column, x in ten_million_bars.items()}
        at_first = measure(spec, first, params, last=500)
        at_last = measure(spec, ten_million_bars, params, remembered=remembered, last=500)
        for output, error in at_last.items():
            assert error <= 2 * at_first[output] + 0.1, (output, params)
