use crate::error::Error;
use crate::kernel::{Isa, Kernel, Results, Scratch};
use crate::primitives::window::WindowMoments;
use crate::spec::{Accuracy, Bars, Domain, Output, Param, Params, Spec};
use crate::state::State;

/// State of the standard score.
#[derive(Clone)]
pub struct Zscore {
    moments: WindowMoments,
}

impl Kernel for Zscore {
    const SPEC: &'static Spec = &Spec {
        name: "zscore",
        title: "Standard score",
        group: "statistics",
        summary: "Distance of the price from its mean, in standard deviations.",
        formula: "mean = sma(x, window)\nstd[t] = sqrt(sum((x[i] - mean[t])^2 for i in t-window+1 .. t) / (window - 1))\nzscore = (x - mean) / std",
        source: "E. Kreyszig, Advanced Engineering Mathematics, Wiley, 1979",
        reference: "pandas: (x - x.rolling(window).mean()) / x.rolling(window).std()",
        gaps: "NaN while any of the last `window` bars is missing, or all of them are equal, or there is only one.",
        inputs: &["x"],
        params: &[Param {
            name: "window",
            summary: "Length of the window, in bars.",
            domain: Domain::period(1, 100),
        }],
        rules: &[],
        outputs: &[Output {
            name: "zscore",
            summary: "The distance, in sample standard deviations.",
            first_valid: Bars {
                of: |params| params.integer(0).max(2) as u64 - 1,
                text: "max(window, 2) - 1",
            },
            accuracy: Accuracy {
                ulps: 32.0,
                of: "(sma(abs(x)) + abs(zscore) * (std + sma(abs(x)) + 2^-484)) / std",
            },
        }],
        window: Some(Bars { of: |params| params.integer(0) as u64, text: "window" }),
        transcendental: false,
        revision: 1,
    };

    const SCRATCH: usize = 1;

    fn new(params: &Params<'_>) -> Result<Self, Error> {
        Ok(Self { moments: WindowMoments::new(params.integer(0))? })
    }

    #[inline(always)]
    fn run(&mut self, isa: Isa, inputs: &[&[f64]], outputs: &mut [&mut [f64]], scratch: Scratch<'_>) -> Results {
        let ([x], [zscore]) = (inputs, outputs) else { return Results::Any };
        let [deviation, ..] = scratch;
        self.moments.run(isa, x, zscore, deviation);
        for (zscore, &x) in zscore.iter_mut().zip(*x) {
            *zscore = x - *zscore;
        }
        isa.quotients(1.0, zscore, deviation)
    }

    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        visit(&mut self.moments);
    }
}
