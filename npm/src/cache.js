// One cache of indicators over several timeframes and both sides of the book.

import * as engine from "./engine.js";
import { asColumns, emptyOutputs, find, normalise, results } from "./compute.js";
import { ParameterError, SchemaError, UnknownSeriesError, written } from "./errors.js";
import { CacheMethods, ViewMethods } from "./functions.js";

const FIELDS = ["open", "high", "low", "close", "volume"];

export class IndicatorCache extends CacheMethods {
  #bars;
  #maxBytes;
  #series;
  /** Results by key, the least recently used first. */
  #entries = new Map();
  #counts = { hits: 0, misses: 0, evictions: 0 };
  /** The cache that this one has a bar more than, and its series as they were. */
  #before;

  constructor(bars, { maxBytes = null } = {}) {
    super();
    if (maxBytes !== null && !(Number.isSafeInteger(maxBytes) && maxBytes >= 0)) {
      throw new ParameterError("max_bytes", maxBytes, "a whole number of bytes, or None");
    }
    this.#maxBytes = maxBytes;
    this.#series = bars instanceof Peeked ? bars.series : readAll(bars);
    this.#before = bars instanceof Peeked ? bars.before : null;
    this.#bars = [...every(this.#series)][0]?.[2].bars ?? 0;
  }

  get length() {
    return this.#bars;
  }

