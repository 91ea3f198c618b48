//! Exponentially weighted means: every EMA and every Wilder average.
//!
//! # What is computed
//!
//! `y[t] = alpha * x[t] + beta * y[t-1]` with `beta = 1 - alpha`, from the first present `x` on.
//! At a missing bar the result is repeated; what happens to the weight of the past is [`Gap`].
//!
//! # Why blocks
//!
//! Done bar by bar, each result waits for the one before: a multiplication and an addition, some
//! eight cycles, whatever the width of the machine. So bars are taken in blocks of [`BARS`]. Inside
//! a block a weighted sum of its own bars runs from zero, `scan[k] = alpha * x[k] + beta *
//! scan[k-1]`; the blocks do not wait for one another in this, so several run abreast in the lanes
//! of vector registers. Then one multiplication and one addition per block carry the past from
//! block to block, and every result is `scan[k] + beta^(k+1) * past`. The rounding errors differ
//! from those of the serial way, so the blocks are part of the *specification*: they end at every
//! [`BARS`]-th bar since the first that a machine took, never at the end of an array, and a live
//! bar takes the same steps on its own. That is why the cut of the bars into runs cannot show in
//! the result, and why all averages of a kernel have their blocks at the same bars.
//!
//! # Why offsets
//!
//! Within a block everything is relative to a level `c`, a price close by:
//! `y = c + (scan[k] + beta^(k+1) * z)` with a scan of `x - c` and `z = y_before - c`. This costs
//! a subtraction and an addition, and buys two things. A constant series gives exactly that constant
//! (so the difference of two averages of it is exactly zero), and the error is in proportion to
//! the spread of the prices, not to their level. `c` is the smaller in magnitude of the block's
//! first value and the value before it, so that one bad tick never becomes the level. Going from
//! one block to the next, `z' = (scan + (c - c')) + beta^count * z`, with the `count` of bars in the
//! block: what is in brackets does not wait for the past, so the chain is still one multiplication
//! and one addition per block.
//!
//! # Serial bars
//!
//! The bar after a start or a gap, and every bar with a value that is infinite or at least
//! [`LIMIT`] (beyond which `x - c` might overflow), is taken on its own, by the formula of the
//! definition; after it a new block begins, shorter by what is missing to the bar where it ends.
//! Infinite values are data: they make the mean infinite until infinities of both signs have met,
//! from which NaN the next present bar starts anew. A past whose weight has become zero is
//! forgotten.

use super::lanes;
use super::pieces::Pieces;
use super::quotient::{self, Changes, Contrasts, Quotients, Shares, TwoQuotients};
use super::window::SeedMean;
use super::{NAN, Results, all_below, canonical, has_nan};
use crate::error::Error;
use crate::state::{Reader, State, Writer};
use core::ops::BitAnd;

/// Bars per block.
pub const BARS: usize = 16;

/// Means of one column that run abreast.
pub const MEANS: usize = 16;

/// Values of this magnitude (2^1000) or more are taken one by one.
pub const LIMIT: f64 = f64::from_bits((1000 + 1023) << 52);

/// No part of a block of values below [`LIMIT`] comes near this, so that with it nothing overflows either.
const MOST: f64 = f64::from_bits((1010 + 1023) << 52);

/// What a missing bar does to the weight of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// It decays as if the bar were there (pandas: `ignore_na=False`).
    Decay,
    /// It stays: the bar might as well not exist.
    Hold,
}

/// The exponentially weighted mean of a column.
#[derive(Clone)]
pub struct Ewm {
    alpha: f64,
    /// `beta^0 ..= beta^BARS`, from a `beta` that is not rounded
    powers: [f64; BARS + 1],
    gap: Gap,
    /// Bars taken, modulo [`BARS`].
    phase: usize,
    /// Last result; NaN before the first present bar.
    mean: f64,
    /// Weight of the past at the next serial bar, before its own decay.
    weight: f64,
    /// Whether the next bar, if it is an ordinary number, belongs to a block.
    in_block: bool,
    /// Last present value.
    last: f64,
    block: Block,
}

/// The last block. One that has ended, and an empty one, wait for the next bar.
#[derive(Clone)]
struct Block {
    level: f64,
    /// The mean before the block, minus the level.
    past: f64,
    /// Weighted sum of the block's bars so far, relative to the level.
    scan: f64,
    count: usize,
}

impl Block {
    /// An empty block on a past of `mean`.
    fn after(mean: f64) -> Self {
        Self {
            level: mean,
            past: 0.0,
            scan: 0.0,
            count: 0,
        }
    }

