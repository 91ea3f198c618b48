// The line of Python that gives the same digest for the same file, with nothing but the package and NumPy.

import type { Bars } from "./csv.ts";
import { type Study, type Value, inputNames } from "./studies.ts";

export function pythonLine(study: Study, bars: Bars): string {
  const places = inputNames(study).map((name) => bars.form.places[name] as number);
  const several = places.length > 1;
  const read = `np.loadtxt(${[
    JSON.stringify(bars.name),
    `delimiter=${JSON.stringify(bars.form.delimiter)}`,
    `skiprows=${bars.form.skipped}`,
    `usecols=${several ? `(${places.join(", ")})` : places[0]}`,
    ...(bars.form.quoted ? ["quotechar='\"'"] : []),
    ...(bars.form.gaps ? ['converters=lambda field: float(field.strip() or "nan")'] : []),
    "ndmin=" + (several ? "2, unpack=True" : "1"),
  ].join(", ")})`;
  const params = study.spec.parameters.map(({ name, kind }) => `${name}=${literal(study.params[name] ?? null, kind)}`);
  const call = `ic.${study.spec.name}(${[several ? `*${read}` : read, ...params].join(", ")})`;
  const digest = `hashlib.sha256(np.array(${call}, "<f8").tobytes()).hexdigest()`;
  return `import hashlib, numpy as np, indicator_cache as ic; print(${digest})`;
}

function literal(value: Value, kind: string): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return JSON.stringify(value);
  return kind === "float" && Number.isInteger(value) && Math.abs(value) < 1e16 ? value.toFixed(1) : String(value);
}
