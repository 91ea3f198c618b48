#!/usr/bin/env bash
# Builds crates/wasm into the file that the Python package ships: one module for every platform.
# The toolchain is tools/wasm_target.sh's choice; arguments (--locked, say) go to cargo.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
built=$root/target/wasm/wasm32-unknown-unknown/release/indicator_wasm.wasm
shipped=$root/python/indicator_cache/_wasm/indicator.wasm

# Through bash: source distributions lose the executable bit.
bash "$root/tools/wasm_target.sh" build --release --package indicator-wasm "$@"

# Through a rename, so that a process that is loading the old module never sees half of the new one.
mkdir -p "$(dirname "$shipped")"
cp "$built" "$shipped.new"
mv -f "$shipped.new" "$shipped"
printf '%s: %s bytes\n' "${shipped#"$root"/}" "$(wc -c <"$shipped" | tr -d ' ')"