    /// From one block to an empty one.
    #[inline(always)]
    fn go_on(&mut self, powers: &[f64; BARS + 1], level: f64) {
        let decay = powers[self.count];
        self.past = (self.scan + (self.level - level)) + decay * self.past;
        self.level = level;
        self.count = 0;
    }
}

#[inline(always)]
pub(super) fn is_ordinary(x: f64) -> bool {
    x.abs() < LIMIT
}

#[inline(always)]
fn smaller_in_magnitude(last: f64, first: f64) -> f64 {
    if first.abs() < last.abs() {
        first
    } else {
        last
    }
}

impl Ewm {
    /// The mean that gives the newest bar the weight `alpha`, above 0 and at most 1.
    #[must_use]
    pub fn new(alpha: f64, gap: Gap) -> Self {
        Self {
            alpha,
            powers: powers(alpha),
            gap,
            phase: 0,
            mean: NAN,
            weight: 1.0,
            in_block: false,
            last: NAN,
            block: Block::after(0.0),
        }
    }

    /// Takes the next values of `x`; writes the mean at each. If those are known to be numbers, none comes near the
    /// largest that there is, nor does a sum of a few.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    pub fn run(&mut self, isa: Isa, x: &[f64], out: &mut [f64]) -> Results {
        let whole = x.len() - x.len() % isa.group;
        let (groups, rest) = x.split_at(whole);
        let (group_out, rest_out) = out.split_at_mut(whole);
        let done = self.groups(isa, groups, group_out);
        if !done {
            // One bar that belongs to no block is looked for in each of them.
            let each = groups.chunks_exact(isa.group);
            for (x, out) in each.zip(group_out.chunks_exact_mut(isa.group)) {
                if !self.groups(isa, x, out) {
                    self.bars(x, out);
                }
            }
        }
        self.bars(rest, rest_out);
        Results::numbers_if(done && rest.is_empty())
    }

    /// Takes the next values of `x`, which other means take as well; writes to each column of `out` what one of
    /// them is.
    pub fn run_abreast(
        mut means: [&mut Self; MEANS],
        isa: Isa,
        x: &[f64],
        out: &mut [&mut [f64]; MEANS],
    ) -> Results {
        let (blocks, rest) = x.split_at(x.len() - x.len() % BARS);
        let last = means[0].last.to_bits();
        let ready = means
            .iter()
            .all(|mean| mean.in_block && mean.phase == 0 && mean.last.to_bits() == last);
        if ready && !blocks.is_empty() && all_below(LIMIT, blocks) {
            (isa.means)(&mut means, blocks, out);
            for (mean, out) in means.into_iter().zip(out) {
                mean.bars(rest, &mut out[blocks.len()..]);
            }
            Results::numbers_if(rest.is_empty())
        } else {
            let each = means
                .into_iter()
                .zip(out)
                .map(|(mean, out)| mean.run(isa, x, out));
            each.fold(Results::Numbers, BitAnd::bitand)
        }
    }

    /// Takes whole groups, if every bar belongs to a block of [`BARS`].
    #[inline(always)]
    fn groups(&mut self, isa: Isa, x: &[f64], out: &mut [f64]) -> bool {
        self.in_block && self.phase == 0 && (isa.groups)(self, x, out)
    }

    /// Takes bars one by one.
    #[inline(always)]
    fn bars(&mut self, x: &[f64], out: &mut [f64]) {
        for (&x, out) in x.iter().zip(out) {
            *out = self.bar(x);
        }
    }

    /// One bar.
    #[inline(always)]
    pub(super) fn bar(&mut self, x: f64) -> f64 {
        let mean = if self.in_block && is_ordinary(x) {
            self.ordinary(x)
        } else {
            self.serial(x)
        };
        self.skip();
        mean
    }

    /// Lets a bar pass that is not for the mean.
    #[inline(always)]
    fn skip(&mut self) {
        self.phase = (self.phase + 1) % BARS;
    }

    /// The mean that goes on from one that was formed elsewhere in the bars so far.
    pub(super) fn going_on(alpha: f64, gap: Gap, phase: usize, mean: f64) -> Self {
        let mut ewm = Self::new(alpha, gap);
        ewm.phase = phase;
        ewm.seed(mean);
        ewm
    }

    /// Bars taken, modulo [`BARS`].
    pub(super) fn phase(&self) -> usize {
        self.phase
    }

    /// The last result; NaN before the first present bar.
    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    /// Starts over from a mean that was formed elsewhere.
    fn seed(&mut self, mean: f64) {
        self.settle(mean, mean);
    }

    /// A bar that belongs to no block.
    fn serial(&mut self, x: f64) -> f64 {
        if self.in_block {
            self.in_block = false;
            self.weight = 1.0;
        }
        let [_, beta, ..] = self.powers;
        if x.is_nan() {
            if self.gap == Gap::Decay && !self.mean.is_nan() {
                self.weight *= beta;
            }
            return self.mean;
        }
        let weight = self.weight * beta;
        let mean = if self.mean.is_nan() || weight == 0.0 {
            x
        } else if is_ordinary(x) && is_ordinary(self.mean) {
            self.mean + self.alpha * (x - self.mean) / (weight + self.alpha)
        } else {
            (weight * self.mean + self.alpha * x) / (weight + self.alpha)
        };
        self.settle(canonical(mean), x);
        self.mean
    }

    fn settle(&mut self, mean: f64, last: f64) {
        self.mean = mean;
        self.weight = 1.0;
        self.last = last;
        let [_, beta, ..] = self.powers;
        // With beta zero the mean is the bar itself, which only the serial formula gives exactly.
        self.in_block = is_ordinary(mean) && is_ordinary(last) && beta != 0.0;
        self.block = Block::after(if self.in_block { mean } else { 0.0 });
    }

    /// One bar of a block.
    #[inline(always)]
    fn ordinary(&mut self, x: f64) -> f64 {
        let [_, beta, ..] = self.powers;
        let block = &mut self.block;
        if self.phase == 0 || block.count == 0 {
            block.go_on(&self.powers, smaller_in_magnitude(self.last, x));
        }
        let own = self.alpha * (x - block.level);
        block.scan = if block.count == 0 {
            own
        } else {
            own + beta * block.scan
        };
        block.count += 1;
        self.mean = block.level + (block.scan + self.powers[block.count] * block.past);
        self.last = x;
        self.mean
    }
}

