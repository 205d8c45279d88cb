/** What the shape of a plan cannot say: that its references, ranges and sizes hold. Nothing is allocated before this. */
import { requirements } from './requirements.ts';
import type { Dispatch, Plan, Port, Size } from './schema.ts';
import { rowWords } from './storage.ts';

/** Alignment WebGPU asks of binding offsets, bytes. */
const OFFSET_ALIGNMENT = 256;
/** Parameters that share an optimiser group (kernels/optimizer/step.wgsl). */
const FLOATS_PER_BLOCK = 16;

/** The first broken reference or range, or undefined. A `newer` plan may ask for more than this reader can tell why. */
export function inconsistency(plan: Plan, newer = false): string | undefined {
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
  const portProblem = plan.ports?.map(port => portsProblem(plan, port)).find(Boolean);
  if (portProblem) return portProblem;
  const needs = requirements(plan.buffers, plan.programs, plan.kernels);
  const same = JSON.stringify(needs) === JSON.stringify(plan.requires);
  if (!same && !(newer && covers(plan.requires, needs)))
    return 'the declared requirements are not those of its tables';
  return undefined;
}

/** Whether everything that is needed is declared. */
function covers(declared: Plan['requires'], needs: Plan['requires']): boolean {
  return (
    declared.bytes >= needs.bytes &&
    Object.entries(needs.limits).every(([name, value]) => (declared.limits[name] ?? 0) >= value)
  );
}

function portsProblem({ buffers, programs, symbols }: Plan, port: Port): string | undefined {
  const { module, forward, backward, ...matrices } = port;
  if (!Object.hasOwn(programs, forward) || !Object.hasOwn(programs, backward))
    return `the port of ${module} names no program`;
  for (const [name, { buffer, columns, ld }] of Object.entries(matrices)) {
    if (columns > ld || (buffers[buffer]?.bytes ?? 0) < symbols.tokens * ld * 4)
      return `${name} of the port of ${module} does not fit its buffer`;
  }
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
