use crate::error::Error;
use crate::kernel::{Isa, Kernel, Results, Scratch};
use crate::primitives::level::Level;
use crate::spec::{Accuracy, Bars, Domain, Output, Param, Params, Spec};
use crate::state::State;

/// State of the Kalman mean.
#[derive(Clone)]
pub struct KalmanMean {
    level: Level,
}

/// Variance of the measurement.
pub(super) const R: Param = Param {
    name: "R",
    summary: "Variance of the prices around the level, in the unit of `Q`.",
    domain: Domain::Float { min: 1e-12, max: 1e12, default: 0.01 },
};

/// Variance of the level's steps.
pub(super) const Q: Param = Param {
    name: "Q",
    summary: "Variance of the level's step from bar to bar.",
    domain: Domain::Float { min: 0.0, max: 1e12, default: 1.0 },
};

impl Kernel for KalmanMean {
    const SPEC: &'static Spec = &Spec {
        name: "kalman_mean",
        title: "Kalman mean",
        group: "trend",
        summary: "Level of the price behind its noise, by a Kalman filter of one dimension.",
        formula: "kalman_mean[0] = x[0], P[0] = R\nK[t] = (P[t-1] + Q) / (P[t-1] + Q + R)\nkalman_mean[t] = kalman_mean[t-1] + K[t] * (x[t] - kalman_mean[t-1])\nP[t] = (1 - K[t]) * (P[t-1] + Q)",
        source: "A. C. Harvey, Forecasting, Structural Time Series Models and the Kalman Filter, Cambridge University Press, 1989, ch. 2 and 4",
        reference: "the definition, as a loop",
        gaps: "NaN at a missing bar. The uncertainty `P` grows by `Q` there, so the next price weighs more.",
        inputs: &["x"],
        params: &[R, Q],
        rules: &[],
        outputs: &[Output {
            name: "kalman_mean",
            summary: "The level, in the unit of the input.",
            first_valid: Bars { of: |_| 0, text: "0" },
            accuracy: Accuracy {
                ulps: 16.0,
                of: "s[t] = (1 - K[t]) * s[t-1] + max(abs(x[t]), abs(kalman_mean[t-1]))",
            },
        }],
        window: None,
        transcendental: false,
        revision: 1,
    };

    fn new(params: &Params<'_>) -> Result<Self, Error> {
        Ok(Self { level: Level::new(params.float(0), params.float(1)) })
    }

    #[inline(always)]
    fn run(&mut self, isa: Isa, inputs: &[&[f64]], outputs: &mut [&mut [f64]], _: Scratch<'_>) -> Results {
        let ([x], [kalman_mean]) = (inputs, outputs) else { return Results::Any };
        self.level.run(isa, x, kalman_mean)
    }

    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        visit(&mut self.level);
    }
}
