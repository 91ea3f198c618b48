use super::garch_volatility::{
    ALPHA, BETA, GarchVolatility, MIN_PERIODS, OMEGA, SCALE, SIGMA_FLOOR, USE_LOG_RETURNS, stationary,
};
use super::kalman_mean;
use crate::error::Error;
use crate::kernel::{Isa, Kernel, Results, Scratch};
use crate::primitives::NAN;
use crate::primitives::level::Level;
use crate::spec::{Accuracy, Bars, Output, Params, Spec};
use crate::state::State;

/// State of the distance from a Kalman mean in GARCH volatilities.
#[derive(Clone)]
pub struct KalmanGarchZscore {
    level: Level,
    volatility: GarchVolatility,
}

impl Kernel for KalmanGarchZscore {
    const SPEC: &'static Spec = &Spec {
        name: "kalman_garch_zscore",
        title: "Distance from a Kalman mean in GARCH volatilities",
        group: "statistics",
        summary: "Distance of the price from its filtered level, in expected sizes of the next move.",
        formula: "kalman_garch_zscore = (x - kalman_mean(x, R, Q)) / (abs(x) * garch_volatility(x, alpha, beta, ...))",
        source: "the parts: A. C. Harvey, 1989, and T. Bollerslev, 1986, as cited under kalman_mean and garch_volatility",
        reference: "the definition, as a loop",
        gaps: "NaN at a missing bar, and where the denominator is zero. Both parts go on after it.",
        inputs: &["x"],
        params: &[
            kalman_mean::R,
            kalman_mean::Q,
            ALPHA,
            BETA,
            OMEGA,
            USE_LOG_RETURNS,
            SCALE,
            MIN_PERIODS,
            SIGMA_FLOOR,
        ],
        rules: &[stationary(|params| params.float(2) + params.float(3) < 1.0)],
        outputs: &[Output {
            name: "kalman_garch_zscore",
            summary: "The distance, in moves of one standard deviation.",
            first_valid: Bars { of: |params| params.integer(7) as u64 + 1, text: "1 + min_periods" },
            accuracy: Accuracy {
                ulps: 16.0,
                of: "s / (abs(x) * garch_volatility) + abs(kalman_garch_zscore) * (1 + g / garch_volatility), s and g as of both parts",
            },
        }],
        window: None,
        transcendental: true,
        revision: 1,
    };

    const SCRATCH: usize = 2;

    fn new(params: &Params<'_>) -> Result<Self, Error> {
        Ok(Self {
            level: Level::new(params.float(0), params.float(1)),
            volatility: GarchVolatility::start(params, 2),
        })
    }

    #[inline(always)]
    fn run(&mut self, isa: Isa, inputs: &[&[f64]], outputs: &mut [&mut [f64]], scratch: Scratch<'_>) -> Results {
        let ([x], [kalman_garch_zscore]) = (inputs, outputs) else { return Results::Any };
        let [volatility, returns, ..] = scratch;
        self.volatility.write(x, volatility, returns);
        self.level.run(isa, x, kalman_garch_zscore);
        let rows = kalman_garch_zscore.iter_mut().zip(&*volatility).zip(*x);
        for ((score, &volatility), &x) in rows {
            let unit = x.abs() * volatility;
            *score = if unit == 0.0 { NAN } else { (x - *score) / unit };
        }
        Results::Any
    }

    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        visit(&mut self.level);
        self.volatility.visit(visit);
    }
}
