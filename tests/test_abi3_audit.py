"""One symbol is let through that the auditor takes for something unstable, and no other."""

from __future__ import annotations

from typing import Any

import pytest
from tools import abi3_audit


def report(*symbols: str, compatible: bool = True, libraries: int = 1) -> dict[str, Any]:
    result = {
        "is_abi3": not symbols,
        "is_abi3_baseline_compatible": compatible,
        "baseline": "3.11",
        "computed": "3.11" if compatible else "3.12",
        "non_abi3_symbols": list(symbols),
        "future_abi3_objects": {} if compatible else {"PyType_FromMetaclass": "3.12"},
    }
    wheel = [{"name": "_native.abi3.so", "result": result}] * libraries
    return {"specs": {"a.whl": {"kind": "wheel", "wheel": wheel}}}


@pytest.mark.parametrize("symbols", [(), ("PyModExport__native",)])
def test_a_good_wheel(symbols: tuple[str, ...]) -> None:
    assert abi3_audit.complaints(report(*symbols)) == []


def test_something_that_is_not_stable() -> None:
    (told,) = abi3_audit.complaints(report("PyModExport__native", "_PyList_Extend"))
    assert told == "_native.abi3.so uses what is not stable: _PyList_Extend"


def test_something_newer_than_the_wheel_says() -> None:
    (told,) = abi3_audit.complaints(report(compatible=False))
    assert told == "_native.abi3.so is for 3.11 and needs 3.12: PyType_FromMetaclass"


@pytest.mark.parametrize("libraries", [0, 2])
def test_not_the_library(libraries: int) -> None:
    assert abi3_audit.complaints(report(libraries=libraries)) == [
        f"{libraries} libraries, expected one"
    ]
