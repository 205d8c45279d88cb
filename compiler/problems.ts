/** What can be wrong with a program only once the model is known. One entry per code; `mos explain CODE` prints it. */
import type { Diagnostic } from '../dsl/diagnostics/diagnostic.ts';
import type { Span } from '../dsl/program.ts';

export const COMPILE_PROBLEMS = {
  'layer-out-of-range': {
    about:
      'A layer range names a layer that the model does not have. Layers count from 0 and ranges are inclusive.',
    help: 'shorten the range',
  },
  'mixed-dropout': {
    about:
      'Adapters that read the same input share its stacked projection, and with it one dropout probability.',
    help: 'give adapters on one input the same dropout',
  },
  'no-module-matches': {
    about:
      'A target of an adapter matches no linear layer of the model. A bare word matches the end of a module path, a string is a glob.',
    help: 'name a linear layer of the model',
  },
  'overlapping-adapters': {
    about:
      'Two adapter blocks claim one module. Adapters on one module need distinct names: `adapter math: q_proj < … >`.',
    help: 'narrow the targets or name one of the adapters',
  },
  'rank-too-large': {
    about: 'A low-rank update cannot have a rank beyond the smaller side of the layer it adapts.',
    help: 'lower the rank',
  },
  'too-many-experts': {
    about: 'An adapter has more experts than one routing record holds (16).',
    help: 'use at most 16 experts in one adapter',
  },
  'space-gradient': {
    about:
      'A profile of a declared space has a gradient that is not finite, in its radius or in a parameter. Training would stop there.',
    help: 'guard what is unbounded with `min` or `max`',
  },
  'space-hole': {
    about:
      'A profile of a declared space has no value for some radius and parameter: a logarithm or root of a negative number, an arcsine beyond 1, a division by 0. Vectors have any norm.',
    help: 'guard it with `min` or `max`, or bound the parameter: `learn(min=…, max=…)`',
  },
  'space-inverse': {
    about:
      'The two profiles of a declared space are not inverse to each other where no guard acts, so that a vector lifted and dropped is changed. That may be meant.',
    help: 'make `drop` the inverse of `lift`, unless this is meant',
  },
  'space-origin': {
    about:
      'A profile of a declared space is not 0 at radius 0, so that the zero vector, which has no direction, would become another. The adapter would not start as nothing.',
    help: 'subtract its value at 0',
  },
  'space-overflow': {
    about:
      'A profile of a declared space exceeds what float32 holds at a radius that a vector can have. Kernels cut exponentials off there, and gradients are no longer those of the profile.',
    help: 'guard the argument: `min(…, 80)`',
  },
  'space-slope': {
    about:
      'A profile of a declared space has a slope at radius 0 that is infinite, undefined or 0. Gains are profile(r)/r, and every training starts at radius 0.',
    help: 'let the profile start like a multiple of its radius',
  },
  'space-unsupported': {
    about:
      'A profile of a declared space cannot be divided by its radius in closed form: too many of its parts vanish or change sides at 0 at once.',
    help: 'write the profile in another form',
  },
} as const satisfies Record<string, { about: string; help: string }>;

export type ProblemCode = keyof typeof COMPILE_PROBLEMS;

export function problem(
  code: ProblemCode,
  message: string,
  span: Span,
  extra: Partial<Diagnostic> = {},
): Diagnostic {
  return { code, severity: 'error', message, span, help: COMPILE_PROBLEMS[code].help, ...extra };
}
