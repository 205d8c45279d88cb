/** What the compiler derives: the same plan from the same program, and no backward work that trains nothing. */
import { describe, expect, test } from 'bun:test';
import { encodePlan } from '../../compiler/plan/codec.ts';
import type { Dispatch, Plan } from '../../compiler/plan/schema.ts';
import { compileSmall } from '../run/small.ts';

const MIXTURE = 'rank: 4; experts: hyperbolic, euclid';
const nameOf = (plan: Plan, d: Dispatch) => plan.kernels[d.variants[0].kernel].name;
const moduleOf = (plan: Plan, d: Dispatch) => plan.origins[d.origin].module;

function writtenBuffers(plan: Plan, d: Dispatch): string[] {
  const { bindings } = plan.kernels[d.variants[0].kernel];
  return d.bindings
    .filter((_, i) => bindings[i].access === 'write' || bindings[i].access === 'read_write')
    .map(view => plan.buffers[view.buffer].name);
}

/** How often each kernel runs for modules whose path contains `part`. */
function count(plan: Plan, program: string, part = ''): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const d of plan.programs[program].filter(d => moduleOf(plan, d).includes(part))) {
    const name = nameOf(plan, d);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

test('compiling twice gives the same bytes', () => {
  const [a, b] = [0, 1].map(() => {
    const { plan, files } = compileSmall({ adapters: `adapter all-linear < ${MIXTURE} >` });
    return encodePlan(plan, files);
  });
  expect([...a.keys()]).toEqual([...b.keys()]);
  for (const [path, text] of a) expect(b.get(path) === text).toBe(true);
});

describe('the backward program', () => {
  const everywhere = compileSmall({ adapters: `adapter all-linear < ${MIXTURE} >` }).plan;
  const last = compileSmall({ adapters: `adapter q_proj layers 1 < ${MIXTURE} >` }).plan;
  const none = compileSmall({ adapters: '' }).plan;

  test('writes gradients of trained tensors and of activations, of nothing else', () => {
    const allowed = new Set(['grads', 'gram_grad', 'stats', 'routing', 'metrics']);
    for (const plan of [everywhere, last]) {
      for (const d of [...plan.programs.forward, ...plan.programs.backward]) {
        for (const name of writtenBuffers(plan, d))
          expect(name.startsWith('scratch.') || allowed.has(name)).toBe(true);
      }
    }
    // linear.outer is the only kernel that makes weight gradients: A once per stacked input, B once per stack
    const stacks = 4 * 2;
    expect(count(everywhere, 'backward')['linear.outer']).toBe(2 * stacks);
    for (const d of everywhere.programs.backward.filter(d => nameOf(everywhere, d) === 'linear.outer')) {
      expect(writtenBuffers(everywhere, d)).toEqual(['grads']);
    }
  });

  test('stays above the lowest adapter', () => {
    const modules = last.programs.backward.map(d => moduleOf(last, d));
    expect(modules.filter(m => m.includes('layers.0') || m.includes('embed'))).toEqual([]);
    // above the query: o, the MLP and the norms of layer 1; below the projection itself nothing at all
    expect(count(last, 'backward', 'layers.1')).toEqual({
      'rmsnorm.backward': 1,
      'linear.input_grad': 3,
      'swiglu.backward': 1,
      'attention.backward_q': 1,
      'attention.backward_kv': 1,
      'heads.backward': 1,
      'linear.output_grad': 1,
      'linear.outer': 2,
      'gains.backward': 1,
      'gains.reduce': 1,
    });
    expect(last.programs.backward.length).toBeLessThan(everywhere.programs.backward.length / 2);
    // the forward pass has every layer all the same
    expect(count(last, 'forward', 'layers.0')['attention.forward']).toBe(1);
  });

  test('is empty without adapters', () => {
    expect(none.programs.backward).toEqual([]);
  });

  test('goes down to layer 0 as soon as something is trained there', () => {
    const first = compileSmall({ adapters: `adapter down_proj layers 0 < ${MIXTURE} >` }).plan;
    expect(count(first, 'backward', 'layers.0')).toEqual({
      'linear.output_grad': 1,
      'linear.outer': 2,
      'gains.backward': 1,
      'gains.reduce': 1,
    });
    expect(count(first, 'backward', 'layers.1')['attention.backward_q']).toBe(1);
  });
});

describe('adapters that share an input', () => {
  const shared = compileSmall({ adapters: `adapter q_proj, k_proj, v_proj < ${MIXTURE} >` }).plan;
  const single = compileSmall({ adapters: `adapter q_proj < ${MIXTURE} >` }).plan;

  test('share one projection, one norm, one set of gains', () => {
    // projection, stacked q|k|v with the update, o, gate|up, down
    const forward = {
      'rmsnorm.forward': 2,
      'linear.forward': 5,
      'gains.forward': 1,
      'heads.forward': 1,
      'attention.forward': 1,
      'swiglu.forward': 1,
    };
    for (const plan of [shared, single])
      for (const layer of ['layers.0', 'layers.1']) expect(count(plan, 'forward', layer)).toEqual(forward);
    expect(shared.programs.backward.length).toBe(single.programs.backward.length);
  });

  test('take their radius from the norm; behind another operation it costs one kernel', () => {
    expect(count(shared, 'forward')['radius.forward']).toBeUndefined();
    const { plan } = compileSmall({
      adapters: `adapter o_proj < ${MIXTURE} >\nadapter math: o_proj < ${MIXTURE} >`,
    });
    expect(count(plan, 'forward')['radius.forward']).toBe(2);
    const flat = compileSmall({ adapters: 'adapter o_proj < rank: 4; experts: euclid * 2 >' }).plan;
    expect(count(flat, 'forward')['radius.forward']).toBeUndefined();
    expect(flat.programs.refresh).toEqual([]);
  });
});

test('every dispatch names its place in the program', () => {
  const { plan } = compileSmall({ adapters: `adapter q_proj layers 1 < ${MIXTURE} >` });
  const gains = plan.programs.forward.find(d => nameOf(plan, d) === 'gains.forward')!;
  expect(plan.origins[gains.origin]).toEqual({
    file: 'small.mos',
    line: 4,
    column: 1,
    module: 'model.layers.1.self_attn.q_proj',
  });
});