  get timeframes() {
    return [...this.#series.keys()];
  }

  priceTypes(tf) {
    return [...this.#sides(tf).keys()];
  }

  view(tf, pt) {
    this.#find(tf, pt);
    return new SeriesView(this, tf, pt);
  }

  get(tf, pt, name, { source, ...params } = {}) {
    const spec = find(name);
    const numbers = normalise(spec, params);
    const anySeries = spec.inputs[0] === "x";
    if (source !== undefined && !anySeries) {
      throw new ParameterError("source", source, `left out: ${name} has inputs of its own`);
    }
    const column = source ?? "close";
    if (!FIELDS.includes(column)) throw new ParameterError("source", column, `one of ${FIELDS.join(", ")}`);
    this.#find(tf, pt);
    const key = JSON.stringify([spec.position, tf, pt, anySeries ? column : "", ...numbers]);
    let entry = this.#entries.get(key);
    if (entry) {
      this.#counts.hits += 1;
      this.#entries.delete(key);
      this.#entries.set(key, entry);
    } else {
      entry = this.#computed(key, spec, numbers, tf, pt, column);
      this.#counts.misses += 1;
      this.#keep(key, entry);
    }
    return entry.result;
  }

  append(bars) {
    const batches = readNext(this.#series, bars);
    for (const [tf, pt, series] of every(this.#series)) {
      const longer = series.extended(batches.get(tf).get(pt));
      this.#series.get(tf).set(pt, longer);
      this.#bars = longer.bars;
    }
    const entries = [...this.#entries];
    this.#entries.clear();
    for (const [key, entry] of entries) {
      entry.extend(this.#find(entry.tf, entry.pt));
      this.#keep(key, entry);
    }
  }

  peek(bars) {
    const batches = readNext(this.#series, bars);
    const series = mapped(this.#series, (one, tf, pt) => {
      const batch = batches.get(tf).get(pt);
      if (batch.bars !== 1) throw new SchemaError("bars", "expected exactly one bar for every series");
      return one.joined(batch);
    });
    const before = { cache: this, bars: this.#bars };
    return new IndicatorCache(new Peeked(series, before), { maxBytes: this.#maxBytes });
  }

  stats() {
    const entries = [...this.#entries.values()];
    const bytes = entries.reduce((sum, entry) => sum + entry.size, 0);
    return { ...this.#counts, entries: entries.length, bytes, maxBytes: this.#maxBytes };
  }

  clear() {
    for (const entry of this.#entries.values()) entry.free();
    this.#entries.clear();
    this.#counts = { hits: 0, misses: 0, evictions: 0 };
  }

  #computed(key, spec, numbers, tf, pt, source) {
    const series = this.#find(tf, pt);
    if (this.#before?.cache.#bars === this.#before?.bars) {
      const held = this.#before?.cache.#entries.get(key);
      if (held) return held.peeked(series);
    }
    return Entry.computed(spec, numbers, tf, pt, source, series);
  }

  #keep(key, entry) {
    const bound = this.#maxBytes ?? Infinity;
    if (entry.size > bound) {
      entry.free();
      return;
    }
    this.#entries.set(key, entry);
    while (this.stats().bytes > bound) {
      const [oldest, dropped] = this.#entries.entries().next().value;
      this.#entries.delete(oldest);
      dropped.free();
      this.#counts.evictions += 1;
    }
  }

  #sides(tf) {
    const sides = this.#series.get(tf);
    if (!sides) throw new UnknownSeriesError("timeframe", tf, this.timeframes);
    return sides;
  }

  #find(tf, pt) {
    const sides = this.#sides(tf);
    const series = sides.get(pt);
    if (!series) throw new UnknownSeriesError(`price type of ${written(tf)}`, pt, [...sides.keys()]);
    return series;
  }
}

export class SeriesView extends ViewMethods {
  #cache;
  #tf;
  #pt;

  constructor(cache, tf, pt) {
    super();
    this.#cache = cache;
    this.#tf = tf;
    this.#pt = pt;
  }

  get length() {
    return this.#cache.length;
  }

  get(name, options) {
    return this.#cache.get(this.#tf, this.#pt, name, options);
  }
}

/** Series for a cache that has a bar more than another. */
class Peeked {
  constructor(series, before) {
    this.series = series;
    this.before = before;
  }
}

/**
 * The first values of a buffer, with room for more behind them. Appending writes only behind the values, so that
 * views of them stay as they are.
 */
class Growing {
  constructor(buffer, length = buffer.length) {
    this.buffer = buffer;
    this.length = length;
  }

  view() {
    return this.buffer.subarray(0, this.length);
  }

  extended(values) {
    const length = this.length + values.length;
    let { buffer } = this;
    if (length > buffer.length) {
      buffer = new Float64Array(Math.max(length, 2 * buffer.length));
      buffer.set(this.view());
    }
    buffer.set(values, this.length);
    return new Growing(buffer, length);
  }

  /** The same without touching this one's buffer. */
  joined(values) {
    const buffer = new Float64Array(this.length + values.length);
    buffer.set(this.view());
    buffer.set(values, this.length);
    return new Growing(buffer);
  }
}

/** All bars of one series so far. */
class Series {
  constructor(label, columns, bars) {
    this.label = label;
    this.columns = columns;
    this.bars = bars;
  }

  static read(label, table) {
    const names = FIELDS.filter((name) => Object.hasOwn(table, name));
    if (!names.length) {
      const known = Object.keys(table).join(", ") || "none";
      throw new SchemaError(label, `expected columns among ${FIELDS.join(", ")}; got: ${known}`);
    }
    const { bars, columns } = readTable(label, table, names);
    return new Series(label, new Map(names.map((name) => [name, new Growing(columns.get(name))])), bars);
  }

  column(name) {
    const column = this.columns.get(name);
    if (column) return column.view();
    const known = [...this.columns.keys()].join(", ");
    throw new SchemaError(name, `the bars of ${this.label} have no such column; they have: ${known}`);
  }

  next(table) {
    for (const name of this.columns.keys()) {
      if (!Object.hasOwn(table, name)) throw new SchemaError(name, `missing in the next bars of ${this.label}`);
    }
    // A bar, as well as columns of them.
    const row = Object.fromEntries(
      Object.entries(table).map(([name, value]) => [name, typeof value === "object" && value !== null ? value : [value]]),
    );
    return readTable(this.label, row, [...this.columns.keys()]);
  }

  extended(batch) {
    return this.#longer(batch, (column, values) => column.extended(values));
  }

  joined(batch) {
    return this.#longer(batch, (column, values) => column.joined(values));
  }

  #longer(batch, join) {
    const columns = [...this.columns].map(([name, column]) => [name, join(column, batch.columns.get(name))]);
    return new Series(this.label, new Map(columns), this.bars + batch.bars);
  }
}

/** Columns of a table, as copies: what the caller does to them later must not change results. */
function readTable(label, table, names) {
  const where = `${label}: `;
  const columns = asColumns(names, names.map((name) => table[name]), where).map((column) => column.slice());
  const bars = columns[0].length;
  if (Object.hasOwn(table, "valid")) {
    const { valid } = table;
    if (!Array.isArray(valid) || valid.length !== bars || !valid.every((flag) => typeof flag === "boolean")) {
      throw new SchemaError("valid", `${where}expected ${bars} booleans`);
    }
    for (const column of columns) valid.forEach((flag, bar) => flag || (column[bar] = NaN));
  }
  return { bars, columns: new Map(names.map((name, place) => [name, columns[place]])) };
}

/** A result with the state machine that goes on from it. */
class Entry {
  #columns;
  #inputs;
  #machine;
  #spec;

  constructor(spec, inputs, tf, pt, machine, columns) {
    this.#spec = spec;
    this.#inputs = inputs;
    this.#machine = machine;
    this.tf = tf;
    this.pt = pt;
    this.#hold(columns);
  }

  static computed(spec, numbers, tf, pt, source, series) {
    const names = spec.inputs.map((name) => (name === "x" ? source : name));
    const inputs = names.map((name) => series.column(name));
    const outputs = emptyOutputs(spec, series.bars);
    const machine = new engine.Machine(spec.position, numbers);
    machine.run(inputs, outputs);
    return new Entry(spec, names, tf, pt, machine, outputs.map((column) => new Growing(column)));
  }

  get size() {
    return this.#columns.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  }

  /** Takes the bars that the series has more. */
  extend(series) {
    const more = this.#continued(this.#machine, series);
    this.#hold(this.#columns.map((column, place) => column.extended(more[place])));
  }

  /** The same for a series with more bars; this entry stays as it is. */
  peeked(series) {
    const machine = this.#machine.copy();
    const more = this.#continued(machine, series);
    const columns = this.#columns.map((column, place) => column.joined(more[place]));
    return new Entry(this.#spec, this.#inputs, this.tf, this.pt, machine, columns);
  }

  free() {
    this.#machine.free();
  }

  #continued(machine, series) {
    const since = this.#columns[0].length;
    const outputs = emptyOutputs(this.#spec, series.bars - since);
    machine.run(this.#inputs.map((name) => series.column(name).subarray(since)), outputs);
    return outputs;
  }

  #hold(columns) {
    this.#columns = columns;
    this.result = results(this.#spec, columns.map((column) => column.view()));
  }
}

// --- bars[timeframe][price type] ---

function isTable(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

function* flat(bars) {
  if (!isTable(bars)) throw new SchemaError("bars", "expected an object of timeframes");
  for (const [tf, sides] of Object.entries(bars)) {
    if (!isTable(sides)) throw new SchemaError(tf, "expected an object of price types");
    for (const [pt, table] of Object.entries(sides)) {
      if (!isTable(table)) throw new SchemaError(`${tf} ${pt}`, "expected an object of columns");
      yield [tf, pt, table];
    }
  }
}

function* every(series) {
  for (const [tf, sides] of series) for (const [pt, one] of sides) yield [tf, pt, one];
}

function mapped(series, change) {
  const sides = ([tf, held]) => [tf, new Map([...held].map(([pt, one]) => [pt, change(one, tf, pt)]))];
  return new Map([...series].map(sides));
}

function readAll(bars) {
  const all = new Map();
  let first;
  for (const [tf, pt, table] of flat(bars)) {
    const series = Series.read(`${tf} ${pt}`, table);
    first ??= series;
    if (series.bars !== first.bars) {
      const expected = `expected ${first.bars} bars, as many as ${first.label}`;
      throw new SchemaError(series.label, `${expected}, got ${series.bars}`);
    }
    if (!all.has(tf)) all.set(tf, new Map());
    all.get(tf).set(pt, series);
  }
  return all;
}

/** The next bars of every series, or an error before anything has changed. */
function readNext(series, bars) {
  const given = new Map();
  for (const [tf, pt, table] of flat(bars)) {
    if (!series.get(tf)?.has(pt)) throw unknownSeries(series, [tf, pt]);
    if (!given.has(tf)) given.set(tf, new Map());
    given.get(tf).set(pt, table);
  }
  let first;
  return mapped(series, (one, tf, pt) => {
    const table = given.get(tf)?.get(pt);
    if (!table) throw new SchemaError(one.label, "missing: every series needs its next bars");
    const batch = one.next(table);
    first ??= batch;
    if (batch.bars !== first.bars) {
      throw new SchemaError(one.label, `expected ${first.bars} bars as in other series, got ${batch.bars}`);
    }
    return batch;
  });
}

function unknownSeries(series, key) {
  const known = [...every(series)].map(([tf, pt]) => [tf, pt]);
  return new UnknownSeriesError("series", key, known);
}
