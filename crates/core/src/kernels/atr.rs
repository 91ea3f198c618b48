use super::true_range::TrueRange;
use crate::error::Error;
use crate::kernel::{Isa, Kernel, Results, Scratch};
use crate::primitives::recurrence::Wilder;
use crate::spec::{Accuracy, Bars, Domain, Output, Param, Params, Spec};
use crate::state::State;

/// State of the average true range.
#[derive(Clone)]
pub struct Atr {
    range: TrueRange,
    average: Wilder,
}

impl Kernel for Atr {
    const SPEC: &'static Spec = &Spec {
        name: "atr",
        title: "Average true range",
        group: "volatility",
        summary: "Wilder's average of the true range.",
        formula: "atr[period-1] = (true_range[0] + ... + true_range[period-1]) / period\natr[t] = (atr[t-1] * (period - 1) + true_range[t]) / period",
        source: "J. W. Wilder, New Concepts in Technical Trading Systems, Trend Research, 1978, section III",
        reference: "the definition, as a loop over the true range",
        gaps: "The seed starts at the first bar with a true range; if one of its `period` ranges is missing or infinite, or fewer exist, every result is NaN. Later, a missing range repeats the last result.",
        inputs: &["high", "low", "close"],
        params: &[Param {
            name: "period",
            summary: "Length of the seed and reciprocal of the smoothing factor, in bars.",
            domain: Domain::period(1, 14),
        }],
        rules: &[],
        outputs: &[Output {
            name: "atr",
            summary: "The average range, in the unit of the prices.",
            first_valid: Bars { of: |params| params.integer(0) as u64 - 1, text: "period - 1" },
            accuracy: Accuracy { ulps: 16.0, of: "m(true_range)" },
        }],
        window: None,
        transcendental: false,
        revision: 2,
    };

    const SCRATCH: usize = 1;

    fn new(params: &Params<'_>) -> Result<Self, Error> {
        Ok(Self { range: TrueRange::start(), average: Wilder::new(params.integer(0)) })
    }

    #[inline(always)]
    fn run(&mut self, isa: Isa, inputs: &[&[f64]], outputs: &mut [&mut [f64]], scratch: Scratch<'_>) -> Results {
        let ([high, low, close], [atr]) = (inputs, outputs) else { return Results::Any };
        let [range, ..] = scratch;
        self.range.write(high, low, close, range);
        self.average.run(isa, range, atr)
    }

    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        visit(self.range.part());
        visit(&mut self.average);
    }
}
