// A field for a parameter, as its declaration has it. What is allowed is for the package to say.

import type { Parameter } from "indicator-cache";
import { element, option } from "./dom.ts";
import type { Value } from "./studies.ts";

export function parameterInput(id: string, parameter: Parameter, onChange: (value: Value) => void): HTMLElement {
  const field = { flag, choice, integer: number, float: number }[parameter.kind](id, parameter, onChange);
  const optional = parameter.optional ? " May be left empty." : "";
  return element("label", { for: id, title: `${parameter.summary}${optional}` }, element("span", {}, parameter.name), field);
}

function flag(id: string, parameter: Parameter, onChange: (value: Value) => void): HTMLElement {
  const box = element("input", { id, type: "checkbox" });
  box.checked = parameter.default === true;
  box.addEventListener("change", () => onChange(box.checked));
  return box;
}

function choice(id: string, parameter: Parameter, onChange: (value: Value) => void): HTMLElement {
  const words = parameter.options ?? [];
  const select = element("select", { id }, ...words.map((word) => option(word, word, word === parameter.default)));
  if (parameter.optional) select.append(option("", "none", parameter.default === null));
  select.addEventListener("change", () => onChange(select.value || null));
  return select;
}

function number(id: string, parameter: Parameter, onChange: (value: Value) => void): HTMLElement {
  const whole = parameter.kind === "integer";
  const input = element("input", { id, type: "number", inputmode: whole ? "numeric" : "decimal", step: whole ? "1" : "any" });
  if (parameter.min !== undefined) input.min = String(parameter.min);
  if (parameter.max !== undefined) input.max = String(parameter.max);
  if (parameter.optional) input.placeholder = "none";
  input.value = parameter.default === null ? "" : String(parameter.default);
  input.addEventListener("input", () => {
    const empty = input.value === "" && !input.validity.badInput;
    onChange(empty && parameter.optional ? null : input.valueAsNumber);
  });
  return input;
}
