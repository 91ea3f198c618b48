// Functions, streams and caches, swept over the catalogue.

import assert from "node:assert/strict";
import { test } from "node:test";

import * as ic from "../../dist/npm/indicator-cache/node.js";
import { columnsOf, everyCase, same, walk } from "./common.js";

const BARS = 9000;
const TABLE = walk(BARS);
const FIELDS = Object.keys(TABLE);

const cut = (table, start, end) => {
  return Object.fromEntries(Object.entries(table).map(([name, column]) => [name, column.slice(start, end)]));
};

/** A row of results, or rows of them, as columns. */
function together(spec, parts) {
  const flat = (pieces) => Float64Array.from(pieces.flatMap((piece) => (typeof piece === "number" ? [piece] : [...piece])));
  if (spec.outputs.length === 1) return flat(parts);
  return Object.fromEntries(spec.outputs.map(({ name }) => [name, flat(parts.map((part) => part[name]))]));
}

for (const [spec, params] of everyCase) {
  const label = `${spec.name} ${JSON.stringify(params)}`;
  const batch = ic[spec.name](...columnsOf(spec, TABLE), params);

  test(`${label}: a stream equals the batch`, () => {
    const stream = new ic.Stream(spec.name, params);
    const parts = [];
    const peeks = [];
    let bar = 0;
    const many = (bars) => {
      parts.push(stream.updateMany(...columnsOf(spec, cut(TABLE, bar, bar + bars))));
      bar += bars;
    };
    many(0);
    for (let one = 0; one < 300; one += 1, bar += 1) {
      const values = columnsOf(spec, TABLE).map((column) => column[bar]);
      peeks.push(stream.peek(...values));
      const named = Object.fromEntries(spec.inputs.map((name, place) => [name, values[place]]));
      parts.push(one % 2 ? stream.update(...values) : stream.update(named));
    }
    same(together(spec, peeks), together(spec, parts.slice(1)));
    many(5000);
    const copy = stream.copy();
    const restored = ic.Stream.restore(stream.save());
    assert.deepEqual(restored.params, stream.params);
    const rest = columnsOf(spec, cut(TABLE, bar, BARS));
    same(copy.updateMany(...rest), restored.updateMany(...rest));
    many(BARS - bar);
    same(together(spec, parts), batch);
    assert.equal(stream.bars, BARS);
    stream.reset();
    same(stream.updateMany(...columnsOf(spec, TABLE)), batch);
    for (const one of [stream, copy, restored]) one.free();
  });

  test(`${label}: a cache that grows equals the batch`, () => {
    const cache = new ic.IndicatorCache({ M1: { bid: cut(TABLE, 0, 4000) } });
    const first = cache[spec.name]("M1", "bid", params);
    const before = ic[spec.name](...columnsOf(spec, cut(TABLE, 0, 4000)), params);
    same(first, before);
    assert.equal(cache.get("M1", "bid", spec.name, params), first, "the same object");
    const bar = Object.fromEntries(FIELDS.map((name) => [name, TABLE[name][4000]]));
    const peeked = cache.peek({ M1: { bid: bar } });
    const upTo = (bars) => ic[spec.name](...columnsOf(spec, cut(TABLE, 0, bars)), params);
    same(peeked.view("M1", "bid")[spec.name](params), upTo(4001));
    cache.append({ M1: { bid: bar } });
    same(cache[spec.name]("M1", "bid", params), upTo(4001));
    // Now there is room behind the columns, which a peek must not use.
    const otherBar = Object.fromEntries(FIELDS.map((name) => [name, TABLE[name][10]]));
    const other = cache.peek({ M1: { bid: otherBar } });
    const withOther = Object.fromEntries(FIELDS.map((name) => [name, Float64Array.of(...TABLE[name].subarray(0, 4001), otherBar[name])]));
    const expected = ic[spec.name](...columnsOf(spec, withOther), params);
    const early = other[spec.name]("M1", "bid", params);
    cache.append({ M1: { bid: cut(TABLE, 4001, 4003) } });
    cache.append({ M1: { bid: cut(TABLE, 4003, BARS) } });
    same(cache[spec.name]("M1", "bid", params), batch);
    same(early, expected);
    other.clear();
    same(other[spec.name]("M1", "bid", params), expected);
    same(first, before);
    same(peeked[spec.name]("M1", "bid", params), upTo(4001));
    assert.equal(cache.length, BARS);
    const { hits, misses, entries } = cache.stats();
    assert.deepEqual({ hits, misses, entries }, { hits: 3, misses: 1, entries: 1 });
  });

  test(`${label}: first bars with a value`, () => {
    assert.deepEqual(Object.keys(ic.firstValid(spec.name, params)), spec.outputs.map(({ name }) => name));
    const rising = Object.fromEntries(FIELDS.map((name) => [name, TABLE[name].map((_, bar) => 100 + bar + (bar % 3))]));
    rising.high = rising.high.map((high) => high + 1);
    const columns = ic[spec.name](...columnsOf(spec, rising), params);
    for (const [name, first] of Object.entries(ic.firstValid(spec.name, params))) {
      const column = spec.outputs.length === 1 ? columns : columns[name];
      assert.equal(column.findIndex((value) => !Number.isNaN(value)), first);
    }
  });
}

