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
//!
//! Bars in chunks have all this done for many of them at once, as `pieces.rs` tells. A bar that comes
//! alone takes the same steps.

use super::delay::{Ring, Trail};
use super::pieces::{CALM, CHUNK, CHUNKS, Joint, Row, SMALL, Small, Step, Take, on_ones, split};
use super::recurrence::Isa;
use super::{NAN, Results, Watch, all_below};
use crate::error::Error;
use crate::kernel::Scratch;
use crate::state::{Reader, State, Writer};
use alloc::vec::Vec;

/// How the pieces of a window are formed and put together; `P` numbers describe a piece, and as many a result.
trait Fold<const P: usize> {
    fn leaf(x: f64) -> [f64; P];
    fn join(older: [f64; P], newer: [f64; P]) -> [f64; P];
    /// The same for single bars.
    #[inline(always)]
    fn join_leaves(older: [f64; P], newer: [f64; P]) -> [f64; P] {
        Self::join(older, newer)
    }
    /// The result for a window that is one piece.
    fn first(piece: [f64; P], joint: &Joint) -> [f64; P];
    /// The result for a longer window of numbers below [`CALM`], from that for its newer part.
    fn extended(newer: [f64; P], older: [f64; P], joint: &Joint) -> [f64; P];
    /// The same for any numbers.
    fn extended_wild(newer: [f64; P], older: [f64; P], joint: &Joint) -> [f64; P];
    /// What becomes of the result for a whole window, with one by its degrees of freedom.
    #[inline(always)]
    fn finished(result: [f64; P], _: f64) -> [f64; P] {
        result
    }
    /// How calm chunks are taken, if not like others.
    fn chunks(isa: Isa) -> Option<Take<P>>;
}

#[derive(Clone)]
struct Means;

impl Fold<1> for Means {
    #[inline(always)]
    fn leaf(x: f64) -> [f64; 1] {
        [x]
    }

    #[inline(always)]
    fn join(older: [f64; 1], newer: [f64; 1]) -> [f64; 1] {
        on_ones::join_sums(older, newer)
    }

    #[inline(always)]
    fn first(piece: [f64; 1], joint: &Joint) -> [f64; 1] {
        on_ones::first_mean(piece, &on_ones::weights(joint))
    }

    #[inline(always)]
    fn extended(newer: [f64; 1], older: [f64; 1], joint: &Joint) -> [f64; 1] {
        on_ones::extended_mean(newer, older, &on_ones::weights(joint))
    }

    #[inline(always)]
    fn extended_wild([newer]: [f64; 1], [older]: [f64; 1], joint: &Joint) -> [f64; 1] {
        [joint.mean(newer, older * joint.scale)]
    }

    fn chunks(isa: Isa) -> Option<Take<1>> {
        isa.pieces().map(|pieces| pieces.means)
    }
}

/// Mean and sum of squared deviations, and of the finished result sample deviation.
#[derive(Clone)]
struct Moments;

impl Fold<2> for Moments {
    #[inline(always)]
    fn leaf(x: f64) -> [f64; 2] {
        [x, 0.0]
    }

    #[inline(always)]
    fn join(older: [f64; 2], newer: [f64; 2]) -> [f64; 2] {
        on_ones::join_moments(older, newer)
    }

    #[inline(always)]
    fn join_leaves(older: [f64; 2], newer: [f64; 2]) -> [f64; 2] {
        on_ones::join_bars(older, newer)
    }

    #[inline(always)]
    fn first(piece: [f64; 2], joint: &Joint) -> [f64; 2] {
        on_ones::first_moments(piece, &on_ones::weights(joint))
    }

    #[inline(always)]
    fn extended(newer: [f64; 2], older: [f64; 2], joint: &Joint) -> [f64; 2] {
        on_ones::extended_moments(newer, older, &on_ones::weights(joint))
    }

    #[inline(always)]
    fn extended_wild(newer: [f64; 2], older: [f64; 2], joint: &Joint) -> [f64; 2] {
        let [_, squares] = Self::extended(newer, older, joint);
        [joint.mean(newer[0], older[0] * joint.scale), squares]
    }

    #[inline(always)]
    fn finished(result: [f64; 2], per_degree: f64) -> [f64; 2] {
        on_ones::finished_moments(result, per_degree)
    }