/// The instructions that averages, windows and quotients are computed with. They change how many bars are taken
/// abreast, and how a quotient is come by, never a result.
#[derive(Clone, Copy, Debug)]
pub struct Isa {
    /// Bars of the blocks that run abreast.
    group: usize,
    groups: fn(&mut Ewm, &[f64], &mut [f64]) -> bool,
    means: fn(&mut [&mut Ewm; MEANS], &[f64], &mut [&mut [f64]; MEANS]),
    pieces: Option<Pieces>,
    quotients: Quotients,
    two_quotients: TwoQuotients,
    shares: Shares,
    contrasts: Contrasts,
    changes: Changes,
    has_nan: fn(&[f64]) -> bool,
    /// Whether columns that no cache holds are better gone through ahead of computing.
    pub(crate) fetching: bool,
}

/// What there is for wider registers. A closure has the instructions of where it is made, and whoever is there may
/// hand it on.
#[cfg(target_arch = "x86_64")]
macro_rules! of_registers {
    ($averages:ident, $width:ident) => {
        Self {
            group: $averages::GROUP,
            groups: |ewm, x, out| $averages::groups(ewm, x, out),
            means: |ewms, x, out| $averages::means(ewms, x, out),
            pieces: Some(Pieces::$width()),
            quotients: |scale, a, b| quotient::quotients(scale, a, b),
            two_quotients: |scale, a, b| quotient::two_quotients(scale, a, b),
            shares: |scale, a, b, c, of_infinity| quotient::shares(scale, a, b, c, of_infinity),
            contrasts: |scale, a, b, out| quotient::contrasts(scale, a, b, out),
            changes: |scale, x, b, out| quotient::changes(scale, x, b, out),
            has_nan: |values| lanes::$width::has_nan(values),
            fetching: false,
        }
    };
}

impl Isa {
    /// Replaces numerators by their quotients, times `scale`.
    #[inline(always)]
    pub fn quotients(self, scale: f64, numerators: &mut [f64], denominators: &[f64]) -> Results {
        (self.quotients)(scale, numerators, denominators)
    }

    /// Replaces two columns of numerators by their quotients with the same denominators, times `scale`.
    #[inline(always)]
    pub fn two_quotients(
        self,
        scale: f64,
        numerators: [&mut [f64]; 2],
        denominators: &[f64],
    ) -> Results {
        (self.two_quotients)(scale, numerators, denominators)
    }

    /// Replaces one of two parts of a whole by its share, times `scale`. What it is of an infinite whole is told by a function
    /// of both parts. If the wholes are known to be numbers, they are finite.
    #[inline(always)]
    pub fn shares(
        self,
        scale: f64,
        parts: &mut [f64],
        others: &[f64],
        wholes: Results,
        of_infinity: fn(f64, f64) -> f64,
    ) -> Results {
        (self.shares)(scale, parts, others, wholes, of_infinity)
    }

