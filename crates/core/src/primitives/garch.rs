//! The variance of returns, by the recursion of GARCH(1, 1).
//!
//! # What is computed
//!
//! The first finite return is the mean; it stays. Its variance is [`LONG_RUN`]. At each finite return
//! after it `v = max(omega + alpha * e2 + beta * v, floor)`, where `e2` is the squared deviation of
//! the finite return before, zero at first. So `v` at a bar is what was expected of it, and does not
//! know its return. A return that is missing or infinite repeats the variance and is not a deviation.
//!
//! # Why one by one
//!
//! With a floor under it the recursion is not linear, and cannot be taken in blocks as those of
//! [`super::recurrence`] are. Each bar waits for a multiplication, an addition and a comparison.

use super::{NAN, all_below};
use crate::error::Error;
use crate::state::{Reader, State, Writer};

/// Variance at the first return.
pub const LONG_RUN: f64 = 1e-6;

/// The variance of a column of returns.
#[derive(Clone)]
pub struct Garch {
    omega: f64,
    alpha: f64,
    beta: f64,
    floor: f64,
    /// Bars after the first return that have no result yet.
    wait: u64,
    /// Bars after the first return.
    bars: u64,
    /// The first return; NaN before it.
    mean: f64,
    variance: f64,
    /// Squared deviation of the last return.
    surprise: f64,
}

impl Garch {
    /// A variance that is never below `floor`, with results from `wait` bars after the first return.
    #[must_use]
    pub fn new(omega: f64, alpha: f64, beta: f64, floor: f64, wait: usize) -> Self {
        Self {
            omega,
            alpha,
            beta,
            floor,
            wait: wait as u64,
            bars: 0,
            mean: NAN,
            variance: NAN,
            surprise: 0.0,
        }
    }

    /// Takes the next returns; writes the variance at each.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    pub fn run(&mut self, returns: &[f64], out: &mut [f64]) {
        let waited = self.bars >= self.wait && !self.mean.is_nan();
        if waited && all_below(f64::INFINITY, returns) {
            // Without a choice at every bar, which the next one would have to wait for.
            for (&one, out) in returns.iter().zip(out) {
                self.next(one);
                *out = self.variance;
            }
            self.bars = self.bars.saturating_add(returns.len() as u64);
        } else {
            for (&one, out) in returns.iter().zip(out) {
                *out = self.one(one);
            }
        }
    }

    /// A finite return that is not the first.
    #[inline(always)]
    fn next(&mut self, one: f64) {
        let next = self.omega + self.alpha * self.surprise + self.beta * self.variance;
        self.variance = self.at_least(next);
        let deviation = one - self.mean;
        self.surprise = deviation * deviation;
    }

    #[inline(always)]
    fn one(&mut self, one: f64) -> f64 {
        if self.mean.is_nan() {
            if !one.is_finite() {
                return NAN;
            }
            self.mean = one;
            self.variance = self.at_least(LONG_RUN);
        } else {
            self.bars = self.bars.saturating_add(1);
            if one.is_finite() {
                self.next(one);
            }
        }
        if self.bars < self.wait {
            NAN
        } else {
            self.variance
        }
    }

    #[inline(always)]
    fn at_least(&self, variance: f64) -> f64 {
        if variance > self.floor {
            variance
        } else {
            self.floor
        }
    }
}

impl State for Garch {
    fn reset(&mut self) {
        self.bars = 0;
        self.mean = NAN;
        self.variance = NAN;
        self.surprise = 0.0;
    }

    fn save(&self, to: &mut Writer) {
        to.float(self.mean);
        to.float(self.variance);
        to.float(self.surprise);
        to.integer(self.bars);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Error> {
        self.mean = from.float()?;
        self.variance = from.float()?;
        self.surprise = from.float()?;
        self.bars = from.integer()?;
        Ok(())
    }
}
