//! Sums over the last `p` bars, as a fixed tree.
//!
//! # What is computed, and why not a running sum
//!
//! A running sum (add the new bar, subtract the old one) drifts, is poisoned for ever by one
//! infinite bar, and depends on everything since the start. Here a window's result is a function of
//! the `p` values in it and of nothing else. By doubling, the sums over 2, 4, 8, ... bars ending at
//! each bar come from two sums over half as many, `S2[t] = S1[t-1] + S1[t]`,
//! `S4[t] = S2[t-2] + S2[t]`, and a window of `p` bars is put together from the pieces in the binary
//! digits of `p`, the smallest newest: 20 bars are the last 4 and the 16 before. The cost is one
//! addition per digit and piece, the same for a batch and for a live bar, nothing is subtracted, and
//! every step is independent from bar to bar, so it vectorises.
//!
//! # Mean and deviations
//!
//! A piece of `2^k` bars holds its sum and, for [`WindowMoments`], its length times its sum of
//! squared deviations from its own mean. Two equal pieces join as
//! `n2 = 2 * (n2_a + n2_b) + (sum_a - sum_b)^2` (Chan, Golub and `LeVeque`, 1979, rescaled so
//! that no division is needed), which never cancels and never goes below zero. Pieces of different
//! length join as means: `mean = mean_b + (mean_a - mean_b) * w` where `b`, the older piece, is the
//! longer one. So a constant window gives exactly the constant and a deviation of exactly zero.

use super::delay::Ring;
use super::{NAN, all_below, sqrt};
use crate::error::Error;
use crate::state::{Reader, State, Writer};
use alloc::vec::Vec;
use core::ops::Range;

/// How the pieces of a window are formed; `P` numbers describe a piece.
trait Fold<const P: usize> {
    fn leaf(x: f64) -> [f64; P];
    fn join(older: [f64; P], newer: [f64; P]) -> [f64; P];
}

#[derive(Clone)]
struct Sum;

impl Fold<1> for Sum {
    #[inline(always)]
    fn leaf(x: f64) -> [f64; 1] {
        [x]
    }

    #[inline(always)]
    fn join([older]: [f64; 1], [newer]: [f64; 1]) -> [f64; 1] {
        [older + newer]
    }
}

/// Sum, and length times the sum of squared deviations from the mean.
#[derive(Clone)]
struct Moments;

impl Fold<2> for Moments {
    #[inline(always)]
    fn leaf(x: f64) -> [f64; 2] {
        [x, 0.0]
    }

    #[inline(always)]
    fn join([older, older_squares]: [f64; 2], [newer, newer_squares]: [f64; 2]) -> [f64; 2] {
        let difference = older - newer;
        [
            older + newer,
            2.0 * (older_squares + newer_squares) + difference * difference,
        ]
    }
}

/// The largest value; NaN when one is. Zeros have no sign, so that it does not depend on the order.
#[derive(Clone)]
struct Largest;

impl Fold<1> for Largest {
    #[inline(always)]
    fn leaf(x: f64) -> [f64; 1] {
        [x + 0.0]
    }

    #[inline(always)]
    fn join([older]: [f64; 1], [newer]: [f64; 1]) -> [f64; 1] {
        [if older > newer || older.is_nan() {
            older
        } else {
            newer
        }]
    }
}

/// The pieces of 1, 2, 4, ... bars that end at each bar, and the windows put together from them.
#[derive(Clone)]
struct Tree<F, const P: usize> {
    period: usize,
    /// The last `2^k` pieces of `2^k` bars, for each level `k` a ring for each of the `P` numbers.
    rings: Vec<Ring>,
    /// The inputs of the last window: all that has to be saved.
    inputs: Ring,
    bars: usize,
    /// Calm values in a row at the end, see [`CALM`].
    calm: usize,
    fold: core::marker::PhantomData<F>,
}

/// Values of a saved window that are taken at once.
const LOADED_AT_ONCE: usize = 64;

/// Nothing overflows in a window of values below this.
const CALM: f64 = f64::from_bits((980 + 1023) << 52);

