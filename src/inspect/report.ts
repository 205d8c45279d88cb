/** Everything `mos inspect` shows, as data: computed from the plan and its kernels alone. */
import type { Dispatch, Plan, PlanBuffer, Size, SizeSymbol } from '../../compiler/plan/schema.ts';
import { type PlanSummary, summarise } from '../../compiler/summary.ts';
import { type Moment, memoryOverTime } from './lives.ts';

type Symbols = Record<SizeSymbol, number>;

export interface PlanReport {
  name: string;
  format: { name: string; version: Plan['version'] };
  sources: Plan['sources'];
  requires: Plan['requires'];
  model: Plan['model'];
  summary: PlanSummary;
  programs: ProgramReport[];
  kernels: KernelReport[];
  buffers: BufferReport[];
  memory: { scratch: number; peak: Moment | undefined; moments: Moment[] };
  origins: OriginReport[];
}

export interface ProgramReport {
  name: string;
  /** What the sizes below are for. */
  symbols: Symbols;
  flops: number;
  dispatches: DispatchReport[];
}

export interface DispatchReport {
  kernel: string;
  file: string;
  module: string;
  /** FILE:LINE:COLUMN of the block it comes from. */
  origin: string;
  grid: [string, string, string];
  flops: number;
  /** Bytes of everything it binds. */
  bytes: number;
  buffers: { binding: string; access: string; buffer: string; offset: number; bytes: number }[];
  /** Kernels that take its place where the device allows. */
  alternatives: string[];
}

export interface KernelReport {
  name: string;
  file: string;
  sha256: string;
  bindings: { name: string; access: string }[];
  lines: number;
  /** Dispatches that run it, over all programs. */
  uses: number;
  wgsl: string;
}

export interface BufferReport {
  name: string;
  role: PlanBuffer['role'];
  bytes: number;
  content: string | undefined;
  /** First and last dispatch that touch it, `PROGRAM:NUMBER`; absent when none does. */
  first?: string;
  last?: string;
}

export interface OriginReport {
  file: string;
  line: number;
  column: number;
  modules: string[];
  dispatches: number;
  flops: number;
}

export function reportOn(plan: Plan, files: ReadonlyMap<string, string>): PlanReport {
  const moments = memoryOverTime(plan);
  const programs = Object.entries(plan.programs).map(([name, dispatches]) =>
    programReport(plan, name, dispatches),
  );
  return {
    name: plan.name,
    format: { name: plan.format, version: plan.version },
    sources: plan.sources,
    requires: plan.requires,
    model: plan.model,
    summary: summarise(plan),
    programs,
    kernels: kernelReports(plan, files),
    buffers: bufferReports(plan),
    memory: {
      scratch: plan.buffers.reduce((sum, b) => sum + (b.role === 'scratch' ? b.bytes : 0), 0),
      peak: moments.reduce<Moment | undefined>(
        (best, m) => (best && best.live >= m.live ? best : m),
        undefined,
      ),
      moments,
    },
    origins: originReports(plan, programs),
  };
}

/** The largest batch that a program is run on: decoding takes one token per row, everything else as many as there are. */
function symbolsOf({ training, generation, symbols }: Plan, program: string): Symbols {
  const rows = generation?.rows ?? symbols.rows;
  if (program === 'decode') return { ...symbols, tokens: rows, targets: rows, rows };
  if (program === 'prefill') return { ...symbols, targets: rows, rows };
  const tokens = (training?.batch ?? 1) * (training?.length ?? 1);
  return { ...symbols, tokens, targets: tokens, rows: training?.batch ?? 1 };
}

function programReport(plan: Plan, name: string, dispatches: Dispatch[]): ProgramReport {
  const symbols = symbolsOf(plan, name);
  const reports = dispatches.map(d => dispatchReport(plan, d, symbols));
  return { name, symbols, flops: reports.reduce((sum, d) => sum + d.flops, 0), dispatches: reports };
}

function dispatchReport(
  { kernels, buffers, origins }: Plan,
  { variants, bindings, origin, flops }: Dispatch,
  symbols: Symbols,
): DispatchReport {
  const [first, ...others] = variants;
  const { name, file, bindings: declared } = kernels[first.kernel];
  const { file: source, line, column, module } = origins[origin];
  return {
    kernel: name,
    file,
    module,
    origin: `${source}:${line}:${column}`,
    grid: first.grid.map(sizeText) as DispatchReport['grid'],
    flops: flops.each * (flops.symbol ? symbols[flops.symbol] : 1),
    bytes: bindings.reduce((sum, b) => sum + b.bytes, 0),
    buffers: bindings.map(({ buffer, offset, bytes }, i) => ({
      binding: declared[i].name,
      access: declared[i].access,
      buffer: buffers[buffer].name,
      offset,
      bytes,
    })),
    alternatives: others.map(v => kernels[v.kernel].file),
  };
}

/** `ceil(8·tokens / 64)`, or a number. */
export function sizeText(size: Size): string {
  if (typeof size === 'number') return String(size);
  const { symbol, multiply, divide, minus = 0, limit } = size;
  const shifted = minus > 0 ? `max(${symbol} − ${minus}, 0)` : symbol;
  const count = limit === undefined ? shifted : `min(${shifted}, ${limit})`;
  const product = multiply === 1 ? count : `${multiply}·${count}`;
  return divide === 1 ? product : `ceil(${product} / ${divide})`;
}

function kernelReports({ kernels, programs }: Plan, files: ReadonlyMap<string, string>): KernelReport[] {
  const uses = new Array<number>(kernels.length).fill(0);
  for (const { variants } of Object.values(programs).flat())
    for (const { kernel } of variants) uses[kernel]++;
  return kernels.map(({ name, file, sha256, bindings }, i) => {
    const wgsl = files.get(file) ?? '';
    return { name, file, sha256, bindings, lines: wgsl.split('\n').length, uses: uses[i], wgsl };
  });
}

function bufferReports({ buffers, programs }: Plan): BufferReport[] {
  const touched = buffers.map((): { first?: string; last?: string } => ({}));
  for (const [program, dispatches] of Object.entries(programs)) {
    for (const [number, { bindings }] of dispatches.entries()) {
      for (const { buffer } of bindings) {
        touched[buffer].first ??= `${program}:${number}`;
        touched[buffer].last = `${program}:${number}`;
      }
    }
  }
  return buffers.map(({ name, role, bytes, content }, i) => ({
    name,
    role,
    bytes,
    content: content?.kind === 'weights' ? content.storage : content?.kind,
    ...touched[i],
  }));
}

/** Blocks of the `.mos` files, in the order of their places. */
function originReports({ origins, programs }: Plan, reports: ProgramReport[]): OriginReport[] {
  const blocks = new Map<string, OriginReport & { seen: Set<string> }>();
  for (const [p, dispatches] of Object.values(programs).entries()) {
    for (const [i, { origin }] of dispatches.entries()) {
      const { file, line, column, module } = origins[origin];
      const key = `${file}:${line}:${column}`;
      const block = blocks.get(key) ?? {
        file,
        line,
        column,
        modules: [],
        dispatches: 0,
        flops: 0,
        seen: new Set(),
      };
      blocks.set(key, block);
      block.seen.add(module);
      block.dispatches++;
      block.flops += reports[p].dispatches[i].flops;
    }
  }
  return [...blocks.values()]
    .map(({ seen, ...block }) => ({ ...block, modules: [...seen] }))
    .sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column);
}
