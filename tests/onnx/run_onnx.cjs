// Runs an ONNX model in ONNX Runtime: node run_onnx.cjs MODEL PIXELS COUNT BATCH OUT
// PIXELS holds COUNT inputs, f32; every output goes to OUT.<name>, f32 or i64, images in order.
'use strict';
const fs = require('fs');
const ort = require(process.env.CBNET_ONNXRUNTIME);

async function main() {
  const [model, pixels, countText, batchText, out] = process.argv.slice(2);
  const count = Number(countText);
  const batch = Number(batchText);
  const session = await ort.InferenceSession.create(model, {intraOpNumThreads: 1, interOpNumThreads: 1});
  const input = session.inputNames[0];
  const sample = process.env.CBNET_SAMPLE.split(',').map(Number);
  const size = sample.reduce((product, n) => product * n, 1);
  const bytes = fs.readFileSync(pixels);
  const all = new Float32Array(bytes.buffer, bytes.byteOffset, count * size);
  const files = new Map(session.outputNames.map((name) => [name, fs.openSync(`${out}.${name}`, 'w')]));
  for (let begin = 0; begin < count; begin += batch) {
    const n = Math.min(batch, count - begin);
    const feed = new ort.Tensor('float32', all.slice(begin * size, (begin + n) * size), [n, ...sample]);
    const results = await session.run({[input]: feed});
    for (const [name, file] of files) {
      const data = results[name].data;
      fs.writeSync(file, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    }
  }
  for (const file of files.values()) fs.closeSync(file);
}

main().catch((error) => {
  console.error(String(error && error.message ? error.message : error));
  process.exit(1);
});
