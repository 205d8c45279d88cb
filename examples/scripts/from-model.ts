/**
 * A program made from what is in a model: its modules are listed from the checkpoint's header, and each layer gets a
 * mixture by its depth, flat below and curved above, where the paper saw curvature grow.
 */
import { openSync, readSync } from 'node:fs';
import { format } from 'mos';
import { adapter, type Block, euclid, hyperbolic, model, programIn, soft, sphere, train } from 'mos/builder';

/** Names in a safetensors file: eight bytes of length, then a JSON object by name. */
function tensorNames(path: string): string[] {
  const file = openSync(path, 'r');
  const length = new DataView(new ArrayBuffer(8));
  readSync(file, length, 0, 8, 0);
  const header = new Uint8Array(Number(length.getBigUint64(0, true)));
  readSync(file, header, 0, header.length, 8);
  return Object.keys(JSON.parse(new TextDecoder().decode(header)));
}

const folder = process.argv[2] ?? 'examples/models/tiny-qwen2';
const modules = tensorNames(`${folder}/model.safetensors`)
  .filter(name => /\.layers\.\d+\..*_proj\.weight$/.test(name))
  .map(name => name.slice(0, -'.weight'.length));
const layerOf = (module: string) => Number(/\.layers\.(\d+)\./.exec(module)?.[1]);
const layers = [...new Set(modules.map(layerOf))].sort((a, b) => a - b);

const blocks = layers.map((layer): Block => {
  const targets = modules.filter(module => layerOf(module) === layer && !/[kv]_proj$/.test(module));
  const upper = layer >= layers.length / 2;
  return upper
    ? adapter(targets, { rank: 8, experts: [hyperbolic, sphere, euclid] })
    : adapter(targets, { rank: 12, experts: [euclid, euclid], router: soft });
});

console.log(format(programIn({}, model(folder), ...blocks, train({ steps: 100 }))));
