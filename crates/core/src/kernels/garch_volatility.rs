use crate::error::Error;
use crate::kernel::{Isa, Kernel, Results, Scratch};
use crate::primitives::delay::Previous;
use crate::primitives::garch::Garch;
use crate::primitives::{ln, sqrt};
use crate::spec::{Accuracy, Bars, Domain, MAX_PERIOD, Output, Param, Params, Rule, Spec};
use crate::state::State;

/// State of the GARCH volatility. Other kernels have it as a part.
#[derive(Clone)]
pub struct GarchVolatility {
    previous: Previous,
    variance: Garch,
    log_returns: bool,
    scale: f64,
}

pub(super) const ALPHA: Param = Param {
    name: "alpha",
    summary: "Weight of the last squared deviation.",
    domain: Domain::Float { min: 0.0, max: 1.0, default: 0.05 },
};

pub(super) const BETA: Param = Param {
    name: "beta",
    summary: "Weight of the last variance.",
    domain: Domain::Float { min: 0.0, max: 1.0, default: 0.9 },
};

pub(super) const OMEGA: Param = Param {
    name: "omega",
    summary: "What the variance gets at each bar, in the unit of squared returns; None for 1e-6 * max(1e-6, 1 - alpha - beta).",
    domain: Domain::Optional(&Domain::Float { min: 0.0, max: 1e12, default: 0.0 }),
};

pub(super) const USE_LOG_RETURNS: Param = Param {
    name: "use_log_returns",
    summary: "Whether returns are logarithms of ratios, or ratios less one.",
    domain: Domain::Flag { default: true },
};

pub(super) const SCALE: Param = Param {
    name: "scale",
    summary: "What returns are multiplied by; 100 makes them percent.",
    domain: Domain::Float { min: 1e-12, max: 1e12, default: 100.0 },
};

pub(super) const MIN_PERIODS: Param = Param {
    name: "min_periods",
    summary: "Bars after the first return that have no result.",
    domain: Domain::Integer { min: 0, max: MAX_PERIOD, default: 50 },
};

pub(super) const SIGMA_FLOOR: Param = Param {
    name: "sigma_floor",
    summary: "Lowest volatility, in the unit of the scaled returns.",
    domain: Domain::Float { min: 0.0, max: 1e12, default: 1e-6 },
};

impl GarchVolatility {
    /// The parameters stand in a row, from `first` on.
    pub(super) fn start(params: &Params<'_>, first: usize) -> Self {
        let (alpha, beta) = (params.float(first), params.float(first + 1));
        let rest = 1.0 - alpha - beta;
        let omega = params.optional_float(first + 2);
        let omega = omega.unwrap_or(1e-6 * if rest > 1e-6 { rest } else { 1e-6 });
        let floor = params.float(first + 6);
        let wait = params.integer(first + 5);
        Self {
            previous: Previous::default(),
            variance: Garch::new(omega, alpha, beta, floor * floor, wait),
            log_returns: params.flag(first + 3),
            scale: params.float(first + 4),
        }
    }

    /// Takes the next bars; writes the volatility at each, and something to `returns`.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    pub(super) fn write(&mut self, x: &[f64], out: &mut [f64], returns: &mut [f64]) {
        self.previous.run(x, |t, previous| returns[t] = x[t] / previous);
        if self.log_returns {
            ln(returns);
        } else {
            for one in &mut *returns {
                *one -= 1.0;
            }
        }
        for one in &mut *returns {
            *one *= self.scale;
        }
        self.variance.run(returns, out);
        for out in out {
            *out = sqrt(*out) / self.scale;
        }
    }

    pub(super) fn visit(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        visit(&mut self.previous);
        visit(&mut self.variance);
    }
}

/// Without it the variance would grow without end. `holds` asks it of the two where they stand.
pub(super) const fn stationary(holds: fn(&Params<'_>) -> bool) -> Rule {
    Rule { param: "beta", holds, text: "alpha + beta < 1" }
}

impl Kernel for GarchVolatility {
    const SPEC: &'static Spec = &Spec {
        name: "garch_volatility",
        title: "GARCH volatility",
        group: "volatility",
        summary: "Expected size of the next return, by the recursion of GARCH(1, 1) with given weights.",
        formula: "r[t] = scale * ln(x[t] / x[t-1]), or scale * (x[t] / x[t-1] - 1)\nmu = r[1], v[1] = max(1e-6, sigma_floor^2), e2[1] = 0\nv[t] = max(omega + alpha * e2[t-1] + beta * v[t-1], sigma_floor^2)\ne2[t] = (r[t] - mu)^2\ngarch_volatility = sqrt(v) / scale, from bar 1 + min_periods on",
        source: "T. Bollerslev, Generalized Autoregressive Conditional Heteroskedasticity, Journal of Econometrics 31, 1986",
        reference: "the definition, as a loop",
        gaps: "A return with a missing end, or that is not finite, repeats the last result and is not a deviation. NaN before the first return, and for `min_periods` bars after it.",
        inputs: &["x"],
        params: &[ALPHA, BETA, OMEGA, USE_LOG_RETURNS, SCALE, MIN_PERIODS, SIGMA_FLOOR],
        rules: &[stationary(|params| params.float(0) + params.float(1) < 1.0)],
        outputs: &[Output {
            name: "garch_volatility",
            summary: "Standard deviation of the return of one bar, as a fraction of the price.",
            first_valid: Bars { of: |params| params.integer(5) as u64 + 1, text: "1 + min_periods" },
            accuracy: Accuracy {
                ulps: 8.0,
                of: "s / (scale * sqrt(v)), s[t] = v[t] + beta * s[t-1] + alpha * sqrt(e2[t-1]) * (scale + abs(r[t-1]) + abs(mu))",
            },
        }],
        window: None,
        transcendental: true,
        revision: 1,
    };

    const SCRATCH: usize = 1;

    fn new(params: &Params<'_>) -> Result<Self, Error> {
        Ok(Self::start(params, 0))
    }

    #[inline(always)]
    fn run(&mut self, _: Isa, inputs: &[&[f64]], outputs: &mut [&mut [f64]], scratch: Scratch<'_>) -> Results {
        let ([x], [garch_volatility]) = (inputs, outputs) else { return Results::Any };
        let [returns, ..] = scratch;
        self.write(x, garch_volatility, returns);
        Results::Any
    }

    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        self.visit(visit);
    }
}