/// Pieces of `2^level` bars at some successive bars, with their place in the windows there.
struct Piece<'a, const P: usize> {
    level: usize,
    /// Bars between the piece and the end of the window.
    newer: usize,
    /// The bars whose windows these are pieces of, counted from the first of the run.
    at: Range<usize>,
    /// Whether those windows hold numbers below [`CALM`] and nothing else.
    calm: bool,
    columns: [&'a [f64]; P],
}

impl<F: Fold<P>, const P: usize> Tree<F, P> {
    fn new(period: usize) -> Result<Self, Error> {
        let mut rings = Vec::new();
        for level in 0..=period.ilog2() {
            for _ in 0..P {
                rings.push(Ring::new(1 << level)?);
            }
        }
        Ok(Self {
            period,
            rings,
            inputs: Ring::new(period - 1)?,
            bars: 0,
            calm: 0,
            fold: core::marker::PhantomData,
        })
    }

    /// Takes the next `N` values at most; hands out the pieces of their windows, newest first.
    #[inline(always)]
    fn run<const N: usize>(&mut self, x: &[f64], mut piece: impl FnMut(Piece<'_, P>)) {
        let n = x.len();
        let calm = self.is_calm(x);
        let (mut current, mut joined) = ([[0.0; N]; P], [[0.0; N]; P]);
        let (mut current, mut joined) = (&mut current, &mut joined);
        for j in 0..n {
            let leaf = F::leaf(x[j]);
            for p in 0..P {
                current[p][j] = leaf[p];
            }
        }
        let top = self.period.ilog2() as usize;
        for (level, rings) in self.rings.chunks_exact_mut(P).enumerate() {
            let len = 1 << level;
            if self.period & len != 0 {
                let newer = self.period & (len - 1);
                let from_rings = newer.min(n);
                for at in rings[0].spans(self.bars, newer, from_rings) {
                    let columns =
                        core::array::from_fn(|p| rings[p].span(self.bars, newer, at.clone()));
                    piece(Piece {
                        level,
                        newer,
                        at,
                        calm,
                        columns,
                    });
                }
                let columns = core::array::from_fn(|p| &current[p][..n - from_rings]);
                piece(Piece {
                    level,
                    newer,
                    at: from_rings..n,
                    calm,
                    columns,
                });
            }
            if level < top {
                let from_rings = len.min(n);
                for at in rings[0].spans(self.bars, len, from_rings) {
                    let older: [&[f64]; P] =
                        core::array::from_fn(|p| rings[p].span(self.bars, len, at.clone()));
                    for j in 0..at.len() {
                        let newer = core::array::from_fn(|p| current[p][at.start + j]);
                        let pair = F::join(core::array::from_fn(|p| older[p][j]), newer);
                        for p in 0..P {
                            joined[p][at.start + j] = pair[p];
                        }
                    }
                }
                for j in len..n {
                    let older = core::array::from_fn(|p| current[p][j - len]);
                    let pair = F::join(older, core::array::from_fn(|p| current[p][j]));
                    for p in 0..P {
                        joined[p][j] = pair[p];
                    }
                }
            }
            for p in 0..P {
                rings[p].push(self.bars, &current[p][..n]);
            }
            core::mem::swap(&mut current, &mut joined);
        }
        self.inputs.push(self.bars, x);
        self.bars = self.bars.wrapping_add(n);
    }

    /// Takes note of the next values; whether every window that ends at one of them is calm.
    #[inline(always)]
    fn is_calm(&mut self, x: &[f64]) -> bool {
        let before = self.calm >= self.period - 1;
        let calm = all_below(CALM, x);
        self.calm = if calm {
            self.calm.saturating_add(x.len())
        } else {
            x.iter().rev().take_while(|x| x.abs() < CALM).count()
        };
        before && calm
    }

    fn reset(&mut self) {
        self.rings.iter_mut().for_each(Ring::clear);
        self.inputs.clear();
        self.bars = 0;
        self.calm = 0;
    }

    fn save(&self, to: &mut Writer) {
        self.inputs.save(self.bars, self.period - 1, to);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Error> {
        self.reset();
        let mut left = self.period - 1;
        while left > 0 {
            let mut inputs = [0.0; LOADED_AT_ONCE];
            let inputs = &mut inputs[..left.min(LOADED_AT_ONCE)];
            for input in inputs.iter_mut() {
                *input = from.float()?;
            }
            self.run::<LOADED_AT_ONCE>(inputs, |_| ());
            left -= inputs.len();
        }
        Ok(())
    }
}

/// Weights with which a longer, older piece and the newer rest of the window join.
struct Joint {
    newer: f64,
    older: f64,
    /// `n_a * n_b / (n_a + n_b)`, the weight of the squared difference of the means.
    squares: f64,
}

impl Joint {
    fn new(newer: usize, level: usize) -> Self {
        let (newer, older) = (newer as f64, (1usize << level) as f64);
        let all = newer + older;
        Self {
            newer: newer / all,
            older: older / all,
            squares: newer * older / all,
        }
    }

    /// Mean of the joined pieces.
    #[inline(always)]
    fn mean(&self, newer: f64, older: f64) -> f64 {
        let difference = newer - older;
        // Infinite means, equal ones above all, have no difference to speak of.
        if difference.abs() < f64::INFINITY {
            older + difference * self.newer
        } else {
            newer * self.newer + older * self.older
        }
    }

    /// The same, of pieces of calm windows.
    #[inline(always)]
    fn calm_mean(&self, newer: f64, older: f64) -> f64 {
        older + (newer - older) * self.newer
    }
}

/// `2^-level`
fn reciprocal(level: usize) -> f64 {
    1.0 / (1usize << level) as f64
}

/// What a window remembers is what one part of it does.
macro_rules! state_of {
    ($window:ident, $part:tt) => {
        impl State for $window {
            fn reset(&mut self) {
                self.$part.reset();
            }

            fn save(&self, to: &mut Writer) {
                self.$part.save(to);
            }

            fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Error> {
                self.$part.load(from)
            }
        }
    };
}

/// Mean of the last `period` values; NaN unless all of them are present.
#[derive(Clone)]
pub struct WindowMean(Tree<Sum, 1>);

impl WindowMean {
    /// A window of `period` bars, at least one.
    ///
    /// # Errors
    /// [`Error::Memory`]
    pub fn new(period: usize) -> Result<Self, Error> {
        Tree::new(period).map(Self)
    }

    /// Takes the next `N` values of `x` at most; writes the mean at each.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    pub fn run<const N: usize>(&mut self, x: &[f64], mean: &mut [f64]) {
        self.0.run::<N>(
            x,
            |Piece {
                 level,
                 newer,
                 at,
                 calm,
                 columns: [sum],
             }| {
                let scale = reciprocal(level);
                let mean = &mut mean[at];
                if newer == 0 {
                    for (mean, &sum) in mean.iter_mut().zip(sum) {
                        *mean = sum * scale;
                    }
                    return;
                }
                let joint = Joint::new(newer, level);
                let rows = mean.iter_mut().zip(sum);
                if calm {
                    for (mean, &sum) in rows {
                        *mean = joint.calm_mean(*mean, sum * scale);
                    }
                } else {
                    for (mean, &sum) in rows {
                        *mean = joint.mean(*mean, sum * scale);
                    }
                }
            },
        );
    }
}

state_of!(WindowMean, 0);

/// Mean and sum of squared deviations of the last `period` values; NaN unless all are present.
#[derive(Clone)]
pub struct WindowMoments(Tree<Moments, 2>);

impl WindowMoments {
    /// A window of `period` bars, at least one.
    ///
    /// # Errors
    /// [`Error::Memory`]
    pub fn new(period: usize) -> Result<Self, Error> {
        Tree::new(period).map(Self)
    }

