use crate::error::Error;
use crate::kernel::{Isa, Kernel, Results, Scratch};
use crate::primitives::delay::Previous;
use crate::primitives::recurrence::{Ewm, Gap};
use crate::spec::{Accuracy, Bars, Domain, Output, Param, Params, Spec};
use crate::state::State;

/// State of the relative strength index.
#[derive(Clone)]
pub struct Rsi {
    previous: Previous,
    gain: Ewm,
    loss: Ewm,
}

/// The part of `change` above zero; NaN stays NaN.
#[inline(always)]
fn rise(change: f64) -> f64 {
    if change <= 0.0 { 0.0 } else { change }
}

/// The index where one average is infinite.
fn of_infinity(gain: f64, loss: f64) -> f64 {
    100.0 / (1.0 + loss / gain)
}

impl Kernel for Rsi {
    const SPEC: &'static Spec = &Spec {
        name: "rsi",
        title: "Relative strength index",
        group: "momentum",
        summary: "Share of the rises in all recent price changes, from 0 to 100.",
        formula: "d[t] = x[t] - x[t-1]\ngain = wilder(max(d, 0)), loss = wilder(max(-d, 0))\nwilder: y[t] = d[t] / period + (1 - 1 / period) * y[t-1], from the first change on\nrsi = 100 * gain / (gain + loss) = 100 - 100 / (1 + gain / loss)",
        source: "J. W. Wilder, New Concepts in Technical Trading Systems, Trend Research, 1978, section VI",
        reference: "pandas: 100 - 100 / (1 + gain.ewm(alpha=1/period, adjust=False).mean() / loss.ewm(alpha=1/period, adjust=False).mean())",
        gaps: "A change with a missing end is missing. There the last result is repeated, and the weight of the past goes on decaying. NaN while no price has changed.",
        inputs: &["x"],
        params: &[Param {
            name: "period",
            summary: "Reciprocal of the smoothing factor, in bars.",
            domain: Domain::period(1, 14),
        }],
        rules: &[],
        outputs: &[Output {
            name: "rsi",
            summary: "The index, from 0 to 100.",
            first_valid: Bars { of: |_| 1, text: "1" },
            accuracy: Accuracy { ulps: 32.0, of: "rsi * (m(gain) / gain + m(loss) / loss)" },
        }],
        window: None,
        transcendental: false,
        revision: 2,
    };

    const SCRATCH: usize = 2;

    fn new(params: &Params<'_>) -> Result<Self, Error> {
        let alpha = params.reciprocal(0);
        Ok(Self {
            previous: Previous::default(),
            gain: Ewm::new(alpha, Gap::Decay),
            loss: Ewm::new(alpha, Gap::Decay),
        })
    }

    #[inline(always)]
    fn run(&mut self, isa: Isa, inputs: &[&[f64]], outputs: &mut [&mut [f64]], scratch: Scratch<'_>) -> Results {
        let ([x], [rsi]) = (inputs, outputs) else { return Results::Any };
        let n = x.len();
        let [gain, loss, _] = scratch;
        let (gain, loss) = (&mut gain[..n], &mut loss[..n]);
        self.previous.run(x, |t, previous| {
            gain[t] = rise(x[t] - previous);
            loss[t] = rise(previous - x[t]);
        });
        let wholes = self.gain.run(isa, gain, rsi) & self.loss.run(isa, loss, gain);
        // `100 - 100 / (1 + gain / loss)` without its cancellation near zero.
        isa.shares(100.0, rsi, gain, wholes, of_infinity)
    }

    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        visit(&mut self.previous);
        visit(&mut self.gain);
        visit(&mut self.loss);
    }
}
