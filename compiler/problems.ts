/** What can be wrong with a program only once the model is known. One entry per code; `mos explain CODE` prints it. */
import type { Diagnostic } from '../dsl/diagnostics/diagnostic.ts';
import type { Span } from '../dsl/program.ts';

export const COMPILE_PROBLEMS = {
  'layer-out-of-range': { about: 'A layer range names a layer that the model does not have. Layers count from 0 and ranges are inclusive.', help: 'shorten the range' },
  'mixed-dropout': { about: 'Adapters that read the same input share its stacked projection, and with it one dropout probability.', help: 'give adapters on one input the same dropout' },
  'no-module-matches': { about: 'A target of an adapter matches no linear layer of the model. A bare word matches the end of a module path, a string is a glob.', help: 'name a linear layer of the model' },
  'overlapping-adapters': { about: 'Two adapter blocks claim one module. Adapters on one module need distinct names: `adapter math: q_proj < … >`.', help: 'narrow the targets or name one of the adapters' },
  'rank-too-large': { about: 'A low-rank update cannot have a rank beyond the smaller side of the layer it adapts.', help: 'lower the rank' },
  'too-many-experts': { about: 'An adapter has more experts than one routing record holds (16).', help: 'use at most 16 experts in one adapter' },
} as const satisfies Record<string, { about: string; help: string }>;

export type ProblemCode = keyof typeof COMPILE_PROBLEMS;

export function problem(code: ProblemCode, message: string, span: Span, extra: Partial<Diagnostic> = {}): Diagnostic {
  return { code, severity: 'error', message, span, help: COMPILE_PROBLEMS[code].help, ...extra };
}
