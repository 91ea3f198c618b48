//! Python buffers as the slices that kernels take.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Calls `work` with the buffers as columns.
pub(crate) fn with_columns<R>(
    inputs: &[PyBuffer<f64>],
    outputs: &[PyBuffer<f64>],
    work: impl FnOnce(&[&[f64]], &mut [&mut [f64]]) -> R,
) -> PyResult<R> {
    let mut columns: Vec<&[f64]> = Vec::with_capacity(inputs.len());
    for buffer in inputs {
        check_layout(buffer)?;
        // SAFETY: the buffer is contiguous and exported, hence not freed or resized, while
        // `inputs` lives. Python code that writes to it from another thread meanwhile races, as
        // with every numpy function that releases the interpreter; the cache passes private,
        // read-only arrays.
        columns.push(unsafe { core::slice::from_raw_parts(start(buffer), buffer.item_count()) });
    }
    let mut results: Vec<&mut [f64]> = Vec::with_capacity(outputs.len());
    for (place, buffer) in outputs.iter().enumerate() {
        check_layout(buffer)?;
        if buffer.readonly() {
            return Err(PyValueError::new_err("an output is read-only"));
        }
        let others = || inputs.iter().chain(&outputs[..place]);
        if others().any(|other| overlap(buffer, other)) {
            return Err(PyValueError::new_err(
                "an output shares memory with another column",
            ));
        }
        let len = buffer.item_count();
        // SAFETY: as above, and no other slice refers to its memory.
        results.push(unsafe { core::slice::from_raw_parts_mut(start(buffer), len) });
    }
    Ok(work(&columns, &mut results))
}

/// Whether two contiguous buffers have memory in common.
fn overlap(a: &PyBuffer<f64>, b: &PyBuffer<f64>) -> bool {
    let span = |buffer: &PyBuffer<f64>| {
        let start = buffer.buf_ptr() as usize;
        (start, start + buffer.len_bytes())
    };
    let ((a_start, a_end), (b_start, b_end)) = (span(a), span(b));
    a_start < b_end && b_start < a_end
}

/// Refuses what cannot be seen as a slice of numbers.
pub(crate) fn check_layout(buffer: &PyBuffer<f64>) -> PyResult<()> {
    // PyO3 checks the type, but takes the other byte order for this machine's.
    let foreign: &[u8] = if cfg!(target_endian = "little") {
        b">!"
    } else {
        b"<"
    };
    if buffer
        .format()
        .to_bytes()
        .first()
        .is_some_and(|order| foreign.contains(order))
    {
        return Err(PyValueError::new_err(
            "a column is in another machine's byte order",
        ));
    }
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
