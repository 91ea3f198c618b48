"""Plugin for pytest: the tests of an installation that lacks backends or packages on purpose.

Loaded by the tests of the artefacts, and in continuous integration where a package of the tests has
no wheels. Everywhere else something missing is an error, and here too unless
`INDICATOR_CACHE_TESTS_WITHOUT` names it, with commas between several.
"""

from __future__ import annotations

import doctest
import importlib.util
import os
from collections.abc import Generator

import pytest

import indicator_cache as ic

MISSING = frozenset(filter(None, os.environ["INDICATOR_CACHE_TESTS_WITHOUT"].split(",")))

#: What an error says is missing; packages are missing under their own names.
_MODULES = {name: name for name in MISSING} | {"native": "_native", "wasm": "wasmtime"}


def pytest_sessionstart() -> None:
    """Refuse to skip what is there, or to do without what is not named."""
    usable = set()
    for name in ic.backends.NAMES:
        try:
            ic.backends.load(name)
        except ic.BackendUnavailableError:
            continue
        usable.add(name)
    packages = MISSING - set(ic.backends.NAMES)
    usable |= {name for name in packages if importlib.util.find_spec(name)}
    if usable != set(ic.backends.NAMES) - MISSING:
        pytest.exit(f"usable here: {sorted(usable)}; to be missing: {sorted(MISSING)}", 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        needed = {name for mark in item.iter_markers("needs") for name in mark.args}
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            # A test for each backend is asked for one that is missing.
            needed |= {value for value in item.callspec.params.values() if isinstance(value, str)}
        if names := MISSING & needed:
            item.add_marker(pytest.mark.skip(reason=f"needs {', '.join(sorted(names))}"))


def _reason(error: BaseException | None) -> str | None:
    """Return why a test has nothing to test, if an error says that what is missing is missing."""
    if isinstance(error, BaseExceptionGroup):
        # Hypothesis found several ways to fail.
        reasons = [_reason(one) for one in error.exceptions]
        return reasons[0] if all(reasons) else None
    if isinstance(error, doctest.UnexpectedException):
        return _reason(error.exc_info[1])
    while error is not None:
        for name in MISSING:
            of_backend = isinstance(error, ic.BackendUnavailableError)
            if (of_backend and f"the {name} backend" in str(error)) or (
                isinstance(error, ImportError) and _MODULES[name] in str(error)
            ):
                return f"without {name}"
        error = error.__cause__
    return None


def _skipping() -> Generator[None, None, None]:
    try:
        yield
    except Exception as error:
        if (reason := _reason(error)) is None:
            raise
        pytest.skip(reason)


pytest_runtest_setup = pytest.hookimpl(wrapper=True)(_skipping)
pytest_runtest_call = pytest.hookimpl(wrapper=True)(_skipping)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Leave out modules that are all about something that is missing."""
    report = yield
    call: pytest.CallInfo[object] | None = getattr(report, "call", None)
    if report.failed and call is not None and call.excinfo is not None:
        reason = _reason(call.excinfo.value)
        if reason is not None:
            report.outcome = "skipped"
            report.longrepr = str(collector.path), 0, reason
    return report
