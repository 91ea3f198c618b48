// The page: what is on it follows from the file, the list of studies and the replay, and is drawn anew when one changes.

import sampleText from "sample.csv";
import { Chart, MOST_BARS, type Line, type Panel } from "./chart.ts";
import { type Bars, FIELDS, type Field, decode, parse } from "./csv.ts";
import { button, element, find, option } from "./dom.ts";
import { parameterInput } from "./parameters.ts";
import { pythonLine } from "./python.ts";
import { Live, type Result, SPECS, type Study, compute, create, hasSource, onPriceScale, titleOf } from "./studies.ts";
import { Theme } from "./theme.ts";

const COLORS = ["#2f7de1", "#e58a1f", "#8e5bd6", "#d6457f", "#1d9aa8", "#a0813b", "#5b8c2a", "#c2573a", "#6b7bd1", "#b04fc0", "#3f9d74", "#8a7f78"];

interface Shown {
  readonly study: Study;
  readonly colors: readonly string[];
  readonly over: readonly boolean[];
  readonly result: Result | null;
  readonly error: string | null;
}

let bars: Bars = parse(SAMPLE_NAME, sampleText);
/** Counts the prices asked for: a file that takes long to read must not replace what was chosen after it. */
let asked = 0;
let studies: Study[] = [];
let shown: Shown[] = [];
let lives: Live[] = [];
/** Bars replayed so far; null when all are shown at once. */
let played: number | null = null;
let timer = 0;

const theme = new Theme(find("theme", HTMLButtonElement), () => draw());
const chart = new Chart(find("chart", HTMLElement), (bar) => legend(bar));

// --- prices ---

function load(name: string, read: () => string): void {
  asked += 1;
  find("prices", HTMLElement).ariaBusy = "false";
  const error = find("error", HTMLElement);
  try {
    bars = parse(name, read());
    error.hidden = true;
  } catch (reason) {
    error.textContent = `${name} was not read. ${(reason as Error).message}`;
    error.hidden = false;
    return;
  }
  describe();
  refresh();
}

async function loadFile(file: File | undefined): Promise<void> {
  if (!file) return;
  asked += 1;
  const turn = asked;
  find("prices", HTMLElement).ariaBusy = "true";
  const content = await file.arrayBuffer().catch((reason: Error) => reason);
  if (turn !== asked) return;
  load(file.name, () => {
    if (content instanceof Error) throw content;
    return decode(new Uint8Array(content));
  });
}

function describe(): void {
  const columns = FIELDS.filter((field) => bars.columns[field]).join(", ");
  const [first, last] = [bars.labels[0], bars.labels[bars.length - 1]];
  const size = `${bars.length.toLocaleString("en")} bar${bars.length === 1 ? "" : "s"}`;
  const lines: (Node | string)[] = [element("strong", {}, bars.name), `${size}, ${first} to ${last}`, `Columns: ${columns}`];
  if (bars.length > MOST_BARS) {
    const most = MOST_BARS.toLocaleString("en");
    lines.push(`The chart shows the last ${most} at most. Digests are of all bars.`);
  }
  find("loaded", HTMLElement).replaceChildren(...lines.map((line) => element("span", {}, line)));
}

// --- studies ---

/** After a change of the bars or of any study. */
function refresh(): void {
  leaveReplay();
  const used = new Set<string>();
  shown = studies.map((study) => {
    const colors = study.spec.outputs.map(() => {
      const color = COLORS.find((one) => !used.has(one)) ?? (COLORS[used.size % COLORS.length] as string);
      used.add(color);
      return color;
    });
    try {
      return { study, colors, over: onPriceScale(study), result: compute(study, bars), error: null };
    } catch (reason) {
      return { study, colors, over: [], result: null, error: (reason as Error).message };
    }
  });
  for (const { study, error, colors } of shown) {
    const card = find(`study-${study.id}`, HTMLElement);
    const message = card.querySelector<HTMLElement>(".refused") as HTMLElement;
    message.textContent = error ?? "";
    message.hidden = error === null;
    card.querySelectorAll<HTMLElement>(".swatch").forEach((swatch, place) => (swatch.style.background = colors[place] ?? ""));
  }
  results();
  draw();
}

/** Puts a study on the page; folded, it leaves room for the chart. */
function add(study: Study, folded: boolean): void {
  studies.push(study);
  find("studies", HTMLElement).append(card(study, folded));
}

function remove(study: Study): void {
  const gone = studies.indexOf(study);
  studies = studies.filter((other) => other !== study);
  find(`study-${study.id}`, HTMLElement).remove();
  const next = studies[Math.min(gone, studies.length - 1)];
  // The focus was on what is no more.
  const target = next ? find(`study-${next.id}`, HTMLElement).querySelector("button") : find("indicator", HTMLElement);
  target?.focus();
  refresh();
}

