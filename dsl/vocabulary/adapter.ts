/** `adapter`: what is added to which modules. Meanings of the numbers: Zhang et al., arXiv 2602.14490, sections 3 and 4. */
import { z } from 'zod';
import type { Parameter } from '../program.ts';
import {
  atLeastZero,
  call,
  count,
  type Fields,
  field,
  flag,
  fraction,
  optional,
  parameter,
  positive,
  real,
  required,
  several,
  word,
} from './shape.ts';

export const rank = optional('Rank of this expert.', count(1, 1024), 'the adapter’s rank');
const map = field(
  'How a vector is lifted onto the space and dropped from it.',
  word({ stereo: 'the light stereographic map', exp: 'the exponential and the logarithm at the origin' }),
  'stereo',
);
export const scale = field(
  'What x is divided by before it is lifted: the square root of its length, or a learned number that starts there.',
  word({ fixed: '√d_in', learn: 'a parameter that starts at √d_in' }),
  'fixed',
);
const learnFrom = (init: number): Parameter => ({ kind: 'learn', init });
const c = field(
  'Size of the curvature, above 0.',
  parameter(positive(), 0.1),
  learnFrom(0.1),
  'learn(init=0.1)',
);

export const spaces = {
  euclid: { doc: 'Flat: plain LoRA.', params: { rank } },
  hyperbolic: {
    doc: 'Curvature −c: volume grows exponentially, as in a tree.',
    params: { c, map, scale, rank },
  },
  sphere: { doc: 'Curvature +c: closed, as directions and cycles are.', params: { c, map, scale, rank } },
  kappa: {
    doc: 'Curvature k of either sign, which may change sign while it learns.',
    params: {
      k: field('The curvature.', parameter(real(), 0), learnFrom(0), 'learn(init=0)'),
      map,
      scale,
      rank,
    },
  },
};

const common = {
  z: field('Coefficient of the router’s z-loss, which keeps logits small.', atLeastZero(), 0),
  noise: field('Standard deviation of the noise on the logits, in training only.', atLeastZero(), 0),
  on: field(
    'What the router reads.',
    word({ input: 'the layer’s input', rank: 'the experts’ low-rank values, stacked' }),
    'input',
  ),
};
const gates = {
  renorm: 'kept softmax values divided by their sum',
  softmax: 'softmax values as they are',
};
const aux = field('Coefficient of the load-balance loss.', atLeastZero(), 0.01);
const renorm = field('What becomes of the kept softmax values.', word(gates), 'renorm');

export const routers = {
  top1: {
    doc: 'One expert per token.',
    params: {
      aux,
      gate: field('What becomes of the kept softmax value.', word(gates), 'softmax'),
      ...common,
    },
  },
  top2: { doc: 'Two experts per token.', params: { aux, gate: renorm, ...common } },
  topk: {
    doc: 'k experts per token.',
    params: { k: required('How many experts are kept.', count(1, 64)), aux, gate: renorm, ...common },
  },
  soft: {
    doc: 'Every expert, weighted.',
    params: {
      aux: field('Has no effect: nothing is left out that could be balanced.', atLeastZero(), 0),
      gate: renorm,
      ...common,
    },
  },
};

export const adapterFields = {
  rank: field('Columns of each expert’s A and rows of its B.', count(1, 1024), 8),
  alpha: optional(
    'Strength: what the experts add is multiplied by alpha / rank.',
    positive(),
    '2 · the sum of the experts’ ranks',
  ),
  rslora: field('Divide by √rank instead of rank (Kalajdzievski, arXiv 2312.03732).', flag(), false),
  dropout: field(
    'Probability of dropping an element of the adapter’s input, in training only.',
    fraction('a fraction from 0 up to, but not including, 1', z.number().min(0).lt(1)),
    0,
  ),
  experts: several(
    'The spaces of the mixture, one expert each; `space * n` is n of them.',
    call('space', spaces, 'unknown-space'),
    (['hyperbolic', 'sphere', 'euclid'] as const).map(head =>
      head === 'euclid'
        ? { head, args: { rank: undefined } }
        : { head, args: { c: c.fallback, map: map.fallback, scale: scale.fallback, rank: undefined } },
    ),
    'hyperbolic, sphere, euclid',
  ),
  router: optional(
    'Which experts a token goes to.',
    call('router', routers),
    'top2(aux=0.01) from two experts on',
  ),
} satisfies Fields;
