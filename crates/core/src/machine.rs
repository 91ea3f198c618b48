//! The object-safe twin of a kernel, once for all kernels.

use crate::error::Error;
#[cfg(target_arch = "x86_64")]
use crate::kernel::Extension;
use crate::kernel::{BLOCK, Isa, Kernel, MAX_SCRATCH, Machine, Results, Scratch};
use crate::primitives::canonical;
use crate::primitives::delay::LINE;
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
    #[allow(clippy::large_stack_arrays, reason = "a run must not allocate")]
    fn take(
        &mut self,
        isa: Isa,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
    ) -> Result<(), Error> {
        let bars = check_shape(K::SPEC, 1, inputs, outputs)?;
        // Of several lengths, since they are cleared: a live bar should not pay for a long run.
        let (mut live, mut short, mut long);
        let mut scratch = if K::SCRATCH == 0 {
            Scratch::default()
        } else if bars <= LIVE {
            live = Memory::new();
            columns::<K, LIVE>(&mut live)
        } else if bars <= SHORT {
            short = Memory::new();
            columns::<K, SHORT>(&mut short)
        } else {
            long = Memory::new();
            columns::<K, BLOCK>(&mut long)
        };
        // Averages take many bars abreast where a block of theirs begins, except for the bar that
        // starts them.
        let begun = usize::try_from(self.bars % BARS as u64).unwrap_or(0);
        let mut end = if begun == 0 && self.bars > 0 {
            at_once::<K>()
        } else {
            BARS - begun
        };
        let columns = inputs.len() + outputs.len();
        let fetching = isa.fetching && K::IN_BURSTS && bars.saturating_mul(columns) > FETCHED_FROM;
        let mut start = 0;
        let mut fetched = 0;
        while start < bars {
            if fetching && start >= fetched {
                fetched = bars.min(start + STRETCH);
                fetch(inputs, outputs, start..fetched);
            }
            let block = start..bars.min(end);
            start = block.end;
            end = start + at_once::<K>();
            self.run_block(isa, inputs, outputs, block, &mut scratch);
        }
        // A forged state can have any count.
        self.bars = self.bars.saturating_add(bars as u64).min(MOST_BARS);
        Ok(())
    }

    /// Takes a block.
    #[inline(always)]
    fn run_block(
        &mut self,
        isa: Isa,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
        block: Range<usize>,
        scratch: &mut Scratch<'_>,
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
        let scratch = of_length::<K>(scratch, block.len());
        let known = self
            .kernel
            .run(isa, &columns[..inputs.len()], results, scratch);
        if known == Results::Any {
            canonicalise(isa, results);
        }
    }
}

/// Numbers in the columns of a run from which on they are fetched: 16 MiB, more than most processors have in caches for one program.
const FETCHED_FROM: usize = 1 << 21;

/// Bars that are fetched at once: six columns of them are in a second-level cache of half a mebibyte.
const STRETCH: usize = 8 * BLOCK;

/// Goes through a stretch of all columns, once and without a pause, so that it is close by when its blocks are taken. Results are
/// written, not read, since memory that nobody has written to would be given out twice.
#[inline(never)]
fn fetch(inputs: &[&[f64]], outputs: &mut [&mut [f64]], stretch: Range<usize>) {
    let mut bits = 0;
    for input in inputs {
        for number in input[stretch.clone()].iter().step_by(LINE) {
            bits |= number.to_bits();
        }
    }
    // Nobody needs them, which the compiler must not know.
    core::hint::black_box(bits);
    for output in outputs {
        for number in output[stretch.clone()].iter_mut().step_by(LINE) {
            *number = 0.0;
        }
    }
}

/// Bars of a short run, and of one of live bars.
const SHORT: usize = 128;
const LIVE: usize = 16;

/// Bars that a kernel is handed at once at most.
pub(crate) const fn at_once<K: Kernel>() -> usize {
    if K::SPEC.inputs.len() + K::SPEC.outputs.len() + K::SCRATCH > 2 {
        BLOCK
    } else {
        2 * BLOCK
    }
}

/// Memory for columns of scratch. Each begins at a line of the processor's cache: a register that is as wide as a line would
/// be in two otherwise.
#[repr(align(64))]
pub(crate) struct Memory<const N: usize>([[f64; N]; MAX_SCRATCH]);

impl<const N: usize> Memory<N> {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self([[0.0; N]; MAX_SCRATCH])
    }
}

/// Columns of scratch, as many as a kernel uses.
#[inline(always)]
pub(crate) fn columns<K: Kernel, const N: usize>(memory: &mut Memory<N>) -> Scratch<'_> {
    const { assert!(K::SCRATCH <= MAX_SCRATCH, "no kernel has more") };
    let mut scratch = Scratch::default();
    for (column, memory) in scratch.iter_mut().zip(&mut memory.0).take(K::SCRATCH) {
        *column = memory;
    }
    scratch
}

/// The same, cut to the length of a block.
#[inline(always)]
pub(crate) fn of_length<'a, K: Kernel>(scratch: &'a mut Scratch<'_>, bars: usize) -> Scratch<'a> {
    let mut shorter = Scratch::default();
    for (shorter, column) in shorter.iter_mut().zip(scratch).take(K::SCRATCH) {
        *shorter = &mut column[..bars];
    }
    shorter
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{dmi::Dmi, macd::Macd};
    use std::vec;

    /// The results for some runs that follow each other.
    fn results<K: Kernel>(isa: Isa, inputs: &[Vec<f64>], at_once: usize) -> Vec<Vec<u64>> {
        let params: Vec<f64> = K::SPEC.params.iter().map(|p| p.domain.default()).collect();
        let mut instance = Instance::<K>::new(&params).unwrap();
        let mut results = vec![vec![0.0; inputs[0].len()]; K::SPEC.outputs.len()];
        for start in (0..inputs[0].len()).step_by(at_once) {
            let run = start..inputs[0].len().min(start + at_once);
            let inputs: Vec<&[f64]> = inputs.iter().map(|x| &x[run.clone()]).collect();
            let mut outputs: Vec<&mut [f64]> =
                results.iter_mut().map(|y| &mut y[run.clone()]).collect();
            instance.take(isa, &inputs, &mut outputs).unwrap();
        }
        let bits = |column: Vec<f64>| column.into_iter().map(f64::to_bits).collect();
        results.into_iter().map(bits).collect()
    }

    fn fetching_changes_nothing<K: Kernel>() {
        const { assert!(K::IN_BURSTS, "nothing is fetched") };
        let columns = K::SPEC.inputs.len() + K::SPEC.outputs.len();
        let bars = FETCHED_FROM / columns + STRETCH / 2;
        let price = |t: usize| 100.0 + (t * 7919 % 1013) as f64 / 8.0;
        // High, low and close, or any column.
        let column = |of: usize| (0..bars).map(move |t| price(t) + [2.0, 0.0, 1.0][of]);
        let inputs: Vec<Vec<f64>> = (0..K::SPEC.inputs.len())
            .map(|of| column(of).collect())
            .collect();
        let short = results::<K>(Isa::PORTABLE, &inputs, 9_001);
        assert!(results::<K>(Isa::PORTABLE.with_fetching(), &inputs, bars) == short);
    }

    #[test]
    fn fetching_changes_no_result() {
        fetching_changes_nothing::<Dmi>();
        fetching_changes_nothing::<Macd>();
    }
}
