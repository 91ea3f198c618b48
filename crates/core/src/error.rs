//! Every way in which a call can be refused. A refused call changes nothing.

use alloc::string::String;
use core::fmt;

/// Why a kernel could not be built, run or restored.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A parameter lies outside what the indicator allows.
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// What was given.
        given: f64,
        /// What is allowed, in words.
        expected: String,
    },
    /// The number of parameters, input columns or output columns is wrong.
    Count {
        /// What was counted.
        what: &'static str,
        /// How many were given.
        given: usize,
        /// How many there must be.
        expected: usize,
    },
    /// A column is not as long as the first one.
    Length {
        /// Length of the offending column.
        given: usize,
        /// Length of the first column.
        expected: usize,
    },
    /// The state needs more memory than could be had.
    Memory,
    /// The bytes are not a saved state that this version can read.
    State(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter {
                name,
                given,
                expected,
            } => {
                write!(f, "{name} must be {expected}, got {given}")
            }
            Self::Count {
                what,
                given,
                expected,
            } => {
                write!(f, "expected {expected} {what}, got {given}")
            }
            Self::Length { given, expected } => {
                write!(
                    f,
                    "all columns must have {expected} bars, got one with {given}"
                )
            }
            Self::Memory => f.write_str("not enough memory for the kernel's state"),
            Self::State(why) => write!(f, "not a usable saved state: {why}"),
        }
    }
}

impl core::error::Error for Error {}
