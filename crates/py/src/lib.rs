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
mod columns;
mod fresh;
mod machine;

use columns::with_columns;
#[cfg(target_arch = "x86_64")]
use indicator_core::kernel::Extension;
use indicator_core::{Error, Machine, registry};
use machine::PyMachine;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyIndexError, PyMemoryError, PyValueError};
use pyo3::prelude::*;

/// Kernels of indicator-cache, compiled for this machine.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::candles::fill_columns;
    #[pymodule_export]
    use super::fresh::{begin_new, compute};
    #[pymodule_export]
    use super::machine::PyMachine;
    #[pymodule_export]
    use super::{begin, catalog, cpu, fingerprint, paths, run, run_many};
}

/// The declarations of all indicators, as JSON.
#[pyfunction]
fn catalog() -> String {
    registry::to_json()
}

/// A fingerprint of the declarations, to be compared with the one the Python files were made from.
#[pyfunction]
fn fingerprint() -> u32 {
    registry::fingerprint()
}

/// The instruction set for which the kernels in use were compiled.
#[pyfunction]
fn cpu() -> String {
    format!(
        "{}, {}",
        std::env::consts::ARCH,
        paths().last().unwrap_or(&"portable")
    )
}

/// The instruction sets for which the kernels are compiled and which this processor has, the one with the
/// widest registers last. Other functions take a place in this list, as `path`.
#[pyfunction]
fn paths() -> Vec<&'static str> {
    let mut paths = vec!["portable"];
    #[cfg(target_arch = "x86_64")]
    paths.extend(
        Extension::ALL
            .into_iter()
            .filter(|one| one.is_present())
            .map(Extension::name),
    );
    paths
}

/// Computes one indicator over whole columns, writing into `outputs`.
///
/// The interpreter is released meanwhile, unless there are few bars.
#[pyfunction]
fn run(
    py: Python<'_>,
    index: usize,
    params: Vec<f64>,
    inputs: Vec<PyBuffer<f64>>,
    outputs: Vec<PyBuffer<f64>>,
    path: usize,
) -> PyResult<()> {
    begin(py, index, params, inputs, outputs, path).map(drop)
}

/// Does as [`run`], and returns the indicator with its state, to go on with.
#[pyfunction]
fn begin(
    py: Python<'_>,
    index: usize,
    params: Vec<f64>,
    inputs: Vec<PyBuffer<f64>>,
    outputs: Vec<PyBuffer<f64>>,
    path: usize,
) -> PyResult<PyMachine> {
    let entry = entry(index)?;
    let machine = with_columns(&inputs, &outputs, |inputs, outputs| {
        aside(py, inputs, || {
            let mut machine = entry.create(&params)?;
            advance(machine.as_mut(), inputs, outputs, path)?;
            Ok(machine)
        })
    })?
    .map_err(|error| to_python(&error))?;
    Ok(PyMachine::wrap(machine, path))
}

/// Computes one indicator for several sets of parameters, writing the outputs for the first set into the
/// first of `outputs`.
#[pyfunction]
fn run_many(
    py: Python<'_>,
    index: usize,
    params: Vec<Vec<f64>>,
    inputs: Vec<PyBuffer<f64>>,
    outputs: Vec<PyBuffer<f64>>,
    path: usize,
) -> PyResult<()> {
    let entry = entry(index)?;
    let params: Vec<&[f64]> = params.iter().map(Vec::as_slice).collect();
    with_columns(&inputs, &outputs, |inputs, outputs| {
        py.detach(|| {
            #[cfg(target_arch = "x86_64")]
            if let Some(extension) = extension(path) {
                let run = entry.run_many_with(extension);
                // SAFETY: the processor has the extension.
                return unsafe { run(&params, inputs, outputs) };
            }
            let _ = path;
            entry.run_many(&params, inputs, outputs)
        })
    })?
    .map_err(|error| to_python(&error))
}

/// Most bars for which the interpreter is not released. They take some microseconds, and whoever gives it
/// away while other threads want it has it back after milliseconds.
const SHORT: usize = 1024;

/// Computes over columns while other threads may run Python code, if it is going to take a while.
fn aside<R: Send>(py: Python<'_>, inputs: &[&[f64]], work: impl FnOnce() -> R + Send) -> R {
    if inputs.first().is_none_or(|column| column.len() <= SHORT) {
        work()
    } else {
        py.detach(work)
    }
}

fn entry(index: usize) -> PyResult<&'static registry::Entry> {
    registry::entries()
        .get(index)
        .ok_or_else(|| PyIndexError::new_err("no such indicator"))
}

/// Runs a machine with the instructions of a path.
fn advance(
    machine: &mut dyn Machine,
    inputs: &[&[f64]],
    outputs: &mut [&mut [f64]],
    path: usize,
) -> Result<(), Error> {
    #[cfg(target_arch = "x86_64")]
    if let Some(extension) = extension(path) {
        let run = machine.run_with(extension);
        // SAFETY: the processor has the extension, and the function came from this machine.
        return unsafe { run(machine, inputs, outputs) };
    }
    let _ = path;
    machine.run(inputs, outputs)
}

/// The extension at a place in the list of paths; none where there is none, for which every processor will do.
#[cfg(target_arch = "x86_64")]
fn extension(path: usize) -> Option<Extension> {
    let mut present = Extension::ALL.into_iter().filter(|one| one.is_present());
    present.nth(path.checked_sub(1)?)
}

fn to_python(error: &Error) -> PyErr {
    match error {
        Error::Memory => PyMemoryError::new_err(error.to_string()),
        _ => PyValueError::new_err(error.to_string()),
    }
}
