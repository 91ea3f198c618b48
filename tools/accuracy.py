"""Write docs/accuracy.md: errors against exact arithmetic, here and elsewhere.

    python tools/accuracy.py

The first bars are left out, so that differences in how averages start are forgotten and every
package computes the same thing: what is measured is rounding alone. Where a package divides
otherwise, it is compared with that. A package that is not installed is left out.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import exact  # noqa: E402
from tests.bars import Array, Bars, around, walk  # noqa: E402

import indicator_cache as ic  # noqa: E402

TARGET = ROOT / "docs" / "accuracy.md"
COMMAND = "make accuracy"

BARS = 12_000
PERIOD, FAST, SLOW, SIGNAL = 20, 20, 40, 9

#: Bars at the start that are left out. A Wilder average over 20 bars has forgotten all but 2**-148.
WARM_UP = 2_000

#: More than this is no rounding but another definition, or a value that is lost.
LOST = 1e12

Functions: TypeAlias = dict[str, Callable[..., Any]]


# --- data ---


def spiked() -> Bars:
    close = walk(BARS, 33)["close"]
    close[3_000] = 1e12
    return around(close)


DATA = {
    "walk": walk(BARS, 31),
    "level": around(1e6 + 1e-3 * np.random.default_rng(32).normal(size=BARS)),
    "spike": spiked(),
    "1e-8": walk(BARS, 34, start=1e-8),
    "1e9": walk(BARS, 35, start=1e9),
}


# --- what is compared: a name, its exact value, and what its size is measured by ---

ALL, AVERAGES, PERCENT = "the result", "both averages", "100"


def one(name: str, output: int, *params: float) -> Callable[..., exact.Exact]:
    """One output of an oracle."""

    def values(high: exact.Column, low: exact.Column, close: exact.Column) -> exact.Exact:
        columns = [close] if ic.catalog()[name].inputs == ("x",) else [high, low, close]
        return exact.ORACLES[name](*columns, *params)[output]

    return values


def population_band(_high: object, _low: object, close: exact.Column) -> exact.Exact:
    """Return the upper band of those who divide by the period."""
    mean, sample = exact.mean_and_std(close, PERIOD)
    # sqrt((n - 1) / n) to as many digits as there are.
    narrower = math.isqrt(exact.ONE**2 * (PERIOD - 1) // PERIOD)
    upper: exact.Column = [
        None if m is None or s is None else m + 2 * s * narrower // exact.ONE
        for m, s in zip(mean, sample, strict=True)
    ]
    return exact.Exact(upper, upper)


ROWS: dict[str, tuple[Callable[..., exact.Exact], str]] = {
    "sma": (one("sma", 0, PERIOD), ALL),
    "ema": (one("ema", 0, PERIOD), ALL),
    "bollinger upper": (one("bollinger", 0, PERIOD, 2.0), ALL),
    "macd": (one("macd", 0, FAST, SLOW, SIGNAL), AVERAGES),
    "macd signal": (one("macd", 1, FAST, SLOW, SIGNAL), AVERAGES),
    "rsi": (one("rsi", 0, PERIOD), ALL),
    "roc": (one("roc", 0, PERIOD), ALL),
    "true_range": (one("true_range", 0), ALL),
    "atr": (one("atr", 0, PERIOD), ALL),
    "plus_di": (one("dmi", 0, PERIOD), ALL),
    "adx": (one("dmi", 2, PERIOD), PERCENT),
}

#: Rows in which these packages divide by the period.
POPULATION = {"TA-Lib", "kand", "wickra", "vector-ta"}


# --- packages: a function of high, low, close for each row ---


def own() -> Functions:
    return {
        "sma": lambda _h, _l, c: ic.sma(c, PERIOD),
        "ema": lambda _h, _l, c: ic.ema(c, PERIOD),
        "bollinger upper": lambda _h, _l, c: ic.bollinger(c, PERIOD).upper,
        "macd": lambda _h, _l, c: ic.macd(c, FAST, SLOW, SIGNAL).macd,
        "macd signal": lambda _h, _l, c: ic.macd(c, FAST, SLOW, SIGNAL).signal,
        "rsi": lambda _h, _l, c: ic.rsi(c, PERIOD),
        "roc": lambda _h, _l, c: ic.roc(c, PERIOD),
        "true_range": ic.true_range,
        "atr": lambda h, l, c: ic.atr(h, l, c, PERIOD),  # noqa: E741
        "plus_di": lambda h, l, c: ic.dmi(h, l, c, PERIOD).plus_di,  # noqa: E741
        "adx": lambda h, l, c: ic.dmi(h, l, c, PERIOD).adx,  # noqa: E741
    }


def with_pandas() -> Functions:
    def ewm(x: Any, **factor: float) -> Any:  # noqa: ANN401 - pandas
        return x.ewm(**factor, adjust=False).mean()

    def wilder(x: Any) -> Any:  # noqa: ANN401 - pandas
        return ewm(x, alpha=1 / PERIOD)

    def macd(c: Any) -> Any:  # noqa: ANN401 - pandas
        return ewm(c, span=FAST) - ewm(c, span=SLOW)

    def true_range(h: Any, l: Any, c: Any) -> Any:  # noqa: ANN401, E741 - pandas
        return pd.concat([h - l, (h - c.shift()).abs(), (l - c.shift()).abs()], axis=1).max(axis=1)

    def rsi(_h: Any, _l: Any, c: Any) -> Any:  # noqa: ANN401 - pandas
        change = c.diff()
        gain, loss = wilder(change.clip(lower=0)), wilder((-change).clip(lower=0))
        return 100 - 100 / (1 + gain / loss)

    def indices(h: Any, l: Any, c: Any) -> tuple[Any, Any]:  # noqa: ANN401, E741 - pandas
        up, down = h.diff(), -l.diff()
        average = wilder(true_range(h, l, c))
        plus = 100 * wilder(up.where((up > down) & (up > 0), 0.0)) / average
        minus = 100 * wilder(down.where((down > up) & (down > 0), 0.0)) / average
        return plus, wilder(100 * (plus - minus).abs() / (plus + minus))

    return {
        "sma": lambda _h, _l, c: c.rolling(PERIOD).mean(),
        "ema": lambda _h, _l, c: ewm(c, span=PERIOD),
        "bollinger upper": lambda _h, _l, c: (
            c.rolling(PERIOD).mean() + 2.0 * c.rolling(PERIOD).std()
        ),
        "macd": lambda _h, _l, c: macd(c),
        "macd signal": lambda _h, _l, c: ewm(macd(c), span=SIGNAL),
        "rsi": rsi,
        "roc": lambda _h, _l, c: c.diff(PERIOD) / c.shift(PERIOD) * 100,
        "true_range": true_range,
        "atr": lambda h, l, c: wilder(true_range(h, l, c)),  # noqa: E741
        "plus_di": lambda h, l, c: indices(h, l, c)[0],  # noqa: E741
        "adx": lambda h, l, c: indices(h, l, c)[1],  # noqa: E741
    }


def with_talib() -> Functions:
    its = importlib.import_module("talib")
    return {
        "sma": lambda _h, _l, c: its.SMA(c, PERIOD),
        "ema": lambda _h, _l, c: its.EMA(c, PERIOD),
        "bollinger upper": lambda _h, _l, c: its.BBANDS(c, PERIOD, 2.0, 2.0)[0],
        "macd": lambda _h, _l, c: its.MACD(c, FAST, SLOW, SIGNAL)[0],
        "macd signal": lambda _h, _l, c: its.MACD(c, FAST, SLOW, SIGNAL)[1],
        "rsi": lambda _h, _l, c: its.RSI(c, PERIOD),
        "roc": lambda _h, _l, c: its.ROC(c, PERIOD),
        "true_range": its.TRANGE,
        "atr": lambda h, l, c: its.ATR(h, l, c, PERIOD),  # noqa: E741
        "plus_di": lambda h, l, c: its.PLUS_DI(h, l, c, PERIOD),  # noqa: E741
        "adx": lambda h, l, c: its.ADX(h, l, c, PERIOD),  # noqa: E741
    }


def with_kand() -> Functions:
    its = importlib.import_module("kand")
    return {
        "sma": lambda _h, _l, c: its.sma(c, PERIOD),
        "ema": lambda _h, _l, c: its.ema(c, PERIOD),
        "bollinger upper": lambda _h, _l, c: its.bbands(c, PERIOD, 2.0, 2.0)[0],
        "macd": lambda _h, _l, c: its.macd(c, FAST, SLOW, SIGNAL)[0],
        "macd signal": lambda _h, _l, c: its.macd(c, FAST, SLOW, SIGNAL)[1],
        "rsi": lambda _h, _l, c: its.rsi(c, PERIOD)[0],
        "roc": lambda _h, _l, c: its.roc(c, PERIOD),
        "true_range": its.trange,
        "atr": lambda h, l, c: its.atr(h, l, c, PERIOD),  # noqa: E741
        "plus_di": lambda h, l, c: its.plus_di(h, l, c, PERIOD)[0],  # noqa: E741
        "adx": lambda h, l, c: its.adx(h, l, c, PERIOD)[0],  # noqa: E741
    }


def column_of(matrix: Any, index: int) -> Array:  # noqa: ANN401 - without types
    return np.array(matrix.tolist(), np.float64)[:, index]


def with_wickra() -> Functions:
    its = importlib.import_module("wickra")
    return {
        "sma": lambda _h, _l, c: its.SMA(PERIOD).batch(c),
        "ema": lambda _h, _l, c: its.EMA(PERIOD).batch(c),
        "bollinger upper": lambda _h, _l, c: column_of(its.BollingerBands(PERIOD, 2.0).batch(c), 0),
        "macd": lambda _h, _l, c: column_of(its.MACD(FAST, SLOW, SIGNAL).batch(c), 0),
        "macd signal": lambda _h, _l, c: column_of(its.MACD(FAST, SLOW, SIGNAL).batch(c), 1),
        "rsi": lambda _h, _l, c: its.RSI(PERIOD).batch(c),
        "roc": lambda _h, _l, c: its.ROC(PERIOD).batch(c),
        "true_range": lambda h, l, c: its.TrueRange().batch(h, l, c),  # noqa: E741
        "atr": lambda h, l, c: its.ATR(PERIOD).batch(h, l, c),  # noqa: E741
        "plus_di": lambda h, l, c: its.PLUS_DI(PERIOD).batch(h, l, c),  # noqa: E741
        "adx": lambda h, l, c: column_of(its.ADX(PERIOD).batch(h, l, c), 2),  # noqa: E741
    }


def with_vector_ta() -> Functions:
    its = importlib.import_module("vector_ta")
    return {
        "sma": lambda _h, _l, c: its.sma(c, PERIOD),
        "ema": lambda _h, _l, c: its.ema(c, PERIOD),
        "bollinger upper": lambda _h, _l, c: its.bollinger_bands(c, PERIOD)[0],
        "macd": lambda _h, _l, c: its.macd(c, FAST, SLOW, SIGNAL, "ema")[0],
        "macd signal": lambda _h, _l, c: its.macd(c, FAST, SLOW, SIGNAL, "ema")[1],
        "rsi": lambda _h, _l, c: its.rsi(c, PERIOD),
        "roc": lambda _h, _l, c: its.roc(c, PERIOD),
        "atr": lambda h, l, c: its.atr(h, l, c, PERIOD),  # noqa: E741
        "plus_di": lambda h, l, c: its.di(h, l, c, PERIOD)[0],  # noqa: E741
        "adx": lambda h, l, c: its.adx(h, l, c, PERIOD),  # noqa: E741
    }


PACKAGES: dict[str, Callable[[], Functions]] = {
    "indicator-cache": own,
    "pandas": with_pandas,
    "TA-Lib": with_talib,
    "kand": with_kand,
    "wickra": with_wickra,
    "vector-ta": with_vector_ta,
}


# --- measuring ---


def error(result: Array, values: exact.Column, sizes: exact.Column) -> float:
    """Return the largest error in multiples of 2**-53 times the size."""
    largest = 0.0
    for given, value, size in zip(result.tolist(), values, sizes, strict=True):
        if value is None or size is None:
            continue
        if not math.isfinite(given):
            return math.inf
        largest = max(largest, exact.ulps(given, value, size))
    return largest


def shown(largest: float) -> str:
    if largest > LOST:
        return "lost"
    return f"{largest:.1f}" if largest < 1000 else f"{largest:.0e}".replace("e+0", "e")  # noqa: PLR2004


def table(data: str, packages: dict[str, Functions]) -> Iterator[str]:
    bars = DATA[data]
    columns = bars["high"], bars["low"], bars["close"]
    exact_columns = [exact.column(column) for column in columns]
    averages = exact.plus(*(exact.ewm(exact_columns[2], exact.span(n)) for n in (FAST, SLOW)))
    tail = slice(WARM_UP, None)
    yield "| | " + " | ".join(packages) + " |"
    yield "|---|" + "---:|" * len(packages)
    for row, (oracle, size) in ROWS.items():
        expected, _ = oracle(*exact_columns)
        cells = []
        for package, functions in packages.items():
            if row not in functions:
                cells.append("-")
                continue
            given: Any = [pd.Series(c) for c in columns] if package == "pandas" else columns
            result = np.asarray(functions[row](*given), np.float64)
            values = expected
            if row.startswith("bollinger") and package in POPULATION:
                values, _ = population_band(*exact_columns)
            sizes: dict[str, exact.Column] = {
                ALL: exact.sizes_of(values),
                AVERAGES: averages,
                PERCENT: [100 * exact.ONE] * len(values),
            }
            cells.append(shown(error(result[tail], values[tail], sizes[size][tail])))
        yield f"| {row} | " + " | ".join(cells) + " |"


def bounds() -> Iterator[str]:
    yield "| indicator | output | times | magnitude |"
    yield "|---|---|---:|---|"
    for spec in ic.catalog().values():
        for output in spec.outputs:
            ulps, of = output.accuracy
            link = f"[`{spec.name}`](indicators/{spec.name}.md)"
            yield f"| {link} | `{output.name}` | {ulps:g} | `{of}` |"


PAGE = """<!-- Made by tools/accuracy.py: {command} -->
# Accuracy

