//! Several sets of parameters over the same bars.
//!
//! Block by block, all sets take a block before the next one, so that the inputs are still in the
//! first-level cache for all but the first of them; and what a kernel can do for several sets at once, it
//! does ([`Kernel::run_many`]). Not in WebAssembly, where nobody calls it and every kernel once more would not be small.

use crate::error::Error;
#[cfg(target_arch = "x86_64")]
use crate::kernel::Extension;
use crate::kernel::{BLOCK, Isa, Kernel, Results};
use crate::machine::{Memory, at_once, canonicalise, check_shape, columns, of_length};
use crate::primitives::recurrence::BARS;
use crate::spec::MAX_INPUTS;
use alloc::vec::Vec;

/// [`crate::registry::Entry::run_many`]
pub(crate) type Run =
    fn(params: &[&[f64]], inputs: &[&[f64]], outputs: &mut [&mut [f64]]) -> Result<(), Error>;

#[inline(always)]
#[allow(clippy::large_stack_arrays, reason = "as a run of one kernel does")]
fn compute<K: Kernel>(
    isa: Isa,
    params: &[&[f64]],
    inputs: &[&[f64]],
    outputs: &mut [&mut [f64]],
) -> Result<(), Error> {
    let bars = check_shape(K::SPEC, params.len(), inputs, outputs)?;
    let mut kernels = Vec::new();
    kernels
        .try_reserve_exact(params.len())
        .map_err(|_| Error::Memory)?;
    for params in params {
        kernels.push(K::new(&K::SPEC.check(params)?)?);
    }
    let mut memory = Memory::new();
    let mut scratch = columns::<K, BLOCK>(&mut memory);
    let mut start = 0;
    while start < bars {
        // As for a single one: the first block is shorter.
        let end = bars.min(if start == 0 {
            BARS
        } else {
            start + at_once::<K>()
        });
        let mut block: [&[f64]; MAX_INPUTS] = [&[]; MAX_INPUTS];
        for (column, input) in block.iter_mut().zip(inputs) {
            *column = &input[start..end];
        }
        let mut results: Vec<&mut [f64]> = outputs
            .iter_mut()
            .map(|output| &mut output[start..end])
            .collect();
        let scratch = of_length::<K>(&mut scratch, end - start);
        let known = K::run_many(
            &mut kernels,
            isa,
            &block[..inputs.len()],
            &mut results,
            scratch,
        );
        if known == Results::Any {
            canonicalise(isa, &mut results);
        }
        start = end;
    }
    Ok(())
}

/// Computes whole columns with the instructions that every machine of a kind has.
pub(crate) fn run<K: Kernel>(
    params: &[&[f64]],
    inputs: &[&[f64]],
    outputs: &mut [&mut [f64]],
) -> Result<(), Error> {
    compute::<K>(Isa::PORTABLE, params, inputs, outputs)
}

/// The same with an extension.
#[cfg(target_arch = "x86_64")]
pub(crate) fn run_with<K: Kernel>(extension: Extension) -> crate::kernel::RunMany {
    match extension {
        Extension::Avx2 => avx2::<K>,
        Extension::Avx512 => avx512::<K>,
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<K: Kernel>(
    params: &[&[f64]],
    inputs: &[&[f64]],
    outputs: &mut [&mut [f64]],
) -> Result<(), Error> {
    compute::<K>(Isa::avx2(), params, inputs, outputs)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
fn avx512<K: Kernel>(
    params: &[&[f64]],
    inputs: &[&[f64]],
    outputs: &mut [&mut [f64]],
) -> Result<(), Error> {
    compute::<K>(Isa::avx512(), params, inputs, outputs)
}
