// The package beside Python: the catalogue, states saved on one side and restored on the other, texts of errors.

import assert from "node:assert/strict";
import { test } from "node:test";

import * as ic from "../../dist/npm/indicator-cache/node.js";
import { columnsOf, everyCase, python, same, walk } from "./common.js";

const BARS = 700;
const TABLE = walk(2 * BARS);

const first = (column) => column.subarray(0, BARS);
const second = (column) => column.subarray(BARS);

const base64 = (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");

/** A value that JSON cannot carry, as Python reads it. */
const encoded = (value) => (typeof value === "number" && !Number.isFinite(value) ? { float: String(value) } : value);

const COMMON = `
import base64, hashlib
import numpy as np

def plain(value):
    return float(value["float"].lower()) if isinstance(value, dict) else value

def columns(texts):
    return [np.frombuffer(base64.b64decode(text), "<f8") for text in texts]

def text_of(call):
    try:
        call()
    except ic.IndicatorCacheError as error:
        return f"{type(error).__name__}: {error}"
    return "no error"
`;

function textOf(call) {
  try {
    call();
  } catch (error) {
    if (!(error instanceof ic.IndicatorCacheError)) throw error;
    return `${error.name}: ${error.message}`;
  }
  return "no error";
}

test("the catalogue is Python's", () => {
  const code = `
def answer(_):
    def read(spec):
        fields = {key: value for key, value in spec._asdict().items() if key not in {"parameters", "rules", "outputs", "window_of"}}
        return fields | {
            "parameters": [p._asdict() for p in spec.parameters],
            "rules": [{"param": r.parameter, "text": r.text} for r in spec.rules],
            "outputs": [
                {"name": o.name, "summary": o.summary, "first_valid": o.first_valid, "accuracy": o.accuracy._asdict()}
                for o in spec.outputs
            ],
        }
    return {name: read(spec) for name, spec in ic.catalog().items()}
`;
  const expected = python(code, null);
  const found = JSON.parse(JSON.stringify(ic.catalog()));
  for (const spec of Object.values(expected)) {
    for (const parameter of spec.parameters) {
      // Python has these for all parameters, with a meaning for some.
      if (["choice", "flag"].includes(parameter.kind)) delete parameter.min, delete parameter.max;
      if (parameter.kind !== "choice") delete parameter.options;
    }
  }
  assert.deepEqual(found, expected);
});

test("states go from JavaScript to Python and back, and digests are Python's", () => {
  const cases = everyCase.map(([spec, params]) => {
    const stream = new ic.Stream(spec.name, params);
    stream.updateMany(...columnsOf(spec, TABLE).map(first));
    return {
      name: spec.name,
      params,
      state: base64(stream.save()),
      first: columnsOf(spec, TABLE).map((column) => base64(first(column))),
      second: columnsOf(spec, TABLE).map((column) => base64(second(column))),
    };
  });
  const code = `${COMMON}
def answer(cases):
    def one(case):
        mine = ic.stream(case["name"], **case["params"])
        mine.update_many(*columns(case["first"]))
        state = mine.save()
        result = ic.restore(base64.b64decode(case["state"])).update_many(*columns(case["second"]))
        return {
            "same": state == base64.b64decode(case["state"]),
            "state": base64.b64encode(state).decode(),
            "digest": hashlib.sha256(np.concatenate(np.atleast_2d(result))).hexdigest(),
        }
    return [one(case) for case in cases]
`;
  const answers = python(code, cases);
  everyCase.forEach(([spec, params], place) => {
    const { same: same_state, state, digest } = answers[place];
    assert.ok(same_state, `${spec.name}: the same bars give the same state`);
    const restored = ic.restore(Buffer.from(state, "base64"));
    assert.equal(restored.name, spec.name);
    const mine = restored.updateMany(...columnsOf(spec, TABLE).map(second));
    assert.equal(ic.digest(mine), digest, spec.name);
    const whole = ic[spec.name](...columnsOf(spec, TABLE), params);
    const tail = spec.outputs.length === 1 ? second(whole) : Object.fromEntries(Object.entries(whole).map(([name, column]) => [name, second(column)]));
    same(mine, tail);
  });
});

// --- texts of errors ---

/** Values that parameters are tried with. */
const VALUES = [
  0, -1, 1, 3, 2.5, -0.5, 1e-7, -1e-13, 1e300, 2 ** 40, 1000001, 2 ** 52 + 0.5, NaN, Infinity, -Infinity, true, false, null,
  "", "ema", "rolling", "Ema", "it's", 'say "it\'s"', "tab\tnew\nline\\", "20", [], [20], [1.5, null, "a"],
];

const texts = (cases, code, call) => {
  const expected = python(`${COMMON}${code}`, cases.map((one) => one.map(encoded)));
  cases.forEach((one, place) => assert.equal(textOf(() => call(...one)), expected[place], JSON.stringify(one)));
  return new Set(expected).size;
};

test("parameters are refused in the same words", () => {
  const cases = Object.values(ic.catalog()).flatMap((spec) => [
    ...spec.parameters.flatMap(({ name }) => VALUES.map((value) => [spec.name, name, value])),
    [spec.name, "nonsense", 1],
  ]);
  const code = `
def answer(cases):
    return [text_of(lambda: ic.stream(name, **{parameter: plain(value)})) for name, parameter, value in cases]
`;
  const several = texts(cases, code, (name, parameter, value) => new ic.Stream(name, { [parameter]: value }).free());
  assert.ok(several > 100, `${several} texts`);
});

test("rules are refused in the same words", () => {
  const pairs = [0, 0.5, 0.9, 1, 1e-7];
  const ruled = Object.values(ic.catalog()).filter(({ rules }) => rules.length);
  const cases = ruled.flatMap(({ name, parameters }) => {
    const names = parameters.filter(({ kind }) => kind === "float").map((parameter) => parameter.name);
    return names.flatMap((one) => names.flatMap((other) => pairs.flatMap((x) => pairs.map((y) => [name, one, x, other, y]))));
  });
  assert.ok(cases.length > 100);
  const code = `
def answer(cases):
    return [text_of(lambda: ic.stream(name, **{a: x, b: y})) for name, a, x, b, y in cases]
`;
  texts(cases, code, (name, a, x, b, y) => new ic.Stream(name, { [a]: x, [b]: y }).free());
});

test("indicators are refused in the same words", () => {
  const code = `
def answer(cases):
    return [text_of(lambda: ic.stream(name)) for name, in cases]
`;
  texts([["EMA"], [""], [null], [3], ["constructor"], ["__proto__"]], code, (name) => new ic.Stream(name).free());
});

test("values of streams are refused in the same words", () => {
  const cases = [
    ["ema", ["1"]], ["ema", [true]], ["ema", []], ["ema", [1, 2]], ["ema", [[1]]], ["ema", [1]], ["ema", [null]],
    ["atr", [1, 2]], ["atr", [1, 2, 3, 4.5]], ["atr", [1, "2", 3]], ["atr", [1, 2, false]], ["atr", []], ["atr", [3, 1, null]],
  ];
  const code = `
def answer(cases):
    return [text_of(lambda: ic.stream(name).update(*values)) for name, values in cases]
`;
  texts(cases, code, (name, values) => new ic.Stream(name).update(...values));
  const named = [["atr", { high: 1 }], ["atr", { high: 1, low: 1, close: 1, open: 1 }], ["atr", { high: 1, close: "x", low: 1 }], ["ema", { y: 1 }]];
  const namedCode = `
def answer(cases):
    return [text_of(lambda: ic.stream(name).update(**values)) for name, values in cases]
`;
  texts(named, namedCode, (name, bar) => new ic.Stream(name).update(bar));
});

test("states are refused in the same words", () => {
  const stream = new ic.Stream("ema", { period: 3 });
  stream.updateMany([1, 2, 3, 4]);
  const state = stream.save();
  const cases = [];
  for (let end = 0; end < state.length; end += 1) cases.push([base64(state.slice(0, end))]);
  for (let place = 0; place < state.length; place += 1) {
    const damaged = state.slice();
    damaged[place] ^= 1;
    cases.push([base64(damaged)]);
    cases.push([base64(sealed(damaged))]);
  }
  cases.push([base64(sealed(Uint8Array.of(...state.slice(0, -4), 0, 0, 0, 0, 0)))]);
  const code = `
def answer(cases):
    return [text_of(lambda: ic.restore(base64.b64decode(state))) for state, in cases]
`;
  const several = texts(cases, code, (text) => ic.restore(new Uint8Array(Buffer.from(text, "base64"))).free());
  assert.ok(several > 5, `${several} texts`);
  for (const [state, kind] of [["x", "str"], [3, "int"], [1.5, "float"], [null, "NoneType"], [[1], "list"]]) {
    assert.throws(() => ic.restore(state), { message: `not a usable saved state: expected bytes, got ${kind}` });
  }
});

/** The same with a right checksum: CRC-32, as in zlib. */
function sealed(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes.subarray(0, -4)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  const copy = bytes.slice();
  new DataView(copy.buffer).setUint32(copy.length - 4, ~crc, true);
  return copy;
}

test("caches refuse in the same words", () => {
  const bars = { M1: { bid: { close: [1, 2, 3] }, ask: { high: [1, 2, 3], close: [2, 3, 4] } } };
  const get = [
    ["M5", "bid", "ema", {}], ["M1", "mid", "ema", {}], ["M1", "bid", "nonsense", {}], ["M1", "bid", "ema", { period: 0 }],
    ["M1", "bid", "ema", { source: "high" }], ["M1", "bid", "ema", { source: "typical" }], ["M1", "bid", "ema", { source: 3 }],
    ["M1", "ask", "atr", {}], ["M1", "ask", "atr", { source: "close" }], ["M1", "ask", "ema", { source: "high" }],
    ["M1", "bid", "ema", { window: 3 }],
  ];
  const getCode = `
def answer(cases):
    cache = ic.IndicatorCache(${JSON.stringify(bars)})
    return [text_of(lambda: cache.get(tf, pt, name, **options)) for tf, pt, name, options in cases]
`;
  const cache = new ic.IndicatorCache(bars);
  texts(get, getCode, (...given) => cache.get(...given));
  const append = [
    [{}], [{ M1: { bid: { close: 4 } } }], [{ M5: { bid: { close: 4 } } }], [{ M1: { mid: { close: 4 } } }],
    [{ M1: { bid: { close: 4 }, ask: { close: 5 } } }],
    [{ M1: { bid: { close: 4 }, ask: { close: [5, 6], high: [5, 6] } } }],
    [{ M1: { bid: { close: 4 }, ask: { close: [5, 6], high: 5 } } }],
  ];
  const appendCode = `
def answer(cases):
    cache = ic.IndicatorCache(${JSON.stringify(bars)})
    return [text_of(lambda: cache.append(bars)) for bars, in cases]
`;
  texts(append, appendCode, (more) => cache.append(more));
  const peekCode = appendCode.replace("cache.append", "cache.peek");
  texts([[{ M1: { bid: { close: [4, 5] }, ask: { high: [4, 5], close: [4, 5] } } }]], peekCode, (more) => cache.peek(more));
  const make = [
    [{ M1: { bid: { x: [1] } } }], [{ M1: { bid: {} } }], [{ M1: { bid: { close: [1], open: [1, 2] } } }],
    [{ M1: { bid: { close: [1] } }, H1: { bid: { close: [1, 2] } } }],
  ];
  const makeCode = `
def answer(cases):
    return [text_of(lambda: ic.IndicatorCache(bars)) for bars, in cases]
`;
  texts(make, makeCode, (table) => new ic.IndicatorCache(table));
  const boundCode = `
def answer(cases):
    return [text_of(lambda: ic.IndicatorCache({}, max_bytes=plain(bound))) for bound, in cases]
`;
  texts([[-1], ["1"], [1.5], [true], [0], [null], [NaN]], boundCode, (maxBytes) => new ic.IndicatorCache({}, { maxBytes }));
});

test("columns of other lengths are refused in the same words", () => {
  const code = `
def answer(cases):
    return [text_of(lambda: ic.atr(*given)) for *given, in cases]
`;
  texts([[[1, 2], [1, 2], [1]], [[1], [1, 2], [1]], [[1], [1], [1]]], code, (...given) => ic.atr(...given));
});
