//! The pieces that windows are put together from, and the windows, of many bars at once.
//!
//! A piece of `2^k` bars is made of two of half the length, as [`super::window`] tells. Pieces of up to
//! [`CHUNK`] bars are formed for [`CHUNK`] bars at a time, and stay in vector registers, with those of the chunk
//! before, while longer ones are made of them: the piece that ended some bars earlier is in one of those registers, or
//! between two of them, from which it is shifted. As soon as the pieces of a length are there, they join the windows
//! that they are a part of. Nothing waits for the bar before, so what limits this is the
//! number of additions, not how long they take. Windows of more than 31 bars go on in memory, from the
//! pieces of a whole chunk.
//!
//! The arithmetic stands here once, in a macro, for the registers of each module of [`lanes`]. One of
//! those has registers of a single number: bars that come one by one take the same steps.

use super::{Results, lanes};

/// Bars whose pieces are formed at once, and the longest such piece.
pub(super) const CHUNK: usize = 16;

/// Lengths of pieces up to a chunk: 1, 2, 4, 8 and 16 bars.
pub(super) const SMALL: usize = 5;

/// Chunks that are taken in a row.
pub(super) const CHUNKS: usize = 8;

/// One number of each piece of a length, for the chunk before and for those that are taken.
pub(super) type Row = [[f64; CHUNK]; 1 + CHUNKS];

/// The pieces of a chunk, of each length.
pub(super) type Small<const P: usize> = [[[f64; CHUNK]; P]; SMALL];

/// Nothing overflows in a window of values below this.
pub(super) const CALM: f64 = f64::from_bits((980 + 1023) << 52);

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

/// Columns.
pub(super) type Columns<'a, T, const P: usize> = [&'a mut [T]; P];

/// Columns in two parts.
#[inline(always)]
pub(super) fn split<T, const P: usize>(
    mut columns: Columns<'_, T, P>,
    at: usize,
) -> (Columns<'_, T, P>, Columns<'_, T, P>) {
    let rest = columns.each_mut().map(|column| {
        let (first, rest) = core::mem::take(column).split_at_mut(at);
        *column = first;
        rest
    });
    (columns, rest)
}

/// Puts together the windows that end in some chunks, or as much of them as short pieces make up, if all numbers are
/// below [`CALM`], and tells what the results are. If not, those written are worthless, and nothing else is written.
///
/// `small` has the pieces of the chunk before, and afterwards those of the last one. `longest` is where pieces of a chunk's length are
/// written, if longer ones follow. With `per_degree`, one by the degrees of freedom, results are finished: while the divider takes
/// square roots, the next pieces are formed.
pub(super) type Take<const P: usize> = fn(
    x: &[[f64; CHUNK]],
    small: &mut Small<P>,
    longest: Option<[&mut [[f64; CHUNK]]; P]>,
    steps: &[Step],
    per_degree: Option<f64>,
    out: &mut [&mut [[f64; CHUNK]]; P],
) -> Option<Results>;

/// Does as [`Take`], if no longer pieces follow; writes the mean, and around it what is `factor` deviations above and below: the
/// upper one first.
pub(super) type TakeBands = fn(
    x: &[[f64; CHUNK]],
    small: &mut Small<2>,
    steps: &[Step],
    per_degree: f64,
    factor: f64,
    out: &mut [&mut [[f64; CHUNK]]; 3],
) -> Option<Results>;

/// The instructions that pieces are formed with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pieces {
    pub(super) means: Take<1>,
    pub(super) moments: Take<2>,
    pub(super) bands: TakeBands,
    pub(super) largest: Take<1>,
}

