import { CacheMethods, IndicatorName, Inputs, Parameters, Results, ViewMethods } from "./functions.js";

export * from "./functions.js";

/** A result that a cache keeps: a Float64Array, not to be written to. */
export type ReadonlyColumn = Readonly<Omit<Float64Array, "copyWithin" | "fill" | "reverse" | "set" | "sort">>;

/** One value per bar, oldest first; NaN, or null in an array, is a missing bar. */
export type Column =
  | readonly (number | null)[]
  | ReadonlyColumn
  | Float64Array
  | Float32Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array;

/** A parameter of an indicator. */
export interface Parameter {
  readonly name: string;
  readonly kind: "integer" | "float" | "choice" | "flag";
  /** Smallest allowed value of a number. */
  readonly min?: number;
  /** Largest allowed value of a number. */
  readonly max?: number;
  readonly default: number | string | boolean | null;
  readonly summary: string;
  /** The words to choose from. */
  readonly options?: readonly string[];
  /** Whether null is allowed. */
  readonly optional: boolean;
}

/** What parameters have to fulfil together. */
export interface Rule {
  /** The parameter that is refused otherwise. */
  readonly param: string;
  /** A condition over the parameters. */
  readonly text: string;
}

/** An output column of an indicator. */
export interface Output {
  readonly name: string;
  readonly summary: string;
  /** First bar, from 0, that can hold a value: an expression over the parameters. See {@link firstValid}. */
  readonly first_valid: string;
  /** The error against exact arithmetic is at most `ulps` times 2^-53 times the magnitude `of`. */
  readonly accuracy: { readonly ulps: number; readonly of: string };
}

/** The declaration of an indicator: what Python's `catalog()` has, under the same names. */
export interface IndicatorSpec {
  readonly position: number;
  readonly name: IndicatorName;
  readonly title: string;
  readonly group: string;
  readonly summary: string;
  readonly formula: string;
  /** The book or paper that the formula comes from. */
  readonly source: string;
  /** The independent implementation whose numbers these are. */
  readonly reference: string;
  /** What happens at missing bars. */
  readonly gaps: string;
  /** Input columns; `x` stands for any one series. */
  readonly inputs: readonly string[];
  readonly parameters: readonly Parameter[];
  readonly rules: readonly Rule[];
  readonly outputs: readonly Output[];
  /** Bars that a result depends on, its own included: an expression over the parameters. Null: all bars so far. */
  readonly window: string | null;
  /** Whether logarithms or exponentials take part. */
  readonly transcendental: boolean;
  /** Raised whenever a released result changes by a bit. */
  readonly revision: number;
}

/** The declarations of all indicators, by name. */
export function catalog(): { readonly [name in IndicatorName]: IndicatorSpec };

/**
 * First bar, from 0, at which each output can hold a value when no bar is missing.
 *
 * @throws {@link ParameterError} for an unknown indicator or parameter, or a value that is not allowed.
 */
export function firstValid<N extends IndicatorName>(name: N, params?: Parameters[N]): { [output: string]: number };

/**
 * SHA-256 of a result, in hexadecimal: its columns one after the other, as little-endian doubles. The same in Python:
 * `hashlib.sha256(np.concatenate(np.atleast_2d(result))).hexdigest()`.
 *
 * @throws {@link SchemaError} when it is neither a Float64Array nor an object of them.
 */
export function digest(result: ReadonlyColumn | { readonly [output: string]: ReadonlyColumn }): string;

/**
 * An indicator that takes its bars as they come. Whatever way the bars are fed, one by one, many at once, or across a
 * saved state, the results are those of the whole series, bit for bit.
 */
export class Stream<N extends IndicatorName = any> {
  /**
   * @throws {@link ParameterError} for an unknown indicator or parameter, or a value that is not allowed.
   */
  constructor(name: N, params?: Parameters[N]);

  /** As the function {@link restore}. */
  static restore(state: Uint8Array | ArrayBuffer): Stream;

  readonly name: N;
  readonly spec: IndicatorSpec;
  /** All parameters, defaults included. */
  readonly params: Required<Parameters[N]>;
  /** Bars taken since the start or the last reset. */
  readonly bars: number;

  /**
   * Take the next bar: a number for each input, by position or by name; null or NaN where it is missing.
   *
   * @returns The result at this bar: a number, or an object of them.
   * @throws {@link ParameterError} when a value is not a number, or one is missing or too many. The bar is not taken.
   */
  update(...values: Inputs<number | null>[N]): Results<number>[N];
  update(bar: { readonly [input: string]: number | null }): Results<number>[N];

  /** What {@link update} would return for a bar that is still forming; nothing changes. */
  peek(...values: Inputs<number | null>[N]): Results<number>[N];
  peek(bar: { readonly [input: string]: number | null }): Results<number>[N];

  /**
   * Take the next bars: a column for each input.
   *
   * @throws {@link SchemaError} when a column is not one row of real numbers, or lengths differ. No bar is taken.
   */
  updateMany(...columns: Inputs<Column>[N]): Results<Float64Array>[N];
  updateMany(columns: { readonly [input: string]: Column }): Results<Float64Array>[N];

  /** Go back to the state before the first bar. */
  reset(): void;

  /** The state as bytes, from which {@link restore} goes on, here or in Python. */
  save(): Uint8Array;

