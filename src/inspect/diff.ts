/**
 * What differs between two plans, in the terms of whoever wrote the programs: adapters and training first, then what the
 * compiler made of it. The name of a plan and the places in `.mos` files say nothing about what it does, and count for nothing.
 */
import type { Plan } from '../../compiler/plan/schema.ts';
import { summarise } from '../../compiler/summary.ts';
import { sizeText } from './report.ts';
import { shorten } from './summary-text.ts';

export interface Difference {
  topic:
    | 'model'
    | 'adapters'
    | 'training'
    | 'data'
    | 'parameters'
    | 'programs'
    | 'kernels'
    | 'memory'
    | 'other';
  what: string;
  /** Absent where there is nothing on that side. */
  before?: string | number;
  after?: string | number;
}

type Row = Omit<Difference, 'topic'>;
type Value = string | number | undefined;

export function diffPlans(before: Plan, after: Plan): Difference[] {
  const found: Difference[] = [];
  const add = (topic: Difference['topic'], rows: Row[]) =>
    found.push(...rows.map(row => ({ topic, ...row })));
  const both = <T>(of: (plan: Plan) => T): [T, T] => [of(before), of(after)];
  add('model', compare(...both(modelFields)));
  add('adapters', siteRows(before, after));
  add('training', compare(...both(({ training, groups }) => flat({ ...training, groups: named(groups) }))));
  add(
    'data',
    compare(...both(({ data, evals }) => flat({ data: data && tidy(data), evals: named(evals.map(tidy)) }))),
  );
  add('parameters', compare(...both(parameterFields)));
  add('programs', programRows(before, after));
  add('kernels', kernelRows(before, after));
  add('memory', compare(...both(plan => flat({ ...summarise(plan).memory, total: plan.requires.bytes }))));
  if (found.length === 0) add('other', compare(...both(essentials)));
  return found;
}

/** Rows for the fields of one side or the other that are not equal. */
function compare(before: Map<string, Value>, after: Map<string, Value>): Row[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .map(what => ({ what, before: before.get(what), after: after.get(what) }))
    .filter(row => row.before !== row.after)
    .map(given);
}

/** Without the sides that are absent. */
const given = ({ what, before, after }: { what: string; before: Value; after: Value }): Row => ({
  what,
  ...(before === undefined ? {} : { before }),
  ...(after === undefined ? {} : { after }),
});

/** `schedule.kind` → value, for every leaf. */
function flat(value: unknown, path = '', into = new Map<string, Value>()): Map<string, Value> {
  if (Array.isArray(value)) into.set(path, value.join(', '));
  else if (typeof value === 'object' && value !== null)
    for (const [key, part] of Object.entries(value)) flat(part, path === '' ? key : `${path}.${key}`, into);
  else if (value !== undefined) into.set(path, typeof value === 'number' ? value : String(value));
  return into;
}

const named = <T extends { name: string }>(list: readonly T[]): Record<string, Omit<T, 'name'>> =>
  Object.fromEntries(list.map(({ name, ...rest }) => [name, rest]));

/** With the names of files alone: the folders before them depend on where a plan lies. */
const tidy = <T extends { paths: string[] }>(block: T): T => ({ ...block, paths: block.paths.map(baseName) });
const baseName = (path: string): string => path.replace(/^.*[\\/]/, '');

function modelFields({ model, sources, context, generation, symbols }: Plan): Map<string, Value> {
  const { path, ...rest } = model ?? { path: '' };
  return flat({
    ...rest,
    folder: baseName(path),
    configuration: sources.model,
    context,
    generation,
    batch: symbols,
  });
}

/** What is said of the adapter of each module, by `ADAPTER FIELD`: the fields of a program, after defaults and names are resolved. */
function siteFields({ sites }: Plan): Map<string, Map<string, string>> {
  return new Map(
    sites.map(({ adapter, module, experts, topK, gate, routes, aux, z }) => {
      const each = (of: (expert: (typeof experts)[number]) => unknown) => experts.map(of).join(', ');
      const space = ({ space, map, parameters }: (typeof experts)[number]) =>
        `${space}(${[...(map ? [`map=${map}`] : []), ...parameters.map(p => `${p.name}=${p.learned ? 'learn' : 'fixed'}`)].join(', ')})`;
      const router = `top${topK}(gate=${gate}, on=${routes}, aux=${aux}, z=${z})`;
      const fields = {
        experts: each(space),
        rank: each(e => e.rank),
        scale: each(e => e.scale),
        router: experts.length > 1 ? router : 'none',
      };
      return [
        `${adapter} ${module}`,
        new Map(Object.entries(fields).map(([k, v]) => [`${adapter}, ${k}`, v])),
      ];
    }),
  );
}

