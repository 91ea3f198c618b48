"""Machine code: the extension module that the wheel carries."""

from __future__ import annotations

from collections.abc import Sequence

from .. import _native
from .._arrays import FloatArray
from .._generated.catalog import CATALOG_JSON_FNV1A
from ..errors import BackendUnavailableError
from ..spec import IndicatorSpec

__all__ = ["NativeBackend", "create"]


class NativeBackend:
    """Runs the kernels in this process, with the interpreter released."""

    name = "native"

    def run(
        self,
        spec: IndicatorSpec,
        params: tuple[float, ...],
        inputs: Sequence[FloatArray],
        outputs: Sequence[FloatArray],
    ) -> None:
        """Compute one indicator over whole columns, filling `outputs` in place."""
        _native.run(spec.position, params, inputs, outputs)

    def details(self) -> dict[str, str]:
        """Return what is worth knowing about it, for people."""
        return {"library": str(_native.__file__), "cpu": _native.cpu()}


def create() -> NativeBackend:
    """Make the backend, if the library belongs to these Python files."""
    if _native.fingerprint() != CATALOG_JSON_FNV1A:
        raise BackendUnavailableError(
            f"{_native.__file__} was built from other sources than the Python files"
        )
    return NativeBackend()
