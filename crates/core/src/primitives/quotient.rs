//! Quotients of columns.
//!
//! # Why not just divide
//!
//! A processor divides four numbers in as many cycles as it multiplies sixty, and nothing around a
//! division hides that: half the time of an RSI is one division a bar. With AVX-512 there is an
//! approximate reciprocal and twice the registers, and the same quotient comes from it sooner; soonest when the
//! divider takes its share meanwhile. *The same* is not a matter of luck. Where the divider itself takes eight numbers as quickly as
//! two, it takes all.
//!
//! # Why the bits are those of a division
//!
//! Let `a` and `b` be at least 1 and less than 2; powers of two go through everything below without
//! rounding. `RN` rounds to nearest, `u = 2^-53`, and a unit is that of the last place of the quotient:
//! `2u` where `a >= b`, else `u`.
//!
//! 1. The processor's `y0` is within `2^-14` of `1/b`, relatively. With `e = 1 - b y0`, the value of `y0 (1 + e + e^2)` is
//!    within `2^-41`, and another step, `y1 (1 + (1 - b y1))`, within `2^-82` before its own rounding, which adds at most `u/2`. So
//!    the result is `y = (1 + h)/b` with `|h| <= (1 + 2^-28) u b/2`.
//! 2. `q0 = RN(a y)` is within one and a half units of `a/b`, and its remainder `a - b q0` is rounded by a bit at most. That puts
//!    `q1 = RN(q0 + (a - b q0) y)` within half a unit and `2^-50` of one: a neighbour of `a/b`, whose remainder is exact.
//! 3. `q2 = RN(q1 + (a - b q1) y)` rounds `a/b + (a/b - q1) h`. That gives `RN(a/b)`, unless the middle `m` of two numbers lies as near to
//!    `a/b` as `|a/b - q1| |h|`. For `a >= b` this is at most `u (1 + 2^-49) |h|`, so `(1 + 2^-27) u^2 b/2`. But `a - b m` is a multiple of
//!    `2 u^2`, and not zero, because a quotient of two numbers is never such a middle; hence `m` is no nearer than `2 u^2 / b`. And
//!    `(1 + 2^-27) b/2 < 2/b` for every `b` below `2 - 2^-27`. Where `a < b`, both sides are half as large.
//! 4. What is left are `b` whose first 26 digits after the point are all 1. The divider takes those.
//!
//! It also takes zeros, infinities, NaN, and numbers so far from 1 that a quotient or a remainder might be too small or too large. Of a
//! change `x - b`, or a contrast `|x - y| / (x + y)`, it is `x` and the denominator that must not be: then the numerator is zero, or not too small either.
//!
//! Fused operations round once where two operations would round twice. A kernel must not use them, since not every machine has
//! them; here they cannot show in a result.

use super::{ABOVE_INFINITY, Results, Watch};

/// Replaces numerators by their quotients, times `scale`.
pub(super) type Quotients = fn(scale: f64, numerators: &mut [f64], denominators: &[f64]) -> Results;

/// Replaces two columns of numerators by their quotients with the same denominators, times `scale`.
pub(super) type TwoQuotients =
    fn(scale: f64, numerators: [&mut [f64]; 2], denominators: &[f64]) -> Results;

/// Replaces one of two parts of a whole by its share, times `scale`. What it is of an infinite whole is told by a function of both parts.
/// If the wholes are known to be numbers, they are finite.
pub(super) type Shares = fn(
    scale: f64,
    parts: &mut [f64],
    others: &[f64],
    wholes: Results,
    of_infinity: fn(f64, f64) -> f64,
) -> Results;

/// Writes the distance of two columns relative to their sum, times `scale`.
pub(super) type Contrasts = fn(scale: f64, a: &[f64], b: &[f64], out: &mut [f64]) -> Results;

/// Writes changes relative to what was before, times `scale`.
pub(super) type Changes = fn(scale: f64, now: &[f64], before: &[f64], out: &mut [f64]) -> Results;

/// [`Quotients`] by the divider.
#[inline(always)]
pub(super) fn quotients(scale: f64, numerators: &mut [f64], denominators: &[f64]) -> Results {
    let mut quotients = Watch::new(ABOVE_INFINITY);
    for (numerator, &denominator) in numerators.iter_mut().zip(denominators) {
        let quotient = scale * (*numerator / denominator);
        quotients.see(quotient);
        *numerator = quotient;
    }
    Results::numbers_if(quotients.all_below())
}

/// [`TwoQuotients`] by the divider.
#[inline(always)]
pub(super) fn two_quotients(
    scale: f64,
    [first, second]: [&mut [f64]; 2],
    denominators: &[f64],
) -> Results {
    quotients(scale, first, denominators) & quotients(scale, second, denominators)
}

/// [`Changes`] by the divider.
#[inline(always)]
pub(super) fn changes(scale: f64, now: &[f64], before: &[f64], out: &mut [f64]) -> Results {
    written(now, before, out, |now, before| {
        scale * ((now - before) / before)
    })
}

