use super::kalman_mean;
use crate::error::Error;
use crate::kernel::{Isa, Kernel, Results, Scratch};
use crate::primitives::level::Level;
use crate::primitives::window::WindowScore;
use crate::spec::{Accuracy, Bars, Domain, Output, Param, Params, Spec};
use crate::state::State;

/// State of the standard score against a Kalman mean.
#[derive(Clone)]
pub struct KalmanZscore {
    level: Level,
    score: WindowScore,
}

impl Kernel for KalmanZscore {
    const SPEC: &'static Spec = &Spec {
        name: "kalman_zscore",
        title: "Standard score against a Kalman mean",
        group: "statistics",
        summary: "Distance of the price from its filtered level, in standard deviations of that distance.",
        formula: "e = x - kalman_mean(x, R, Q)\nstd[t] = sqrt(sum((e[i] - sma(e, window)[t])^2 for i in t-window+1 .. t) / (window - 1))\nkalman_zscore = e / std",
        source: "E. P. Chan, Algorithmic Trading, Wiley, 2013, ch. 3",
        reference: "pandas: e = x - kalman_mean; e / e.rolling(window).std()",
        gaps: "NaN while any of the last `window` bars is missing. At the first price the distance is zero.",
        inputs: &["x"],
        params: &[
            Param {
                name: "window",
                summary: "Length of the window, in bars.",
                domain: Domain::period(1, 100),
            },
            kalman_mean::R,
            kalman_mean::Q,
        ],
        rules: &[],
        outputs: &[Output {
            name: "kalman_zscore",
            summary: "The distance, in sample standard deviations.",
            first_valid: Bars {
                of: |params| params.integer(0).max(2) as u64 - 1,
                text: "max(window, 2) - 1",
            },
            accuracy: Accuracy {
                ulps: 32.0,
                of: "(s + abs(kalman_zscore) * (std + sma(abs(e)) + max(s[t-window+1 .. t]) + 2^-484)) / std, s as of kalman_mean",
            },
        }],
        window: None,
        transcendental: false,
        revision: 1,
    };

    const SCRATCH: usize = 2;

    fn new(params: &Params<'_>) -> Result<Self, Error> {
        let level = Level::new(params.float(1), params.float(2));
        Ok(Self { level, score: WindowScore::new(params.integer(0))? })
    }

    #[inline(always)]
    fn run(&mut self, isa: Isa, inputs: &[&[f64]], outputs: &mut [&mut [f64]], scratch: Scratch<'_>) -> Results {
        let ([x], [kalman_zscore]) = (inputs, outputs) else { return Results::Any };
        self.level.run(isa, x, kalman_zscore);
        for (residual, &x) in kalman_zscore.iter_mut().zip(*x) {
            *residual = x - *residual;
        }
        self.score.run(isa, kalman_zscore, scratch)
    }

    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        visit(&mut self.level);
        visit(&mut self.score);
    }
}
