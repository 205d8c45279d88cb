/** Which space an expert is on, and what its parameters are; built-in spaces come from the library. */
import { librarySpace } from '../../dsl/library/index.ts';
import type { Expert, Parameter, Program } from '../../dsl/program.ts';
import type { SpaceDefinition, SpaceDomain } from '../../dsl/space.ts';
import { type RadialSpace, radialSpace } from './radial.ts';

export interface ExpertParameter {
  /** As the space calls it. */
  name: string;
  domain: SpaceDomain;
  parameter: Parameter;
  /** Name of its tensor, behind the expert's. */
  tensor: string;
  builtIn: boolean;
}

export interface ExpertSpace {
  radial: RadialSpace;
  parameters: ExpertParameter[];
  /** Sign of the curvature that the only parameter is; absent for spaces without one. */
  sign?: 1 | -1;
}

/** Definitions are constants, and what is made of one is the same each time. */
const known = new WeakMap<SpaceDefinition, RadialSpace>();

export function radialOf(definition: SpaceDefinition): RadialSpace {
  const found = known.get(definition) ?? radialSpace(definition);
  known.set(definition, found);
  return found;
}

export class Spaces {
  private readonly declared: Map<string, SpaceDefinition>;

  constructor(declared: Program['spaces'] = []) {
    this.declared = new Map(declared.map(d => [d.name, d]));
  }

  definition(expert: Pick<Expert, 'space' | 'map'>): SpaceDefinition {
    const found = librarySpace(expert.space, expert.map) ?? this.declared.get(expert.space);
    if (!found) throw new Error(`bug: there is no space ${expert.space}`);
    return found;
  }

  of(expert: Expert): ExpertSpace {
    const definition = this.definition(expert);
    const builtIn = librarySpace(expert.space, expert.map) !== undefined;
    const parameters = definition.parameters.map(({ name, domain, fallback }): ExpertParameter => {
      const given = builtIn ? expert.curvature : expert.parameters?.[name];
      return {
        name,
        domain,
        parameter: given ?? fallback,
        tensor: builtIn ? 'curvature' : `parameters.${name}`,
        builtIn,
      };
    });
    const sign = builtIn && parameters.length > 0 ? (expert.space === 'hyperbolic' ? -1 : 1) : undefined;
    return { radial: radialOf(definition), parameters, ...(sign ? { sign } : {}) };
  }
}

/** The stored form of a parameter's value: what the optimiser moves. */
export function storedForm(domain: SpaceDomain, value: number): number {
  if (domain === 'real') return value;
  return domain === 'positive' ? Math.log(value) : Math.log(value / (1 - value));
}

export const STORED = { positive: 'log', real: 'plain', unit: 'logit' } as const;
