//! Runs of one kernel with default parameters, to count its instructions or to draw its flame graph:
//! `instructions KERNEL BARS PATH RUNS`, where PATH is `portable` or `avx2`.
//!
//! What is to be counted happens in [`counted`], which callgrind finds by its name. This is here because extensions
//! need `unsafe`, which the core does without.

#[cfg(target_arch = "x86_64")]
use indicator_core::kernel::Extension;
use indicator_core::{Error, Machine, registry};
use std::hint::black_box;

type Run = fn(&mut dyn Machine, &[&[f64]], &mut [&mut [f64]]) -> Result<(), Error>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [name, bars, path, runs] = &words[..] else {
        return Err("usage: instructions KERNEL BARS PATH RUNS".into());
    };
    let entry = registry::find(name).ok_or_else(|| format!("no kernel {name}"))?;
    let params = entry.spec.params.iter().map(|param| param.domain.default());
    let params: Vec<f64> = params.collect();
    let run = run_of(path)?;
    let bars: usize = bars.parse()?;
    let inputs: Vec<Vec<f64>> = entry.spec.inputs.iter().map(|x| column(x, bars)).collect();
    let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
    let mut results = vec![vec![0.0; bars]; entry.spec.outputs.len()];
    for _ in 0..runs.parse::<usize>()? {
        let mut machine = entry.create(&params)?;
        let mut outputs: Vec<&mut [f64]> = results.iter_mut().map(Vec::as_mut_slice).collect();
        counted(run, machine.as_mut(), &inputs, &mut outputs)?;
        black_box(&mut results);
    }
    Ok(())
}

/// What is counted, and nothing else.
#[inline(never)]
fn counted(
    run: Run,
    machine: &mut dyn Machine,
    inputs: &[&[f64]],
    outputs: &mut [&mut [f64]],
) -> Result<(), Error> {
    run(machine, inputs, outputs)
}

fn run_of(path: &str) -> Result<Run, String> {
    match path {
        "portable" => Ok(Machine::run),
        #[cfg(target_arch = "x86_64")]
        "avx2" if Extension::Avx2.is_present() => Ok(|machine, inputs, outputs| {
            let run = machine.run_with(Extension::Avx2);
            // SAFETY: the processor has AVX2, and the function came from this machine.
            unsafe { run(machine, inputs, outputs) }
        }),
        _ => Err(format!("no path {path} here")),
    }
}

/// A price that wanders, the same on every machine, with highs above and lows below it.
fn column(name: &str, bars: usize) -> Vec<f64> {
    let apart = match name {
        "high" => 0.75,
        "low" => -0.75,
        _ => 0.0,
    };
    let mut random = 1_u64;
    let mut price = 1000.0;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        price += (random >> 40) as f64 / f64::from(1_u32 << 24) - 0.5;
        price + apart
    };
    (0..bars).map(|_| next()).collect()
}