    fn chunks(isa: Isa) -> Option<Take<2>> {
        isa.pieces().map(|pieces| pieces.moments)
    }
}

#[derive(Clone)]
struct Largest;

impl Fold<1> for Largest {
    #[inline(always)]
    fn leaf(x: f64) -> [f64; 1] {
        // Zeros lose their sign, so that the largest does not depend on the order.
        [x + 0.0]
    }

    #[inline(always)]
    fn join(older: [f64; 1], newer: [f64; 1]) -> [f64; 1] {
        on_ones::join_largest(older, newer)
    }

    #[inline(always)]
    fn first(piece: [f64; 1], joint: &Joint) -> [f64; 1] {
        on_ones::first_largest(piece, &on_ones::weights(joint))
    }

    #[inline(always)]
    fn extended(newer: [f64; 1], older: [f64; 1], joint: &Joint) -> [f64; 1] {
        on_ones::extended_largest(newer, older, &on_ones::weights(joint))
    }

    #[inline(always)]
    fn extended_wild(newer: [f64; 1], older: [f64; 1], joint: &Joint) -> [f64; 1] {
        Self::extended(newer, older, joint)
    }

    fn chunks(isa: Isa) -> Option<Take<1>> {
        isa.pieces().map(|pieces| pieces.largest)
    }
}

/// Bars that windows of more than 31 are put together of at a time.
const STRETCH: usize = 2 * CHUNKS * CHUNK;

/// The pieces of 1, 2, 4, ... bars that end at each bar, and the windows put together from them.
#[derive(Clone)]
struct Tree<F, const P: usize> {
    period: usize,
    /// `1 / (period - 1)`; infinite for one bar, whose deviation of zero it turns into NaN.
    per_degree: f64,
    /// What windows are put together from, newest first.
    steps: Vec<Step>,
    /// The last pieces of up to a chunk of bars, that of bar `t` at `t` modulo [`CHUNK`].
    small: Small<P>,
    /// The last `2^k` pieces of `2^k` bars, for each longer `k` and the one before; none if there is no longer one.
    long: Vec<[Trail; P]>,
    /// The inputs of the last window: all that has to be saved.
    inputs: Ring,
    bars: usize,
    /// Values since the last that was not calm, which are those from [`CALM`] on. A missing one is calm: with it, every result is NaN.
    calm: usize,
    /// Values since the last that was missing, or more.
    present: usize,
    fold: core::marker::PhantomData<F>,
}

impl<F: Fold<P>, const P: usize> Tree<F, P> {
    fn new(period: usize) -> Result<Self, Error> {
        let levels = 1 + period.ilog2() as usize;
        let (mut steps, mut long) = (Vec::new(), Vec::new());
        steps.try_reserve_exact(levels).map_err(|_| Error::Memory)?;
        for level in (0..levels).filter(|level| period >> level & 1 == 1) {
            steps.push(Step::new(period, level));
        }
        if levels > SMALL {
            long.try_reserve_exact(levels + 1 - SMALL)
                .map_err(|_| Error::Memory)?;
            for level in SMALL - 1..levels {
                let mut trails = core::array::from_fn(|_| Trail::default());
                // Of the longest piece there is none that is made of it.
                let reach = match steps.last() {
                    Some(step) if level == step.level => step.newer,
                    _ => 1 << level,
                };
                for trail in &mut trails {
                    *trail = Trail::new(reach, STRETCH)?;
                }
                long.push(trails);
            }
        }
        Ok(Self {
            period,
            per_degree: 1.0 / (period - 1) as f64,
            steps,
            small: [[[NAN; CHUNK]; P]; SMALL],
            long,
            inputs: Ring::new(period - 1)?,
            bars: 0,
            calm: usize::MAX,
            present: 0,
            fold: core::marker::PhantomData,
        })
    }

