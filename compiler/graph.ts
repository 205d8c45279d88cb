/**
 * The graph of operations and the drafts they emit. An operation knows its inputs and outputs, how it is run
 * (`emit`) and, if it is differentiable, its adjoint. Values are matrices whose number of rows is a run-time symbol.
 */
import type { KernelSpec, ParamValue } from '../kernels/spec.ts';
import type { Size, SizeSymbol, Variant } from './plan/schema.ts';
import type { Storage } from './plan/storage.ts';

/** A place fixed at compile time inside a named buffer, in bytes. */
export interface Place {
  buffer: string;
  offset: number;
  bytes: number;
}

export interface Rows {
  symbol: SizeSymbol;
  max: number;
}

/** A matrix (rows × ld 4-byte words). Without `place` it lives in scratch memory, chosen by liveness. */
export interface Value {
  name: string;
  rows: Rows;
  /** Logical columns, and words between rows. */
  width: number;
  ld: number;
  place?: Place;
}

/** Place in the `.mos` text that caused a dispatch, and the module it serves. */
export interface Source {
  file: string;
  line: number;
  column: number;
  module: string;
}

/** Another kernel for the same work; `needs` is what a device must offer for it. */
export interface Alternative {
  spec: KernelSpec;
  grid: [Size, Size, Size];
  params?: Record<string, ParamValue>;
  /** For software GPUs too; otherwise only hardware takes it unasked. */
  hardware?: false;
  needs?: Pick<Variant, 'features' | 'limits' | 'subgroupSize' | 'subgroupMatrix'>;
}

/** One kernel launch before buffers are assigned. A read binding left out gets a dummy. */
export interface Draft {
  spec: KernelSpec;
  params: Record<string, ParamValue>;
  bindings: Record<string, Value | Place | undefined>;
  grid: [Size, Size, Size];
  /** Faster ways for capable devices: same bindings, and the same parameters but for `params`. */
  alternatives?: Alternative[];
  /** The uniform `site` of kernels that have one. */
  site?: { index: number; rowStart?: number; rowLimit?: number };
  flops: { symbol?: SizeSymbol; each: number };
  source: Source;
}

/**
 * One contribution to the gradient of a value. Kept symbolic, so that contributions one kernel can compute together
 * (dy·W, dz·A, the radial part, a residual's gradient) become one dispatch.
 */
export type Term =
  /** An existing matrix. */
  | { kind: 'value'; value: Value }
  /** dy·W of a frozen linear group. */
  | { kind: 'matmul'; dy: Value; weight: Weight; source: Source }
  /** mask∘(dz·A) of a stacked projection. */
  | { kind: 'lowrank'; dz: Value; projection: Projection; source: Source }
  /** Of what adapters leave for a linear group: the gradient of that group's output. */
  | { kind: 'output'; dy: Value }
  /** x·Σ dz[:, column..column+count), where x is the value itself. */
  | { kind: 'radial'; dz: Value; column: number; count: number }
  /** A kernel that can add one more matrix to its result. */
  | { kind: 'kernel'; build: (out: Value, addend: Value | undefined) => Draft };

/** The stacked frozen weight of a linear group: [n, ldX]; absent place for an adapter without a base. */
export interface Weight {
  place?: Place;
  /** How `place` is stored. */
  storage: Storage;
  /** Rows of the matrix that exist, and columns of the output (a multiple of 4). */
  rows: number;
  n: number;
  bias?: Place;
}

/** The stacked A with the routers beneath it: [columns, ldX]. */
export interface Projection {
  place: Place;
  columns: number;
  dropout: number;
  site: number;
}

/** What an adjoint rule may do: ask for gradients of its outputs, contribute to those of its inputs, emit work. */
export interface Tape {
  /** The gradient of an output as one matrix; undefined when nothing depends on it. */
  gradient: (value: Value) => Value | undefined;
  /** The raw contributions, for operations whose adjoint stays symbolic. */
  terms: (value: Value) => Term[];
  wants: (value: Value) => boolean;
  contribute: (value: Value, term: Term) => void;
  emit: (draft: Draft) => void;
}

export interface Operation {
  kind: string;
  inputs: Value[];
  outputs: Value[];
  /** true when the operation itself has trained parameters. */
  trains: boolean;
  emit: () => Draft[];
  adjoint?: (tape: Tape) => void;
}

/** Operations in execution order; the builders in `operations/` append to it. */
export class Graph {
  readonly operations: Operation[] = [];

  add(operation: Operation): void {
    this.operations.push(operation);
  }

  drafts(): Draft[] {
    return this.operations.flatMap(o => o.emit());
  }
}

export const align = (n: number, to: number): number => Math.ceil(n / to) * to;

export function matrix(name: string, rows: Rows, width: number, ld = align(width, 4)): Value {
  return { name, rows, width, ld };
}

/** ceil(rows·multiply / divide) workgroups for the rows of a value. */
export function perRow(rows: Rows, multiply = 1, divide = 1): Size {
  return { symbol: rows.symbol, multiply, divide };
}
