"""Missing bars by choice in the cache: keys, live bars, steps, tables; and what quality tells."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import indicator_cache as ic
from indicator_cache import Quality
from indicator_cache._missing import POLICIES, MissingPolicy
from indicator_cache.spec import Value

from .bars import Array, Bars, around, as_columns, bits, columns_of, walk, with_gaps
from .bars import missing as without
from .strategies import Case, cases
from .test_missing import named, short

NAMES = tuple(ic.catalog())
nan = np.nan

every_indicator = pytest.mark.parametrize("name", NAMES)
every_backend = pytest.mark.usefixtures("backend")
#: Those that have results where bars are missing.
every_policy = pytest.mark.parametrize("policy", ["default", "propagate", "skip"])

BARS = with_gaps(300, 3)


def of(bars: Bars | dict[str, Any], **options: Any) -> ic.IndicatorCache:  # noqa: ANN401
    return ic.IndicatorCache({"M1": {"bid": bars}}, **options)


# --- the same results as of the functions, by every way of asking ---


@every_backend
@every_policy
@every_indicator
def test_by_call_and_by_default(name: str, policy: MissingPolicy) -> None:
    spec = ic.catalog()[name]
    expected = bits(as_columns(getattr(ic, name)(*columns_of(spec, BARS), missing=policy)))
    plain, chosen = of(BARS), of(BARS, missing=policy)
    found = [
        getattr(plain, name)("M1", "bid", missing=policy),
        getattr(plain.view("M1", "bid"), name)(missing=policy),
        getattr(plain.view("M1", "bid", missing=policy), name)(),
        plain.get("M1", "bid", name, missing=policy),
        plain.view("M1", "bid").get(name, missing=policy),
        plain.view("M1", "bid", missing=policy).get(name),
        plain.local("M1", "bid", name, -1, lookback=300, missing=policy),
        getattr(chosen, name)("M1", "bid"),
        chosen.view("M1", "bid").get(name),
        chosen.local("M1", "bid", name, -1, lookback=300),
    ]
    assert all(bits(as_columns(result)) == expected for result in found)
    assert all(result is found[0] for result in found[:6])
    last = getattr(plain, name)("M1", "bid", i=150, missing=policy)
    values = last if isinstance(last, tuple) else (last,)
    np.testing.assert_equal(values, [column[150] for column in as_columns(found[0]).values()])


def test_the_policy_is_part_of_the_key() -> None:
    cache = of(BARS)
    results = {policy: cache.ema("M1", "bid", missing=policy) for policy in POLICIES[:3]}
    assert len({result.tobytes() for result in results.values()}) == 3
    assert cache.stats().misses == 3
    for policy, result in results.items():
        assert cache.ema("M1", "bid", missing=policy) is result
    assert cache.ema("M1", "bid") is results["default"]
    assert cache.stats()[:2] == (4, 3)
    skipping = of(BARS, missing="skip")
    assert skipping.ema("M1", "bid") is skipping.ema("M1", "bid", missing="skip")
    assert skipping.ema("M1", "bid", missing="default").tobytes() == results["default"].tobytes()
    assert skipping.ema("M1", "bid").tobytes() == results["skip"].tobytes()


def test_a_view_goes_before_the_cache_and_a_call_before_both() -> None:
    view = of(BARS, missing="raise").view("M1", "bid", missing="skip")
    assert view.ema().tobytes() == ic.ema(BARS["close"], missing="skip").tobytes()
    default = view.ema(missing="default")
    assert default.tobytes() == ic.ema(BARS["close"]).tobytes()
    with pytest.raises(ic.MissingBarError):
        view.ema(missing="raise")


@every_policy
def test_tables_and_prefetch(policy: MissingPolicy) -> None:
    cache = of(BARS)
    wanted = ["ema:5", "bollinger:5,2", "atr:5"]
    cache.prefetch(wanted, threads=2, missing=policy)
    misses = cache.stats().misses
    table = cache.table("M1", "bid", wanted, missing=policy)
    assert cache.stats().misses == misses == 3
    assert table["ema_5"].tobytes() == ic.ema(BARS["close"], 5, missing=policy).tobytes()
    other = of(BARS, missing=policy)
    other.prefetch(wanted, threads=1)
    for name, column in other.table("M1", "bid", wanted).columns.items():
        assert column.tobytes() == table[name].tobytes()


def test_valid_false_is_missing() -> None:
    close, valid = np.arange(1.0, 7.0), np.array([1, 1, 0, 1, 1, 1], bool)
    result = of({"close": close, "valid": valid}).sma("M1", "bid", "close", 2, missing="skip")
    assert result.tobytes() == np.array([nan, 1.5, nan, 3.0, 4.5, 5.5]).tobytes()


def test_only_columns_that_are_read_matter() -> None:
    bars = {"high": [2.0, nan], "low": [1.0, 1.0], "close": [1.5, 1.5]}
    cache = of(bars, missing="raise")
    assert cache.ema("M1", "bid", i=1) == 1.5
    with pytest.raises(ic.MissingBarError, match=r"^M1 bid: bar 1 is missing: high is NaN, and"):
        cache.ema("M1", "bid", "high")
    with pytest.raises(ic.MissingBarError, match=r"^M1 bid: bar 1 is missing: high is NaN, and"):
        cache.true_range("M1", "bid")


def test_raise_names_series_bar_and_column() -> None:
    cache = of({"close": [1.0, 2.0, nan, 4.0, nan]})
    calls: list[Callable[[], object]] = [
        lambda: cache.ema("M1", "bid", missing="raise"),
        lambda: cache.ema("M1", "bid", i=0, missing="raise"),
        lambda: cache.local("M1", "bid", "ema", 3, lookback=3, missing="raise"),
        lambda: cache.table("M1", "bid", ["sma"], missing="raise"),
        lambda: cache.prefetch(["sma"], threads=2, missing="raise"),
        lambda: cache.quality("M1", "bid", "ema", missing="raise"),
    ]
    for call in calls:
        with pytest.raises(ic.MissingBarError) as caught:
            call()
        error = caught.value
        assert (error.position, error.columns, error.series) == (2, ("close",), "M1 bid")
    assert cache.local("M1", "bid", "ema", 1, missing="raise").tolist()[0] == 1.0


def test_local_short_names() -> None:
    cache = of(walk(300) | {"close": BARS["close"]})
    window = BARS["close"][101:201]
    volatility = cache.garch_volatility_local("M1", "bid", 200, 100, missing="skip")
    assert volatility.tobytes() == ic.garch_volatility(window, missing="skip").tobytes()
    score = ic.kalman_garch_zscore(window, missing="propagate")[-1]
    found = cache.kalman_garch_zscore_local("M1", "bid", 200, 100, missing="propagate")
    assert found == (score if np.isfinite(score) else None)


# --- steps ---


def stepped() -> dict[str, Any]:
    """Candles of five bars; some have no close, and some bars are missing."""
    close = np.repeat(walk(40)["close"], 5)
    close[50:55] = nan
    valid = np.arange(200) % 7 != 0
    return {
        "close": close,
        "open": np.repeat(walk(40, 1)["close"], 5),
        "timestamp": np.arange(200) // 5,
        "valid": valid,
    }


@every_backend
@every_policy
def test_stepwise(policy: MissingPolicy) -> None:
    bars = stepped()
    starts: list[int] = []
    at: list[int] = []
    for bar in range(200):
        new = not starts or bars["timestamp"][bar] != bars["timestamp"][starts[-1]]
        if bars["valid"][bar] and new:
            starts.append(bar)
        at.append(len(starts))
    cache = of(bars)
    thin = bars["close"][starts]
    for found, steps in (
        (cache.ema_stepwise("M1", "bid", "close", 3, missing=policy), ic.ema),
        (cache.view("M1", "bid", stepwise=True).sma("close", 3, missing=policy), ic.sma),
    ):
        result = np.append(nan, steps(thin, 3, missing=policy))[at]
        assert found.tobytes() == result.tobytes()
    bands = cache.bollinger_stepwise("M1", "bid", "close", 3, 2.0, missing=policy)
    score = cache.kalman_zscore_stepwise("M1", "bid", "close", 5, missing=policy)
    view = of(bars, missing=policy).view("M1", "bid", stepwise=True)
    assert bands.upper.tobytes() == view.bollinger("close", 3).upper.tobytes()
    assert score.tobytes() == view.kalman_zscore("close", 5).tobytes()
    quality = naive_quality("sma", {"period": 3}, [thin], policy)
    expected = np.append(Quality.WARM_UP, quality).astype(np.uint8)[at]
    found_quality = view.quality("sma", period=3)
    assert found_quality.tobytes() == expected.tobytes()


def test_stepwise_raise_tells_the_bar() -> None:
    cache = of(stepped())
    assert not np.isnan(cache.ema_stepwise("M1", "bid", "open", missing="raise")[1:]).any()
    with pytest.raises(ic.MissingBarError, match="bar 50 is missing: close is NaN"):
        cache.ema_stepwise("M1", "bid", missing="raise")
    with pytest.raises(ic.MissingBarError, match="bar 50 is missing: close is NaN"):
        cache.view("M1", "bid", stepwise=True).quality("ema", missing="raise")


# --- a cache that grows ---


@every_backend
@every_policy
@every_indicator
@given(data=st.data())
def test_grows_like_a_new_cache(name: str, policy: MissingPolicy, data: st.DataObject) -> None:
    spec = ic.catalog()[name]
    case: Case = data.draw(cases(spec))
    fields = ["close"] if spec.inputs == ("x",) else list(spec.inputs)
    params = named(spec, case.params)

    def part(begin: int, end: int) -> dict[str, Any]:
        return {f: c[begin:end] for f, c in zip(fields, case.columns, strict=True)}

    def everything(cache: ic.IndicatorCache) -> list[bytes]:
        result = as_columns(cache.get("M1", "bid", name, **params))
        quality = cache.quality("M1", "bid", name, **params)
        return [*bits(result).values(), quality.tobytes()]

    cuts = [0, *case.cuts[:4], case.bars]
    cache = of(part(0, cuts[1]), missing=policy)
    everything(cache)
    for begin, end in itertools.pairwise(cuts[1:]):
        more = {"M1": {"bid": part(begin, end)}}
        fresh = everything(of(part(0, end), missing=policy))
        if end - begin == 1:
            assert everything(cache.peek(more)) == fresh
        cache.append(more)
        misses = cache.stats().misses
        assert everything(cache) == fresh
        assert cache.stats().misses == misses


def test_a_gap_that_is_appended_is_told_when_somebody_asks() -> None:
    cache = of({"close": [1.0, 2.0]}, missing="raise")
    assert cache.ema("M1", "bid", "close", 3, i=-1) == 1.5
    assert cache.quality("M1", "bid", "ema").tolist() == [1, 1]
    forming = cache.peek({"M1": {"bid": {"close": nan}}})
    with pytest.raises(ic.MissingBarError, match="bar 2 is missing"):
        forming.ema("M1", "bid", "close", 3)
    assert cache.ema("M1", "bid", "close", 3, i=-1) == 1.5
    cache.append({"M1": {"bid": {"close": [nan, 4.0]}}})
    for ask in cache.ema, cache.sma:
        with pytest.raises(ic.MissingBarError, match="bar 2 is missing"):
            ask("M1", "bid", "close", 3)
    with pytest.raises(ic.MissingBarError, match="bar 2 is missing"):
        cache.quality("M1", "bid", "ema")
    assert len(cache) == 4
    assert cache.ema("M1", "bid", "close", 3, missing="skip", i=-1) == 2.75


def test_from_bars() -> None:
    minutes = np.datetime64("2024-01-02T09:00") + np.arange(240)
    bars = {"timestamp": minutes, "close": walk(240)["close"]}
    cache = ic.IndicatorCache.from_bars(bars, ["M1", "H1"], missing="raise")
    assert cache.ema("M1", "bid").tobytes() == ic.ema(bars["close"]).tobytes()
    with pytest.raises(ic.MissingBarError, match=r"^H1 bid: bar 0 is missing"):
        cache.ema("H1", "bid")
    hours = cache.view("H1", "bid", stepwise=True).ema()
    assert np.isnan(hours[:59]).all()
    assert not np.isnan(hours[60:]).any()


# --- quality ---


def naive_quality(
    name: str, params: dict[str, Any], columns: list[Array], policy: MissingPolicy
) -> list[Quality]:
    """Bar by bar, looking back at all bars before."""
    spec = ic.catalog()[name]
    first = max(spec.first_valid(**params).values())
    window = spec.window_of(*spec.normalise(params))
    valid = [not any(map(np.isnan, row)) for row in zip(*columns, strict=True)]
    out = []
    for bar, is_valid in enumerate(valid):
        begin = valid.index(True) if any(valid[: bar + 1]) else bar
        gaps = [at for at in range(begin, bar) if not valid[at]]
        if policy == "propagate":
            affected = any(bar - at <= first for at in gaps[-1:])
        else:
            affected = any(window is None or bar - at < window for at in gaps)
        taken = sum(valid[: bar + 1])
        if not is_valid or (affected and policy != "skip"):
            out.append(Quality.GAP_AFFECTED)
        elif taken <= first and (policy == "skip" or not gaps):
            out.append(Quality.WARM_UP)
        else:
            out.append(Quality.VALID)
    return out


@every_policy
@every_indicator
@given(data=st.data())
def test_quality_is_its_definition(name: str, policy: MissingPolicy, data: st.DataObject) -> None:
    spec = ic.catalog()[name]
    case: Case = data.draw(cases(spec))
    fields = ["close"] if spec.inputs == ("x",) else list(spec.inputs)
    columns = [column[:150] for column in case.columns]
    params = named(spec, case.params)
    cache = of(dict(zip(fields, columns, strict=True)))
    found = cache.quality("M1", "bid", name, missing=policy, **params)
    assert found.tolist() == naive_quality(name, params, columns, policy)


def rising() -> Bars:
    """Every bar moves, so that an indicator has a value wherever it can."""
    return around(walk(300)["close"] + 5.0 * np.arange(300), seed=1)


def gaps_of(bars: int) -> Any:  # noqa: ANN401 - a mask
    holes = np.random.default_rng(5).random(bars) < 0.02
    holes[:6] = holes[80] = holes[140:143] = True
    return holes


@every_backend
@every_indicator
@pytest.mark.parametrize("policy", ["propagate", "skip"])
def test_where_there_are_values(name: str, policy: MissingPolicy) -> None:
    """All outputs at valid bars, and never all of them elsewhere."""
    spec = ic.catalog()[name]
    cache = of(without(rising(), gaps_of(300)), missing=policy)
    for values in usable(spec):
        params = named(spec, values)
        outputs = as_columns(cache.get("M1", "bid", name, **params)).values()
        complete = ~np.isnan(np.stack(list(outputs))).any(axis=0)
        quality = cache.quality("M1", "bid", name, **params)
        assert complete.tolist() == (quality == Quality.VALID).tolist()


def usable(spec: ic.IndicatorSpec) -> list[tuple[Value, ...]]:
    """Without the deviation of a single bar, which never exists."""
    return [values for values in short(spec) if 1 not in values and 0.0 not in values]


@every_backend
@every_indicator
def test_what_a_gap_has_not_touched(name: str) -> None:
    """By default: whatever had stood in the gaps, these results would be the same."""
    spec = ic.catalog()[name]
    bars, holes = rising(), gaps_of(300)
    holes[:6] = False
    with_holes, whole = of(without(bars, holes)), of(bars)
    for values in short(spec):
        params = named(spec, values)
        quality = with_holes.quality("M1", "bid", name, **params)
        untouched = quality != Quality.GAP_AFFECTED
        assert untouched[:10].all()
        for a, b in zip(
            as_columns(with_holes.get("M1", "bid", name, **params)).values(),
            as_columns(whole.get("M1", "bid", name, **params)).values(),
            strict=True,
        ):
            assert a[untouched].tobytes() == b[untouched].tobytes()


def test_quality_is_an_array_to_compare_with() -> None:
    cache = of({"close": [1.0, 2.0, 3.0, nan, 5.0, 6.0]})
    quality = cache.quality("M1", "bid", "sma", period=2)
    assert quality.dtype == np.uint8
    assert not quality.flags.writeable
    assert [Quality(grade) for grade in quality] == [
        Quality.WARM_UP,
        Quality.VALID,
        Quality.VALID,
        Quality.GAP_AFFECTED,
        Quality.GAP_AFFECTED,
        Quality.VALID,
    ]
    assert quality[-1] == Quality.VALID
    assert (quality == Quality.VALID).tolist() == [False, True, True, False, False, True]
    assert cache.quality("M1", "bid", "sma", period=2) is quality
    assert cache.view("M1", "bid").quality("sma", period=2) is quality
    assert cache.stats().bytes == 6
    # A result and its quality are two entries.
    assert cache.sma("M1", "bid", "close", 2).dtype == np.float64
    assert cache.quality("M1", "bid", "sma", period=2) is quality
    assert of({"close": []}).quality("M1", "bid", "ema").shape == (0,)


def test_quality_refuses_what_get_refuses() -> None:
    cache = of(BARS)
    for asked, kind in (
        ({"name": "vwap"}, ic.ParameterError),
        ({"name": "ema", "length": 3}, ic.ParameterError),
        ({"name": "ema", "period": 0}, ic.ParameterError),
        ({"name": "ema", "source": "typical"}, ic.ParameterError),
        ({"name": "atr", "source": "high"}, ic.ParameterError),
        ({"name": "ema", "stepwise": True}, ic.SchemaError),
    ):
        call: dict[str, Any] = asked
        with pytest.raises(kind):
            cache.quality("M1", "bid", **call)
    with pytest.raises(ic.UnknownSeriesError):
        cache.quality("M1", "ask", "ema")
