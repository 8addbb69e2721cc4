// npm's tiktoken (the same Rust code as WASM) on the documents of cmd/corpus.
//
//   npm install tiktoken@1.0.22 && node wasm.mjs DOCUMENTS [encoding]
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { get_encoding } from "tiktoken";

const [directory, name = "o200k_base"] = process.argv.slice(2);
const encoding = get_encoding(name);
for (const file of readdirSync(directory).filter((f) => f.endsWith(".json")).sort()) {
  const texts = JSON.parse(readFileSync(join(directory, file), "utf8"));
  const size = texts.reduce((n, t) => n + Buffer.byteLength(t), 0);
  let best = 0;
  let tokens = 0;
  for (let round = 0; round < 2; round++) {
    const start = process.cpuUsage();
    tokens = texts.reduce((n, t) => n + encoding.encode_ordinary(t).length, 0);
    const used = process.cpuUsage(start);
    best = Math.max(best, size / (used.user + used.system));
  }
  console.log(`${name}/tiktoken-wasm/${file.slice(0, -5)} ${best.toFixed(1)} MB/cpu-s ${tokens} tokens`);
}
