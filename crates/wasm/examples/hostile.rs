//! Hostile cases on every instruction set, by number: `cargo run --release --example hostile -- 1000000`
//!
//! Prints a line for each kernel and instruction set: cases, digest, seconds. Compiled to WebAssembly, it
//! exports the function [`hostile`] instead, and `tools/hostile.py` compares the digests. This is
//! here because extensions and exports need `unsafe`, which the core and its tests do without.

#[path = "../../core/tests/common/mod.rs"]
mod common;
#[path = "../../core/tests/common/hostile.rs"]
mod harness;

use harness::{PORTABLE, Run};
#[cfg(target_arch = "x86_64")]
use indicator_core::kernel::Extension;
use indicator_core::registry;
use std::time::Instant;

/// Runs cases `first ..` of the kernel at an index; returns the sum of their digests. Any failure traps.
#[unsafe(no_mangle)]
pub extern "C" fn hostile(kernel: usize, first: u64, cases: u64) -> u64 {
    harness::sweep(&registry::entries()[kernel], PORTABLE, first, cases)
}

/// The instruction sets of this machine, with what runs a kernel on each.
fn instruction_sets() -> Vec<(&'static str, Run)> {
    #[allow(unused_mut, reason = "some machines have no choice")]
    let mut all = vec![("portable", PORTABLE)];
    #[cfg(target_arch = "x86_64")]
    {
        if Extension::Avx2.is_present() {
            all.push(("avx2", |machine, inputs, outputs| {
                let run = machine.run_with(Extension::Avx2);
                // SAFETY: the processor has AVX2, and the function came from this machine.
                unsafe { run(machine, inputs, outputs) }
            }));
        }
        if Extension::Avx512.is_present() {
            all.push(("avx512", |machine, inputs, outputs| {
                let run = machine.run_with(Extension::Avx512);
                // SAFETY: the processor has AVX-512, and the function came from this machine.
                unsafe { run(machine, inputs, outputs) }
            }));
        }
    }
    all
}

fn main() {
    let number = |place, default| {
        std::env::args()
            .nth(place)
            .map_or(default, |text| text.parse().expect("a number"))
    };
    let (cases, first) = (number(1, 10_000), number(2, 0));
    for (kernel, entry) in registry::entries().iter().enumerate() {
        for (set, run) in instruction_sets() {
            let start = Instant::now();
            let digest = harness::sweep(entry, run, first, cases);
            let seconds = start.elapsed().as_secs_f64();
            println!(
                "{kernel} {} {set} {cases} {digest:016x} {seconds:.1}",
                entry.spec.name
            );
        }
    }
}
