/** Runs every reference case found in a folder laid out as `adapters/`, `models/`, `train/`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fault } from '../report/fault.ts';
import { verifyAdapters } from './adapters.ts';
import { verifyModels } from './models.ts';
import type { Row } from './report.ts';
import { verifyTrajectory } from './trajectory.ts';

/** `models`: folder of base models that trajectories name. */
export async function verify(
  folder: string,
  models: string,
  onPhase: (phase: string) => void = () => {},
): Promise<Row[]> {
  const kinds: [string, string, (path: string) => Promise<Row[]>][] = [
    ['adapters', join('adapters', 'index.json'), verifyAdapters],
    ['models', 'models', verifyModels],
    ['train', join('train', 'index.json'), path => verifyTrajectory(path, models)],
  ];
  const present = kinds.filter(([, marker]) => existsSync(join(folder, marker)));
  if (present.length === 0)
    throw fault('file-not-found', `${folder} holds none of adapters/index.json, models/, train/index.json`);
  const rows: Row[] = [];
  for (const [name, , run] of present) {
    onPhase(`verifying ${name}`);
    rows.push(...(await run(join(folder, name))));
  }
  return rows;
}
