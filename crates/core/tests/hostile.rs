//! Hostile cases through every kernel, then through kernels that do not survive them.
//!
//! `INDICATOR_CACHE_CASES` sets how many per kernel. `make fuzz` runs a million and more, and the
//! same cases with AVX2 and as WebAssembly.

mod common;
#[path = "common/hostile.rs"]
mod hostile;

use hostile::{PORTABLE, sweep};
use indicator_core::kernel::{Isa, Kernel, Results, Scratch};
use indicator_core::registry::{self, Entry};
use indicator_core::spec::{Accuracy, Bars, Output, Params, Spec};
use indicator_core::state::{Reader, State, Writer};
use indicator_core::{Error, kernel};
use std::panic::catch_unwind;

const CASES: u64 = 20_000;

#[test]
fn every_kernel_survives() {
    let cases = std::env::var("INDICATOR_CACHE_CASES")
        .map_or(CASES, |text| text.parse().expect("a number of cases"));
    for entry in registry::entries() {
        sweep(entry, PORTABLE, 0, cases);
    }
}

#[test]
fn the_digest_depends_on_the_cases_and_nothing_else() {
    let entry = &registry::entries()[0];
    let both = sweep(entry, PORTABLE, 0, 200);
    let (first, second) = (
        sweep(entry, PORTABLE, 0, 100),
        sweep(entry, PORTABLE, 100, 100),
    );
    assert_eq!(both, first.wrapping_add(second));
    assert_ne!(first, second);
}

/// What a kernel that is not one of ours remembers.
#[derive(Clone, Default)]
struct Memory(u64);

impl State for Memory {
    fn reset(&mut self) {
        self.0 = 0;
    }
    fn save(&self, to: &mut Writer) {
        to.integer(self.0);
    }
    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Error> {
        self.0 = from.integer()?;
        Ok(())
    }
}

const fn spec(name: &'static str) -> Spec {
    const ANY: Bars = Bars {
        of: |_| 0,
        text: "0",
    };
    Spec {
        name,
        title: "",
        group: "",
        summary: "",
        formula: "",
        source: "",
        reference: "",
        gaps: "",
        inputs: &["x"],
        params: &[],
        rules: &[],
        outputs: &[Output {
            name: "y",
            summary: "",
            first_valid: ANY,
            accuracy: Accuracy { ulps: 0.0, of: "y" },
        }],
        window: None,
        transcendental: false,
        revision: 1,
    }
}

/// Declares a kernel with a [`Memory`] from its name and what a run does.
macro_rules! culprit {
    ($kernel:ident, $run:expr) => {
        #[derive(Clone, Default)]
        struct $kernel(Memory);

        impl Kernel for $kernel {
            const SPEC: &'static Spec = &spec(stringify!($kernel));

            fn new(_: &Params<'_>) -> Result<Self, Error> {
                Ok(Self::default())
            }

            fn run(
                &mut self,
                _: Isa,
                inputs: &[&[f64]],
                outputs: &mut [&mut [f64]],
                _: Scratch<'_>,
            ) -> Results {
                let run: fn(&mut u64, &[f64], &mut [f64]) = $run;
                run(&mut self.0.0, inputs[0], outputs[0]);
                Results::Any
            }

            fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
                visit(&mut self.0);
            }
        }
    };
}

culprit!(DoesNothingWrong, |bars, x, y| {
    *bars = bars.wrapping_add(x.len() as u64);
    y.copy_from_slice(x);
});
culprit!(PanicsOnInfinity, |_, x, y| {
    assert!(x.iter().all(|x| !x.is_infinite()), "infinity");
    y.copy_from_slice(x);
});
culprit!(PanicsOnOneNumber, |_, x, y| {
    assert!(
        x.iter().all(|&x| x != f64::MIN_POSITIVE),
        "the smallest normal number"
    );
    y.copy_from_slice(x);
});
culprit!(PanicsOnLongRuns, |_, x, y| {
    y.copy_from_slice(x);
    assert!(x.len() < kernel::BLOCK, "longer than the block before");
});
culprit!(TrustsItsSavedCursor, |cursor, x, y| {
    let mut ring = [0.0; 8];
    for (x, y) in x.iter().zip(y) {
        let at = usize::try_from(*cursor).expect("small");
        ring[at] = *x;
        *y = ring[at];
        *cursor = (*cursor + 1) % 8;
    }
});
culprit!(LeavesTheLastBar, |_, x, y| {
    let kept = x.len().saturating_sub(1);
    y[..kept].copy_from_slice(&x[..kept]);
});
culprit!(CountsCalls, |calls, x, y| {
    *calls = calls.wrapping_add(1);
    y.copy_from_slice(x);
});

fn survives<K: Kernel>() -> bool {
    catch_unwind(|| sweep(&Entry::of::<K>(), PORTABLE, 0, 5_000)).is_ok()
}

#[test]
fn culprits_are_caught() {
    assert!(survives::<DoesNothingWrong>());
    assert!(!survives::<PanicsOnInfinity>());
    assert!(!survives::<PanicsOnOneNumber>());
    assert!(!survives::<PanicsOnLongRuns>());
    assert!(!survives::<TrustsItsSavedCursor>());
    assert!(!survives::<LeavesTheLastBar>());
    assert!(!survives::<CountsCalls>());
}
