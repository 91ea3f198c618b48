//! Technical indicator kernels whose results are a function of the data and the parameters, and of
//! nothing else: not of the block size, the instruction set, the operating system or the binding.
//!
//! Read [`kernel`] first: it is the whole contract. [`registry`] holds the only list of kernels,
//! [`primitives`] the arithmetic that every kernel is made of and that carries the bit law, and
//! [`kernels`] one file per indicator.
//!
//! ```
//! use indicator_core::registry;
//!
//! let ema = registry::find("ema").expect("ema is registered");
//! let mut machine = ema.create(&[3.0])?;
//! let mut out = [0.0; 4];
//! machine.run(&[&[1.0, 2.0, 3.0, 4.0]], &mut [&mut out])?;
//! assert_eq!(out, [1.0, 1.5, 2.25, 3.125]);
//! # Ok::<(), indicator_core::Error>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![allow(
    clippy::inline_always,
    reason = "kernels are compiled once per instruction set: what they call must be compiled with them"
)]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod error;
pub mod kernel;
#[macro_use]
pub mod registry;
pub mod kernels;
mod machine;
#[cfg(not(target_arch = "wasm32"))]
mod many;
pub mod primitives;
pub mod spec;
pub mod state;

pub use error::Error;
pub use kernel::{Kernel, Machine};
pub use spec::Spec;