function card(study: Study, folded: boolean): HTMLElement {
  const { spec } = study;
  const swatches = spec.outputs.map((output) =>
    element("span", { class: "output", title: output.summary }, element("i", { class: "swatch" }), output.name),
  );
  const inputs = spec.parameters.map((parameter) =>
    parameterInput(`study-${study.id}-${parameter.name}`, parameter, (value) => {
      study.params[parameter.name] = value;
      refresh();
    }),
  );
  if (hasSource(spec)) inputs.unshift(sourceInput(study));
  const close = button("×", `Remove ${spec.title}`, () => remove(study));
  close.className = "close";
  return element(
    "li",
    { id: `study-${study.id}`, class: "study" },
    element(
      "details",
      folded ? {} : { open: "" },
      element("summary", { title: spec.summary }, element("h3", {}, spec.title)),
      element("div", { class: "params" }, ...inputs),
    ),
    element("p", { class: "outputs" }, ...swatches),
    close,
    element("p", { class: "refused", role: "alert", hidden: "" }),
  );
}

function sourceInput(study: Study): HTMLElement {
  const id = `study-${study.id}-source`;
  const select = element("select", { id }, ...FIELDS.map((field) => option(field, field, field === study.source)));
  select.addEventListener("change", () => {
    study.source = select.value as Field;
    refresh();
  });
  return element("label", { for: id, title: "Column to read." }, element("span", {}, "source"), select);
}

// --- results ---

function results(): void {
  const rows = shown.map(({ study, result, error }) => {
    const title = element("h3", {}, titleOf(study));
    if (!result) return element("li", { class: "result" }, title, element("p", { class: "refused" }, error ?? ""));
    const line = pythonLine(study, bars);
    const digest = element("code", { class: "digest" }, result.digest);
    const python = element("code", { class: "python" }, line);
    const copy = button("Copy", `Copy the line of Python for ${titleOf(study)}`, () => void copied(copy, python));
    copy.className = "quiet copy";
    const streamed = element("p", { class: "streamed", id: `streamed-${study.id}`, hidden: "" });
    const code = element("div", { class: "code" }, element("pre", { tabindex: "0" }, python), copy);
    return element("li", { class: "result" }, title, digest, streamed, code);
  });
  find("results", HTMLElement).replaceChildren(...rows);
}

async function copied(by: HTMLButtonElement, code: HTMLElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(code.textContent ?? "");
    by.textContent = "Copied";
  } catch {
    // Where the clipboard is out of reach, as on pages from a disk, the line is selected for the keyboard.
    getSelection()?.selectAllChildren(code);
    by.textContent = "Selected";
  }
  setTimeout(() => (by.textContent = "Copy"), 1500);
}

// --- chart ---

function draw(): void {
  const over: Line[] = [];
  const panels: Panel[] = [];
  for (const { study, colors, result, over: places } of shown) {
    if (!result) continue;
    const live = lives.find((one) => one.study === study);
    const lines = study.spec.outputs.map((output, place) => ({
      name: output.name,
      color: colors[place] as string,
      column: ((live ?? result).columns as Float64Array[])[place] as Float64Array,
    }));
    over.push(...lines.filter((_, place) => places[place]));
    const own = lines.filter((_, place) => !places[place]);
    // Bars from zero go behind the lines.
    own.sort((a, b) => Number(b.name === "histogram") - Number(a.name === "histogram"));
    if (own.length) panels.push({ title: titleOf(study), lines: own });
  }
  chart.show(bars, over, panels, theme.dark);
  if (played !== null) chart.reveal(played);
  legend(null);
}

function legend(at: number | null): void {
  const bar = at ?? (played ?? bars.length) - 1;
  const value = (column: Float64Array | undefined) => written(bar < 0 ? NaN : (column?.[bar] ?? NaN));
  const prices = FIELDS.filter((field) => bars.columns[field]).map((field) =>
    element("span", {}, element("abbr", { title: field }, field.charAt(0).toUpperCase()), ` ${value(bars.columns[field])}`),
  );
  const rows = shown.flatMap(({ study, colors, result }) =>
    result
      ? [
          element(
            "p",
            {},
            element("span", { class: "name" }, titleOf(study)),
            ...study.spec.outputs.map((output, place) => {
              const swatch = element("i", { class: "swatch" });
              swatch.style.background = colors[place] as string;
              const name = study.spec.outputs.length > 1 ? `${output.name} ` : "";
              return element("span", {}, swatch, `${name}${value(result.columns[place])}`);
            }),
          ),
        ]
      : [],
  );
  const when = element("span", { class: "name" }, bar < 0 ? "" : (bars.labels[bar] ?? ""));
  find("legend", HTMLElement).replaceChildren(element("p", {}, when, ...prices), ...rows);
  if (at !== null && document.activeElement?.id === "chart") {
    find("spoken", HTMLElement).textContent = find("legend", HTMLElement).innerText;
  }
}

/** A number for the eye. The bits are what the digest is of. */
function written(value: number): string {
  if (Number.isNaN(value)) return "–";
  return value.toLocaleString("en", { maximumSignificantDigits: Math.abs(value) >= 1e6 ? 9 : 7 });
}

// --- replay ---

function enterReplay(): void {
  if (played !== null) return;
  played = 0;
  lives = shown.flatMap(({ study, result }) => (result ? [new Live(study, result, bars)] : []));
  draw();
  chart.home();
}

