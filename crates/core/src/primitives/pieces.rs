//! The pieces that windows are put together from, and the windows, of many bars at once.
//!
//! A piece of `2^k` bars is made of two of half the length, as [`super::window`] tells. Pieces of up to
//! [`CHUNK`] bars are formed for [`CHUNK`] bars at a time, and stay in vector registers while longer ones
//! are made of them: the piece that ended some bars earlier is in a register of some bars ago, or between
//! two of those, from which it is shifted. Nothing waits for the bar before, so what limits this is the
//! number of additions, not how long they take. Windows of these pieces alone are put together on the
//! spot. What they need of bars further back is in rows in memory, from where it is loaded register by
//! register as it was stored, because a load from across two recent stores waits for both to be through.
//!
//! The arithmetic stands here once, in a macro, for the registers of each module of [`lanes`]. One of
//! those has registers of a single number: bars that come one by one take the same steps.

use super::lanes;

/// Bars whose pieces are formed at once, and the longest such piece.
pub(super) const CHUNK: usize = 16;

/// Lengths of pieces up to a chunk: 1, 2, 4, 8 and 16 bars.
pub(super) const SMALL: usize = 5;

/// Chunks that are taken in a row.
pub(super) const CHUNKS: usize = 8;

/// One number of each piece of a length, for the chunk before and for those that are taken.
pub(super) type Row = [[f64; CHUNK]; 1 + CHUNKS];

/// A piece of a window.
#[derive(Clone)]
pub(super) struct Step {
    /// It has `2^level` bars,
    pub(super) level: usize,
    /// and as many of the window are newer.
    pub(super) newer: usize,
    pub(super) joint: Joint,
}

impl Step {
    /// The piece of a window of `period` bars that a digit of it stands for.
    pub(super) fn new(period: usize, level: usize) -> Self {
        let newer = period & ((1 << level) - 1);
        Self {
            level,
            newer,
            joint: Joint::new(newer, level),
        }
    }
}

/// Weights with which a longer, older piece and the newer rest of the window join.
#[derive(Clone)]
pub(super) struct Joint {
    /// By which a sum over the piece is its mean.
    pub(super) scale: f64,
    newer: f64,
    older: f64,
    /// `n_a * n_b / (n_a + n_b)`, the weight of the squared difference of the means.
    squares: f64,
}

impl Joint {
    /// For a piece of `2^level` bars, when `newer` bars of the window are newer.
    fn new(newer: usize, level: usize) -> Self {
        let (newer, older) = (newer as f64, (1usize << level) as f64);
        let all = newer + older;
        Self {
            scale: 1.0 / older,
            newer: newer / all,
            older: older / all,
            squares: newer * older / all,
        }
    }

    /// Mean of the joined pieces.
    #[inline(always)]
    pub(super) fn mean(&self, newer: f64, older: f64) -> f64 {
        let difference = newer - older;
        // Infinite means, equal ones above all, have no difference to speak of.
        if difference.abs() < f64::INFINITY {
            older + difference * self.newer
        } else {
            newer * self.newer + older * self.older
        }
    }
}

/// Forms the pieces of some chunks, and applies steps to them. With `per_degree`, one by the degrees of freedom, they are the last ones
/// and the results are finished: while the divider takes square roots, the next pieces are formed.
///
/// First in `rows` are the pieces of the chunk before. Left there are the last one's, at [`last_of`] the chunks, and if there are
/// no more than [`CHUNKS`], all of the levels in `kept`, which those of the steps must be among.
pub(super) type Take<const P: usize> = fn(
    x: &[[f64; CHUNK]],
    rows: &mut [[Row; P]; SMALL],
    kept: usize,
    steps: &[Step],
    per_degree: Option<f64>,
    out: &mut [&mut [[f64; CHUNK]]; P],
);

/// Where in a row the pieces of the last of some chunks are left: rows are begun anew when they are full.
#[inline(always)]
pub(super) fn last_of(chunks: usize) -> usize {
    1 + (chunks - 1) % CHUNKS
}

/// The instructions that pieces are formed with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pieces {
    pub(super) means: Take<1>,
    pub(super) moments: Take<2>,
    pub(super) largest: Take<1>,
}

