// Indicators with their parameters, over the bars of a file. Everything known of them comes from the package's
// catalogue, and every number from its WebAssembly module.

import * as ic from "indicator-cache";
import { type Bars, FIELDS, type Field } from "./csv.ts";

export type Spec = ic.IndicatorSpec;
export type Value = number | string | boolean | null;

export const SPECS: readonly Spec[] = Object.values(ic.catalog());

export interface Study {
  readonly id: number;
  readonly spec: Spec;
  readonly params: Record<string, Value>;
  source: Field;
}

export interface Result {
  /** One for each output. */
  readonly columns: readonly Float64Array[];
  readonly digest: string;
}

type Computed = Float64Array | Record<string, Float64Array>;
type Compute = (...given: (Float64Array | object)[]) => Computed;

let created = 0;

export function create(spec: Spec): Study {
  created += 1;
  const params = Object.fromEntries(spec.parameters.map((parameter) => [parameter.name, parameter.default]));
  return { id: created, spec, params, source: "close" };
}

/** Whether an indicator reads any one column, to be chosen. */
export function hasSource(spec: Spec): boolean {
  return spec.inputs[0] === "x";
}

/** Names of the columns that a study reads. */
export function inputNames(study: Study): Field[] {
  return study.spec.inputs.map((input) => (input === "x" ? study.source : input)) as Field[];
}

export function inputsOf(study: Study, bars: Bars): Float64Array[] {
  return inputNames(study).map((name) => {
    const column = bars.columns[name];
    if (column) return column;
    const known = FIELDS.filter((field) => bars.columns[field]).join(", ");
    throw new Error(`${bars.name} has no column ${name}. It has: ${known}.`);
  });
}

export function compute(study: Study, bars: Bars): Result {
  return run(study.spec, inputsOf(study, bars), study.params);
}

function run(spec: Spec, inputs: Float64Array[], params: object): Result {
  const result = (ic[spec.name] as Compute)(...inputs, params);
  return { columns: columnsOf(spec, result), digest: ic.digest(result) };
}

function columnsOf(spec: Spec, result: Computed): Float64Array[] {
  if (result instanceof Float64Array) return [result];
  return spec.outputs.map((output) => result[output.name] as Float64Array);
}

export function digestOf(spec: Spec, columns: readonly Float64Array[]): string {
  return ic.digest(Object.fromEntries(spec.outputs.map((output, place) => [output.name, columns[place] as Float64Array])));
}

const levels = new Map<string, boolean[]>();

/**
 * Which outputs belong on the prices' own scale.
 *
 * Nothing declares that, and it need not be: of prices that never change, an average or a band is that very price,
 * while an oscillator, a range or a score is not. Two prices are tried, so that none is met by chance.
 */
export function onPriceScale(study: Study): boolean[] {
  const { spec, source } = study;
  if (hasSource(spec) && source === "volume") return spec.outputs.map(() => false);
  const found = levels.get(spec.name) ?? probe(spec);
  levels.set(spec.name, found);
  return found;
}

function probe(spec: Spec): boolean[] {
  const bars = 4096;
  const last = (price: number) => {
    const constant = new Float64Array(bars).fill(price);
    return run(spec, spec.inputs.map(() => constant), {}).columns.map((column) => column[bars - 1] === price);
  };
  const [low, high] = [last(7), last(1234.5)];
  return spec.outputs.map((_, place) => (low[place] && high[place]) ?? false);
}

export function titleOf(study: Study): string {
  const values = study.spec.parameters.map((parameter) => String(study.params[parameter.name] ?? "None"));
  if (hasSource(study.spec) && study.source !== "close") values.unshift(study.source);
  return `${study.spec.name}(${values.join(", ")})`;
}

/** A study that takes its bars one by one, beside the result that it should give. */
export class Live {
  readonly columns: Float64Array[];
  /** Bars whose bits are those of the result. */
  equal = 0;
  #stream: ic.Stream;
  #inputs: Float64Array[];
  #bits: [BigUint64Array, BigUint64Array][];

  constructor(
    readonly study: Study,
    readonly result: Result,
    bars: Bars,
  ) {
    this.#inputs = inputsOf(study, bars);
    this.#stream = new ic.Stream(study.spec.name, study.params as never);
    this.columns = result.columns.map((column) => new Float64Array(column.length));
    this.#bits = this.columns.map((column, place) => [bitsOf(column), bitsOf(result.columns[place] as Float64Array)]);
  }

  update(bar: number): void {
    const given = this.#inputs.map((column) => column[bar] as number);
    const found: number | Record<string, number> = this.#stream.update(...(given as [number]));
    this.study.spec.outputs.forEach((output, place) => {
      (this.columns[place] as Float64Array)[bar] = typeof found === "number" ? found : (found[output.name] as number);
    });
    if (this.#bits.every(([mine, theirs]) => mine[bar] === theirs[bar])) this.equal += 1;
  }

  digest(): string {
    return digestOf(this.study.spec, this.columns);
  }

  free(): void {
    this.#stream.free();
  }
}

function bitsOf(column: Float64Array): BigUint64Array {
  return new BigUint64Array(column.buffer, column.byteOffset, column.length);
}
