// Bars, comparisons, and Python's answers.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { catalog } from "../../dist/npm/indicator-cache/node.js";

const PYTHON = process.env.PYTHON ?? fileURLToPath(new URL("../../.venv/bin/python", import.meta.url));

/** A walk with gaps, made by whole numbers. */
export function walk(bars) {
  let seed = 1;
  const next = (below) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  const table = { open: [], high: [], low: [], close: [], volume: [] };
  let close = 100 * 64;
  for (let bar = 0; bar < bars; bar += 1) {
    const open = close;
    close += next(129) - 64;
    const row = { open, close, high: Math.max(open, close) + next(32), low: Math.min(open, close) - next(32), volume: next(1000) };
    for (const name of Object.keys(table)) table[name].push(bar % 97 === 50 ? NaN : row[name] / 64);
  }
  return Object.fromEntries(Object.entries(table).map(([name, values]) => [name, Float64Array.from(values)]));
}

/** The columns of a table that an indicator reads. */
export const columnsOf = (spec, table) => spec.inputs.map((name) => table[name === "x" ? "close" : name]);

/** Parameters of an indicator: the defaults, and others at hand. */
export function parameterSets(spec) {
  const short = {};
  for (const { name, kind, min, max, options, default: usual } of spec.parameters) {
    if (kind === "integer") short[name] = Math.min(Math.max(3, min), max);
    else if (kind === "choice") short[name] = options.at(-1);
    else if (kind === "flag") short[name] = !usual;
  }
  return [{}, short];
}

export const everyCase = Object.values(catalog()).flatMap((spec) => parameterSets(spec).map((params) => [spec, params]));

/** Equality of bytes. */
export function same(found, expected) {
  if (found instanceof Float64Array) {
    const bytes = (column) => Buffer.from(column.buffer, column.byteOffset, column.byteLength);
    assert.ok(expected instanceof Float64Array);
    assert.equal(bytes(found).compare(bytes(expected)), 0, "other bits");
  } else {
    assert.deepEqual(Object.keys(found), Object.keys(expected));
    for (const name of Object.keys(found)) same(found[name], expected[name]);
  }
}

/** What a Python function `answer` makes of a value, both by way of JSON. */
export function python(code, value) {
  const script = `import json, sys\nimport indicator_cache as ic\n${code}\njson.dump(answer(json.load(sys.stdin)), sys.stdout)`;
  const input = JSON.stringify(value);
  return JSON.parse(execFileSync(PYTHON, ["-c", script], { input, encoding: "utf8", maxBuffer: 2 ** 28 }));
}
