// What can go wrong, named for what the user did: the classes of Python's `indicator_cache.errors`, with the same
// texts. So values are written as in Python: None, True and False for null, true and false.

/** Base of all errors of this package. */
export class IndicatorCacheError extends Error {
  // Spelled out in every class, because a bundler may rename classes.
  get name() {
    return "IndicatorCacheError";
  }
}

export class UnknownSeriesError extends IndicatorCacheError {
  constructor(kind, given, known) {
    const key = (value) => (Array.isArray(value) ? tuple(value) : written(value));
    super(`unknown ${kind} ${key(given)}; known: ${known.map(key).join(", ") || "none"}`);
    Object.assign(this, { kind, given, known });
  }

  get name() {
    return "UnknownSeriesError";
  }
}

export class ParameterError extends IndicatorCacheError {
  constructor(parameter, given, expected, text = written(given)) {
    super(`${parameter} must be ${expected}, got ${text}`);
    Object.assign(this, { parameter, given, expected });
  }

  get name() {
    return "ParameterError";
  }
}

export class SchemaError extends IndicatorCacheError {
  constructor(column, message) {
    super(`${column}: ${message}`);
    this.column = column;
  }

  get name() {
    return "SchemaError";
  }
}

export class StateError extends IndicatorCacheError {
  constructor(reason) {
    super(`not a usable saved state: ${reason}`);
    this.reason = reason;
  }

  get name() {
    return "StateError";
  }
}

export class BackendError extends IndicatorCacheError {
  get name() {
    return "BackendError";
  }
}

// What the module calls to make an error of its own.

export const parameterError = (...fields) => new ParameterError(...fields);
export const stateError = (reason) => new StateError(reason);
export const backendError = (message) => new BackendError(message);

// --- values as Python writes them ---

export function written(value) {
  switch (typeof value) {
    case "string":
      return quoted(value);
    case "number":
      return Number.isSafeInteger(value) ? String(value) : float(value);
    case "boolean":
      return value ? "True" : "False";
    case "object":
      if (value === null) return "None";
      if (Array.isArray(value)) return `[${value.map(written).join(", ")}]`;
      return `<${value.constructor?.name ?? "object"} object>`;
    default:
      return String(value);
  }
}

/** Values by position, as Python writes a tuple. */
export function tuple(values) {
  return `(${values.map(written).join(", ")}${values.length === 1 ? "," : ""})`;
}

function quoted(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escapes = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", [quote]: `\\${quote}` };
  return quote + text.replace(/[\\\n\r\t'"]/g, (c) => escapes[c] ?? c) + quote;
}

function float(value) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e16) return String(value);
  const [digits, exponent] = value.toExponential().split("e");
  return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}
