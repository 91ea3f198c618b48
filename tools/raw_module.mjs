// The plan that `tools/golden.py export` writes, and the WebAssembly module without imports doing it, in whatever engine
// Node has. No packages: the module exports one function and its memory; crates/wasm/src/lib.rs tells how to call it.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const MODULE = new URL("../python/indicator_cache/_wasm/indicator.wasm", import.meta.url);
const FIELDS = ["open", "high", "low", "close", "volume"];
const [ALLOCATE, FREE, CATALOG, CREATE, RUN, DROP] = [0, 1, 2, 3, 4, 5];
const WORDS = 16;

const { instance } = await WebAssembly.instantiate(readFileSync(MODULE), {});
const { call, memory } = instance.exports;

// Views are made anew for each use: they die when the memory grows. Addresses come back signed.
const bytesAt = (address, length) => new Uint8Array(memory.buffer, address, length);
const wordsAt = (address, count) => new DataView(memory.buffer, address, 4 * count);

function allocate(length) {
  const address = call(ALLOCATE, length) >>> 0;
  if (address === 0) throw new Error(`no memory for ${length} bytes`);
  return address;
}

function put(bytes) {
  const address = allocate(Math.max(bytes.length, 8));
  bytesAt(address, bytes.length).set(bytes);
  return address;
}

const block = allocate(4 * WORDS);

function word(place) {
  return wordsAt(block, WORDS).getUint32(4 * place, true);
}

function answer() {
  return new TextDecoder().decode(bytesAt(word(0), word(1)));
}

function operate(operation, ...words) {
  const view = wordsAt(block, WORDS);
  words.forEach((value, place) => view.setUint32(4 * place, value, true));
  if (call(operation, block) !== 0) throw new Error(answer());
}

operate(CATALOG);

const catalog = JSON.parse(answer());

function digest(position, spec, params, { addresses, bars }) {
  const numbers = new DataView(new ArrayBuffer(8 * params.length));
  params.forEach((value, place) => numbers.setFloat64(8 * place, value, true));
  const parameters = put(new Uint8Array(numbers.buffer));
  operate(CREATE, position, parameters, params.length);
  const handle = word(0);
  const inputs = spec.inputs.map((name) => addresses[FIELDS.indexOf(name === "x" ? "close" : name)]);
  const outputs = spec.outputs.map(() => allocate(Math.max(8 * bars, 8)));
  operate(RUN, handle, bars, ...inputs, ...outputs);
  const hash = createHash("sha256");
  for (const address of outputs) hash.update(bytesAt(address, 8 * bars));
  operate(DROP, handle);
  for (const address of [parameters, ...outputs]) call(FREE, address);
  return hash.digest("hex");
}

/** The plan in a folder: runs, and data sets with the bytes of each column by name. */
export function readPlan(folder) {
  const lines = readFileSync(join(folder, "plan.txt"), "utf8").trimEnd().split("\n").map((line) => line.split(" "));
  const runs = lines.filter(([kind]) => kind === "run").map(([, name, number, ...words]) => {
    return { name, number, params: words.map(Number) };
  });
  const sets = lines.filter(([kind]) => kind === "data").map(([, name]) => {
    const bytes = readFileSync(join(folder, `${name}.f64`));
    const size = bytes.length / FIELDS.length;
    const columns = FIELDS.map((field, place) => [field, bytes.subarray(place * size, (place + 1) * size)]);
    return { name, bars: size / 8, columns: Object.fromEntries(columns) };
  });
  return { runs, sets };
}

/** Yields indicator, number, data set and digest of every run. */
export function* results(folder) {
  const { runs, sets } = readPlan(folder);
  const held = sets.map((set) => ({ ...set, addresses: FIELDS.map((field) => put(set.columns[field])) }));
  for (const { name, number, params } of runs) {
    const position = catalog.findIndex((spec) => spec.name === name);
    for (const set of held) yield [name, number, set.name, digest(position, catalog[position], params, set)];
  }
}
