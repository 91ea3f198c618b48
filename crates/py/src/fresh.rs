//! Results in new columns.
//!
//! The memory is numpy's: whoever gets it may do with it as with any array, and for large ones numpy asks
//! the system for large pages. All of this could be done in Python with less code, and takes three microseconds there: as
//! much as the rest of a call for a hundred bars, and a tenth of one for fifty thousand.

use crate::machine::PyMachine;
use crate::{advance, aside, entry, to_python};
use indicator_core::Machine;
use indicator_core::registry::Entry;
use numpy::npyffi::{NPY_ARRAY_WRITEABLE, NpyTypes, PY_ARRAY_API, get_type_object, npy_intp};
use numpy::{Element, PyArray1, PyArrayDescrMethods, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::exceptions::{PyMemoryError, PyValueError};

use pyo3::prelude::*;
use pyo3::types::{PyMemoryView, PyTuple};
use std::ffi::{c_int, c_void};
use std::ptr;

type Column<'py> = Bound<'py, PyArray1<f64>>;

/// Computes one indicator into new columns, one for each output.
///
/// None where an input is not a numpy array just as kernels read them: then Python knows more about it.
#[pyfunction]
pub(crate) fn compute<'py>(
    py: Python<'py>,
    path: usize,
    index: usize,
    params: Vec<f64>,
    inputs: &Bound<'py, PyTuple>,
) -> PyResult<Option<Bound<'py, PyTuple>>> {
    let entry = entry(index)?;
    let Some(inputs) = columns(inputs) else {
        return Ok(None);
    };
    let (_, block) = Block::of_results(py, entry, &params, &inputs, path)?;
    block.columns(py).map(Some)
}

/// Does as [`compute`], for inputs that are known to be such arrays; returns the indicator as well, to go on
/// with. The columns are read-only, and cannot be made writable.
#[pyfunction]
pub(crate) fn begin_new<'py>(
    py: Python<'py>,
    index: usize,
    params: Vec<f64>,
    inputs: &Bound<'py, PyTuple>,
    path: usize,
) -> PyResult<(PyMachine, Bound<'py, PyTuple>)> {
    let entry = entry(index)?;
    let inputs = columns(inputs)
        .ok_or_else(|| PyValueError::new_err("the inputs are not columns of one length"))?;
    let (machine, block) = Block::of_results(py, entry, &params, &inputs, path)?;
    Ok((PyMachine::wrap(machine, path), block.read_only_columns(py)?))
}

/// The arguments, if they all are arrays of one length that can be read as they are. Subclasses of arrays are not,
/// since they may mean something else: a mask, a unit.
fn columns<'py>(arguments: &Bound<'py, PyTuple>) -> Option<Vec<Column<'py>>> {
    let columns = arguments
        .iter()
        .map(|argument| argument.cast_into_exact::<PyArray1<f64>>().ok());
    let columns: Vec<Column<'py>> = columns.collect::<Option<_>>()?;
    let bars = columns.first()?.len();
    let usable = |column: &Column<'py>| {
        column.len() == bars && column.is_contiguous() && column.is_aligned()
    };
    columns.iter().all(usable).then_some(columns)
}

/// A new array: with memory of its own, unless it is given some.
fn new_array(
    py: Python<'_>,
    length: usize,
    memory: *mut c_void,
    flags: c_int,
) -> PyResult<Column<'_>> {
    let mut length =
        npy_intp::try_from(length).map_err(|_| PyMemoryError::new_err("too many bars"))?;
    // SAFETY: numpy takes a reference to the type of its numbers, and copies the length.
    unsafe {
        let array = PY_ARRAY_API.PyArray_NewFromDescr(
            py,
            get_type_object(py, NpyTypes::PyArray_Type),
            f64::get_dtype(py).into_dtype_ptr(),
            1,
            &raw mut length,
            ptr::null_mut(),
            memory,
            flags,
            ptr::null_mut(),
        );
        Ok(Bound::from_owned_ptr_or_err(py, array)?.cast_into_unchecked())
    }
}

