/**
 * Adapters on another engine's GPU buffers: the programs of a plan with ports (docs/embedding.md), recorded into the
 * caller's command encoder. Nothing is submitted here.
 */
import type { Port } from '../../compiler/plan/schema.ts';
import { fault } from '../report/portable.ts';
import type { Executor, Symbols } from './executor.ts';
import type { Bound } from './pipelines.ts';
import { EVALUATION } from './session.ts';

/** The caller's matrix: a buffer with usage STORAGE, or a part of one whose offset is a multiple of 256 bytes. */
export type Matrix = GPUBuffer | GPUBufferBinding;

/** What one adapted module computes, bound to matrices: records its dispatches, as often as there are batches. */
export type Record = (into: GPUCommandEncoder | GPUComputePassEncoder) => void;

export interface AdapterBatch {
  /** Token rows of every matrix. */
  tokens: number;
  /** Which sequence each token is of: adapters are switched per sequence. Default: all of the first. */
  row?: Uint32Array;
  /** Dropout and the noise of routers are on; they depend on seed, step and micro. Default: off. */
  training?: { seed: number; step: number; micro: number };
  /** Factor on the gradient of the balance loss. Default 1. */
  auxScale?: number;
}

export class Adapters {
  private readonly executor: Executor;
  private readonly ports: ReadonlyMap<string, Port>;
  private symbols: Symbols = { tokens: 0, targets: 0, rows: 1 };

  /** For a plan without ports this is empty: the plan is of a whole model. */
  constructor(executor: Executor) {
    this.executor = executor;
    this.ports = new Map(executor.plan.ports?.map(port => [port.module, port]));
  }

  /** Paths of the adapted modules, in the order in which forward passes must run; backward passes run in reverse. */
  get modules(): string[] {
    return [...this.ports.keys()];
  }

  /** Widths of the matrices of a module, and floats between their rows. */
  port(module: string): Port {
    const port = this.ports.get(module);
    if (!port) throw fault('adapter-mismatch', `the plan has no adapter on \`${module}\``);
    return port;
  }

  /** Describes the batch of everything that is submitted after this call: at most one batch per submit. */
  batch({ tokens, row, training, auxScale = 1 }: AdapterBatch): void {
    const { symbols } = this.executor.plan;
    const rows = (row?.reduce((most, r) => Math.max(most, r), 0) ?? 0) + 1;
    if (tokens > symbols.tokens || rows > symbols.rows || (row && row.length !== tokens))
      throw fault(
        'batch-too-large',
        `a batch of ${tokens} tokens in ${rows} sequences, where the plan has room for ${symbols.tokens} in ${symbols.rows}`,
      );
    this.symbols = { tokens, targets: 0, rows };
    const { seed, step, micro } = training ?? EVALUATION;
    const frame = { ...EVALUATION, seed, step, micro, training: training !== undefined, auxScale };
    this.executor.writeFrame(this.symbols, frame);
    this.executor.write('row', row ?? new Uint32Array(Math.max(tokens, 1)));
  }

  /** Δy of a module into `y`, which is overwritten: add it to the output of the frozen layer. */
  forward(module: string, matrices: { x: Matrix; y: Matrix }): Promise<Record> {
    return this.bind(this.port(module), 'forward', matrices);
  }

  /**
   * From `dy`: the adapter's part of the input's gradient into `dx`, which is overwritten, and sums into the gradients of
   * the adapter. Comes after the forward pass of the same batch, whose `x` it reads again.
   */
  backward(module: string, matrices: { x: Matrix; dy: Matrix; dx: Matrix }): Promise<Record> {
    return this.bind(this.port(module), 'backward', matrices);
  }

  private async bind(
    port: Port,
    way: 'forward' | 'backward',
    matrices: { [name in 'x' | 'y' | 'dx' | 'dy']?: Matrix },
  ): Promise<Record> {
    const { executor } = this;
    const foreign = new Map<number, GPUBufferBinding & { size: number }>();
    let most = executor.plan.symbols.tokens;
    for (const [name, matrix] of Object.entries(matrices)) {
      const { buffer: index, ld } = port[name as 'x' | 'y' | 'dx' | 'dy'];
      const { buffer, offset = 0, size } = 'buffer' in matrix ? matrix : { buffer: matrix };
      const bytes = size ?? buffer.size - offset;
      foreign.set(index, { buffer, offset, size: bytes });
      most = Math.min(most, Math.floor(bytes / (4 * ld)));
    }
    const bound = await executor.bindProgram(port[way], ({ bindings }, i) => {
      const view = bindings[i];
      const own = foreign.get(view.buffer);
      if (!own) return undefined;
      const size = Math.min(view.bytes, own.size - view.offset);
      return { buffer: own.buffer, offset: own.offset! + view.offset, size };
    });
    return into => this.record(port, bound, most, into);
  }

  private record(
    { module }: Port,
    bound: Bound[],
    most: number,
    into: GPUCommandEncoder | GPUComputePassEncoder,
  ): void {
    const { tokens } = this.symbols;
    if (tokens > most)
      throw fault('batch-too-large', `a matrix of \`${module}\` has room for ${most} of ${tokens} tokens`);
    const pass = 'beginComputePass' in into ? into.beginComputePass() : into;
    for (const dispatch of bound) this.executor.record(pass, dispatch, this.symbols);
    if (pass !== into) pass.end();
  }
}
