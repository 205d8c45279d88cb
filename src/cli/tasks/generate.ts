/** Generation, in the worker. Text is sent as it becomes certain: a character may span several tokens. */
import { softwareNotice } from '../../gpu/device.ts';
import { loadAdapter } from '../../run/adapter-file.ts';
import { openBase } from '../../run/base.ts';
import { generate, generationRows, type Sampling } from '../../runtime/generate.ts';
import { parameterFloats } from '../../runtime/parameters.ts';
import { refresh, switchAdapters } from '../../runtime/session.ts';
import type { TaskContext } from '../tasks.ts';

export interface GenerateArgs {
  plan: string;
  adapter?: string;
  prompts: string[];
  raw: boolean;
  maxTokens: number;
  sampling: Sampling;
}

export async function task(args: GenerateArgs, context: TaskContext): Promise<string[]> {
  const { adapter, prompts, raw, maxTokens, sampling } = args;
  const base = await openBase(args.plan, context.phase, { use: 'generation' });
  try {
    const { executor, tokenizer, plan } = base;
    const notice = softwareNotice(base.opened);
    if (notice) context.log(notice);
    executor.write('params', adapter ? loadAdapter(adapter, plan) : new Float32Array(parameterFloats(plan)));
    switchAdapters(executor, new Set(adapter ? plan.slots : []));
    await refresh(executor);
    context.phase('generating', 600);
    const texts: string[] = [];
    const batch = generationRows(executor);
    for (let at = 0; at < prompts.length; at += batch) {
      const part = prompts
        .slice(at, at + batch)
        .map(p =>
          tokenizer.encode(
            raw ? tokenizer.bosText + p : tokenizer.render([{ role: 'user', content: p }], true),
          ),
        );
      const tokens: number[] = [];
      let sent = 0;
      const onToken = (row: number, token: number): undefined => {
        if (row !== 0) return;
        tokens.push(token);
        const text = tokenizer.decode(tokens);
        if (text.endsWith('\ufffd')) return;
        context.event('text', text.slice(sent));
        sent = text.length;
      };
      const out = await generate(executor, part, {
        maxTokens,
        eos: tokenizer.eos,
        sampling,
        onToken,
        stop: context.stop,
      });
      texts.push(...out.map(ids => tokenizer.decode(ids)));
    }
    return texts;
  } finally {
    base.close();
  }
}
