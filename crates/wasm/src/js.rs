//! The kernels for JavaScript, through wasm-bindgen: what the files in `npm/src` are built on.
//!
//! Everything goes by an indicator's position in the registry, so nothing here grows with it. Bars stay in
//! JavaScript's arrays and pass through in blocks: a kernel is a state machine, so the cuts do not show in the
//! results, and no series is too long for this module's memory.
//!
//! Errors are made by the classes in `npm/src/errors.js`; what is allowed is worded as in Python.

use indicator_core::spec::{Domain, MAX_INPUTS, MAX_OUTPUTS, Param, Spec};
use indicator_core::{Error, Machine as Kernel, registry};
use js_sys::{Float64Array, Object, Reflect};
use sha2::{Digest, Sha256};
use wasm_bindgen::prelude::*;

/// Bars that are in this module's memory at once.
const BLOCK: u32 = 4096;

#[wasm_bindgen(raw_module = "./errors.js")]
extern "C" {
    #[wasm_bindgen(js_name = parameterError)]
    fn parameter_error(parameter: &str, given: &JsValue, expected: &str) -> JsValue;

    /// With the given value in words.
    #[wasm_bindgen(js_name = parameterError)]
    fn rule_error(parameter: &str, given: &JsValue, expected: &str, written: &str) -> JsValue;

    #[wasm_bindgen(js_name = stateError)]
    fn state_error(reason: &str) -> JsValue;

    #[wasm_bindgen(js_name = backendError)]
    fn backend_error(message: &str) -> JsValue;
}

/// The declarations of all indicators, as JSON.
#[wasm_bindgen]
#[must_use]
pub fn catalog() -> String {
    registry::to_json()
}

/// The numbers that stand for parameters given by name; those left out have their defaults.
///
/// # Errors
/// `ParameterError` for a name or a value that is not allowed.
#[wasm_bindgen]
pub fn normalise(position: usize, given: &Object) -> Result<Vec<f64>, JsValue> {
    let spec = spec_at(position)?;
    for name in Object::keys(given) {
        let known = |param: &&Param| name.as_string().is_some_and(|name| name == param.name);
        if !spec.params.iter().any(|param| known(&param)) {
            let names: Vec<_> = spec.params.iter().map(|param| param.name).collect();
            let names = if names.is_empty() {
                "none".into()
            } else {
                names.join(", ")
            };
            let expected = format!("one of the parameters of {} ({names})", spec.name);
            let value = Reflect::get(given, &name)?;
            let name = name.as_string().unwrap_or_default();
            return Err(parameter_error(&name, &value, &expected));
        }
    }
    let mut numbers = Vec::with_capacity(spec.params.len());
    for param in spec.params {
        let value = Reflect::get(given, &param.name.into())?;
        let number = if value.is_undefined() {
            Some(param.domain.default())
        } else {
            number_for(&param.domain, &value)
        };
        numbers.push(
            number.ok_or_else(|| parameter_error(param.name, &value, &expected(&param.domain)))?,
        );
    }
    match spec.check(&numbers) {
        Ok(_) => Ok(numbers),
        Err(error) => Err(refused(spec, &error)),
    }
}

/// What numbers stand for: whole numbers, numbers, words, booleans and null, by name.
///
/// # Errors
/// `BackendError` when there is no such indicator.
#[wasm_bindgen]
pub fn named(position: usize, numbers: &[f64]) -> Result<Object, JsValue> {
    let values = Object::new();
    for (param, &number) in spec_at(position)?.params.iter().zip(numbers) {
        Reflect::set(
            &values,
            &param.name.into(),
            &value_of(&param.domain, number),
        )?;
    }
    Ok(values)
}

/// The first bar, from zero, at which each output can hold a value when no bar is missing.
///
/// # Errors
/// `ParameterError` for numbers that are not allowed.
#[wasm_bindgen(js_name = firstValid)]
pub fn first_valid(position: usize, numbers: &[f64]) -> Result<Vec<f64>, JsValue> {
    let spec = spec_at(position)?;
    let params = spec.check(numbers).map_err(|error| refused(spec, &error))?;
    let first = |output: &indicator_core::spec::Output| (output.first_valid.of)(&params) as f64;
    Ok(spec.outputs.iter().map(first).collect())
}

