// For bundlers: the module is part of the code, compressed, so that no bundler needs a plugin for it.

import init from "./engine.js";
import compressed from "./inline.js";

const bytes = Uint8Array.from(atob(compressed), (letter) => letter.charCodeAt(0));
const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));

await init({ module_or_path: await new Response(stream).arrayBuffer() });

export * from "./all.js";
