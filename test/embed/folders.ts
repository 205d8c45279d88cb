/** Folders as a page has them, from the disk; and a tiny run outside one to compare with. */
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { compile, type Device, load, train } from 'mos';
import type { Folder } from '../../src/web/files.ts';
import { writeTinyData, writeTinyModel } from '../tiny-model.ts';

export function folderOf(path: string): Folder {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile());
  return new Map(
    files.map(({ parentPath, name }) => [
      relative(path, join(parentPath, name)),
      Bun.file(join(parentPath, name)),
    ]),
  );
}

/** Trains a program on the tiny model, in `folder`, with what hosts other than a page have; `model` has the adapter `trained`, off. */
export async function trainTiny(folder: string, program: string, device: Device = 'auto') {
  writeTinyModel(join(folder, 'model'));
  writeTinyData(join(folder, 'data.jsonl'));
  const out = join(folder, 'tiny.mosplan');
  const plan = await compile(program, { model: join(folder, 'model'), folder, out });
  const losses: number[] = [];
  await train(plan, { out: join(folder, 'run'), device, onStep: e => losses.push(e.loss) });
  const model = await load(plan, device);
  await model.add('trained', join(folder, 'run/adapter'));
  return { plan, losses, model };
}
