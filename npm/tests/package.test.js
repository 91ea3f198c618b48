// What would be published: its files and size, installed elsewhere, in Node, in a bundle and as a browser loads it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const PACKAGE = here("../../dist/npm/indicator-cache");
const TOOLS = here("../node_modules/.bin");
const MANIFEST = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"));

/** Of what a page loads, compressed: 120 KB. */
const BUDGET = 120_000;

let folder;
const run = (command, ...args) => execFileSync(command, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

before(() => {
  folder = mkdtempSync(join(tmpdir(), "indicator-cache-"));
  writeFileSync(join(folder, "package.json"), "{}");
  const packed = here(`../../dist/npm/indicator-cache-${MANIFEST.version}.tgz`);
  run("npm", "install", "--silent", "--offline", "--no-audit", "--no-fund", packed);
});

after(() => rmSync(folder, { recursive: true }));

test("the files that npm packs are those that are meant, and all of them", () => {
  const [{ files }] = JSON.parse(run("npm", "pack", "--dry-run", "--json", "--ignore-scripts", PACKAGE));
  const expected = [
    "LICENSE-APACHE", "LICENSE-MIT", "README.md", "all.js", "browser.js", "bundler.js", "cache.js", "compute.js", "engine.js",
    "engine_bg.wasm", "errors.js", "functions.d.ts", "functions.js", "index.d.ts", "index.js", "inline.js", "node.js",
    "package.json", "streams.js",
  ];
  assert.deepEqual(files.map(({ path }) => path).sort(), expected.sort());
  assert.deepEqual(readdirSync(join(folder, "node_modules/indicator-cache")).sort(), expected);
  const workspace = readFileSync(here("../../Cargo.toml"), "utf8");
  assert.ok(workspace.includes(`\nversion = "${MANIFEST.version}"\n`));
  assert.equal(MANIFEST.dependencies, undefined);
});

test("no path of the machine that built it", () => {
  const root = here("../..");
  for (const name of readdirSync(PACKAGE)) {
    const bytes = readFileSync(join(PACKAGE, name));
    for (const path of [root.replace(/\/$/, ""), process.env.HOME]) assert.ok(!bytes.includes(path), `${name}: ${path}`);
  }
});

/** A file and all that it imports. */
function closure(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  if (!name.endsWith(".js")) return found;
  const text = readFileSync(join(PACKAGE, name), "utf8");
  for (const [, imported] of text.matchAll(/(?:from|import) ["']\.\/([^"']+)["']/g)) closure(imported, found);
  for (const [, fetched] of text.matchAll(/new URL\("\.\/([^"]+)", import\.meta\.url\)/g)) closure(fetched, found);
  return found;
}

for (const entry of ["browser.js", "bundler.js"]) {
  test(`${entry} keeps within the budget`, (t) => {
    const files = [...closure(entry)];
    assert.ok(files.includes(entry === "browser.js" ? "engine_bg.wasm" : "inline.js"));
    const sizes = files.map((name) => gzipSync(readFileSync(join(PACKAGE, name)), { level: 9 }).length);
    const size = sizes.reduce((sum, one) => sum + one, 0);
    t.diagnostic(`${entry}: ${size} bytes compressed, of ${BUDGET}`);
    assert.ok(size <= BUDGET, `${size} bytes`);
  });
}

const EMA = "[10,10.5,11.75,11.875]";
const CALL = "JSON.stringify([...ema([10, 11, 13, 12], { period: 3 })])";

test("installed: imported under Node", () => {
  for (const name of ["indicator-cache", "indicator-cache/node", "indicator-cache/bundler"]) {
    const code = `import { ema } from "${name}"; process.stdout.write(${CALL})`;
    assert.equal(run("node", "--input-type=module", "--eval", code), EMA);
  }
});

test("installed: required under Node", { skip: !process.features.require_module && "this Node cannot require modules" }, () => {
  const code = `const { ema } = require("indicator-cache"); process.stdout.write(${CALL})`;
  assert.equal(run("node", "--no-warnings", "--input-type=commonjs", "--eval", code), EMA);
});

test("installed: imported as in a browser", () => {
  // Node's fetch reads no files.
  const code = `
    import { readFileSync } from "node:fs";
    const fetched = [];
    globalThis.fetch = async (url) => {
      fetched.push(url.pathname.split("/").at(-1));
      return new Response(readFileSync(url), { headers: { "Content-Type": "application/wasm" } });
    };
    const { ema } = await import("indicator-cache/browser");
    process.stdout.write(${CALL} + fetched);
  `;
  assert.equal(run("node", "--input-type=module", "--eval", code), `${EMA}engine_bg.wasm`);
});

for (const platform of ["browser", "node", "neutral"]) {
  test(`bundled by esbuild for ${platform}, in one file without plugins`, () => {
    writeFileSync(join(folder, "page.js"), `import { ema } from "indicator-cache"; globalThis.answer = ${CALL};`);
    run(join(TOOLS, "esbuild"), "page.js", "--bundle", "--minify", "--format=esm", `--platform=${platform}`, "--conditions=module", "--outfile=apart/page.mjs");
    const apart = mkdtempSync(join(tmpdir(), "indicator-cache-"));
    cpSync(join(folder, "apart"), apart, { recursive: true });
    const found = execFileSync("node", ["--input-type=module", "--eval", 'await import("./page.mjs"); process.stdout.write(answer)'], { cwd: apart, encoding: "utf8" });
    rmSync(apart, { recursive: true });
    assert.equal(found, EMA);
  });
}

const TYPED = `
import {
  atr, catalog, digest, ema, firstValid, macd, residual_zscore, restore, IndicatorCache, ParameterError, Stream,
  type EmaParameters, type IndicatorName, type ReadonlyColumn,
} from "indicator-cache";

const close: (number | null)[] = [1, null, 3];
const single: Float64Array = ema(close, { period: 3 });
const { signal }: { signal: Float64Array } = macd(single);
atr(single, Float32Array.of(1), close);
residual_zscore(close, { mean_source: "ema", ema_period: null });
const params: EmaParameters = {};
const stream = new Stream("macd", { fast: 3 });
const value: number = stream.update(1).histogram;
const other: number = new Stream("atr").update(1, 2, null) + new Stream("ema", params).update({ x: 1 });
const more: Float64Array = stream.updateMany(close).macd;
restore(stream.save()).update(1);
const cache = new IndicatorCache({ M1: { bid: { close } } }, { maxBytes: 1e6 });
const kept: ReadonlyColumn = cache.ema("M1", "bid", { source: "high", period: 3 });
const named: ReadonlyColumn = cache.view("M1", "bid").get("macd", { fast: 3 }).signal;
ema(kept), digest(kept), digest(cache.dmi("M1", "bid")), digest(macd(close));
for (const one of kept) one.toFixed();
cache.append({ M1: { bid: { close: 4 } } });
const every: IndicatorName[] = Object.values(catalog()).map((spec) => spec.name);
const first: number | undefined = firstValid("sma", { period: 3 }).sma;
try { ema(close); } catch (error) { if (error instanceof ParameterError) error.expected.length; }

// @ts-expect-error
ema(close, { window: 3 });
// @ts-expect-error
ema(close, { period: "3" });
// @ts-expect-error
residual_zscore(close, { mean_source: "median" });
// @ts-expect-error
atr(close, close);
// @ts-expect-error
new Stream("nonsense");
// @ts-expect-error
new Stream("atr").update(1, 2);
// @ts-expect-error
kept[0] = 1;
// @ts-expect-error
kept.fill(0);
// @ts-expect-error
cache.atr("M1", "bid", { source: "close" });
`;

test("types", () => {
  writeFileSync(join(folder, "typed.ts"), TYPED);
  const options = ["--strict", "--noEmit", "--target", "es2022", "--lib", "es2023,dom,esnext.disposable", "--noUncheckedIndexedAccess"];
  for (const resolution of ["nodenext", "bundler"]) {
    const module = resolution === "bundler" ? "esnext" : resolution;
    try {
      run(join(TOOLS, "tsc"), ...options, "--module", module, "--moduleResolution", resolution, "typed.ts");
    } catch (error) {
      assert.fail(`${resolution}: ${error.stdout}`);
    }
  }
});

test("types and code have the same names", async () => {
  const exported = Object.keys(await import(join(PACKAGE, "node.js"))).sort();
  const declared = ["functions.d.ts", "index.d.ts"].flatMap((name) => {
    const text = readFileSync(join(PACKAGE, name), "utf8");
    return [...text.matchAll(/^export (?:class|function) (\w+)/gm)].map(([, found]) => found);
  });
  assert.deepEqual([...new Set(declared)].sort(), exported);
});

test("the types have the documentation of every indicator", async () => {
  const { catalog } = await import(join(PACKAGE, "node.js"));
  const squeezed = (text) => text.replace(/^\s*\*/gm, "").replace(/\s+/g, " ");
  const written = (text) => text.replace(/None/g, "null").replace(/True/g, "true").replace(/False/g, "false");
  const text = squeezed(readFileSync(join(PACKAGE, "functions.d.ts"), "utf8"));
  for (const spec of Object.values(catalog())) {
    const plain = [spec.summary, spec.formula, spec.gaps, spec.source, spec.reference];
    const parts = [...plain, ...spec.parameters.map(({ summary }) => written(summary))];
    for (const part of parts) assert.ok(text.includes(squeezed(part)), `${spec.name}: ${part}`);
  }
});

test("what stands in the README runs", () => {
  const [, code] = readFileSync(join(PACKAGE, "README.md"), "utf8").match(/```js\n(.*?)```/s);
  const bars = "const open = [1, 2, 3], high = [2, 3, 4], low = [1, 1, 2], close = [1.5, 2.5, 3];\n";
  run("node", "--input-type=module", "--eval", bars + code);
});
