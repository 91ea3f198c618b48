"""Values and missing values against the definitions, written in pandas, on every backend.

Values agree within 1e-9 of their size. Where a result is a small difference of large numbers its
size is not the measure: errors below 1e-12 of the scale are accepted as well. The scale is 100
for percentages, 1000 for distances in deviations, the largest input for everything in the unit of
the input. Missing values are at exactly the same bars.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
import pytest

import indicator_cache as ic

from . import oracles
from .bars import (
    HARD_DATA,
    Array,
    Bars,
    Params,
    around,
    as_columns,
    columns_of,
    compute,
    missing,
    walk,
    with_gaps,
    with_partial_gaps,
)

PERIODS = (1, 2, 3, 14, 20, 100, 900)

PERCENTAGES = {"rsi", "roc", "dmi", "choppiness"}

SCORES = {"zscore", "residual_zscore", "kalman_zscore", "kalman_garch_zscore"}

DATA = {
    "walk": walk(700, 1),
    "another walk": walk(700, 2, step=0.05),
    "gaps": with_gaps(700, 3),
    "more gaps": with_gaps(700, 4),
    "partial gaps": with_partial_gaps(700, 5),
    "hole": missing(walk(300, 6), slice(100, 200)),
    "starts late": missing(walk(300, 7), slice(250)),
    "ends early": missing(walk(300, 8), slice(50, None)),
    "nothing but gaps": missing(walk(50), slice(None)),
    "no bars": walk(0),
    "one bar": walk(1),
    "two bars": walk(2),
    "1e-8": walk(700, 9, start=1e-8),
    "1e9": walk(700, 10, start=1e9),
    "becomes flat": around(np.concatenate([walk(100)["close"], np.full(200, 97.3)])),
    "steps": HARD_DATA["steps"],
    "outside bars": HARD_DATA["outside bars"],
    "signs": HARD_DATA["signs"],
    "one spike": around(np.where(np.arange(300) == 150, 1e6, walk(300, 12)["close"])),
    "flat": HARD_DATA["flat"],
    "flat with gaps": HARD_DATA["flat with gaps"],
}

#: Where the deviation in pandas' sliding windows is good to nine digits.
SMOOTH = {"walk", "another walk", "1e-8", "1e9", "no bars", "one bar", "two bars"}


def check(given: Array, expected: Array, scale: float) -> None:
    assert given.dtype == np.float64
    assert np.isnan(given).tolist() == np.isnan(expected).tolist()
    np.testing.assert_allclose(given, expected, rtol=1e-9, atol=1e-12 * scale)


def scale_of(name: str, columns: list[Array]) -> float:
    if name in PERCENTAGES:
        return 100.0
    if name in SCORES:
        return 1000.0
    return max((float(np.nanmax(np.abs(c), initial=0.0)) for c in columns), default=0.0)


def check_against(name: str, bars: Bars, params: Params) -> None:
    columns = columns_of(ic.catalog()[name], bars)
    expected = oracles.ORACLES[name](*map(pd.Series, columns), **params)
    for given, column in zip(compute(name, bars, params).values(), expected, strict=True):
        check(given, np.asarray(column, np.float64), scale_of(name, columns))


def test_every_indicator_has_an_oracle() -> None:
    assert set(oracles.ORACLES) == set(ic.catalog())


def _garch(period: int) -> Params:
    return {"alpha": 1 / (period + 10), "omega": 1e-5, "use_log_returns": period % 2 == 0}


#: What is tried beside whole numbers that are the period, and defaults for the rest.
CHANGES: dict[str, Callable[[int], Params]] = {
    "macd": lambda period: {"slow": 2 * period + 1, "signal": (period + 3) // 2},
    "bollinger": lambda _: {"std_factor": 2.5},
    # From a gain near one to one near zero, and to the plain mean of all.
    "kalman_mean": lambda period: {"R": float(period**2), "Q": 0.5 if period < 900 else 0.0},
    "kalman_zscore": lambda _: {"R": 100.0, "Q": 0.5},
    "residual_zscore": lambda period: {"mean_source": "ema" if period % 3 else "rolling"},
    "garch_volatility": _garch,
    "kalman_garch_zscore": _garch,
}


def params_of(name: str, period: int) -> Params:
    params: Params = {
        p.name: max(period, int(p.min)) if p.kind == "integer" and not p.optional else p.default
        for p in ic.catalog()[name].parameters
    }
    return params | CHANGES[name](period) if name in CHANGES else params


#: Those with a sum over a window, in pandas a running one.
WINDOWS = ["sma", "bollinger"]


#: Data on which the distances from a mean become so equal that all their deviation is made of is
#: rounding, there as here. What is right then is for test_accuracy to tell.
FLATTENING = {
    (name, data)
    for name in ("residual_zscore", "kalman_zscore")
    for data in ("becomes flat", "steps")
}


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    ("name", "data"),
    sorted(set(product(set(oracles.ORACLES) - set(WINDOWS), DATA)) - FLATTENING),
)
def test_formula(name: str, data: str) -> None:
    for period in PERIODS:
        check_against(name, DATA[data], params_of(name, period))
    spec = ic.catalog()[name]
    check_against(name, DATA[data], {p.name: p.default for p in spec.parameters})


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("data", sorted(SMOOTH))
@pytest.mark.parametrize("name", WINDOWS)
def test_formula_of_windows(name: str, data: str) -> None:
    for period in PERIODS:
        check_against(name, DATA[data], params_of(name, period))


MAGNITUDES = around(10.0 ** np.random.default_rng(13).uniform(-100, 100, 500))


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("data", [*DATA, "level", "spikes", "magnitudes"])
@pytest.mark.parametrize("period", [1, 2, 3, 20, 100])
def test_windows_one_by_one(data: str, period: int) -> None:
    """Against each window on its own, where running sums are not good enough to compare with.

    With a large factor the bands are the deviation, so that it is seen next to any level. What is
    allowed beside 1e-9 is the effect of a change in the inputs' last bits.
    """
    factor = 1e6
    bars = (DATA | HARD_DATA | {"magnitudes": MAGNITUDES})[data]
    mean, std = oracles.rolling_two_pass(bars["close"], period)
    bands = compute("bollinger", bars, {"period": period, "std_factor": factor})
    (sma,) = compute("sma", bars, {"period": period}).values()
    assert bands["middle"].tobytes() == sma.tobytes()
    last_bits = 1e-15 * pd.Series(np.abs(bars["close"])).rolling(period).max().to_numpy()
    assert_within(sma, mean, last_bits)
    width = bands["upper"] / 2 - bands["lower"] / 2
    assert np.isnan(bands["upper"]).tolist() == np.isnan(bands["lower"]).tolist()
    assert_within(width, factor * std, factor * (1e-9 * std + last_bits))


def assert_within(given: Array, expected: Array, bound: Array) -> None:
    assert np.isnan(given).tolist() == np.isnan(expected).tolist()
    present = ~np.isnan(expected)
    assert (np.abs(given - expected)[present] <= bound[present]).all()


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("data", DATA)
def test_ewm_by_its_definition(data: str) -> None:
    """A plain loop for every smoothing factor, the one that pandas treats differently too."""
    x = DATA[data]["close"]
    for period in (*PERIODS, 7, 50):
        (given,) = compute("ema", DATA[data], {"period": period}).values()
        check(given, oracles.ewm_loop(x, 2 / (period + 1)), scale_of("ema", [x]))


@pytest.mark.usefixtures("backend")
def test_deviation_from_pandas_at_one_half() -> None:
    """After a gap pandas weighs alpha = 0.5, and no other, as if times were irregular."""
    x = np.array([1.0, 2.0, np.nan, np.nan, 7.0, 8.0])
    weight = 0.5**3
    after = (weight * 1.5 + 0.5 * 7) / (weight + 0.5)
    expected = [1.0, 1.5, 1.5, 1.5, after, (after + 8) / 2]
    np.testing.assert_allclose(ic.ema(x, 3), expected, rtol=1e-15)
    pandas = pd.Series(x).ewm(alpha=0.5, adjust=False).mean().to_numpy()
    assert abs(pandas[4] - after) > 0.1


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("name", [n for n, s in ic.catalog().items() if s.window is not None])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_outside_the_window_nothing_matters(name: str, value: float) -> None:
    """A bad value that has left the window has left no trace."""
    clean, spoilt = walk(400, 1), walk(400, 1)
    for column in spoilt.values():
        column[100] = value
    after = {o: c[300:].tobytes() for o, c in compute(name, clean).items()}
    assert {o: c[300:].tobytes() for o, c in compute(name, spoilt).items()} == after


@pytest.mark.usefixtures("backend")
def test_known_values() -> None:
    """A few results that can be checked by hand."""
    x = np.array([1.0, 2.0, 4.0, 3.0])
    assert ic.sma(x, 2).tolist()[1:] == [1.5, 3.0, 3.5]
    assert ic.ema(x, 1).tolist() == x.tolist()
    assert ic.ema(x, 3).tolist() == [1.0, 1.5, 2.75, 2.875]
    assert ic.roc(x, 1).tolist()[1:] == [100.0, 100.0, -25.0]
    assert ic.roc(np.array([0.0, 1.0, 0.0, 0.0]), 1).tolist()[1:3] == [np.inf, -100.0]
    assert np.isnan(ic.roc(np.zeros(3), 1)).all()
    assert ic.rsi(x[:3], 14).tolist()[1:] == [100.0, 100.0]
    assert ic.rsi(-x[:3], 14).tolist()[1:] == [0.0, 0.0]
    assert np.isnan(ic.rsi(np.ones(9), 3)).all()
    high, low, close = x + 1, x - 1, np.array([1.0, np.nan, 4.0, 3.0])
    assert ic.true_range(high, low, close).tolist() == [2.0, 2.0, 2.0, 2.0]
    assert ic.true_range(high, low, x + 3).tolist() == [2.0, 3.0, 2.0, 5.0]
    assert ic.atr(high, low, x + 3, 2).tolist()[1:] == [2.5, 2.25, 3.625]


def test_columns_by_name() -> None:
    """Results have the names that the catalog gives them."""
    for name, spec in ic.catalog().items():
        names = [output.name for output in spec.outputs]
        assert list(as_columns(compute_default(name))) == (names if len(names) > 1 else [""])


def compute_default(name: str) -> object:
    return getattr(ic, name)(*columns_of(ic.catalog()[name], walk(50)))
