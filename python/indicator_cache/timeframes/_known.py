"""What a bar may know of longer ones: the last one that is over, or the one that is forming.

Everything here looks backwards only. A longer bar is over for a shorter one when it ends not later
than that ends.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .._arrays import FloatArray
from ._bars import Table, choice, nanoseconds
from ._calendar import BoolArray, Calendar, IntArray, Timeframe
from ._reduce import IndexArray, reduced, running

__all__ = [
    "NOTHING",
    "Forming",
    "How",
    "Spans",
    "advance",
    "align_closed",
    "align_developing",
    "made",
    "parts_of",
    "read_how",
]


class How(NamedTuple):
    """What to show, and for how long."""

    developing: bool
    strict: bool
    max_age: int | None
    """Nanoseconds from the end of the longer bar to the end of the shorter one."""


def read_how(bar: object, policy: object, max_age: object) -> How:
    """Read what :func:`align` shows.

    Raises
    ------
    ParameterError
        When an argument is not allowed.
    """
    choice("bar", bar, "closed", "developing")
    choice("policy", policy, "carry_forward", "strict")
    return How(bar == "developing", policy == "strict", nanoseconds("max_age", max_age))


class Spans(NamedTuple):
    """Bars, or parts of them, with the beginnings and ends of the bars."""

    start: IntArray
    end: IntArray
    columns: dict[str, FloatArray]

    def at(self, rows: slice | BoolArray | IndexArray) -> Spans:
        """Return some of them."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Spans(self.start[rows], self.end[rows], columns)

    def then(self, other: Spans) -> Spans:
        """Return these and others after them."""
        if not len(self.start):
            return other
        columns = {
            name: np.concatenate([column, other.columns[name]])
            for name, column in self.columns.items()
        }
        return Spans(
            np.concatenate([self.start, other.start]),
            np.concatenate([self.end, other.end]),
            columns,
        )

    def begins(self) -> IndexArray:
        """Return the first row of each bar."""
        other = np.ones(len(self.start), np.bool_)
        other[1:] = self.start[1:] != self.start[:-1]
        return np.flatnonzero(other)

    def present(self) -> BoolArray:
        """Return where there is any value."""
        some = np.zeros(len(self.start), np.bool_)
        for column in self.columns.values():
            some |= ~np.isnan(column)
        return some


def made(parts: Spans) -> Spans:
    """Join parts into bars; those of which no part has any value are left out."""
    begins = parts.begins()
    bars = Spans(parts.start[begins], parts.end[begins], reduced(parts.columns, begins))
    present = bars.present()
    if present.all():
        return bars
    # Infinite volumes of both signs can leave nothing but NaN.
    return bars.at(np.logical_or.reduceat(parts.present(), begins))


def parts_of(
    inner: IntArray, columns: dict[str, FloatArray], calendar: Calendar, timeframe: Timeframe
) -> tuple[Spans, BoolArray | None]:
    """Return the rows that lie in bars of a timeframe, and which they are if not all."""
    start, end, inside = calendar.locate(timeframe, inner)
    parts = Spans(start, end, columns)
    return (parts if inside is None else parts.at(inside)), inside


# --- alignment ---


def align_closed(bars: Spans, ends: IntArray, how: How, before: int = -1) -> Table:
    """Show the last bar that is over, where shorter bars end at `ends`.

    `before` is the place of the one that was shown at the bar before the first.
    """
    # For each bar the first row that may know it; from that, for each row the last bar it knows.
    since = np.searchsorted(ends, bars.end)
    at = np.repeat(np.arange(-1, len(since)), np.diff(since, prepend=0, append=len(ends)))
    fresh = at != np.concatenate([[before], at[:-1]])[: len(at)]
    seen = at >= 0
    if how.strict:
        seen &= fresh
    table, seen = _shown(bars, at, seen, ends, how)
    return {**table, "new_bar": fresh & seen}


