/** Parameter values on which a space is tried: what its experts give, and small, usual and large ones within their bounds. */
import type { Expert, Parameter } from '../../dsl/program.ts';
import type { SpaceParameter } from '../../dsl/space.ts';
import type { Environment } from './evaluate.ts';

const USUAL = {
  positive: [0.1, 1e-3, 1, 7],
  real: [0, 0.3, -0.3, 1e-4, -1e-4, 2, -2],
  unit: [0.5, 0.05, 0.95],
};
const MOST = 200;

export function samplesOf(
  parameters: readonly SpaceParameter[],
  experts: readonly Expert[] = [],
): Environment[] {
  let all: Environment[] = [{}];
  for (const { name, domain, fallback } of parameters) {
    const given = experts.flatMap(e => e.parameters?.[name] ?? []);
    const tried = valuesOf(given.length > 0 ? given : [fallback], USUAL[domain]);
    all = all.flatMap(env => tried.map(value => ({ ...env, [name]: value })));
    if (all.length > MOST) all = all.filter((_, i) => i % Math.ceil(all.length / MOST) === 0);
  }
  return all;
}

function valuesOf(given: readonly Parameter[], usual: readonly number[]): number[] {
  const values = given.flatMap(p => {
    if (p.kind === 'fixed') return [p.value];
    const { init, min, max } = p;
    const inside = usual.filter(
      v => v >= (min ?? Number.NEGATIVE_INFINITY) && v <= (max ?? Number.POSITIVE_INFINITY),
    );
    return [init, ...(min === undefined ? [] : [min]), ...(max === undefined ? [] : [max]), ...inside];
  });
  return [...new Set(values)];
}