/// [`Shares`] by the divider.
#[inline(always)]
pub(super) fn shares(
    scale: f64,
    parts: &mut [f64],
    others: &[f64],
    wholes: Results,
    of_infinity: fn(f64, f64) -> f64,
) -> Results {
    let others = &others[..parts.len()];
    if wholes == Results::Any && !are_finite(parts, others) {
        for (part, &other) in parts.iter_mut().zip(others) {
            let whole = *part + other;
            *part = if whole.abs() < f64::INFINITY {
                scale * (*part / whole)
            } else {
                of_infinity(*part, other)
            };
        }
        return Results::Any;
    }
    let mut shares = Watch::new(ABOVE_INFINITY);
    for (part, other) in parts.iter_mut().zip(others) {
        *part = scale * (*part / (*part + other));
        shares.see(*part);
    }
    Results::numbers_if(shares.all_below())
}

/// Whether all sums are finite numbers.
#[inline(always)]
fn are_finite(parts: &[f64], others: &[f64]) -> bool {
    let mut wholes = Watch::new(f64::INFINITY);
    for (part, other) in parts.iter().zip(others) {
        wholes.see(part + other);
    }
    wholes.all_below()
}

/// [`Contrasts`] by the divider.
#[inline(always)]
pub(super) fn contrasts(scale: f64, a: &[f64], b: &[f64], out: &mut [f64]) -> Results {
    written(a, b, out, |a, b| scale * ((a - b).abs() / (a + b)))
}

/// Writes what becomes of two columns.
#[inline(always)]
fn written(a: &[f64], b: &[f64], out: &mut [f64], of: impl Fn(f64, f64) -> f64) -> Results {
    let mut results = Watch::new(ABOVE_INFINITY);
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        let result = of(a, b);
        results.see(result);
        *out = result;
    }
    Results::numbers_if(results.all_below())
}

