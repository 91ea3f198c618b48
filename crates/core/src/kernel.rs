//! The contract between an indicator and everything else.
//!
//! An indicator is a state machine that takes the next bars of its input columns and writes as many
//! results. There is no second, "batch" implementation: a batch is the state machine run once over
//! everything, a live bar is a run of length one, the value of a forming bar is a run on a clone.
//! Whatever is true of one is therefore true of all, and the laws below can be tested once, over
//! the whole registry (`tests/laws.rs`):
//!
//! 1. **split** any cutting of the bars into runs gives the same bits;
//! 2. **resume** a clone, or a state saved and loaded, goes on identically;
//! 3. **no surprises** no input makes a kernel panic, and after construction nothing allocates;
//! 4. **canonical NaN** every NaN that leaves a machine is `0x7ff8_0000_0000_0000`.
//!
//! # Writing a kernel
//!
//! Implement [`Kernel`] for a struct whose fields are primitives (see [`crate::primitives`]), list
//! those fields in [`Kernel::parts`], and add one line to [`crate::registry`]. Saving, loading,
//! resetting, cutting into blocks, shape checks and canonical NaN come with it. To keep the bits
//! the same on every machine: write `a * b + c`, never `mul_add`; write a comparison and a select,
//! never `f64::min` or `f64::max`; take `ln`, `exp` and the like from `libm` alone.

use crate::error::Error;
use crate::spec::{Params, Spec};
use crate::state::State;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::any::Any;

pub use crate::primitives::Results;
pub use crate::primitives::recurrence::Isa;

/// Bars that a kernel is handed at once at most, or twice as many if it touches two columns only. A block has to be long
/// because a processor mispredicts where each of a kernel's loops ends, and short because its columns, of 8 KiB, should be in
/// the first-level cache, or near it, when the next loop reads them.
pub const BLOCK: usize = 1024;

/// Columns for what a kernel needs besides its outputs, as long as those are, with whatever the block before has
/// left in them. There are [`Kernel::SCRATCH`]; the others are empty.
pub type Scratch<'a> = [&'a mut [f64]; MAX_SCRATCH];

/// Columns of scratch that a kernel can have.
pub const MAX_SCRATCH: usize = 3;

/// One indicator, typed. Implemented once per indicator, in `kernels/`.
pub trait Kernel: Clone + Send + Sync + 'static {
    /// The declaration from which bindings, documentation and tests are made.
    const SPEC: &'static Spec;

    /// How many columns of scratch it uses.
    const SCRATCH: usize = 0;

    /// Whether it goes over several inputs and outputs in a block, one after the other, and does little at each bar. Of a long run
    /// the columns are fetched in longer stretches then, on processors that fetch ahead only where a column is gone through without a pause.
    const IN_BURSTS: bool = false;

    /// Builds the initial state.
    ///
    /// `params` have already been checked against [`Spec::params`].
    ///
    /// # Errors
    /// [`Error::Memory`], or [`Error::Parameter`] for a rule that involves several parameters.
    fn new(params: &Params<'_>) -> Result<Self, Error>;

    /// Takes the next bars and writes one result per bar into each output. Tells what is known of all of them: where
    /// that is nothing, every NaN is looked for and replaced by the canonical one.
    ///
    /// The number of columns is that of the spec and all have one length. `isa` is for primitives, and neither that nor what is
    /// in `scratch` may influence the result.
    fn run(
        &mut self,
        isa: Isa,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
        scratch: Scratch<'_>,
    ) -> Results;

    /// Takes the next bars through kernels that differ in their parameters alone. The outputs of
    /// the first come first.
    fn run_many(
        kernels: &mut [Self],
        isa: Isa,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
        mut scratch: Scratch<'_>,
    ) -> Results {
        let each = outputs.chunks_exact_mut(Self::SPEC.outputs.len());
        let mut results = Results::Numbers;
        for (kernel, outputs) in kernels.iter_mut().zip(each) {
            let scratch = scratch.each_mut().map(|column| &mut **column);
            results = results & kernel.run(isa, inputs, outputs, scratch);
        }
        results
    }

    /// Hands every stateful part to `visit`, in an order that never changes.
    fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State));
}

/// Instructions that not every machine of this kind has, and kernels are compiled for once more.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// `avx2`
    Avx2,
    /// `avx512f` and `avx512dq`
    Avx512,
}

#[cfg(target_arch = "x86_64")]
impl Extension {
    /// All of them, the widest registers last.
    pub const ALL: [Self; 2] = [Self::Avx2, Self::Avx512];

    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx2 => "AVX2",
            Self::Avx512 => "AVX-512",
        }
    }

    /// Whether this processor has it.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn is_present(self) -> bool {
        match self {
            Self::Avx2 => std::arch::is_x86_feature_detected!("avx2"),
            Self::Avx512 => {
                std::arch::is_x86_feature_detected!("avx512f")
                    && std::arch::is_x86_feature_detected!("avx512dq")
            }
        }
    }
}

/// [`Machine::run`], compiled for an extension.
#[cfg(target_arch = "x86_64")]
pub type Run = unsafe fn(
    machine: &mut dyn Machine,
    inputs: &[&[f64]],
    outputs: &mut [&mut [f64]],
) -> Result<(), Error>;

/// [`crate::registry::Entry::run_many`], compiled for an extension.
#[cfg(target_arch = "x86_64")]
pub type RunMany = unsafe fn(
    params: &[&[f64]],
    inputs: &[&[f64]],
    outputs: &mut [&mut [f64]],
) -> Result<(), Error>;

/// One indicator with its state, behind one virtual call per run: what the bindings hold.
///
/// Every [`Kernel`] gets this for nothing.
pub trait Machine: Any + Send + Sync {
    /// The indicator's declaration.
    fn spec(&self) -> &'static Spec;

    /// The parameters it was built with, in the spec's order.
    fn params(&self) -> &[f64];

    /// Bars taken since construction or the last reset.
    fn bars(&self) -> u64;

    /// Takes the next bars. Any number, none included.
    ///
    /// # Errors
    /// [`Error::Count`] and [`Error::Length`], before anything is computed.
    fn run(&mut self, inputs: &[&[f64]], outputs: &mut [&mut [f64]]) -> Result<(), Error>;

    /// [`Self::run`] for an extension: the same bits, sooner. The caller must have made sure that the
    /// processor has it, and must pass this very machine.
    #[cfg(target_arch = "x86_64")]
    fn run_with(&self, extension: Extension) -> Run;

    /// Back to the state after construction.
    fn reset(&mut self);

    /// The state as bytes: versioned, little-endian, the same on every backend.
    fn save(&self) -> Vec<u8>;

    /// An independent copy, which goes on identically.
    fn boxed_clone(&self) -> Box<dyn Machine>;
}
