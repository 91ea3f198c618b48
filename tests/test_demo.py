"""The demonstration: it runs, it would notice a wrong bit, and it cannot look ahead."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import indicator_cache as ic
from indicator_cache import _series, backends
from indicator_cache.backends import Backend, Machine
from indicator_cache.spec import IndicatorSpec

#: It is there to show that all backends agree.
pytestmark = pytest.mark.needs(*backends.NAMES)

DEMO = Path(__file__).parent.parent / "demo" / "main.py"


def load_demo() -> Any:  # noqa: ANN401 - a script
    spec = importlib.util.spec_from_file_location("indicator_cache_demo", DEMO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


demo = load_demo()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave only the stock with the fewest days."""
    monkeypatch.setattr(demo, "STOCKS", ("FB",))
    monkeypatch.setattr(demo, "SHOWN", "FB")
    monkeypatch.setattr(demo, "ROUNDS", 1)
    monkeypatch.setattr(demo, "CACHED_CALLS", 1)


# --- the whole of it ---


def test_all_backends_agree_on_real_prices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out" / "chart.png"
    assert demo.main(path) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    digests = [line.split()[1] for line in lines if line.startswith("  ")][-3:]
    assert [len(digest) for digest in digests] == [64] * 3
    assert len(set(digests)) == 1
    operations = "construction ema( ema_stepwise( sma( rsi( macd( roc( dmi( bollinger( atr("
    for text in [*operations.split(), "bollinger_stepwise("]:
        assert any(text in line for line in lines), text
    assert f"Chart: {path}" in out
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert len(data) > 50_000


@pytest.mark.usefixtures("short")
def test_it_is_deterministic_apart_from_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = tmp_path / "a.png", tmp_path / "b.png"
    digests = []
    for path in paths:
        assert demo.main(path) == 0
        out = capsys.readouterr().out
        digests.append([line for line in out.splitlines() if line.startswith("  ")])
    assert digests[0] == digests[1]
    assert paths[0].read_bytes() == paths[1].read_bytes()


# --- it would notice ---


class OneBitOff:
    """A backend that gets one bit of the last result of one indicator wrong."""

    quick = None

    def __init__(self, backend: Backend, indicator: str) -> None:
        self._backend = backend
        self._indicator = indicator

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a backend has
        return getattr(self._backend, name)

    def run(self, *arguments: Any) -> None:  # noqa: ANN401 - whatever a backend takes
        self._backend.run(*arguments)
        self._spoil(*arguments)

    def begin(self, *arguments: Any) -> Machine:  # noqa: ANN401 - likewise
        machine = self._backend.begin(*arguments)
        self._spoil(*arguments)
        return machine

    def begin_new(self, *arguments: Any) -> Any:  # noqa: ANN401 - likewise
        machine, outputs = self._backend.begin_new(*arguments)
        outputs = [column.copy() for column in outputs]
        self._spoil(*arguments, outputs)
        return machine, outputs

    def _spoil(self, spec: IndicatorSpec, *arguments: Any) -> None:  # noqa: ANN401 - likewise
        *_, outputs = arguments
        if spec.name == self._indicator:
            outputs[-1].view(np.uint64)[-1] ^= 1


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", backends.NAMES)
@pytest.mark.parametrize("indicator", ["ema", "dmi", "bollinger"])
def test_one_wrong_bit_is_noticed(
    name: str,
    indicator: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken = OneBitOff(backends.load(name), indicator)
    monkeypatch.setitem(backends._selection.loaded, name, broken)
    assert demo.main(tmp_path / "chart.png") == 1
    out, err = capsys.readouterr()
    assert "DISAGREE" in err
    assert f"FB {indicator}(" in err
    assert "FB atr(" not in err
    assert "the same bits" not in out
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("short")
def test_a_wrong_bit_of_construction_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill = _series._fill

    def wrong(label: str, candles: Any, fields: Any, block: Any, *others: Any) -> None:  # noqa: ANN401 - whatever it takes
        fill(label, candles, fields, block, *others)
        block[fields.index("volume"), 5] += 1

    # Only the native backend has another way to build columns.
    monkeypatch.setattr(_series, "_fill", wrong)
    assert demo.main(tmp_path / "chart.png") == 1
    err = capsys.readouterr().err
    assert "FB construction: wasm differs from native" in err
    assert "FB construction: python differs from native" in err
    assert "FB ema(" not in err


@pytest.mark.usefixtures("short")
def test_a_backend_that_cannot_be_used_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(backends._selection.loaded, "wasm", raising=False)
    monkeypatch.setenv("INDICATOR_CACHE_WASM_MEMORY", "1")
    monkeypatch.setattr(backends._selection, "failures", {})
    assert demo.main(tmp_path / "chart.png") == 1
    assert "FAILED on wasm: the wasm backend cannot be used" in capsys.readouterr().err


def test_without_its_packages_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "bokeh_sampledata", None)
    monkeypatch.delitem(sys.modules, "bokeh_sampledata.stocks", raising=False)
    assert demo.main() == 1
    assert "pip install 'indicator-cache[demo]'" in capsys.readouterr().err


