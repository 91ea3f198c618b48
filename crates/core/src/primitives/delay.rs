//! The value some bars ago.

use super::NAN;
use crate::error::Error;
use crate::state::{Reader, State, Writer};
use alloc::vec::Vec;
use core::ops::Range;

/// Numbers in a line of the processor's cache.
pub(crate) const LINE: usize = 8;

/// The last values of a column, at least `capacity` of them, NaN before the first.
///
/// The length is a power of two, and the place of bar `t` is `t` modulo that length, so the cursor
/// is the number of bars taken and several rings can share one.
#[derive(Clone, Default)]
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
    pub(crate) fn at(&self, bar: usize) -> f64 {
        self.0[bar & (self.0.len() - 1)]
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

/// The last values of a column, at least `reach` of them, NaN before the first, side by side wherever they begin: new ones are written
/// behind them, and at the end of the memory they move to where it begins.
#[derive(Clone, Default)]
pub(crate) struct Trail {
    values: Vec<f64>,
    reach: usize,
    /// Where they begin: at a line of the processor's cache, if this is not a copy.
    first: usize,
    end: usize,
}

impl Trail {
    /// Of which up to `at_once` values are written at a time.
    pub(crate) fn new(reach: usize, at_once: usize) -> Result<Self, Error> {
        let len = LINE - 1 + reach + reach.max(at_once);
        let mut values = Vec::new();
        values.try_reserve_exact(len).map_err(|_| Error::Memory)?;
        values.resize(len, NAN);
        let to_line = values.as_ptr().align_offset(LINE * size_of::<f64>());
        let first = to_line.min(LINE - 1);
        Ok(Self {
            values,
            reach,
            first,
            end: first + reach,
        })
    }

    pub(crate) fn clear(&mut self) {
        self.end = self.first + self.reach;
        self.values[..self.end].fill(NAN);
    }

    /// Where the next `count` values are to be written.
    #[inline(always)]
    pub(crate) fn next(&mut self, count: usize) -> &mut [f64] {
        if self.values.len() - self.end < count {
            let kept = self.end - self.reach..self.end;
            self.values.copy_within(kept, self.first);
            self.end = self.first + self.reach;
        }
        let first = self.end;
        self.end += count;
        &mut self.values[first..self.end]
    }

    /// As many values as were written last, delayed by up to `reach`.
    #[inline(always)]
    pub(crate) fn delayed(&self, by: usize, count: usize) -> &[f64] {
        &self.values[self.end - by - count..self.end - by]
    }

    /// The value that was written `back` values ago; the last one is one back.
    pub(crate) fn at(&self, back: usize) -> f64 {
        self.values[self.end - back]
    }

    /// Writes one value.
    pub(crate) fn push(&mut self, value: f64) {
        self.next(1)[0] = value;
    }
}

/// Bars that quotients are taken of together.
const GROUP: usize = 32;

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

    /// Takes the next values of `x`; hands out for each the one `by` bars earlier, NaN where none is, in
    /// pieces, each with the bars it is for.
    ///
    /// Where the earlier ones are in this ring first, and then in `x`, a group of both is put together: what is left over
    /// of a piece, once groups have been taken, takes much longer than its share.
    #[inline(always)]
    pub fn pieces(&mut self, x: &[f64], mut piece: impl FnMut(Range<usize>, &[f64])) {
        let (bars, by) = (self.bars, self.by);
        let old = by.min(x.len());
        let whole = old - old % GROUP;
        if whole > 0 {
            for at in self.ring.spans(bars, by, whole) {
                piece(at.clone(), self.ring.span(bars, by, at));
            }
        }
        let end = old.next_multiple_of(GROUP).min(x.len());
        if whole < end {
            let mut group = [0.0; GROUP];
            let group = &mut group[..end - whole];
            let (from_ring, from_x) = group.split_at_mut(old - whole);
            let later = by - whole;
            for at in self.ring.spans(bars, later, from_ring.len()) {
                from_ring[at.clone()].copy_from_slice(self.ring.span(bars, later, at));
            }
            from_x.copy_from_slice(&x[..end - old]);
            piece(whole..end, group);
        }
        if end < x.len() {
            piece(end..x.len(), &x[end - old..x.len() - old]);
        }
        self.ring.push(bars, x);
        self.bars = bars.wrapping_add(x.len());
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
            self.pieces(&[from.float()?], |_, _| {});
        }
        Ok(())
    }
}

/// A column delayed by one bar; NaN before the first.
#[derive(Clone)]
pub struct Previous(f64);

impl Default for Previous {
    fn default() -> Self {
        Self(NAN)
    }
}

impl Previous {
    /// Takes the next values of `x`; calls `bar` for each of them, with its number and the value before.
    #[inline(always)]
    pub fn run(&mut self, x: &[f64], mut bar: impl FnMut(usize, f64)) {
        let Some(&last) = x.last() else { return };
        bar(0, self.0);
        for t in 1..x.len() {
            bar(t, x[t - 1]);
        }
        self.0 = last;
    }

    /// The same for two columns of one length. What is done to the first bars is done apart, so that whatever is written of the
    /// others begins at a line of the processor's cache, if the column does.
    #[inline(always)]
    pub fn run_beside(
        [a, b]: [&mut Self; 2],
        [x, y]: [&[f64]; 2],
        mut bar: impl FnMut(usize, [f64; 2]),
    ) {
        let (Some(&last), Some(&last_beside)) = (x.last(), y.last()) else {
            return;
        };
        let y = &y[..x.len()];
        bar(0, [a.0, b.0]);
        let few = x.len().min(LINE);
        for bars in [1..few, few..x.len()] {
            for t in bars {
                bar(t, [x[t - 1], y[t - 1]]);
            }
        }
        (a.0, b.0) = (last, last_beside);
    }
}

impl State for Previous {
    fn reset(&mut self) {
        self.0 = NAN;
    }

    fn save(&self, to: &mut Writer) {
        to.float(self.0);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Error> {
        self.0 = from.float()?;
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
                    delay.pieces(x, |at, earlier| out[at].copy_from_slice(earlier));
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

    #[test]
    fn a_trail_has_the_last_values_side_by_side() {
        let value = |number: usize| number as f64;
        for reach in [0, 1, 16, 100] {
            let mut trail = Trail::new(reach, 10).unwrap();
            let mut written = 0;
            for count in (1..=10).cycle().take(10 + reach) {
                for (place, number) in trail.next(count).iter_mut().zip(written..) {
                    *place = value(number);
                }
                written += count;
                for by in 0..=reach {
                    for (&found, back) in trail.delayed(by, count).iter().zip((0..count).rev()) {
                        let expected = written.checked_sub(1 + by + back).map_or(NAN, value);
                        assert_eq!(
                            found.to_bits(),
                            expected.to_bits(),
                            "{reach} {written} {by}"
                        );
                    }
                    if by > 0 {
                        assert_eq!(
                            trail.at(by).to_bits(),
                            trail.delayed(by - 1, 1)[0].to_bits()
                        );
                    }
                }
            }
            trail.clear();
            assert!(trail.delayed(0, reach).iter().all(|value| value.is_nan()));
            trail.push(1.0);
            assert_eq!(trail.at(1), 1.0);
        }
    }
}
