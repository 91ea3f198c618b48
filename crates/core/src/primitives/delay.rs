//! The value some bars ago.

use super::NAN;
use super::order::{LANES, Order, ROWS};
use crate::error::Error;
use crate::state::{Reader, State, Writer};
use alloc::vec::Vec;
use core::ops::Range;

/// The last values of a column, at least `capacity` of them, NaN before the first.
///
/// The length is a power of two, and the place of bar `t` is `t` modulo that length, so the cursor
/// is the number of bars taken and several rings can share one.
#[derive(Clone)]
pub(crate) struct Ring(Vec<f64>);

impl Ring {
    pub(crate) fn new(capacity: usize) -> Result<Self, Error> {
        let len = capacity.next_power_of_two();
        let mut values = Vec::new();
        values.try_reserve_exact(len).map_err(|_| Error::Memory)?;
        values.resize(len, NAN);
        Ok(Self(values))
    }

    pub(crate) fn clear(&mut self) {
        self.0.fill(NAN);
    }

    /// Value at bar `bar`, which must be one of the last that were pushed.
    fn at(&self, bar: usize) -> f64 {
        self.0[bar & (self.0.len() - 1)]
    }

    /// Hands out `current` delayed by `by` bars, in pieces, each with the bars it is for. `current`
    /// begins at bar `bars` and has not been pushed yet; `by` is at most the ring's length.
    #[inline(always)]
    pub(crate) fn delayed(
        &self,
        bars: usize,
        current: &[f64],
        by: usize,
        mut piece: impl FnMut(Range<usize>, &[f64]),
    ) {
        let old = by.min(current.len());
        for at in self.spans(bars, by, old) {
            piece(at.clone(), self.span(bars, by, at));
        }
        piece(old..current.len(), &current[..current.len() - old]);
    }

    /// Cuts the first `count` values of a run that begins at bar `bars`, delayed by `by` bars, into
    /// stretches that lie in one piece here; `count` is at most `by`.
    #[inline(always)]
    pub(crate) fn spans(&self, bars: usize, by: usize, count: usize) -> [Range<usize>; 2] {
        let first = bars.wrapping_sub(by) & (self.0.len() - 1);
        let straight = count.min(self.0.len() - first);
        [0..straight, straight..count]
    }

    /// The values of one of the [`Self::spans`].
    #[inline(always)]
    pub(crate) fn span(&self, bars: usize, by: usize, at: Range<usize>) -> &[f64] {
        let first = bars.wrapping_sub(by).wrapping_add(at.start) & (self.0.len() - 1);
        &self.0[first..first + at.len()]
    }

    /// Appends `current`, which begins at bar `bars`.
    #[inline(always)]
    pub(crate) fn push(&mut self, bars: usize, current: &[f64]) {
        let skipped = current.len().saturating_sub(self.0.len());
        let kept = &current[skipped..];
        let first = bars.wrapping_add(skipped) & (self.0.len() - 1);
        let straight = kept.len().min(self.0.len() - first);
        self.0[first..first + straight].copy_from_slice(&kept[..straight]);
        self.0[..kept.len() - straight].copy_from_slice(&kept[straight..]);
    }

    /// Saves the last `count` values, oldest first.
    pub(crate) fn save(&self, bars: usize, count: usize, to: &mut Writer) {
        for back in (1..=count).rev() {
            to.float(self.at(bars.wrapping_sub(back)));
        }
    }
}

/// A column delayed by a fixed number of bars.
#[derive(Clone)]
pub struct Delay {
    by: usize,
    ring: Ring,
    bars: usize,
}

impl Delay {
    /// Delays by `by` bars, at least one.
    ///
    /// # Errors
    /// [`Error::Memory`]
    pub fn new(by: usize) -> Result<Self, Error> {
        Ok(Self {
            by,
            ring: Ring::new(by)?,
            bars: 0,
        })
    }

    /// Takes the next values of `x`; writes for each the one `by` bars earlier, NaN where none is.
    #[inline(always)]
    pub fn run(&mut self, order: Order, x: &[f64], out: &mut [f64]) {
        match order {
            Order::Bars => self.pieces(x, |at, earlier| out[at].copy_from_slice(earlier)),
            Order::Stripes => self.stripes(x, out),
        }
    }

    /// Takes the next values of `x`, one after the other; hands out the earlier ones in pieces, each
    /// with the bars it is for.
    #[inline(always)]
    pub fn pieces(&mut self, x: &[f64], piece: impl FnMut(Range<usize>, &[f64])) {
        self.ring.delayed(self.bars, x, self.by, piece);
        self.ring.push(self.bars, x);
        self.bars = self.bars.wrapping_add(x.len());
    }

    /// Each row is an earlier one, moved by as many lanes as the delay crosses stretches.
    #[inline(always)]
    fn stripes(&mut self, x: &[f64], out: &mut [f64]) {
        for row in 0..ROWS {
            let lanes = self.by.saturating_sub(row).div_ceil(ROWS);
            let out = &mut out[row * LANES..][..LANES];
            let old = lanes.min(LANES);
            for (lane, out) in out[..old].iter_mut().enumerate() {
                let bar = self.bars.wrapping_add(lane * ROWS + row);
                *out = self.ring.at(bar.wrapping_sub(self.by));
            }
            if lanes < LANES {
                let earlier = row + lanes * ROWS - self.by;
                out[lanes..].copy_from_slice(&x[earlier * LANES..][..LANES - lanes]);
            }
        }
        let kept = self.by.min(x.len());
        for bar in x.len() - kept..x.len() {
            let value = x[Order::Stripes.place(bar)];
            self.ring.push(self.bars.wrapping_add(bar), &[value]);
        }
        self.bars = self.bars.wrapping_add(x.len());
    }
}

impl State for Delay {
    fn reset(&mut self) {
        self.ring.clear();
        self.bars = 0;
    }

    fn save(&self, to: &mut Writer) {
        self.ring.save(self.bars, self.by, to);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Error> {
        self.reset();
        for _ in 0..self.by {
            self.run(Order::Bars, &[from.float()?], &mut [NAN]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn delays_across_blocks_of_any_size() {
        let x: Vec<f64> = (0..100).map(f64::from).collect();
        for by in [1, 2, 3, 7, 8, 31, 99, 100, 200] {
            for block in [1, 2, 5, 8, 64, 100] {
                let mut delay = Delay::new(by).unwrap();
                let mut out = vec![0.0; x.len()];
                for (x, out) in x.chunks(block).zip(out.chunks_mut(block)) {
                    delay.run(Order::Bars, x, out);
                }
                for (t, value) in out.iter().enumerate() {
                    let expected = t.checked_sub(by).map_or(NAN, |t| x[t]);
                    assert_eq!(
                        value.to_bits(),
                        expected.to_bits(),
                        "by {by}, block {block}, bar {t}"
                    );
                }
            }
        }
    }
}