/// Numbers in a line of the processor's cache.
const LINE: usize = 8;

/// Bars from which on columns begin at lines. Every other store of a wide register that begins elsewhere is one
/// to two lines, and blocks of the C library do.
const ALIGNED_FROM: usize = 1 << 13;

/// Columns in one piece of memory: several that are freed one by one make the C library give the memory
/// back to the system, and asking for it again then costs as much as an indicator does.
struct Block<'py> {
    memory: Column<'py>,
    /// Numbers before the first column; from the beginning of a column to that of the next; columns; their length.
    first: usize,
    step: usize,
    count: usize,
    bars: usize,
}

impl<'py> Block<'py> {
    /// Computes an indicator into a new block.
    fn of_results(
        py: Python<'py>,
        entry: &Entry,
        params: &[f64],
        inputs: &[Column<'py>],
        path: usize,
    ) -> PyResult<(Box<dyn Machine>, Self)> {
        let mut machine = entry.create(params).map_err(|error| to_python(&error))?;
        // SAFETY: the arrays are held by `inputs` meanwhile, and the interpreter does not resize what is
        // referred to. Python code that writes to one from another thread races, as with every numpy function that
        // releases the interpreter; the cache passes private, read-only arrays.
        let inputs: Result<Vec<&[f64]>, _> =
            inputs.iter().map(|one| unsafe { one.as_slice() }).collect();
        let inputs = inputs?;
        let bars = inputs.first().map_or(0, |column| column.len());
        let count = entry.spec.outputs.len();
        let (step, spare) = if bars < ALIGNED_FROM {
            (bars, 0)
        } else {
            (bars.next_multiple_of(LINE), LINE)
        };
        let memory = new_array(py, count * step + spare, ptr::null_mut(), 0)?;
        // SAFETY: nobody else knows of it, and any bits are numbers.
        let mut rest = unsafe { memory.as_slice_mut() }?;
        let first = rest
            .as_ptr()
            .align_offset(LINE * size_of::<f64>())
            .min(spare);
        rest = &mut rest[first..];
        let mut outputs: Vec<&mut [f64]> = Vec::with_capacity(count);
        for _ in 0..count {
            let (column, behind) = rest.split_at_mut(step);
            outputs.push(&mut column[..bars]);
            rest = behind;
        }
        aside(py, &inputs, || {
            advance(machine.as_mut(), &inputs, &mut outputs, path)
        })
        .map_err(|error| to_python(&error))?;
        let block = Self {
            memory,
            first,
            step,
            count,
            bars,
        };
        Ok((machine, block))
    }

    /// The columns.
    fn columns(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        if self.count == 1 && self.bars < ALIGNED_FROM {
            return PyTuple::new(py, [&self.memory]);
        }
        self.views(py, self.memory.as_any(), NPY_ARRAY_WRITEABLE)
    }

    /// The columns, which refer to the memory by way of a read-only buffer: of an array, numpy lets its owner make any view writable.
    fn read_only_columns(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        // SAFETY: nobody else knows of the array. It is read-only itself, so that its buffer is.
        unsafe { (*self.memory.as_array_ptr()).fields.flags &= !NPY_ARRAY_WRITEABLE };
        let buffer = PyMemoryView::from(&self.memory)?;
        self.views(py, buffer.as_any(), 0)
    }

    fn views(
        &self,
        py: Python<'py>,
        base: &Bound<'py, PyAny>,
        flags: c_int,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut views = Vec::with_capacity(self.count);
        for place in 0..self.count {
            let begin = self
                .memory
                .data()
                .wrapping_add(self.first + place * self.step);
            let view = new_array(py, self.bars, begin.cast(), flags)?;
            // SAFETY: the array is new, and takes the reference.
            let failed = unsafe {
                PY_ARRAY_API.PyArray_SetBaseObject(
                    py,
                    view.as_ptr().cast(),
                    base.clone().into_ptr(),
                )
            };
            if failed != 0 {
                return Err(PyErr::fetch(py));
            }
            views.push(view);
        }
        PyTuple::new(py, views)
    }
}
