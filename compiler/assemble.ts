/**
 * From drafts to the plan's tables: specialises kernels (equal texts are one kernel), assigns scratch slots, and
 * writes every dispatch as indices and views. Deterministic: same drafts, same bytes.
 */
import { type KernelSpec, type ParamValue, specialise } from '../kernels/spec.ts';
import type { Alternative, Draft, Place, Source, Value } from './graph.ts';
import { bytesOf, planMemory } from './memory.ts';
import { sha256 } from './plan/hash.ts';
import type { Dispatch, Plan, PlanBuffer, PlanKernel, View } from './plan/schema.ts';
import { useOf } from './plan/uses.ts';
import type { Store } from './store.ts';

export type Assembled = Pick<Plan, 'buffers' | 'kernels' | 'origins' | 'programs'> & {
  /** WGSL text by file name. */
  files: Map<string, string>;
};

const DUMMY = 'dummy';

/** Assembles programs, given in the order in which they run. */
export function assemble(programs: [name: string, drafts: Draft[]][], store: Store): Assembled {
  const timeline = (use: 'training' | 'generation') =>
    programs.flatMap(([name, drafts]) => (useOf(name) === use ? drafts : []));
  const memory = planMemory(timeline('training'), timeline('generation'));
  store.declare(DUMMY, 'constant', 256, { kind: 'words', values: new Array<number>(64).fill(0) });
  const places = programs.flatMap(([, drafts]) => drafts).map(siteOf);
  const scratch = memory.slots.map(
    (bytes, i): PlanBuffer => ({ name: `scratch.${i}`, role: 'scratch', bytes }),
  );
  const buffers = [...store.finish(), ...scratch];
  const indexOf = new Map(buffers.map((b, i) => [b.name, i]));
  const kernels = new KernelTable();
  const origins = new Interned<Source>();

  function siteOf(draft: Draft): Place | undefined {
    const { site } = draft;
    return site && store.uniform([site.index, site.rowStart ?? 0, site.rowLimit ?? 0xffffffff, 0]);
  }

  const view = (what: Value | Place): View => {
    if ('buffer' in what)
      return { buffer: indexOf.get(what.buffer)!, offset: what.offset, bytes: what.bytes };
    if (what.place) return view(what.place);
    return { buffer: indexOf.get(`scratch.${memory.slotOf.get(what)}`)!, offset: 0, bytes: bytesOf(what) };
  };
  const whole = (name: string): View => ({
    buffer: indexOf.get(name)!,
    offset: 0,
    bytes: buffers[indexOf.get(name)!].bytes,
  });

  const dispatch = (draft: Draft, site: Place | undefined): Dispatch => {
    const known = new Set(draft.spec.bindings.map(b => b.name));
    for (const name of Object.keys(draft.bindings))
      if (!known.has(name)) throw new Error(`bug: ${draft.spec.name} has no binding ${name}`);
    const bindings = draft.spec.bindings.map(({ name, access }) => {
      if (name === 'frame') return whole('frame');
      if (name === 'site') return view(site!);
      const bound = draft.bindings[name];
      if (bound) return view(bound);
      if (access !== 'read') throw new Error(`bug: ${draft.spec.name} writes ${name}, which is not bound`);
      return whole(DUMMY);
    });
    const variant = ({ spec, grid, params }: Alternative) => ({
      kernel: kernels.intern(spec, { ...draft.params, ...params }),
      grid,
    });
    const { alternatives = [] } = draft;
    const variants = [
      variant(draft),
      ...alternatives.map(a => ({
        ...variant(a),
        ...(a.hardware === false ? {} : { hardware: true }),
        ...a.needs,
      })),
    ];
    return { variants, bindings, origin: origins.intern(draft.source), flops: draft.flops };
  };

  let at = 0;
  const assembled = Object.fromEntries(
    programs.map(([name, drafts]) => [name, drafts.map(d => dispatch(d, places[at++]))]),
  );
  return {
    buffers,
    kernels: kernels.kernels,
    origins: origins.values,
    programs: assembled,
    files: kernels.files,
  };
}

/** Values numbered in order of first appearance. */
class Interned<T> {
  readonly values: T[] = [];
  private readonly index = new Map<string, number>();

  intern(value: T): number {
    const key = JSON.stringify(value);
    const known = this.index.get(key);
    if (known !== undefined) return known;
    this.index.set(key, this.values.length);
    return this.values.push(value) - 1;
  }
}

class KernelTable {
  readonly kernels: PlanKernel[] = [];
  readonly files = new Map<string, string>();
  private readonly index = new Map<string, number>();

  intern(spec: KernelSpec, params: Record<string, ParamValue>): number {
    const key = `${spec.name} ${JSON.stringify(params)}`;
    const known = this.index.get(key);
    if (known !== undefined) return known;
    const text = specialise(spec.wgsl, params);
    const hash = sha256(text);
    const file = `kernels/${spec.name}.${hash.slice(0, 12)}.wgsl`;
    const same = this.kernels.findIndex(k => k.file === file);
    const number =
      same >= 0
        ? same
        : this.kernels.push({
            name: spec.name,
            file,
            sha256: hash,
            entry: 'main',
            bindings: [...spec.bindings],
          }) - 1;
    this.files.set(file, text);
    this.index.set(key, number);
    return number;
  }
}
