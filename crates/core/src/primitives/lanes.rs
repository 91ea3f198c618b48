//! Registers of several numbers, under the same names for each width.
//!
//! The code that uses them is written once, as a macro, and compiled for each of these modules. Every
//! operation is one on single numbers, lane by lane, or moves numbers without looking at them, so that
//! the width cannot show in a result.
//!
//! [`pair`] is for every machine: `wide` makes SSE2, NEON or simd128 of it, whichever all machines of a
//! kind have. What only some have is chosen at run time, and a function that is compiled for it
//! may call its intrinsics safely.

/// Two numbers.
pub(super) mod pair {
    use wide::f64x2;

    /// A register.
    pub(in super::super) type Lanes = f64x2;

    /// Numbers in a register.
    pub(in super::super) const WIDTH: usize = 2;

    /// Notes of magnitudes, in the order of bits.
    pub(in super::super) type Notes = [u64; 2];

    const SIGN: u64 = 1 << 63;

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

    /// Writes columns as the rows they make.
    #[inline(always)]
    pub(in super::super) fn store_turned(x: [Lanes; WIDTH], to: [&mut [f64; WIDTH]; WIDTH]) {
        for (row, to) in f64x2::transpose(x).into_iter().zip(to) {
            store(row, to);
        }
    }

    /// Nothing noted.
    #[inline(always)]
    pub(in super::super) fn notes() -> Notes {
        [0; WIDTH]
    }

    /// Adds to the notes whether a number is not below the limit in magnitude; NaN is not.
    #[inline(always)]
    pub(in super::super) fn note(notes: Notes, x: Lanes, limit: f64) -> Notes {
        let to_sign = SIGN - limit.to_bits();
        let [a, b] = x.to_array().map(|x| (x.to_bits() & !SIGN) + to_sign);
        [notes[0] | a, notes[1] | b]
    }

    /// Whether all numbers were below the limit.
    #[inline(always)]
    pub(in super::super) fn all_below(notes: Notes) -> bool {
        (notes[0] | notes[1]) & SIGN == 0
    }
}

/// Four numbers, with AVX2.
#[cfg(target_arch = "x86_64")]
pub(super) mod avx2 {
    use core::arch::x86_64::{
        __m256d, __m256i, _mm256_add_epi64, _mm256_add_pd, _mm256_and_si256, _mm256_castpd_si256,
        _mm256_castpd128_pd256, _mm256_castpd256_pd128, _mm256_castsi256_pd, _mm256_extractf128_pd,
        _mm256_insertf128_pd, _mm256_movemask_pd, _mm256_mul_pd, _mm256_or_si256,
        _mm256_set1_epi64x, _mm256_set1_pd, _mm256_setzero_si256, _mm256_sub_pd,
        _mm256_unpackhi_pd, _mm256_unpacklo_pd,
    };
    use safe_unaligned_simd::x86_64::{
        _mm_loadu_pd, _mm_storeu_pd, _mm256_loadu_pd, _mm256_storeu_pd,
    };

    /// A register.
    pub(in super::super) type Lanes = __m256d;

    /// Numbers in a register.
    pub(in super::super) const WIDTH: usize = 4;

    /// Notes of magnitudes, in the order of bits.
    pub(in super::super) type Notes = __m256i;

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

    #[inline]
    #[target_feature(enable = "avx2")]
    fn joined(low: &[f64; 2], high: &[f64; 2]) -> Lanes {
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

    /// Nothing noted.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn notes() -> Notes {
        _mm256_setzero_si256()
    }

    /// Adds to the notes whether a number is not below the limit in magnitude; NaN is not.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn note(notes: Notes, x: Lanes, limit: f64) -> Notes {
        let magnitude = _mm256_and_si256(_mm256_castpd_si256(x), _mm256_set1_epi64x(i64::MAX));
        let to_sign = _mm256_set1_epi64x(i64::MIN.wrapping_sub(limit.to_bits().cast_signed()));
        _mm256_or_si256(notes, _mm256_add_epi64(magnitude, to_sign))
    }

    /// Whether all numbers were below the limit.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn all_below(notes: Notes) -> bool {
        _mm256_movemask_pd(_mm256_castsi256_pd(notes)) == 0
    }
}
