"""Names of timeframes, and where their bars begin and end."""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError

__all__ = ["DAY", "SECOND", "Buckets", "Calendar", "Timeframe", "calendar", "timeframe"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

#: Nanoseconds.
SECOND = 1_000_000_000
DAY = 86_400 * SECOND

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

#: Of a name such as H4, and of one such as 4h: the unit it counts, and how many of them.
_LETTERS = {"S": ("s", 1), "M": ("s", 60), "H": ("s", 3600), "D": ("d", 1), "W": ("w", 1)}
_UNITS = {"s": ("s", 1), "min": ("s", 60), "h": ("s", 3600), "d": ("d", 1), "w": ("w", 1)}
_LETTERS["MN"] = _UNITS["mo"] = "mo", 1

_NAME = re.compile(r"(MN)|(S|M|H|D|W|MN)([1-9]\d{0,4})|([1-9]\d{0,4})(s|min|h|d|w|mo)")

#: The most that a timeframe counts; what is longer is written in a larger unit.
_MOST = {"s": 86_399, "d": 999, "w": 100, "mo": 120}

_EXPECTED = (
    "a timeframe such as M1, H4, D1, W1, MN, 15min, 4h, 1d, 2w or 3mo; below a day in seconds, "
    "minutes or hours, else at most 999 days, 100 weeks or 120 months"
)


class Timeframe(NamedTuple):
    """How long a bar is: so many seconds, trading days, weeks or months."""

    unit: str
    """``s``, ``d``, ``w`` or ``mo``."""
    number: int

    def multiple_of(self, other: Timeframe) -> bool:
        """Whether every bar of the other timeframe lies within one bar of this one."""
        if self.unit == other.unit:
            return self.number % other.number == 0
        return other.unit == "s" or (other == ("d", 1) and self.unit != "s")


def timeframe(name: object, parameter: str = "timeframe") -> Timeframe:
    """Read the name of a timeframe.

    Raises
    ------
    ParameterError
        When it is not one.
    """
    found = _NAME.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        raise ParameterError(parameter, name, _EXPECTED)
    month, letter, times, count, unit = found.groups()
    unit, each = _LETTERS[month or letter] if month or letter else _UNITS[unit]
    read = Timeframe(unit, each * int(times or count or 1))
    if read.number > _MOST[unit]:
        raise ParameterError(parameter, name, _EXPECTED)
    return read


class Buckets(NamedTuple):
    """For each of some instants, the bar of a timeframe that contains it."""

    start: IntArray
    end: IntArray
    """The first instant after it."""
    inside: BoolArray | None
    """False where the instant lies between two sessions, in no bar. None when all are inside."""


class Calendar(NamedTuple):
    """Trading days: when they begin and end, and how they make weeks and months.

    A trading day is named by the date on which its last moment lies.
    """

    zone: ZoneInfo | None
    opens_at: int
    """Seconds after midnight, of the day before if that is not before `closes_at`."""
    closes_at: int
    week_start: int
    """0 for Monday."""

    def locate(self, timeframe: Timeframe, instants: IntArray) -> Buckets:
        """Return the bars that contain the instants, which are sorted."""
        if not len(instants):
            return Buckets(instants, instants, None)
        # No zone is further than a day from UTC, and no trading day longer than two.
        dates = np.arange(int(instants[0]) // DAY - 3, int(instants[-1]) // DAY + 4)
        opens, closes = self._opens(dates), self._closes(dates)
        rows = np.diff(np.searchsorted(instants, opens), append=len(instants))
        inside = None
        if not np.array_equal(opens[1:], closes[:-1]):
            inside = instants < np.repeat(closes, rows)
        if timeframe.unit == "s":
            step = timeframe.number * SECOND
            start = np.repeat(opens, rows)
            since = instants - start
            since //= step
            since *= step
            start += since
            end = np.add(start, step, out=since)
            return Buckets(start, np.minimum(end, np.repeat(closes, rows), out=end), inside)
        numbers, group = np.unique(self._group(timeframe, dates), return_inverse=True)
        start, end = self._bounds(timeframe, numbers)
        return Buckets(np.repeat(start[group], rows), np.repeat(end[group], rows), inside)

    def between(self, timeframe: Timeframe, first: int, end: int) -> tuple[IntArray, IntArray]:
        """Return starts and ends of all bars from the one at `first` to the one before `end`."""
        dates = np.arange(first // DAY - 3, end // DAY + 4)
        if timeframe.unit == "s":
            step = timeframe.number * SECOND
            opens, closes = self._opens(dates), self._closes(dates)
            counts = -((opens - closes) // step)
            day = np.repeat(np.arange(len(dates)), counts)
            nth = np.arange(len(day)) - np.repeat(np.cumsum(counts) - counts, counts)
            starts = opens[day] + nth * step
            ends = np.minimum(starts + step, closes[day])
        else:
            starts, ends = self._bounds(timeframe, np.unique(self._group(timeframe, dates)))
        wanted = (starts >= first) & (starts < end)
        return starts[wanted], ends[wanted]

    def _group(self, timeframe: Timeframe, dates: IntArray) -> IntArray:
        """Return which bar of a timeframe of whole days each date belongs to."""
        if timeframe.unit == "d":
            return dates // timeframe.number
        if timeframe.unit == "w":
            return (dates + _THURSDAY - self.week_start) // (7 * timeframe.number)
        months = dates.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        return months // timeframe.number

    def _bounds(self, timeframe: Timeframe, numbers: IntArray) -> tuple[IntArray, IntArray]:
        """Return starts and ends of bars of whole days, by their numbers."""

        def first_date(numbers: IntArray) -> IntArray:
            if timeframe.unit == "d":
                return numbers * timeframe.number
            if timeframe.unit == "w":
                return numbers * 7 * timeframe.number - _THURSDAY + self.week_start
            months = (numbers * timeframe.number).astype("datetime64[M]")
            return months.astype("datetime64[D]").astype(np.int64)

        return self._opens(first_date(numbers)), self._closes(first_date(numbers + 1) - 1)

    def _opens(self, dates: IntArray) -> IntArray:
        overnight = self.opens_at >= self.closes_at
        return self._instants(dates - overnight, self.opens_at)

    def _closes(self, dates: IntArray) -> IntArray:
        closes = self._instants(dates + self.closes_at // _FULL_DAY, self.closes_at % _FULL_DAY)
        # A clock that is put forward can skip the end of a day and not the next beginning.
        return np.minimum(closes, self._opens(dates + 1))

    def _instants(self, dates: IntArray, seconds: int) -> IntArray:
        """Return when the clock of the zone shows a time of the day."""
        instants = dates * DAY + seconds * SECOND
        if self.zone is None:
            return instants
        offsets = []
        for day in dates.tolist():
            shown = _EPOCH + dt.timedelta(day, seconds)
            offset = shown.replace(tzinfo=self.zone).utcoffset()
            offsets.append(0 if offset is None else offset // dt.timedelta(microseconds=1))
        return instants - np.array(offsets, np.int64) * 1000


_FULL_DAY = 86_400

_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - what a clock shows

#: The weekday of the first day that dates are counted from.
_THURSDAY = 3


def calendar(
    zone: object = None,
    session: object = None,
    week_start: object = "monday",
) -> Calendar:
    """Read the arguments that make a calendar.

    Raises
    ------
    ParameterError
        When one is not usable.
    """
    if week_start not in WEEKDAYS:
        raise ParameterError("week_start", week_start, f"one of {', '.join(WEEKDAYS)}")
    opens_at, closes_at = _session(session)
    return Calendar(_zone(zone), opens_at, closes_at, WEEKDAYS.index(str(week_start)))


def _zone(zone: object) -> ZoneInfo | None:
    if zone is None or isinstance(zone, ZoneInfo):
        return zone
    try:
        if isinstance(zone, str):
            return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise ParameterError("zone", zone, "the name of a time zone such as 'Europe/Berlin', or None")


def _session(session: object) -> tuple[int, int]:
    """Return seconds after midnight."""
    if session is None:
        return 0, _FULL_DAY
    expected = "two times of the day such as ('09:30', '16:00'), or None"
    if not isinstance(session, (tuple, list)) or len(session) != 2:  # noqa: PLR2004 - two
        raise ParameterError("session", session, expected)
    opens_at, closes_at = map(_time_of_day, session)
    if opens_at is None or closes_at is None or opens_at == _FULL_DAY:
        raise ParameterError("session", session, expected)
    return opens_at, closes_at or _FULL_DAY


def _time_of_day(time: object) -> int | None:
    if isinstance(time, dt.time) and time.tzinfo is None and not time.microsecond:
        return time.hour * 3600 + time.minute * 60 + time.second
    if isinstance(time, str) and (found := re.fullmatch(r"(\d\d):(\d\d)", time)):
        hour, minute = map(int, found.groups())
        if minute < 60 and hour * 60 + minute <= 24 * 60:  # noqa: PLR2004 - as clocks have it
            return hour * 3600 + minute * 60
    return None
