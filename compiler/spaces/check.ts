/**
 * What a declared space must hold, tried on a grid of radii and parameters: 0 stays 0, with a finite slope that is not 0;
 * no hole in the domain; finite gradients. What it should hold is told as a warning: float32 suffices, and `drop` takes
 * back what `lift` does.
 */
import type { Diagnostic } from '../../dsl/diagnostics/diagnostic.ts';
import type { Expert, Program } from '../../dsl/program.ts';
import type { SpaceDefinition, SpaceParameter, SpaceProfile } from '../../dsl/space.ts';
import { type ProblemCode, problem } from '../problems.ts';
import { Unsupported } from './derive.ts';
import { type Environment, evaluator, RADIUS } from './evaluate.ts';
import { findHole } from './hole.ts';
import type { Gains, RadialSpace } from './radial.ts';
import { radialOf } from './resolve.ts';
import { samplesOf } from './samples.ts';

/** Radii from 1e-6 to 1e6, eight a decade, off round numbers where guards tend to stand. */
export const RADII = Array.from({ length: 97 }, (_, i) => 1.0371e-6 * 10 ** (i / 8));
/** Vectors may have any norm that float32 can square. */
const EXTREME = [...RADII, 1e9, 1e12, 1e15, 1e18];

/** Problems of every space that experts are on. */
export function checkSpaces(program: Pick<Program, 'adapters' | 'spaces'>): Diagnostic[] {
  return (program.spaces ?? []).flatMap(definition => {
    const experts = program.adapters.flatMap(a => a.experts).filter(e => e.space === definition.name);
    return checkSpace(definition, experts);
  });
}

export function checkSpace(definition: SpaceDefinition, experts: readonly Expert[] = []): Diagnostic[] {
  const samples = samplesOf(definition.parameters, experts);
  const told: Diagnostic[] = [];
  for (const which of ['lift', 'drop'] as const) {
    const found = mistakeIn(definition, which, samples);
    if (found) told.push(found);
  }
  if (told.length > 0) return told;
  const space = build(definition);
  if (!('lift' in space)) return [space];
  for (const which of ['lift', 'drop'] as const) {
    const found = computed(space, which, samples);
    if (found) told.push(found);
  }
  if (told.some(d => d.severity === 'error')) return told;
  const pair = inverse(space, samples);
  return pair ? [...told, pair] : told;
}

function build(definition: SpaceDefinition): RadialSpace | Diagnostic {
  try {
    return radialOf(definition);
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error;
    const code: ProblemCode = /slope|diverges/.test(error.message) ? 'space-slope' : 'space-unsupported';
    return problem(code, `\`${definition.name}\`: ${error.message}`, definition.origin);
  }
}

/** What the text of a profile does by itself: holes, and its value at 0. */
function mistakeIn(
  definition: SpaceDefinition,
  which: 'lift' | 'drop',
  samples: Environment[],
): Diagnostic | undefined {
  const profile = definition[which];
  for (const env of samples) {
    // 0/0 in a parameter, as in log(1 + k*r)/k, is resolved before anything is computed.
    if (definition.parameters.some(p => p.domain === 'real' && env[p.name] === 0)) continue;
    for (const r of RADII) {
      const hole = findHole(profile.body, { ...env, [profile.variable]: r });
      if (!hole) continue;
      return problem(
        'space-hole',
        `\`${which}\` is undefined at ${at(definition, env, profile, r)}: ${hole.message}`,
        hole.span,
      );
    }
    const start = findHole(profile.body, { ...env, [profile.variable]: 0 }, true);
    const value = start?.value ?? Number.NaN;
    if (Number.isFinite(value) && Math.abs(value) > 1e-12) {
      return problem(
        'space-origin',
        `${which}(0) is ${short(value)}${given(definition, env)}, must be 0`,
        profile.body.span,
      );
    }
  }
  return undefined;
}