  /** An independent stream in the same state. */
  copy(): Stream<N>;

  /** Give the memory back now. Otherwise that happens some time after the stream has been forgotten. */
  free(): void;
  [Symbol.dispose](): void;
}

/**
 * Go on from a saved state, wherever it was saved.
 *
 * @throws {@link StateError} when the bytes are damaged, truncated, of another kind, or of an indicator, revision or
 * format version that this version does not have.
 */
export function restore(state: Uint8Array | ArrayBuffer): Stream;

/** Columns of a series, at least one. `valid` is false where the bar is missing; other names are ignored. */
export interface Bars {
  readonly open?: Column;
  readonly high?: Column;
  readonly low?: Column;
  readonly close?: Column;
  readonly volume?: Column;
  readonly valid?: readonly boolean[];
}

/** The next bar of a series, or the next bars. */
export interface NextBars {
  readonly open?: number | null | Column;
  readonly high?: number | null | Column;
  readonly low?: number | null | Column;
  readonly close?: number | null | Column;
  readonly volume?: number | null | Column;
  readonly valid?: boolean | readonly boolean[];
}

/** What is taken of a series, by timeframe and price type. */
export interface Series<T> {
  readonly [timeframe: string]: { readonly [priceType: string]: T };
}

/** Counts since construction or the last `clear()`; `entries` and `bytes` are now. */
export interface CacheStats {
  /** Answers from memory. */
  hits: number;
  /** Computations. */
  misses: number;
  /** Results dropped to stay within `maxBytes`. */
  evictions: number;
  entries: number;
  bytes: number;
  maxBytes: number | null;
}

/** The column that an indicator of any one series reads: `close` unless given. */
export type Source = "open" | "high" | "low" | "close" | "volume";

/**
 * Computes indicators once and keeps them, by timeframe, price type, indicator, source and parameters.
 *
 * Results are the same object on every call, and not to be written to. All series have the same number of bars.
 */
export interface IndicatorCache extends CacheMethods {}
export class IndicatorCache {
  /**
   * @param bars - Columns by timeframe and price type. They are copied: later changes to them have no effect.
   * @param options - `maxBytes`: bound for the results kept; the least recently used are dropped first.
   * @throws {@link SchemaError} when the bars are not in this form, or differ in length.
   * @throws {@link ParameterError} when `maxBytes` is not allowed.
   */
  constructor(bars: Series<Bars>, options?: { readonly maxBytes?: number | null });

  /** The number of bars. */
  readonly length: number;
  readonly timeframes: string[];
  priceTypes(tf: string): string[];

  /** One series with the same methods, less the first two arguments. */
  view(tf: string, pt: string): SeriesView;

  /**
   * An indicator by name, with parameters by name: for configuration files.
   *
   * @throws {@link UnknownSeriesError} when there is no such series.
   * @throws {@link ParameterError} for an unknown indicator or parameter, or a value that is not allowed.
   * @throws {@link SchemaError} when the series lacks a column.
   */
  get<N extends IndicatorName>(
    tf: string,
    pt: string,
    name: N,
    options?: Parameters[N] & { readonly source?: Source },
  ): Results<ReadonlyColumn>[N];

  /**
   * Add the next bar, or bars, of every series. Every result that is held is extended, in time proportional to the new
   * bars, and equals that of a new cache on all bars, bit for bit. Arrays handed out before stay as they are.
   *
   * @throws {@link UnknownSeriesError} when there is a series that the cache does not have.
   * @throws {@link SchemaError} when one is missing, or its bars are not usable, or they differ in number. In either
   * case nothing is added.
   */
  append(bars: Series<NextBars>): void;

  /**
   * Answer for a bar that is still forming, without adding it.
   *
   * @returns A cache of all bars and this one. Results that this cache holds are only extended, not computed again.
   */
  peek(bars: Series<NextBars>): IndicatorCache;

  stats(): CacheStats;

  /** Forget all results. Arrays handed out stay valid. */
  clear(): void;
}

/** One series of a cache: the same methods, without timeframe and price type. */
export interface SeriesView extends ViewMethods {}
export class SeriesView {
  private constructor();
  readonly length: number;
  get<N extends IndicatorName>(
    name: N,
    options?: Parameters[N] & { readonly source?: Source },
  ): Results<ReadonlyColumn>[N];
}

/** Base of all errors of this package. They are raised before anything is computed or changed. */
export class IndicatorCacheError extends Error {}

/** There is no such timeframe, or no such price type in it. */
export class UnknownSeriesError extends IndicatorCacheError {
  readonly kind: string;
  readonly given: unknown;
  readonly known: readonly unknown[];
}

/** A parameter is not what the call allows. */
export class ParameterError extends IndicatorCacheError {
  readonly parameter: string;
  readonly given: unknown;
  /** What is allowed, in words. */
  readonly expected: string;
}

/** The bars are not in a form that can be used. */
export class SchemaError extends IndicatorCacheError {
  /** Name of the offending column, or of the argument. */
  readonly column: string;
}

/** The bytes are not the state of a stream that this version can go on from. */
export class StateError extends IndicatorCacheError {
  readonly reason: string;
}

/** The module failed: there was not enough memory. */
export class BackendError extends IndicatorCacheError {}