/// SHA-256 of columns, one after the other, as little-endian doubles.
///
/// # Errors
/// `BackendError` when there is not enough memory.
#[wasm_bindgen]
#[allow(
    clippy::needless_pass_by_value,
    reason = "wasm-bindgen has no other way"
)]
pub fn digest(columns: Vec<Float64Array>) -> Result<String, JsValue> {
    let mut hash = Sha256::new();
    let mut block = room(1)?;
    for column in &columns {
        for (start, end) in blocks(column.length()) {
            let values = &mut block[..(end - start) as usize];
            column.subarray(start, end).copy_to(values);
            for value in values {
                hash.update(value.to_bits().to_le_bytes());
            }
        }
    }
    Ok(hash
        .finalize()
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect())
}

/// An indicator with its state.
#[wasm_bindgen]
pub struct Machine(Box<dyn Kernel>);

#[wasm_bindgen]
impl Machine {
    /// A machine before its first bar.
    ///
    /// # Errors
    /// `ParameterError` for numbers that are not allowed, `BackendError` when there is not enough memory.
    #[wasm_bindgen(constructor)]
    pub fn new(position: usize, numbers: &[f64]) -> Result<Self, JsValue> {
        let spec = spec_at(position)?;
        let machine = registry::entries()[position].create(numbers);
        Ok(Self(machine.map_err(|error| refused(spec, &error))?))
    }

    /// A machine that goes on where [`Self::save`] was called, on whatever backend.
    ///
    /// # Errors
    /// `StateError`, `BackendError` when there is not enough memory.
    pub fn restore(state: &[u8]) -> Result<Self, JsValue> {
        match registry::restore(state) {
            Ok(machine) => Ok(Self(machine)),
            Err(Error::State(reason)) => Err(state_error(&reason_in_full(reason, state))),
            Err(Error::Memory) => Err(backend_error(&Error::Memory.to_string())),
            Err(error) => Err(state_error(&error.to_string())),
        }
    }

    /// Position of the indicator in the registry.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn position(&self) -> usize {
        let mine = |entry: &registry::Entry| entry.spec.name == self.0.spec().name;
        registry::entries()
            .iter()
            .position(mine)
            .unwrap_or_default()
    }

    /// The parameters, as numbers.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn numbers(&self) -> Vec<f64> {
        self.0.params().to_vec()
    }

    /// Bars taken since the start or the last reset.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn bars(&self) -> f64 {
        self.0.bars() as f64
    }

    /// Takes the next bars: columns of one length, and as long columns for the results.
    ///
    /// # Errors
    /// `BackendError` for columns of other numbers or lengths, before anything is computed.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "wasm-bindgen has no other way"
    )]
    pub fn run(
        &mut self,
        inputs: Vec<Float64Array>,
        outputs: Vec<Float64Array>,
    ) -> Result<(), JsValue> {
        let spec = self.0.spec();
        let bars = inputs.first().map_or(0, Float64Array::length);
        let of_one_length = inputs.iter().chain(&outputs).all(|it| it.length() == bars);
        if inputs.len() != spec.inputs.len()
            || outputs.len() != spec.outputs.len()
            || !of_one_length
        {
            return Err(backend_error("columns of other numbers or lengths"));
        }
        let mut scratch = room(inputs.len() + outputs.len())?;
        let mut columns = scratch.chunks_exact_mut(BLOCK as usize);
        let mut given: Vec<_> = columns.by_ref().take(inputs.len()).collect();
        let mut results: Vec<_> = columns.collect();
        for (start, end) in blocks(bars) {
            let len = (end - start) as usize;
            for (column, input) in given.iter_mut().zip(&inputs) {
                input.subarray(start, end).copy_to(&mut column[..len]);
            }
            take(self.0.as_mut(), &given, &mut results, len)?;
            for (column, output) in results.iter().zip(&outputs) {
                output.subarray(start, end).copy_from(&column[..len]);
            }
        }
        Ok(())
    }

    /// Takes the next bar, a number for each input; returns one for each output.
    ///
    /// # Errors
    /// `BackendError` for another count of numbers.
    pub fn update(&mut self, bar: &[f64]) -> Result<Vec<f64>, JsValue> {
        let mut results = vec![0.0; self.0.spec().outputs.len()];
        let given: Vec<_> = bar.chunks_exact(1).collect();
        let mut outputs: Vec<_> = results.chunks_exact_mut(1).collect();
        let done = self.0.run(&given, &mut outputs);
        done.map_err(|error| backend_error(&error.to_string()))?;
        Ok(results)
    }

    /// What [`Self::update`] would return; nothing changes.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub fn peek(&self, bar: &[f64]) -> Result<Vec<f64>, JsValue> {
        self.copy()?.update(bar)
    }

    /// The state as bytes, the same on every backend.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        self.0.save()
    }

    /// An independent machine in the same state.
    ///
    /// # Errors
    /// `BackendError` when there is not enough memory.
    pub fn copy(&self) -> Result<Self, JsValue> {
        // Not by cloning, which traps when memory is short.
        Self::restore(&self.0.save())
    }

    /// Back to the state before the first bar.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}