/** What is made of a profile: slope, gradients, and whether float32 can hold them. */
function computed(
  space: RadialSpace,
  which: 'lift' | 'drop',
  samples: Environment[],
): Diagnostic | undefined {
  const { definition } = space;
  const gains = space[which];
  const profile = definition[which];
  const { span } = profile.body;
  for (const env of samples) {
    const slope = evaluator({ ...env, [RADIUS]: 0 })(gains.gain);
    if (!Number.isFinite(slope) || Math.abs(slope) < 1e-9) {
      const says = Number.isFinite(slope) ? short(slope) : 'not finite';
      return problem(
        'space-slope',
        `the slope of \`${which}\` at 0 is ${says}${given(definition, env)}, must be finite and not 0`,
        span,
      );
    }
    for (const r of RADII) {
      const value = evaluator({ ...env, [RADIUS]: r });
      // What overflows float64 overflows float32, and that is told below.
      if (!Number.isFinite(value(gains.gain))) continue;
      if ([gains.euler, ...gains.byStored].some(node => Number.isNaN(value(node)))) {
        return problem(
          'space-gradient',
          `the gradient of \`${which}\` is not finite at ${at(definition, env, profile, r)}`,
          span,
        );
      }
    }
  }
  return inFloat32(space, which, samples);
}

function inFloat32(
  { definition, lift, drop }: RadialSpace,
  which: 'lift' | 'drop',
  samples: Environment[],
): Diagnostic | undefined {
  const gains = which === 'lift' ? lift : drop;
  const profile = definition[which];
  for (const r of EXTREME) {
    for (const env of samples) {
      const value = evaluator({ ...env, [RADIUS]: reach(definition, env, r) }, Math.fround);
      if ([gains.gain, gains.euler, ...gains.byStored].every(node => Number.isFinite(value(node)))) continue;
      const message = `\`${which}\` overflows float32 from about ${at(definition, env, profile, r)} on`;
      return problem('space-overflow', message, profile.body.span, { severity: 'warning' });
    }
  }
  return undefined;
}

/** The kernel keeps the product of a parameter and r² finite. */
function reach({ parameters }: SpaceDefinition, env: Environment, r: number): number {
  const largest = Math.max(1, ...parameters.map(p => Math.abs(env[p.name])));
  return Math.min(r, 1e18 / Math.sqrt(largest));
}

/** The largest r·|drop(lift(r))/r − 1| where no guard acts. */
function inverse({ definition, lift, drop }: RadialSpace, samples: Environment[]): Diagnostic | undefined {
  let worst = { error: 0, back: 0, r: 0, env: {} as Environment };
  for (const env of samples) {
    for (const r of RADII) {
      if (r < 1e-3 || r > 1e3) continue;
      const up = evaluator({ ...env, [RADIUS]: r });
      const radius = up(lift.profile);
      const down = evaluator({ ...env, [RADIUS]: radius });
      if (guarded(lift, up) || guarded(drop, down) || !(radius >= 0) || !Number.isFinite(radius)) continue;
      const back = down(drop.profile);
      // Where a map saturates, its inverse amplifies rounding: that is no mistake of the pair.
      const amplified = Math.abs((radius * (down(drop.gain) + down(drop.euler))) / r);
      const error = Math.abs(back / r - 1) - 1e-13 * amplified;
      if (Number.isFinite(back) && error > worst.error) worst = { error, back, r, env };
    }
  }
  if (worst.error < 1e-6) return undefined;
  const { r, back, env } = worst;
  const [up, down] = [lift, drop].map(g => evaluator({ ...env, [RADIUS]: 0 })(g.gain));
  const message = `\`drop\` is not the inverse of \`lift\`: it takes lift(${short(r)}) to ${short(back)}${given(definition, env)}`;
  const notes = [`the slopes at 0 multiply to ${short(up * down)}`];
  return problem('space-inverse', message, definition.origin, { severity: 'warning', notes });
}

function guarded(gains: Gains, value: ReturnType<typeof evaluator>): boolean {
  return gains.guards.some(g => value(g.left) <= value(g.right) === (g.when === 'yes'));
}

const short = (value: number): string => String(Number(value.toPrecision(3)));

function given({ parameters }: { parameters: SpaceParameter[] }, env: Environment): string {
  return parameters.length > 0
    ? ` for ${parameters.map(p => `${p.name} = ${short(env[p.name])}`).join(', ')}`
    : '';
}

const at = (definition: SpaceDefinition, env: Environment, profile: SpaceProfile, r: number): string =>
  `${profile.variable} = ${short(r)}${given(definition, env)}`;