impl Pieces {
    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn avx2() -> Self {
        Self {
            means: |x, rows, kept, steps, per_degree, out| {
                on_fours::means(x, rows, kept, steps, per_degree, out);
            },
            moments: |x, rows, kept, steps, per_degree, out| {
                on_fours::moments(x, rows, kept, steps, per_degree, out);
            },
            largest: |x, rows, kept, steps, per_degree, out| {
                on_fours::largest(x, rows, kept, steps, per_degree, out);
            },
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(super) fn avx512() -> Self {
        Self {
            means: |x, rows, kept, steps, per_degree, out| {
                on_eights::means(x, rows, kept, steps, per_degree, out);
            },
            moments: |x, rows, kept, steps, per_degree, out| {
                on_eights::moments(x, rows, kept, steps, per_degree, out);
            },
            largest: |x, rows, kept, steps, per_degree, out| {
                on_eights::largest(x, rows, kept, steps, per_degree, out);
            },
        }
    }
}

/// Defines what pieces are and how they join, in the registers of a module of [`lanes`], and results: that for a window which is one
/// piece, and that for a longer one, from the result for its newer part and an older piece.
macro_rules! arithmetic {
    ($lanes:ident $(, #[$feature:meta])?) => {
        use super::lanes::$lanes::{Lanes, add, larger, mul, splat, sqrt, sub};

        /// A [`super::Joint`], the same in every lane.
        #[derive(Clone, Copy)]
        pub(in super::super) struct Weights {
            scale: Lanes,
            newer: Lanes,
            squares: Lanes,
        }

        #[inline]
        $(#[$feature])?
        pub(in super::super) fn weights(joint: &super::Joint) -> Weights {
            Weights {
                scale: splat(joint.scale),
                newer: splat(joint.newer),
                squares: splat(joint.squares),
            }
        }

        /// A sum.
        #[inline]
        $(#[$feature])?
        pub(in super::super) fn join_sums([older]: [Lanes; 1], [newer]: [Lanes; 1]) -> [Lanes; 1] {
            [add(older, newer)]
        }

        #[inline]
        $(#[$feature])?
        pub(in super::super) fn first_mean([sum]: [Lanes; 1], weights: &Weights) -> [Lanes; 1] {
            [mul(sum, weights.scale)]
        }

        #[inline]
        $(#[$feature])?
        pub(in super::super) fn extended_mean([newer]: [Lanes; 1], [sum]: [Lanes; 1], weights: &Weights) -> [Lanes; 1] {
            let older = mul(sum, weights.scale);
            [add(older, mul(sub(newer, older), weights.newer))]
        }

        /// Sum, and length times the sum of squared deviations from the mean; that is zero for a single bar.
        #[inline]
        $(#[$feature])?
        pub(in super::super) fn join_moments(older: [Lanes; 2], newer: [Lanes; 2]) -> [Lanes; 2] {
            let difference = sub(older[0], newer[0]);
            let squares = mul(splat(2.0), add(older[1], newer[1]));
            [add(older[0], newer[0]), add(squares, mul(difference, difference))]
        }

        #[inline]
        $(#[$feature])?
        pub(in super::super) fn first_moments([sum, scaled]: [Lanes; 2], weights: &Weights) -> [Lanes; 2] {
            [mul(sum, weights.scale), mul(scaled, weights.scale)]
        }

        #[inline]
        $(#[$feature])?
        pub(in super::super) fn extended_moments(newer: [Lanes; 2], piece: [Lanes; 2], weights: &Weights) -> [Lanes; 2] {
            let [older, squares] = first_moments(piece, weights);
            let difference = sub(newer[0], older);
            [
                add(older, mul(difference, weights.newer)),
                add(add(newer[1], squares), mul(mul(difference, difference), weights.squares)),
            ]
        }

        /// Mean and sample deviation.
        #[inline]
        $(#[$feature])?
        pub(in super::super) fn finished_moments([mean, squares]: [Lanes; 2], per_degree: Lanes) -> [Lanes; 2] {
            [mean, sqrt(mul(squares, per_degree))]
        }

        /// The largest value; NaN when one is.
        #[inline]
        $(#[$feature])?
        pub(in super::super) fn join_largest([older]: [Lanes; 1], [newer]: [Lanes; 1]) -> [Lanes; 1] {
            [larger(older, newer)]
        }

        #[inline]
        $(#[$feature])?
        pub(in super::super) fn first_largest(piece: [Lanes; 1], _: &Weights) -> [Lanes; 1] {
            piece
        }

        #[inline]
        $(#[$feature])?
        pub(in super::super) fn extended_largest(newer: [Lanes; 1], piece: [Lanes; 1], _: &Weights) -> [Lanes; 1] {
            join_largest(piece, newer)
        }
    };
}

/// Bar by bar.
pub(super) mod on_ones {
    arithmetic!(single);
}

/// Defines [`Pieces`] in the registers of a module of [`lanes`].
#[cfg(target_arch = "x86_64")]
macro_rules! pieces {
    ($name:ident, $lanes:ident $(, #[$feature:meta])?) => {
        mod $name {
            use super::lanes::$lanes::{Shift, WIDTH, load, shift, shifted, store};
            use super::{CHUNK, CHUNKS, Row, SMALL, Step};

            arithmetic!($lanes $(, #[$feature])?);

            /// Registers of a chunk.
            const PARTS: usize = CHUNK / WIDTH;

            /// The pieces of a chunk, of one length.
            type Chunk<const P: usize> = [[Lanes; P]; PARTS];

            $(#[$feature])?
            pub(super) fn means(
                x: &[[f64; CHUNK]],
                rows: &mut [[Row; 1]; SMALL],
                kept: usize,
                steps: &[Step],
                _: Option<f64>,
                out: &mut [&mut [[f64; CHUNK]]; 1],
            ) {
                take(x, rows, kept, steps, out, |x| [x], |a, b| join_sums(a, b), |a, b| join_sums(a, b),
                    |x, w| first_mean(x, w), |a, b, w| extended_mean(a, b, w), |result| result);
            }

            $(#[$feature])?
            pub(super) fn moments(
                x: &[[f64; CHUNK]],
                rows: &mut [[Row; 2]; SMALL],
                kept: usize,
                steps: &[Step],
                per_degree: Option<f64>,
                out: &mut [&mut [[f64; CHUNK]]; 2],
            ) {
                let zero = splat(0.0);
                // As of any pieces, without adding the squares of single bars, which are zero.
                let leaves = |[older, _]: [Lanes; 2], [newer, _]: [Lanes; 2]| {
                    let difference = sub(older, newer);
                    [add(older, newer), mul(difference, difference)]
                };
                let per_degree = per_degree.map(|per_degree| splat(per_degree));
                let finish = |result| match per_degree {
                    Some(per_degree) => finished_moments(result, per_degree),
                    None => result,
                };
                take(x, rows, kept, steps, out, |x| [x, zero], leaves, |a, b| join_moments(a, b),
                    |x, w| first_moments(x, w), |a, b, w| extended_moments(a, b, w), finish);
            }

            $(#[$feature])?
            pub(super) fn largest(
                x: &[[f64; CHUNK]],
                rows: &mut [[Row; 1]; SMALL],
                kept: usize,
                steps: &[Step],
                _: Option<f64>,
                out: &mut [&mut [[f64; CHUNK]]; 1],
            ) {
                let zero = splat(0.0);
                // Zeros lose their sign, so that the largest does not depend on the order.
                take(x, rows, kept, steps, out, |x| [add(x, zero)], |a, b| join_largest(a, b), |a, b| join_largest(a, b),
                    |x, w| first_largest(x, w), |a, b, w| extended_largest(a, b, w), |result| result);
            }

            #[inline]
            $(#[$feature])?
            #[allow(clippy::too_many_arguments, reason = "the arithmetic, function by function")]
            fn take<const P: usize>(
                x: &[[f64; CHUNK]],
                rows: &mut [[Row; P]; SMALL],
                kept: usize,
                steps: &[Step],
                out: &mut [&mut [[f64; CHUNK]]; P],
                leaf: impl Fn(Lanes) -> [Lanes; P],
                join_leaves: impl Fn([Lanes; P], [Lanes; P]) -> [Lanes; P],
                join: impl Fn([Lanes; P], [Lanes; P]) -> [Lanes; P],
                first: impl Fn([Lanes; P], &Weights) -> [Lanes; P],
                extended: impl Fn([Lanes; P], [Lanes; P], &Weights) -> [Lanes; P],
                finish: impl Fn([Lanes; P]) -> [Lanes; P],
            ) {
                let [mut ones, mut twos, mut fours, mut eights] = [[[splat(0.0); P]; PARTS]; SMALL - 1];
                let before = [&mut ones, &mut twos, &mut fours, &mut eights];
                for (pieces, rows) in before.into_iter().zip(&*rows) {
                    for p in 0..P {
                        for (pieces, numbers) in pieces.iter_mut().zip(rows[p][0].as_chunks().0) {
                            pieces[p] = load(numbers);
                        }
                    }
                }
                let newest = steps.first().map(|step| Ready::new(step));
                let mut older = [newest; SMALL - 1];
                for (older, step) in older.iter_mut().zip(steps.iter().skip(1)) {
                    *older = Some(Ready::new(step));
                }
                let older = &older[..steps.len().saturating_sub(1).min(SMALL - 1)];
                let end = x.len() - 1;
                for (number, x) in x.iter().enumerate() {
                    if number > 0 && number % CHUNKS == 0 {
                        for row in rows.as_flattened_mut() {
                            row[0] = row[CHUNKS];
                        }
                    }
                    let chunk = 1 + number % CHUNKS;
                    let kept = if number == end { usize::MAX } else { kept };
                    let mut now = [[splat(0.0); P]; PARTS];
                    for (now, x) in now.iter_mut().zip(x.as_chunks().0) {
                        *now = leaf(load(x));
                    }
                    keep(&now, rows, 0, chunk, kept);
                    let next = joined::<P, 1>(&ones, &now, &join_leaves);
                    keep(&next, rows, 1, chunk, kept);
                    ones = now;
                    let now = joined::<P, 2>(&twos, &next, &join);
                    keep(&now, rows, 2, chunk, kept);
                    twos = next;
                    let next = joined::<P, 4>(&fours, &now, &join);
                    keep(&next, rows, 3, chunk, kept);
                    fours = now;
                    let now = joined::<P, 8>(&eights, &next, &join);
                    keep(&now, rows, 4, chunk, kept);
                    eights = next;

                    let Some(newest) = &newest else { continue };
                    let mut results = [[splat(0.0); P]; PARTS];
                    for (part, result) in results.iter_mut().enumerate() {
                        *result = first(newest.piece(rows, chunk * PARTS + part), &newest.weights);
                    }
                    for step in older.iter().flatten() {
                        for (part, result) in results.iter_mut().enumerate() {
                            let piece = step.piece(rows, chunk * PARTS + part);
                            *result = extended(*result, piece, &step.weights);
                        }
                    }
                    for result in &mut results {
                        *result = finish(*result);
                    }
                    for (p, out) in out.iter_mut().enumerate() {
                        for (result, out) in results.iter().zip(out[number].as_chunks_mut().0) {
                            store(result[p], out);
                        }
                    }
                }
            }

            /// Joins the pieces of `LEN` bars of a chunk with those that end `LEN` bars earlier.
            #[inline]
            $(#[$feature])?
            fn joined<const P: usize, const LEN: usize>(
                before: &Chunk<P>,
                now: &Chunk<P>,
                join: &impl Fn([Lanes; P], [Lanes; P]) -> [Lanes; P],
            ) -> Chunk<P> {
                let mut pieces = *now;
                for (part, pieces) in pieces.iter_mut().enumerate() {
                    // Counted from the first register of the chunk before.
                    let back = |by: usize| {
                        let part = PARTS + part - by;
                        if part < PARTS { before[part] } else { now[part - PARTS] }
                    };
                    let mut earlier = back(LEN / WIDTH);
                    if LEN < WIDTH {
                        for (earlier, before) in earlier.iter_mut().zip(back(1)) {
                            *earlier = shifted(shift(LEN), before, *earlier);
                        }
                    }
                    *pieces = join(earlier, *pieces);
                }
                pieces
            }

            /// Writes the pieces of a chunk, if they are of a level that is kept.
            #[inline]
            $(#[$feature])?
            fn keep<const P: usize>(
                pieces: &Chunk<P>,
                rows: &mut [[Row; P]; SMALL],
                level: usize,
                chunk: usize,
                kept: usize,
            ) {
                if kept >> level & 1 == 0 {
                    return;
                }
                for (p, row) in rows[level].iter_mut().enumerate() {
                    for (pieces, numbers) in pieces.iter().zip(row[chunk].as_chunks_mut().0) {
                        store(pieces[p], numbers);
                    }
                }
            }

            /// What a step needs for each register.
            #[derive(Clone, Copy)]
            struct Ready {
                level: usize,
                /// Registers back, and numbers between registers.
                back: usize,
                shift: Shift,
                weights: Weights,
            }

            impl Ready {
                #[inline]
                $(#[$feature])?
                fn new(step: &Step) -> Self {
                    Self {
                        level: step.level,
                        back: step.newer / WIDTH,
                        shift: shift(step.newer % WIDTH),
                        weights: weights(&step.joint),
                    }
                }

                /// The pieces that belong to the windows of a register.
                #[inline]
                $(#[$feature])?
                fn piece<const P: usize>(&self, rows: &[[Row; P]; SMALL], register: usize) -> [Lanes; P] {
                    let back = register - self.back;
                    let mut piece = [splat(0.0); P];
                    for (piece, row) in piece.iter_mut().zip(&rows[self.level]) {
                        let (registers, _) = row.as_flattened().as_chunks();
                        *piece = shifted(self.shift, load(&registers[back - 1]), load(&registers[back]));
                    }
                    piece
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
pieces!(on_fours, avx2, #[target_feature(enable = "avx2")]);

#[cfg(target_arch = "x86_64")]
pieces!(on_eights, avx512, #[target_feature(enable = "avx512f,avx512dq")]);