    /// Takes the next values; writes the results for the windows that end at them.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    fn run(&mut self, isa: Isa, x: &[f64], out: [&mut [f64]; P]) -> Results {
        let (chunks, rest) = x.as_chunks();
        let at = chunks.as_flattened().len();
        let (chunks_out, mut rest_out) = split(out, at);
        let mut results = Results::numbers_if(rest.is_empty());
        if !chunks.is_empty() {
            let chunks_out = chunks_out.map(|out| out.as_chunks_mut().0);
            results = results & self.chunks(isa, chunks, chunks_out);
        }
        for (t, &x) in rest.iter().enumerate() {
            for (out, result) in rest_out.iter_mut().zip(self.bar(x)) {
                out[t] = result;
            }
        }
        results
    }

    /// Takes whole chunks.
    #[inline(always)]
    fn chunks(
        &mut self,
        isa: Isa,
        x: &[[f64; CHUNK]],
        mut out: [&mut [[f64; CHUNK]]; P],
    ) -> Results {
        let take = F::chunks(isa);
        let done = take.and_then(|take| {
            self.at_once(x, |small, steps, per_degree| {
                take(x, small, None, steps, Some(per_degree), &mut out)
            })
        });
        if let Some(results) = done {
            return results;
        }
        let bars = x.as_flattened();
        let phase = self.bars % CHUNK;
        turn(self.small.as_flattened_mut(), phase);
        let present = self.present >= self.period - 1 && self.per_degree.is_finite();
        let (calm, all_present) = self.look(bars);
        match take {
            Some(take) if calm && !self.long.is_empty() => self.in_registers(take, x, out),
            _ => self.in_rows(x, out, calm),
        }
        turn(self.small.as_flattened_mut(), CHUNK - phase);
        self.inputs.push(self.bars, bars);
        self.bars = self.bars.wrapping_add(bars.len());
        Results::numbers_if(calm && present && all_present)
    }

    /// Takes whole chunks by `take`, which is given the pieces so far, what windows are put together from, and one by the degrees of
    /// freedom. None, and nothing is changed, if windows are too long for that, or not calm.
    #[inline(always)]
    fn at_once(
        &mut self,
        x: &[[f64; CHUNK]],
        take: impl FnOnce(&mut Small<P>, &[Step], f64) -> Option<Results>,
    ) -> Option<Results> {
        if !self.long.is_empty() || self.calm < self.period - 1 {
            return None;
        }
        let bars = x.as_flattened();
        let phase = self.bars % CHUNK;
        turn(self.small.as_flattened_mut(), phase);
        let done = take(&mut self.small, &self.steps, self.per_degree);
        turn(self.small.as_flattened_mut(), CHUNK - phase);
        let results = done?;
        self.calm = self.calm.saturating_add(bars.len());
        self.present = match results {
            Results::Numbers => self.present.saturating_add(bars.len()),
            // Whoever wants to know has to look.
            Results::Any => 0,
        };
        self.inputs.push(self.bars, bars);
        self.bars = self.bars.wrapping_add(bars.len());
        Some(results)
    }

    /// Takes chunks of numbers that are calm, by `take` as far as pieces of a chunk go.
    #[inline(always)]
    fn in_registers(
        &mut self,
        take: Take<P>,
        x: &[[f64; CHUNK]],
        mut out: [&mut [[f64; CHUNK]]; P],
    ) {
        let short = self.steps.partition_point(|step| step.level < SMALL);
        for (number, x) in x.chunks(STRETCH / CHUNK).enumerate() {
            let at = number * (STRETCH / CHUNK);
            let mut out = out.each_mut().map(|out| &mut out[at..at + x.len()]);
            let [chunks, ..] = &mut self.long[..] else {
                return;
            };
            let count = x.as_flattened().len();
            let longest = chunks
                .each_mut()
                .map(|trail| trail.next(count).as_chunks_mut().0);
            take(
                x,
                &mut self.small,
                Some(longest),
                &self.steps[..short],
                None,
                &mut out,
            );
            self.longer(out.map(<[_]>::as_flattened_mut), true);
        }
    }

    /// Takes chunks, some at a time, whose pieces are in rows in memory.
    #[inline(always)]
    fn in_rows(&mut self, x: &[[f64; CHUNK]], mut out: [&mut [[f64; CHUNK]]; P], calm: bool) {
        let short = self.steps.partition_point(|step| step.level < SMALL);
        let mut rows: [[Row; P]; SMALL] = [[[[0.0; CHUNK]; 1 + CHUNKS]; P]; SMALL];
        for (row, small) in rows
            .as_flattened_mut()
            .iter_mut()
            .zip(self.small.as_flattened())
        {
            row[0] = *small;
        }
        let top = self.period.ilog2() as usize;
        for (number, x) in x.chunks(CHUNKS).enumerate() {
            let (at, chunks) = (number * CHUNKS, x.len());
            let count = chunks * CHUNK;
            let mut out = out
                .each_mut()
                .map(|out| out[at..at + chunks].as_flattened_mut());
            form::<F, P>(x, &mut rows[..SMALL.min(1 + top)]);
            for step in &self.steps[..short] {
                let pieces = rows[step.level]
                    .each_ref()
                    .map(|row| delayed(row, step.newer, count));
                apply::<F, P>(step, &mut out, pieces, calm, |result| result);
            }
            if let [trails, ..] = &mut self.long[..] {
                for (trail, row) in trails.iter_mut().zip(&rows[SMALL - 1]) {
                    trail.next(count).copy_from_slice(delayed(row, 0, count));
                }
                self.longer(out, calm);
            } else {
                finish::<F, P>(&mut out, self.per_degree);
            }
            for row in rows.as_flattened_mut() {
                row[0] = row[chunks];
            }
        }
        for (row, small) in rows
            .as_flattened()
            .iter()
            .zip(self.small.as_flattened_mut())
        {
            *small = row[0];
        }
    }

    /// Goes on with the pieces of more bars than a chunk has, from those of a chunk that have been written to their trails.
    #[inline(always)]
    fn longer(&mut self, mut out: [&mut [f64]; P], calm: bool) {
        let (count, per_degree) = (out[0].len(), self.per_degree);
        let longest = self.long.len().saturating_sub(1);
        for index in 1..=longest {
            let (shorter, longer) = self.long.split_at_mut(index);
            let ([.., shorter], [pieces, ..]) = (shorter, longer) else {
                return;
            };
            let older = shorter
                .each_ref()
                .map(|trail| trail.delayed(CHUNK << (index - 1), count));
            let newer = shorter.each_ref().map(|trail| trail.delayed(0, count));
            let joined = pieces.each_mut().map(|trail| trail.next(count));
            abreast(joined, [older, newer], |_, [older, newer]| {
                F::join(older, newer)
            });
            let level = SMALL - 1 + index;
            if let Some(step) = self.steps.iter().find(|step| step.level == level) {
                let pieces = pieces
                    .each_ref()
                    .map(|trail| trail.delayed(step.newer, count));
                if index < longest {
                    apply::<F, P>(step, &mut out, pieces, calm, |result| result);
                } else {
                    // The longest piece is the last one. While the divider takes square roots, there is this to do.
                    apply::<F, P>(step, &mut out, pieces, calm, |result| {
                        F::finished(result, per_degree)
                    });
                }
            }
        }
    }

    /// Takes one value; returns the result for the window that ends there.
    #[inline(always)]
    fn bar(&mut self, x: f64) -> [f64; P] {
        let (calm, _) = self.look(&[x]);
        let back = |by: usize| self.bars.wrapping_sub(by);
        let mut result = [NAN; P];
        let mut piece = F::leaf(x);
        let top = self.period.ilog2() as usize;
        for level in 0..=top {
            let trails = (level + 1).checked_sub(SMALL);
            if let Some(step) = self.steps.iter().find(|step| step.level == level) {
                let older = core::array::from_fn(|p| match (step.newer, trails) {
                    (0, _) => piece[p],
                    (by, Some(trails)) if level >= SMALL => self.long[trails][p].at(by),
                    (by, _) => self.small[level][p][back(by) % CHUNK],
                });
                result = apply_one::<F, P>(step, result, older, calm);
            }
            let len = 1 << level;
            let mut older = [NAN; P];
            for p in 0..P {
                if level < SMALL {
                    // Before a value is replaced, it is what the new one joins where there are as many as bars in a piece.
                    let pieces = &mut self.small[level][p];
                    older[p] = pieces[back(len) % CHUNK];
                    pieces[self.bars % CHUNK] = piece[p];
                }
                if let Some(trails) = trails.and_then(|trails| self.long.get_mut(trails)) {
                    if level >= SMALL && level < top {
                        older[p] = trails[p].at(len);
                    }
                    trails[p].push(piece[p]);
                }
            }
            piece = F::join(older, piece);
        }
        self.inputs.push(self.bars, &[x]);
        self.bars = self.bars.wrapping_add(1);
        F::finished(result, self.per_degree)
    }

    /// Takes note of the next values; whether every window that ends at one of them is calm, and whether all of them are
    /// present.
    #[inline(always)]
    fn look(&mut self, x: &[f64]) -> (bool, bool) {
        let before = self.calm >= self.period - 1;
        // Looking at all is quicker than looking for the last, and there is rarely anything to find.
        if all_below(CALM, x) {
            self.calm = self.calm.saturating_add(x.len());
            self.present = self.present.saturating_add(x.len());
            return (before, true);
        }
        let since = |last: Option<usize>, before: usize| match last {
            None => before.saturating_add(x.len()),
            Some(last) => x.len() - 1 - last,
        };
        let wild = x.iter().rposition(|x| x.abs() >= CALM);
        let missing = x.iter().rposition(|x| x.is_nan());
        self.calm = since(wild, self.calm);
        self.present = since(missing, self.present);
        (before && wild.is_none(), missing.is_none())
    }

    fn reset(&mut self) {
        self.small = [[[NAN; CHUNK]; P]; SMALL];
        self.long
            .as_flattened_mut()
            .iter_mut()
            .for_each(Trail::clear);
        self.inputs.clear();
        self.bars = 0;
        self.calm = usize::MAX;
        self.present = 0;
    }

    fn save(&self, to: &mut Writer) {
        self.inputs.save(self.bars, self.period - 1, to);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Error> {
        self.reset();
        let mut left = self.period - 1;
        while left > 0 {
            let (mut inputs, mut results) = ([0.0; CHUNK * CHUNKS], [[0.0; CHUNK * CHUNKS]; P]);
            let inputs = &mut inputs[..left.min(CHUNK * CHUNKS)];
            for input in inputs.iter_mut() {
                *input = from.float()?;
            }
            let results = results
                .each_mut()
                .map(|results| &mut results[..inputs.len()]);
            self.run(Isa::PORTABLE, inputs, results);
            left -= inputs.len();
        }
        Ok(())
    }
}

