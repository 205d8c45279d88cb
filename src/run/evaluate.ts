/** Accuracy on a set of questions: greedy answers in batches, scored by exact match. */
import type { EvalItem } from '../data/sample.ts';
import { isExact, type Score, summarise } from '../data/score.ts';
import type { Tokenizer } from '../model/tokenizer.ts';
import type { Executor } from '../runtime/executor.ts';
import { generate, generationRows } from '../runtime/generate.ts';
import { refresh } from '../runtime/session.ts';

export interface Answer {
  line: number;
  prompt: string;
  reference: string;
  generated: string;
  correct: boolean;
}

export interface Evaluation {
  name: string;
  score: Score;
  answers: Answer[];
}

export interface EvaluateOptions {
  name: string;
  maxTokens: number;
  batch: number;
  onProgress?: (done: number, total: number, correct: number) => void;
  stop?: AbortSignal;
}

export async function evaluate(
  executor: Executor,
  tokenizer: Tokenizer,
  items: readonly EvalItem[],
  options: EvaluateOptions,
): Promise<Evaluation> {
  const { name, maxTokens, onProgress, stop } = options;
  const batch = Math.min(options.batch, generationRows(executor));
  await refresh(executor);
  const answers: Answer[] = [];
  for (let at = 0; at < items.length && !stop?.aborted; at += batch) {
    const part = items.slice(at, at + batch);
    const tokens = await generate(
      executor,
      part.map(i => i.prompt),
      { maxTokens, eos: tokenizer.eos, ...(stop ? { stop } : {}) },
    );
    part.forEach(({ line, promptText, answer }, i) => {
      const generated = tokenizer.decode(tokens[i]);
      answers.push({
        line,
        prompt: promptText,
        reference: answer,
        generated,
        correct: isExact(generated, answer),
      });
    });
    onProgress?.(answers.length, items.length, answers.filter(a => a.correct).length);
  }
  return { name, score: summarise(answers.filter(a => a.correct).length, answers.length), answers };
}
