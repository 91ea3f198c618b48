"""What the indicators are made of. The arithmetic is specified here, operation by operation.

Every class takes the next values of a column with ``run`` and returns as many results; any cutting
of a column into runs gives the same bits. The reasons for the shapes of the sums are told in the
Rust sources, ``crates/core/src/primitives``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from ...errors import StateError
from .state import Reader, Writer

Column: TypeAlias = npt.NDArray[np.float64]

#: Values of this magnitude or more, and infinite ones, are averaged one by one.
LIMIT = 2.0**1000

#: No part of a block of values below that comes near this, in a saved state.
_MOST = 2.0**1010

#: Bars of a block of the recurrence.
BARS = 16

#: Variance at the first return.
LONG_RUN = 1e-6

#: In a saved state, in place of the count of a seed that is refused.
_REFUSED = 2**64 - 1


@runtime_checkable
class State(Protocol):
    """A part of a kernel that remembers."""

    def save(self, to: Writer) -> None: ...

    def load(self, source: Reader) -> None: ...


class Ewm:
    """Exponentially weighted mean: ``y[t] = alpha * x[t] + (1 - alpha) * y[t-1]``.

    Starts with the first present value. A missing value repeats the result; unless `hold`, the
    weight of the past decays all the same.

    Bars are taken in blocks, which end at every :data:`BARS`-th bar; after a start or a gap a
    shorter one begins. Within a block, prices are relative to a level ``c`` near them, and a
    weighted sum of the block's own bars, the `scan`, runs from zero. With ``z`` the mean before the
    block, relative to the level, ``y[k] = c + (scan[k] + beta**(k+1) * z)``.
    """

    def __init__(self, alpha: float, *, hold: bool = False) -> None:
        self.alpha = alpha
        self.powers = _powers(alpha)
        self.hold = hold
        self.phase = 0  # bars taken, modulo BARS
        self.mean = math.nan  # the last result
        self.weight = 1.0  # of the past, at the next bar outside a block
        self.in_block = False
        self.last = math.nan  # the last present value
        # The last block: its level, the past before it, the scan so far and its number of bars.
        # One that has ended, and an empty one, wait for the next block's level.
        self.level = self.past = self.scan = 0.0
        self.count = 0

    def run(self, x: Column) -> Column:
        out = np.empty_like(x)
        extraordinary = np.flatnonzero(~(np.abs(x) < LIMIT))
        start = 0
        while start < len(x):
            stop = _next(extraordinary, start, len(x))
            if self.in_block and stop > start:
                if self.phase:  # no further than the end of this block
                    stop = min(stop, start + BARS - self.phase)
                out[start:stop] = self._blocks(x[start:stop])
                self.skip(stop - start)
                start = stop
            else:
                out[start] = self._serial(float(x[start]))
                self.skip()
                start += 1
        return out

    def skip(self, bars: int = 1) -> None:
        """Let bars pass that are not for the mean."""
        self.phase = (self.phase + bars) % BARS

    def seed(self, mean: float) -> None:
        """Start over from a mean that was formed elsewhere."""
        self._settle(mean, mean)

    def _serial(self, x: float) -> float:
        """One bar outside a block: after a start or a gap, or of extreme value."""
        beta = float(self.powers[1])
        if self.in_block:
            self.in_block, self.weight = False, 1.0
        if math.isnan(x):
            if not self.hold and not math.isnan(self.mean):
                self.weight *= beta
            return self.mean
        weight = self.weight * beta
        if math.isnan(self.mean) or weight == 0.0:
            mean = x
        elif abs(x) < LIMIT and abs(self.mean) < LIMIT:
            mean = self.mean + self.alpha * (x - self.mean) / (weight + self.alpha)
        else:
            mean = (weight * self.mean + self.alpha * x) / (weight + self.alpha)
        self._settle(mean, x)
        return mean

    def _settle(self, mean: float, last: float) -> None:
        self.mean, self.weight, self.last = mean, 1.0, last
        self.in_block = abs(mean) < LIMIT and abs(last) < LIMIT and self.powers[1] != 0.0
        self.level = mean if self.in_block else 0.0
        self.past = self.scan = 0.0
        self.count = 0

    def _blocks(self, x: Column) -> Column:
        """Bars of ordinary value: all blocks at once, one row each."""
        begun = self.count if self.phase else 0
        rows = -(-(begun + len(x)) // BARS)
        grid = np.zeros((rows, BARS))
        grid.flat[begun : begun + len(x)] = x

        # The level: the smaller in magnitude of the block's first value and the one before it.
        first, before = grid[:, 0], np.append(self.last, grid[:-1, -1])
        level = np.where(np.abs(first) < np.abs(before), first, before)
        if begun:
            level[0] = self.level

        beta = float(self.powers[1])
        scan = self.alpha * (grid - level[:, None])
        if begun:
            scan[0, begun - 1] = self.scan
        for k in range(1, BARS):
            fresh = slice(1 if k < begun else 0, None)
            scan[fresh, k] += beta * scan[fresh, k - 1]

        # From block to block: one multiplication and one addition carry the past.
        past = self.past
        if not begun:
            decay = float(self.powers[self.count])
            past = float((self.scan + (self.level - level[0])) + decay * past)
        pasts, decay = [past], float(self.powers[BARS])
        for gain in (scan[:-1, -1] + (level[:-1] - level[1:])).tolist():
            past = gain + decay * past
            pasts.append(past)

        result = level[:, None] + (scan + self.powers[1:] * np.array(pasts)[:, None])
        out: Column = result.ravel()[begun : begun + len(x)]
        self.count = (begun + len(x) - 1) % BARS + 1
        self.level, self.past, self.scan = float(level[-1]), past, float(scan[-1, self.count - 1])
        self.last, self.mean = float(x[-1]), float(out[-1])
        return out

    def save(self, to: Writer) -> None:
        to.integer(self.phase)
        to.float(self.mean)
        to.float(self.weight)
        to.flag(self.in_block)
        if self.in_block:
            to.floats(np.array([self.last, self.level, self.past, self.scan]))
            to.integer(self.count)

    def load(self, source: Reader) -> None:
        self.phase = source.integer()
        if self.phase >= BARS:
            raise StateError("a block is longer than blocks are")
        self.mean, self.weight = source.float(), source.float()
        self.in_block = source.flag()
        if self.in_block:
            self.last, self.level, self.past, self.scan = source.floats(4).tolist()
            parts = (self.level, self.past, self.scan)
            if not abs(self.last) < LIMIT or not all(abs(part) < _MOST for part in parts):
                raise StateError("an average is not one of numbers")
            self.count = source.integer()
            if self.count > (self.phase or BARS):
                raise StateError("a block is longer than blocks are")


class Level:
    """Level behind noise, by a Kalman filter of one dimension; NaN at missing values.

    The level walks with variance `q`, and is seen with errors of variance `r`. As soon as the
    variance of the estimate no longer falls, the gain is held, and the estimate goes on as an
    exponentially weighted mean.
    """

    def __init__(self, r: float, q: float) -> None:
        self.r, self.q = r, q
        self.variance = math.nan  # of the estimate; NaN before the first value
        self.estimate = math.nan  # the last one, until the gain is held
        self.gain = math.nan  # the one that is held, and the mean that has it
        self.mean: Ewm | None = None
        self.phase = 0  # bars taken until then, modulo BARS

    def run(self, x: Column) -> Column:
        out = np.empty_like(x)
        gaps = np.flatnonzero(np.isnan(x))
        start = 0
        while start < len(x):
            if self.mean is not None:
                stop = _next(gaps, start, len(x))
                out[start:stop] = self.mean.run(x[start:stop])
                start = stop
                if start == len(x):
                    break
            value = float(x[start])
            out[start] = self._missing() if math.isnan(value) else self._serial(value)
            start += 1
        return out

    def _missing(self) -> float:
        if self.mean is not None:
            self.estimate, self.phase, self.mean = self.mean.mean, self.mean.phase, None
        self.phase = (self.phase + 1) % BARS
        self.variance += self.q
        return math.nan

    def _serial(self, x: float) -> float:
        """One present bar at which the gain may change."""
        self.phase = (self.phase + 1) % BARS
        before, predicted = self.estimate, self.variance + self.q
        gain = predicted / (predicted + self.r)
        variance = gain * self.r
        first = math.isnan(self.variance)
        if first or math.isnan(before) or gain >= 1.0:
            self.estimate = x
        elif abs(x) < LIMIT and abs(before) < LIMIT:
            self.estimate = before + gain * (x - before)
        else:
            self.estimate = (1.0 - gain) * before + gain * x
        if variance >= self.variance and gain < 1.0:
            self.gain, self.mean = gain, Ewm(gain, hold=True)
            self.mean.skip(self.phase)
            self.mean.seed(self.estimate)
        self.variance = self.r if first else variance
        return self.estimate

    def save(self, to: Writer) -> None:
        to.float(self.variance)
        to.flag(self.mean is not None)
        if self.mean is None:
            to.float(self.estimate)
            to.integer(self.phase)
        else:
            to.float(self.gain)
            self.mean.save(to)

    def load(self, source: Reader) -> None:
        self.variance = source.float()
        if self.variance < 0.0:
            raise StateError("a variance is negative")
        if source.flag():
            self.gain = source.float()
            if not 0.0 <= self.gain < 1.0:
                raise StateError("a gain is not that of a filter")
            self.mean = Ewm(self.gain, hold=True)
            self.mean.load(source)
        else:
            self.estimate = source.float()
            self.phase = source.integer()
            if self.phase >= BARS:
                raise StateError("a block is longer than blocks are")


class Garch:
    """Variance of returns, by GARCH(1, 1) with a floor; see the formula of ``garch_volatility``.

    There are no results until `wait` bars after the first return.
    """

    def __init__(self, omega: float, alpha: float, beta: float, floor: float, wait: int) -> None:
        self.omega, self.alpha, self.beta = omega, alpha, beta
        self.floor = floor
        self.wait = wait
        self.bars = 0  # after the first return
        self.mean = math.nan  # the first return
        self.variance = math.nan
        self.surprise = 0.0  # squared deviation of the last return

    def run(self, returns: Column) -> Column:
        return np.array([self._one(one) for one in returns.tolist()], np.float64)

    def _one(self, one: float) -> float:
        if math.isnan(self.mean):
            if not math.isfinite(one):
                return math.nan
            self.mean = one
            self.variance = self._at_least(LONG_RUN)
        else:
            self.bars += 1
            if math.isfinite(one):
                expected = self.omega + self.alpha * self.surprise + self.beta * self.variance
                self.variance = self._at_least(expected)
                deviation = one - self.mean
                self.surprise = deviation * deviation
        return math.nan if self.bars < self.wait else self.variance

    def _at_least(self, variance: float) -> float:
        return max(self.floor, variance)

    def save(self, to: Writer) -> None:
        to.floats(np.array([self.mean, self.variance, self.surprise]))
        to.integer(self.bars)

    def load(self, source: Reader) -> None:
        self.mean, self.variance, self.surprise = source.floats(3).tolist()
        self.bars = source.integer()


class Wilder:
    """Wilder's average: the mean of the first `period` values, then ``alpha = 1 / period``.

    Missing values repeat the result. The seed begins with the first present value; if one of its
    values is not finite, there is no result, ever.
    """

    def __init__(self, period: int) -> None:
        self.period = period
        self.seed = SeedMean(period)
        self.refused = False
        self.ewm = Ewm(1.0 / period, hold=True)

    def run(self, x: Column) -> Column:
        out = np.full_like(x, np.nan)
        start = 0
        while start < len(x) and self.seed.count < self.period and not self.refused:
            value = float(x[start])
            if math.isfinite(value):
                self.seed.push(value)
                if self.seed.count == self.period:
                    self.ewm.seed(self.seed.mean())
                    out[start] = self.ewm.mean
            elif self.seed.count or not math.isnan(value):
                self.refused = True
            self.ewm.skip()
            start += 1
        if self.refused:
            self.ewm.skip(len(x) - start)
        else:
            out[start:] = self.ewm.run(x[start:])
        return out

    def save(self, to: Writer) -> None:
        to.integer(_REFUSED if self.refused else self.seed.count)
        if self.seed.count < self.period and not self.refused:
            self.seed.save(to)
        self.ewm.save(to)

    def load(self, source: Reader) -> None:
        taken = source.integer()
        self.refused = taken == _REFUSED
        if taken > self.period and not self.refused:
            raise StateError("more values in a seed than it has")
        if taken < self.period:
            self.seed.load(source)
            if self.seed.count != taken:
                raise StateError("a seed does not match its count")
        elif not self.refused:
            self.seed.count = taken
        self.ewm.load(source)
        if taken != self.period and self.ewm.in_block:
            raise StateError("an average without its seed")


class SeedMean:
    """Mean of `period` values, bit for bit that of :class:`WindowMean`, formed as they come.

    A binary counter: wherever its count has a digit, the sum of so many values waits. These are
    the very pieces of the window.
    """

    def __init__(self, period: int) -> None:
        self.period = period
        self.count = 0
        self.pieces: dict[int, float] = {}

    def push(self, x: float) -> None:
        level = 0
        while level in self.pieces:
            x += self.pieces.pop(level)
            level += 1
        self.pieces[level] = x
        self.count += 1

    def mean(self) -> float:
        mean = np.empty(0)
        for level, newer in _pieces(self.period):
            if newer is not None:
                older = np.array([self.pieces[level] * 2.0**-level])
                mean = _join(mean, older, newer, level) if newer else older
        return float(mean[0])

    def save(self, to: Writer) -> None:
        to.integer(self.count)
        to.floats(np.array([self.pieces[level] for level in sorted(self.pieces)]))

    def load(self, source: Reader) -> None:
        self.count = source.integer()
        if self.count > self.period:
            raise StateError("more values in a seed than it has")
        levels = [level for level in range(self.count.bit_length()) if self.count >> level & 1]
        self.pieces = dict(zip(levels, source.floats(len(levels)).tolist(), strict=True))


class WindowMean:
    """Mean of the last `period` values; NaN unless all of them are present.

    Sums over 1, 2, 4, ... bars come from two of half the length. A window is put together from
    those in the binary digits of its length, the shortest newest; see :func:`_join`.
    """

    def __init__(self, period: int) -> None:
        self.period = period
        self.history: Column = np.full(period - 1, np.nan)

    def run(self, x: Column) -> Column:
        total = np.append(self.history, x)
        self.history = total[len(x) :]
        mean = np.empty(0)
        for level, newer in _pieces(self.period):
            if newer is not None:
                older = _delayed(total, newer) * 2.0**-level
                mean = _join(mean, older, newer, level) if newer else older
            total = _delayed(total, 1 << level) + total
        return mean[self.period - 1 :]

    def save(self, to: Writer) -> None:
        to.floats(self.history)

    def load(self, source: Reader) -> None:
        self.history = source.floats(len(self.history))


class WindowMax:
    """Largest of the last `period` values; NaN unless all of them are present. Zeros have no sign.

    From windows of 1, 2, 4, ... bars; the last two overlap.
    """

    def __init__(self, period: int) -> None:
        self.period = period
        self.history: Column = np.full(period - 1, np.nan)

    def run(self, x: Column) -> Column:
        largest = np.append(self.history, x)
        self.history = largest[len(x) :]
        largest = largest + 0.0
        length = 1
        while length < self.period:
            step = min(length, self.period - length)
            largest = np.maximum(_delayed(largest, step), largest)
            length += step
        return largest[self.period - 1 :]

    def save(self, to: Writer) -> None:
        to.floats(self.history)

    def load(self, source: Reader) -> None:
        self.history = source.floats(len(self.history))


class WindowMoments:
    """Mean, and sum of squared deviations from it, of the last `period` values.

    As :class:`WindowMean`, with a second number for each piece of ``n`` bars: `scaled`, which is
    ``n`` times its sum of squared deviations from its own mean.
    """

    def __init__(self, period: int) -> None:
        self.period = period
        self.history: Column = np.full(period - 1, np.nan)

    def run(self, x: Column) -> tuple[Column, Column]:
        total = np.append(self.history, x)
        self.history = total[len(x) :]
        scaled = np.zeros_like(total)
        mean = squares = np.empty(0)
        for level, newer in _pieces(self.period):
            length = 1 << level
            if newer is not None:
                older = _delayed(total, newer) * 2.0**-level
                older_squares = _delayed(scaled, newer) * 2.0**-level
                if newer:
                    difference = mean - older
                    weight = newer * length / (newer + length)
                    squares = (squares + older_squares) + difference * difference * weight
                    mean = _join(mean, older, newer, level)
                else:
                    mean, squares = older, older_squares
            earlier = _delayed(total, length)
            difference = earlier - total
            scaled = 2.0 * (_delayed(scaled, length) + scaled) + difference * difference
            total = earlier + total
        return mean[self.period - 1 :], squares[self.period - 1 :]

    def save(self, to: Writer) -> None:
        to.floats(self.history)

    def load(self, source: Reader) -> None:
        self.history = source.floats(len(self.history))


class WindowScore:
    """Values in units of the sample deviation of the last `period` of them."""

    def __init__(self, period: int) -> None:
        self.moments = WindowMoments(period)
        self.per_degree = 1.0 / (period - 1) if period > 1 else np.inf

    def run(self, x: Column) -> Column:
        _, squares = self.moments.run(x)
        return x / np.sqrt(squares * self.per_degree)

    def save(self, to: Writer) -> None:
        self.moments.save(to)

    def load(self, source: Reader) -> None:
        self.moments.load(source)


class Delay:
    """The value `by` bars ago."""

    def __init__(self, by: int) -> None:
        self.history: Column = np.full(by, np.nan)

    def run(self, x: Column) -> Column:
        column = np.append(self.history, x)
        self.history = column[len(x) :]
        return column[: len(x)]

    def save(self, to: Writer) -> None:
        to.floats(self.history)

    def load(self, source: Reader) -> None:
        self.history = source.floats(len(self.history))


def larger_present(a: Column, b: Column) -> Column:
    """Return the larger of two values, the other one when one is NaN."""
    return np.where((b > a) | np.isnan(a), b, a)


def log(x: Column) -> Column:
    """Return the natural logarithm by the operations of the ``libm`` crate, and so with its bits.

    That is fdlibm's ``e_log.c``: ``x = 2**k * (1 + f)`` with ``1 + f`` near one, and a polynomial
    in ``f / (2 + f)``.
    """
    k, f = _reduced(x)
    half, s, r = _polynomial(f)
    y = s * (half + r) + k * 1.90821492927058770002e-10 - half + f + k * 6.93147180369123816490e-01
    return _outside(x, y)


def log10(x: Column) -> Column:
    """Return the logarithm to base 10 likewise, by the operations of ``e_log10.c``."""
    k, f = _reduced(x)
    half, s, r = _polynomial(f)
    high = ((f - half).view(np.uint64) & np.uint64(0xFFFFFFFF << 32)).view(np.float64)
    low = f - high - half + s * (half + r)
    y = k * 3.01029995663611771306e-01
    per_ten, per_ten_low = 4.34294481878168880939e-01, 2.50829467116452752298e-11
    large = high * per_ten
    small = k * 3.69423907715893078616e-13 + (low + high) * per_ten_low + low * per_ten
    total = y + large
    return _outside(x, small + ((y - total) + large) + total)


def _reduced(x: Column) -> tuple[Column, Column]:
    """Return ``k`` and ``f`` for numbers above zero; anything for others."""
    tiny = np.abs(x) < 2.0**-1022
    bits = np.where(tiny, x * 2.0**54, x).view(np.uint64)
    high = (bits >> np.uint64(32)).astype(np.int64) + (0x3FF00000 - 0x3FE6A09E)
    k = (high >> 20) - 0x3FF - np.where(tiny, 54, 0)
    mantissa = ((high & 0xFFFFF) + 0x3FE6A09E).astype(np.uint64) << np.uint64(32)
    reduced = (mantissa | (bits & np.uint64(0xFFFFFFFF))).view(np.float64)
    return k.astype(np.float64), reduced - 1.0


def _polynomial(f: Column) -> tuple[Column, Column, Column]:
    """Return ``f * f / 2``, ``s = f / (2 + f)``, and what ``log(1 + f)`` has beyond ``2 * s``."""
    half = 0.5 * f * f
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (
        3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01)
    )
    odd = z * (
        6.666666666666735130e-01
        + w
        * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01))
    )
    return half, s, odd + even


def _outside(x: Column, y: Column) -> Column:
    """Replace logarithms of what is not a number above zero, and infinite."""
    y = np.where(x > 0.0, y, np.where(x == 0.0, -np.inf, np.nan))
    return np.where(x == np.inf, x, y)


def _next(positions: npt.NDArray[np.intp], start: int, end: int) -> int:
    """First of the sorted positions from `start` on, else `end`."""
    at = int(np.searchsorted(positions, start))
    return int(positions[at]) if at < len(positions) else end


def _pieces(period: int) -> Iterator[tuple[int, int | None]]:
    """For each level, how many bars of the window are newer than its piece; None without one."""
    for level in range(period.bit_length()):
        newer = period & ((1 << level) - 1)
        yield level, newer if period >> level & 1 else None


def _join(newer_mean: Column, older_mean: Column, newer: int, level: int) -> Column:
    """Mean over a piece of ``2**level`` bars and the `newer` bars after it."""
    every = newer + (1 << level)
    difference = newer_mean - older_mean
    # Infinite means, equal ones above all, have no difference to speak of.
    return np.where(
        np.abs(difference) < np.inf,
        older_mean + difference * (newer / every),
        newer_mean * (newer / every) + older_mean * ((1 << level) / every),
    )


def _delayed(x: Column, by: int) -> Column:
    return np.append(np.full(min(by, len(x)), np.nan), x[: max(len(x) - by, 0)])


def _powers(alpha: float) -> Column:
    """Return the powers 0 to BARS of the exact ``1 - alpha``, to the last digit.

    With twice the digits, each number as the sum of two (Dekker, 1971).
    """
    rounded = 1.0 - alpha
    powers = [(1.0, 0.0), (rounded, (1.0 - rounded) - alpha)]
    for k in range(2, BARS + 1):
        powers.append(_product(powers[k // 2], powers[k - k // 2]))
    return np.array([high for high, _ in powers])


def _product(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    high = a[0] * b[0]
    (a1, a2), (b1, b2) = _halves(a[0]), _halves(b[0])
    lost = ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2
    low = lost + (a[0] * b[1] + a[1] * b[0])
    total = high + low
    return total, (high - total) + low


def _halves(x: float) -> tuple[float, float]:
    """Return two numbers with half the digits of `x`, whose products are exact."""
    shifted = x * 134217729.0
    high = shifted - (shifted - x)
    return high, x - high
