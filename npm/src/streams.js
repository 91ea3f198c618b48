// Indicators bar by bar: the same state machines that compute whole series, fed as bars come.

import * as engine from "./engine.js";
import { asColumns, asNumber, byPosition, catalog, emptyOutputs, find, normalise, results } from "./compute.js";
import { StateError } from "./errors.js";

export class Stream {
  #machine;
  #spec;

  constructor(name, params) {
    if (name instanceof engine.Machine) {
      this.#machine = name;
      this.#spec = Object.values(catalog())[name.position];
    } else {
      this.#spec = find(name);
      this.#machine = new engine.Machine(this.#spec.position, normalise(this.#spec, params));
    }
  }

  static restore(state) {
    return restore(state);
  }

  get name() {
    return this.#spec.name;
  }

  get spec() {
    return this.#spec;
  }

  get params() {
    return engine.named(this.#spec.position, this.#machine.numbers);
  }

  get bars() {
    return this.#machine.bars;
  }

  update(...values) {
    return results(this.#spec, this.#machine.update(this.#bar(values)));
  }

  peek(...values) {
    return results(this.#spec, this.#machine.peek(this.#bar(values)));
  }

  updateMany(...columns) {
    const inputs = asColumns(this.#spec.inputs, byPosition(this.#spec, columns));
    const outputs = emptyOutputs(this.#spec, inputs[0].length);
    this.#machine.run(inputs, outputs);
    return results(this.#spec, outputs);
  }

  reset() {
    this.#machine.reset();
  }

  save() {
    return this.#machine.save();
  }

  copy() {
    return new Stream(this.#machine.copy());
  }

  free() {
    this.#machine.free();
  }

  #bar(values) {
    const given = byPosition(this.#spec, values);
    return Float64Array.from(this.#spec.inputs, (name, place) => asNumber(name, given[place]));
  }
}

if (Symbol.dispose) Stream.prototype[Symbol.dispose] = Stream.prototype.free;

export function restore(state) {
  if (state instanceof ArrayBuffer) state = new Uint8Array(state);
  if (!(state instanceof Uint8Array)) throw new StateError(`expected bytes, got ${kind(state)}`);
  return new Stream(engine.Machine.restore(state));
}

/** The type of a value by its name in Python, where it has one. */
function kind(value) {
  if (value === null || value === undefined) return "NoneType";
  const names = { string: "str", boolean: "bool", number: Number.isInteger(value) ? "int" : "float" };
  return names[typeof value] ?? (Array.isArray(value) ? "list" : "dict");
}
