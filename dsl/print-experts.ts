/** The experts of a checked program as text: spaces, their parameters, and parameters that experts share. */
import type { AdapterBlock, Expert, Parameter, Program } from './program.ts';
import { spaces as builtIn } from './vocabulary/adapter.ts';

type Spaces = NonNullable<Program['spaces']>;

/** In double quotes, with the language's two escapes. */
export const quoted = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

/** Learned parameters that more than one expert has: declared once, as constants, for they are known by their place. */
export class SharedParameters {
  private readonly names = new Map<string, { name: string; parameter: Parameter }>();
  private readonly defaults: Map<string, Record<string, Parameter>>;

  constructor(adapters: AdapterBlock[], spaces: Spaces) {
    this.defaults = new Map(
      spaces.map(({ name, parameters }) => [
        name,
        Object.fromEntries(parameters.map(({ name: of, fallback }) => [of, fallback])),
      ]),
    );
    const own = new Set([...this.defaults.values()].flatMap(of => Object.values(of).map(keyOf)));
    for (const { experts: all } of adapters)
      for (const parameter of all.flatMap(parametersOf)) {
        const key = keyOf(parameter);
        if (key === undefined || own.has(key) || this.names.has(key)) continue;
        this.names.set(key, { name: `shared${this.names.size + 1}`, parameter });
      }
  }

  declarations(): string[] {
    return [...this.names.values()].map(
      ({ name, parameter }) => `let ${name} = ${parameterText(parameter, undefined)};`,
    );
  }

  /** What a declared space gives an expert that does not say. */
  fallback(space: string, parameter: string): Parameter | undefined {
    return this.defaults.get(space)?.[parameter];
  }

  text(parameter: Parameter, init: number | undefined): string {
    const declared = this.names.get(keyOf(parameter) ?? '');
    return declared ? `$${declared.name}` : parameterText(parameter, init);
  }
}

const keyOf = (parameter: Parameter): string | undefined =>
  parameter.kind === 'learn' ? parameter.share?.key : undefined;

const parametersOf = ({ curvature, parameters }: Expert): Parameter[] => [
  ...(curvature ? [curvature] : []),
  ...Object.values(parameters ?? {}),
];

/** `learn(init=0.1)`; without what it starts from when that is what the space says. */
export function parameterText(parameter: Parameter, init: number | undefined): string {
  if (parameter.kind === 'fixed') return String(parameter.value);
  const { init: start, min, max, lr, decay, share } = parameter;
  const args = [
    ...(start === init ? [] : [`init=${start}`]),
    ...Object.entries({ min, max, lr, decay, share: share?.scope })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${value}`),
  ];
  return args.length > 0 ? `learn(${args.join(', ')})` : 'learn';
}

const same = (a: Parameter, b: Parameter | undefined): boolean => JSON.stringify(a) === JSON.stringify(b);

function expertText(expert: Expert, rank: number, shared: SharedParameters): string {
  const { space, map, curvature, parameters = {}, learnScale } = expert;
  const args: string[] = [];
  if (curvature) {
    const name = space === 'kappa' ? 'k' : 'c';
    const { fallback } = space === 'kappa' ? builtIn.kappa.params.k : builtIn.hyperbolic.params.c;
    const init = fallback.kind === 'learn' ? fallback.init : fallback.value;
    if (!same(curvature, fallback)) args.push(`${name}=${shared.text(curvature, init)}`);
  }
  for (const [name, parameter] of Object.entries(parameters)) {
    const fallback = shared.fallback(space, name);
    if (!same(parameter, fallback)) args.push(`${name}=${shared.text(parameter, undefined)}`);
  }
  if (map !== undefined && map !== 'stereo') args.push(`map=${map}`);
  if (learnScale) args.push('scale=learn');
  if (expert.rank !== rank) args.push(`rank=${expert.rank}`);
  return args.length > 0 ? `${space}(${args.join(', ')})` : space;
}

/** The list of an adapter's experts; equal ones in a row are one, repeated. */
export function experts({ experts: all, rank }: AdapterBlock, shared: SharedParameters): string {
  const runs: { text: string; count: number }[] = [];
  for (const expert of all) {
    const text = expertText(expert, rank, shared);
    const last = runs.at(-1);
    if (last?.text === text) last.count++;
    else runs.push({ text, count: 1 });
  }
  return runs.map(({ text, count }) => (count > 1 ? `${text} * ${count}` : text)).join(', ');
}
