/** What an expert on a declared space can be given: its parameters, and what every curved expert has. */
import { z } from 'zod';
import type { SpaceDefinition, SpaceDomain } from '../space.ts';
import { rank, scale } from './adapter.ts';
import { field, type Head, number, type ParameterShape, parameter, positive, real } from './shape.ts';

const unit = () => number('a number between 0 and 1', z.number().gt(0).lt(1));

/** The numbers of a domain, and where a parameter starts that nobody gives a start. */
export function domainShape(domain: SpaceDomain): ParameterShape {
  if (domain === 'positive') return parameter(positive(), 0.1);
  return domain === 'real' ? parameter(real(), 0) : parameter(unit(), 0.5);
}

export function userSpace({ name, parameters }: SpaceDefinition): Head {
  const params = parameters.map(({ name: of, domain, fallback }) => {
    const shape = domainShape(domain);
    const init = fallback.kind === 'learn' ? fallback.init : fallback.value;
    const shown = fallback.kind === 'learn' ? `learn(init=${init})` : String(init);
    return [of, field('A parameter of the space.', { ...shape, init }, fallback, shown)] as const;
  });
  return { doc: `The declared space ${name}.`, params: { ...Object.fromEntries(params), scale, rank } };
}