/// With less of the divider, where the numbers allow it.
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512 {
    use super::Results;
    use core::arch::x86_64::{
        __m512d, _mm512_abs_pd, _mm512_add_pd, _mm512_castpd_si512, _mm512_div_pd, _mm512_fmadd_pd,
        _mm512_fnmadd_pd, _mm512_mul_pd, _mm512_or_si512, _mm512_rcp14_pd, _mm512_set1_epi64,
        _mm512_set1_pd, _mm512_setzero_si512, _mm512_sub_epi64, _mm512_sub_pd,
        _mm512_test_epi64_mask, _mm512_xor_si512,
    };
    use safe_unaligned_simd::x86_64::{_mm512_loadu_pd, _mm512_storeu_pd};

    /// Numbers that are looked at together.
    const TOGETHER: usize = 32;

    /// As many, in registers.
    type Together = [__m512d; TOGETHER / 8];

    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn quotients(
        scale: f64,
        numerators: &mut [f64],
        denominators: &[f64],
    ) -> Results {
        let (a, a_rest) = numerators.as_chunks_mut();
        let (b, b_rest) = denominators.as_chunks();
        let mut known = super::quotients(scale, a_rest, b_rest);
        for (a, b) in a.iter_mut().zip(b) {
            if let Some([results]) = with_multiplications(scale, [a], b, |a, b| (a, b)) {
                write(results, a);
            } else {
                known = known & super::quotients(scale, a, b);
            }
        }
        known
    }

    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn two_quotients(
        scale: f64,
        [first, second]: [&mut [f64]; 2],
        denominators: &[f64],
    ) -> Results {
        let (a1, a1_rest) = first.as_chunks_mut();
        let (a2, a2_rest) = second.as_chunks_mut();
        let (b, b_rest) = denominators.as_chunks();
        let mut known = super::two_quotients(scale, [a1_rest, a2_rest], b_rest);
        for ((a1, a2), b) in a1.iter_mut().zip(a2).zip(b) {
            if let Some([results1, results2]) =
                with_multiplications(scale, [a1, a2], b, |a, b| (a, b))
            {
                write(results1, a1);
                write(results2, a2);
            } else {
                known = known & super::two_quotients(scale, [a1, a2], b);
            }
        }
        known
    }

    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn changes(
        scale: f64,
        now: &[f64],
        before: &[f64],
        out: &mut [f64],
    ) -> Results {
        let change = |x, b| (_mm512_sub_pd(x, b), b);
        written(scale, now, before, out, change, super::changes)
    }

    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn shares(
        scale: f64,
        parts: &mut [f64],
        others: &[f64],
        wholes: Results,
        of_infinity: fn(f64, f64) -> f64,
    ) -> Results {
        let (a, a_rest) = parts.as_chunks_mut();
        let (b, b_rest) = others.as_chunks();
        let mut known = super::shares(scale, a_rest, b_rest, wholes, of_infinity);
        for (a, b) in a.iter_mut().zip(b) {
            let share = |a, b| (a, _mm512_add_pd(a, b));
            if let Some([results]) = with_multiplications(scale, [a], b, share) {
                write(results, a);
            } else {
                known = known & super::shares(scale, a, b, wholes, of_infinity);
            }
        }
        known
    }

    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn contrasts(
        scale: f64,
        a: &[f64],
        b: &[f64],
        out: &mut [f64],
    ) -> Results {
        let contrast = |a, b| (_mm512_abs_pd(_mm512_sub_pd(a, b)), _mm512_add_pd(a, b));
        written(scale, a, b, out, contrast, super::contrasts)
    }

    /// Writes the quotients of terms that are made of two columns; `divided` does so by the divider.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn written(
        scale: f64,
        x: &[f64],
        y: &[f64],
        out: &mut [f64],
        terms: impl Fn(__m512d, __m512d) -> (__m512d, __m512d),
        divided: impl Fn(f64, &[f64], &[f64], &mut [f64]) -> Results,
    ) -> Results {
        let (x, x_rest) = x.as_chunks();
        let (y, y_rest) = y.as_chunks();
        let (out, out_rest) = out.as_chunks_mut();
        let mut known = divided(scale, x_rest, y_rest, out_rest);
        for ((x, y), out) in x.iter().zip(y).zip(out) {
            if let Some([results]) = with_multiplications(scale, [x], y, &terms) {
                write(results, out);
            } else {
                known = known & divided(scale, x, y, out);
            }
        }
        known
    }

    /// The quotients of numerators and denominators that are made of two columns; none if a number of the first, or a
    /// denominator, asks for the divider.
    ///
    /// The divider takes its share, which are some of the registers: it works beside the other units, at about their pace. Where
    /// they need a reciprocal once for two quotients, they are quicker than it.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn with_multiplications<const COLUMNS: usize>(
        scale: f64,
        x: [&[f64; TOGETHER]; COLUMNS],
        y: &[f64; TOGETHER],
        terms: impl Fn(__m512d, __m512d) -> (__m512d, __m512d),
    ) -> Option<[Together; COLUMNS]> {
        // The bits of a magnitude from 2^-255 up to 2^257, less those of the former, are below 2^61.
        const SMALLEST: i64 = (1023 - 255) << 52;
        let smallest = _mm512_set1_epi64(SMALLEST);
        let beyond = _mm512_set1_epi64(0b11 << 61);
        // This digit goes over into the exponent where the first ones are all 1. Of the exponent, less an even one, the last
        // bit tells.
        let less_a_digit = _mm512_set1_epi64(SMALLEST - (1 << 26));
        let exponent = _mm512_set1_epi64(1 << 52);
        let (mut distances, mut carries) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        let less = |x, bits| _mm512_sub_epi64(_mm512_castpd_si512(x), bits);
        let mut results = [[_mm512_set1_pd(scale); TOGETHER / 8]; COLUMNS];
        for (register, y) in y.as_chunks().0.iter().enumerate() {
            let y = _mm512_loadu_pd(y);
            // What is the same for two columns, as reciprocals are, is done twice only in writing.
            for (results, x) in results.iter_mut().zip(x) {
                let x = _mm512_loadu_pd(&x.as_chunks().0[register]);
                let (a, b) = terms(x, y);
                let one = if register < 2 / COLUMNS {
                    _mm512_div_pd(a, b)
                } else {
                    quotient(a, b, reciprocal(b))
                };
                results[register] = _mm512_mul_pd(results[register], one);
                distances = _mm512_or_si512(distances, less(x, smallest));
                let distance = less(b, less_a_digit);
                distances = _mm512_or_si512(distances, distance);
                let carried = _mm512_xor_si512(_mm512_castpd_si512(b), distance);
                carries = _mm512_or_si512(carries, carried);
            }
        }
        let divider =
            _mm512_test_epi64_mask(distances, beyond) | _mm512_test_epi64_mask(carries, exponent);
        (divider == 0).then_some(results)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn write(results: Together, to: &mut [f64; TOGETHER]) {
        for (result, to) in results.into_iter().zip(to.as_chunks_mut().0) {
            _mm512_storeu_pd(to, result);
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn reciprocal(b: __m512d) -> __m512d {
        let one = _mm512_set1_pd(1.0);
        let y0 = _mm512_rcp14_pd(b);
        let e = _mm512_fnmadd_pd(b, y0, one);
        let y1 = _mm512_fmadd_pd(y0, _mm512_fmadd_pd(e, e, e), y0);
        _mm512_fmadd_pd(y1, _mm512_fnmadd_pd(b, y1, one), y1)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn quotient(a: __m512d, b: __m512d, y: __m512d) -> __m512d {
        let q0 = _mm512_mul_pd(a, y);
        let q1 = _mm512_fmadd_pd(_mm512_fnmadd_pd(b, q0, a), y, q0);
        _mm512_fmadd_pd(_mm512_fnmadd_pd(b, q1, a), y, q1)
    }
}
