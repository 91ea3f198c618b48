//! The object-safe twin of a kernel, once for all kernels.

use crate::error::Error;
#[cfg(target_arch = "x86_64")]
use crate::kernel::Extension;
use crate::kernel::{BLOCK, Isa, Kernel, Machine, Results, SCRATCH, SHORT_BLOCK};
use crate::primitives::canonical;
use crate::primitives::recurrence::BARS;
use crate::spec::{MAX_INPUTS, MAX_OUTPUTS, Spec};
use crate::state::{self, Header, MOST_BARS, Reader, Writer};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

/// A kernel with what is the same for every kernel.
#[derive(Clone)]
struct Instance<K> {
    kernel: K,
    params: Vec<f64>,
    bars: u64,
}

/// Builds the machine of a kernel after checking its parameters.
pub(crate) fn create<K: Kernel>(params: &[f64]) -> Result<Box<dyn Machine>, Error> {
    Ok(Box::new(Instance::<K>::new(params)?))
}

/// A saved state up to its parts. Apart, since every kernel would have a copy.
#[inline(never)]
fn begun(spec: &Spec, params: &[f64], bars: u64) -> Writer {
    let header = Header {
        name: spec.name.as_bytes(),
        revision: spec.revision,
        params: params.to_vec(),
        bars,
    };
    header.write()
}

/// Rebuilds a machine from what follows the header of a saved state.
pub(crate) fn restore<K: Kernel>(
    header: &Header<'_>,
    from: &mut Reader<'_>,
) -> Result<Box<dyn Machine>, Error> {
    let mut instance = Instance::<K>::new(&header.params)?;
    let mut result = Ok(());
    instance.kernel.parts(&mut |part| {
        if result.is_ok() {
            result = part.load(from);
        }
    });
    result?;
    state::expect_end(from)?;
    instance.bars = header.bars;
    Ok(Box::new(instance))
}

impl<K: Kernel> Instance<K> {
    fn new(params: &[f64]) -> Result<Self, Error> {
        let kernel = K::new(&K::SPEC.check(params)?)?;
        Ok(Self {
            kernel,
            params: params.to_vec(),
            bars: 0,
        })
    }

    /// Takes a run of any length.
    #[inline(always)]
    fn take(
        &mut self,
        isa: Isa,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
    ) -> Result<(), Error> {
        let bars = check_shape(K::SPEC, 1, inputs, outputs)?;
        if bars <= SHORT_BLOCK {
            let mut scratch = [[0.0; SHORT_BLOCK]; SCRATCH];
            self.run_block(isa, inputs, outputs, 0..bars, &mut scratch);
        } else {
            let mut scratch = [[0.0; BLOCK]; SCRATCH];
            // Averages take many bars abreast where a block of theirs begins, except for the bar that
            // starts them.
            let begun = usize::try_from(self.bars % BARS as u64).unwrap_or(0);
            let mut end = if begun == 0 && self.bars > 0 {
                BLOCK
            } else {
                BARS - begun
            };
            let mut start = 0;
            while start < bars {
                let block = start..bars.min(end);
                start = block.end;
                end = start + BLOCK;
                self.run_block(isa, inputs, outputs, block, &mut scratch);
            }
        }
        // A forged state can have any count.
        self.bars = self.bars.saturating_add(bars as u64).min(MOST_BARS);
        Ok(())
    }

    /// Takes a block of `N` bars at most.
    #[inline(always)]
    fn run_block<const N: usize>(
        &mut self,
        isa: Isa,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
        block: Range<usize>,
        scratch: &mut [[f64; N]; SCRATCH],
    ) {
        let mut columns: [&[f64]; MAX_INPUTS] = [&[]; MAX_INPUTS];
        for (column, input) in columns.iter_mut().zip(inputs) {
            *column = &input[block.clone()];
        }
        let mut results: [&mut [f64]; MAX_OUTPUTS] =
            [(); MAX_OUTPUTS].map(|()| -> &mut [f64] { &mut [] });
        for (result, output) in results.iter_mut().zip(outputs.iter_mut()) {
            *result = &mut output[block.clone()];
        }
        let results = &mut results[..K::SPEC.outputs.len()];
        let scratch = scratch.each_mut().map(|column| &mut column[..block.len()]);
        let known = self
            .kernel
            .run(isa, &columns[..inputs.len()], results, scratch);
        if known == Results::Any {
            canonicalise(isa, results);
        }
    }
}

