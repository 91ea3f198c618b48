//! The arithmetic that kernels are made of. The bit law lives here.
//!
//! | primitive | computes | cost of a bar |
//! |---|---|---|
//! | [`recurrence::Ewm`] | exponentially weighted mean | constant |
//! | [`recurrence::Wilder`] | the same, seeded with a plain mean | constant |
//! | [`level::Level`] | level behind noise, by a Kalman filter | constant |
//! | [`garch::Garch`] | variance of returns, by GARCH(1, 1) | constant |
//! | [`window::WindowMean`] | mean of the last `p` bars | logarithm of `p` |
//! | [`window::WindowMoments`] | mean and squared deviations of the last `p` bars | logarithm of `p` |
//! | [`window::WindowScore`] | values in units of their deviation over `p` bars | logarithm of `p` |
//! | [`window::WindowMax`] | largest of the last `p` bars | logarithm of `p` |
//! | [`delay::Delay`] | the value `p` bars ago | constant |

pub mod delay;
pub mod garch;
pub mod level;
pub mod recurrence;
pub mod window;

/// The one NaN that leaves a kernel.
pub const NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0000);

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
