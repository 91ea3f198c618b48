//! A kernel with its state, for streams.

use crate::columns::with_columns;
use crate::{advance, aside, entry, to_python};
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
    path: usize,
}

impl PyMachine {
    pub(crate) fn wrap(machine: Box<dyn Machine>, path: usize) -> Self {
        Self {
            machine: Mutex::new(machine),
            path,
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
    fn new(index: usize, params: Vec<f64>, path: usize) -> PyResult<Self> {
        let machine = entry(index)?
            .create(&params)
            .map_err(|error| to_python(&error))?;
        Ok(Self::wrap(machine, path))
    }

    /// A machine that goes on from a saved state.
    #[staticmethod]
    fn restore(state: &[u8], path: usize) -> PyResult<Self> {
        let machine = registry::restore(state).map_err(|error| to_python(&error))?;
        Ok(Self::wrap(machine, path))
    }

    /// Takes one bar, a value for each input; returns a value for each output.
    fn update<'py>(
        &self,
        py: Python<'py>,
        values: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        // Before the lock: a value may be an object whose conversion runs any Python code.
        let bar = Bar::read(values)?;
        bar.through(&mut **self.lock(py), py)
    }

    /// What [`Self::update`] would return, without taking the bar.
    fn peek<'py>(
        &self,
        py: Python<'py>,
        values: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let bar = Bar::read(values)?;
        let mut copy = self.lock(py).boxed_clone();
        bar.through(copy.as_mut(), py)
    }

    /// Takes the next bars, writing into `outputs`. The interpreter is released meanwhile, unless there
    /// are few.
    fn run(
        &self,
        py: Python<'_>,
        inputs: Vec<PyBuffer<f64>>,
        outputs: Vec<PyBuffer<f64>>,
    ) -> PyResult<()> {
        with_columns(&inputs, &outputs, |inputs, outputs| {
            let mut machine = self.lock(py);
            let machine = &mut **machine;
            aside(py, inputs, || advance(machine, inputs, outputs, self.path))
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
        Self::wrap(self.lock(py).boxed_clone(), self.path)
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

/// The values of one bar.
struct Bar {
    values: [f64; MAX_INPUTS],
    count: usize,
}

impl Bar {
    fn read(values: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let mut bar = Self {
            values: [0.0; MAX_INPUTS],
            count: values.len(),
        };
        if bar.count > MAX_INPUTS {
            return Err(PyValueError::new_err("too many values"));
        }
        for (slot, value) in bar.values.iter_mut().zip(values) {
            *slot = value.extract()?;
        }
        Ok(bar)
    }

    /// Takes the bar through a machine.
    fn through<'py>(
        &self,
        machine: &mut dyn Machine,
        py: Python<'py>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let columns = self.values.each_ref().map(core::slice::from_ref);
        let mut results = [0.0; MAX_OUTPUTS];
        let count = machine.spec().outputs.len();
        machine
            .run(
                &columns[..self.count],
                &mut results.each_mut().map(core::slice::from_mut)[..count],
            )
            .map_err(|error| to_python(&error))?;
        PyTuple::new(py, &results[..count])
    }
}
