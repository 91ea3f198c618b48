use crate::error::Error;
use crate::kernel::{Isa, Kernel, Results, Scratch};
use crate::primitives::window::WindowMean;
use crate::spec::{Accuracy, Bars, Domain, Output, Param, Params, Spec};
use crate::state::State;

/// State of the simple moving average.
#[derive(Clone)]
pub struct Sma {
    mean: WindowMean,
}

impl Kernel for Sma {
    const SPEC: &'static Spec = &Spec {
        name: "sma",
        title: "Simple moving average",
        group: "trend",
        summary: "Mean of the last prices.",
        formula: "sma[t] = (x[t-period+1] + ... + x[t]) / period",
        source: "R. D. Edwards and J. Magee, Technical Analysis of Stock Trends, 1948, ch. 36",
        reference: "pandas: x.rolling(period).mean()",
        gaps: "NaN while any of the last `period` bars is missing.",
        inputs: &["x"],
        params: &[Param {
            name: "period",
            summary: "Length of the window, in bars.",
            domain: Domain::period(1, 20),
        }],
        rules: &[],
        outputs: &[Output {
            name: "sma",
            summary: "The mean, in the unit of the input.",
            first_valid: Bars { of: |params| params.integer(0) as u64 - 1, text: "period - 1" },
            accuracy: Accuracy { ulps: 32.0, of: "sma(abs(x))" },
        }],
        window: Some(Bars { of: |params| params.integer(0) as u64, text: "period" }),
        transcendental: false,
        revision: 1,
    };

    fn new(params: &Params<'_>) -> Result<Self, Error> {
        Ok(Self { mean: WindowMean::new(params.integer(0))? })
    }

    #[inline(always)]
    fn run(&mut self, isa: Isa, inputs: &[&[f64]], outputs: &mut [&mut [f64]], _: Scratch<'_>) -> Results {
        let ([x], [sma]) = (inputs, outputs) else { return Results::Any };
        self.mean.run(isa, x, sma)
    }

    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        visit(&mut self.mean);
    }
}
