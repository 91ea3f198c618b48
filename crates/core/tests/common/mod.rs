//! Data, parameters and runs for tests that sweep the registry.

#![allow(dead_code, reason = "every test binary uses a part of it")]

use indicator_core::kernel::Machine;
use indicator_core::registry::Entry;
use indicator_core::spec::{Domain, Spec};
use std::ops::Range;

/// A small generator (xorshift64*, Vigna 2016), so that a failure can be repeated.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }

    /// From 0 up to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Bars as columns: open, high, low, close, volume.
pub(crate) type Bars = [Vec<f64>; 5];

pub(crate) type Make = fn(usize, &mut Rng) -> Bars;

/// Ordinary and hostile data.
pub(crate) const DATA_SETS: [(&str, Make); 12] = [
    ("random walk", random_walk),
    ("gaps", gaps),
    ("constants", |bars, _| {
        std::array::from_fn(|_| vec![1.1; bars])
    }),
    ("spikes", |bars, rng| {
        spoil(random_walk(bars, rng), rng, &[1e12, -1e12])
    }),
    ("infinities", |bars, rng| {
        spoil(
            random_walk(bars, rng),
            rng,
            &[f64::INFINITY, f64::NEG_INFINITY],
        )
    }),
    ("NaN payloads", |bars, rng| {
        let odd = [
            0x7ff0_0000_0000_0001,
            0xfff8_0000_0000_0000,
            0x7ff8_dead_beef_0001,
        ];
        spoil(random_walk(bars, rng), rng, &odd.map(f64::from_bits))
    }),
    ("signed zeros", |bars, rng| {
        std::array::from_fn(|_| (0..bars).map(|_| [0.0, -0.0][rng.below(2)]).collect())
    }),
    ("denormals", |bars, rng| {
        scaled(random_walk(bars, rng), 1e-310)
    }),
    ("prices of 1e-8", |bars, rng| {
        scaled(random_walk(bars, rng), 1e-10)
    }),
    ("prices of 1e9", |bars, rng| {
        scaled(random_walk(bars, rng), 1e7)
    }),
    ("close to overflow", |bars, rng| {
        scaled(random_walk(bars, rng), 1e305)
    }),
    ("any bits", |bars, rng| {
        std::array::from_fn(|_| (0..bars).map(|_| f64::from_bits(rng.next())).collect())
    }),
];

pub(crate) fn random_walk(bars: usize, rng: &mut Rng) -> Bars {
    let mut close = 100.0;
    let mut columns: Bars = Default::default();
    for _ in 0..bars {
        let open = close;
        close += rng.unit() - 0.5;
        let (top, bottom) = if open > close {
            (open, close)
        } else {
            (close, open)
        };
        let row = [
            open,
            top + rng.unit(),
            bottom - rng.unit(),
            close,
            1e6 * rng.unit(),
        ];
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    columns
}

/// Missing bars at the start, at the end, and in runs between.
pub(crate) fn gaps(bars: usize, rng: &mut Rng) -> Bars {
    let mut columns = random_walk(bars, rng);
    let mut missing = false;
    for bar in 0..bars {
        if rng.below(if missing { 3 } else { 20 }) == 0 {
            missing = !missing;
        }
        if missing || bar < 3 || bar + 2 >= bars {
            for column in &mut columns {
                column[bar] = f64::NAN;
            }
        }
    }
    columns
}

fn scaled(mut columns: Bars, factor: f64) -> Bars {
    columns
        .iter_mut()
        .flatten()
        .for_each(|value| *value *= factor);
    columns
}

fn spoil(mut columns: Bars, rng: &mut Rng, with: &[f64]) -> Bars {
    for value in columns.iter_mut().flatten() {
        if rng.below(60) == 0 {
            *value = with[rng.below(with.len())];
        }
    }
    columns
}

/// The columns that an indicator reads, in its order.
pub(crate) fn columns_of(spec: &Spec, bars: &Bars) -> Vec<Vec<f64>> {
    let [open, high, low, close, volume] = bars;
    let column = |name: &&str| match *name {
        "open" => open.clone(),
        "high" => high.clone(),
        "low" => low.clone(),
        "x" | "close" => close.clone(),
        "volume" => volume.clone(),
        other => panic!("no column {other}"),
    };
    spec.inputs.iter().map(column).collect()
}

/// Small, ordinary and long values for every parameter.
pub(crate) fn parameter_sets(spec: &Spec) -> Vec<Vec<f64>> {
    let periods: [f64; 9] = [1.0, 2.0, 3.0, 7.0, 14.0, 20.0, 64.0, 255.0, 2000.0];
    let mut sets: Vec<Vec<f64>> = periods
        .iter()
        .enumerate()
        .map(|(turn, &period)| {
            spec.params
                .iter()
                .map(|param| value(&param.domain, turn, period))
                .collect()
        })
        .collect();
    sets.push(
        spec.params
            .iter()
            .map(|param| param.domain.default())
            .collect(),
    );
    // By their bits, since a NaN stands for nothing.
    sets.dedup_by_key(|set| set.iter().map(|value| value.to_bits()).collect::<Vec<_>>());
    sets
}

fn value(domain: &Domain, turn: usize, period: f64) -> f64 {
    let (min, max) = domain.bounds();
    match domain {
        Domain::Integer { .. } => period.clamp(min, max),
        Domain::Float { default, .. } => *default,
        Domain::Choice(words) => (turn % words.len()) as f64,
        Domain::Flag { .. } => (turn % 2) as f64,
        Domain::Optional(_) if turn.is_multiple_of(3) => f64::NAN,
        Domain::Optional(domain) => value(domain, turn, period),
    }
}

pub(crate) fn spec_label(spec: &Spec, params: &[f64]) -> String {
    format!("{}{params:?}", spec.name)
}

/// All bars in one run of a new machine.
pub(crate) fn run(entry: &Entry, params: &[f64], data: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut machine = entry.create(params).expect("valid parameters");
    let bars = data[0].len();
    run_in_blocks(machine.as_mut(), data, 0..bars, &mut || bars.max(1))
}

/// Some bars in runs of the lengths that `next` gives.
pub(crate) fn run_in_blocks(
    machine: &mut dyn Machine,
    data: &[Vec<f64>],
    bars: Range<usize>,
    next: &mut dyn FnMut() -> usize,
) -> Vec<Vec<f64>> {
    let mut results = vec![vec![0.0; bars.len()]; machine.spec().outputs.len()];
    let mut start = bars.start;
    loop {
        let end = (start + next()).min(bars.end);
        let inputs: Vec<&[f64]> = data.iter().map(|column| &column[start..end]).collect();
        let mut outputs: Vec<&mut [f64]> = results
            .iter_mut()
            .map(|out| &mut out[start - bars.start..end - bars.start])
            .collect();
        machine.run(&inputs, &mut outputs).expect("valid shape");
        start = end;
        if start == bars.end {
            return results;
        }
    }
}

pub(crate) fn bits(value: f64) -> u64 {
    value.to_bits()
}
