use crate::error::Error;
use crate::kernel::{Isa, Kernel, Results, Scratch};
use crate::primitives::recurrence::{Ewm, Gap};
use crate::spec::{Accuracy, Bars, Domain, Output, Param, Params, Spec};
use crate::state::State;

/// State of the exponential moving average.
#[derive(Clone)]
pub struct Ema {
    mean: Ewm,
}

/// The smoothing factor whose mean has the same centre of mass as a plain mean over `period` bars.
#[must_use]
pub fn alpha(period: usize) -> f64 {
    2.0 / (period as f64 + 1.0)
}

impl Kernel for Ema {
    const SPEC: &'static Spec = &Spec {
        name: "ema",
        title: "Exponential moving average",
        group: "trend",
        summary: "Mean of all prices so far, each weighted by a constant factor less than the next.",
        formula: "alpha = 2 / (period + 1)\nema[0] = x[0]\nema[t] = alpha * x[t] + (1 - alpha) * ema[t-1]",
        source: "R. G. Brown, Statistical Forecasting for Inventory Control, McGraw-Hill, 1959",
        reference: "pandas: x.ewm(span=period, adjust=False).mean()",
        gaps: "Missing bars before the first price give NaN. At a later one the last result is repeated, and the weight of the past goes on decaying.",
        inputs: &["x"],
        params: &[Param {
            name: "period",
            summary: "Span of the mean, in bars.",
            domain: Domain::period(1, 20),
        }],
        rules: &[],
        outputs: &[Output {
            name: "ema",
            summary: "The mean, in the unit of the input.",
            first_valid: Bars { of: |_| 0, text: "0" },
            accuracy: Accuracy { ulps: 32.0, of: "m(x)" },
        }],
        window: None,
        transcendental: false,
        revision: 2,
    };

    fn new(params: &Params<'_>) -> Result<Self, Error> {
        Ok(Self { mean: Ewm::new(alpha(params.integer(0)), Gap::Decay) })
    }

    #[inline(always)]
    fn run(&mut self, isa: Isa, inputs: &[&[f64]], outputs: &mut [&mut [f64]], _: Scratch<'_>) -> Results {
        let ([x], [ema]) = (inputs, outputs) else { return Results::Any };
        self.mean.run(isa, x, ema)
    }

    fn run_many(
        kernels: &mut [Self],
        isa: Isa,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
        _: Scratch<'_>,
    ) -> Results {
        let [x] = inputs else { return Results::Any };
        let (all, rest) = kernels.as_chunks_mut();
        let (all_outputs, rest_outputs) = outputs.as_chunks_mut();
        let mut results = Results::Numbers;
        for (kernels, outputs) in all.iter_mut().zip(all_outputs) {
            let means = kernels.each_mut().map(|kernel| &mut kernel.mean);
            results = results & Ewm::run_abreast(means, isa, x, outputs);
        }
        for (kernel, output) in rest.iter_mut().zip(rest_outputs) {
            results = results & kernel.mean.run(isa, x, output);
        }
        results
    }

    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        visit(&mut self.mean);
    }
}