    /// Takes the next `N` values of `x` at most; writes mean and sum of squared deviations.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    pub fn run<const N: usize>(&mut self, x: &[f64], mean: &mut [f64], squares: &mut [f64]) {
        self.0.run::<N>(
            x,
            |Piece {
                 level,
                 newer,
                 at,
                 calm,
                 columns: [sum, scaled],
             }| {
                let scale = reciprocal(level);
                let (mean, squares) = (&mut mean[at.clone()], &mut squares[at]);
                let rows = mean
                    .iter_mut()
                    .zip(squares.iter_mut())
                    .zip(sum.iter().zip(scaled));
                if newer == 0 {
                    for ((mean, squares), (&sum, &scaled)) in rows {
                        *mean = sum * scale;
                        *squares = scaled * scale;
                    }
                    return;
                }
                let joint = Joint::new(newer, level);
                for ((mean, squares), (&sum, &scaled)) in rows {
                    let older = sum * scale;
                    let difference = *mean - older;
                    *squares =
                        (*squares + scaled * scale) + difference * difference * joint.squares;
                    *mean = if calm {
                        joint.calm_mean(*mean, older)
                    } else {
                        joint.mean(*mean, older)
                    };
                }
            },
        );
    }
}

state_of!(WindowMoments, 0);

/// Values in units of the sample deviation of the last `period` of them; NaN unless all are present.
#[derive(Clone)]
pub struct WindowScore {
    moments: WindowMoments,
    /// `1 / (period - 1)`; infinite for one bar, whose deviation of zero it turns into NaN.
    per_degree: f64,
}

