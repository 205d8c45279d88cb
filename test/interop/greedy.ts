/** Greedy generations from the cache, several prompts at once, beside those that models.py wrote. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from '../../compiler/index.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { openCheckpoint } from '../../src/model/checkpoint.ts';
import { Executor } from '../../src/runtime/executor.ts';
import { generate } from '../../src/runtime/generate.ts';
import { refresh } from '../../src/runtime/session.ts';
import { bareProgram } from '../../src/verify/program.ts';
import type { Report } from './report.ts';

interface Written {
  prompts: number[][];
  tokens: number;
  models: Record<string, number[][]>;
}

export async function compareGreedy(folder: string, report: Report): Promise<void> {
  const written = JSON.parse(readFileSync(join(folder, 'greedy.json'), 'utf8')) as Written;
  for (const [name, theirs] of Object.entries(written.models)) {
    const checkpoint = openCheckpoint(join(folder, 'models', name));
    const { plan, files } = compile(bareProgram('', [], { batch: 1 }, 64), checkpoint.shape).compiled!;
    const opened = await openDevice({ limits: plan.requires.limits });
    const executor = await Executor.open(plan, files, opened, checkpoint.source());
    await refresh(executor);
    const ours = await generate(executor, written.prompts, { maxTokens: written.tokens, eos: [] });
    report.same(`${name}: greedy generations of ${written.tokens} tokens`, ours, theirs);
    executor.close();
    checkpoint.close();
  }
}
