"""Technical indicators whose values depend on the data and the parameters, and on nothing else.

Start with :class:`IndicatorCache`, or with the functions for single arrays: :func:`ema`,
:func:`rsi`, :func:`atr` and so on. :func:`catalog` describes all indicators.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from . import backends, errors, spec
from ._generated.catalog import BY_NAME, VERSION
from ._generated.functions import (
    atr,
    bollinger,
    choppiness,
    dmi,
    ema,
    garch_volatility,
    kalman_garch_zscore,
    kalman_mean,
    kalman_zscore,
    macd,
    residual_zscore,
    roc,
    rsi,
    sma,
    true_range,
    zscore,
)
from ._generated.results import (
    BollingerResult,
    DmiResult,
    MacdResult,
)
from ._missing import MissingPolicy
from ._program import is_command_line
from ._quality import Quality
from ._table import ArrowColumn, IndicatorTable
from .backends import BackendInfo, backend_info, use_backend
from .cache import CacheStats, IndicatorCache, SeriesView
from .errors import (
    BackendError,
    BackendUnavailableError,
    IndicatorCacheError,
    MissingBarError,
    ParameterError,
    PlanError,
    RequestError,
    SchemaError,
    StateError,
    StoreWarning,
    UnknownSeriesError,
)
from .spec import IndicatorSpec
from .streams import Stream, restore, stream

if TYPE_CHECKING:
    from ._groups import compute
    from ._sweep import Sweep, SweepResult, sweep
    from .store import Store
    from .timeframes import align, resample
else:
    _LATER = {
        **dict.fromkeys(("align", "resample"), "timeframes"),
        "Store": "store",
        **dict.fromkeys(("Sweep", "SweepResult", "sweep"), "_sweep"),
        "compute": "_groups",
    }

    def __getattr__(name: str) -> object:
        """Bring what few programs need when it is first used, since importing it takes its time."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = globals()[name] = getattr(import_module(f".{_LATER[name]}", __name__), name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "ArrowColumn",
    "BackendError",
    "BackendInfo",
    "BackendUnavailableError",
    "BollingerResult",
    "CacheStats",
    "DmiResult",
    "IndicatorCache",
    "IndicatorCacheError",
    "IndicatorSpec",
    "IndicatorTable",
    "MacdResult",
    "MissingBarError",
    "MissingPolicy",
    "ParameterError",
    "PlanError",
    "Quality",
    "RequestError",
    "SchemaError",
    "SeriesView",
    "StateError",
    "Store",
    "StoreWarning",
    "Stream",
    "Sweep",
    "SweepResult",
    "UnknownSeriesError",
    "align",
    "atr",
    "backend_info",
    "backends",
    "bollinger",
    "catalog",
    "choppiness",
    "compute",
    "dmi",
    "ema",
    "errors",
    "garch_volatility",
    "kalman_garch_zscore",
    "kalman_mean",
    "kalman_zscore",
    "macd",
    "resample",
    "residual_zscore",
    "restore",
    "roc",
    "rsi",
    "sma",
    "spec",
    "stream",
    "sweep",
    "true_range",
    "use_backend",
    "zscore",
]

__version__ = VERSION


def catalog() -> MappingProxyType[str, IndicatorSpec]:
    """Return the declarations of all indicators, by name.

    Examples
    --------
    >>> import indicator_cache as ic
    >>> ic.catalog()["sma"].first_valid(period=50)
    {'sma': 49}
    """
    return MappingProxyType(BY_NAME)


# A backend that was asked for and cannot be had is an error of the import. The command line alone
# starts without, since its `doctor` is there to tell why; what it computes meets the same error.
try:
    backends.select_at_import()
except BackendUnavailableError:
    if not is_command_line():
        raise