fn spec_at(position: usize) -> Result<&'static Spec, JsValue> {
    let entry = registry::entries().get(position);
    let entry = entry.ok_or_else(|| backend_error("no such indicator"))?;
    Ok(entry.spec)
}

/// Memory for columns of a block.
fn room(columns: usize) -> Result<Vec<f64>, JsValue> {
    let mut block = Vec::new();
    let values = columns * BLOCK as usize;
    block
        .try_reserve_exact(values)
        .map_err(|_| backend_error(&Error::Memory.to_string()))?;
    block.resize(values, 0.0);
    Ok(block)
}

fn blocks(bars: u32) -> impl Iterator<Item = (u32, u32)> {
    let ends = move |start: u32| (start, start + BLOCK.min(bars - start));
    (0..bars).step_by(BLOCK as usize).map(ends)
}

fn take(
    machine: &mut dyn Kernel,
    given: &[&mut [f64]],
    results: &mut [&mut [f64]],
    len: usize,
) -> Result<(), JsValue> {
    let mut inputs: [&[f64]; MAX_INPUTS] = [&[]; MAX_INPUTS];
    for (input, column) in inputs.iter_mut().zip(given) {
        *input = &column[..len];
    }
    let mut outputs: [&mut [f64]; MAX_OUTPUTS] = Default::default();
    for (output, column) in outputs.iter_mut().zip(results.iter_mut()) {
        *output = &mut column[..len];
    }
    let count = machine.spec().outputs.len();
    machine
        .run(&inputs[..given.len()], &mut outputs[..count])
        .map_err(|error| backend_error(&error.to_string()))
}

/// The number that stands for a value, if it is allowed.
fn number_for(domain: &Domain, value: &JsValue) -> Option<f64> {
    let place = |found: usize| found as f64;
    match *domain {
        Domain::Optional(_) if value.is_null() => Some(f64::NAN),
        Domain::Optional(domain) => number_for(domain, value),
        Domain::Choice(words) => {
            let word = value.as_string()?;
            words.iter().position(|&known| known == word).map(place)
        }
        Domain::Flag { .. } => value.as_bool().map(|flag| f64::from(u8::from(flag))),
        // One zero for both: they are one key of a cache, so they have to be one value.
        Domain::Integer { .. } | Domain::Float { .. } => value
            .as_f64()
            .filter(|&number| domain.contains(number))
            .map(|number| number + 0.0),
    }
}

fn value_of(domain: &Domain, number: f64) -> JsValue {
    match *domain {
        Domain::Optional(_) if number.is_nan() => JsValue::NULL,
        Domain::Optional(domain) => value_of(domain, number),
        Domain::Choice(words) => {
            let place = |&(place, _): &(usize, &&str)| place as f64 == number;
            let found = words.iter().enumerate().find(place);
            found.map_or(JsValue::NULL, |(_, &word)| word.into())
        }
        Domain::Flag { .. } => (number != 0.0).into(),
        Domain::Integer { .. } | Domain::Float { .. } => number.into(),
    }
}

