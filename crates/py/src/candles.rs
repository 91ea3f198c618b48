//! Candle objects into columns, the part of building a cache that is slow in Python.
//!
//! Only the plain cases are taken here. Whatever is out of the ordinary, good or bad, is left to
//! the Python code that defines the meaning and words the errors.

use crate::columns::check_layout;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyType};

/// Fills one column per field, and the flag `new_bar`, from `candles`.
///
/// Returns whether that was possible; if not, the columns are untouched and the caller has to take
/// the Python way.
#[pyfunction]
pub(crate) fn fill_columns(
    py: Python<'_>,
    candles: &Bound<'_, PyList>,
    fields: Vec<Bound<'_, PyString>>,
    columns: Vec<PyBuffer<f64>>,
    new_bar: PyBuffer<u8>,
) -> PyResult<bool> {
    if columns.len() != fields.len() {
        return Err(PyValueError::new_err("not as many columns as fields"));
    }
    columns.iter().try_for_each(check_layout)?;
    let mut cells = vec![Vec::with_capacity(candles.len()); fields.len()];
    let mut starts: Vec<u8> = Vec::with_capacity(candles.len());
    let mut values = vec![f64::NAN; fields.len()];
    let mut last: Option<Bound<'_, PyAny>> = None;
    let mut plain: Option<Bound<'_, PyType>> = None;
    for candle in candles {
        let present = !candle.is_none();
        let new = present && !last.as_ref().is_some_and(|last| last.is(&candle));
        if new {
            // The type of the candle before is known; asking about a new one takes a while.
            let kind = candle.get_type();
            if !plain.as_ref().is_some_and(|plain| plain.is(&kind)) {
                if candle.cast_exact::<PyDict>().is_err() && candle.cast::<PyMapping>().is_ok() {
                    return Ok(false);
                }
                plain = Some(kind);
            }
            for (value, field) in values.iter_mut().zip(&fields) {
                let Some(found) = read(&candle, field)? else {
                    return Ok(false);
                };
                *value = found;
            }
        }
        starts.push(u8::from(new));
        for (column, &value) in cells.iter_mut().zip(&values) {
            column.push(if present { value } else { f64::NAN });
        }
        if new {
            last = Some(candle);
        }
    }
    // Copying checks the lengths, which differ if a candle's attribute changed the list.
    for (column, cells) in columns.iter().zip(&cells) {
        column.copy_from_slice(py, cells)?;
    }
    new_bar.copy_from_slice(py, &starts)?;
    Ok(true)
}

/// A field of a candle, if it is there and plainly a number or None.
fn read(candle: &Bound<'_, PyAny>, field: &Bound<'_, PyString>) -> PyResult<Option<f64>> {
    let value = if let Ok(dict) = candle.cast_exact::<PyDict>() {
        dict.get_item(field)?
    } else {
        candle.getattr_opt(field)?
    };
    let Some(value) = value else { return Ok(None) };
    if let Ok(float) = value.cast::<PyFloat>() {
        return Ok(Some(float.value()));
    }
    if value.is_none() {
        return Ok(Some(f64::NAN));
    }
    // Python's own conversion, so that the rounding of large whole numbers is Python's too.
    if value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>() {
        return Ok(value.extract::<f64>().ok());
    }
    Ok(None)
}