test("defaults written out are the same key", () => {
  const cache = new ic.IndicatorCache({ M1: { bid: TABLE } });
  const held = cache.ema("M1", "bid");
  assert.equal(cache.ema("M1", "bid", { source: "close", period: 20 }), held);
  assert.equal(cache.view("M1", "bid").get("ema", { period: undefined }), held);
  assert.notEqual(cache.ema("M1", "bid", { source: "high" }), held);
  assert.equal(cache.garch_volatility("M1", "bid", { omega: null }), cache.garch_volatility("M1", "bid"));
});

test("max_bytes drops the least recently used", () => {
  const cache = new ic.IndicatorCache({ M1: { bid: TABLE } }, { maxBytes: 2 * 8 * BARS });
  const ema = cache.ema("M1", "bid");
  cache.sma("M1", "bid");
  cache.ema("M1", "bid");
  cache.roc("M1", "bid");
  assert.equal(cache.ema("M1", "bid"), ema);
  assert.deepEqual(cache.stats(), { hits: 2, misses: 3, evictions: 1, entries: 2, bytes: 16 * BARS, maxBytes: 16 * BARS });
  const macd = cache.macd("M1", "bid");
  assert.equal(macd.signal.length, BARS, "too large to be kept, but handed out");
  assert.equal(cache.stats().entries, 2);
  cache.clear();
  assert.deepEqual(cache.stats(), { hits: 0, misses: 0, evictions: 0, entries: 0, bytes: 0, maxBytes: 16 * BARS });
});

test("bars are copied, and valid is heeded", () => {
  const close = Float64Array.of(1, 2, 3);
  const cache = new ic.IndicatorCache({ M1: { bid: { close, valid: [true, false, true] } } });
  close.fill(0);
  same(cache.sma("M1", "bid", { period: 1 }), Float64Array.of(1, NaN, 3));
  cache.append({ M1: { bid: { close: 4, valid: false } } });
  same(cache.sma("M1", "bid", { period: 1 }), Float64Array.of(1, NaN, 3, NaN));
});

test("a refused append changes nothing", () => {
  const cache = new ic.IndicatorCache({ M1: { bid: { close: [1, 2] }, ask: { close: [2, 3] } } });
  const held = cache.ema("M1", "bid");
  const refused = [
    { M1: { bid: { close: 3 } } },
    { M1: { bid: { close: 3 }, ask: { close: [3, 4] } } },
    { M1: { bid: { close: 3 }, ask: { close: "4" } } },
    { M1: { bid: { close: 3 }, ask: { open: 4 } } },
  ];
  for (const bars of refused) assert.throws(() => cache.append(bars), ic.SchemaError);
  assert.equal(cache.ema("M1", "bid"), held);
  assert.equal(cache.length, 2);
});

test("columns of all kinds", () => {
  const expected = ic.ema(Float64Array.of(1, 2, 3));
  for (const column of [[1, 2, 3], Float32Array.of(1, 2, 3), Int8Array.of(1, 2, 3), Uint32Array.of(1, 2, 3)]) {
    same(ic.ema(column), expected);
  }
  same(ic.ema([null, 2, null]), ic.ema([NaN, 2, NaN]));
  same(ic.ema(Float64Array.of(9, 1, 2, 3).subarray(1)), expected);
  same(ic.ema([]), new Float64Array());
  for (const column of ["123", 1, null, undefined, { 0: 1 }, ["1"], [true], [1n], [undefined], [, 1], BigInt64Array.of(1n)]) {
    assert.throws(() => ic.ema(column), ic.SchemaError, String(column));
  }
});

test("errors can be told apart", () => {
  const classes = ["BackendError", "ParameterError", "SchemaError", "StateError", "UnknownSeriesError"];
  for (const name of classes) {
    assert.ok(ic[name].prototype instanceof ic.IndicatorCacheError);
    assert.equal(ic[name].prototype.name, name);
  }
  assert.throws(() => ic.ema([1], { period: 0 }), { parameter: "period", given: 0, name: "ParameterError" });
  const thrown = (() => {
    try {
      return ic.ema([1], { period: "x" });
    } catch (error) {
      return error;
    }
  })();
  assert.ok(thrown instanceof ic.ParameterError && thrown instanceof Error);
  assert.match(thrown.stack, /ParameterError: period must be/);
});

test("the catalogue cannot be changed", () => {
  assert.throws(() => (ic.catalog().ema.parameters[0].default = 3), TypeError);
  assert.equal(ic.catalog(), ic.catalog());
  for (const name of Object.keys(ic.catalog())) {
    assert.equal(typeof ic[name], "function");
    assert.equal(typeof ic.IndicatorCache.prototype[name], "function");
    assert.equal(typeof ic.SeriesView.prototype[name], "function");
  }
});
