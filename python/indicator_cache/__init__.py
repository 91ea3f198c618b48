"""Technical indicators whose values depend on the data and the parameters, and on nothing else.

Start with :class:`IndicatorCache`, or with the functions for single arrays: :func:`ema`,
:func:`rsi`, :func:`atr` and so on. :func:`catalog` describes all indicators.
"""

from __future__ import annotations

from types import MappingProxyType

from . import backends, errors, spec
from ._generated import functions, results
from ._generated.catalog import BY_NAME, VERSION
from ._generated.functions import *  # noqa: F403 - generated, so that the list exists once
from ._generated.results import *  # noqa: F403 - likewise
from .backends import BackendInfo, backend_info, use_backend
from .cache import CacheStats, IndicatorCache, SeriesView
from .errors import (
    BackendError,
    BackendUnavailableError,
    IndicatorCacheError,
    ParameterError,
    SchemaError,
    UnknownSeriesError,
)
from .spec import IndicatorSpec

__all__ = [
    "BackendError",
    "BackendInfo",
    "BackendUnavailableError",
    "CacheStats",
    "IndicatorCache",
    "IndicatorCacheError",
    "IndicatorSpec",
    "ParameterError",
    "SchemaError",
    "SeriesView",
    "UnknownSeriesError",
    "backend_info",
    "backends",
    "catalog",
    "errors",
    "spec",
    "use_backend",
]
__all__ += functions.__all__
__all__ += results.__all__

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


# A backend that was asked for and cannot be had is an error of the import.
backends.select_at_import()
