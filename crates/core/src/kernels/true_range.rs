use crate::error::Error;
use crate::kernel::{Isa, Kernel, Results, Scratch};
use crate::primitives::delay::Previous;
use crate::primitives::larger_present;
use crate::spec::{Accuracy, Bars, Output, Params, Spec};
use crate::state::State;

/// State of the true range. Other kernels have it as a part.
#[derive(Clone)]
pub struct TrueRange {
    previous_close: Previous,
}

impl TrueRange {
    pub(super) fn start() -> Self {
        Self { previous_close: Previous::default() }
    }

    /// Takes the next bars; writes the true range of each.
    #[inline(always)]
    pub(super) fn write(&mut self, high: &[f64], low: &[f64], close: &[f64], out: &mut [f64]) -> Results {
        let bars = close.len();
        let (high, low, out) = (&high[..bars], &low[..bars], &mut out[..bars]);
        // Where all prices are above zero and the high is none below the low, one of the three differences is that of the
        // highest and the lowest of the three prices. Rounding keeps the order of differences, so it is the largest.
        let (start, mut usual) = (self.previous_close.clone(), true);
        self.previous_close.run(close, |t, previous| {
            let top = if previous > high[t] { previous } else { high[t] };
            let bottom = if low[t] < previous { low[t] } else { previous };
            usual &= high[t] >= low[t] && bottom > 0.0 && top < f64::INFINITY;
            out[t] = top - bottom;
        });
        if usual {
            return Results::Numbers;
        }
        self.previous_close = start;
        self.previous_close.run(close, |t, previous| {
            let up = larger_present(high[t] - low[t], (high[t] - previous).abs());
            out[t] = larger_present(up, (low[t] - previous).abs());
        });
        Results::Any
    }

    pub(super) fn part(&mut self) -> &mut dyn State {
        &mut self.previous_close
    }
}

impl Kernel for TrueRange {
    const SPEC: &'static Spec = &Spec {
        name: "true_range",
        title: "True range",
        group: "volatility",
        summary: "Range of a bar, extended to the close before it.",
        formula: "true_range[t] = max(high[t] - low[t], abs(high[t] - close[t-1]), abs(low[t] - close[t-1]))",
        source: "J. W. Wilder, New Concepts in Technical Trading Systems, Trend Research, 1978, section III",
        reference: "pandas: concat([h - l, (h - c.shift()).abs(), (l - c.shift()).abs()], axis=1).max(axis=1)",
        gaps: "Whichever of the three differences exist take part: the first bar, and the bar after a missing one, give high - low. NaN when none exists.",
        inputs: &["high", "low", "close"],
        params: &[],
        rules: &[],
        outputs: &[Output {
            name: "true_range",
            summary: "The range, in the unit of the prices.",
            first_valid: Bars { of: |_| 0, text: "0" },
            accuracy: Accuracy { ulps: 1.0, of: "true_range" },
        }],
        window: Some(Bars { of: |_| 2, text: "2" }),
        transcendental: false,
        revision: 1,
    };

    fn new(_: &Params<'_>) -> Result<Self, Error> {
        Ok(Self::start())
    }

    #[inline(always)]
    fn run(&mut self, _: Isa, inputs: &[&[f64]], outputs: &mut [&mut [f64]], _: Scratch<'_>) -> Results {
        let ([high, low, close], [true_range]) = (inputs, outputs) else { return Results::Any };
        self.write(high, low, close, true_range)
    }

    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        visit(self.part());
    }
}
