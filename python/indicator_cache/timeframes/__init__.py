"""Longer bars from shorter ones, and what each short bar may know of the longer ones.

:func:`resample` makes bars of a longer timeframe; :func:`align` tells for each bar of a shorter one
what was known of them at its end. :meth:`IndicatorCache.from_bars` does both.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..errors import ParameterError, SchemaError
from ._bars import (
    Bars,
    Table,
    choice,
    ends_of,
    read_rows,
    read_stamps,
)
from ._calendar import Timeframe, calendar, timeframe
from ._known import Spans, align_closed, align_developing, made, parts_of, read_how
from ._ladder import Ladder

__all__ = ["Ladder", "align", "resample"]


def resample(
    bars: Bars,
    to: str,
    *,
    base: str | None = None,
    timestamps: Literal["open", "close"] = "open",
    labels: Literal["open", "close"] = "open",
    zone: object = None,
    naive: Literal["utc"] | None = None,
    session: object = None,
    week_start: str = "monday",
    empty: bool = False,
) -> Table:
    """Make bars of a longer timeframe.

    Open is the first open, high the highest high, low the lowest low, close the last close, volume
    the sum of the volumes, added one by one in their order. Missing values are passed over, each
    column for itself.

    Parameters
    ----------
    bars
        Columns by name, ``timestamp`` among them, in increasing order without repeats: numpy's
        datetimes, datetimes with a zone, or integers (nanoseconds since 1970 in UTC).
    to
        The timeframe: ``M1``, ``M15``, ``H1``, ``H4``, ``D1``, ``W1``, ``MN`` and the like, or
        ``15min``, ``4h``, ``1d``, ``2w``, ``3mo``.
    base
        The timeframe of `bars`. With it, the last bar is known to be complete when the bars reach
        its end; without, only when a bar after its end is there.
    timestamps
        Whether the timestamps of `bars` are those of their beginnings or their ends. So a
        timestamp on a border belongs to the bar that begins there (intervals closed on the left),
        or to the one that ends there (closed on the right).
    labels
        Whether ``timestamp`` of the result is ``start`` or ``end``.
    zone
        Time zone in which days begin and sessions are given; None for the clock of the timestamps.
        Naive timestamps are refused with it, unless `naive` says that they are in UTC.
    naive
        ``"utc"`` where naive timestamps are in UTC.
    session
        Beginning and end of the trading day, such as ``("09:30", "16:00")``, over midnight if the
        end is not after the beginning. Bars outside are left out. A trading day belongs to the
        date of its end; bars below a day are counted from its beginning, and the last one is cut
        at its end.
    week_start
        First day of the week.
    empty
        Whether bars without anything in them, between the first and the last, appear with NaN.

    Returns
    -------
    A dict of arrays: ``timestamp``, ``start`` and ``end`` (datetime64[ns] in UTC), the columns of
    `bars` among open, high, low, close and volume, and ``partial``: true at the last bar if it may
    still change.

    Raises
    ------
    ParameterError
        When an argument is not allowed, or `to` is not a multiple of `base`.
    SchemaError
        When the bars are not usable.

    Examples
    --------
    >>> import numpy as np
    >>> from indicator_cache import resample
    >>> minutes = np.datetime64("2024-01-02T09:58") + np.arange(4)
    >>> hours = resample({"timestamp": minutes, "close": [1.0, 2.0, 3.0, 4.0]}, "H1", base="M1")
    >>> hours["start"].astype("datetime64[h]").tolist()[0].hour, hours["close"]
    (9, array([2., 4.]))
    >>> hours["partial"]
    array([False,  True])
    """
    choice("timestamps", timestamps, "open", "close")
    choice("labels", labels, "open", "close")
    choice("naive", naive, None, "utc")
    frame, base_frame = timeframe(to, "to"), None if base is None else timeframe(base, "base")
    check_multiple(to, frame, base, base_frame)
    days = calendar(zone, session, week_start)
    rows = read_rows("bars", bars, zone=days.zone is not None, naive=naive)
    inner, ends = ends_of("bars", rows.stamps, base_frame, days, timestamps)
    higher = made(parts_of(inner, rows.columns, days, frame)[0])
    start, end, columns = higher.start, higher.end, higher.columns
    if empty and len(start):
        start, end = days.between(frame, int(start[0]), int(end[-1]))
        filled = {name: np.full(len(start), np.nan) for name in columns}
        where = np.searchsorted(start, higher.start)
        for name, column in columns.items():
            filled[name][where] = column
        columns = filled
    partial = np.zeros(len(start), np.bool_)
    partial[-1:] = end[-1:] > ends[-1:]
    return {
        "timestamp": (start if labels == "open" else end).view("datetime64[ns]"),
        "start": start.view("datetime64[ns]"),
        "end": end.view("datetime64[ns]"),
        **columns,
        "partial": partial,
    }


def align(
    primary: Bars,
    higher: Bars,
    *,
    bar: Literal["closed", "developing"] = "closed",
    policy: Literal["carry_forward", "strict"] = "carry_forward",
    max_age: object = None,
    base: str | None = None,
    timestamps: Literal["open", "close"] = "open",
    zone: object = None,
    naive: Literal["utc"] | None = None,
    session: object = None,
    week_start: str = "monday",
) -> Table:
    """Tell for each bar what was known of longer ones when it ended.

    Parameters
    ----------
    primary
        The shorter bars, as for :func:`resample`.
    higher
        The longer bars, as :func:`resample` returns them: with ``start`` and ``end``.
    bar
        ``"closed"``: the last bar that ended not later than the shorter one. ``"developing"``: the
        bar that contains the shorter one, made of the shorter bars up to there; what `higher` has
        as its values is not looked at.
    policy
        ``"carry_forward"``: a bar is shown until there is a later one, at most until `max_age`.
        ``"strict"``: a closed bar is shown where it is new, a developing one at bars within it.
    max_age
        Longest time from the end of the longer bar to that of the shorter one, as a timedelta.
    base
        The timeframe of `primary`. Without it, a bar with the time of its beginning is taken to be
        over at once, and sees a longer bar one bar later than it could.
    timestamps, zone, naive, session, week_start
        As for :func:`resample`.

    Returns
    -------
    A dict of arrays, as long as `primary`: ``timestamp`` and ``end`` of the bar that is shown (NaT
    for none), its columns (NaN for none), and, for closed bars, ``new_bar``: true where it is shown
    for the first time. :class:`IndicatorCache` takes it as a series with stepwise results.

    Raises
    ------
    ParameterError
        When an argument is not allowed.
    SchemaError
        When the bars are not usable.

    Examples
    --------
    >>> import numpy as np
    >>> from indicator_cache import align, resample
    >>> minutes = np.datetime64("2024-01-02T09:58") + np.arange(4)
    >>> bars = {"timestamp": minutes, "close": [1.0, 2.0, 3.0, 4.0]}
    >>> hours = resample(bars, "H1", base="M1")
    >>> align(bars, hours, base="M1")["close"]
    array([nan,  2.,  2.,  2.])
    >>> align(bars, hours, base="M1", bar="developing")["close"]
    array([1., 2., 3., 4.])
    """
    choice("timestamps", timestamps, "open", "close")
    choice("naive", naive, None, "utc")
    how = read_how(bar, policy, max_age)
    base_frame = None if base is None else timeframe(base, "base")
    days = calendar(zone, session, week_start)
    zoned = days.zone is not None
    rows = read_rows("primary", primary, zone=zoned, naive=naive)
    inner, ends = ends_of("primary", rows.stamps, base_frame, days, timestamps)
    start, end = (
        read_stamps("higher", higher, name, zone=zoned, naive="utc") for name in ("start", "end")
    )
    if len(start) != len(end) or (start >= end).any() or (start[1:] < end[:-1]).any():
        raise SchemaError("start", "higher: expected bars that end after they start, one by one")
    if how.developing:
        at = np.searchsorted(start, inner, "right") - 1
        inside = at >= 0
        inside[inside] = inner[inside] < end[at[inside]]
        columns = {name: column[inside] for name, column in rows.columns.items()}
        parts = Spans(start[at[inside]], end[at[inside]], columns)
        return align_developing(parts, ends, inside, how)
    bars = read_rows("higher", higher, zone=zoned, naive="utc")
    return align_closed(Spans(start, end, bars.columns), ends, how)


def check_multiple(
    to: str, frame: Timeframe, base: str | None, base_frame: Timeframe | None
) -> None:
    """Refuse a timeframe whose bars would cut those of the base in two."""
    if base_frame is not None and not frame.multiple_of(base_frame):
        raise ParameterError("to", to, f"a multiple of the base timeframe {base}")
