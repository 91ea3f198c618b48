#!/usr/bin/env bash
# Hostile cases by number, then by coverage: tools/fuzz.sh [CASES-PER-KERNEL [SECONDS-PER-FUZZER]]
#
# First the same numbered cases natively, with every instruction set of this machine, and as WebAssembly; their
# digests must be equal. Then, where cargo-fuzz is installed, coverage-guided fuzzing of runs and of restored
# states; `cargo install cargo-fuzz` suffices, on the stable toolchain, with a C++ compiler.
set -euo pipefail

cases=${1:-1000000}
seconds=${2:-60}
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --quiet --release --package indicator-wasm --example hostile
bash tools/wasm_target.sh build --quiet --release --package indicator-wasm --example hostile
echo 'kernel, name, instructions, cases, digest, seconds'
"${CARGO_TARGET_DIR:-target}/release/examples/hostile" "$cases" |
    "${PYTHON:-.venv/bin/python}" tools/hostile.py

if ! command -v cargo-fuzz >/dev/null; then
    echo 'fuzz: cargo-fuzz is not installed; no coverage-guided fuzzing (cargo install cargo-fuzz)'
    exit
fi
# Without a sanitizer: they need a nightly toolchain, and look for what the core, free of `unsafe`, cannot do.
for target in run restore; do
    cargo fuzz run --fuzz-dir fuzz --sanitizer none "$target" -- \
        -max_total_time="$seconds" -timeout=20 -max_len=2000 -rss_limit_mb=4096 -print_final_stats=1
done
