/**
 * What a kernel tells the compiler about itself. A kernel is one WGSL file, joined with the shared declarations it
 * needs from `common/`, with one entry point `main`; sizes that the compiler decides are `const NAME: TYPE = DEFAULT; // @param` lines, rewritten by
 * `specialise`. Kernels know nothing of the language, the plan or the graph.
 *
 * Conventions every kernel follows
 * - Bindings are `@group(0) @binding(i)` in the order of `bindings`; binding 0 is always the uniform `frame: Frame`.
 * - At most 8 storage buffers and 16 KiB of workgroup memory, so that default WebGPU limits suffice.
 * - Matrices are row-major f32 with a leading dimension (`LD_*`, in floats, a multiple of 4); columns between the
 *   logical width and the leading dimension hold zeros and are written as zeros by whoever writes the matrix.
 * - A binding that a specialisation does not use is still declared; the executor binds a small dummy buffer.
 * - Numbers of rows come from `frame` at run time; a dispatch may be larger than the work, so every kernel checks.
 */
import { unroll } from './unroll.ts';

/** `read` and `read_write` are storage bindings. `write` is WGSL `read_write` that never reads what was there before. */
export interface Binding {
  name: string;
  access: 'uniform' | 'read' | 'write' | 'read_write';
}

/** Text is for modules: whole functions that the compiler writes. */
export type ParamValue = number | boolean | string | readonly number[];

export interface KernelSpec {
  /** `folder.file`, e.g. `linear.forward`: names the WGSL file `kernels/linear/forward.wgsl`. */
  name: string;
  /** WGSL source text. */
  wgsl: string;
  bindings: readonly Binding[];
}

/**
 * Fields of the uniform `frame`, 32-bit each, in this order; every kernel declares the struct `Frame` with exactly
 * these fields (kernels/common/frame.wgsl). Written by the executor before each micro-batch.
 *
 * tokens: rows of every activation matrix now. targets: rows of the gathered head input now. rows: sequences now.
 * seed, step, micro: counters of the counter-based random generator. training: 1 while dropout and noise act.
 * loss_scale: f32, scale of the loss / number of targets in the whole optimiser step; while the optimiser runs, 1 / that
 * scale. aux_scale: f32, scale of the loss / micro-batches per step. The scale is 1 unless gradients pass through f16.
 */
export const FRAME_FIELDS = [
  'tokens',
  'targets',
  'rows',
  'seed',
  'step',
  'micro',
  'training',
  'loss_scale',
  'aux_scale',
] as const;

/**
 * A module: functions a kernel calls and the compiler may write anew, between `// NAME: what they are. @param` and
 * `// end of NAME`. What stands there keeps the file valid WGSL.
 */
const MODULE = /^\/\/ (\w+): .*@param\n[\s\S]*?^\/\/ end of \1\n/gm;
const PARAM_LINE = /^const (\w+)\s*:\s*([\w<>, ]+?)\s*=\s*(.*?);\s*\/\/ @param.*$/gm;

/** Names and WGSL types of the `@param` constants of a kernel, in source order; then its modules. */
export function paramsOf(wgsl: string): Map<string, string> {
  const params = new Map<string, string>();
  for (const match of wgsl.matchAll(PARAM_LINE)) params.set(match[1], match[2]);
  for (const match of wgsl.matchAll(MODULE)) params.set(match[1], 'module');
  return params;
}

/** Rewrites the `@param` constants and modules named in `values`, then writes marked loops out (unroll.ts). Throws on a name that the kernel does not declare. */
export function specialise(wgsl: string, values: Readonly<Record<string, ParamValue>>): string {
  const known = paramsOf(wgsl);
  for (const name of Object.keys(values)) {
    if (!known.has(name))
      throw new Error(`bug: kernel has no parameter ${name}; it has ${[...known.keys()].join(', ')}`);
  }
  const text = wgsl
    .replace(MODULE, (module, name: string) => (name in values ? `${values[name]}\n` : module))
    .replace(PARAM_LINE, (line, name: string, type: string) => {
      if (!(name in values)) return line;
      return `const ${name}: ${typeOf(type, values[name])} = ${literal(type, values[name])};`;
    });
  return unroll(text);
}

/** `array<u32, 3>` keeps its element type and takes the length of the value. */
function typeOf(type: string, value: ParamValue): string {
  const element = /^array<(\w+)/.exec(type)?.[1];
  return element ? `array<${element}, ${(value as readonly number[]).length}>` : type;
}

function literal(type: string, value: ParamValue): string {
  const element = /^array<(\w+)/.exec(type)?.[1];
  if (element)
    return `${typeOf(type, value)}(${(value as readonly number[]).map(v => scalar(element, v)).join(', ')})`;
  return scalar(type, value as number | boolean);
}

function scalar(type: string, value: number | boolean): string {
  if (type === 'bool') return value ? 'true' : 'false';
  if (type === 'u32') {
    if (!Number.isInteger(value) || (value as number) < 0) throw new Error(`bug: ${value} is not a u32`);
    return `${value}u`;
  }
  if (type === 'i32') return `${value}i`;
  if (!Number.isFinite(value)) throw new Error(`bug: ${value} is not a finite f32`);
  const text = String(Math.fround(value as number));
  return /[.e]/.test(text) ? `${text}f` : `${text}.0f`;
}
