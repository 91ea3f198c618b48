use super::ema;
use crate::error::Error;
use crate::kernel::{Isa, Kernel, Results, Scratch};
use crate::primitives::recurrence::{Ewm, Gap};
use crate::primitives::window::{WindowMean, WindowScore};
use crate::spec::{Accuracy, Bars, Domain, Output, Param, Params, Spec};
use crate::state::State;

/// State of the standard score of residuals.
#[derive(Clone)]
pub struct ResidualZscore {
    mean: Mean,
    score: WindowScore,
}

/// What residuals are taken from.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "a run must not allocate, and there is one for each indicator")]
enum Mean {
    Rolling(WindowMean),
    Ema(Ewm),
}

const ROLLING: usize = 0;
const SOURCES: &[&str] = &["rolling", "ema"];

fn is_rolling(params: &Params<'_>) -> bool {
    params.integer(1) == ROLLING
}

impl Kernel for ResidualZscore {
    const SPEC: &'static Spec = &Spec {
        name: "residual_zscore",
        title: "Standard score of residuals",
        group: "statistics",
        summary: "Distance of the price from a moving average, in standard deviations of that distance.",
        formula: "mean = sma(x, window) if mean_source is rolling, ema(x, ema_period) if it is ema\ne = x - mean\nstd[t] = sqrt(sum((e[i] - sma(e, window)[t])^2 for i in t-window+1 .. t) / (window - 1))\nresidual_zscore = e / std",
        source: "E. P. Chan, Algorithmic Trading, Wiley, 2013, ch. 3",
        reference: "pandas: e = x - x.rolling(window).mean(); e / e.rolling(window).std()",
        gaps: "NaN while any of the last `window` residuals is missing. A rolling mean has none for `window` bars from a missing one on; an `ema` lacks it at the missing bar alone.",
        inputs: &["x"],
        params: &[
            Param {
                name: "window",
                summary: "Length of the windows, in bars.",
                domain: Domain::period(1, 100),
            },
            Param {
                name: "mean_source",
                summary: "The moving average.",
                domain: Domain::Choice(SOURCES),
            },
            Param {
                name: "ema_period",
                summary: "Span of the ema, in bars; None for `window`. Of no effect on a rolling mean.",
                domain: Domain::Optional(&Domain::period(1, 100)),
            },
        ],
        rules: &[],
        outputs: &[Output {
            name: "residual_zscore",
            summary: "The distance, in sample standard deviations.",
            first_valid: Bars {
                of: |params| {
                    let bars = params.integer(0).max(2) as u64 - 1;
                    if is_rolling(params) { 2 * bars } else { bars }
                },
                text: "(2 if mean_source == 'rolling' else 1) * (max(window, 2) - 1)",
            },
            accuracy: Accuracy {
                ulps: 32.0,
                of: "(s + abs(residual_zscore) * (std + sma(abs(e)) + max(s[t-window+1 .. t]) + 2^-484)) / std, s = sma(abs(x)) or m(x)",
            },
        }],
        window: Some(Bars {
            of: |params| if is_rolling(params) { 2 * params.integer(0) as u64 - 1 } else { u64::MAX },
            text: "2 * window - 1 if mean_source == 'rolling' else None",
        }),
        transcendental: false,
        revision: 1,
    };

    const SCRATCH: usize = 2;

    fn new(params: &Params<'_>) -> Result<Self, Error> {
        let window = params.integer(0);
        let mean = if is_rolling(params) {
            Mean::Rolling(WindowMean::new(window)?)
        } else {
            let period = params.optional_integer(2).unwrap_or(window);
            Mean::Ema(Ewm::new(ema::alpha(period), Gap::Decay))
        };
        Ok(Self { mean, score: WindowScore::new(window)? })
    }

    #[inline(always)]
    fn run(&mut self, isa: Isa, inputs: &[&[f64]], outputs: &mut [&mut [f64]], scratch: Scratch<'_>) -> Results {
        let ([x], [residual_zscore]) = (inputs, outputs) else { return Results::Any };
        match &mut self.mean {
            Mean::Rolling(mean) => mean.run(isa, x, residual_zscore),
            Mean::Ema(mean) => mean.run(isa, x, residual_zscore),
        };
        for (residual, &x) in residual_zscore.iter_mut().zip(*x) {
            *residual = x - *residual;
        }
        self.score.run(isa, residual_zscore, scratch)
    }

    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        match &mut self.mean {
            Mean::Rolling(mean) => visit(mean),
            Mean::Ema(mean) => visit(mean),
        }
        visit(&mut self.score);
    }
}
