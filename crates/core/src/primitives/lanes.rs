//! Registers of several numbers, under the same names for each width.
//!
//! The code that uses them is written once, as a macro, and compiled for each of these modules. Every
//! operation is one on single numbers, lane by lane, or moves numbers without looking at them, so that
//! the width cannot show in a result.
//!
//! [`single`] is for bars that come one by one, [`pair`] for every machine: `wide` makes SSE2, NEON or
//! simd128 of it, whichever all machines of a kind have. What only some have is chosen at run time,
//! and a function that is compiled for it may call its intrinsics safely.

/// A single number.
pub(super) mod single {
    /// A register.
    pub(in super::super) type Lanes = f64;

    #[inline(always)]
    pub(in super::super) fn splat(x: f64) -> Lanes {
        x
    }

    #[inline(always)]
    pub(in super::super) fn add(a: Lanes, b: Lanes) -> Lanes {
        a + b
    }

    #[inline(always)]
    pub(in super::super) fn sub(a: Lanes, b: Lanes) -> Lanes {
        a - b
    }

    #[inline(always)]
    pub(in super::super) fn mul(a: Lanes, b: Lanes) -> Lanes {
        a * b
    }

    #[inline(always)]
    pub(in super::super) fn sqrt(x: Lanes) -> Lanes {
        super::super::sqrt(x)
    }

    /// `a` where it is larger than `b` or NaN, else `b`.
    #[inline(always)]
    pub(in super::super) fn larger(a: Lanes, b: Lanes) -> Lanes {
        if a > b || a.is_nan() { a } else { b }
    }
}

/// Two numbers.
pub(super) mod pair {
    use wide::f64x2;

    /// A register.
    pub(in super::super) type Lanes = f64x2;

    /// Numbers in a register.
    pub(in super::super) const WIDTH: usize = 2;

    #[inline(always)]
    pub(in super::super) fn splat(x: f64) -> Lanes {
        f64x2::splat(x)
    }

    #[inline(always)]
    pub(in super::super) fn load(x: &[f64; WIDTH]) -> Lanes {
        f64x2::new(*x)
    }

    #[inline(always)]
    pub(in super::super) fn store(x: Lanes, to: &mut [f64; WIDTH]) {
        *to = x.to_array();
    }

    #[inline(always)]
    pub(in super::super) fn add(a: Lanes, b: Lanes) -> Lanes {
        a + b
    }

    #[inline(always)]
    pub(in super::super) fn sub(a: Lanes, b: Lanes) -> Lanes {
        a - b
    }

    #[inline(always)]
    pub(in super::super) fn mul(a: Lanes, b: Lanes) -> Lanes {
        a * b
    }

    /// Loads rows and returns their columns.
    #[inline(always)]
    pub(in super::super) fn load_turned(x: [&[f64; WIDTH]; WIDTH]) -> [Lanes; WIDTH] {
        f64x2::transpose(x.map(load))
    }

    /// Loads pairs and returns their columns.
    #[inline(always)]
    pub(in super::super) fn load_pairs(x: [&[f64; 2]; WIDTH]) -> [Lanes; 2] {
        load_turned(x)
    }

    /// Writes columns as the rows they make.
    #[inline(always)]
    pub(in super::super) fn store_turned(x: [Lanes; WIDTH], to: [&mut [f64; WIDTH]; WIDTH]) {
        for (row, to) in f64x2::transpose(x).into_iter().zip(to) {
            store(row, to);
        }
    }

    /// The second where its magnitude is below that of the first, else the first.
    #[inline(always)]
    pub(in super::super) fn smaller_magnitude(a: Lanes, b: Lanes) -> Lanes {
        b.abs().simd_lt(a.abs()).select(b, a)
    }

    /// The larger magnitude of two, of which the first is none below zero; whatever where one is NaN.
    #[inline(always)]
    pub(in super::super) fn larger_magnitude(a: Lanes, b: Lanes) -> Lanes {
        b.abs().fast_max(a)
    }
}

