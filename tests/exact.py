"""What the indicators should be, without any rounding that matters, one function for each.

Numbers are whole multiples of 2**-SCALE, kept as Python's integers. All floats down to the smallest
denormal are such multiples, so sums, differences, products with integers and window sums are exact.
Only a division is rounded, down to a multiple of 2**-SCALE: at most 2**-126 of the smallest float.
An exponentially weighted mean divides once per bar and forgets as it goes, so over a million bars
of memory its error stays below 2**-100 of the smallest float. Smoothing factors are taken as the
rational numbers that the definitions say, 2 / (period + 1) and 1 / period, so what a kernel
loses by rounding them is part of its measured error.

Each oracle takes columns of such numbers, None where a bar is missing, and the parameters as the
package's functions do. For each output it returns the values, None where there is none, and the
magnitudes that the declared accuracy speaks of, None where nothing is promised. The definitions
are written out here once more, for exactness; nothing of the package is used.
"""

from __future__ import annotations

import functools
import math
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

from .bars import Array

SCALE = 1200
ONE = 1 << SCALE

#: The smallest normal float: below, errors are no longer in proportion.
SMALLEST = ONE >> 1022

#: Its square root, and what errors of squares below the smallest float do to a root.
SMALLEST_ROOT = ONE >> 484

#: Bars for which a kernel keeps to one level.
BLOCK = 16

#: Beyond this the next operations may overflow, and nothing is promised.
HUGE = ONE << 1000

Number: TypeAlias = int | None
Column: TypeAlias = list[Number]


class Exact(NamedTuple):
    """An output."""

    values: Column
    magnitudes: Column


Oracle: TypeAlias = Callable[..., list[Exact]]


# --- between floats and exact numbers ---


