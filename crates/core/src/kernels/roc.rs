use crate::error::Error;
use crate::kernel::{Isa, Kernel, Results, Scratch};
use crate::primitives::delay::Delay;
use crate::spec::{Accuracy, Bars, Domain, Output, Param, Params, Spec};
use crate::state::State;

/// State of the rate of change.
#[derive(Clone)]
pub struct Roc {
    earlier: Delay,
}

impl Kernel for Roc {
    const SPEC: &'static Spec = &Spec {
        name: "roc",
        title: "Rate of change",
        group: "momentum",
        summary: "Change of the price over some bars, in percent.",
        formula: "roc[t] = (x[t] - x[t-period]) / x[t-period] * 100",
        source: "M. J. Pring, Technical Analysis Explained, McGraw-Hill, 1980",
        reference: "pandas: x.diff(period) / x.shift(period) * 100",
        gaps: "NaN where either of the two bars is missing. A zero price `period` bars ago gives what IEEE division gives: an infinity, or NaN for 0 / 0.",
        inputs: &["x"],
        params: &[Param {
            name: "period",
            summary: "Distance of the two prices, in bars.",
            domain: Domain::period(1, 14),
        }],
        rules: &[],
        outputs: &[Output {
            name: "roc",
            summary: "The change, in percent.",
            first_valid: Bars { of: |params| params.integer(0) as u64, text: "period" },
            accuracy: Accuracy { ulps: 3.5, of: "abs(roc)" },
        }],
        window: Some(Bars { of: |params| params.integer(0) as u64 + 1, text: "period + 1" }),
        transcendental: false,
        revision: 1,
    };

    fn new(params: &Params<'_>) -> Result<Self, Error> {
        Ok(Self { earlier: Delay::new(params.integer(0))? })
    }

    #[inline(always)]
    fn run(&mut self, isa: Isa, inputs: &[&[f64]], outputs: &mut [&mut [f64]], _: Scratch<'_>) -> Results {
        let ([x], [roc]) = (inputs, outputs) else { return Results::Any };
        let mut results = Results::Numbers;
        self.earlier.pieces(x, |at, earlier| {
            results = results & isa.changes(100.0, &x[at.clone()], earlier, &mut roc[at]);
        });
        results
    }

    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        visit(&mut self.earlier);
    }
}