# --- the bars ---


def test_construction_is_read_back_as_it_was_given(backend: str) -> None:
    bars = demo.read_bars()["FB"]
    cache = ic.IndicatorCache(bars, backend=backend)
    given = [
        np.array([np.nan if candle is None else candle[field] for candle in bars[tf]["trade"]])
        for tf in ("D1", "W1")
        for field in demo.FIELDS
    ]
    for read_back, column in zip(demo.constructed(cache), given, strict=True):
        np.testing.assert_array_equal(read_back, column, strict=True)


prices = st.floats(1, 1000, width=32)


@st.composite
def trading_days(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Days in order with gaps from none to months, over the turns of years."""
    day = date(2019, 12, 1) + timedelta(draw(st.integers(0, 40)))
    days = []
    for gap in draw(st.lists(st.sampled_from([1, 1, 1, 1, 2, 3, 5, 8, 40]), max_size=60)):
        day += timedelta(gap)
        values = {field: draw(prices) for field in demo.FIELDS}
        days.append({"date": day, **values})
    return days


def expected_week(days: list[dict[str, Any]], bar: int) -> dict[str, Any] | None:
    """Return what a day may see, the slow way: from Monday on, what was before is over."""

    def monday(day: date) -> date:
        return day - timedelta(day.weekday())

    before = [day for day in days if day["date"] < monday(days[bar]["date"])]
    if not before:
        return None
    week = [day for day in before if monday(day["date"]) == monday(before[-1]["date"])]
    return {
        "date": monday(week[0]["date"]),
        "open": week[0]["open"],
        "high": max(day["high"] for day in week),
        "low": min(day["low"] for day in week),
        "close": week[-1]["close"],
        "volume": pytest.approx(sum(day["volume"] for day in week)),
    }


@given(trading_days())
def test_a_day_sees_the_last_week_that_was_over(days: list[dict[str, Any]]) -> None:
    assert demo.weekly_candles(days) == [expected_week(days, bar) for bar in range(len(days))]


@given(trading_days(), st.integers(0, 60), st.data())
def test_the_future_cannot_change_the_past(
    days: list[dict[str, Any]], now: int, data: st.DataObject
) -> None:
    now = min(now, len(days))
    seen = demo.weekly_candles(days)[:now]
    # Whether the future has other prices, or does not come.
    future = [day | {field: data.draw(prices) for field in demo.FIELDS} for day in days[now:]]
    assert demo.weekly_candles(days[:now] + future)[:now] == seen
    assert demo.weekly_candles(days[:now]) == seen
    # What a day sees does not even depend on that day itself, other than its date.
    if now:
        today = days[now - 1] | {field: data.draw(prices) for field in demo.FIELDS}
        assert demo.weekly_candles([*days[: now - 1], today])[-1] == seen[-1]


@given(trading_days())
def test_a_week_is_one_object(days: list[dict[str, Any]]) -> None:
    candles = demo.weekly_candles(days)
    for (one, seen), (other, seen_next) in itertools.pairwise(zip(days, candles, strict=True)):
        same = one["date"].isocalendar()[:2] == other["date"].isocalendar()[:2]
        assert (seen is seen_next) == same
