/**
 * Each faster way to compute a step against the plain one, over 50 steps of training on data of changing length: long
 * enough that a gradient which is slightly off somewhere would lead elsewhere.
 */
import { describe, expect } from 'bun:test';
import type { Compiled } from '../../compiler/index.ts';
import type { Variant } from '../../compiler/plan/schema.ts';
import { pack } from '../../src/data/batches.ts';
import { gpuTest, quadTest, relativeError } from '../gpu/harness.ts';
import { emulated } from '../kernels/matrix_emulated.ts';
import { compileSmall, openCompiled, randomParameters, sequences, type Text } from './small.ts';

const STEPS = 50;
const TEXT: Text = {
  adapters: `
adapter q_proj, v_proj, down_proj < rank: 3; experts: hyperbolic(c=learn(init=0.5)), kappa(k=learn, map=exp), euclid; router: top2(aux=0.01) >`,
};
/** Five texts over and over, so that there is something to learn. */
const data = Array.from({ length: STEPS }, (_, i) =>
  sequences(100 + (i % 5), [5 + (i % 5), 21, 2 + (i % 5) * 6], 1),
);

/** Losses of every step and where the parameters went. `choose` says which variant of a dispatch on which module is taken. */
async function train(choose: (compiled: Compiled, module: string, variants: Variant[]) => Variant) {
  const compiled = compileSmall(TEXT);
  const { plan } = compiled;
  for (const group of plan.groups) group.lr /= 5;
  const taken = new Set<string>();
  for (const dispatch of [...plan.programs.forward, ...plan.programs.backward]) {
    const { module } = plan.origins[dispatch.origin];
    const variant = choose(compiled, module, dispatch.variants);
    if (variant !== dispatch.variants[0]) taken.add(plan.kernels[variant.kernel].name);
    // on this device, too
    const { kernel, grid } = variant;
    dispatch.variants = [{ kernel, grid }];
  }
  const { executor, session } = await openCompiled(compiled);
  const start = randomParameters(plan, 8);
  session.start(start);
  const losses: number[] = [];
  for (const [step, samples] of data.entries())
    losses.push((await session.step([pack(samples)], 1, step, 1)).loss);
  const end = await session.parameters();
  executor.close();
  return { losses, moved: end.map((v, i) => v - start[i]), taken: [...taken].sort() };
}

const adapted = (module: string) => module.includes('layers.1.self_attn.q_proj');
const plain = train((_, __, [first]) => first);

describe(`${STEPS} steps`, () => {
  gpuTest('of kernels for hardware follow those of kernels for processors', async () => {
    const { losses, moved } = await plain;
    // a software GPU takes seconds to compile each
    const fast = await train(
      (_, module, variants) =>
        (adapted(module) && variants.find(v => v.hardware && !v.features)) || variants[0],
    );
    expect(fast.taken).toEqual([
      'adapter.backward',
      'adapter.forward',
      'adapter.grads',
      'linear.forward_tiled',
      'linear.input_grad_tiled',
    ]);
    console.log(
      `  losses ${relativeError(fast.losses, losses).toExponential(1)}, parameters ${relativeError(fast.moved, moved).toExponential(1)}`,
    );
    expect(losses.at(-1)!).toBeLessThan(losses[4] - 0.1);
    expect(relativeError(fast.losses, losses)).toBeLessThan(1e-5);
    expect(relativeError(fast.moved, moved)).toBeLessThan(1e-2);
  });

  quadTest('of kernels in which four neighbours share follow those in which none do', async () => {
    const { losses, moved } = await plain;
    const shared = await train((_, __, variants) => variants.findLast(v => !v.hardware)!);
    expect(shared.taken).toEqual([
      'adapter.backward_quads',
      'adapter.forward_quads',
      'adapter.grads_quads',
      'attention.backward_kv_quads',
      'attention.backward_q_quads',
      'attention.forward_quads',
      'linear.forward_quads',
      'linear.input_grad_quads',
    ]);
    console.log(
      `  losses ${relativeError(shared.losses, losses).toExponential(1)}, parameters ${relativeError(shared.moved, moved).toExponential(1)}`,
    );
    expect(relativeError(shared.losses, losses)).toBeLessThan(1e-5);
    expect(relativeError(shared.moved, moved)).toBeLessThan(1e-2);
  });

  gpuTest('of f16 matrix units, written out, stay near', async () => {
    const { losses, moved } = await plain;
    const half = await train((compiled, module, variants) => {
      const found = adapted(module) && variants.find(v => v.features?.includes('shader-f16'));
      if (!found) return variants[0];
      const { file, name } = compiled.plan.kernels[found.kernel];
      const wgsl = compiled.files.get(file)!;
      if (wgsl.includes('subgroup_matrix'))
        compiled.files.set(file, emulated({ name, wgsl, bindings: [] }).wgsl);
      return found;
    });
    expect(half.taken).toEqual(['linear.forward_matrix', 'linear.input_grad_matrix']);
    const error = relativeError(half.losses, losses);
    console.log(
      `  losses ${error.toExponential(1)}, parameters ${relativeError(half.moved, moved).toExponential(1)}`,
    );
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(1e-4);
  });
});
