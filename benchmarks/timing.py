"""Timing by interleaved rounds, on machines that are never quiet.

Every contender runs once in each round, so that whatever else the machine does meanwhile hits all
of them alike. The least of many rounds is the time without disturbance; the median is there to
tell how much disturbance there was.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, NamedTuple, TypeAlias

Call: TypeAlias = Callable[[], Any]

#: Calls that are shorter are timed several at once, in seconds.
SAMPLE = 250e-6

#: Calls of a turn that do not count. At a million bars it takes so many until columns that nobody
#: else has read are as deep in the processor's caches as those that everybody reads.
WARM = 4

#: Calls that are longer do not notice.
LONG = 20e-3

#: Rounds at most, and at least for those that are slow.
MOST, FEWEST = 60, 3


class Contender(NamedTuple):
    """What is timed, and what is done before each sample, outside the time."""

    call: Call
    prepare: Call | None = None


class Timing(NamedTuple):
    """Seconds that one call takes."""

    best: float
    median: float
    rounds: int


def now() -> tuple[float, float]:
    """Return the time, and the time that the process has been running on a processor."""
    return time.perf_counter(), time.process_time()


def since(start: tuple[float, float]) -> float:
    """Return the seconds since then, less those in which others had the processor.

    Where two threads work at once, the process runs for longer than the time that passes: then it
    is the latter.
    """
    return min(end - begin for begin, end in zip(start, now(), strict=True))


def seconds(contender: Contender, number: int, *, warm: int = 1) -> float:
    """Return the mean time of some calls in a row, whose results are dropped one by one.

    They come after `warm` calls that do not count: some contenders share their columns with others,
    who have just read them, and some have columns of their own.
    """
    call, prepare = contender
    if prepare is not None:
        prepare()
    for _ in range(warm):
        call()
    turns = range(number)
    start = now()
    for _ in turns:
        call()
    return since(start) / number


def interleaved(contenders: Mapping[str, Contender], allowance: float = 0.4) -> dict[str, Timing]:
    """Time each contender in turn, over and over.

    Parameters
    ----------
    contenders
        What to call, by name.
    allowance
        Seconds after which a contender sits out the rest, if it had its fewest rounds.
    """
    numbers: dict[str, int] = {}
    warm: dict[str, int] = {}
    for name, contender in contenders.items():
        once = max(seconds(contender, 1), 1e-9)
        numbers[name] = max(1, round(SAMPLE / once))
        warm[name] = WARM if once < LONG else 0
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    spent = dict.fromkeys(contenders, 0.0)
    names = list(contenders)
    collecting = gc.isenabled()
    gc.disable()
    try:
        for turn in range(MOST):
            # Rotated, so that nobody always finds the caches as the same other one left them.
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                if turn < FEWEST or spent[name] < allowance:
                    began = now()
                    sample = seconds(contenders[name], numbers[name], warm=warm[name])
                    samples[name].append(sample)
                    spent[name] += since(began)
            if turn >= FEWEST and all(used >= allowance for used in spent.values()):
                break
    finally:
        if collecting:
            gc.enable()
    return {name: Timing(min(taken), median(taken), len(taken)) for name, taken in samples.items()}
