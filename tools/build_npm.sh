#!/usr/bin/env bash
# Builds the JavaScript package into dist/npm: the folder indicator-cache, and the same as npm packs it.
# Arguments (--locked, say) go to cargo. PYTHON is the interpreter to use.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$root/dist/npm
new=$root/target/npm-package

# A folder of its own: the module without imports is built from the same crate, under the same name.
bash "$root/tools/wasm_target.sh" build --release --package indicator-wasm --features js \
    --target-dir "$root/target/wasm-js" "$@"
rm -rf "$new"
bash "$root/tools/wasm_bindgen.sh" --target web --out-dir "$new" --out-name engine --omit-default-module-path \
    --no-typescript --remove-name-section --remove-producers-section \
    "$root/target/wasm-js/wasm32-unknown-unknown/release/indicator_wasm.wasm"
(cd "$root" && "${PYTHON:-python3}" -m tools.npm_package "$new")

rm -rf "$out"
mkdir -p "$out"
mv "$new" "$out/indicator-cache"
(cd "$out" && npm pack --silent --ignore-scripts ./indicator-cache)
