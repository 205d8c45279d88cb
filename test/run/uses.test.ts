/** Buffers are made for what a plan is opened for, the rest when it is first needed: what is promised is what is made. */
import { expect, spyOn } from 'bun:test';
import { USAGE } from '../../src/runtime/buffers.ts';
import { generate } from '../../src/runtime/generate.ts';
import { refresh, switchAdapters } from '../../src/runtime/session.ts';
import { gpu, gpuTest } from '../gpu/harness.ts';
import { batchOf, compileSmall, openCompiled, openSmall, PLAIN, randomParameters } from './small.ts';

const PROMPTS = [[5, 9, 2], [7], [3, 3, 4, 1, 8]];

gpuTest('a plan opened to generate holds what generation needs, and training adds the rest', async () => {
  const compiled = compileSmall(PLAIN);
  const { requires } = compiled.plan;
  const create = spyOn(gpu!.device, 'createBuffer');
  try {
    const made = () =>
      create.mock.calls
        .map(([{ size, usage }]) => (usage & (USAGE.STORAGE | USAGE.UNIFORM) ? size : 0))
        .reduce((sum, bytes) => sum + bytes, 0);
    const { plan, executor, session } = await openCompiled(compiled, { use: 'generation' });
    expect(made()).toBe(requires.peak.generation);
    const parameters = randomParameters(plan, 8);
    executor.write('params', parameters);
    switchAdapters(executor, new Set(plan.slots));
    await refresh(executor);
    const said = await generate(executor, PROMPTS, { maxTokens: 5, eos: [] });
    expect(made()).toBe(requires.peak.generation);

    session.start(parameters);
    const batch = batchOf(3, [7, 12, 4]);
    const { loss, norm } = await session.step([batch], 1, 0, 0);
    expect(made()).toBe(requires.bytes);
    executor.close();

    // and computes what a plan with all of its buffers computes
    const whole = await openSmall(PLAIN);
    whole.session.start(parameters);
    const wanted = await whole.session.step([batch], 1, 0, 0);
    expect([loss, norm]).toEqual([wanted.loss, wanted.norm]);
    whole.session.start(parameters);
    await refresh(whole.executor);
    expect(said).toEqual(await generate(whole.executor, PROMPTS, { maxTokens: 5, eos: [] }));
    expect(requires.peak.training + requires.peak.generation).toBeGreaterThan(requires.bytes);
  } finally {
    create.mockRestore();
  }
});

gpuTest('prompts longer than a piece of prefill, in any batch', async () => {
  const { executor } = await openSmall(PLAIN);
  const { context, generation } = executor.plan;
  expect(generation!.tokens).toBe(8 * context);
  const whole = await generate(executor, PROMPTS, { maxTokens: 4, eos: [] });
  const { tokens } = generation!;
  try {
    // pieces that end inside prompts, at their ends, and one token at a time
    for (const piece of [1, 2, 3, 4, 5]) {
      generation!.tokens = piece;
      expect(await generate(executor, PROMPTS, { maxTokens: 4, eos: [] })).toEqual(whole);
    }
  } finally {
    generation!.tokens = tokens;
  }
  // the rest of a prompt whose beginning is in the cache already
  const [first] = PROMPTS;
  await generate(executor, [first], { maxTokens: 1, eos: [] });
  const longer = [...first, 6, 2];
  const fresh = await generate(executor, [longer], { maxTokens: 4, eos: [] });
  await generate(executor, [first], { maxTokens: 1, eos: [] });
  expect(await generate(executor, [longer], { maxTokens: 4, eos: [], cached: [first.length] })).toEqual(
    fresh,
  );
});