/// Turns the pieces of each length to the left.
#[inline(always)]
fn turn(pieces: &mut [[f64; CHUNK]], by: usize) {
    // Apart, since it is rarely needed.
    #[inline(never)]
    fn really(pieces: &mut [[f64; CHUNK]], by: usize) {
        for pieces in pieces {
            pieces.rotate_left(by);
        }
    }
    if !by.is_multiple_of(CHUNK) {
        really(pieces, by);
    }
}

/// Forms the pieces of some chunks, as `pieces.rs` does, row by row.
#[inline(always)]
fn form<F: Fold<P>, const P: usize>(x: &[[f64; CHUNK]], rows: &mut [[Row; P]]) {
    for (chunk, x) in x.iter().enumerate() {
        for (t, &x) in x.iter().enumerate() {
            for (row, leaf) in rows[0].iter_mut().zip(F::leaf(x)) {
                row[1 + chunk][t] = leaf;
            }
        }
    }
    let bars = x.as_flattened().len();
    for level in 1..rows.len() {
        let (shorter, longer) = rows.split_at_mut(level);
        let len = 1 << (level - 1);
        let [shorter, longer] = [&mut shorter[level - 1], &mut longer[0]];
        let older = shorter
            .each_ref()
            .map(|row| &row.as_flattened()[CHUNK - len..][..bars]);
        let newer = shorter
            .each_ref()
            .map(|row| &row.as_flattened()[CHUNK..][..bars]);
        let pieces = longer
            .each_mut()
            .map(|row| &mut row.as_flattened_mut()[CHUNK..][..bars]);
        if level == 1 {
            abreast(pieces, [older, newer], |_, [older, newer]| {
                F::join_leaves(older, newer)
            });
        } else {
            abreast(pieces, [older, newer], |_, [older, newer]| {
                F::join(older, newer)
            });
        }
    }
}

