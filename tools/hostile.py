"""Run hostile cases as WebAssembly and compare with what native code gave.

Reads the lines that ``cargo run --release --example hostile -- CASES`` prints, runs the same cases
in wasmtime, and fails when a digest differs, or when the module traps or takes unreasonably long.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import wasmtime

MODULE = Path("target/wasm/wasm32-unknown-unknown/release/examples/hostile.wasm")

#: Cases in a call, so that a failure is found within so many.
CASES_PER_CALL = 10_000

#: Instructions, about, that a case may take on average: a thousand times less is enough for most,
#: but windows of a million bars, saved and loaded, come in clusters. A kernel that hangs runs out
#: of it.
FUEL_PER_CASE = 20_000_000

WORD = 1 << 64


def sweep(engine: wasmtime.Engine, module: wasmtime.Module, kernel: int, cases: int) -> int:
    """Run so many cases of the kernel at an index; return the sum of their digests."""
    total = 0
    store = wasmtime.Store(engine)
    hostile: Any = wasmtime.Instance(store, module, []).exports(store)["hostile"]
    for first in range(0, cases, CASES_PER_CALL):
        count = min(CASES_PER_CALL, cases - first)
        store.set_fuel(FUEL_PER_CASE * count)
        try:
            total += int(hostile(store, kernel, first, count))
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            sys.exit(
                f"kernel {kernel}, cases {first} to {first + count - 1}: {error}\n"
                f"if native code fails too, it says why: "
                f"cargo run --example hostile -- {count} {first}"
            )
    return total % WORD


def main() -> None:
    config = wasmtime.Config()
    config.consume_fuel = True
    engine = wasmtime.Engine(config)
    module = wasmtime.Module.from_file(engine, str(MODULE))
    native: dict[tuple[int, str, int], set[str]] = {}
    for line in sys.stdin:
        print(line, end="", flush=True)
        kernel, name, _, cases, digest, _ = line.split()
        native.setdefault((int(kernel), name, int(cases)), set()).add(digest)
    if not native:
        sys.exit("native code gave nothing to compare with")
    different = []
    for (kernel, name, cases), digests in native.items():
        start = time.perf_counter()
        digest = f"{sweep(engine, module, kernel, cases):016x}"
        seconds = time.perf_counter() - start
        print(f"{kernel} {name} wasm {cases} {digest} {seconds:.1f}", flush=True)
        if digests != {digest}:
            different.append(name)
    if different:
        sys.exit(f"the digests differ: {', '.join(different)}")


if __name__ == "__main__":
    main()
