//! The object-safe twin of a kernel, once for all kernels.

use crate::error::Error;
use crate::kernel::{BLOCK, Kernel, Machine, SHORT_BLOCK};
use crate::primitives::order::{self, Order, ROWS, TILE, Tile};
use crate::primitives::{ABOVE_INFINITY, all_below, canonical};
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
    fn take(&mut self, inputs: &[&[f64]], outputs: &mut [&mut [f64]]) -> Result<(), Error> {
        let bars = check_shape(K::SPEC, inputs, outputs)?;
        if bars <= SHORT_BLOCK {
            self.run_block::<SHORT_BLOCK>(inputs, outputs, 0..bars);
        } else {
            // Averages can take a tile at once where it begins with a block of theirs, and not with
            // the bar that starts them.
            let begun = usize::try_from(self.bars % ROWS as u64).unwrap_or(0);
            let head = if begun == 0 && self.bars > 0 {
                0
            } else {
                ROWS - begun
            };
            // Zeroing them costs too much for a short run.
            let mut tiles;
            let mut tiles = if K::STRIPES && bars >= TILE {
                tiles = Tiles::zero();
                Some(&mut tiles)
            } else {
                None
            };
            let mut start = 0;
            while start < bars {
                let len = if start < head { head } else { TILE };
                let block = start..bars.min(start + len);
                start = block.end;
                match &mut tiles {
                    Some(tiles) if block.len() == TILE => {
                        self.run_tile(inputs, outputs, block, tiles);
                    }
                    _ => self.run_block::<BLOCK>(inputs, outputs, block),
                }
            }
        }
        // A forged state can have any count.
        self.bars = self.bars.saturating_add(bars as u64).min(MOST_BARS);
        Ok(())
    }

    /// Takes a block that fits the scratch columns.
    #[inline(always)]
    fn run_block<const N: usize>(
        &mut self,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
        block: Range<usize>,
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
        self.kernel
            .run::<N>(Order::Bars, &columns[..inputs.len()], results);
        for column in results {
            canonicalise(column);
        }
    }

    /// Takes a tile, in stripes.
    #[inline(always)]
    fn run_tile(
        &mut self,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
        tile: Range<usize>,
        tiles: &mut Tiles,
    ) {
        let Tiles { columns, results } = tiles;
        for (column, input) in columns.iter_mut().zip(inputs) {
            if let Some(input) = input[tile.clone()].first_chunk() {
                order::stripe(input, &mut column.0);
            }
        }
        let columns = columns.each_ref().map(|column| column.0.as_slice());
        let mut results = results.each_mut().map(|column| column.0.as_mut_slice());
        let results = &mut results[..K::SPEC.outputs.len()];
        self.kernel
            .run::<TILE>(Order::Stripes, &columns[..inputs.len()], results);
        for (column, output) in results.iter_mut().zip(outputs.iter_mut()) {
            canonicalise(column);
            if let (Some(column), Some(output)) =
                (column.first_chunk(), output[tile.clone()].first_chunk_mut())
            {
                order::unstripe(column, output);
            }
        }
    }
}

/// Scratch for tiles in stripes.
struct Tiles {
    columns: [Tile; MAX_INPUTS],
    results: [Tile; MAX_OUTPUTS],
}

impl Tiles {
    #[allow(clippy::large_stack_arrays, reason = "a run must not allocate")]
    #[inline(always)]
    const fn zero() -> Self {
        Self {
            columns: [const { Tile::zero() }; MAX_INPUTS],
            results: [const { Tile::zero() }; MAX_OUTPUTS],
        }
    }
}

#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
fn canonicalise(column: &mut [f64]) {
    // Looking is cheaper than writing, and there is rarely anything to write.
    if !all_below(ABOVE_INFINITY, column) {
        for value in column {
            *value = canonical(*value);
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
        self.take(inputs, outputs)
    }

    #[cfg(target_arch = "x86_64")]
    fn avx2(&self) -> crate::kernel::Run {
        avx2::run::<K>
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

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{Error, Instance, Kernel, Machine};
    use core::any::Any;

    /// The whole of a kernel once more, since what it calls is inlined, for wider registers. They
    /// change how many bars are taken abreast, never the operations on one: the compiler may not
    /// reorder floating-point arithmetic, nor fuse it.
    #[target_feature(enable = "avx2")]
    pub(super) fn run<K: Kernel>(
        machine: &mut dyn Machine,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
    ) -> Result<(), Error> {
        let machine: &mut dyn Any = machine;
        match machine.downcast_mut::<Instance<K>>() {
            Some(instance) => instance.take(inputs, outputs),
            None => Err(Error::Count {
                what: "machines of this kind",
                given: 0,
                expected: 1,
            }),
        }
    }
}

fn check_shape(spec: &Spec, inputs: &[&[f64]], outputs: &[&mut [f64]]) -> Result<usize, Error> {
    if inputs.len() != spec.inputs.len() {
        return Err(Error::Count {
            what: "input columns",
            given: inputs.len(),
            expected: spec.inputs.len(),
        });
    }
    if outputs.len() != spec.outputs.len() {
        return Err(Error::Count {
            what: "output columns",
            given: outputs.len(),
            expected: spec.outputs.len(),
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