    /// Writes the distance of two columns relative to their sum, times `scale`.
    #[inline(always)]
    pub fn contrasts(self, scale: f64, a: &[f64], b: &[f64], out: &mut [f64]) -> Results {
        (self.contrasts)(scale, a, b, out)
    }

    /// Writes changes relative to what was before, times `scale`.
    #[inline(always)]
    pub fn changes(self, scale: f64, now: &[f64], before: &[f64], out: &mut [f64]) -> Results {
        (self.changes)(scale, now, before, out)
    }

    /// How windows are formed in registers, if they are.
    #[inline(always)]
    pub(super) fn pieces(self) -> Option<Pieces> {
        // Said here, so that other machines have no code for it.
        self.pieces.filter(|_| cfg!(target_arch = "x86_64"))
    }

    /// Whether a value is NaN.
    #[inline(always)]
    #[must_use]
    pub fn has_nan(self, values: &[f64]) -> bool {
        (self.has_nan)(values)
    }

    /// Those that every machine of a kind has.
    pub const PORTABLE: Self = Self {
        group: on_pairs::GROUP,
        groups: on_pairs::groups,
        means: on_pairs::means,
        pieces: None,
        quotients: quotient::quotients,
        two_quotients: quotient::two_quotients,
        shares: quotient::shares,
        contrasts: quotient::contrasts,
        changes: quotient::changes,
        has_nan,
        fetching: false,
    };

    /// The same, with columns that no cache holds gone through ahead of computing.
    #[must_use]
    pub const fn with_fetching(self) -> Self {
        Self {
            fetching: true,
            ..self
        }
    }

    /// AVX2.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2")]
    #[must_use]
    #[allow(
        clippy::missing_safety_doc,
        reason = "it is safe wherever it can be called without unsafe"
    )]
    pub fn avx2() -> Self {
        of_registers!(on_fours, avx2)
    }

    /// AVX-512.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    #[must_use]
    #[allow(
        clippy::missing_safety_doc,
        reason = "it is safe wherever it can be called without unsafe"
    )]
    pub fn avx512() -> Self {
        if is_fifth_zen() {
            Self::avx512_dividing().with_fetching()
        } else {
            Self::avx512_multiplying()
        }
    }

    /// AVX-512, with quotients by the divider alone.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    #[must_use]
    #[allow(
        clippy::missing_safety_doc,
        reason = "it is safe wherever it can be called without unsafe"
    )]
    pub fn avx512_dividing() -> Self {
        of_registers!(on_eights, avx512)
    }

    /// AVX-512, with half of the quotients, or more, by multiplications.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    #[must_use]
    #[allow(
        clippy::missing_safety_doc,
        reason = "it is safe wherever it can be called without unsafe"
    )]
    pub fn avx512_multiplying() -> Self {
        Self {
            quotients: |scale, a, b| quotient::avx512::quotients(scale, a, b),
            two_quotients: |scale, a, b| quotient::avx512::two_quotients(scale, a, b),
            shares: |scale, a, b, c, of_infinity| {
                quotient::avx512::shares(scale, a, b, c, of_infinity)
            },
            contrasts: |scale, a, b, out| quotient::avx512::contrasts(scale, a, b, out),
            changes: |scale, x, b, out| quotient::avx512::changes(scale, x, b, out),
            ..Self::avx512_dividing()
        }
    }
}

/// Whether this is a Zen of the fifth generation or a later one. No processor but AMD's has the first of these extensions, and none of
/// the generations before has the second.
///
/// Its divider takes eight numbers in 3.7 cycles, as long as two, where Intel's takes 16: nothing is gained by going without it. And
/// what reads ahead there learns anew where columns are gone through in bursts, which Intel's does not.
#[cfg(target_arch = "x86_64")]
fn is_fifth_zen() -> bool {
    #[cfg(feature = "std")]
    {
        std::arch::is_x86_feature_detected!("sse4a")
            && std::arch::is_x86_feature_detected!("avx512vp2intersect")
    }
    #[cfg(not(feature = "std"))]
    {
        false
    }
}

