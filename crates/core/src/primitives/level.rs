//! The level of a series behind its noise: a Kalman filter of one dimension.
//!
//! # What is computed
//!
//! The level is taken to walk at random with variance `Q` a bar, and each present value to be the
//! level with an error of variance `R`. The first value is the first estimate, of variance `R`. Then
//! at each bar `P' = P + Q`, `K = P' / (P' + R)`, `estimate += K * (x - estimate)` and
//! `P = (1 - K) * P'`. A missing value leaves the estimate, and its variance grows by `Q`.
//!
//! # How
//!
//! `(1 - K) * P'` is the same as `K * R`, which loses nothing where `K` is close to one.
//!
//! The variance does not depend on the data. It begins at `R`, or after a gap above where it
//! was, and falls towards a limit; rounded numbers cannot fall for ever, so at some bar it does not
//! fall any more. From there on the gain is taken to stay as it is, which makes the estimate an
//! exponentially weighted mean with `alpha = K`: in blocks, as [`super::recurrence`] tells. That
//! bar is part of the specification. By default it is the sixth.
//!
//! Infinite values are data, as they are there: the estimate is infinite until infinities of both
//! signs have met, and the next present value is the new one. The variance takes no notice.

use super::recurrence::{BARS, Ewm, Gap, Isa, is_ordinary};
use super::{NAN, Results, canonical};
use crate::error::Error;
use crate::state::{Reader, State, Writer};

/// The estimated level of a column; NaN at missing bars.
#[derive(Clone)]
pub struct Level {
    /// Variance of the measurement.
    r: f64,
    /// Variance of the level's steps.
    q: f64,
    /// Variance of the estimate; NaN before the first present bar.
    variance: f64,
    filter: Filter,
}

/// What makes the next estimate.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "a run must not allocate")]
enum Filter {
    /// The last estimate, while the gain changes from bar to bar; bars taken, modulo [`BARS`].
    Serial { estimate: f64, phase: usize },
    /// The mean that the estimate has become.
    Steady { gain: f64, mean: Ewm },
}

impl Level {
    /// Variance `r` of the measurement, above zero, and `q` of the level's steps, zero or more.
    #[must_use]
    pub fn new(r: f64, q: f64) -> Self {
        let filter = Filter::Serial {
            estimate: NAN,
            phase: 0,
        };
        Self {
            r,
            q,
            variance: NAN,
            filter,
        }
    }

    /// Takes the next values of `x`; writes the estimate at each.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    pub fn run(&mut self, isa: Isa, x: &[f64], out: &mut [f64]) -> Results {
        if let Filter::Steady { mean, .. } = &mut self.filter
            && !isa.has_nan(x)
        {
            return mean.run(isa, x, out);
        }
        for (&x, out) in x.iter().zip(out) {
            *out = self.bar(x);
        }
        Results::Any
    }

    fn bar(&mut self, x: f64) -> f64 {
        match &mut self.filter {
            Filter::Steady { mean, .. } if x.is_nan() => {
                let phase = (mean.phase() + 1) % BARS;
                self.filter = Filter::Serial {
                    estimate: mean.mean(),
                    phase,
                };
                self.variance += self.q;
                NAN
            }
            Filter::Steady { mean, .. } => mean.bar(x),
            Filter::Serial { estimate, phase } => {
                let (before, phase) = (*estimate, (*phase + 1) % BARS);
                if x.is_nan() {
                    self.filter = Filter::Serial {
                        estimate: before,
                        phase,
                    };
                    self.variance += self.q;
                    NAN
                } else {
                    self.serial(before, phase, x)
                }
            }
        }
    }

    /// A present bar at which the gain may change.
    fn serial(&mut self, before: f64, phase: usize, x: f64) -> f64 {
        let predicted = self.variance + self.q;
        let gain = predicted / (predicted + self.r);
        let variance = gain * self.r;
        let first = self.variance.is_nan();
        let estimate = if first || before.is_nan() || gain >= 1.0 {
            x
        } else if is_ordinary(x) && is_ordinary(before) {
            before + gain * (x - before)
        } else {
            canonical((1.0 - gain) * before + gain * x)
        };
        // A gain of one makes every bar its own estimate, which needs no mean.
        self.filter = if variance >= self.variance && gain < 1.0 {
            let mean = Ewm::going_on(gain, Gap::Hold, phase, estimate);
            Filter::Steady { gain, mean }
        } else {
            Filter::Serial { estimate, phase }
        };
        self.variance = if first { self.r } else { variance };
        estimate
    }
}

impl State for Level {
    fn reset(&mut self) {
        *self = Self::new(self.r, self.q);
    }

    fn save(&self, to: &mut Writer) {
        to.float(self.variance);
        match &self.filter {
            Filter::Serial { estimate, phase } => {
                to.flag(false);
                to.float(*estimate);
                to.integer(*phase as u64);
            }
            Filter::Steady { gain, mean } => {
                to.flag(true);
                to.float(*gain);
                mean.save(to);
            }
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Error> {
        self.variance = from.float()?;
        if self.variance < 0.0 {
            return Err(Error::State("a variance is negative"));
        }
        self.filter = if from.flag()? {
            let gain = from.float()?;
            if !(0.0..1.0).contains(&gain) {
                return Err(Error::State("a gain is not that of a filter"));
            }
            let mut mean = Ewm::new(gain, Gap::Hold);
            mean.load(from)?;
            Filter::Steady { gain, mean }
        } else {
            Filter::Serial {
                estimate: from.float()?,
                phase: from.below(BARS, "a block is longer than blocks are")?,
            }
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn bars_until_steady(level: &mut Level) -> Option<usize> {
        (1..100_000).find(|_| {
            level.run(Isa::PORTABLE, &[100.0], &mut [NAN]);
            matches!(level.filter, Filter::Steady { .. })
        })
    }

    #[test]
    fn the_gain_is_held_soon_and_moves_after_a_gap() {
        let mut level = Level::new(0.01, 1.0);
        assert_eq!(bars_until_steady(&mut level), Some(6));
        level.run(Isa::PORTABLE, &[NAN], &mut [0.0]);
        assert!(matches!(level.filter, Filter::Serial { .. }));
        assert!(bars_until_steady(&mut level).is_some());
        assert!(bars_until_steady(&mut Level::new(1e4, 1e-2)).is_some());
        // The variance of a level that does not move falls with the number of bars.
        assert_eq!(bars_until_steady(&mut Level::new(1.0, 0.0)), None);
    }

    #[test]
    fn a_level_that_does_not_move_is_the_mean() {
        let x: Vec<f64> = (0..64).map(f64::from).collect();
        let mut out = vec![0.0; 64];
        Level::new(3.0, 0.0).run(Isa::PORTABLE, &x, &mut out);
        for (t, mean) in out.iter().enumerate() {
            assert!((mean - t as f64 / 2.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_constant_series_is_exact() {
        for (r, q) in [(0.01, 1.0), (1e4, 1.0), (1.0, 0.0), (1e-12, 1e12)] {
            let mut out = [0.0; 200];
            Level::new(r, q).run(Isa::PORTABLE, &[1.1; 200], &mut out);
            assert_eq!(out, [1.1; 200]);
        }
    }
}
