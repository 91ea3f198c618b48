// The golden digests of the Python tests, by the package and by the module without imports.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

import * as raw from "../../tools/raw_module.mjs";
import * as engine from "../../dist/npm/indicator-cache/engine.js";
import * as ic from "../../dist/npm/indicator-cache/node.js";

// Written by `make test-js`.
const FOLDER = fileURLToPath(new URL("../../target/golden", import.meta.url));
const RECORD = JSON.parse(readFileSync(new URL("../../tests/golden/digests.json", import.meta.url), "utf8"));

const { runs, sets } = raw.readPlan(FOLDER);

/** Columns of doubles, from bytes that may begin anywhere. */
const doubles = (bytes) => new Float64Array(Uint8Array.from(bytes).buffer);

function* ofThePackage() {
  const tables = sets.map(({ name, columns }) => {
    return [name, Object.fromEntries(Object.entries(columns).map(([field, bytes]) => [field, doubles(bytes)]))];
  });
  for (const { name, number, params } of runs) {
    const spec = ic.catalog()[name];
    const named = engine.named(spec.position, Float64Array.from(params));
    for (const [set, table] of tables) {
      const columns = spec.inputs.map((input) => table[input === "x" ? "close" : input]);
      yield [name, number, set, ic.digest(ic[name](...columns, named))];
    }
  }
}

/** One digest for each indicator and data set, as the record has them. */
function gathered(results) {
  const texts = {};
  for (const [name, number, set, digest] of results) {
    texts[name] ??= {};
    texts[name][set] = `${texts[name][set] ?? ""}${number} ${digest}\n`;
  }
  return texts;
}

function recorded(texts, name, set) {
  return createHash("sha256").update(texts[name]?.[set] ?? "").digest("hex");
}

for (const [label, results] of [
  ["the package", ofThePackage],
  ["the module without imports", () => raw.results(FOLDER)],
]) {
  test(`golden digests of ${label}`, async (t) => {
    const texts = gathered(results());
    assert.deepEqual(Object.keys(texts), Object.keys(RECORD.indicators));
    for (const [name, { digests }] of Object.entries(RECORD.indicators)) {
      await t.test(name, () => {
        const found = Object.keys(digests).map((set) => [set, recorded(texts, name, set)]);
        assert.deepEqual(Object.fromEntries(found), digests);
      });
    }
  });
}