/// Defines a function that takes whole groups of ordinary bars in the registers of a module of [`lanes`], by
/// the arithmetic of [`Ewm::ordinary`]. It refuses, and leaves the mean as it was, when a bar is
/// not ordinary; what it has written by then is worthless.
///
/// The blocks of a group are the lanes of a few registers. Bars are turned on their way in, so that a
/// register has the k-th bar of each block; scanned; and turned back on their way out. The past is added in
/// the order of bars, in which level and past are the same for sixteen in a row. Every step of
/// a scan waits for the one before, so this is done meanwhile, to the group before.
macro_rules! whole_blocks {
    ($name:ident, $lanes:ident, $blocks:literal $(, #[$feature:meta])?) => {
        mod $name {
            use super::lanes::$lanes::{
                WIDTH, add, larger_magnitude, load, load_pairs, load_turned, mul, smaller_magnitude, splat, store,
                store_turned, sub,
            };
            use super::{BARS, Block, Ewm, LIMIT, MEANS, smaller_in_magnitude};

            /// Blocks that run abreast.
            const BLOCKS: usize = $blocks;

            /// Bars of the blocks that run abreast.
            pub(super) const GROUP: usize = BLOCKS * BARS;

            /// Pieces of a block.
            const PIECES: usize = BARS / WIDTH;

            /// Bars of a block, a register's worth at a time.
            type Bars = [[f64; WIDTH]; PIECES];

            /// Blocks that run abreast, a register's worth at a time.
            type Group = [[Bars; WIDTH]; BLOCKS / WIDTH];

            $(#[$feature])?
            pub(super) fn groups(ewm: &mut Ewm, x: &[f64], out: &mut [f64]) -> bool {
                let (x, out) = (x.as_chunks().0.as_chunks().0, out.as_chunks_mut().0.as_chunks_mut().0);
                let (x, out) = (x.as_chunks().0, out.as_chunks_mut().0);
                let (x, out): (&[Group], &mut [Group]) = (x.as_chunks().0, out.as_chunks_mut().0);
                let [_, powers @ ..] = &ewm.powers;
                let (powers, _) = powers.as_chunks();
                let (alpha, beta) = (splat(ewm.alpha), splat(ewm.powers[1]));

                let mut last = ewm.last;
                let mut block = ewm.block.clone();
                let mut largest = [splat(0.0); BLOCKS / WIDTH];
                let mut unsettled: Option<(&mut Group, [f64; BLOCKS], [f64; BLOCKS])> = None;
                for (x, out) in x.iter().zip(out) {
                    // The last bar before each block, and its first.
                    let bars = x.as_flattened().as_flattened().as_flattened();
                    let start = [last, bars[0]];
                    let mut edges = [&start; BLOCKS];
                    for (edge, bars) in edges[1..].iter_mut().zip(bars[BARS - 1..].chunks(BARS)) {
                        if let Some(pair) = bars.first_chunk() {
                            *edge = pair;
                        }
                    }
                    last = bars[GROUP - 1];
                    let mut level = [0.0; BLOCKS];
                    let mut levels = [splat(0.0); BLOCKS / WIDTH];
                    for ((levels, level), &edges) in levels.iter_mut().zip(level.as_chunks_mut().0).zip(edges.as_chunks().0) {
                        let [before, first] = load_pairs(edges);
                        *levels = smaller_magnitude(before, first);
                        store(*levels, level);
                    }
                    // The product of this zero and beta, added to a block's first bar, leaves that as it is.
                    let mut scans = [splat(-0.0); BLOCKS / WIDTH];
                    for piece in 0..PIECES {
                        for ((((x, out), scan), level), largest) in x.iter().zip(&mut *out).zip(&mut scans).zip(levels).zip(&mut largest) {
                            let mut columns = load_turned(x.each_ref().map(|bars| &bars[piece]));
                            for column in &mut columns {
                                *largest = larger_magnitude(*largest, *column);
                                let own = mul(alpha, sub(*column, level));
                                *scan = add(own, mul(beta, *scan));
                                *column = *scan;
                            }
                            store_turned(columns, out.each_mut().map(|bars| &mut bars[piece]));
                        }
                        if let Some((out, level, past)) = &mut unsettled {
                            let each = piece * BLOCKS / PIECES..(piece + 1) * BLOCKS / PIECES;
                            let out = &mut out.as_flattened_mut()[each.clone()];
                            for ((out, &level), &past) in out.iter_mut().zip(&level[each.clone()]).zip(&past[each]) {
                                settle(out, powers, level, past);
                            }
                        }
                    }

                    let mut scan = [0.0; BLOCKS];
                    for (scan, scans) in scan.as_chunks_mut().0.iter_mut().zip(scans) {
                        store(scans, scan);
                    }
                    let mut past = [0.0; BLOCKS];
                    for ((past, &level), &scan) in past.iter_mut().zip(&level).zip(&scan) {
                        block.go_on(&ewm.powers, level);
                        *past = block.past;
                        block.scan = scan;
                        block.count = BARS;
                    }
                    unsettled = Some((out, level, past));
                }
                let mut magnitudes = [0.0; BLOCKS];
                for (magnitudes, largest) in magnitudes.as_chunks_mut().0.iter_mut().zip(largest) {
                    store(largest, magnitudes);
                }
                // A NaN may be lost among magnitudes, but not in sums, which it has made NaN from there on.
                if !magnitudes.iter().all(|&x| x < LIMIT) || block.past.is_nan() || block.scan.is_nan() {
                    return false;
                }
                if let Some((out, level, past)) = unsettled {
                    let out = out.as_flattened_mut();
                    for ((out, &level), &past) in out.iter_mut().zip(&level).zip(&past) {
                        settle(out, powers, level, past);
                    }
                    ewm.mean = out[BLOCKS - 1][PIECES - 1][WIDTH - 1];
                    ewm.last = last;
                    ewm.block = block;
                }
                true
            }

            /// Takes whole blocks of ordinary bars through several means, each of them a lane: level and
            /// distances from it are the same for all, and nothing is turned on the way in.
            $(#[$feature])?
            pub(super) fn means(ewms: &mut [&mut Ewm; MEANS], x: &[f64], out: &mut [&mut [f64]; MEANS]) {
                const REGISTERS: usize = if WIDTH == 2 { 4 } else { 2 };
                const SHARE: usize = REGISTERS * WIDTH;

                let (x, _) = x.as_chunks::<BARS>();
                for (ewms, out) in ewms.as_chunks_mut::<SHARE>().0.iter_mut().zip(out.as_chunks_mut::<SHARE>().0) {
                    let mut last = ewms[0].last;
                    let Some(mut level) = x.first().map(|x| smaller_in_magnitude(last, x[0])) else { return };
                    let mut lane = [0.0; SHARE];
                    let mut lanes = |of: &mut dyn FnMut(&mut Ewm) -> f64| {
                        for (lane, ewm) in lane.iter_mut().zip(ewms.iter_mut()) {
                            *lane = of(ewm);
                        }
                        let mut lanes = [splat(0.0); REGISTERS];
                        for (lanes, lane) in lanes.iter_mut().zip(lane.as_chunks().0) {
                            *lanes = load(lane);
                        }
                        lanes
                    };
                    let alpha = lanes(&mut |ewm| ewm.alpha);
                    let beta = lanes(&mut |ewm| ewm.powers[1]);
                    let mut past = lanes(&mut |ewm| {
                        ewm.block.go_on(&ewm.powers, level);
                        ewm.block.past
                    });
                    let mut powers = [[splat(0.0); REGISTERS]; BARS];
                    for (k, powers) in powers.iter_mut().enumerate() {
                        *powers = lanes(&mut |ewm| ewm.powers[k + 1]);
                    }

                    let mut out = out.each_mut().map(|out| out.as_chunks_mut::<WIDTH>().0);
                    let mut scan = [splat(-0.0); REGISTERS];
                    for (block, x) in x.iter().enumerate() {
                        if block > 0 {
                            let before = level;
                            level = smaller_in_magnitude(last, x[0]);
                            let moved = splat(before - level);
                            for r in 0..REGISTERS {
                                past[r] = add(add(scan[r], moved), mul(powers[BARS - 1][r], past[r]));
                            }
                        }
                        last = x[BARS - 1];
                        scan = [splat(-0.0); REGISTERS];
                        let levels = splat(level);
                        for piece in 0..PIECES {
                            for (r, out) in out.as_chunks_mut::<WIDTH>().0.iter_mut().enumerate() {
                                let mut columns = [levels; WIDTH];
                                for (k, column) in columns.iter_mut().enumerate() {
                                    let bar = piece * WIDTH + k;
                                    let own = mul(alpha[r], splat(x[bar] - level));
                                    scan[r] = add(own, mul(beta[r], scan[r]));
                                    *column = add(levels, add(scan[r], mul(powers[bar][r], past[r])));
                                }
                                store_turned(columns, out.each_mut().map(|out| &mut out[block * PIECES + piece]));
                            }
                        }
                    }

                    let (mut scans, mut pasts) = ([0.0; SHARE], [0.0; SHARE]);
                    for r in 0..REGISTERS {
                        store(scan[r], &mut scans.as_chunks_mut().0[r]);
                        store(past[r], &mut pasts.as_chunks_mut().0[r]);
                    }
                    for (((ewm, out), scan), past) in ewms.iter_mut().zip(&out).zip(scans).zip(pasts) {
                        ewm.block = Block { level, past, scan, count: BARS };
                        ewm.last = last;
                        ewm.mean = out[x.len() * PIECES - 1][WIDTH - 1];
                    }
                }
            }

            /// Adds the past to a block's own bars.
            #[inline]
            $(#[$feature])?
            fn settle(out: &mut Bars, powers: &[[f64; WIDTH]], level: f64, past: f64) {
                let (level, past) = (splat(level), splat(past));
                for (out, power) in out.iter_mut().zip(powers) {
                    store(add(level, add(load(out), mul(load(power), past))), out);
                }
            }
        }
    };
}

whole_blocks!(on_pairs, pair, 8);

#[cfg(target_arch = "x86_64")]
whole_blocks!(on_fours, avx2, 8, #[target_feature(enable = "avx2")]);

#[cfg(target_arch = "x86_64")]
whole_blocks!(on_eights, avx512, 16, #[target_feature(enable = "avx512f,avx512dq")]);

/// `(1 - alpha)^0 ..= (1 - alpha)^BARS`, each as near as a number can be to the power of the exact
/// difference: an error in the last would grow with every block that a value is remembered.
///
/// Computed with twice the digits, each number as the sum of two (Dekker, 1971).
fn powers(alpha: f64) -> [f64; BARS + 1] {
    let rounded = 1.0 - alpha;
    let mut powers = [(1.0, 0.0); BARS + 1];
    powers[1] = (rounded, (1.0 - rounded) - alpha);
    for k in 2..=BARS {
        powers[k] = product(powers[k / 2], powers[k - k / 2]);
    }
    powers.map(|(high, _)| high)
}

fn product(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    let high = a.0 * b.0;
    let ((a1, a2), (b1, b2)) = (halves(a.0), halves(b.0));
    let lost = ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2;
    let low = lost + (a.0 * b.1 + a.1 * b.0);
    let sum = high + low;
    (sum, (high - sum) + low)
}

/// A number as the sum of two with half its digits, whose products are exact.
fn halves(x: f64) -> (f64, f64) {
    let shifted = x * 134_217_729.0;
    let high = shifted - (shifted - x);
    (high, x - high)
}

impl State for Ewm {
    fn reset(&mut self) {
        *self = Self::new(self.alpha, self.gap);
    }

    fn save(&self, to: &mut Writer) {
        to.integer(self.phase as u64);
        to.float(self.mean);
        to.float(self.weight);
        to.flag(self.in_block);
        if self.in_block {
            let block = &self.block;
            to.float(self.last);
            to.float(block.level);
            to.float(block.past);
            to.float(block.scan);
            to.integer(block.count as u64);
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Error> {
        self.reset();
        self.phase = from.below(BARS, "a block is longer than blocks are")?;
        self.mean = from.float()?;
        self.weight = from.float()?;
        self.in_block = from.flag()?;
        if self.in_block {
            self.last = from.float()?;
            let (level, past, scan) = (from.float()?, from.float()?, from.float()?);
            if !is_ordinary(self.last) || ![level, past, scan].iter().all(|x| x.abs() < MOST) {
                return Err(Error::State("an average is not one of numbers"));
            }
            let longest = if self.phase == 0 { BARS } else { self.phase };
            let count = from.below(longest + 1, "a block is longer than blocks are")?;
            self.block = Block {
                level,
                past,
                scan,
                count,
            };
        }
        Ok(())
    }
}

/// Wilder's average as he wrote it down: the mean of the first `period` values, from there the
/// exponentially weighted mean with `alpha = 1 / period`; missing bars repeat the last result.
///
/// The seed needs `period` finite values in a row from the first present one on. Without them there
/// is no result, ever.
#[derive(Clone)]
pub struct Wilder {
    period: u64,
    /// Values taken for the seed; the period when it is complete; [`Self::REFUSED`].
    taken: u64,
    seed: SeedMean,
    ewm: Ewm,
}

impl Wilder {
    const REFUSED: u64 = u64::MAX;

    /// The average over `period` bars.
    #[must_use]
    pub fn new(period: usize) -> Self {
        let alpha = 1.0 / period as f64;
        Self {
            period: period as u64,
            taken: 0,
            seed: SeedMean::new(period),
            ewm: Ewm::new(alpha, Gap::Hold),
        }
    }

    /// Takes the next values of `x`; writes the average at each.
    #[inline(always)]
    pub fn run(&mut self, isa: Isa, x: &[f64], out: &mut [f64]) -> Results {
        if self.taken == self.period {
            return self.ewm.run(isa, x, out);
        }
        for (&x, out) in x.iter().zip(out) {
            *out = if self.taken == self.period {
                self.ewm.bar(x)
            } else {
                self.ewm.skip();
                self.seeding(x)
            };
        }
        Results::Any
    }

    fn seeding(&mut self, x: f64) -> f64 {
        if self.taken == Self::REFUSED || (self.taken == 0 && x.is_nan()) {
            return NAN;
        }
        if !x.is_finite() {
            self.taken = Self::REFUSED;
            return NAN;
        }
        self.seed.push(x);
        self.taken += 1;
        if self.taken < self.period {
            return NAN;
        }
        self.ewm.seed(canonical(self.seed.mean()));
        self.ewm.mean
    }
}

impl State for Wilder {
    fn reset(&mut self) {
        self.taken = 0;
        self.seed.reset();
        self.ewm.reset();
    }

    fn save(&self, to: &mut Writer) {
        to.integer(self.taken);
        if self.taken < self.period {
            self.seed.save(to);
        }
        self.ewm.save(to);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Error> {
        self.reset();
        let taken = from.integer()?;
        if taken > self.period && taken != Self::REFUSED {
            return Err(Error::State("more values in a seed than it has"));
        }
        if taken < self.period {
            self.seed.load(from)?;
            if self.seed.count() != taken {
                return Err(Error::State("a seed does not match its count"));
            }
        }
        self.taken = taken;
        self.ewm.load(from)?;
        if taken != self.period && self.ewm.in_block {
            return Err(Error::State("an average without its seed"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn ewm(alpha: f64, x: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; x.len()];
        Ewm::new(alpha, Gap::Decay).run(Isa::PORTABLE, x, &mut out);
        out
    }

    #[test]
    fn a_constant_is_its_own_mean() {
        for alpha in [1.0, 2.0 / 3.0, 0.5, 2.0 / 21.0, 1e-6] {
            let x = [1.1; 1000];
            assert_eq!(ewm(alpha, &x), x);
        }
    }

    #[test]
    fn a_gap_repeats_the_mean_and_decays_the_past() {
        let y = ewm(0.5, &[NAN, 1.0, NAN, NAN, 2.0]);
        assert!(y[0].is_nan());
        assert_eq!(y[1..4], [1.0; 3]);
        assert_eq!(y[4], 1.0 + 0.5 / (0.125 + 0.5));
    }

    #[test]
    fn alpha_one_is_the_identity_even_beside_a_spike() {
        let x = [1.0, 1e16, 3.0, f64::INFINITY, 4.0, -0.5];
        assert_eq!(ewm(1.0, &x), x);
    }

    #[test]
    fn infinities_last_until_they_cancel() {
        let inf = f64::INFINITY;
        let y = ewm(0.5, &[1.0, inf, 2.0, -inf, 5.0, 7.0]);
        assert_eq!(y[..3], [1.0, inf, inf]);
        assert!(y[3].is_nan());
        assert_eq!(y[4..], [5.0, 6.0]);
    }

    #[test]
    fn a_spike_on_a_block_boundary_costs_no_accuracy() {
        // Bar 15 ends the first block; 51 bars later the spike has decayed.
        let mut x = vec![100.0; 67];
        x[15] = 1e12;
        let y = ewm(0.5, &x);
        let exact = 100.0 + (1e12 - 100.0) * libm::exp2(-52.0);
        assert!((y[66] - exact).abs() < 1e-13, "{} {exact}", y[66]);
    }

    #[test]
    fn powers_have_all_their_digits() {
        // 1 - 2^-30 to the eighth, by the binomial theorem; what is left out is below 2^-84.
        let eps = 1.0 / 1_073_741_824.0;
        assert_eq!(
            powers(eps)[8],
            1.0 - (8.0 * eps - (28.0 * eps * eps - 56.0 * eps * eps * eps))
        );
        assert_eq!(powers(1.0)[..3], [1.0, 0.0, 0.0]);
        assert_eq!(powers(0.5)[BARS], libm::exp2(-(BARS as f64)));
    }

    #[test]
    fn wilder_refuses_a_seed_with_a_hole() {
        let mut out = [0.0; 6];
        Wilder::new(3).run(Isa::PORTABLE, &[NAN, 1.0, NAN, 1.0, 1.0, 1.0], &mut out);
        assert!(out.iter().all(|y| y.is_nan()));
        Wilder::new(3).run(Isa::PORTABLE, &[NAN, 1.0, 2.0, 6.0, NAN, 6.0], &mut out);
        assert!(out[..3].iter().all(|y| y.is_nan()));
        assert_eq!(out[3..], [3.0, 3.0, 4.0]);
    }
}