/** One row for all modules with one and the same change: `default, rank of 12 modules (…)`. */
function siteRows(before: Plan, after: Plan): Row[] {
  const [a, b] = [siteFields(before), siteFields(after)];
  const none = new Map<string, string>();
  const changes = new Map<string, { row: Row; modules: string[] }>();
  for (const site of new Set([...a.keys(), ...b.keys()])) {
    for (const row of compare(a.get(site) ?? none, b.get(site) ?? none)) {
      const key = JSON.stringify(row);
      const change = changes.get(key) ?? { row, modules: [] };
      changes.set(key, change);
      change.modules.push(site.slice(site.indexOf(' ') + 1));
    }
  }
  return [...changes.values()].map(({ row, modules }) => ({
    ...row,
    what: `${row.what} of ${shorten(modules)}`,
  }));
}

/** Numbers that are trained, and tensors by kind with how they begin. */
function parameterFields(plan: Plan): Map<string, Value> {
  const fields = new Map<string, Value>([['trainable', summarise(plan).trainable]]);
  for (const kind of new Set(plan.parameters.map(p => p.kind))) {
    const tensors = plan.parameters.filter(p => p.kind === kind);
    fields.set(`${kind}, tensors`, tensors.length);
    fields.set(
      `${kind}, numbers`,
      tensors.reduce((sum, p) => sum + p.rows * p.columns, 0),
    );
    fields.set(`${kind}, start`, [...new Set(tensors.map(p => Object.values(p.init).join(' ')))].join('; '));
  }
  return fields;
}

/** Dispatches, work and, where those are equal, whether they are the same dispatches. */
function programRows(before: Plan, after: Plan): Row[] {
  const fields = (plan: Plan) =>
    new Map(
      Object.entries(plan.programs).flatMap(([name, dispatches]): [string, Value][] => {
        const texts = dispatches.map(d => dispatchText(plan, d));
        return [
          [`${name}, dispatches`, dispatches.length],
          [
            `${name}, operations`,
            dispatches.reduce((sum, d) => sum + d.flops.each * scaleOf(plan, d.flops.symbol), 0),
          ],
          [name, texts.join('\n')],
        ];
      }),
    );
  return compare(fields(before), fields(after)).flatMap(row => {
    if (typeof row.before === 'number' || typeof row.after === 'number') return [row];
    const [lines, others] = [row.before?.split('\n') ?? [], row.after?.split('\n') ?? []];
    return [
      {
        what: `${row.what}, dispatches the other lacks`,
        before: onlyIn(lines, others),
        after: onlyIn(others, lines),
      },
    ].filter(r => r.before + r.after > 0 || lines.length === others.length);
  });
}

const scaleOf = ({ symbols }: Plan, symbol: keyof Plan['symbols'] | undefined): number =>
  symbol ? symbols[symbol] : 1;

/** What a dispatch does, without numbers that depend on everything before it in the tables. */
function dispatchText(
  { kernels, buffers }: Plan,
  { variants, bindings }: Plan['programs'][string][number],
): string {
  return JSON.stringify([
    variants.map(v => [kernels[v.kernel].file, ...v.grid.map(sizeText)]),
    bindings.map(b => [buffers[b.buffer].role === 'scratch' ? 'scratch' : buffers[b.buffer].name, b.bytes]),
  ]);
}

/** Items that the other list lacks, counted as often as they occur. */
function onlyIn(list: readonly string[], other: readonly string[]): number {
  const left = new Map<string, number>();
  for (const item of other) left.set(item, (left.get(item) ?? 0) + 1);
  return list.filter(item => {
    const n = left.get(item) ?? 0;
    left.set(item, n - 1);
    return n <= 0;
  }).length;
}

/** Specialisations by kernel, and how many of them the other plan lacks. */
function kernelRows(before: Plan, after: Plan): Row[] {
  const hashes = ({ kernels }: Plan, name: string) => kernels.filter(k => k.name === name).map(k => k.sha256);
  const side = (own: string[], other: string[]): Value =>
    own.length === 0 ? undefined : `${own.length}, of which the other lacks ${onlyIn(own, other)}`;
  return [...new Set([...before.kernels, ...after.kernels].map(k => k.name))].sort().flatMap(name => {
    const [a, b] = [hashes(before, name), hashes(after, name)];
    if (onlyIn(a, b) + onlyIn(b, a) === 0) return [];
    return [given({ what: `specialisations of ${name}`, before: side(a, b), after: side(b, a) })];
  });
}

/** Everything that decides what a plan does, part by part: for what no row above has told. */
function essentials({
  name: _,
  sources: _s,
  origins: _o,
  programs,
  sites,
  model: _m,
  data: _d,
  evals: _e,
  ...rest
}: Plan) {
  const parts = {
    ...rest,
    programs: Object.entries(programs).map(([p, list]) => [p, list.map(({ origin: _, ...d }) => d)]),
    sites: sites.map(({ origin: _, ...site }) => site),
  };
  return new Map(Object.entries(parts).map(([part, value]) => [part, JSON.stringify(value, sortedKeys)]));
}

/** A plan that was read has its keys in another order than one that was compiled. */
const sortedKeys = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
