"""Several timeframes from the bars of the shortest, as they come."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Literal, cast

import numpy as np

from .._series import FIELDS
from ..errors import ParameterError, SchemaError
from ._bars import Rows, Table, choice, ends_of, read_rows, text
from ._calendar import calendar, timeframe
from ._known import NOTHING, Forming, advance, read_how

__all__ = ["Ladder"]

#: Tables by timeframe and price type, as the cache takes them.
Tables = dict[Any, dict[Any, Table]]


class Ladder:
    """What the next bars have to know of those before, in every timeframe. Never changes."""

    def __init__(
        self,
        timeframes: object,
        *,
        price_type: Hashable,
        bar: object,
        policy: object,
        max_age: object,
        timestamps: Literal["open", "close"],
        zone: object,
        naive: object,
        session: object,
        week_start: object,
    ) -> None:
        expected = "a list of timeframes, that of the bars first, such as ['M1', 'H1', 'D1']"
        if not isinstance(timeframes, (list, tuple)) or not timeframes:
            raise ParameterError("timeframes", timeframes, expected)
        choice("timestamps", timestamps, "open", "close")
        choice("naive", naive, None, "utc")
        frames = [timeframe(name, "timeframes") for name in timeframes]
        if len(set(frames)) < len(frames):
            raise ParameterError("timeframes", timeframes, "a list without repeats")
        self._base, *longer = timeframes
        for name, frame in zip(timeframes, frames, strict=True):
            if not frame.multiple_of(frames[0]):
                raise ParameterError("timeframes", name, f"a multiple of the first, {self._base}")
        self._base_frame = frames[0]
        self._longer = dict(zip(longer, frames[1:], strict=True))
        self._price_type = price_type
        self._how = read_how(bar, policy, max_age)
        self._times = timestamps
        self._calendar = calendar(zone, session, week_start)
        self._naive = naive
        self._forming: dict[tuple[str, Hashable], Forming] = {}
        #: Columns of each price type, and the time of the last bar; None before the first.
        self._columns: dict[Hashable, tuple[str, ...]] | None = None
        self._last: np.int64 | None = None

    def taken(self, bars: object) -> tuple[Tables, Ladder]:
        """Take the next bars; return them in all timeframes, and what follows.

        Raises
        ------
        SchemaError
            When they are not usable.
        """
        sides = {side: self._read(side, given) for side, given in self._sides(bars).items()}
        self._check(sides)
        columns = self._columns or {side: tuple(rows.columns) for side, rows in sides.items()}
        # Those that the first bars did not have are left out.
        sides = {
            side: Rows(rows.stamps, {name: rows.columns[name] for name in columns[side]})
            for side, rows in sides.items()
        }
        first = next(iter(sides.values()))
        inner, ends = ends_of(
            self._base, first.stamps, self._base_frame, self._calendar, self._times
        )
        tables: Tables = {self._base: {}, **{name: {} for name in self._longer}}
        after = object.__new__(Ladder)
        after.__dict__.update(self.__dict__)
        after._columns = columns
        after._last = first.stamps[-1] if len(first.stamps) else self._last
        after._forming = {}
        for side, rows in sides.items():
            tables[self._base][side] = {
                "timestamp": rows.stamps.view("datetime64[ns]"),
                **rows.columns,
            }
            for name, frame in self._longer.items():
                table, after._forming[name, side] = advance(
                    self._forming.get((name, side), NOTHING),
                    inner,
                    ends,
                    rows.columns,
                    self._calendar,
                    frame,
                    self._how,
                )
                tables[name][side] = {
                    key: column
                    for key, column in table.items()
                    if key in FIELDS or key == "new_bar"
                }
        return tables, after

    def _sides(self, bars: object) -> Mapping[Hashable, object]:
        if isinstance(bars, Mapping) and not any(name in bars for name in ("timestamp", *FIELDS)):
            if not bars:
                raise SchemaError("bars", "expected columns by name, or price types; got nothing")
            return cast("Mapping[Hashable, object]", bars)
        return {self._price_type: bars}

    def _read(self, side: Hashable, given: object) -> Rows:
        if self._columns is not None and isinstance(given, Mapping):
            # A single bar may come as numbers.
            given = {
                name: np.atleast_1d(np.nan if values is None else values)
                for name, values in given.items()
            }
        zoned = self._calendar.zone is not None
        return read_rows(f"{self._base} {side}", given, zone=zoned, naive=self._naive)

    def _check(self, sides: dict[Hashable, Rows]) -> None:
        """Refuse sides that do not belong together, or not after those before."""
        (name, first), *others = sides.items()
        for side, rows in others:
            if len(rows.stamps) != len(first.stamps):
                raise SchemaError(
                    "timestamp",
                    f"{self._base} {side}: expected {len(first.stamps)} bars, as many as "
                    f"{name}, got {len(rows.stamps)}",
                )
            wrong = np.flatnonzero(rows.stamps != first.stamps)
            if len(wrong):
                row = int(wrong[0])
                raise SchemaError(
                    "timestamp",
                    f"{self._base} {side}: expected the times of {name}, got "
                    f"{text(rows.stamps[row])} instead of {text(first.stamps[row])} at row {row}",
                )
        if self._columns is not None and set(sides) != set(self._columns):
            known = ", ".join(map(repr, self._columns))
            raise SchemaError("bars", f"expected the price types {known}, as before")
        for side, names in (self._columns or {}).items():
            for column in names:
                if column not in sides[side].columns:
                    raise SchemaError(column, f"missing in the next bars of {self._base} {side}")
        if self._last is not None and len(first.stamps) and first.stamps[0] <= self._last:
            raise SchemaError(
                "timestamp",
                f"{self._base} {name}: expected times after {text(self._last)}, got "
                f"{text(first.stamps[0])}",
            )
