/** What the compiler refuses in the builder. `tsc` checks every line marked; running it only shows that it loads. */
import { expect, test } from 'bun:test';
import {
  adamw,
  adapter,
  cosine,
  data,
  euclid,
  evaluate,
  hyperbolic,
  kappa,
  learn,
  model,
  soft,
  space,
  sphere,
  sweep,
  times,
  top1,
  top2,
  topk,
  train,
} from 'mos/builder';

export const refused = [
  // @ts-expect-error: no such expert
  () => adapter('q_proj', { experts: ['sphere'] }),
  // @ts-expect-error: a router is no expert
  () => adapter('q_proj', { experts: [top2] }),
  // @ts-expect-error: one expert is still a list
  () => adapter('q_proj', { experts: euclid }),
  // @ts-expect-error: a space is no router
  () => adapter('q_proj', { router: sphere }),
  // @ts-expect-error: no such router
  () => adapter('q_proj', { router: 'top2' }),
  // @ts-expect-error: `topk` must say how many
  () => adapter('q_proj', { router: topk }),
  // @ts-expect-error: `topk` must say how many
  () => topk({ aux: 0.1 }),
  // @ts-expect-error: a string where a number belongs
  () => adapter('q_proj', { rank: '8' }),
  // @ts-expect-error: no such field
  () => adapter('q_proj', { rnak: 8 }),
  // @ts-expect-error: a flat space has no curvature
  () => euclid({ c: 1 }),
  // @ts-expect-error: `kappa` has `k`
  () => kappa({ c: 1 }),
  // @ts-expect-error: no such map
  () => hyperbolic({ map: 'exponential' }),
  // @ts-expect-error: curvature is a number or `learn`
  () => hyperbolic({ c: 'learn' }),
  // @ts-expect-error: a router is no parameter
  () => hyperbolic({ c: soft }),
  // @ts-expect-error: no such parameter
  () => learn({ start: 1 }),
  // @ts-expect-error: no such gate
  () => top1({ gate: 'softmx' }),
  // @ts-expect-error: `soft` keeps all
  () => soft({ k: 2 }),
  // @ts-expect-error: no such storage
  () => model('m', { dtype: 'float32' }),
  // @ts-expect-error: a schedule is made by `cosine` and its like
  () => train({ schedule: 'cosine' }),
  // @ts-expect-error: an optimiser is no schedule
  () => train({ schedule: adamw }),
  // @ts-expect-error: A and B are trained by AdamW
  () => train({ optimizer: cosine }),
  // @ts-expect-error: no such parameter
  () => cosine({ warmpu: 0.1 }),
  // @ts-expect-error: a share is a number
  () => data('d.jsonl', { validation: '5%' }),
  // @ts-expect-error: no such format
  () => data('d.jsonl', { format: 'csv' }),
  // @ts-expect-error: an eval has a name
  () => evaluate({ limit: 3 }),
  // @ts-expect-error: only experts are repeated
  () => times(top2, 2),
  // @ts-expect-error: a sweep goes through lists
  () => sweep({ seed: 3 }),
  // @ts-expect-error: the space has no such parameter
  () => space('horn', { parameters: { c: 'positive' }, lift: 'r', drop: 'r' })({ k: 1 }),
  // @ts-expect-error: no such domain
  () => space('horn', { parameters: { c: 'complex' }, lift: 'r', drop: 'r' }),
  // @ts-expect-error: text is no value
  () => adapter('q_proj', { experts: [{ text: 'euclid' }] }),
];

export const accepted = [
  adapter('q_proj', {
    experts: [euclid, hyperbolic({ c: learn }), sphere({ c: learn({ init: 1 }) }), kappa({ k: -1 })],
    router: top2,
  }),
  adapter(['q_proj', 'v_proj'], { layers: 3, rslora: true, router: topk({ k: 2, gate: 'softmax' }) }),
  train({ schedule: cosine, optimizer: adamw({ beta1: 0.8 }), lr: 1e-3 }),
  adapter('q_proj', {
    experts: [space('horn', { parameters: { c: 'positive' }, lift: 'r', drop: 'r' })({ c: 1, rank: 2 })],
  }),
];

test('the module loads', () => {
  expect(refused).not.toContain(undefined);
  expect(accepted).toHaveLength(4);
});
