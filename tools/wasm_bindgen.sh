#!/usr/bin/env bash
# wasm-bindgen's command line tool, at the very version of the crate: any other refuses to read what the crate wrote.
# The version stands in Cargo.toml and nowhere else. The first use builds the tool, into target.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
version=$(sed -n 's/^wasm-bindgen = "=\([0-9.]*\)"$/\1/p' "$root/Cargo.toml")
[[ $version ]] || { echo 'wasm_bindgen: Cargo.toml pins no version: wasm-bindgen = "=x.y.z"' >&2; exit 1; }

tool=$root/target/wasm-bindgen-$version
if [[ ! -x $tool/bin/wasm-bindgen ]]; then
    echo "wasm_bindgen: building wasm-bindgen-cli $version (once, some minutes)" >&2
    # Without default features: they are the test runner's web client. In an empty folder: this workspace's
    # settings are not the tool's.
    mkdir -p "$tool"
    (cd "$tool" && cargo install --quiet --locked --no-default-features --version "=$version" --root "$tool" \
        --target-dir "$tool/build" --bin wasm-bindgen wasm-bindgen-cli >&2)
    rm -rf "$tool/build"
fi
exec "$tool/bin/wasm-bindgen" "$@"
