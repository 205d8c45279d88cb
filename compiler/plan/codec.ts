/**
 * Plan ↔ files of a plan folder: `plan.json` and `kernels/*.wgsl`. Reading trusts nothing: the schema, every index,
 * range and grid, and the hash of every kernel are checked before anything is allocated.
 */
import { sha256 } from './hash.ts';
import { requirements } from './requirements.ts';
import { type Dispatch, PLAN_FORMAT, PLAN_VERSION, type Plan, planSchema, type Size } from './schema.ts';
import { rowWords } from './storage.ts';

/** Alignment WebGPU asks of binding offsets, bytes. */
const OFFSET_ALIGNMENT = 256;
/** Parameters that share an optimiser group (kernels/optimizer/step.wgsl). */
const FLOATS_PER_BLOCK = 16;

export type DecodeResult =
  | { plan: Plan; files: Map<string, string> }
  | { problem: 'damaged' | 'invalid' | 'version'; message: string };

/** Texts by path; equal plans give equal bytes. */
export function encodePlan(plan: Plan, kernels: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([['plan.json', `${JSON.stringify(plan, null, 1)}\n`], ...kernels]);
}

/** Reads a plan from its files; `read` gives the text at a path inside the folder, or undefined. */
export function decodePlan(read: (path: string) => string | undefined): DecodeResult {
  const text = read('plan.json');
  if (text === undefined) return { problem: 'damaged', message: 'there is no plan.json' };
  let json: unknown;
  try {
    // Visiting every value costs as much as the schema does; a key can only be `__proto__` if one of these is in the text.
    json = JSON.parse(text, /__proto__|\\u/.test(text) ? noPrototype : undefined);
  } catch {
    return { problem: 'invalid', message: 'plan.json is not valid JSON' };
  }
  const head = json as { format?: unknown; version?: unknown } | null;
  if (head?.format !== PLAN_FORMAT) return { problem: 'invalid', message: 'plan.json is not a mos plan' };
  if (head.version !== PLAN_VERSION)
    return {
      problem: 'version',
      message: `the plan has format version ${String(head.version)}, this is version ${PLAN_VERSION}`,
    };
  const parsed = planSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return {
      problem: 'invalid',
      message: `plan.json: ${issue.path.join('.') || 'top level'}: ${issue.message.toLowerCase()}`,
    };
  }
  const wrong = inconsistency(parsed.data);
  if (wrong) return { problem: 'invalid', message: `plan.json: ${wrong}` };
  const files = new Map<string, string>();
  for (const { file, sha256: expected } of parsed.data.kernels) {
    const source = read(file);
    if (source === undefined) return { problem: 'damaged', message: `${file} is missing` };
    if (sha256(source) !== expected)
      return { problem: 'damaged', message: `${file} was changed after it was compiled` };
    files.set(file, source);
  }
  return { plan: parsed.data, files };
}

/** The schema would pass over such a key in silence. */
function noPrototype(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new Error('a key that no plan has');
  return value;
}

/** The first broken reference or range, or undefined. */
export function inconsistency(plan: Plan): string | undefined {
  const names = new Set(plan.buffers.map(b => b.name));
  if (names.size !== plan.buffers.length) return 'two buffers have one name';
  const params = plan.buffers.find(b => b.name === 'params');
  const floats = (params?.bytes ?? 0) / 4;
  for (const p of plan.parameters) {
    if (p.columns > p.ld || p.offset + (p.rows - 1) * p.ld + p.columns > floats)
      return `parameter ${p.name} lies outside the parameter buffer`;
    if (p.group >= plan.groups.length) return `parameter ${p.name} has no group`;
  }
  if (new Set(plan.parameters.map(p => p.name)).size !== plan.parameters.length)
    return 'two parameters have one name';
  if (plan.groupRuns.some(([group]) => group >= plan.groups.length)) return 'a group run names no group';
  if (params && plan.groupRuns.reduce((sum, [, blocks]) => sum + blocks, 0) * FLOATS_PER_BLOCK !== floats)
    return 'the group runs do not cover the parameters';
  for (const { module, slot, origin, experts } of plan.sites) {
    if (slot >= plan.slots.length || origin >= plan.origins.length)
      return `the adapter on ${module} has no slot or origin`;
    if (experts.some(e => e.parameters.some(p => p.offset >= floats)))
      return `a parameter of a space of ${module} lies outside the parameter buffer`;
  }
  for (const buffer of plan.buffers) {
    if (buffer.bytes % 4 !== 0) return `buffer ${buffer.name} is not a whole number of words`;
    const { content } = buffer;
    if (content?.kind === 'words' && content.values.length * 4 > buffer.bytes)
      return `buffer ${buffer.name} is smaller than its content`;
    if (content?.kind === 'rope' && content.positions * 2 * content.frequencies.length * 4 > buffer.bytes)
      return `buffer ${buffer.name} is smaller than its content`;
    if (content?.kind !== 'weights') continue;
    const { storage, parts } = content;
    for (const { offset, rows, columns, ld, tensor } of parts) {
      const plain = storage === 'f32';
      if (!plain && (ld % 4 !== 0 || ld !== parts[0].ld || offset % ld !== 0))
        return `${tensor} is stored as ${storage}, but not in whole rows of one matrix`;
      const words = plain ? offset + (rows - 1) * ld + columns : (offset / ld + rows) * rowWords(storage, ld);
      if (columns > ld || words * 4 > buffer.bytes) return `${tensor} does not fit buffer ${buffer.name}`;
    }
  }
  for (const [program, dispatches] of Object.entries(plan.programs)) {
    for (const [i, dispatch] of dispatches.entries()) {
      const wrong = dispatchProblem(plan, dispatch);
      if (wrong) return `program ${program}, dispatch ${i}: ${wrong}`;
    }
  }
  const needs = requirements(plan.buffers, plan.programs, plan.kernels);
  if (JSON.stringify(needs) !== JSON.stringify(plan.requires))
    return 'the declared requirements are not those of its tables';
  return undefined;
}

function dispatchProblem(plan: Plan, { variants, bindings, origin }: Dispatch): string | undefined {
  if (origin >= plan.origins.length) return 'no such origin';
  for (const { kernel, grid } of variants) {
    if (kernel >= plan.kernels.length) return 'no such kernel';
    const expected = plan.kernels[kernel].bindings;
    if (expected.length !== bindings.length) return 'the number of bindings differs from the kernel';
    // what follows looks at the first variant only
    if (expected.some((b, i) => b.access !== plan.kernels[variants[0].kernel].bindings[i].access))
      return 'the variants access their bindings differently';
    if (grid.some(zeroDivision)) return 'a grid divides by zero';
  }
  const accesses = plan.kernels[variants[0].kernel].bindings;
  for (const [i, view] of bindings.entries()) {
    const buffer = plan.buffers[view.buffer];
    if (!buffer) return 'no such buffer';
    if (view.offset % OFFSET_ALIGNMENT !== 0 || view.bytes % 4 !== 0)
      return `binding ${accesses[i].name} is not aligned`;
    if (view.offset + view.bytes > buffer.bytes)
      return `binding ${accesses[i].name} reaches past the end of ${buffer.name}`;
    const writes = accesses[i].access === 'write' || accesses[i].access === 'read_write';
    if (writes && bindings.some((other, j) => j !== i && other.buffer === view.buffer))
      return `${buffer.name} is bound twice and written`;
    if (writes && (buffer.role === 'weight' || buffer.role === 'constant'))
      return `${buffer.name} is written, but is constant`;
  }
  return undefined;
}

const zeroDivision = (size: Size): boolean => typeof size !== 'number' && size.divide === 0;
