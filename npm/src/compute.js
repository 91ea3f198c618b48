// From checked arguments to results. No number is computed here: parameters are checked, and bars taken, by the module.

import * as engine from "./engine.js";
import { ParameterError, SchemaError, tuple, written } from "./errors.js";

let declarations;

/** The declarations of all indicators, by name. */
export function catalog() {
  declarations ??= frozen(read(JSON.parse(engine.catalog())));
  return declarations;
}

function read(specs) {
  const positioned = specs.map(({ params, ...spec }, position) => ({ position, ...spec, parameters: params }));
  return Object.fromEntries(positioned.map((spec) => [spec.name, spec]));
}

function frozen(value) {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

/** The declaration of an indicator. */
export function find(name) {
  if (typeof name === "string" && Object.hasOwn(catalog(), name)) return catalog()[name];
  throw new ParameterError("indicator", name, `one of ${Object.keys(catalog()).join(", ")}`);
}

/** Parameters by name as the numbers that stand for them. */
export function normalise(spec, params = {}) {
  if (typeof params !== "object" || params === null || isColumn(params)) {
    throw new ParameterError("params", params, "an object of parameters by name");
  }
  return engine.normalise(spec.position, params);
}

/** First bar, from 0, at which each output can hold a value when no bar is missing. */
export function firstValid(name, params) {
  const spec = find(name);
  return results(spec, engine.firstValid(spec.position, normalise(spec, params)), { always: true });
}

/** SHA-256 of a result: its columns one after the other, as little-endian doubles. */
export function digest(result) {
  const columns = result instanceof Float64Array ? [result] : Object.values(result ?? {});
  if (!columns.length || !columns.every((column) => column instanceof Float64Array)) {
    throw new SchemaError("result", "expected a Float64Array, or an object of them");
  }
  return engine.digest(columns);
}

/** What the generated functions call: the columns of an indicator, then its parameters by name. */
export function compute(name, given) {
  const spec = find(name);
  if (given.length < spec.inputs.length) throw wrongInputs(spec, spec.inputs.slice(0, given.length));
  const [params, ...more] = given.slice(spec.inputs.length);
  if (more.length) throw new ParameterError("params", params, "the last argument");
  const numbers = normalise(spec, params);
  const inputs = asColumns(spec.inputs, given.slice(0, spec.inputs.length));
  const outputs = emptyOutputs(spec, inputs[0].length);
  const machine = new engine.Machine(spec.position, numbers);
  try {
    machine.run(inputs, outputs);
  } finally {
    machine.free();
  }
  return results(spec, outputs);
}

/** Room for the results of an indicator. */
export function emptyOutputs(spec, bars) {
  return spec.outputs.map(() => new Float64Array(bars));
}

/** Columns, or values, of an indicator as callers get them: one of them, or an object of them by name. */
export function results(spec, columns, { always = false } = {}) {
  if (columns.length === 1 && !always) return columns[0];
  return Object.fromEntries(spec.outputs.map((output, place) => [output.name, columns[place]]));
}

/** One value for each input: by position, or by name in a single object. */
export function byPosition(spec, values) {
  const [named] = values;
  if (values.length === 1 && typeof named === "object" && named !== null && !isColumn(named)) {
    for (const name of Object.keys(named)) {
      if (!spec.inputs.includes(name)) {
        throw new ParameterError(name, named[name], `given once, and one of ${spec.inputs.join(", ")}`);
      }
    }
    const names = spec.inputs.filter((name) => Object.hasOwn(named, name));
    if (names.length < spec.inputs.length) throw wrongInputs(spec, names);
    return spec.inputs.map((name) => named[name]);
  }
  if (values.length > spec.inputs.length) throw wrongInputs(spec, values);
  if (values.length < spec.inputs.length) throw wrongInputs(spec, spec.inputs.slice(0, values.length));
  return values;
}

function wrongInputs(spec, given) {
  return new ParameterError("inputs", given, `one for each of ${spec.inputs.join(", ")}`, tuple(given));
}

/** A value of a bar as a number, NaN for null. */
export function asNumber(name, value) {
  if (typeof value === "number") return value;
  if (value === null) return NaN;
  throw new ParameterError(name, value, "a number, or None where it is missing");
}

/** Columns of one length. */
export function asColumns(names, given, where = "") {
  const columns = given.map((values, place) => asColumn(names[place], values, where));
  columns.forEach((column, place) => {
    if (column.length !== columns[0].length) {
      const expected = `expected ${columns[0].length} bars, as many as ${names[0]}`;
      throw new SchemaError(names[place], `${where}${expected}, got ${column.length}`);
    }
  });
  return columns;
}

const isColumn = (value) => Array.isArray(value) || ArrayBuffer.isView(value);

function asColumn(name, values, where) {
  if (values instanceof Float64Array) return values;
  if (!isColumn(values)) throw new SchemaError(name, `${where}expected a row of numbers, got ${written(values)}`);
  if (values instanceof DataView || values instanceof BigInt64Array || values instanceof BigUint64Array) {
    throw new SchemaError(name, `${where}expected real numbers, got an array of ${values.constructor.name}`);
  }
  if (Array.isArray(values)) {
    const bar = values.findIndex((value) => typeof value !== "number" && value !== null);
    if (bar >= 0) {
      throw new SchemaError(name, `${where}expected real numbers, got ${written(values[bar])} at bar ${bar}`);
    }
    return Float64Array.from(values, (value) => value ?? NaN);
  }
  return new Float64Array(values);
}
