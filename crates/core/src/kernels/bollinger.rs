use crate::error::Error;
use crate::kernel::{Isa, Kernel, Results, Scratch};
use crate::primitives::window::WindowMoments;
use crate::spec::{Accuracy, Bars, Domain, Output, Param, Params, Spec};
use crate::state::State;

/// State of the Bollinger bands.
#[derive(Clone)]
pub struct Bollinger {
    moments: WindowMoments,
    std_factor: f64,
}

impl Kernel for Bollinger {
    const SPEC: &'static Spec = &Spec {
        name: "bollinger",
        title: "Bollinger bands",
        group: "volatility",
        summary: "Moving average with bands at a multiple of the standard deviation on either side.",
        formula: "middle = sma(x, period)\nstd[t] = sqrt(sum((x[i] - middle[t])^2 for i in t-period+1 .. t) / (period - 1))\nupper = middle + std_factor * std\nlower = middle - std_factor * std",
        source: "J. Bollinger, Bollinger on Bollinger Bands, McGraw-Hill, 2001, ch. 7",
        reference: "pandas: x.rolling(period).mean() +- std_factor * x.rolling(period).std()",
        gaps: "NaN while any of the last `period` bars is missing. With a period of one bar there is a middle, but no deviation.",
        inputs: &["x"],
        params: &[
            Param {
                name: "period",
                summary: "Length of the window, in bars.",
                domain: Domain::period(1, 20),
            },
            Param {
                name: "std_factor",
                summary: "Distance of the bands, in sample standard deviations.",
                domain: Domain::Float { min: 0.0, max: 1e6, default: 2.0 },
            },
        ],
        rules: &[],
        outputs: &[
            Output {
                name: "upper",
                summary: "Upper band, in the unit of the input.",
                first_valid: Bars { of: bands_start, text: "max(period, 2) - 1" },
                accuracy: Accuracy { ulps: 32.0, of: "sma(abs(x)) + std_factor * (std + sma(abs(x)) + 2^-484)" },
            },
            Output {
                name: "middle",
                summary: "Mean of the window, in the unit of the input.",
                first_valid: Bars { of: |params| params.integer(0) as u64 - 1, text: "period - 1" },
                accuracy: Accuracy { ulps: 32.0, of: "sma(abs(x))" },
            },
            Output {
                name: "lower",
                summary: "Lower band, in the unit of the input.",
                first_valid: Bars { of: bands_start, text: "max(period, 2) - 1" },
                accuracy: Accuracy { ulps: 32.0, of: "sma(abs(x)) + std_factor * (std + sma(abs(x)) + 2^-484)" },
            },
        ],
        window: Some(Bars { of: |params| params.integer(0) as u64, text: "period" }),
        transcendental: false,
        revision: 1,
    };

    fn new(params: &Params<'_>) -> Result<Self, Error> {
        Ok(Self { moments: WindowMoments::new(params.integer(0))?, std_factor: params.float(1) })
    }

    #[inline(always)]
    fn run(&mut self, isa: Isa, inputs: &[&[f64]], outputs: &mut [&mut [f64]], _: Scratch<'_>) -> Results {
        let ([x], [upper, middle, lower]) = (inputs, outputs) else { return Results::Any };
        self.moments.bands(isa, x, self.std_factor, [upper, middle, lower])
    }

    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        visit(&mut self.moments);
    }
}

fn bands_start(params: &Params<'_>) -> u64 {
    params.integer(0).max(2) as u64 - 1
}
