use super::true_range::TrueRange;
use crate::error::Error;
use crate::kernel::{Isa, Kernel, Results, Scratch};
use crate::primitives::delay::Previous;
use crate::primitives::recurrence::{Ewm, Gap};
use crate::spec::{Accuracy, Bars, Domain, Output, Param, Params, Spec};
use crate::state::State;

/// State of the directional movement index.
#[derive(Clone)]
pub struct Dmi {
    previous_high: Previous,
    previous_low: Previous,
    range: TrueRange,
    mean_plus: Ewm,
    mean_minus: Ewm,
    mean_range: Ewm,
    adx: Ewm,
}

/// The movement `own` where it is the larger one and not downwards, else zero.
#[inline(always)]
fn movement(own: f64, other: f64) -> f64 {
    if own > other && own > 0.0 { own } else { 0.0 }
}

impl Kernel for Dmi {
    const SPEC: &'static Spec = &Spec {
        name: "dmi",
        title: "Directional movement index",
        group: "trend",
        summary: "Strength of the movement upwards, downwards, and of either direction.",
        formula: "up = high[t] - high[t-1], down = low[t-1] - low[t]\nplus_dm = up if up > down and up > 0 else 0, minus_dm = down if down > up and down > 0 else 0\nwilder: y[t] = x[t] / period + (1 - 1 / period) * y[t-1]\nplus_di = 100 * wilder(plus_dm) / wilder(true_range), minus_di = 100 * wilder(minus_dm) / wilder(true_range)\ndx = 100 * abs(plus_di - minus_di) / (plus_di + minus_di)\nadx = wilder(dx)",
        source: "J. W. Wilder, New Concepts in Technical Trading Systems, Trend Research, 1978, section IV",
        reference: "pandas: ewm(alpha=1/period, adjust=False).mean() of +DM, -DM, true range and dx",
        gaps: "Comparisons with a missing bar are false, so both movements are zero there. A missing true range, and a dx of 0 / 0, repeat the last average while the weight of the past goes on decaying.",
        inputs: &["high", "low", "close"],
        params: &[Param {
            name: "period",
            summary: "Reciprocal of the smoothing factor, in bars.",
            domain: Domain::period(1, 14),
        }],
        rules: &[],
        outputs: &[
            Output {
                name: "plus_di",
                summary: "Upward movement, in percent of the range.",
                first_valid: Bars { of: |_| 0, text: "0" },
                accuracy: Accuracy { ulps: 32.0, of: "plus_di * (m(plus_dm) / wilder(plus_dm) + m(true_range) / wilder(true_range))" },
            },
            Output {
                name: "minus_di",
                summary: "Downward movement, in percent of the range.",
                first_valid: Bars { of: |_| 0, text: "0" },
                accuracy: Accuracy { ulps: 32.0, of: "minus_di * (m(minus_dm) / wilder(minus_dm) + m(true_range) / wilder(true_range))" },
            },
            Output {
                name: "adx",
                summary: "Strength of the trend, from 0 to 100.",
                first_valid: Bars { of: |_| 1, text: "1" },
                accuracy: Accuracy { ulps: 16.0, of: "100 * wilder((m(plus_dm) + m(minus_dm)) / (wilder(plus_dm) + wilder(minus_dm))) + m(dx)" },
            },
        ],
        window: None,
        transcendental: false,
        revision: 2,
    };

    const SCRATCH: usize = 3;
    const IN_BURSTS: bool = true;

    fn new(params: &Params<'_>) -> Result<Self, Error> {
        let mean = || Ewm::new(params.reciprocal(0), Gap::Decay);
        Ok(Self {
            previous_high: Previous::default(),
            previous_low: Previous::default(),
            range: TrueRange::start(),
            mean_plus: mean(),
            mean_minus: mean(),
            mean_range: mean(),
            adx: mean(),
        })
    }

    #[inline(always)]
    fn run(&mut self, isa: Isa, inputs: &[&[f64]], outputs: &mut [&mut [f64]], scratch: Scratch<'_>) -> Results {
        let ([high, low, close], [plus_di, minus_di, adx]) = (inputs, outputs) else { return Results::Any };
        let n = high.len();
        let [plus, minus, other] = scratch.map(|column| &mut column[..n]);
        let low = &low[..n];
        let before = [&mut self.previous_high, &mut self.previous_low];
        Previous::run_beside(before, [high, low], |t, [previous_high, previous_low]| {
            let (up, down) = (high[t] - previous_high, previous_low - low[t]);
            plus[t] = movement(up, down);
            minus[t] = movement(down, up);
        });
        self.mean_plus.run(isa, plus, plus_di);
        self.mean_minus.run(isa, minus, minus_di);
        self.range.write(high, low, close, other);
        let mean_range = plus;
        self.mean_range.run(isa, other, mean_range);
        let results = isa.two_quotients(100.0, [plus_di, minus_di], mean_range);
        isa.contrasts(100.0, plus_di, minus_di, other);
        results & self.adx.run(isa, other, adx)
    }

    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        visit(&mut self.previous_high);
        visit(&mut self.previous_low);
        visit(self.range.part());
        visit(&mut self.mean_plus);
        visit(&mut self.mean_minus);
        visit(&mut self.mean_range);
        visit(&mut self.adx);
    }
}
