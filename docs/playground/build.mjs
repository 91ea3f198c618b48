// Makes the playground of what stands in src: `node build.mjs SAMPLE FOLDER`. SAMPLE is a file of prices.
//
// The script is a classic one and not a module, because browsers load no modules from a disk: the page has to work
// where there is no server at all. It awaits the WebAssembly module at its top, hence the function around it.

import { build } from "esbuild";
import { cpSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [, , given, folder] = process.argv;
if (given === undefined || folder === undefined) throw new Error("usage: node build.mjs SAMPLE FOLDER");
const at = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const sample = resolve(given);

await build({
  entryPoints: [at("src/main.ts"), at("src/style.css")],
  outdir: folder,
  bundle: true,
  minify: true,
  charset: "utf8",
  format: "esm",
  target: "es2022",
  banner: { js: "(async () => {" },
  footer: { js: "})();" },
  legalComments: "linked",
  loader: { ".csv": "text" },
  alias: { "indicator-cache": at("../../dist/npm/indicator-cache/bundler.js"), "sample.csv": sample },
  define: { SAMPLE_NAME: JSON.stringify(basename(sample)) },
  logLevel: "warning",
  logOverride: { "empty-import-meta": "error" },
});
cpSync(at("src/index.html"), join(folder, "index.html"));
cpSync(sample, join(folder, basename(sample)));
