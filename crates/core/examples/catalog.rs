//! Prints the registry as JSON: what `tools/generate.py` reads.

use indicator_core::registry;

fn main() {
    println!(
        "{{\"version\":\"{}\",\"fingerprint\":\"{:#010x}\",\"indicators\":{}}}",
        env!("CARGO_PKG_VERSION"),
        registry::fingerprint(),
        registry::to_json()
    );
}
