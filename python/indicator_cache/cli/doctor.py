"""``indicator-cache doctor``: what computes here, and what does not and why.

It does not believe a backend that merely loads: each one computes every indicator over the same
bars, and the digests of the results must be equal.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from typing import Any, NamedTuple

import numpy as np

from .. import backends
from .._arrays import FloatArray
from .._generated.catalog import BY_NAME, VERSION
from ..errors import BackendUnavailableError

__all__ = ["run"]

_BARS = 300

#: What to install when a module is missing.
_EXTRAS = {"wasm": "pip install 'indicator-cache[wasm]'"}


class _Probe(NamedTuple):
    """What became of one backend."""

    usable: bool
    reason: str | None
    """Why it is not usable."""
    details: dict[str, str]
    digest: str | None
    """SHA-256 of what it computed."""


def run(*, as_json: bool) -> int:
    """Print the findings; 0 when the backend asked for works and all that work agree."""
    findings = _examine()
    if as_json:
        print(json.dumps(findings, indent=2))
    else:
        print("\n".join(_report(findings)))
    return 0 if findings["ok"] else 1


def _examine() -> dict[str, Any]:
    variable = os.environ.get(backends.VARIABLE)
    problem = None
    active = None
    requested = (variable or "").strip() or "auto"
    try:
        info = backends.backend_info()
    except BackendUnavailableError as error:
        problem = str(error)
    else:
        active, requested = info.active, info.requested
    probes = {name: _probe(name) for name in backends.NAMES}
    agree = len({probe.digest for probe in probes.values() if probe.usable}) <= 1
    if problem is None and active is not None and not probes[active].usable:
        problem = f"the {active} backend does not work: {probes[active].reason}"
    if not agree:
        problem = "; ".join(filter(None, [problem, "the backends do not agree on the results"]))
    return {
        "version": VERSION,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "numpy": np.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "variable": {backends.VARIABLE: variable},
        "requested": requested,
        "active": active,
        "flush_to_zero": backends.flushes_to_zero(),
        "agree": agree,
        "ok": problem is None,
        "problem": problem,
        "backends": {name: probe._asdict() for name, probe in probes.items()},
    }


def _probe(name: str) -> _Probe:
    try:
        backend = backends.load(name)
        details = backend.details()
        digest = _digest(backend)
    # Whatever is wrong with a backend, telling it is the point.
    except Exception as error:  # noqa: BLE001
        cause = error.__cause__ if isinstance(error, BackendUnavailableError) else error
        reason = f"{type(cause).__name__}: {cause}" if cause is not None else str(error)
        if isinstance(cause, ModuleNotFoundError) and name in _EXTRAS:
            reason += f" ({_EXTRAS[name]})"
        return _Probe(usable=False, reason=reason, details={}, digest=None)
    return _Probe(usable=True, reason=None, details=details, digest=digest)


def _digest(backend: backends.Backend) -> str:
    """Return the digest of every indicator over the same bars.

    Left out are those that take logarithms, which NumPy rounds as the C library does.
    """
    columns = _bars()
    digest = hashlib.sha256()
    for spec in BY_NAME.values():
        if spec.transcendental:
            continue
        inputs = [columns["close" if name == "x" else name] for name in spec.inputs]
        outputs = [np.empty(_BARS) for _ in spec.outputs]
        backend.run(spec, spec.normalise({}), inputs, outputs)
        for output in outputs:
            digest.update(output.astype("<f8").tobytes())
    return digest.hexdigest()


def _bars() -> dict[str, FloatArray]:
    """Make bars by integer arithmetic, so that they are the same everywhere, with a gap."""
    state, close, rows = 1, 100.0, []
    for _ in range(_BARS):
        state = (state * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
        opened, close = close, close + ((state >> 16) % 129 - 64) / 64
        wick = (state >> 8 & 31) / 32
        high, low = max(opened, close) + wick, min(opened, close) - wick
        rows.append((opened, high, low, close, float(state >> 20)))
    block = np.array(rows)
    block[100:105] = np.nan
    names = ("open", "high", "low", "close", "volume")
    return {name: block[:, column].copy() for column, name in enumerate(names)}


def _report(findings: dict[str, Any]) -> list[str]:
    (variable, value), *_ = findings["variable"].items()
    lines = [f"indicator-cache {findings['version']}", ""]
    lines += _rows(
        {
            "python": findings["python"],
            "numpy": findings["numpy"],
            "platform": findings["platform"],
            "requested": findings["requested"]
            + (f" ({variable} is not set)" if value is None else f" ({variable}={value})"),
            "active": findings["active"] or "none",
            "flush to zero": "ON: tiny numbers are dropped, results may differ in their last bits"
            if findings["flush_to_zero"]
            else "off",
        },
        "",
    )
    for name, probe in findings["backends"].items():
        state = "usable" if probe["usable"] else "NOT usable"
        lines += ["", f"{name}: {state}" + (", active" if name == findings["active"] else "")]
        if probe["usable"]:
            lines += _rows({**probe["details"], "self-test": probe["digest"]}, "  ")
        else:
            lines += _rows({"reason": " ".join(probe["reason"].split())}, "  ")
    usable = [name for name, probe in findings["backends"].items() if probe["usable"]]
    lines.append("")
    if findings["agree"] and len(usable) > 1:
        lines.append(f"{' and '.join(usable)}: the same bits in the self-test")
    lines.append(
        "everything asked for works" if findings["ok"] else f"PROBLEM: {findings['problem']}"
    )
    return lines


def _rows(items: dict[str, str], indent: str) -> list[str]:
    width = max(map(len, items))
    return [f"{indent}{name:{width}}  {text}" for name, text in items.items()]
