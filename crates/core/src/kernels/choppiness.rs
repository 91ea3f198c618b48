use super::true_range::TrueRange;
use crate::error::Error;
use crate::kernel::{Isa, Kernel, Results, Scratch};
use crate::primitives::{NAN, log10};
use crate::primitives::window::{WindowMax, WindowMean};
use crate::spec::{Accuracy, Bars, Domain, Output, Param, Params, Spec};
use crate::state::State;

/// State of the choppiness index.
#[derive(Clone)]
pub struct Choppiness {
    range: TrueRange,
    mean: WindowMean,
    highest: WindowMax,
    /// Of the negated lows.
    lowest: WindowMax,
    period: f64,
    /// Logarithm of the period, to base 10.
    digits: f64,
}

impl Kernel for Choppiness {
    const SPEC: &'static Spec = &Spec {
        name: "choppiness",
        title: "Choppiness index",
        group: "volatility",
        summary: "Length of the way that the price went, against the distance it covered, from 0 to 100.",
        formula: "way[t] = true_range[t-period+1] + ... + true_range[t]\ndistance[t] = max(high[t-period+1 .. t]) - min(low[t-period+1 .. t])\nchoppiness = 100 * log10(way / distance) / log10(period)",
        source: "E. W. Dreiss, Chaos theory in the markets, Commodity Traders Consumer Report, 1993",
        reference: "pandas: 100 * log10(true_range.rolling(period).sum() / (h.rolling(period).max() - l.rolling(period).min())) / log10(period)",
        gaps: "NaN while any of the last `period` bars lacks its high, its low or its true range, and where the distance is zero. The bar after a gap has the range high - low.",
        inputs: &["high", "low", "close"],
        params: &[Param {
            name: "period",
            summary: "Length of the window, in bars.",
            domain: Domain::period(2, 14),
        }],
        rules: &[],
        outputs: &[Output {
            name: "choppiness",
            summary: "The index: near 0 in a straight move, near 100 without direction.",
            first_valid: Bars { of: |params| params.integer(0) as u64 - 1, text: "period - 1" },
            accuracy: Accuracy { ulps: 8.0, of: "100 / log10(period) + abs(choppiness)" },
        }],
        window: Some(Bars { of: |params| params.integer(0) as u64 + 1, text: "period + 1" }),
        transcendental: true,
        revision: 1,
    };

    const SCRATCH: usize = 3;

    fn new(params: &Params<'_>) -> Result<Self, Error> {
        let period = params.integer(0);
        Ok(Self {
            range: TrueRange::start(),
            mean: WindowMean::new(period)?,
            highest: WindowMax::new(period)?,
            lowest: WindowMax::new(period)?,
            period: params.float(0),
            digits: libm::log10(params.float(0)),
        })
    }

    #[inline(always)]
    fn run(&mut self, isa: Isa, inputs: &[&[f64]], outputs: &mut [&mut [f64]], scratch: Scratch<'_>) -> Results {
        let ([high, low, close], [choppiness]) = (inputs, outputs) else { return Results::Any };
        let [range, highest, lowest] = scratch;
        self.range.write(high, low, close, range);
        self.mean.run(isa, range, choppiness);
        self.highest.run(isa, high, highest);
        for (range, low) in range.iter_mut().zip(*low) {
            *range = -low;
        }
        self.lowest.run(isa, range, lowest);
        let distances = highest.iter().zip(&*lowest).map(|(highest, lowest)| highest + lowest);
        for (choppiness, distance) in choppiness.iter_mut().zip(distances) {
            let way = *choppiness * self.period;
            *choppiness = if distance == 0.0 { NAN } else { way / distance };
        }
        log10(choppiness);
        for choppiness in &mut **choppiness {
            *choppiness = 100.0 * *choppiness / self.digits;
        }
        Results::Any
    }

    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
        visit(self.range.part());
        visit(&mut self.mean);
        visit(&mut self.highest);
        visit(&mut self.lowest);
    }
}
