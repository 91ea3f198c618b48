//! A kernel with its state, for streams.

use crate::columns::with_columns;
use crate::{advance, entry, to_python};
use indicator_core::spec::{MAX_INPUTS, MAX_OUTPUTS};
use indicator_core::{Machine, registry};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyTuple};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One indicator with its state.
#[pyclass(frozen, name = "Machine", module = "indicator_cache._native")]
pub(crate) struct PyMachine {
    machine: Mutex<Box<dyn Machine>>,
    portable: bool,
}

impl PyMachine {
    fn wrap(machine: Box<dyn Machine>, portable: bool) -> Self {
        Self {
            machine: Mutex::new(machine),
            portable,
        }
    }

    /// The machine, for one thread at a time. The interpreter is released while waiting, so that
    /// the thread that has it can come to its end.
    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, Box<dyn Machine>> {
        // Kernels do not panic; should one do, its state is still a state.
        self.machine
            .lock_py_attached(py)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl PyMachine {
    #[new]
    fn new(index: usize, params: Vec<f64>, portable: bool) -> PyResult<Self> {
        let machine = entry(index)?
            .create(&params)
            .map_err(|error| to_python(&error))?;
        Ok(Self::wrap(machine, portable))
    }

    /// A machine that goes on from a saved state.
    #[staticmethod]
    fn restore(state: &[u8], portable: bool) -> PyResult<Self> {
        let machine = registry::restore(state).map_err(|error| to_python(&error))?;
        Ok(Self::wrap(machine, portable))
    }

    /// Takes one bar, a value for each input; returns a value for each output.
    fn update<'py>(
        &self,
        py: Python<'py>,
        values: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut machine = self.lock(py);
        step(&mut **machine, py, values)
    }

    /// What [`Self::update`] would return, without taking the bar.
    fn peek<'py>(
        &self,
        py: Python<'py>,
        values: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut copy = self.lock(py).boxed_clone();
        step(copy.as_mut(), py, values)
    }

    /// Takes the next bars, writing into `outputs`. The interpreter is released meanwhile.
    fn run(
        &self,
        py: Python<'_>,
        inputs: Vec<PyBuffer<f64>>,
        outputs: Vec<PyBuffer<f64>>,
    ) -> PyResult<()> {
        with_columns(&inputs, &outputs, |inputs, outputs| {
            py.detach(|| {
                let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
                advance(&mut **machine, inputs, outputs, self.portable)
            })
        })?
        .map_err(|error| to_python(&error))
    }

    /// The state as bytes.
    fn save<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let state = self.lock(py).save();
        PyBytes::new(py, &state)
    }

    /// An independent machine in the same state.
    fn copy(&self, py: Python<'_>) -> Self {
        Self::wrap(self.lock(py).boxed_clone(), self.portable)
    }

    /// Back to the state after construction.
    fn reset(&self, py: Python<'_>) {
        self.lock(py).reset();
    }

    /// Bars taken.
    #[getter]
    fn bars(&self, py: Python<'_>) -> u64 {
        self.lock(py).bars()
    }
}

/// One bar through a machine.
fn step<'py>(
    machine: &mut dyn Machine,
    py: Python<'py>,
    values: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyTuple>> {
    let (given, wanted) = (values.len(), machine.spec().inputs.len());
    if given != wanted {
        return Err(PyValueError::new_err(format!(
            "expected {wanted} values, got {given}"
        )));
    }
    let mut bar = [0.0; MAX_INPUTS];
    for (slot, value) in bar.iter_mut().zip(values) {
        *slot = value.extract()?;
    }
    let mut columns: [&[f64]; MAX_INPUTS] = [&[]; MAX_INPUTS];
    for (column, value) in columns.iter_mut().zip(&bar) {
        *column = core::slice::from_ref(value);
    }
    let mut results = [0.0; MAX_OUTPUTS];
    let count = machine.spec().outputs.len();
    {
        let mut cells: [&mut [f64]; MAX_OUTPUTS] = Default::default();
        for (cell, result) in cells.iter_mut().zip(&mut results) {
            *cell = core::slice::from_mut(result);
        }
        machine
            .run(&columns[..wanted], &mut cells[..count])
            .map_err(|error| to_python(&error))?;
    }
    PyTuple::new(py, &results[..count])
}
