"""The main job on real prices: every operation on every backend, compared to the bit, and a chart.

Daily bars of five stocks, from 2000 to 2013, come with the package bokeh-sampledata. They are
prices of trades, not quotes with two sides, so there is one price type, ``trade``. They are not
adjusted for splits, which show as falls in the early years.

Weekly bars are made from the daily ones and aligned to the days as a backtest needs it: a day sees
the last week that was over before it.

Exit code 0 when all backends gave the same bits, 1 when they did not or one of them does not work.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import indicator_cache as ic
from indicator_cache.backends import NAMES as BACKENDS

STOCKS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
SHOWN = "AAPL"
FIELDS = ("open", "high", "low", "close", "volume")

#: Caches built to time first calls, and calls to time cached ones.
ROUNDS = 5
CACHED_CALLS = 500

OUT = Path(__file__).resolve().parent / "out" / "indicators.png"

Array = npt.NDArray[np.float64]
Candle = dict[str, Any]
Bars = dict[str, dict[str, list[Candle | None]]]

# --- the operations ---

CONSTRUCTION = "construction"


class Operation(NamedTuple):
    """What is asked of the cache."""

    timeframe: str
    text: str
    compute: Callable[[ic.IndicatorCache], Any]


OPERATIONS = (
    Operation("D1", "ema(close, 20)", lambda c: c.ema("D1", "trade", "close", 20)),
    Operation(
        "W1", "ema_stepwise(close, 20)", lambda c: c.ema_stepwise("W1", "trade", "close", 20)
    ),
    Operation("D1", "sma(close, 50)", lambda c: c.sma("D1", "trade", "close", 50)),
    Operation("D1", "rsi(close, 14)", lambda c: c.rsi("D1", "trade", "close", 14)),
    Operation("D1", "macd(close, 12, 26, 9)", lambda c: c.macd("D1", "trade", "close", 12, 26, 9)),
    Operation("D1", "roc(close, 14)", lambda c: c.roc("D1", "trade", "close", 14)),
    Operation("D1", "dmi(14)", lambda c: c.dmi("D1", "trade", 14)),
    Operation(
        "D1", "bollinger(close, 20, 2)", lambda c: c.bollinger("D1", "trade", "close", 20, 2.0)
    ),
    Operation(
        "W1",
        "bollinger_stepwise(close, 20, 2)",
        lambda c: c.bollinger_stepwise("W1", "trade", "close", 20, 2.0),
    ),
    Operation("D1", "atr(14)", lambda c: c.atr("D1", "trade", 14)),
)


def columns(result: Any) -> list[Array]:  # noqa: ANN401 - an array, or a named tuple of several
    """Return the arrays of a result."""
    return [result] if isinstance(result, np.ndarray) else list(result)


def constructed(cache: ic.IndicatorCache) -> list[Array]:
    """Return what construction made of the candles: the mean of one price is that price."""
    return [cache.sma(tf, "trade", field, 1) for tf in cache.timeframes for field in FIELDS]


# --- the bars ---


def daily_candles(table: Mapping[str, Sequence[Any]]) -> list[Candle]:
    """Return one candle for each day, oldest first."""
    rows = zip(table["date"], *(table[field] for field in FIELDS), strict=True)
    return [
        {"date": date.fromisoformat(day), **dict(zip(FIELDS, map(float, prices), strict=True))}
        for day, *prices in rows
    ]


def weekly_candles(days: Sequence[Candle]) -> list[Candle | None]:
    """Return for each day the candle of the last week that was over before it.

    Until one is, there is None. All days of a week see the same object, which is how the cache
    knows that it is one candle.
    """
    table: dict[str, Any] = {field: [day[field] for day in days] for field in FIELDS}
    table["timestamp"] = np.array([day["date"] for day in days], "datetime64[D]")
    weeks = ic.resample(table, "W1")
    rows = zip(*(weeks[field].tolist() for field in FIELDS), strict=True)
    candles = [
        {"date": monday, **dict(zip(FIELDS, prices, strict=True))}
        for monday, prices in zip(
            weeks["start"].astype("datetime64[D]").tolist(), rows, strict=True
        )
    ]
    seen = ic.align(table, weeks)["timestamp"]
    places = np.searchsorted(weeks["start"], seen)
    return [
        None if nothing else candles[place]
        for place, nothing in zip(places, np.isnat(seen), strict=True)
    ]


def read_bars() -> dict[str, Bars]:
    """Return the bars of all stocks, in the form that the cache takes."""
    from bokeh_sampledata import stocks

    bars: dict[str, Bars] = {}
    for name in STOCKS:
        days = daily_candles(getattr(stocks, name))
        bars[name] = {"D1": {"trade": [*days]}, "W1": {"trade": weekly_candles(days)}}
    return bars


# --- one backend ---


class Timing(NamedTuple):
    """Seconds that an operation takes."""

    first: float
    cached: float | None


class Run(NamedTuple):
    """What one backend did."""

    cache: ic.IndicatorCache
    """The cache of the stock that is shown."""
    parts: dict[tuple[str, str], str]
    """Digest of the results of an operation on a stock."""
    digest: str
    """Digest of all results."""
    timings: dict[str, Timing]


def run(backend: str, stocks: Mapping[str, Bars]) -> Run:
    """Do everything on one backend, construction included.

    Raises
    ------
    indicator_cache.BackendUnavailableError
        When it does not work here.
    """
    parts: dict[tuple[str, str], str] = {}
    whole = hashlib.sha256()
    with ic.use_backend(backend):
        caches = {name: ic.IndicatorCache(bars) for name, bars in stocks.items()}
        for name, cache in caches.items():
            results = {CONSTRUCTION: constructed(cache)}
            results.update((op.text, columns(op.compute(cache))) for op in OPERATIONS)
            for text, arrays in results.items():
                data = b"".join(array.astype("<f8").tobytes() for array in arrays)
                parts[name, text] = hashlib.sha256(data).hexdigest()
                whole.update(f"{name} {text} {len(data)}\n".encode())
                whole.update(data)
        return Run(caches[SHOWN], parts, whole.hexdigest(), measure(stocks[SHOWN]))


def measure(bars: Bars) -> dict[str, Timing]:
    """Time first and cached calls: medians, the first ones over several new caches."""
    first: dict[str, list[float]] = {
        name: [] for name in (CONSTRUCTION, *(op.text for op in OPERATIONS))
    }
    for _ in range(ROUNDS):
        start = time.perf_counter()
        cache = ic.IndicatorCache(bars)
        first[CONSTRUCTION].append(time.perf_counter() - start)
        for op in OPERATIONS:
            start = time.perf_counter()
            op.compute(cache)
            first[op.text].append(time.perf_counter() - start)
    timings = {CONSTRUCTION: Timing(median(first[CONSTRUCTION]), None)}
    for op in OPERATIONS:
        start = time.perf_counter()
        for _ in range(CACHED_CALLS):
            op.compute(cache)
        cached = (time.perf_counter() - start) / CACHED_CALLS
        timings[op.text] = Timing(median(first[op.text]), cached)
    return timings


def differences(runs: Mapping[str, Run]) -> list[str]:
    """Return a line for each operation on a stock on which the backends do not agree."""
    (reference, expected), *others = runs.items()
    return [
        f"{stock} {text}: {backend} differs from {reference}"
        for backend, other in others
        for (stock, text), digest in expected.parts.items()
        if other.parts[stock, text] != digest
    ]


# --- the table ---


def table(runs: Mapping[str, Run], bars: Bars) -> list[str]:
    """Return the lines of the table."""
    cache = next(iter(runs.values())).cache
    rows = [("", "operation", "last value", "from bar", *(f"{name}" for name in runs))]
    rows.append(("", "", "", "", *("first / cached" for _ in runs)))
    candles = sum(len(sides["trade"]) for sides in bars.values())
    rows.append(
        (
            "both",
            CONSTRUCTION,
            f"{candles} candles",
            "",
            *(times(run.timings[CONSTRUCTION]) for run in runs.values()),
        )
    )
    for op in OPERATIONS:
        arrays = columns(op.compute(cache))
        rows.append(
            (
                op.timeframe,
                op.text,
                "  ".join(f"{array[-1]:.2f}" for array in arrays),
                str(max(first_valid(array) for array in arrays)),
                *(times(run.timings[op.text]) for run in runs.values()),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = (False, False, True, True, *(True for _ in runs))
    lines = [
        "   ".join(
            f"{cell:>{width}}" if on_right else f"{cell:<{width}}"
            for cell, width, on_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]
    rule = "-" * max(map(len, lines))
    return [*lines[:2], rule, *lines[2:], rule]


def first_valid(array: Array) -> int:
    """Return the first bar that has a value."""
    return int(np.argmin(np.isnan(array)))


def times(timing: Timing) -> str:
    """Return the microseconds of first and cached calls."""
    cached = "" if timing.cached is None else f"{timing.cached * 1e6:.1f}"
    return f"{timing.first * 1e6:.0f} / {cached:>6}"


# --- the chart ---

DAYS_SHOWN = 504  # two years

INK, GREY, LIGHT = "#1f2933", "#7b8794", "#e4e7eb"
BLUE, ORANGE, GREEN, RED, BAND = "#2563eb", "#ea580c", "#15803d", "#b91c1c", "#93b4e8"


def draw(cache: ic.IndicatorCache, bars: Bars, path: Path) -> None:
    """Draw price, RSI and ADX of the last two years."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    candles = [candle for candle in bars["D1"]["trade"] if candle is not None][-DAYS_SHOWN:]
    days = np.array([candle["date"] for candle in candles], "datetime64[D]")
    close = np.array([candle["close"] for candle in candles])

    def tail(array: Array) -> Array:
        return array[-len(candles) :]

    upper, _, lower = map(tail, cache.bollinger("D1", "trade", "close", 20, 2.0))
    daily = tail(cache.ema("D1", "trade", "close", 20))
    weekly = tail(cache.ema_stepwise("W1", "trade", "close", 20))
    rsi = tail(cache.rsi("D1", "trade", "close", 14))
    plus, minus, adx = map(tail, cache.dmi("D1", "trade", 14))

    style: dict[Any, Any] = {
        "font.size": 10,
        "text.color": INK,
        "axes.edgecolor": "#cbd2d9",
        "axes.labelcolor": GREY,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": LIGHT,
        "grid.linewidth": 0.8,
        "xtick.color": GREY,
        "ytick.color": GREY,
        "legend.frameon": False,
        "legend.fontsize": 9,
        "lines.solid_joinstyle": "round",
    }
    with plt.rc_context(style):
        figure, (price, strength, trend) = plt.subplots(
            3, 1, figsize=(12, 9), sharex=True, height_ratios=(3.2, 1, 1)
        )
        price.plot(days, close, color=INK, linewidth=1.3, label="Close")
        price.plot(days, daily, color=BLUE, linewidth=1.6, label="EMA, 20 days")
        price.plot(
            days,
            weekly,
            color=ORANGE,
            linewidth=1.8,
            drawstyle="steps-post",
            label="EMA, 20 weeks (stepwise)",
        )
        price.fill_between(
            days,
            lower,
            upper,
            facecolor=(*mpl.colors.to_rgb(BAND), 0.22),
            edgecolor=(*mpl.colors.to_rgb(BAND), 0.7),
            linewidth=0.7,
            zorder=1.5,
            label="Bollinger bands, 20 days, 2 deviations",
        )
        price.set_ylabel("US dollars")
        price.legend(loc="upper left")

        strength.axhspan(30, 70, color=LIGHT, alpha=0.5, linewidth=0)
        strength.plot(days, rsi, color=BLUE, linewidth=1.3, label="RSI, 14 days")
        strength.set_ylim(0, 100)
        strength.set_yticks([0, 30, 50, 70, 100])
        strength.legend(loc="lower left")
        strength.set_ylabel("RSI")

        trend.plot(days, adx, color=INK, linewidth=1.6, label="ADX, 14 days")
        trend.plot(days, plus, color=GREEN, linewidth=1.0, alpha=0.7, label="+DI")
        trend.plot(days, minus, color=RED, linewidth=1.0, alpha=0.7, label="\N{MINUS SIGN}DI")
        trend.set_ylim(bottom=0)
        trend.legend(loc="upper left", ncols=3)
        trend.set_ylabel("ADX")

        for axes in (price, strength):
            axes.tick_params(bottom=False)
        month = np.timedelta64(1, "M")
        first, last = (day.astype("datetime64[M]") for day in (days[0], days[-1]))
        months = np.arange(first + month, last + month)
        quarters = [day for day in months.astype(object) if day.month in {1, 4, 7, 10}]
        trend.set_xticks(quarters, [f"{day:%b %Y}" for day in quarters])
        trend.set_xlim(days[0], days[-1] + np.timedelta64(5, "D"))
        figure.align_ylabels()
        figure.subplots_adjust(left=0.07, right=0.98, top=0.90, bottom=0.05, hspace=0.10)
        figure.text(0.07, 0.955, f"{SHOWN}, day by day", fontsize=17, fontweight="bold")
        figure.text(
            0.07,
            0.925,
            f"{candles[0]['date']:%B %Y} to {candles[-1]['date']:%B %Y}, prices as traded. "
            "The weekly average moves only when a week is over.",
            color=GREY,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without the version of matplotlib in it, the file depends on the picture only.
        figure.savefig(path, dpi=140, metadata={"Software": None})
        plt.close(figure)


# --- everything ---


def main(path: Path = OUT) -> int:
    """Run the demonstration, and return its exit code."""
    try:
        stocks = read_bars()
        import matplotlib as mpl  # noqa: F401 - to know before the work whether it is there
    except ImportError as error:
        print(
            f"{error}; the demonstration needs: pip install 'indicator-cache[demo]'",
            file=sys.stderr,
        )
        return 1
    bars = stocks[SHOWN]
    days = [candle["date"] for candle in bars["D1"]["trade"] if candle is not None]
    weeks = len({id(candle) for candle in bars["W1"]["trade"] if candle is not None})
    print(f"{SHOWN}: {len(days)} days from {days[0]} to {days[-1]}, {weeks} weeks aligned to them")
    runs: dict[str, Run] = {}
    for backend in BACKENDS:
        try:
            runs[backend] = run(backend, stocks)
        except ic.IndicatorCacheError as error:
            print(f"FAILED on {backend}: {error}", file=sys.stderr)
            return 1

    print("Microseconds of a first call, and of a call that finds the result in the cache:\n")
    print("\n".join(table(runs, bars)))
    counted = sum(len(sides["trade"]) for bars in stocks.values() for sides in bars.values())
    print(f"\nSHA-256 of all results, for {', '.join(STOCKS)} ({counted} bars):")
    for backend, done in runs.items():
        print(f"  {backend:8}{done.digest}")
    wrong = differences(runs)
    if wrong or len({done.digest for done in runs.values()}) != 1:
        print("The backends DISAGREE:", *wrong, sep="\n  ", file=sys.stderr)
        return 1
    print(
        f"The same {len(OPERATIONS) + 1} operations gave the same bits on all {len(runs)} backends."
    )

    draw(next(iter(runs.values())).cache, bars, path)
    print(f"\nChart: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
