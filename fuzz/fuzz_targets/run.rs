//! Parameters, data, cutting: the fuzzer's bytes are the choices of a hostile case.

#![no_main]

#[path = "../../crates/core/tests/common/mod.rs"]
mod common;
#[path = "../../crates/core/tests/common/hostile.rs"]
mod hostile;

use indicator_core::registry;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&kernel, choices)) = data.split_first() else {
        return;
    };
    let entries = registry::entries();
    let entry = &entries[usize::from(kernel) % entries.len()];
    if let Err(what) = hostile::case(entry, hostile::PORTABLE, &mut hostile::Bytes(choices)) {
        panic!("{}: {what}", entry.spec.name);
    }
});