Every result is compared with exact arithmetic: whole numbers of any length, without rounding
(`tests/exact.py`). Errors are counted in multiples of 2^-53, which is what one correctly rounded
operation loses at most, about 1.1e-16.

## In comparison

Largest errors over {bars} bars, the first {warm_up} left out so that differences in how averages
start are forgotten: what remains is rounding. Each package is compared with the exact value of
its own definition; pandas stands for the formulas written out in pandas. The period is {period};
for macd {fast}, {slow} and {signal}. Errors are relative to the result; those of `macd` and its
signal, which are small differences, to the sum of both averages; those of `adx` to 100. "lost"
means off by more than 1e-4 of that, or NaN; "-" that the package has no such function.

{tables}

{versions}

{notes}

## What is declared

Each indicator declares the largest error of each output as so many times 2^-53 times a
magnitude, or times 2^-1022 where that is larger. Tests measure it on random walks, levels and
spikes as above, on denormals, gaps, mixed signs and values between 1e-100 and 1e100, for periods
from 1 to 10,000, and on the last of ten million bars. They fail when a bound is exceeded, and
also when it is more than 100 times the largest error measured.

{bounds}

{magnitude}
"""

DATA_DOC = {
    "walk": "A random walk from 100, one percent a bar",
    "level": "Around 1e6 with a deviation of 1e-3",
    "spike": "A random walk with one price of 1e12 among the first bars counted",
    "1e-8": "A random walk from 1e-8",
    "1e9": "A random walk from 1e9",
}

NOTES = """`true_range` is a difference and a choice: all have it exactly, or to one rounding. What
sets the packages apart is what they remember: a running sum or a sum of squares keeps the
rounding errors of everything that ever passed through it, and after an outlier these are as large
as the outlier was. An exponential average forgets an outlier and its errors alike."""


def installed() -> Iterator[tuple[str, Functions]]:
    for package, functions in PACKAGES.items():
        try:
            yield package, functions()
        except ImportError as missing:
            print(f"left out: {package} ({missing})", file=sys.stderr)


def main() -> None:
    """Measure and write."""
    packages = dict(installed())
    absent = [name for name in PACKAGES if name not in packages]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    generate = importlib.import_module("tools.generate")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tables = [f"### {DATA_DOC[data]}\n\n" + "\n".join(table(data, packages)) for data in DATA]
    page = PAGE.format(
        command=COMMAND,
        bars=f"{BARS:,}",
        warm_up=f"{WARM_UP:,}",
        period=PERIOD,
        fast=FAST,
        slow=SLOW,
        signal=SIGNAL,
        tables="\n\n".join(tables),
        versions=f"Versions: {versions}."
        + (f" Not installed, and left out: {', '.join(absent)}." if absent else ""),
        notes=NOTES,
        bounds="\n".join(bounds()),
        magnitude=generate.MAGNITUDE_DOC,
    )
    TARGET.write_text(page, encoding="utf-8")
    print(TARGET.relative_to(ROOT))


if __name__ == "__main__":
    main()