def number(x: float) -> int:
    """A float without any loss."""
    numerator, denominator = x.as_integer_ratio()
    return numerator * (ONE // denominator)


def column(x: Array) -> Column:
    """A column of floats, in which NaN means missing."""
    return [None if math.isnan(value) else number(value) for value in x.tolist()]


def ulps(result: float, value: int, magnitude: int) -> float:
    """The error of a result as a multiple of 2**-53 times the magnitude."""
    error: int = abs(number(result) - value) << 53
    return error / max(magnitude, SMALLEST)


def errors(results: Array, exact: Exact) -> Iterable[float]:
    """The errors of the results of which one is promised; infinite where only one is a number."""
    for result, value, magnitude in zip(
        results.tolist(), exact.values, exact.magnitudes, strict=True
    ):
        if value is None:
            if not math.isnan(result):
                yield math.inf
        elif magnitude is not None:
            yield ulps(result, value, magnitude) if math.isfinite(result) else math.inf


# --- what the definitions are made of ---


def ewm(x: Column, alpha: Fraction) -> Column:
    """``y = (w * y + alpha * x) / (w + alpha)``, ``w = (1 - alpha) ** (1 + missing bars)``."""
    mine, all_of = alpha.as_integer_ratio()
    rest = all_of - mine
    y: Number = None
    out: Column = []
    past, scale = rest, 1
    for value in x:
        if value is None:
            if y is not None:
                past, scale = past * rest, scale * all_of
        else:
            y = value if y is None else (past * y + mine * scale * value) // (past + mine * scale)
            past, scale = rest, 1
        out.append(y)
    return out


def magnitude_of_ewm(x: Column, alpha: Fraction) -> Column:
    """The same mean of magnitudes, or the level that a kernel may have worked at, if larger.

    A kernel may do its arithmetic relative to a value near by, as long as one outlier alone cannot
    become that value: the smaller of two neighbours, up to sixteen bars ago. What it lost there
    fades like all the past. The errors of each bar add up for as long as it is remembered, in the
    worst case; hence the factor.
    """
    sizes = sizes_of(x)
    levels: Column = []
    before = 0
    for size in sizes:
        levels.append(None if size is None else min(size, before))
        before = before if size is None else size
    return larger(ewm(sizes, alpha), faded(levels, alpha), alpha)


def faded(levels: Column, alpha: Fraction) -> list[int]:
    """The highest level of the last sixteen, or, faded by ``1 - alpha`` a bar, from before."""
    mine, all_of = alpha.as_integer_ratio()
    recent: deque[int] = deque([0] * BLOCK)
    out = []
    reached = 0
    for level in levels:
        if level is not None:
            reached = max(reached * (all_of - mine) // all_of, recent.popleft())
            recent.append(level)
        out.append(max(reached, *recent))
    return out


def larger(means: Column, levels: list[int], alpha: Fraction) -> Column:
    """The larger of both, times ``1 + 1 / alpha``."""
    mine, all_of = alpha.as_integer_ratio()
    return [
        None if mean is None else max(mean, level, SMALLEST) * (mine + all_of) // mine
        for mean, level in zip(means, levels, strict=True)
    ]


def span(period: int) -> Fraction:
    return Fraction(2, period + 1)


def windows(x: Column, period: int, power: int = 1) -> Column:
    """The sum of a power over the last bars; None unless all are present."""
    out: Column = []
    total = present = 0
    for t, value in enumerate(x):
        if value is not None:
            total += value**power
            present += 1
        if t >= period and (gone := x[t - period]) is not None:
            total -= gone**power
            present -= 1
        out.append(total if present == period else None)
    return out


def mean_and_std(x: Column, period: int) -> tuple[Column, Column]:
    """Mean and sample deviation of the last bars."""
    sums, squares = windows(x, period), windows(x, period, 2)
    mean = [None if s is None else s // period for s in sums]
    if period == 1:
        return mean, [None] * len(x)
    degrees = period * (period - 1)
    std: Column = [
        None if s is None or q is None else math.isqrt((period * q - s * s) // degrees)
        for s, q in zip(sums, squares, strict=True)
    ]
    return mean, std


def sizes_of(x: Column) -> Column:
    return [None if value is None else abs(value) for value in x]


def delayed(x: Column, by: int) -> Column:
    return ([None] * by + x)[: len(x)]


def minus(a: Column, b: Column) -> Column:
    return [None if p is None or q is None else p - q for p, q in zip(a, b, strict=True)]


def plus(a: Column, b: Column) -> Column:
    return [None if p is None or q is None else p + q for p, q in zip(a, b, strict=True)]


def share(part: int, whole: int) -> int:
    """In percent."""
    return 100 * part * ONE // whole


def times_conditions(value: int, *averages: tuple[Number, Number]) -> Number:
    """The value times the sum of how much each average's error may exceed its size.

    None where one is a denormal: its relative error can be anything.
    """
    total = 0
    for size, average in averages:
        if size is None or average is None or average < SMALLEST:
            return None
        total += size * ONE // average
    return value * total // ONE


# --- the oracles ---


def sma(x: Column, period: int) -> list[Exact]:
    return [Exact(mean_and_std(x, period)[0], mean_and_std(sizes_of(x), period)[0])]


def ema(x: Column, period: int) -> list[Exact]:
    return [Exact(ewm(x, span(period)), magnitude_of_ewm(x, span(period)))]


def macd(x: Column, fast: int, slow: int, signal: int) -> list[Exact]:
    value = minus(ewm(x, span(fast)), ewm(x, span(slow)))
    average = ewm(value, span(signal))
    size = plus(magnitude_of_ewm(x, span(fast)), magnitude_of_ewm(x, span(slow)))
    size_of_average = plus(ewm(size, span(signal)), magnitude_of_ewm(value, span(signal)))
    return [
        Exact(value, size),
        Exact(average, size_of_average),
        Exact(minus(value, average), plus(size, size_of_average)),
    ]


def roc(x: Column, period: int) -> list[Exact]:
    values: Column = []
    sizes: Column = []
    for now, before in zip(x, delayed(x, period), strict=True):
        if now is None or before is None:
            value, size = None, None
        elif before == 0:
            # IEEE division: 0 / 0 is NaN. Anything else by 0 is infinite.
            value, size = (None, None) if now == 0 else (0, None)
        else:
            value = 100 * (now - before) * ONE // before
            size = abs(value) if abs(value) < HUGE else None
        values.append(value)
        sizes.append(size)
    return [Exact(values, sizes)]


def rsi(x: Column, period: int) -> list[Exact]:
    change = minus(x, delayed(x, 1))
    alpha = Fraction(1, period)
    gains: Column = [None if d is None else max(d, 0) for d in change]
    losses: Column = [None if d is None else max(-d, 0) for d in change]
    values: Column = []
    sizes: Column = []
    for gain, loss, gain_size, loss_size in zip(
        ewm(gains, alpha),
        ewm(losses, alpha),
        magnitude_of_ewm(gains, alpha),
        magnitude_of_ewm(losses, alpha),
        strict=True,
    ):
        value: Number = None
        size: Number = None
        if gain is not None and loss is not None and gain + loss > 0:
            value = share(gain, gain + loss)
            size = times_conditions(value, (gain_size, gain), (loss_size, loss))
            if gain + loss >= SMALLEST and 0 in {gain, loss}:
                size = value
        values.append(value)
        sizes.append(size)
    return [Exact(values, sizes)]


def true_range(high: Column, low: Column, close: Column) -> list[Exact]:
    values: Column = []
    for h, l, before in zip(high, low, delayed(close, 1), strict=True):  # noqa: E741
        three = []
        if h is not None and l is not None:
            three.append(h - l)
        if h is not None and before is not None:
            three.append(abs(h - before))
        if l is not None and before is not None:
            three.append(abs(l - before))
        values.append(max(three, default=None))
    return [Exact(values, sizes_of(values))]


def atr(high: Column, low: Column, close: Column, period: int) -> list[Exact]:
    ranges = true_range(high, low, close)[0].values
    first = next((t for t, value in enumerate(ranges) if value is not None), len(ranges))
    seed = [value for value in ranges[first : first + period] if value is not None]
    if len(seed) < period:
        nothing: Column = [None] * len(ranges)
        return [Exact(nothing, nothing)]
    y = sum(seed) // period
    values: Column = [None] * (first + period - 1) + [y]
    levels: Column = [None] * (first + period - 1) + [y]
    before = seed[-1]
    for value in ranges[first + period :]:
        if value is not None:
            y = (y * (period - 1) + value) // period
        values.append(y)
        levels.append(None if value is None else min(value, before))
        before = before if value is None else value
    alpha = Fraction(1, period)
    return [Exact(values, larger(values, faded(levels, alpha), alpha))]


def choppiness(high: Column, low: Column, close: Column, period: int) -> list[Exact]:
    ways = windows(true_range(high, low, close)[0].values, period)
    digits = logarithm_to_ten(period, 1)
    values: Column = []
    sizes: Column = []
    negated: Column = [None if value is None else -value for value in low]
    for way, top, bottom in zip(ways, largest(high, period), largest(negated, period), strict=True):
        value: Number = None
        size: Number = None
        if way is not None and top is not None and bottom is not None:
            distance = top + bottom
            if distance and way * distance > 0:
                value = share(logarithm_to_ten(way, distance), digits)
                # With few digits, or none that a float has, there is no relative error to speak of.
                if min(way, abs(distance)) > SMALLEST << 60 and max(way, distance) < HUGE:
                    size = share(ONE, digits) + abs(value)
            elif distance and way == 0:
                # Minus infinity.
                value = 0
        values.append(value)
        sizes.append(size)
    return [Exact(values, sizes)]


def largest(x: Column, period: int) -> Column:
    """The largest of the last values; None unless all are present."""
    out: Column = []
    falling: deque[tuple[int, int]] = deque()
    gap = -1
    for t, value in enumerate(x):
        if value is None:
            gap = t
        else:
            while falling and falling[-1][1] <= value:
                falling.pop()
            falling.append((t, value))
        while falling and falling[0][0] <= t - period:
            falling.popleft()
        out.append(falling[0][1] if t - period >= gap else None)
    return out


def dmi(high: Column, low: Column, close: Column, period: int) -> list[Exact]:
    alpha = Fraction(1, period)
    up, down = minus(high, delayed(high, 1)), minus(delayed(low, 1), low)
    plus_moves: Column = []
    minus_moves: Column = []
    for u, d in zip(up, down, strict=True):
        if u is None or d is None:
            u = d = 0  # noqa: PLW2901 - comparisons with a missing bar are false
        plus_moves.append(u if u > d and u > 0 else 0)
        minus_moves.append(d if d > u and d > 0 else 0)
    ranges = true_range(high, low, close)[0].values
    averages = [ewm(x, alpha) for x in (plus_moves, minus_moves, ranges)]
    sizes = [magnitude_of_ewm(x, alpha) for x in (plus_moves, minus_moves, ranges)]
    indices = []
    for move, move_size in zip(averages[:2], sizes[:2], strict=True):
        index: Column = []
        index_size: Column = []
        for part, part_size, whole, whole_size in zip(
            move, move_size, averages[2], sizes[2], strict=True
        ):
            if part is None or not whole:
                index.append(None)
                index_size.append(None)
                continue
            value = share(part, whole)
            index.append(value)
            if part or whole < SMALLEST:
                conditions = (part_size, part), (whole_size, whole)
                index_size.append(times_conditions(value, *conditions))
            else:
                index_size.append(0)
        indices.append(Exact(index, index_size))
    dx: Column = []
    dx_size: Column = []
    known = True
    for p, m, p_size, m_size, whole in zip(*averages[:2], *sizes[:2], averages[2], strict=True):
        if p is None or m is None or not whole or p + m == 0:
            dx.append(None)
            dx_size.append(None)
        else:
            # From where the sum is a denormal, whether it is zero to a kernel cannot be known.
            known &= p + m >= SMALLEST
            dx.append(share(abs(p - m), p + m))
            dx_size.append(share((p_size or 0) + (m_size or 0), p + m) if known else 0)
    adx = ewm(dx, alpha)
    adx_size = plus(ewm(dx_size, alpha), magnitude_of_ewm(dx, alpha))
    return [*indices, Exact(adx, adx_size if known else [None] * len(dx))]


def bollinger(x: Column, period: int, std_factor: float) -> list[Exact]:
    middle, std = mean_and_std(x, period)
    size, _ = mean_and_std(sizes_of(x), period)
    factor = number(std_factor)
    upper: Column = []
    lower: Column = []
    band_size: Column = []
    for mean, deviation, scale in zip(middle, std, size, strict=True):
        if mean is None or deviation is None or scale is None:
            upper.append(None)
            lower.append(None)
            band_size.append(None)
        else:
            width = factor * deviation // ONE
            upper.append(mean + width)
            lower.append(mean - width)
            errors_of_std = deviation + scale + SMALLEST_ROOT
            band_size.append(scale + factor * errors_of_std // ONE)
    return [Exact(upper, band_size), Exact(middle, size), Exact(lower, band_size)]


def zscore(x: Column, window: int) -> list[Exact]:
    mean, std = mean_and_std(x, window)
    size, _ = mean_and_std(sizes_of(x), window)
    return [scores(minus(x, mean), std, size, size)]


def scores(distance: Column, std: Column, size: Column, size_of_std: Column) -> Exact:
    """Distances in deviations, with the magnitudes of the errors of both."""
    values: Column = []
    sizes: Column = []
    for away, deviation, scale, other in zip(distance, std, size, size_of_std, strict=True):
        if away is None or deviation is None or (away == 0 and deviation == 0):
            values.append(None)
            sizes.append(None)
            continue
        errors_of_std = deviation + (other or 0) + SMALLEST_ROOT
        # What is divided by must be known, at least to a few digits.
        if scale is None or other is None or deviation <= errors_of_std >> 44:
            values.append(0)
            sizes.append(None)
            continue
        value = away * ONE // deviation
        values.append(value)
        sizes.append((scale * ONE + abs(value) * errors_of_std) // deviation)
    return Exact(values, sizes)


def own_scores(x: Column, mean: Column, size: Column, window: int) -> Exact:
    """Distances from a mean in their own deviations, where `size` is the mean's magnitude."""
    distance = minus(x, mean)
    _, std = mean_and_std(distance, window)
    spread, _ = mean_and_std(sizes_of(distance), window)
    known = [None if e is None else s for e, s in zip(distance, size, strict=True)]
    return scores(distance, std, size, plus(spread, largest(known, window)))


def residual_zscore(
    x: Column, window: int, mean_source: str, ema_period: int | None
) -> list[Exact]:
    if mean_source == "ema":
        ((mean, size),) = ema(x, ema_period or window)
    else:
        ((mean, size),) = sma(x, window)
    return [own_scores(x, mean, size, window)]


def kalman_zscore(x: Column, window: int, R: float, Q: float) -> list[Exact]:  # noqa: N803
    ((mean, size),) = kalman_mean(x, R, Q)
    return [own_scores(x, mean, size, window)]


def kalman_garch_zscore(
    x: Column,
    R: float,  # noqa: N803
    Q: float,  # noqa: N803
    *garch: Any,  # noqa: ANN401 - the parameters there
    **named: Any,  # noqa: ANN401
) -> list[Exact]:
    ((mean, mean_size),) = kalman_mean(x, R, Q)
    ((volatility, volatility_size),) = garch_volatility(x, *garch, **named)
    values: Column = []
    sizes: Column = []
    for price, level, level_size, unit, unit_size in zip(
        x, mean, mean_size, volatility, volatility_size, strict=True
    ):
        if price is None or level is None or unit is None or not price * unit:
            values.append(None)
            sizes.append(None)
            continue
        whole = abs(price) * unit // ONE
        if unit_size is None or level_size is None or whole < SMALLEST << 60:
            values.append(0)
            sizes.append(None)
            continue
        value = (price - level) * ONE // whole
        values.append(value)
        of_unit = abs(value) + abs(value) * unit_size // unit
        sizes.append(level_size * ONE // whole + of_unit)
    return [Exact(values, sizes)]


def kalman_mean(x: Column, R: float, Q: float) -> list[Exact]:  # noqa: N803
    r, q = number(R), number(Q)
    values: Column = []
    sizes: Column = []
    estimate: Number = None
    variance = error = before = 0
    recent: deque[int] = deque([0] * BLOCK, BLOCK)
    for value in x:
        if value is None:
            variance += q
            values.append(None)
            sizes.append(None)
            continue
        recent.append(min(abs(value), before))
        before = abs(value)
        if estimate is None:
            estimate, variance = value, r
        else:
            gain = (variance + q) * ONE // (variance + q + r)
            error += max(abs(value), abs(estimate), *recent) - gain * error // ONE
            estimate += gain * (value - estimate) // ONE
            variance = gain * r // ONE
        values.append(estimate)
        sizes.append(error)
    return [Exact(values, sizes)]


def garch_volatility(
    x: Column,
    alpha: float,
    beta: float,
    omega: float | None,
    use_log_returns: bool,  # noqa: FBT001 - as it is declared
    scale: float,
    min_periods: int,
    sigma_floor: float,
) -> list[Exact]:
    a, b, times, floor = number(alpha), number(beta), number(scale), number(sigma_floor)
    lowest = max((ONE - a - b) * MILLIONTH // ONE, MILLIONTH * MILLIONTH // ONE)
    steady = lowest if omega is None else number(omega)
    floor = floor * floor // ONE
    values: Column = []
    sizes: Column = []
    mean: Number = None
    variance = surprise = error = bars = 0
    error_of_last = 0
    before: Number = None
    known = True
    for value in x:
        one = None
        if value is not None and before is not None and before:
            one = logarithm(value, before) if use_log_returns else (value - before) * ONE // before
        before = value
        if one is not None:
            one = one * times // ONE
        if mean is None:
            if one is None:
                values.append(None)
                sizes.append(None)
                continue
            mean = one
            variance = error = max(MILLIONTH, floor)
        else:
            bars += 1
            if one is not None:
                variance = max(steady + (a * surprise + b * variance) // ONE, floor)
                error = (b * error + a * error_of_last) // ONE + variance
                # Where the squares of floats would overflow or vanish, nothing can be known.
                deviation = abs(one - mean)
                known &= deviation < HUGE >> 500 and variance > SMALLEST << 20
                surprise = deviation * deviation // ONE
                error_of_last = deviation * (times + abs(one) + abs(mean)) // ONE
        if bars < min_periods:
            values.append(None)
            sizes.append(None)
            continue
        volatility = math.isqrt(variance * ONE) * ONE // times
        values.append(volatility)
        sizes.append(error * volatility // variance if known else None)
    return [Exact(values, sizes)]


#: A millionth as a float has it.
MILLIONTH = number(1e-6)

#: Digits of logarithms.
DIGITS = Context(prec=60, Emin=-(10**6), Emax=10**6)


@functools.cache
def logarithm(value: int, before: int) -> Number:
    """The logarithm of a ratio to 60 digits; None where there is none."""
    if value * before <= 0:
        return None
    ratio = DIGITS.divide(Decimal(abs(value)), Decimal(abs(before)))
    numerator, denominator = DIGITS.ln(ratio).as_integer_ratio()
    return numerator * ONE // denominator


@functools.cache
def logarithm_to_ten(value: int, other: int) -> int:
    """The same to base ten, of numbers above zero."""
    ratio = DIGITS.divide(Decimal(abs(value)), Decimal(abs(other)))
    numerator, denominator = DIGITS.log10(ratio).as_integer_ratio()
    return numerator * ONE // denominator


#: Every oracle by the indicator's name.
ORACLES: dict[str, Oracle] = {
    oracle.__name__: oracle
    for oracle in (
        ema,
        sma,
        rsi,
        macd,
        roc,
        true_range,
        atr,
        dmi,
        bollinger,
        zscore,
        kalman_mean,
        garch_volatility,
        choppiness,
        residual_zscore,
        kalman_zscore,
        kalman_garch_zscore,
    )
}