/// What the core says of numbers that are allowed one by one, or of a machine that could not be built.
fn refused(spec: &Spec, error: &Error) -> JsValue {
    let Error::Parameter {
        name,
        given,
        expected,
    } = error
    else {
        return backend_error(&error.to_string());
    };
    let param = spec.params.iter().find(|param| param.name == *name);
    let value = param.map_or(JsValue::NULL, |param| value_of(&param.domain, *given));
    let written = match param.map(|param| &param.domain) {
        Some(Domain::Integer { .. }) => format!("{given}"),
        _ => written(*given),
    };
    rule_error(name, &value, expected, &written)
}

/// The reason why a saved state was refused, with what the core leaves out: it has no room for names.
fn reason_in_full(reason: &str, state: &[u8]) -> String {
    // Magic and version, as the core's module `state` lays them out.
    let version = state
        .get(4..6)
        .map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    let name = state
        .get(6)
        .and_then(|&len| state.get(7..7 + usize::from(len)));
    let (Some(version), Some(name)) = (version, name) else {
        return reason.into();
    };
    let after = &state[7 + name.len()..];
    let revision = after
        .first_chunk()
        .map_or(0, |&bytes| u32::from_le_bytes(bytes));
    let name = core::str::from_utf8(name)
        .ok()
        .filter(|name| name.is_ascii());
    match (reason, name, name.and_then(registry::find)) {
        ("it was written in another format version", ..) => {
            format!("it was written in format version {version}, this is {VERSION}")
        }
        ("it belongs to an unknown indicator", Some(name), _) => {
            format!("it belongs to an unknown indicator, '{name}'")
        }
        ("it belongs to another revision of the indicator", Some(name), Some(entry)) => {
            let mine = entry.spec.revision;
            format!("it belongs to revision {revision} of {name}, this is {mine}")
        }
        _ => reason.into(),
    }
}

/// Of saved states.
const VERSION: u16 = 1;

/// What is allowed, in the words of Python.
fn expected(domain: &Domain) -> String {
    match domain {
        Domain::Integer { min, max, .. } => format!("a whole number from {min} to {max}"),
        Domain::Float { min, max, .. } => {
            format!("a number from {} to {}", written(*min), written(*max))
        }
        Domain::Choice(words) => format!("one of {}", words.join(", ")),
        Domain::Flag { .. } => "True or False".into(),
        Domain::Optional(domain) => format!("{}, or None", expected(domain)),
    }
}

/// A number as Python writes it: 1e-05 where Rust has 1e-5.
fn written(number: f64) -> String {
    let text = format!("{number:?}");
    let Some((digits, exponent)) = text.split_once('e') else {
        return text;
    };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::{blocks, expected, written};
    use indicator_core::spec::Domain;

    #[test]
    fn numbers_are_written_as_in_python() {
        let texts = [
            (1e-5, "1e-05"),
            (1.5e-12, "1.5e-12"),
            (1e16, "1e+16"),
            (1e300, "1e+300"),
            (0.0001, "0.0001"),
            (1e12, "1000000000000.0"),
        ];
        for (number, text) in texts {
            assert_eq!(written(number), text);
        }
    }

    #[test]
    fn domains_are_worded_as_in_python() {
        let domain = Domain::Optional(&Domain::Float {
            min: 1e-12,
            max: 2.0,
            default: 1.0,
        });
        assert_eq!(expected(&domain), "a number from 1e-12 to 2.0, or None");
    }

    #[test]
    fn blocks_cover_all_bars_once() {
        assert_eq!(blocks(0).count(), 0);
        assert_eq!(blocks(4097).collect::<Vec<_>>(), [(0, 4096), (4096, 4097)]);
        assert_eq!(blocks(u32::MAX).last(), Some((u32::MAX - 4095, u32::MAX)));
    }
}
