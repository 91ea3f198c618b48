// For browsers without a bundler: the module is fetched from beside this file, and compiled while it arrives.

import init from "./engine.js";

await init({ module_or_path: new URL("./engine_bg.wasm", import.meta.url) });

export * from "./all.js";
