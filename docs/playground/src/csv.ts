// A file of bars, read or refused with the line and the reason. Text becomes numbers by the language's own
// correctly rounded conversion, which is also NumPy's: the same file is the same bits in Python.

/** The columns that indicators read. */
export const FIELDS = ["open", "high", "low", "close", "volume"] as const;
export type Field = (typeof FIELDS)[number];

const TIMES = ["timestamp", "datetime", "date", "time"];
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const MISSING = /^(nan)?$/i;
const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(?:Z|[+-]00:?00)?)?$/;

export interface Bars {
  readonly name: string;
  readonly length: number;
  readonly columns: Partial<Record<Field, Float64Array>>;
  /** What the file says of each bar's time, or its number. */
  readonly labels: readonly string[];
  /** Seconds since 1970, strictly ascending; or null where the file has no such times. */
  readonly seconds: readonly number[] | null;
  /** How the file is written: what Python must be told. */
  readonly form: {
    readonly delimiter: string;
    readonly quoted: boolean;
    readonly gaps: boolean;
    /** Lines up to the header, which is one of them. */
    readonly skipped: number;
    readonly places: Partial<Record<Field, number>>;
  };
}

/** Why a file cannot be used. Lines count from 1. */
export class FileError extends Error {
  constructor(
    readonly line: number,
    reason: string,
  ) {
    super(`Line ${line}: ${reason}`);
  }
}

export function decode(bytes: Uint8Array): string {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    return decoder.decode(bytes);
  } catch {
    throw new FileError(firstBadLine(bytes), "this is not text in UTF-8. Is it a CSV file?");
  }
}

function firstBadLine(bytes: Uint8Array): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line += 1) {
    const found = bytes.indexOf(10, start);
    const end = found < 0 ? bytes.length : found;
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(start, end));
    } catch {
      return line;
    }
    start = end + 1;
  }
  return line;
}

export function parse(name: string, text: string): Bars {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  const rows = lines.flatMap((line, index) => (line.trim() ? [{ line, number: index + 1 }] : []));
  const [header, ...body] = rows;
  if (!header) throw new FileError(1, "the file is empty.");
  if (text.includes("\0")) throw new FileError(text.slice(0, text.indexOf("\0")).split("\n").length, "this is not text. Is it a CSV file?");

  const delimiter = guessDelimiter(header.line);
  const names = fields(header.line, delimiter, header.number).map((field) => field.trim().toLowerCase());
  const places = findColumns(names, header.number);
  const known = FIELDS.filter((field) => places[field] !== undefined);
  if (!body.length) throw new FileError(header.number + 1, "there are no bars after the header.");

  const columns = Object.fromEntries(known.map((field) => [field, new Float64Array(body.length)])) as Bars["columns"];
  const when = TIMES.map((time) => names.indexOf(time)).find((place) => place >= 0);
  const labels: string[] = [];
  let gaps = false;
  body.forEach(({ line, number }, bar) => {
    const row = fields(line, delimiter, number);
    if (row.length !== names.length) {
      throw new FileError(number, `${count(row.length, "field")}, but the header has ${names.length}.`);
    }
    for (const field of known) {
      const written = (row[places[field] as number] as string).trim();
      const missing = MISSING.test(written);
      if (!missing && !NUMBER.test(written)) throw new FileError(number, notANumber(field, written));
      gaps ||= missing;
      (columns[field] as Float64Array)[bar] = missing ? NaN : Number(written);
    }
    labels.push(when === undefined ? `bar ${bar}` : (row[when] as string).trim());
  });
  const numbers = body.map(({ number }) => number);
  const seconds = when === undefined ? null : timesOf(labels, numbers);
  const quoted = text.includes('"');
  return { name, length: body.length, columns, labels, seconds, form: { delimiter, quoted, gaps, skipped: header.number, places } };
}

function guessDelimiter(header: string): string {
  const uses = (delimiter: string) => header.split(delimiter).length;
  return [",", ";", "\t"].reduce((best, other) => (uses(other) > uses(best) ? other : best));
}

function fields(line: string, delimiter: string, number: number): string[] {
  if (!line.includes('"')) return line.split(delimiter);
  const found: string[] = [];
  let field = "";
  let inside = false;
  for (let at = 0; at < line.length; at += 1) {
    const letter = line.charAt(at);
    if (letter === '"' && inside && line.charAt(at + 1) === '"') {
      field += letter;
      at += 1;
    } else if (letter === '"') {
      inside = !inside;
    } else if (letter === delimiter && !inside) {
      found.push(field);
      field = "";
    } else {
      field += letter;
    }
  }
  if (inside) throw new FileError(number, "a quotation mark is opened and not closed.");
  return [...found, field];
}

function findColumns(names: string[], line: number): Partial<Record<Field, number>> {
  const places: Partial<Record<Field, number>> = {};
  for (const field of FIELDS) {
    const place = names.indexOf(field);
    if (place < 0) continue;
    if (names.indexOf(field, place + 1) >= 0) throw new FileError(line, `two columns are named ${field}.`);
    places[field] = place;
  }
  if (!Object.keys(places).length) {
    const found = names.map((name) => name || "(no name)").join(", ");
    throw new FileError(line, `no column is named ${FIELDS.join(", ")}. Found: ${shortened(found)}.`);
  }
  return places;
}

function notANumber(field: Field, written: string): string {
  const hint = /^-?[\d.]*,\d+$/.test(written)
    ? " Decimals need a point."
    : " Leave the field empty where a bar is missing.";
  return `${field} is “${shortened(written)}”, which is not a number.${hint}`;
}

/** Times for the axis, where all are ISO dates or Unix times and none is twice. An order backwards is refused. */
function timesOf(labels: string[], numbers: number[]): number[] | null {
  const seconds = labels.map(toSeconds);
  let strictly = true;
  for (let bar = 0; bar < seconds.length; bar += 1) {
    const [now, before] = [seconds[bar], seconds[bar - 1]];
    if (now === null || now === undefined) return null;
    if (before === null || before === undefined) continue;
    if (now < before) {
      const reason = `${labels[bar]} comes after ${labels[bar - 1]}. The oldest bar has to be the first.`;
      throw new FileError(numbers[bar] as number, reason);
    }
    strictly &&= now > before;
  }
  return strictly ? (seconds as number[]) : null;
}

function toSeconds(label: string): number | null {
  if (/^\d{9,10}$/.test(label)) return Number(label);
  if (/^\d{12,13}$/.test(label)) return Math.floor(Number(label) / 1000);
  const found = DATE.exec(label);
  if (!found) return null;
  const [year, month, day, hour, minute, second] = found.slice(1).map((part) => Number(part ?? 0)) as number[];
  return Date.UTC(year as number, (month as number) - 1, day, hour, minute, second) / 1000;
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
