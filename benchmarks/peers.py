"""Other packages that compute the same things: one function of the columns for each operation.

Each is called as its documentation does, with contiguous float64 columns, and allocates its
results itself. Where it has no single function for all results of an operation, the functions
that give them are called one after the other. Differences of definition are in the pages of the
indicators; none of them changes the amount of work much.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from typing import Any, TypeAlias

Function: TypeAlias = Callable[..., Any]
Functions: TypeAlias = dict[str, Function]


def talib() -> Functions:
    its = importlib.import_module("talib")
    return {
        "ema": its.EMA,
        "sma": its.SMA,
        "rsi": its.RSI,
        "macd": its.MACD,
        "roc": its.ROC,
        "bollinger": lambda x, period, factor: its.BBANDS(x, period, factor, factor),
        "atr": its.ATR,
        "dmi": lambda *bars: (its.PLUS_DI(*bars), its.MINUS_DI(*bars), its.ADX(*bars)),
        "true_range": its.TRANGE,
    }


def kand() -> Functions:
    its = importlib.import_module("kand")
    return {
        "ema": its.ema,
        "sma": its.sma,
        "rsi": its.rsi,
        "macd": its.macd,
        "roc": its.roc,
        "bollinger": lambda x, period, factor: its.bbands(x, period, factor, factor),
        "atr": its.atr,
        "dmi": lambda *bars: (its.plus_di(*bars), its.minus_di(*bars), its.adx(*bars)),
        "true_range": its.trange,
    }


def tulipy() -> Functions:
    its = importlib.import_module("tulipy")
    return {
        "ema": its.ema,
        "sma": its.sma,
        "rsi": its.rsi,
        "macd": its.macd,
        "roc": its.roc,
        "bollinger": its.bbands,
        "atr": its.atr,
        "dmi": lambda *bars: (its.di(*bars), its.adx(*bars)),
        "true_range": its.tr,
    }


def vector_ta() -> Functions:
    its = importlib.import_module("vector_ta")
    return {
        "ema": its.ema,
        "sma": its.sma,
        "rsi": its.rsi,
        "macd": lambda x, fast, slow, signal: its.macd(x, fast, slow, signal, "ema"),
        "roc": its.roc,
        "bollinger": its.bollinger_bands,
        "atr": its.atr,
        "dmi": lambda *bars: (its.di(*bars), its.adx(*bars)),
    }


def wickra() -> Functions:
    """Return the path that gives the bits of its own streams."""
    its = importlib.import_module("wickra")
    return {
        "ema": lambda x, period: its.EMA(period).batch(x),
        "sma": lambda x, period: its.SMA(period).batch(x),
        "rsi": lambda x, period: its.RSI(period).batch(x),
        "macd": lambda x, *periods: its.MACD(*periods).batch(x),
        "roc": lambda x, period: its.ROC(period).batch(x),
        "bollinger": lambda x, *params: its.BollingerBands(*params).batch(x),
        "atr": lambda h, l, c, period: its.ATR(period).batch(h, l, c),  # noqa: E741
        "dmi": lambda h, l, c, period: its.ADX(period).batch(h, l, c),  # noqa: E741
        "true_range": lambda h, l, c: its.TrueRange().batch(h, l, c),  # noqa: E741
    }


def wickra_fast() -> Functions:
    """Return the path that gives its bits up for speed, where it has one."""
    its = importlib.import_module("wickra")
    return {
        "ema": lambda x, period: its.EMA(period).batch_fast(x),
        "sma": lambda x, period: its.SMA(period).batch_fast(x),
        "rsi": lambda x, period: its.RSI(period).batch_fast(x),
        "macd": lambda x, *periods: its.MACD(*periods).batch_fast(x),
        "roc": lambda x, period: its.ROC(period).batch_fast(x),
        "bollinger": lambda x, *params: its.BollingerBands(*params).batch_fast(x),
        "atr": lambda h, l, c, period: its.ATR(period).batch_fast(h, l, c),  # noqa: E741
    }


#: By the name in the tables: the distribution, and what brings its functions.
PEERS: dict[str, tuple[str, Callable[[], Functions]]] = {
    "TA-Lib": ("TA-Lib", talib),
    "kand": ("kand", kand),
    "tulipy": ("tulipy", tulipy),
    "vector-ta": ("vector-ta", vector_ta),
    "wickra": ("wickra", wickra),
    "wickra fast": ("wickra", wickra_fast),
}


def installed() -> tuple[dict[str, Functions], dict[str, str], list[str]]:
    """Return functions by peer, versions by distribution, and the peers that are not here."""
    functions: dict[str, Functions] = {}
    versions: dict[str, str] = {}
    absent: list[str] = []
    for name, (distribution, load) in PEERS.items():
        try:
            functions[name] = load()
        except ImportError:
            absent.append(name)
        else:
            versions[distribution] = importlib.metadata.version(distribution)
    return functions, versions, absent