impl WindowScore {
    /// A window of `period` bars, at least one.
    ///
    /// # Errors
    /// [`Error::Memory`]
    pub fn new(period: usize) -> Result<Self, Error> {
        Ok(Self {
            moments: WindowMoments::new(period)?,
            per_degree: 1.0 / (period - 1) as f64,
        })
    }

    /// Takes the next `N` values at most and replaces them by their scores.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    pub fn run<const N: usize>(&mut self, values: &mut [f64]) {
        let (mut mean, mut squares) = ([0.0; N], [0.0; N]);
        let squares = &mut squares[..values.len()];
        self.moments
            .run::<N>(values, &mut mean[..values.len()], squares);
        for (value, &squares) in values.iter_mut().zip(&*squares) {
            *value /= sqrt(squares * self.per_degree);
        }
    }
}

state_of!(WindowScore, moments);

/// The largest of the last `period` values; NaN unless all of them are present. The smallest is what
/// the largest of the negated values is.
#[derive(Clone)]
pub struct WindowMax(Tree<Largest, 1>);

impl WindowMax {
    /// A window of `period` bars, at least one.
    ///
    /// # Errors
    /// [`Error::Memory`]
    pub fn new(period: usize) -> Result<Self, Error> {
        Tree::new(period).map(Self)
    }

    /// Takes the next `N` values of `x` at most; writes the largest at each.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    pub fn run<const N: usize>(&mut self, x: &[f64], largest: &mut [f64]) {
        self.0.run::<N>(
            x,
            |Piece {
                 newer,
                 at,
                 columns: [older],
                 ..
             }| {
                for (largest, &older) in largest[at].iter_mut().zip(older) {
                    [*largest] = if newer == 0 {
                        [older]
                    } else {
                        Largest::join([older], [*largest])
                    };
                }
            },
        );
    }
}

state_of!(WindowMax, 0);

/// Digits of the longest window.
const LEVELS: usize = 20;

/// The mean of one window, bit for bit that of [`WindowMean`], without remembering its bars.
///
/// A binary counter: digit `k` set means that the sum of a piece of `2^k` bars is waiting. This
/// leaves the very pieces of the window's tree, since the count is its length.
#[derive(Clone)]
pub struct SeedMean {
    period: usize,
    count: u64,
    pieces: [f64; LEVELS],
}

