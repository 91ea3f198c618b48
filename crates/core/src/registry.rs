//! The only list of kernels.

use crate::error::Error;
#[cfg(target_arch = "x86_64")]
use crate::kernel::{Extension, RunMany};
use crate::kernel::{Kernel, Machine};
use crate::machine;
#[cfg(not(target_arch = "wasm32"))]
use crate::many;
use crate::spec::{self, Spec};
use crate::state::{self, Header, Reader};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

/// Calls a macro with every kernel as `module::Type`: the one line that a new indicator adds.
macro_rules! for_each_kernel {
    ($callback:ident) => {
        $callback! {
            atr::Atr,
            bollinger::Bollinger,
            choppiness::Choppiness,
            dmi::Dmi,
            ema::Ema,
            garch_volatility::GarchVolatility,
            kalman_garch_zscore::KalmanGarchZscore,
            kalman_mean::KalmanMean,
            kalman_zscore::KalmanZscore,
            macd::Macd,
            residual_zscore::ResidualZscore,
            roc::Roc,
            rsi::Rsi,
            sma::Sma,
            true_range::TrueRange,
            zscore::Zscore,
        }
    };
}

macro_rules! entries {
    ($($module:ident :: $kernel:ident),* $(,)?) => {
        &[$(Entry::of::<crate::kernels::$module::$kernel>()),*]
    };
}

static ENTRIES: &[Entry] = for_each_kernel!(entries);

type Create = fn(&[f64]) -> Result<Box<dyn Machine>, Error>;
type Restore = fn(&Header<'_>, &mut Reader<'_>) -> Result<Box<dyn Machine>, Error>;

/// One registered indicator.
pub struct Entry {
    /// Its declaration.
    pub spec: &'static Spec,
    create: Create,
    restore: Restore,
    #[cfg(not(target_arch = "wasm32"))]
    many: many::Run,
    #[cfg(target_arch = "x86_64")]
    many_with: fn(Extension) -> RunMany,
}

impl Entry {
    /// The entry of a kernel, registered or not.
    #[must_use]
    pub const fn of<K: Kernel>() -> Self {
        Self {
            spec: K::SPEC,
            create: machine::create::<K>,
            restore: machine::restore::<K>,
            #[cfg(not(target_arch = "wasm32"))]
            many: many::run::<K>,
            #[cfg(target_arch = "x86_64")]
            many_with: many::run_with::<K>,
        }
    }

    /// Builds a machine.
    ///
    /// # Errors
    /// [`Error::Count`] or [`Error::Parameter`] for parameters that do not fit the spec,
    /// [`Error::Memory`] when the state does not fit into memory.
    pub fn create(&self, params: &[f64]) -> Result<Box<dyn Machine>, Error> {
        (self.create)(params)
    }

    /// Computes whole columns for several sets of parameters: the bits of one machine after the other, sooner.
    /// The outputs for the first set come first.
    ///
    /// # Errors
    /// As of [`Self::create`] and [`Machine::run`], before anything is computed.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn run_many(
        &self,
        params: &[&[f64]],
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
    ) -> Result<(), Error> {
        (self.many)(params, inputs, outputs)
    }

    /// [`Self::run_many`] for an extension. The caller must have made sure that the processor has it.
    #[cfg(target_arch = "x86_64")]
    #[must_use]
    pub fn run_many_with(&self, extension: Extension) -> RunMany {
        (self.many_with)(extension)
    }

    /// A machine that goes on where [`Machine::save`] was called, on whatever backend.
    ///
    /// # Errors
    /// [`Error::State`] when the bytes are damaged, of another indicator, version or revision.
    pub fn restore(&self, bytes: &[u8]) -> Result<Box<dyn Machine>, Error> {
        let (header, mut from) = Header::read(bytes)?;
        if self.spec.name.as_bytes() != header.name {
            return Err(Error::State("it belongs to another indicator"));
        }
        if self.spec.revision != header.revision {
            return Err(Error::State(
                "it belongs to another revision of the indicator",
            ));
        }
        (self.restore)(&header, &mut from)
    }
}

/// Every indicator, by name in alphabetical order. The position is the index that bindings use.
#[must_use]
pub fn entries() -> &'static [Entry] {
    ENTRIES
}

/// The indicator with this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.spec.name == name)
}

/// A machine that goes on where [`Machine::save`] was called, on whatever backend.
///
/// # Errors
/// [`Error::State`] when the bytes are damaged, foreign, or of another version or revision.
pub fn restore(bytes: &[u8]) -> Result<Box<dyn Machine>, Error> {
    let (header, _) = Header::read(bytes)?;
    ENTRIES
        .iter()
        .find(|entry| entry.spec.name.as_bytes() == header.name)
        .ok_or(Error::State("it belongs to an unknown indicator"))?
        .restore(bytes)
}

/// All declarations as one JSON array: what the generators of the bindings read.
#[must_use]
pub fn to_json() -> String {
    spec::list(ENTRIES.iter().map(|entry| entry.spec.to_json()))
}

/// Raised whenever the calls between the compiled bindings and Python change.
const INTERFACE: u32 = 3;

/// A fingerprint of the declarations and of how to call them: Python files compare it with the one
/// they were generated from, so that files of two versions never work together unnoticed.
#[must_use]
pub fn fingerprint() -> u32 {
    state::crc32(format!("{INTERFACE} {}", to_json()).as_bytes())
}
