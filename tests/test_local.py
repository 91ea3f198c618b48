"""Indicators on the last bars up to some bar, as if there were no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import indicator_cache as ic

from .bars import as_columns, columns_of, with_gaps

BARS = with_gaps(900, 3)


@pytest.fixture
def cache() -> ic.IndicatorCache:
    return ic.IndicatorCache({"M1": {"bid": BARS}})


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("name", ic.catalog())
@pytest.mark.parametrize(
    ("idx", "lookback", "window"),
    [
        (0, 400, slice(0, 1)),
        (600, 400, slice(201, 601)),
        (-1, 30, slice(870, 900)),
        (5000, 30, slice(870, 900)),
        (100, 400, slice(0, 101)),
        (-901, 400, slice(0, 0)),
    ],
)
def test_a_window_is_all_there_is(
    cache: ic.IndicatorCache, name: str, idx: int, lookback: int, window: slice
) -> None:
    given = as_columns(cache.local("M1", "bid", name, idx, lookback=lookback))
    columns = [column[window] for column in columns_of(ic.catalog()[name], BARS)]
    expected = as_columns(getattr(ic, name)(*columns))
    assert {o: c.tobytes() for o, c in given.items()} == {
        o: c.tobytes() for o, c in expected.items()
    }


def test_short_names(cache: ic.IndicatorCache) -> None:
    volatility = cache.garch_volatility_local("M1", "bid", 700, 300, alpha=0.05, source="high")
    expected = ic.garch_volatility(BARS["high"][401:701], alpha=0.05)
    assert volatility.tobytes() == expected.tobytes()
    present = int(np.flatnonzero(~np.isnan(BARS["close"]))[-1])
    score = cache.kalman_garch_zscore_local("M1", "bid", present, 300)
    last = ic.kalman_garch_zscore(BARS["close"][present - 299 : present + 1])[-1]
    assert score == last
    # A missing bar, two that do not exist, and too few bars.
    for idx, lookback in ((-1, 400), (900, 400), (-901, 400), (present, 20)):
        assert cache.kalman_garch_zscore_local("M1", "bid", idx, lookback) is None


def test_the_stepwise_score_is_that_of_the_view() -> None:
    steps = np.arange(900) % 5 == 0
    cache = ic.IndicatorCache({"M5": {"bid": BARS | {"new_bar": steps}}})
    view = cache.view("M5", "bid", stepwise=True)
    expected = view.kalman_zscore("close", 20, 4.0, 0.5)
    assert cache.kalman_zscore_stepwise("M5", "bid", "close", 20, 4.0, 0.5) is expected
    last = cache.kalman_zscore_stepwise("M5", "bid", window=20, R=4.0, Q=0.5, i=703)
    np.testing.assert_equal(last, expected[703])
    assert not np.array_equal(expected, cache.kalman_zscore("M5", "bid", "close", 20, 4.0, 0.5))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"idx": 1.0}, "idx must be a whole number, got 1.0"),
        ({"lookback": 0}, "lookback must be a whole number from 1 on, got 0"),
        ({"lookback": True}, "lookback must be a whole number from 1 on, got True"),
        ({"name": "vwap"}, "indicator must be one of"),
        ({"beta": 0.99}, "beta must be such that alpha"),
        ({"source": "typical"}, "source must be one of open"),
        ({"name": "atr", "source": "high"}, "source must be left out"),
    ],
)
def test_refused(cache: ic.IndicatorCache, given: dict[str, Any], message: str) -> None:
    call: dict[str, Any] = {"name": "garch_volatility", "idx": 5} | given
    with pytest.raises(ic.ParameterError) as caught:
        cache.local("M1", "bid", **call)
    assert str(caught.value).startswith(message)
