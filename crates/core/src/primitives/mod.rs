//! The arithmetic that kernels are made of. The bit law lives here.
//!
//! | primitive | computes | cost of a bar |
//! |---|---|---|
//! | [`recurrence::Ewm`] | exponentially weighted mean | constant |
//! | [`recurrence::Wilder`] | the same, seeded with a plain mean | constant |
//! | [`level::Level`] | level behind noise, by a Kalman filter | constant |
//! | [`garch::Garch`] | variance of returns, by GARCH(1, 1) | constant |
//! | [`window::WindowMean`] | mean of the last `p` bars | logarithm of `p` |
//! | [`window::WindowMoments`] | mean and sample deviation of the last `p` bars | logarithm of `p` |
//! | [`window::WindowScore`] | values in units of their deviation over `p` bars | logarithm of `p` |
//! | [`window::WindowMax`] | largest of the last `p` bars | logarithm of `p` |
//! | [`delay::Delay`] | the value `p` bars ago | constant |
//! | [`delay::Previous`] | the value one bar ago | constant |

use core::ops::BitAnd;

pub mod delay;
pub mod garch;
mod lanes;
pub mod level;
mod pieces;
mod quotient;
pub mod recurrence;
pub mod window;

/// The one NaN that leaves a kernel.
pub const NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0000);

/// The first NaN in the order of bits, where infinity comes just before.
const ABOVE_INFINITY: f64 = f64::from_bits(f64::INFINITY.to_bits() + 1);

/// Replaces any NaN by [`NAN`].
///
/// On bits, because a compiler may take all NaNs for the same value.
#[inline(always)]
#[must_use]
pub fn canonical(value: f64) -> f64 {
    f64::from_bits(if value.is_nan() {
        NAN.to_bits()
    } else {
        value.to_bits()
    })
}

/// What is known of numbers that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Results {
    /// There is no NaN among them.
    Numbers,
    /// Nothing.
    Any,
}

impl Results {
    /// Numbers on a condition.
    #[inline(always)]
    #[must_use]
    pub fn numbers_if(known: bool) -> Self {
        if known { Self::Numbers } else { Self::Any }
    }
}

impl BitAnd for Results {
    type Output = Self;

    /// What is known of both.
    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Self::numbers_if(self == Self::Numbers && other == Self::Numbers)
    }
}

/// Values that are seen in one turn of a loop: as many as keep a processor busy, where compilers leave loops as they are.
const WATCHES: usize = if cfg!(target_arch = "wasm32") { 8 } else { 1 };

/// Whether every value is below `limit` in magnitude, and none is NaN. `limit` is above zero.
#[inline(always)]
#[must_use]
pub fn all_below(limit: f64, values: &[f64]) -> bool {
    let mut watches = [(); WATCHES].map(|()| Watch::new(limit));
    let (rows, rest) = values.as_chunks::<WATCHES>();
    for row in rows {
        for (watch, &value) in watches.iter_mut().zip(row) {
            watch.see(value);
        }
    }
    for (watch, &value) in watches.iter_mut().zip(rest) {
        watch.see(value);
    }
    watches.iter().all(Watch::all_below)
}

/// Does as [`all_below`] while values pass.
///
/// On bits, in whose order the magnitudes stand: unlike comparisons, which end in flags, these sums
/// stay in the lanes they came in. A sum has the sign of the number exactly if the magnitude is below the limit.
pub struct Watch {
    over: u64,
    to_sign: u64,
}

impl Watch {
    const SIGN: u64 = 1 << 63;

    /// Watches for values from `limit` on, which is above zero.
    #[inline(always)]
    #[must_use]
    pub fn new(limit: f64) -> Self {
        Self {
            over: 0,
            to_sign: Self::SIGN - limit.to_bits(),
        }
    }

    /// Sees a value.
    #[inline(always)]
    pub fn see(&mut self, value: f64) {
        let bits = value.to_bits();
        self.over |= bits.wrapping_add(self.to_sign) ^ bits;
    }

    /// Whether all values so far were below the limit, and none NaN.
    #[inline(always)]
    #[must_use]
    pub fn all_below(&self) -> bool {
        self.over & Self::SIGN == 0
    }
}

/// Whether a value is NaN.
fn has_nan(values: &[f64]) -> bool {
    !all_below(ABOVE_INFINITY, values)
}

/// Replaces values by their natural logarithms.
///
/// A column at a time and never inlined: what is called from code for wider registers one value at a time,
/// without being compiled for them, costs half as much again.
#[inline(never)]
pub fn ln(values: &mut [f64]) {
    for value in values {
        *value = libm::log(*value);
    }
}

/// Replaces values by their logarithms to base 10, as [`ln`] does.
#[inline(never)]
pub fn log10(values: &mut [f64]) {
    for value in values {
        *value = libm::log10(*value);
    }
}

/// Correctly rounded square root.
#[inline(always)]
#[must_use]
pub fn sqrt(value: f64) -> f64 {
    #[cfg(feature = "std")]
    {
        value.sqrt()
    }
    #[cfg(not(feature = "std"))]
    {
        libm::sqrt(value)
    }
}

/// The larger of two values, the other one when one is NaN.
#[inline(always)]
#[must_use]
pub fn larger_present(a: f64, b: f64) -> f64 {
    if b > a || a.is_nan() { b } else { a }
}
