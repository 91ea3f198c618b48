// Does the plan that `tools/golden.py export` writes with the WebAssembly module, in whatever engine Node has, and
// prints a digest of every run.

import { results } from "./raw_module.mjs";

const folder = process.argv[2];
if (folder === undefined) throw new Error("usage: node golden.mjs FOLDER");

for (const result of results(folder)) console.log(...result);
