"""A store as one cache, or one sweep, sees it: with the digests of its columns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

from .. import backends
from .._arrays import FloatArray
from .._missing import MissingPolicy
from .._series import Series
from ..spec import IndicatorSpec, Value
from ._files import Stored
from ._identity import ColumnDigests, describe
from ._store import Store

__all__ = ["StoreLink", "SweepLink"]


class StoreLink:
    """Asks a store for results of one cache."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._digests = ColumnDigests()

    def about(
        self,
        spec: IndicatorSpec,
        params: tuple[Value, ...],
        which: Hashable,
        series: Series,
        names: Sequence[str],
        *,
        stepwise: bool,
        missing: MissingPolicy,
    ) -> bytes:
        """Return what a result is made of.

        Parameters
        ----------
        spec, params
            The indicator, and its normalised parameters.
        which, series
            Under which name the cache has the series, and its bars of the moment.
        names
            The columns that the indicator reads, in its order.
        stepwise
            Whether it is computed on new candles alone.
        missing
            What becomes of missing bars.

        Raises
        ------
        SchemaError
            When the bars lack a column, or do not tell where candles begin.
        """
        inputs = {
            role: self._digests.of((which, name), series.column(name))
            for role, name in zip(spec.inputs, names, strict=True)
        }
        starts = self._digests.of((which, None), series.new_bars(0)) if stepwise else None
        return describe(spec, params, inputs, starts, missing)

    def load(self, about: bytes, spec: IndicatorSpec, bars: int) -> Stored | None:
        """Return the result that was made of this, None when there is none to be had."""
        if not bars:
            return None
        return self.store.load(about, [output.name for output in spec.outputs], bars)

    def save(
        self, about: bytes, spec: IndicatorSpec, columns: Sequence[FloatArray], state: bytes
    ) -> None:
        """Leave a result for whoever asks for it next, if that is possible."""
        if len(columns[0]):
            names = [output.name for output in spec.outputs]
            self.store.save(about, dict(zip(names, columns, strict=True)), state)


class SweepLink:
    """Asks a store for results of one sweep, and leaves there what had to be computed."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._digests = ColumnDigests()

    def result(
        self,
        spec: IndicatorSpec,
        params: tuple[Value, ...],
        series: Hashable,
        inputs: Mapping[str, FloatArray],
        room: Callable[[], FloatArray],
    ) -> list[FloatArray]:
        """Return a result, as the store has it or computed here; read-only either way.

        Parameters
        ----------
        spec, params
            The indicator, and its normalised parameters.
        series
            What the sweep calls the series.
        inputs
            The columns that the indicator reads, by their names in the series, in its order.
        room
            What gives an array to compute in, with a row for each output.
        """
        columns = [*inputs.values()]
        digests = (self._digests.of((series, name), column) for name, column in inputs.items())
        about = describe(spec, params, dict(zip(spec.inputs, digests, strict=True)), None)
        names = [output.name for output in spec.outputs]
        stored = self.store.load(about, names, len(columns[0])) if len(columns[0]) else None
        if stored is not None:
            return stored.columns
        outputs = [*room()]
        # Not side by side with others, because each leaves the state from which it goes on.
        begun = backends.active().begin(spec, params, columns, outputs)
        if len(columns[0]):
            self.store.save(about, dict(zip(names, outputs, strict=True)), bytes(begun.save()))
        for column in outputs:
            column.flags.writeable = False
        return outputs