#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
pub(crate) fn canonicalise(isa: Isa, columns: &mut [&mut [f64]]) {
    for column in columns {
        // Looking is cheaper than writing, and there is rarely anything to write.
        if isa.has_nan(column) {
            for value in &mut **column {
                *value = canonical(*value);
            }
        }
    }
}

impl<K: Kernel> Machine for Instance<K> {
    fn spec(&self) -> &'static Spec {
        K::SPEC
    }

    fn params(&self) -> &[f64] {
        &self.params
    }

    fn bars(&self) -> u64 {
        self.bars
    }

    fn run(&mut self, inputs: &[&[f64]], outputs: &mut [&mut [f64]]) -> Result<(), Error> {
        self.take(Isa::PORTABLE, inputs, outputs)
    }

    #[cfg(target_arch = "x86_64")]
    fn run_with(&self, extension: Extension) -> crate::kernel::Run {
        match extension {
            Extension::Avx2 => extended::avx2::<K>,
            Extension::Avx512 => extended::avx512::<K>,
        }
    }

    fn reset(&mut self) {
        self.kernel.parts(&mut |part| part.reset());
        self.bars = 0;
    }

    fn save(&self) -> Vec<u8> {
        let mut to = begun(K::SPEC, &self.params, self.bars);
        // `parts` lends the parts mutably, for loading; saving must leave this state alone.
        self.kernel.clone().parts(&mut |part| part.save(&mut to));
        state::finish(to)
    }

    fn boxed_clone(&self) -> Box<dyn Machine> {
        Box::new(self.clone())
    }
}

/// The whole of a kernel once more for each extension, since what it calls is inlined, for wider registers.
/// They change how many bars are taken abreast, never the operations on one: the compiler may not
/// reorder floating-point arithmetic, nor fuse it.
#[cfg(target_arch = "x86_64")]
mod extended {
    use super::{Error, Instance, Isa, Kernel, Machine};
    use core::any::Any;

    #[target_feature(enable = "avx2")]
    pub(super) fn avx2<K: Kernel>(
        machine: &mut dyn Machine,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
    ) -> Result<(), Error> {
        of::<K>(machine)?.take(Isa::avx2(), inputs, outputs)
    }

    #[target_feature(enable = "avx512f,avx512dq")]
    pub(super) fn avx512<K: Kernel>(
        machine: &mut dyn Machine,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
    ) -> Result<(), Error> {
        of::<K>(machine)?.take(Isa::avx512(), inputs, outputs)
    }

    fn of<K: Kernel>(machine: &mut dyn Machine) -> Result<&mut Instance<K>, Error> {
        let machine: &mut dyn Any = machine;
        machine.downcast_mut().ok_or(Error::Count {
            what: "machines of this kind",
            given: 0,
            expected: 1,
        })
    }
}

/// The length of all columns, if they are as many as some machines take and write.
pub(crate) fn check_shape(
    spec: &Spec,
    machines: usize,
    inputs: &[&[f64]],
    outputs: &[&mut [f64]],
) -> Result<usize, Error> {
    if inputs.len() != spec.inputs.len() {
        return Err(Error::Count {
            what: "input columns",
            given: inputs.len(),
            expected: spec.inputs.len(),
        });
    }
    let results = machines.saturating_mul(spec.outputs.len());
    if outputs.len() != results {
        return Err(Error::Count {
            what: "output columns",
            given: outputs.len(),
            expected: results,
        });
    }
    let expected = inputs.first().map_or(0, |column| column.len());
    let lengths = inputs
        .iter()
        .map(|column| column.len())
        .chain(outputs.iter().map(|column| column.len()));
    for given in lengths {
        if given != expected {
            return Err(Error::Length { given, expected });
        }
    }
    Ok(expected)
}
