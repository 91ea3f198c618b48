//! Saved states: the fuzzer's bytes with a right checksum, sometimes with a right header too.

#![no_main]

#[path = "../../crates/core/tests/common/mod.rs"]
mod common;
#[path = "../../crates/core/tests/common/hostile.rs"]
mod hostile;

use indicator_core::registry;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [kernel, period, cut, data @ ..] = data else {
        return;
    };
    let (body, choices) = data.split_at(usize::from(*cut).min(data.len()));
    let entries = registry::entries();
    let entry = &entries[usize::from(*kernel) % entries.len()];
    // From period 0 on, which is refused, no header is added: the bytes have to bring their own.
    let period = f64::from(*period);
    let params: Vec<f64> = entry.spec.params.iter().map(|_| period).collect();
    let mut state = Vec::new();
    if let Ok(machine) = entry.create(&params) {
        state = machine.save();
        // Magic and version, name, revision, parameters, bars.
        state.truncate(6 + 1 + entry.spec.name.len() + 4 + 1 + 8 * params.len() + 8);
    }
    state.extend(body);
    state.extend([0; 4]);
    hostile::seal(&mut state);
    let _ = registry::restore(&state);
    let mut choices = hostile::Bytes(choices);
    if let Err(what) = hostile::restore_case(entry, hostile::PORTABLE, &state, &mut choices) {
        panic!("{}: {what}", entry.spec.name);
    }
});
