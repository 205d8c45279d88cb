/**
 * What a plan is used for. Training and generation have programs of their own, and buffers that only the other one binds
 * need not be there.
 */
import type { Plan } from './schema.ts';

export type Use = 'training' | 'generation';

/** The use that a program belongs to; `refresh` prepares both. */
export const useOf = (program: string): Use =>
  program === 'prefill' || program === 'decode' ? 'generation' : 'training';

export const programsOf = (plan: Pick<Plan, 'programs'>, use: Use): string[] =>
  Object.keys(plan.programs).filter(name => name === 'refresh' || useOf(name) === use);

/** Roles of buffers that hold nothing until a program writes to them; all others are there from the start. */
const EMPTY_AT_FIRST = new Set(['scratch', 'state', 'gradient', 'moment']);

/** Indices of the buffers that must be there to run these programs. */
export function buffersFor(
  { buffers, programs }: Pick<Plan, 'buffers' | 'programs'>,
  names: string[],
): number[] {
  const bound = new Set(names.flatMap(n => programs[n].flatMap(d => d.bindings.map(b => b.buffer))));
  return buffers.flatMap(({ role }, i) => (bound.has(i) || !EMPTY_AT_FIRST.has(role) ? i : []));
}