function leaveReplay(): void {
  pause();
  for (const live of lives) live.free();
  lives = [];
  played = null;
  tell();
}

function take(count: number): void {
  enterReplay();
  const from = played as number;
  const to = Math.min(bars.length, from + count);
  for (let bar = from; bar < to; bar += 1) for (const live of lives) live.update(bar);
  played = to;
  chart.reveal(to);
  chart.follow();
  legend(null);
  if (to === bars.length) pause();
  tell();
}

function tell(): void {
  const done = played ?? 0;
  const progress = find("progress", HTMLProgressElement);
  progress.max = bars.length;
  progress.value = done;
  const equal = lives.filter((live) => live.equal === done).length;
  const finished = played !== null && done === bars.length;
  const all = equal === lives.length;
  const verdict = lives.length === 0 ? "" : all ? "Every bit equal so far." : `${lives.length - equal} of ${lives.length} differ.`;
  const count = `${done.toLocaleString("en")} of ${bars.length.toLocaleString("en")} bars.`;
  const text = finished && lives.length && all ? `Batch = stream: all ${bars.length.toLocaleString("en")} bars, every bit equal.` : `${count} ${verdict}`;
  const replayed = find("replayed", HTMLElement);
  // A screen reader need not say every bar.
  if (!timer || finished) replayed.textContent = played === null ? "" : text;
  else replayed.replaceChildren(element("span", { "aria-hidden": "true" }, text));
  replayed.className = finished && all ? "good" : all ? "" : "bad";
  find("play", HTMLButtonElement).textContent = timer ? "Pause" : finished ? "Play again" : "Play";
  for (const { study } of shown) {
    const row = document.getElementById(`streamed-${study.id}`);
    const live = lives.find((one) => one.study === study);
    const result = shown.find((one) => one.study === study)?.result;
    if (!row) continue;
    row.hidden = !finished || !live;
    if (!finished || !live) continue;
    const digest = live.digest();
    const same = digest === result?.digest;
    row.className = `streamed ${same ? "good" : "bad"}`;
    row.textContent = same ? "Bar by bar: the same digest" : `Bar by bar: another digest, ${digest}`;
  }
}

function pause(): void {
  cancelAnimationFrame(timer);
  timer = 0;
}

function play(): void {
  if (played === bars.length) leaveReplay();
  let [before, owed] = [performance.now(), 0];
  const frame = (now: number) => {
    timer = requestAnimationFrame(frame);
    const speed = Number(find("speed", HTMLSelectElement).value);
    owed = speed === Infinity ? Infinity : owed + ((now - before) / 1000) * speed;
    before = now;
    const due = Math.floor(Math.min(owed, bars.length));
    if (due < 1) return;
    owed -= due;
    take(due);
  };
  timer = requestAnimationFrame(frame);
  tell();
}

// --- what people do ---

function listen(): void {
  const select = find("indicator", HTMLSelectElement);
  for (const group of new Set(SPECS.map((spec) => spec.group))) {
    const options = SPECS.filter((spec) => spec.group === group).map((spec) => option(spec.name, spec.title, false));
    select.append(element("optgroup", { label: group }, ...options));
  }
  find("add", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    const spec = SPECS.find((one) => one.name === select.value);
    if (!spec) return;
    add(create(spec), false);
    refresh();
  });

  const file = find("file", HTMLInputElement);
  file.addEventListener("change", () => {
    void loadFile(file.files?.[0]);
    // The same file once more is a change too.
    file.value = "";
  });
  find("use-sample", HTMLButtonElement).addEventListener("click", () => load(SAMPLE_NAME, () => sampleText));
  const save = find("save-sample", HTMLAnchorElement);
  save.href = URL.createObjectURL(new Blob([sampleText], { type: "text/csv" }));
  save.download = SAMPLE_NAME;

  const dropping = find("dropping", HTMLElement);
  addEventListener("dragover", (event) => {
    event.preventDefault();
    dropping.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) dropping.hidden = true;
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    dropping.hidden = true;
    void loadFile(event.dataTransfer?.files[0]);
  });

  find("play", HTMLButtonElement).addEventListener("click", () => {
    if (!timer) return play();
    pause();
    tell();
  });
  find("step", HTMLButtonElement).addEventListener("click", () => {
    pause();
    if (played === bars.length) leaveReplay();
    take(1);
  });
  find("rewind", HTMLButtonElement).addEventListener("click", () => {
    leaveReplay();
    enterReplay();
    tell();
  });
}

/** Something to look at: the first indicator that belongs on the prices, and the first one that does not. */
function begin(): void {
  const fresh = SPECS.map(create);
  const over = fresh.find((study) => onPriceScale(study).some(Boolean) && study.spec.outputs.length > 1);
  const beside = fresh.find((study) => !onPriceScale(study).some(Boolean) && study.spec.outputs.length > 1);
  const narrow = !matchMedia("(min-width: 60rem)").matches;
  for (const study of [over, beside]) if (study) add(study, narrow);
  describe();
  refresh();
}

listen();
begin();
document.documentElement.dataset["ready"] = "";