/// The result for a window, from that for its newer part and an older piece.
#[inline(always)]
fn apply_one<F: Fold<P>, const P: usize>(
    step: &Step,
    newer: [f64; P],
    piece: [f64; P],
    calm: bool,
) -> [f64; P] {
    if step.newer == 0 {
        F::first(piece, &step.joint)
    } else if calm {
        F::extended(newer, piece, &step.joint)
    } else {
        F::extended_wild(newer, piece, &step.joint)
    }
}

/// Replaces the results for windows, from those for their newer parts and older pieces, by what `then` makes of them.
#[inline(always)]
fn apply<F: Fold<P>, const P: usize>(
    step: &Step,
    out: &mut [&mut [f64]; P],
    pieces: [&[f64]; P],
    calm: bool,
    then: impl Fn([f64; P]) -> [f64; P],
) {
    // One loop for each case, so that each can be vectorised.
    if step.newer == 0 {
        combine(out, pieces, |_, piece| then(F::first(piece, &step.joint)));
    } else if calm {
        combine(out, pieces, |newer, piece| {
            then(F::extended(newer, piece, &step.joint))
        });
    } else {
        combine(out, pieces, |newer, piece| {
            then(F::extended_wild(newer, piece, &step.joint))
        });
    }
}

/// Replaces results for whole windows by what becomes of them.
#[inline(always)]
fn finish<F: Fold<P>, const P: usize>(out: &mut [&mut [f64]; P], per_degree: f64) {
    let out = out.each_mut().map(|out| &mut **out);
    abreast(out, [], |result, []| F::finished(result, per_degree));
}

