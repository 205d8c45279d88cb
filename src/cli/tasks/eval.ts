/** Evaluation, in the worker: the base alone, then with the adapter if there is one. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Score } from '../../data/score.ts';
import { softwareNotice } from '../../gpu/device.ts';
import { loadAdapter } from '../../run/adapter-file.ts';
import { openBase } from '../../run/base.ts';
import { evaluateBlock } from '../../run/evaluate-block.ts';
import { parameterFloats } from '../../runtime/parameters.ts';
import { switchAdapters } from '../../runtime/session.ts';
import type { TaskContext } from '../tasks.ts';

export interface EvalArgs {
  plan: string;
  out: string;
  adapter?: string;
  only: string[];
  limit?: number;
}

export interface EvalTaskResult {
  evaluations: { name: string; adapter: boolean; score: Score }[];
  /** File with one JSON line per question. */
  answers: string;
}

export async function task(
  { plan, out, adapter, only, limit }: EvalArgs,
  context: TaskContext,
): Promise<EvalTaskResult> {
  const base = await openBase(plan, context.phase, { use: 'generation' });
  try {
    const notice = softwareNotice(base.opened);
    if (notice) context.log(notice);
    const { executor } = base;
    executor.write(
      'params',
      adapter ? loadAdapter(adapter, base.plan) : new Float32Array(parameterFloats(base.plan)),
    );
    const evaluations: EvalTaskResult['evaluations'] = [];
    const lines: string[] = [];
    for (const on of adapter ? [false, true] : [false]) {
      switchAdapters(executor, new Set(on ? base.plan.slots : []));
      for (const block of base.plan.evals.filter(e => only.includes(e.name))) {
        const { name, score, answers } = await evaluateBlock(
          base,
          limit === undefined ? block : { ...block, limit },
          context,
        );
        evaluations.push({ name, adapter: on, score });
        for (const answer of answers) lines.push(JSON.stringify({ eval: name, adapter: on, ...answer }));
      }
    }
    const path = join(out, 'answers.jsonl');
    writeFileSync(path, `${lines.join('\n')}\n`);
    return { evaluations, answers: path };
  } finally {
    base.close();
  }
}
