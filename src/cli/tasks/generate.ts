/** Generation, in the worker: the same prompts by every side that is asked for, adapters changed in between by name. */
import { Model, type Prompt } from '../../api/model.ts';
import { softwareNotice } from '../../gpu/device.ts';
import { openBase } from '../../run/base.ts';
import type { Answering, NamedAdapter } from '../answering.ts';
import type { TaskContext } from '../tasks.ts';

export interface GenerateArgs {
  plan: string;
  adapters: NamedAdapter[];
  /** Names of adapters to answer with, one after another; undefined: none, the base alone. */
  sides: (string | undefined)[];
  prompts: Prompt[];
  raw: boolean;
  answering: Answering;
}

/** Opens a model for answers; its adapters are read and off. */
export async function openModel(
  plan: string,
  adapters: readonly NamedAdapter[],
  context: TaskContext,
): Promise<Model> {
  const base = await openBase(plan, context.phase, { use: 'generation', warn: context.warn });
  const model = new Model(base);
  try {
    const notice = softwareNotice(base.opened);
    if (notice) context.log(notice);
    for (const { name, folder } of adapters) await model.add(name, folder);
    await model.off();
    return model;
  } catch (error) {
    model.close();
    throw error;
  }
}

/** Answers by side and prompt. The event `text` carries pieces of answers as they grow. */
export async function task(args: GenerateArgs, context: TaskContext): Promise<string[][]> {
  const { sides, prompts, raw, answering } = args;
  const model = await openModel(args.plan, args.adapters, context);
  try {
    context.phase('generating', 600);
    const texts: string[][] = [];
    for (const side of sides) {
      await model.use(...(side === undefined ? [] : [side]));
      const answers = await model.generate(prompts, {
        ...answering,
        raw,
        signal: context.stop,
        onText: (piece, index) => context.event('text', { piece, index }),
      });
      texts.push(answers);
    }
    return texts;
  } finally {
    model.close();
  }
}