/// The pieces of a row that end some bars earlier than those of the last chunks, at most a chunk.
#[inline(always)]
fn delayed(row: &Row, by: usize, count: usize) -> &[f64] {
    &row.as_flattened()[CHUNK - by..][..count]
}

/// Replaces each of some results by what becomes of it with the piece at its place.
#[inline(always)]
fn combine<const P: usize>(
    results: &mut [&mut [f64]; P],
    pieces: [&[f64]; P],
    with: impl Fn([f64; P], [f64; P]) -> [f64; P],
) {
    let results = results.each_mut().map(|results| &mut **results);
    abreast(results, [pieces], |result, [piece]| with(result, piece));
}

/// Replaces each of some results by what becomes of it with what is at its place in other columns.
#[inline(always)]
fn abreast<const P: usize, const N: usize>(
    results: [&mut [f64]; P],
    others: [[&[f64]; P]; N],
    with: impl Fn([f64; P], [[f64; P]; N]) -> [f64; P],
) {
    // Slices of one length, so that nothing in the loop is checked.
    let bars = results[0].len();
    let results = results.map(|column| &mut column[..bars]);
    let others = others.map(|columns| columns.map(|column| &column[..bars]));
    if cfg!(target_arch = "wasm32") {
        unrolled(results, others, with);
        return;
    }
    for t in 0..bars {
        let result = with(
            results.each_ref().map(|column| column[t]),
            others.map(|columns| columns.map(|column| column[t])),
        );
        for p in 0..P {
            results[p][t] = result[p];
        }
    }
}