impl Pieces {
    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn avx2() -> Self {
        Self {
            means: |x, small, longest, steps, per_degree, out| {
                on_fours::means(x, small, longest, steps, per_degree, out)
            },
            moments: |x, small, longest, steps, per_degree, out| {
                on_fours::moments(x, small, longest, steps, per_degree, out)
            },
            bands: |x, small, steps, per_degree, factor, out| {
                on_fours::bands(x, small, steps, per_degree, factor, out)
            },
            largest: |x, small, longest, steps, per_degree, out| {
                on_fours::largest(x, small, longest, steps, per_degree, out)
            },
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(super) fn avx512() -> Self {
        Self {
            means: |x, small, longest, steps, per_degree, out| {
                on_eights::means(x, small, longest, steps, per_degree, out)
            },
            moments: |x, small, longest, steps, per_degree, out| {
                on_eights::moments(x, small, longest, steps, per_degree, out)
            },
            bands: |x, small, steps, per_degree, factor, out| {
                on_eights::bands(x, small, steps, per_degree, factor, out)
            },
            largest: |x, small, longest, steps, per_degree, out| {
                on_eights::largest(x, small, longest, steps, per_degree, out)
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

        /// The same for single bars, without adding their squares, which are zero.
        #[inline]
        $(#[$feature])?
        pub(in super::super) fn join_bars([older, _]: [Lanes; 2], [newer, _]: [Lanes; 2]) -> [Lanes; 2] {
            let difference = sub(older, newer);
            [add(older, newer), mul(difference, difference)]
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
            use super::lanes::$lanes::{
                Shift, WIDTH, are_nans, larger_number, load, no_nans, shift, shifted, store, with_nans,
            };
            use super::{CALM, CHUNK, Results, SMALL, Small, Step, split};

            arithmetic!($lanes $(, #[$feature])?);

            /// Registers of a chunk.
            const PARTS: usize = CHUNK / WIDTH;

            /// Chunks that are taken at once where a piece is one number. The steps of a register wait for each other, and what
            /// can be done meanwhile has to be near: in four registers abreast. With two numbers those do not suffice.
            const AT_ONCE: usize = 4 / PARTS;

            /// The pieces of one length, of some registers of bars in a row.
            type Stretch<const P: usize, const N: usize> = [[Lanes; P]; N];

            $(#[$feature])?
            pub(super) fn means(
                x: &[[f64; CHUNK]],
                small: &mut Small<1>,
                longest: Option<[&mut [[f64; CHUNK]]; 1]>,
                steps: &[Step],
                _: Option<f64>,
                out: &mut [&mut [[f64; CHUNK]]; 1],
            ) -> Option<Results> {
                take(x, small, longest, steps, out, |x| [x], |a, b| join_sums(a, b), |a, b| join_sums(a, b),
                    |x, w| first_mean(x, w), |a, b, w| extended_mean(a, b, w), |result| result)
            }

            $(#[$feature])?
            pub(super) fn moments(
                x: &[[f64; CHUNK]],
                small: &mut Small<2>,
                longest: Option<[&mut [[f64; CHUNK]]; 2]>,
                steps: &[Step],
                per_degree: Option<f64>,
                out: &mut [&mut [[f64; CHUNK]]; 2],
            ) -> Option<Results> {
                let per_degree = per_degree.map(|per_degree| splat(per_degree));
                moments_to(x, small, longest, steps, out, &|result| match per_degree {
                    Some(per_degree) => finished_moments(result, per_degree),
                    None => result,
                })
            }

            $(#[$feature])?
            pub(super) fn bands(
                x: &[[f64; CHUNK]],
                small: &mut Small<2>,
                steps: &[Step],
                per_degree: f64,
                factor: f64,
                out: &mut [&mut [[f64; CHUNK]]; 3],
            ) -> Option<Results> {
                let (per_degree, factor) = (splat(per_degree), splat(factor));
                moments_to(x, small, None, steps, out, &|result| {
                    let [middle, deviation] = finished_moments(result, per_degree);
                    let width = mul(factor, deviation);
                    [add(middle, width), middle, sub(middle, width)]
                })
            }

            #[inline]
            $(#[$feature])?
            fn moments_to<const Q: usize>(
                x: &[[f64; CHUNK]],
                small: &mut Small<2>,
                longest: Option<[&mut [[f64; CHUNK]]; 2]>,
                steps: &[Step],
                out: &mut [&mut [[f64; CHUNK]]; Q],
                finish: &impl Fn([Lanes; 2]) -> [Lanes; Q],
            ) -> Option<Results> {
                let zero = splat(0.0);
                stretches::<2, Q, PARTS>(x, small, longest, steps, out, &|x| [x, zero], &|a, b| join_bars(a, b), &|a, b| join_moments(a, b),
                    &|x, w| first_moments(x, w), &|a, b, w| extended_moments(a, b, w), finish)
            }

            $(#[$feature])?
            pub(super) fn largest(
                x: &[[f64; CHUNK]],
                small: &mut Small<1>,
                longest: Option<[&mut [[f64; CHUNK]]; 1]>,
                steps: &[Step],
                _: Option<f64>,
                out: &mut [&mut [[f64; CHUNK]]; 1],
            ) -> Option<Results> {
                let zero = splat(0.0);
                // Zeros lose their sign, so that the largest does not depend on the order.
                take(x, small, longest, steps, out, |x| [add(x, zero)], |a, b| join_largest(a, b), |a, b| join_largest(a, b),
                    |x, w| first_largest(x, w), |a, b, w| extended_largest(a, b, w), |result| result)
            }

            #[inline]
            $(#[$feature])?
            #[allow(clippy::too_many_arguments, reason = "the arithmetic, function by function")]
            fn take<const P: usize>(
                x: &[[f64; CHUNK]],
                small: &mut Small<P>,
                longest: Option<[&mut [[f64; CHUNK]]; P]>,
                steps: &[Step],
                out: &mut [&mut [[f64; CHUNK]]; P],
                leaf: impl Fn(Lanes) -> [Lanes; P],
                join_leaves: impl Fn([Lanes; P], [Lanes; P]) -> [Lanes; P],
                join: impl Fn([Lanes; P], [Lanes; P]) -> [Lanes; P],
                first: impl Fn([Lanes; P], &Weights) -> [Lanes; P],
                extended: impl Fn([Lanes; P], [Lanes; P], &Weights) -> [Lanes; P],
                finish: impl Fn([Lanes; P]) -> [Lanes; P],
            ) -> Option<Results> {
                let (many, one) = x.as_chunks::<AT_ONCE>();
                let many = many.as_flattened();
                let at = many.len();
                // Here, since nothing may be written by then.
                if !many.is_empty() && one.as_flattened().iter().any(|x| x.abs() >= CALM) {
                    return None;
                }
                let (mut many_out, mut one_out) = split(out.each_mut().map(|out| &mut **out), at);
                let (many_longest, one_longest) = longest.map(|longest| split(longest, at)).unzip();
                let mut results = Results::Numbers;
                if !many.is_empty() {
                    results = stretches::<P, P, { AT_ONCE * PARTS }>(many, small, many_longest, steps, &mut many_out,
                        &leaf, &join_leaves, &join, &first, &extended, &finish)?;
                }
                if !one.is_empty() {
                    results = results & stretches::<P, P, PARTS>(one, small, one_longest, steps, &mut one_out,
                        &leaf, &join_leaves, &join, &first, &extended, &finish)?;
                }
                Some(results)
            }

            #[inline]
            $(#[$feature])?
            #[allow(clippy::too_many_arguments, reason = "the arithmetic, function by function")]
            fn stretches<const P: usize, const Q: usize, const N: usize>(
                x: &[[f64; CHUNK]],
                small: &mut Small<P>,
                longest: Option<[&mut [[f64; CHUNK]]; P]>,
                steps: &[Step],
                out: &mut [&mut [[f64; CHUNK]]; Q],
                leaf: &impl Fn(Lanes) -> [Lanes; P],
                join_leaves: &impl Fn([Lanes; P], [Lanes; P]) -> [Lanes; P],
                join: &impl Fn([Lanes; P], [Lanes; P]) -> [Lanes; P],
                first: &impl Fn([Lanes; P], &Weights) -> [Lanes; P],
                extended: &impl Fn([Lanes; P], [Lanes; P], &Weights) -> [Lanes; P],
                finish: &impl Fn([Lanes; P]) -> [Lanes; Q],
            ) -> Option<Results> {
                let mut before = [[[splat(0.0); P]; N]; SMALL];
                for (pieces, numbers) in before.iter_mut().zip(&*small) {
                    for p in 0..P {
                        for (pieces, numbers) in pieces[N - PARTS..].iter_mut().zip(numbers[p].as_chunks().0) {
                            pieces[p] = load(numbers);
                        }
                    }
                }
                let [mut ones, mut twos, mut fours, mut eights, mut sixteens] = before;
                let mut ready: [Option<Ready>; SMALL] = [None; SMALL];
                for step in steps {
                    if let Some(ready) = ready.get_mut(step.level) {
                        *ready = Some(Ready::new(step));
                    }
                }
                let some = ready.iter().any(|ready| ready.is_some());
                let top = match longest {
                    Some(_) => SMALL - 1,
                    None => steps.last().map_or(0, |step| step.level),
                };
                let (mut largest, mut nans) = (splat(0.0), no_nans());
                let (x, _) = x.as_flattened().as_chunks::<WIDTH>();
                let mut out = out.each_mut().map(|out| out.as_flattened_mut().as_chunks_mut().0);
                let mut longest = longest.map(|longest| longest.map(|longest| longest.as_flattened_mut().as_chunks_mut().0));
                let end = x.len().wrapping_sub(N);
                for (number, x) in x.chunks_exact(N).enumerate() {
                    let at = number * N;
                    let mut results = [[splat(0.0); P]; N];
                    let mut keep = |level: usize, pieces: &Stretch<P, N>| {
                        if at == end {
                            write(&pieces[N - PARTS..], small[level].each_mut().map(|row| row.as_chunks_mut().0));
                        }
                    };
                    let mut now = [[splat(0.0); P]; N];
                    for (now, x) in now.iter_mut().zip(x) {
                        let x = load(x);
                        largest = larger_number(largest, x);
                        *now = leaf(x);
                    }
                    if at == end && !is_calm(largest) {
                        return None;
                    }
                    // Length by length and not in a loop, so that it is known which registers hold what.
                    keep(0, &now);
                    apply::<P, N, 0>(ready[0].as_ref(), &mut results, &ones, &now, first, extended);
                    if top > 0 {
                        let next = joined::<P, N, 1>(&ones, &now, join_leaves);
                        keep(1, &next);
                        apply::<P, N, 1>(ready[1].as_ref(), &mut results, &twos, &next, first, extended);
                        if top > 1 {
                            let now = joined::<P, N, 2>(&twos, &next, join);
                            keep(2, &now);
                            apply::<P, N, 2>(ready[2].as_ref(), &mut results, &fours, &now, first, extended);
                            if top > 2 {
                                let next = joined::<P, N, 4>(&fours, &now, join);
                                keep(3, &next);
                                apply::<P, N, 3>(ready[3].as_ref(), &mut results, &eights, &next, first, extended);
                                if top > 3 {
                                    let now = joined::<P, N, 8>(&eights, &next, join);
                                    keep(4, &now);
                                    apply::<P, N, 4>(ready[4].as_ref(), &mut results, &sixteens, &now, first, extended);
                                    if let Some(longest) = &mut longest {
                                        write(&now, longest.each_mut().map(|longest| &mut longest[at..at + N]));
                                    }
                                    sixteens = now;
                                }
                                eights = next;
                            }
                            fours = now;
                        }
                        twos = next;
                    }
                    ones = now;
                    if some {
                        let mut finished = [[splat(0.0); Q]; N];
                        for (finished, result) in finished.iter_mut().zip(results) {
                            *finished = finish(result);
                        }
                        // Where any column has a NaN, the last one does.
                        for [a, b] in finished.as_chunks().0 {
                            nans = with_nans(nans, a[Q - 1], b[Q - 1]);
                        }
                        write(&finished, out.each_mut().map(|out| &mut out[at..at + N]));
                    }
                }
                Some(Results::numbers_if(!are_nans(nans)))
            }

            #[inline]
            $(#[$feature])?
            fn is_calm(largest: Lanes) -> bool {
                let mut magnitudes = [0.0; WIDTH];
                store(largest, &mut magnitudes);
                magnitudes.iter().all(|&magnitude| magnitude < CALM)
            }

            /// Adds the pieces of a length to the results, if a step is for those.
            #[inline]
            $(#[$feature])?
            fn apply<const P: usize, const N: usize, const LEVEL: usize>(
                ready: Option<&Ready>,
                results: &mut Stretch<P, N>,
                before: &Stretch<P, N>,
                now: &Stretch<P, N>,
                first: &impl Fn([Lanes; P], &Weights) -> [Lanes; P],
                extended: &impl Fn([Lanes; P], [Lanes; P], &Weights) -> [Lanes; P],
            ) {
                let Some(ready) = ready else { return };
                if ready.newer == 0 {
                    for (result, &pieces) in results.iter_mut().zip(now) {
                        *result = first(pieces, &ready.weights);
                    }
                    return;
                }
                for (result, pieces) in results.iter_mut().zip(ready.pieces::<P, N, LEVEL>(before, now)) {
                    *result = extended(*result, pieces, &ready.weights);
                }
            }

            /// Joins the pieces of `LEN` bars of a chunk with those that end `LEN` bars earlier.
            #[inline]
            $(#[$feature])?
            fn joined<const P: usize, const N: usize, const LEN: usize>(
                before: &Stretch<P, N>,
                now: &Stretch<P, N>,
                join: &impl Fn([Lanes; P], [Lanes; P]) -> [Lanes; P],
            ) -> Stretch<P, N> {
                let earlier = delayed(before, now, LEN / WIDTH, (LEN < WIDTH).then(|| shift(LEN)));
                let mut pieces = *now;
                for (pieces, earlier) in pieces.iter_mut().zip(earlier) {
                    *pieces = join(earlier, *pieces);
                }
                pieces
            }

            /// The pieces that end some registers earlier, or so many numbers more.
            #[inline]
            $(#[$feature])?
            fn delayed<const P: usize, const N: usize>(
                before: &Stretch<P, N>,
                now: &Stretch<P, N>,
                registers: usize,
                numbers: Option<Shift>,
            ) -> Stretch<P, N> {
                let mut pieces = *now;
                for (part, pieces) in pieces.iter_mut().enumerate() {
                    // Counted from the first register of the stretch before.
                    let back = |by: usize| {
                        let part = N + part - by;
                        if part < N { before[part] } else { now[part - N] }
                    };
                    *pieces = back(registers);
                    if let Some(numbers) = numbers {
                        for (piece, before) in pieces.iter_mut().zip(back(registers + 1)) {
                            *piece = shifted(numbers, before, *piece);
                        }
                    }
                }
                pieces
            }

            #[inline]
            $(#[$feature])?
            fn write<const P: usize>(pieces: &[[Lanes; P]], to: [&mut [[f64; WIDTH]]; P]) {
                for (p, to) in to.into_iter().enumerate() {
                    for (pieces, to) in pieces.iter().zip(to) {
                        store(pieces[p], to);
                    }
                }
            }

            /// What a step needs for each register.
            #[derive(Clone, Copy)]
            struct Ready {
                newer: usize,
                shift: Shift,
                weights: Weights,
            }

            impl Ready {
                #[inline]
                $(#[$feature])?
                fn new(step: &Step) -> Self {
                    Self {
                        newer: step.newer,
                        shift: shift(step.newer % WIDTH),
                        weights: weights(&step.joint),
                    }
                }

                /// The pieces that belong to the windows of a chunk.
                #[inline]
                $(#[$feature])?
                fn pieces<const P: usize, const N: usize, const LEVEL: usize>(&self, before: &Stretch<P, N>, now: &Stretch<P, N>) -> Stretch<P, N> {
                    // So that registers do not change in any case. Fewer bars are newer than the piece has.
                    let most = (1 << LEVEL) / WIDTH;
                    match self.newer / WIDTH {
                        1 if most > 1 => delayed(before, now, 1, Some(self.shift)),
                        2 if most > 2 => delayed(before, now, 2, Some(self.shift)),
                        3 if most > 3 => delayed(before, now, 3, Some(self.shift)),
                        _ => delayed(before, now, 0, Some(self.shift)),
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
pieces!(on_fours, avx2, #[target_feature(enable = "avx2")]);

#[cfg(target_arch = "x86_64")]
pieces!(on_eights, avx512, #[target_feature(enable = "avx512f,avx512dq")]);