def align_developing(parts: Spans, ends: IntArray, inside: BoolArray | None, how: How) -> Table:
    """Show the bar that is forming, as far as it has come.

    The last rows of `parts` are those of the shorter bars, as many as are `inside`; what is in
    front of them are bars before.
    """
    begins = parts.begins()
    so_far = parts._replace(columns=running(parts.columns, begins))
    rows = np.arange(len(parts.start))
    latest = np.maximum.accumulate(np.where(parts.present(), rows, -1))
    some = latest >= np.repeat(begins, np.diff(begins, append=len(rows)))
    if inside is None:
        inside = np.ones(len(ends), np.bool_)
    earlier = len(rows) - int(inside.sum())
    own = earlier - 1 + np.cumsum(inside)
    latest = np.append(np.maximum.accumulate(np.where(some, rows, -1)), -1)
    at = latest[own]
    seen = at >= 0
    if how.strict:
        seen &= inside & (at == own)
    return _shown(so_far, at, seen, ends, how)[0]


def _shown(
    source: Spans, at: npt.NDArray[np.intp], seen: BoolArray, ends: IntArray, how: How
) -> tuple[Table, BoolArray]:
    if not len(source.start):
        nothing = np.full(len(ends), np.nan)
        times = np.full(len(ends), np.datetime64("NaT", "ns"))
        columns = {name: nothing.copy() for name in source.columns}
        return {"timestamp": times, "end": times.copy(), **columns}, seen
    if how.max_age is not None:
        seen = seen & (ends - source.end[at] <= how.max_age)
    table: Table = {}
    for name, instants in ("timestamp", source.start), ("end", source.end):
        table[name] = instants[at].view("datetime64[ns]")
        table[name][~seen] = np.datetime64("NaT", "ns")
    for name, column in source.columns.items():
        table[name] = column[at]
        table[name][~seen] = np.nan
    return table, seen


# --- bar by bar ---


class Forming(NamedTuple):
    """What the next bars have to know of those before."""

    parts: Spans | None = None
    """The last bar that is over, and the one that is not, as far as it has come."""
    end: int = 0
    """End of the last shorter bar."""


NOTHING = Forming()


def advance(
    state: Forming,
    inner: IntArray,
    ends: IntArray,
    columns: dict[str, FloatArray],
    calendar: Calendar,
    timeframe: Timeframe,
    how: How,
) -> tuple[Table, Forming]:
    """Take the next short bars; return what they know of the longer ones."""
    parts, inside = parts_of(inner, columns, calendar, timeframe)
    before = -1
    if state.parts is not None:
        before = int(np.any(state.parts.end <= state.end)) - 1
        parts = state.parts.then(parts)
    bars = made(parts)
    if how.developing:
        table = align_developing(parts, ends, inside, how)
    else:
        table = align_closed(bars, ends, how, before)
    if not len(ends):
        return table, state
    last = int(ends[-1])
    over = int(np.searchsorted(bars.end, last, "right"))
    kept = bars.at(slice(max(over - 1, 0), None))
    for bar in range(len(kept.start) - 1, -1, -1):
        kept = _reopened(kept, bar, parts)
    return table, Forming(kept, last)


def _reopened(bars: Spans, at: int, parts: Spans) -> Spans:
    """Return bars as parts to which others can be added; see to the one at a place."""
    volume = bars.columns.get("volume", _NO_VOLUME)
    if not len(volume) or not np.isnan(volume[at]):
        return bars
    if np.isnan(parts.columns["volume"][parts.start == bars.start[at]]).all():
        return bars
    # Infinities of both signs: the sum is NaN, and remains it whatever comes.
    rows = np.insert(np.arange(len(bars.start)), at, at)
    twice = bars.at(rows)
    for column in twice.columns.values():
        column[at + 1] = np.nan
    twice.columns["volume"][at : at + 2] = np.inf, -np.inf
    return twice


_NO_VOLUME: FloatArray = np.empty(0)