/// Does as [`abreast`] for whole chunks, half of one in a turn of the loop: compilers of WebAssembly leave loops as they are. Taken out, and put
/// back once they are there, the numbers need not be looked after in case columns overlap.
#[inline(always)]
fn unrolled<const P: usize, const N: usize>(
    results: [&mut [f64]; P],
    others: [[&[f64]; P]; N],
    with: impl Fn([f64; P], [[f64; P]; N]) -> [f64; P],
) {
    const TURN: usize = CHUNK / 2;

    let results = results.map(|column| column.as_chunks_mut::<TURN>().0);
    let others = others.map(|columns| columns.map(|column| column.as_chunks::<TURN>().0));
    for at in 0..results[0].len() {
        let mut taken = results.each_ref().map(|column| column[at]);
        let beside = others.map(|columns| columns.map(|column| column[at]));
        for t in 0..TURN {
            let result = with(
                taken.each_ref().map(|column| column[t]),
                beside
                    .each_ref()
                    .map(|columns| columns.each_ref().map(|column| column[t])),
            );
            for p in 0..P {
                taken[p][t] = result[p];
            }
        }
        for p in 0..P {
            results[p][at] = taken[p];
        }
    }
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
pub struct WindowMean(Tree<Means, 1>);

impl WindowMean {
    /// A window of `period` bars, at least one.
    ///
    /// # Errors
    /// [`Error::Memory`]
    pub fn new(period: usize) -> Result<Self, Error> {
        Tree::new(period).map(Self)
    }

    /// Takes the next values of `x`; writes the mean at each.
    #[inline(always)]
    pub fn run(&mut self, isa: Isa, x: &[f64], mean: &mut [f64]) -> Results {
        self.0.run(isa, x, [mean])
    }
}

state_of!(WindowMean, 0);

/// Mean and sample deviation of the last `period` values; NaN unless all are present.
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

    /// Takes the next values of `x`; writes mean and sample deviation, which is NaN for a single bar.
    #[inline(always)]
    pub fn run(&mut self, isa: Isa, x: &[f64], mean: &mut [f64], deviation: &mut [f64]) -> Results {
        self.0.run(isa, x, [mean, deviation])
    }

    /// Takes the next values of `x`; writes the mean, and what is `factor` deviations above and below it.
    #[inline(always)]
    pub fn bands(
        &mut self,
        isa: Isa,
        x: &[f64],
        factor: f64,
        [upper, middle, lower]: [&mut [f64]; 3],
    ) -> Results {
        if let Some(pieces) = isa.pieces()
            && let (chunks, []) = x.as_chunks()
        {
            let mut out = [&mut *upper, middle, lower].map(|out| out.as_chunks_mut().0);
            let done = self.0.at_once(chunks, |small, steps, per_degree| {
                (pieces.bands)(chunks, small, steps, per_degree, factor, &mut out)
            });
            if let Some(results) = done {
                return results;
            }
        }
        self.0.run(isa, x, [middle, lower]);
        // Where the mean or the deviation is NaN, this is as well; and where an infinite deviation has a factor of zero.
        let mut lowers = Watch::new(f64::INFINITY);
        for (upper, (middle, lower)) in upper.iter_mut().zip(middle.iter().zip(lower)) {
            let width = factor * *lower;
            *upper = middle + width;
            *lower = middle - width;
            lowers.see(*lower);
        }
        Results::numbers_if(lowers.all_below())
    }
}

state_of!(WindowMoments, 0);

/// Values in units of the sample deviation of the last `period` of them; NaN unless all are present.
#[derive(Clone)]
pub struct WindowScore(WindowMoments);

impl WindowScore {
    /// A window of `period` bars, at least one.
    ///
    /// # Errors
    /// [`Error::Memory`]
    pub fn new(period: usize) -> Result<Self, Error> {
        WindowMoments::new(period).map(Self)
    }

    /// Takes the next values and replaces them by their scores.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    pub fn run(&mut self, isa: Isa, values: &mut [f64], scratch: Scratch<'_>) -> Results {
        let [mean, deviation, ..] = scratch;
        self.0.run(isa, values, mean, deviation);
        isa.quotients(1.0, values, deviation)
    }
}

state_of!(WindowScore, 0);

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

    /// Takes the next values of `x`; writes the largest at each.
    #[inline(always)]
    pub fn run(&mut self, isa: Isa, x: &[f64], largest: &mut [f64]) -> Results {
        self.0.run(isa, x, [largest])
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
        let mut mean = [NAN];
        for (level, &sum) in self.pieces.iter().enumerate() {
            if self.period >> level & 1 == 1 {
                let step = Step::new(self.period, level);
                mean = apply_one::<Means, 1>(&step, mean, [sum], false);
            }
        }
        mean[0]
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
        WindowMean::new(period)
            .unwrap()
            .run(Isa::PORTABLE, x, &mut out);
        out
    }

    #[test]
    fn a_constant_window_is_exact() {
        for period in 1..40 {
            let (mut mean, mut deviation) = ([0.0; 64], [0.0; 64]);
            WindowMoments::new(period).unwrap().run(
                Isa::PORTABLE,
                &[1.1; 64],
                &mut mean,
                &mut deviation,
            );
            assert!(
                mean[..period - 1].iter().all(|mean| mean.is_nan()),
                "period {period}"
            );
            assert_eq!(
                mean[period - 1..],
                [1.1; 64][period - 1..],
                "period {period}"
            );
            let deviation = &deviation[period - 1..];
            if period == 1 {
                // That of a sample of one does not exist.
                assert!(deviation.iter().all(|deviation| deviation.is_nan()));
            } else {
                assert_eq!(deviation, &[0.0; 64][period - 1..], "period {period}");
            }
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
            WindowMax::new(period)
                .unwrap()
                .run(Isa::PORTABLE, &x, &mut found);
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
        WindowMax::new(5)
            .unwrap()
            .run(Isa::PORTABLE, &x, &mut found);
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
