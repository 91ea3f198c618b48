//! The kernels as a Python extension module.
//!
//! Everything goes by index over the registry, so nothing here grows with the number of
//! indicators. Arguments have been checked in Python, once for all backends; what is checked here
//! again is what memory safety rests on.

#![allow(
    clippy::needless_pass_by_value,
    reason = "PyO3 hands over extracted arguments by value"
)]

mod candles;

use indicator_core::{Error, registry, spec};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyIndexError, PyMemoryError, PyValueError};
use pyo3::prelude::*;

/// Kernels of indicator-cache, compiled for this machine.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::candles::fill_columns;
    #[pymodule_export]
    use super::{catalog, cpu, fingerprint, run};
}

/// The declarations of all indicators, as JSON.
#[pyfunction]
fn catalog() -> String {
    registry::to_json()
}

/// A fingerprint of the declarations, to be compared with the one the Python files were made from.
#[pyfunction]
fn fingerprint() -> u64 {
    registry::fingerprint()
}

/// The instruction set for which the kernels in use were compiled.
#[pyfunction]
fn cpu() -> String {
    format!("{}, portable", std::env::consts::ARCH)
}

/// Computes one indicator over whole columns, writing into `outputs`.
///
/// The interpreter is released meanwhile.
#[pyfunction]
fn run(
    py: Python<'_>,
    index: usize,
    params: Vec<f64>,
    inputs: Vec<PyBuffer<f64>>,
    outputs: Vec<PyBuffer<f64>>,
) -> PyResult<()> {
    let entry = registry::entries()
        .get(index)
        .ok_or_else(|| PyIndexError::new_err("no such indicator"))?;
    if inputs.len() > spec::MAX_INPUTS || outputs.len() > spec::MAX_OUTPUTS {
        return Err(PyValueError::new_err("too many columns"));
    }
    let mut columns: [&[f64]; spec::MAX_INPUTS] = [&[]; spec::MAX_INPUTS];
    for (slot, buffer) in columns.iter_mut().zip(&inputs) {
        check_layout(buffer)?;
        // SAFETY: the buffer is contiguous and exported, hence not freed or resized, while
        // `inputs` lives. Python code that writes to it from another thread meanwhile races, as
        // with every numpy function that releases the interpreter; the cache passes private,
        // read-only arrays.
        *slot = unsafe { core::slice::from_raw_parts(start(buffer), buffer.item_count()) };
    }
    let mut results: [&mut [f64]; spec::MAX_OUTPUTS] = Default::default();
    for (slot, buffer) in results.iter_mut().zip(&outputs) {
        check_layout(buffer)?;
        if buffer.readonly() {
            return Err(PyValueError::new_err("an output is read-only"));
        }
        // SAFETY: as above. Outputs are arrays that the caller has just made, one for each, so
        // that no other slice refers to their memory.
        *slot = unsafe { core::slice::from_raw_parts_mut(start(buffer), buffer.item_count()) };
    }
    let (columns, results) = (&columns[..inputs.len()], &mut results[..outputs.len()]);
    py.detach(|| entry.create(&params)?.run(columns, results))
        .map_err(|error| to_python(&error))
}

fn check_layout(buffer: &PyBuffer<f64>) -> PyResult<()> {
    if buffer.dimensions() == 1 && buffer.is_c_contiguous() {
        Ok(())
    } else {
        Err(PyValueError::new_err(
            "a column is not a contiguous row of numbers",
        ))
    }
}

/// Where the numbers begin. An empty buffer may have no memory at all, a slice needs an address.
fn start(buffer: &PyBuffer<f64>) -> *mut f64 {
    if buffer.item_count() == 0 {
        core::ptr::NonNull::dangling().as_ptr()
    } else {
        buffer.buf_ptr().cast()
    }
}

fn to_python(error: &Error) -> PyErr {
    match error {
        Error::Memory => PyMemoryError::new_err(error.to_string()),
        _ => PyValueError::new_err(error.to_string()),
    }
}
