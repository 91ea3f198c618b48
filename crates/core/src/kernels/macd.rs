use super::ema;
use crate::error::Error;
use crate::kernel::{Isa, Kernel, Results, Scratch};
use crate::primitives::recurrence::{Ewm, Gap};
use crate::spec::{Accuracy, Bars, Domain, Output, Param, Params, Spec};
use crate::state::State;

/// State of the moving average convergence/divergence.
#[derive(Clone)]
pub struct Macd {
    fast: Ewm,
    slow: Ewm,
    signal: Ewm,
}

impl Kernel for Macd {
    const SPEC: &'static Spec = &Spec {
        name: "macd",
        title: "Moving average convergence/divergence",
        group: "momentum",
        summary: "Difference of a fast and a slow exponential moving average, with its own average as signal.",
        formula: "macd = ema(x, fast) - ema(x, slow)\nsignal = ema(macd, signal)\nhistogram = macd - signal",
        source: "G. Appel, The Moving Average Convergence-Divergence Trading Method, Signalert, 1979",
        reference: "pandas: m = x.ewm(span=fast, adjust=False).mean() - x.ewm(span=slow, adjust=False).mean(); m.ewm(span=signal, adjust=False).mean()",
        gaps: "Missing bars before the first price give NaN. At a later one both averages are repeated, so that the difference is too, and the signal goes on towards it.",
        inputs: &["x"],
        params: &[
            Param {
                name: "fast",
                summary: "Span of the fast average, in bars.",
                domain: Domain::period(1, 12),
            },
            Param {
                name: "slow",
                summary: "Span of the slow average, in bars.",
                domain: Domain::period(1, 26),
            },
            Param {
                name: "signal",
                summary: "Span of the signal's average, in bars.",
                domain: Domain::period(1, 9),
            },
        ],
        rules: &[],
        outputs: &[
            Output {
                name: "macd",
                summary: "Fast minus slow average, in the unit of the input.",
                first_valid: Bars { of: |_| 0, text: "0" },
                accuracy: Accuracy { ulps: 32.0, of: "m(x, fast) + m(x, slow)" },
            },
            Output {
                name: "signal",
                summary: "Average of the difference, in the unit of the input.",
                first_valid: Bars { of: |_| 0, text: "0" },
                accuracy: Accuracy { ulps: 32.0, of: "ema(m(x, fast) + m(x, slow), signal) + m(macd, signal)" },
            },
            Output {
                name: "histogram",
                summary: "Difference minus signal, in the unit of the input.",
                first_valid: Bars { of: |_| 0, text: "0" },
                accuracy: Accuracy { ulps: 16.0, of: "m(x, fast) + m(x, slow) + ema(m(x, fast) + m(x, slow), signal) + m(macd, signal)" },
            },
        ],
        window: None,
        transcendental: false,
        revision: 2,
    };

    const IN_BURSTS: bool = true;

    fn new(params: &Params<'_>) -> Result<Self, Error> {
        let mean = |index| Ewm::new(ema::alpha(params.integer(index)), Gap::Decay);
        Ok(Self { fast: mean(0), slow: mean(1), signal: mean(2) })
    }

    #[inline(always)]
    fn run(&mut self, isa: Isa, inputs: &[&[f64]], outputs: &mut [&mut [f64]], _: Scratch<'_>) -> Results {
        let ([x], [macd, signal, histogram]) = (inputs, outputs) else { return Results::Any };
        let averages = self.fast.run(isa, x, macd) & self.slow.run(isa, x, signal);
        for (macd, &slow) in macd.iter_mut().zip(&**signal) {
            *macd -= slow;
        }
        let results = averages & self.signal.run(isa, macd, signal);
        for (histogram, (&macd, &signal)) in histogram.iter_mut().zip(macd.iter().zip(&**signal)) {
            *histogram = macd - signal;
        }
        results
    }

    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        visit(&mut self.fast);
        visit(&mut self.slow);
        visit(&mut self.signal);
    }
}
