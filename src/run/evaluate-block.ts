/** One `eval` block of a plan with the adapters as they are. */
import type { Plan } from '../../compiler/plan/schema.ts';
import { loadEvalItems } from '../data/load.ts';
import type { Base } from './base.ts';
import { type Evaluation, evaluate } from './evaluate.ts';
import { COMPILING, type Listener } from './listener.ts';

export async function evaluateBlock(
  base: Base,
  block: Plan['evals'][number],
  listener: Omit<Listener, 'warn'>,
): Promise<Evaluation> {
  listener.phase(`evaluating ${block.name}`, COMPILING);
  const items = loadEvalItems({ ...block, baseDir: base.folder }, base.tokenizer);
  return evaluate(base.executor, base.tokenizer, items, {
    name: block.name,
    maxTokens: block.maxTokens,
    batch: block.batch,
    stop: listener.stop,
    onProgress: (done, total) => listener.progress({ label: `eval ${block.name}`, step: done, steps: total }),
  });
}