/// Four numbers, with AVX2.
#[cfg(target_arch = "x86_64")]
pub(super) mod avx2 {
    use core::arch::x86_64::{
        __m256d, _CMP_GT_OQ, _CMP_UNORD_Q, _mm256_add_pd, _mm256_andnot_pd, _mm256_blendv_pd,
        _mm256_castpd128_pd256, _mm256_castpd256_pd128, _mm256_cmp_pd, _mm256_extractf128_pd,
        _mm256_insertf128_pd, _mm256_max_pd, _mm256_movemask_pd, _mm256_mul_pd, _mm256_or_pd,
        _mm256_permute2f128_pd, _mm256_set1_pd, _mm256_shuffle_pd, _mm256_sqrt_pd, _mm256_sub_pd,
        _mm256_unpackhi_pd, _mm256_unpacklo_pd,
    };
    use safe_unaligned_simd::x86_64::{
        _mm_loadu_pd, _mm_storeu_pd, _mm256_loadu_pd, _mm256_storeu_pd,
    };

    /// A register.
    pub(in super::super) type Lanes = __m256d;

    /// Numbers in a register.
    pub(in super::super) const WIDTH: usize = 4;

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn splat(x: f64) -> Lanes {
        _mm256_set1_pd(x)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn load(x: &[f64; WIDTH]) -> Lanes {
        _mm256_loadu_pd(x)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn store(x: Lanes, to: &mut [f64; WIDTH]) {
        _mm256_storeu_pd(to, x);
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn add(a: Lanes, b: Lanes) -> Lanes {
        _mm256_add_pd(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn sub(a: Lanes, b: Lanes) -> Lanes {
        _mm256_sub_pd(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn mul(a: Lanes, b: Lanes) -> Lanes {
        _mm256_mul_pd(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn sqrt(x: Lanes) -> Lanes {
        _mm256_sqrt_pd(x)
    }

    /// Loads rows and returns their columns. Halves of two rows go into a register on their way from
    /// memory, which leaves half of the shuffles.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn load_turned(x: [&[f64; WIDTH]; WIDTH]) -> [Lanes; WIDTH] {
        let [a, b, c, d] = x.map(halves);
        let (a, c) = (joined(a.0, c.0), joined(a.1, c.1));
        let (b, d) = (joined(b.0, d.0), joined(b.1, d.1));
        [
            _mm256_unpacklo_pd(a, b),
            _mm256_unpackhi_pd(a, b),
            _mm256_unpacklo_pd(c, d),
            _mm256_unpackhi_pd(c, d),
        ]
    }

    #[inline(always)]
    fn halves(x: &[f64; WIDTH]) -> (&[f64; 2], &[f64; 2]) {
        let ([low, high], _) = x.as_chunks() else {
            unreachable!("four numbers are two pairs")
        };
        (low, high)
    }

    /// Loads pairs and returns their columns.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn load_pairs([a, b, c, d]: [&[f64; 2]; WIDTH]) -> [Lanes; 2] {
        let (even, odd) = (joined(a, c), joined(b, d));
        [_mm256_unpacklo_pd(even, odd), _mm256_unpackhi_pd(even, odd)]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn joined(low: &[f64; 2], high: &[f64; 2]) -> Lanes {
        _mm256_insertf128_pd::<1>(
            _mm256_castpd128_pd256(_mm_loadu_pd(low)),
            _mm_loadu_pd(high),
        )
    }

    /// Writes columns as the rows they make.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn store_turned(x: [Lanes; WIDTH], to: [&mut [f64; WIDTH]; WIDTH]) {
        let [a, b, c, d] = to;
        let (first, second) = (
            (
                _mm256_unpacklo_pd(x[0], x[1]),
                _mm256_unpackhi_pd(x[0], x[1]),
            ),
            (
                _mm256_unpacklo_pd(x[2], x[3]),
                _mm256_unpackhi_pd(x[2], x[3]),
            ),
        );
        split(first.0, second.0, a, c);
        split(first.1, second.1, b, d);
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn split(first: Lanes, second: Lanes, low: &mut [f64; WIDTH], high: &mut [f64; WIDTH]) {
        let ([l1, l2], _) = low.as_chunks_mut() else {
            unreachable!("four numbers are two pairs")
        };
        let ([h1, h2], _) = high.as_chunks_mut() else {
            unreachable!("four numbers are two pairs")
        };
        _mm_storeu_pd(l1, _mm256_castpd256_pd128(first));
        _mm_storeu_pd(l2, _mm256_castpd256_pd128(second));
        _mm_storeu_pd(h1, _mm256_extractf128_pd::<1>(first));
        _mm_storeu_pd(h2, _mm256_extractf128_pd::<1>(second));
    }

    /// How far [`shifted`] shifts.
    pub(in super::super) type Shift = usize;

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn shift(by: usize) -> Shift {
        by
    }

    /// The last `by` numbers of one register, and the first ones of the next.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn shifted(by: Shift, before: Lanes, now: Lanes) -> Lanes {
        let middle = _mm256_permute2f128_pd::<0x21>(before, now);
        match by {
            1 => _mm256_shuffle_pd::<0b0101>(middle, now),
            2 => middle,
            3 => _mm256_shuffle_pd::<0b0101>(before, middle),
            _ => now,
        }
    }

    /// `a` where it is larger than `b` or NaN, else `b`.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn larger(a: Lanes, b: Lanes) -> Lanes {
        let larger = _mm256_cmp_pd::<_CMP_GT_OQ>(a, b);
        let nan = _mm256_cmp_pd::<_CMP_UNORD_Q>(a, a);
        _mm256_blendv_pd(b, a, _mm256_or_pd(larger, nan))
    }

    /// The larger magnitude of two, of which the first is none below zero; the first where the second is NaN.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn larger_number(a: Lanes, b: Lanes) -> Lanes {
        _mm256_max_pd(_mm256_andnot_pd(_mm256_set1_pd(-0.0), b), a)
    }

    /// The second where its magnitude is below that of the first, else the first.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn smaller_magnitude(a: Lanes, b: Lanes) -> Lanes {
        let magnitude = |x| _mm256_andnot_pd(_mm256_set1_pd(-0.0), x);
        let smaller = _mm256_cmp_pd::<_CMP_GT_OQ>(magnitude(a), magnitude(b));
        _mm256_blendv_pd(a, b, smaller)
    }

    /// The same; whatever where one is NaN.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn larger_magnitude(a: Lanes, b: Lanes) -> Lanes {
        larger_number(a, b)
    }

    /// Where there was a NaN.
    pub(in super::super) type Nans = __m256d;

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn no_nans() -> Nans {
        splat(0.0)
    }

    /// Adds where there is one in either of two registers, with a comparison for both.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn with_nans(nans: Nans, a: Lanes, b: Lanes) -> Nans {
        _mm256_or_pd(nans, _mm256_cmp_pd::<_CMP_UNORD_Q>(a, b))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn are_nans(nans: Nans) -> bool {
        _mm256_movemask_pd(nans) != 0
    }

    /// Whether a value is NaN.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn has_nan(x: &[f64]) -> bool {
        let (groups, rest) = x.as_chunks::<{ 4 * WIDTH }>();
        let mut nans = [no_nans(); 2];
        for group in groups {
            let ([a, b, c, d], _) = group.as_chunks() else {
                unreachable!("a group is four registers")
            };
            nans[0] = with_nans(nans[0], load(a), load(b));
            nans[1] = with_nans(nans[1], load(c), load(d));
        }
        are_nans(nans[0]) || are_nans(nans[1]) || rest.iter().any(|x| x.is_nan())
    }
}

/// Eight numbers, with AVX-512.
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512 {
    use core::arch::x86_64::{
        __m512d, __m512i, __mmask8, _CMP_GT_OQ, _CMP_UNORD_Q, _mm512_abs_pd, _mm512_add_epi64,
        _mm512_add_pd, _mm512_andnot_pd, _mm512_castpd256_pd512, _mm512_castpd512_pd256,
        _mm512_cmp_pd_mask, _mm512_insertf64x4, _mm512_mask_blend_pd, _mm512_max_pd, _mm512_mul_pd,
        _mm512_permutex2var_pd, _mm512_range_pd, _mm512_set_epi64, _mm512_set1_epi64,
        _mm512_set1_pd, _mm512_shuffle_f64x2, _mm512_sqrt_pd, _mm512_sub_pd, _mm512_unpackhi_pd,
        _mm512_unpacklo_pd,
    };
    use safe_unaligned_simd::x86_64::{_mm256_loadu_pd, _mm512_loadu_pd, _mm512_storeu_pd};

    /// A register.
    pub(in super::super) type Lanes = __m512d;

    /// Numbers in a register.
    pub(in super::super) const WIDTH: usize = 8;

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn splat(x: f64) -> Lanes {
        _mm512_set1_pd(x)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn load(x: &[f64; WIDTH]) -> Lanes {
        _mm512_loadu_pd(x)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn store(x: Lanes, to: &mut [f64; WIDTH]) {
        _mm512_storeu_pd(to, x);
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn add(a: Lanes, b: Lanes) -> Lanes {
        _mm512_add_pd(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn sub(a: Lanes, b: Lanes) -> Lanes {
        _mm512_sub_pd(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn mul(a: Lanes, b: Lanes) -> Lanes {
        _mm512_mul_pd(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn sqrt(x: Lanes) -> Lanes {
        _mm512_sqrt_pd(x)
    }

    /// Loads rows and returns their columns. Halves of two rows go into a register on their way from
    /// memory, so that what is left is to turn four by four, in both halves alike.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn load_turned(x: [&[f64; WIDTH]; WIDTH]) -> [Lanes; WIDTH] {
        let [a, b, c, d, e, f, g, h] = x.map(halves);
        let first = turned([
            joined(a.0, e.0),
            joined(b.0, f.0),
            joined(c.0, g.0),
            joined(d.0, h.0),
        ]);
        let second = turned([
            joined(a.1, e.1),
            joined(b.1, f.1),
            joined(c.1, g.1),
            joined(d.1, h.1),
        ]);
        [
            first[0], first[1], first[2], first[3], second[0], second[1], second[2], second[3],
        ]
    }

    /// Four rows of four numbers as columns, in each half of the registers.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn turned([a, b, c, d]: [Lanes; 4]) -> [Lanes; 4] {
        let low = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0);
        let high = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
        let (ab, cd) = (_mm512_unpacklo_pd(a, b), _mm512_unpacklo_pd(c, d));
        let (ab_odd, cd_odd) = (_mm512_unpackhi_pd(a, b), _mm512_unpackhi_pd(c, d));
        [
            _mm512_permutex2var_pd(ab, low, cd),
            _mm512_permutex2var_pd(ab_odd, low, cd_odd),
            _mm512_permutex2var_pd(ab, high, cd),
            _mm512_permutex2var_pd(ab_odd, high, cd_odd),
        ]
    }

    /// Loads pairs and returns their columns.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn load_pairs(x: [&[f64; 2]; WIDTH]) -> [Lanes; 2] {
        let [a, b, c, d, e, f, g, h] = x;
        let fours = |a, b, c, d| {
            let low = _mm512_castpd256_pd512(super::avx2::joined(a, b));
            _mm512_insertf64x4::<1>(low, super::avx2::joined(c, d))
        };
        let (even, odd) = (fours(a, c, e, g), fours(b, d, f, h));
        [_mm512_unpacklo_pd(even, odd), _mm512_unpackhi_pd(even, odd)]
    }

    #[inline(always)]
    fn halves(x: &[f64; WIDTH]) -> (&[f64; 4], &[f64; 4]) {
        let ([low, high], _) = x.as_chunks() else {
            unreachable!("eight numbers are two fours")
        };
        (low, high)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn joined(low: &[f64; 4], high: &[f64; 4]) -> Lanes {
        _mm512_insertf64x4::<1>(
            _mm512_castpd256_pd512(_mm256_loadu_pd(low)),
            _mm256_loadu_pd(high),
        )
    }

    /// Writes columns as the rows they make.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    #[allow(clippy::large_types_passed_by_value, reason = "they stay in registers")]
    pub(in super::super) fn store_turned(x: [Lanes; WIDTH], to: [&mut [f64; WIDTH]; WIDTH]) {
        let [a, b, c, d, e, f, g, h] = to;
        let first = turned([x[0], x[1], x[2], x[3]]);
        let second = turned([x[4], x[5], x[6], x[7]]);
        let rows = first.into_iter().zip(second);
        for ((first, second), (low, high)) in rows.zip([(a, e), (b, f), (c, g), (d, h)]) {
            let second_low = _mm512_castpd512_pd256(second);
            _mm512_storeu_pd(low, _mm512_insertf64x4::<1>(first, second_low));
            _mm512_storeu_pd(high, _mm512_shuffle_f64x2::<0b1110_1110>(first, second));
        }
    }

    /// How far [`shifted`] shifts: where each number comes from.
    pub(in super::super) type Shift = __m512i;

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn shift(by: usize) -> Shift {
        let places = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
        _mm512_add_epi64(
            places,
            _mm512_set1_epi64((WIDTH.wrapping_sub(by) as u64).cast_signed()),
        )
    }

    /// The last numbers of one register, and the first ones of the next.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn shifted(by: Shift, before: Lanes, now: Lanes) -> Lanes {
        _mm512_permutex2var_pd(before, by, now)
    }

    /// `a` where it is larger than `b` or NaN, else `b`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn larger(a: Lanes, b: Lanes) -> Lanes {
        let larger = _mm512_cmp_pd_mask::<_CMP_GT_OQ>(a, b);
        let nan = _mm512_cmp_pd_mask::<_CMP_UNORD_Q>(a, a);
        _mm512_mask_blend_pd(larger | nan, b, a)
    }

    /// The larger magnitude of two, of which the first is none below zero; the first where the second is NaN.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn larger_number(a: Lanes, b: Lanes) -> Lanes {
        _mm512_max_pd(_mm512_andnot_pd(_mm512_set1_pd(-0.0), b), a)
    }

    /// The second where its magnitude is below that of the first, else the first.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn smaller_magnitude(a: Lanes, b: Lanes) -> Lanes {
        let smaller = _mm512_cmp_pd_mask::<_CMP_GT_OQ>(_mm512_abs_pd(a), _mm512_abs_pd(b));
        _mm512_mask_blend_pd(smaller, a, b)
    }

    /// The same, sooner; whatever where one is NaN.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn larger_magnitude(a: Lanes, b: Lanes) -> Lanes {
        const LARGER: i32 = 0b11;
        _mm512_range_pd::<LARGER>(a, b)
    }

    /// Where there was a NaN.
    pub(in super::super) type Nans = __mmask8;

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn no_nans() -> Nans {
        0
    }

    /// Adds where there is one in either of two registers, with a comparison for both.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn with_nans(nans: Nans, a: Lanes, b: Lanes) -> Nans {
        nans | _mm512_cmp_pd_mask::<_CMP_UNORD_Q>(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn are_nans(nans: Nans) -> bool {
        nans != 0
    }

    /// Whether a value is NaN.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(in super::super) fn has_nan(x: &[f64]) -> bool {
        let (groups, rest) = x.as_chunks::<{ 4 * WIDTH }>();
        let mut nans = no_nans();
        for group in groups {
            let ([a, b, c, d], _) = group.as_chunks() else {
                unreachable!("a group is four registers")
            };
            nans = with_nans(with_nans(nans, load(a), load(b)), load(c), load(d));
        }
        are_nans(nans) || rest.iter().any(|x| x.is_nan())
    }
}
