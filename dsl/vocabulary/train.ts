/** `train < … >`: how long, how fast, and with which optimiser. Rates are per optimiser step. */
import { z } from 'zod';
import {
  atLeastZero,
  call,
  count,
  type Fields,
  field,
  fraction,
  number,
  optional,
  positive,
  word,
} from './shape.ts';

const beta = (fallback: number, doc: string) =>
  field(doc, fraction('a fraction from 0 up to, but not including, 1', z.number().min(0).lt(1)), fallback);
const share = () => fraction('a fraction from 0 to 1', z.number().min(0).max(1));
const warmup = field('Share of the steps in which the rate rises from 0.', share(), 0.05, '5%');
const floor = field('Rate at the end, as a share of `lr`.', share(), 0, '0%');
const curvatureRate = field('Learning rate of curvatures and learned scales.', positive(), 0.01, '1e-2');

export const schedules = {
  constant: { doc: '`lr` throughout.', params: {} },
  linear: { doc: 'Warm up, then fall in a straight line.', params: { warmup, floor } },
  cosine: { doc: 'Warm up, then fall along half a cosine.', params: { warmup, floor } },
};

export const optimizers = {
  adamw: {
    doc: 'AdamW (Loshchilov and Hutter, arXiv 1711.05101).',
    params: {
      beta1: beta(0.9, 'Decay of the mean of gradients.'),
      beta2: beta(0.999, 'Decay of the mean of squared gradients.'),
      eps: field('Added to the root of the second.', positive(), 1e-8, '1e-8'),
      decay: field('Weight decay of A and B.', atLeastZero(), 0),
    },
  },
};

export const curvatureOptimizers = {
  adam: { doc: 'Adam, without weight decay.', params: { lr: curvatureRate } },
  sgd: { doc: 'Plain gradient steps.', params: { lr: curvatureRate } },
};

export const trainFields = {
  steps: field('Optimiser steps.', count(1), 300),
  batch: field('Sequences per micro-batch.', count(1, 65_536), 8),
  accumulate: field('Micro-batches per optimiser step.', count(1, 65_536), 1),
  lr: field('Peak learning rate of A and B.', positive(), 1e-3, '1e-3'),
  schedule: field(
    'How the rate runs over the steps.',
    call('schedule', schedules),
    { head: 'cosine', args: { warmup: 0.05, floor: 0 } },
    'cosine(warmup=5%, floor=0%)',
  ),
  optimizer: field(
    'Optimiser of A, B and the router.',
    call('optimizer', optimizers),
    { head: 'adamw', args: { beta1: 0.9, beta2: 0.999, eps: 1e-8, decay: 0 } },
    'adamw(beta1=0.9, beta2=0.999, eps=1e-8, decay=0)',
  ),
  curvature: field(
    'Optimiser of the geometry: curvatures and learned scales.',
    call('optimizer', curvatureOptimizers),
    { head: 'adam', args: { lr: 0.01 } },
    'adam(lr=1e-2)',
  ),
  router: optional('Learning rate of the router.', positive(), '`lr`'),
  clip: field('Largest global norm of the gradient; 0 turns clipping off.', atLeastZero(), 1, '1.0'),
  seed: field(
    'Seed of the starting values, the order of samples, dropout and noise.',
    number('a whole number from 0 to 4294967295', z.number().int().min(0).max(0xffff_ffff)),
    0,
  ),
  log: field('Steps between log lines.', count(1), 10),
  validate: field('Steps between validations; 0: at the end only.', count(0), 0),
  recompute: field(
    'What the backward pass computes again instead of keeping it: less memory, about a third more time, the same numbers.',
    word({ none: 'nothing', layer: 'each decoder layer, from its input' }),
    'none',
  ),
  patience: field(
    'Validations without a better loss after which training ends; 0: never early.',
    count(0),
    0,
  ),
  checkpoint: field('Steps between checkpoints; 0: at the end and when stopped only.', count(0), 50),
} satisfies Fields;
