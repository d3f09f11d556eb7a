// Google's TensorFlow.js graph on the WASM backend, under node.
//
// Argument: JSON with `threads`, `modules` (the folder that holds node_modules), `file` (the
// graph's .json; its .bin lies beside it), `pictures` and `compared` (files of raw uint8 pictures,
// RGB) and `shape` of one picture. Answers as benchmarks/interleave.py asks.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";

console.log = console.info = console.error; // what a library prints is no answer

const settings = JSON.parse(process.argv[2]);
const answer = (value) => process.stdout.write(JSON.stringify(value) + "\n");

function ownBytes(path) {
  const buffer = readFileSync(path); // a view on a shared pool
  return buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.length);
}

function loader(path) {
  const file = JSON.parse(readFileSync(path, "utf8"));
  const paths = file.weightsManifest.flatMap((group) => group.paths);
  if (paths.length !== 1) throw new Error(`${path}: has ${paths.length} files of weights`);
  const artifacts = {
    modelTopology: file.modelTopology,
    format: file.format,
    signature: file.signature,
    weightSpecs: file.weightsManifest.flatMap((group) => group.weights),
    weightData: ownBytes(join(dirname(path), paths[0])),
  };
  return { load: async () => artifacts };
}

// The graph takes int32.
function pictures(path) {
  const all = Int32Array.from(new Uint8Array(ownBytes(path)));
  const size = settings.shape.reduce((a, b) => a * b);
  return Array.from({ length: all.length / size }, (_, i) => all.slice(i * size, (i + 1) * size));
}

async function main() {
  const require = createRequire(resolve(settings.modules, "package.json"));
  const tf = require("@tensorflow/tfjs-core");
  const { loadGraphModel } = require("@tensorflow/tfjs-converter");
  const wasm = require("@tensorflow/tfjs-backend-wasm");
  wasm.setThreadsCount(settings.threads);
  await tf.setBackend("wasm");
  if (wasm.getThreadsCount() !== settings.threads)
    throw new Error(`TensorFlow.js WASM has ${wasm.getThreadsCount()} thread under node`);
  const model = await loadGraphModel(loader(settings.file));

  const run = (picture) => {
    const input = tf.tensor4d(picture, [1, ...settings.shape], "int32");
    const output = model.execute(input);
    const values = output.dataSync();
    const shape = output.shape;
    tf.dispose([input, output]);
    return { values, shape };
  };

  const timed = pictures(settings.pictures);
  timed.forEach(run);
  const simd = (await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT")) ? "with" : "without";
  answer({
    runtime: `TensorFlow.js ${tf.version_core} WASM ${simd} SIMD, node ${process.versions.node}`,
  });

  let turn = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    if (!line.startsWith("run ")) {
      const found = pictures(settings.compared).map(run);
      answer(found.map(({ values, shape }) => nested(Array.from(values), shape)));
      continue;
    }
    const times = [];
    for (let i = 0; i < Number(line.split(" ")[1]); i++) {
      const picture = timed[turn++ % timed.length];
      const start = performance.now();
      run(picture);
      times.push(Number((performance.now() - start).toFixed(4)));
    }
    answer(times);
  }
}

function nested(values, shape) {
  if (shape.length === 1) return values;
  const size = values.length / shape[0];
  return Array.from({ length: shape[0] }, (_, i) =>
    nested(values.slice(i * size, (i + 1) * size), shape.slice(1)),
  );
}

main().catch((error) => {
  console.error(error.message.split("\n")[0]);
  process.exit(1);
});