impl SeedMean {
    /// The mean of `period` values.
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self {
            period,
            count: 0,
            pieces: [0.0; LEVELS],
        }
    }

    /// Takes one of the values.
    pub fn push(&mut self, x: f64) {
        let mut sum = x;
        let full = self.count.trailing_ones() as usize;
        for piece in &mut self.pieces[..full] {
            sum += core::mem::take(piece);
        }
        self.pieces[full] = sum;
        self.count += 1;
    }

    /// Values taken so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean, once all values have been taken.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let mut mean = NAN;
        for (level, &sum) in self
            .pieces
            .iter()
            .enumerate()
            .filter(|(level, _)| self.period >> level & 1 == 1)
        {
            let newer = self.period & ((1 << level) - 1);
            let older = sum * reciprocal(level);
            mean = if newer == 0 {
                older
            } else {
                Joint::new(newer, level).mean(mean, older)
            };
        }
        mean
    }
}

impl State for SeedMean {
    fn reset(&mut self) {
        *self = Self::new(self.period);
    }

    fn save(&self, to: &mut Writer) {
        to.integer(self.count);
        for (level, &sum) in self.pieces.iter().enumerate() {
            if self.count >> level & 1 == 1 {
                to.float(sum);
            }
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Error> {
        self.reset();
        self.count = from.integer()?;
        if self.count > self.period as u64 {
            return Err(Error::State("more values in a seed than it has"));
        }
        for (level, sum) in self.pieces.iter_mut().enumerate() {
            if self.count >> level & 1 == 1 {
                *sum = from.float()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn means(period: usize, x: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; x.len()];
        WindowMean::new(period).unwrap().run::<64>(x, &mut out);
        out
    }

    #[test]
    fn a_constant_window_is_exact() {
        for period in 1..40 {
            let (mut mean, mut squares) = ([0.0; 64], [0.0; 64]);
            WindowMoments::new(period)
                .unwrap()
                .run::<64>(&[1.1; 64], &mut mean, &mut squares);
            assert!(
                mean[..period - 1].iter().all(|mean| mean.is_nan()),
                "period {period}"
            );
            assert_eq!(
                mean[period - 1..],
                [1.1; 64][period - 1..],
                "period {period}"
            );
            assert_eq!(
                squares[period - 1..],
                [0.0; 64][period - 1..],
                "period {period}"
            );
        }
    }

    #[test]
    fn what_left_the_window_leaves_no_trace() {
        let mut x = vec![1.5; 64];
        x[20] = f64::INFINITY;
        x[40] = 1e300;
        let out = means(7, &x);
        assert_eq!(out[26], f64::INFINITY);
        assert_eq!(out[27], 1.5);
        assert_eq!(out[47], 1.5);
    }

    #[test]
    fn the_largest_is_that_of_the_window() {
        let x: Vec<f64> = (0..64)
            .map(|t| [3.0, -0.0, -7.5, 0.0, -2.0][t * t % 5])
            .collect();
        for period in 1..40 {
            let mut found = [0.0; 64];
            WindowMax::new(period).unwrap().run::<64>(&x, &mut found);
            for (t, &found) in found.iter().enumerate() {
                let window = (t + 1).checked_sub(period).map(|first| &x[first..=t]);
                let largest = window.and_then(|w| w.iter().copied().max_by(f64::total_cmp));
                let expected = largest.map_or(NAN, |largest| largest + 0.0);
                assert_eq!(
                    found.to_bits(),
                    expected.to_bits(),
                    "period {period}, bar {t}"
                );
            }
        }
    }

    #[test]
    fn a_missing_value_hides_the_largest_of_its_windows() {
        let (mut x, mut found) = ([1.0; 20], [0.0; 20]);
        x[8] = NAN;
        WindowMax::new(5).unwrap().run::<20>(&x, &mut found);
        for (t, found) in found.iter().enumerate() {
            assert_eq!(found.is_nan(), t < 4 || (8..13).contains(&t), "bar {t}");
        }
    }

    #[test]
    fn a_seed_is_the_first_window() {
        let x: Vec<f64> = (0..64).map(|t| f64::from(t * t % 17) + 0.1).collect();
        for period in 1..=64 {
            let mut seed = SeedMean::new(period);
            x[..period].iter().for_each(|&x| seed.push(x));
            assert_eq!(
                seed.mean().to_bits(),
                means(period, &x)[period - 1].to_bits(),
                "period {period}"
            );
        }
    }
}
