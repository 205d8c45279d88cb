/**
 * The golden adapters: one adapted input each, computed in float64 on the manifolds themselves with autograd. Here the
 * GEMMs around rank space are plain loops, so that reference and kernels are judged by what leaves the adapter.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Adapter, Expert, Token } from '../../kernels/gains/reference.ts';
import { gramBackward, gramForward } from '../../kernels/gram/reference.ts';

const ROOT = join(import.meta.dirname, '../golden/adapters');

interface Entry {
  name: string;
  d_in: number;
  d_out: number;
  rank: number;
  tokens: number;
  alpha: number;
  aux_coefficient: number;
  router?: string;
  gate?: string;
  experts: { space: 'euclid' | 'hyperbolic' | 'sphere' | 'kappa'; map?: 'stereo' | 'exp' }[];
}

export interface Golden extends Entry {
  tensors: Map<string, Float64Array>;
  adapter: Adapter;
  gram: Float64Array[];
  tokenInputs: Token[];
  /** h[t][e] = B_eᵀ dy_t. */
  h: number[][][];
}

/** What the rank-space part of an adapter computes, per token and expert. */
export interface RankSpace {
  s: number[][][];
  dz: number[][][];
  dlogits: number[][];
  radial: number[];
  /** C_e = Σ dn z zᵀ, [rank, rank]. */
  c: ArrayLike<number>[];
  dtheta: number[];
}

export function goldenAdapters(): Golden[] {
  const entries = JSON.parse(readFileSync(join(ROOT, 'index.json'), 'utf8')) as Entry[];
  return entries.map(entry => {
    const tensors = readF64(join(ROOT, `${entry.name}.safetensors`));
    const get = (name: string) => tensors.get(name) as Float64Array;
    const { d_in, d_out, rank, tokens } = entry;
    const count = entry.experts.length;
    const experts = entry.experts.map(
      ({ space, map }, e): Expert => ({
        space: space === 'euclid' ? 'euclid' : (map ?? 'stereo'),
        kind: space === 'euclid' ? 'none' : space,
        theta: space === 'euclid' ? 0 : get(`experts.${e}.curvature`)[0],
        sigma: Math.sqrt(d_in),
        rank,
        scale: entry.alpha / rank,
      }),
    );
    const top = /^top(\d+)$/.exec(entry.router ?? '');
    const adapter: Adapter = {
      experts,
      topK: top ? Number(top[1]) : count,
      renorm: entry.gate !== 'softmax',
      aux: entry.aux_coefficient,
      zloss: 0,
    };
    const x = rowsOf(get('x'), d_in);
    const dy = rowsOf(get('dy'), d_out);
    const b = experts.map((_, e) => get(`experts.${e}.B`));
    return {
      ...entry,
      tensors,
      adapter,
      gram: b.map(matrix => gramForward({ ld: rank, column: 0, rank, rows: d_out }, matrix)),
      tokenInputs: x.map(row => ({
        z: experts.map((_, e) => rowsOf(get(`experts.${e}.A`), d_in).map(a => dot(a, row))),
        radius: dot(row, row),
        logits: rowsOf(get('R'), d_in).map(r => dot(r, row)),
        slotScale: 1,
      })),
      h: Array.from({ length: tokens }, (_, t) =>
        b.map(matrix => Array.from({ length: rank }, (_, j) => dot(dy[t], column(matrix, rank, j)))),
      ),
    };
  });
}

/** aux·E·f_e/T: the balance loss per unit of P. No expert is preferred where all gates are kept. */
export function balanceOf(golden: Golden, share: ArrayLike<number>): number[] {
  const { experts, topK, aux } = golden.adapter;
  const active = topK < experts.length ? aux : 0;
  return experts.map((_, e) => (active * experts.length * share[e]) / golden.tokens);
}

/** y and the gradients by their golden names. */
export function outerTensors(golden: Golden, inner: RankSpace): Map<string, Float64Array> {
  const { d_in, d_out, rank, tokens } = golden;
  const get = (name: string) => golden.tensors.get(name) as Float64Array;
  const out = new Map<string, Float64Array>();
  const make = (name: string, size: number) =>
    out.set(name, new Float64Array(size)).get(name) as Float64Array;
  const y = make('y', tokens * d_out);
  const dx = make('grad.x', tokens * d_in);
  const dr = make('grad.R', golden.experts.length * d_in);
  const x = get('x');
  const dy = get('dy');
  golden.experts.forEach((expert, e) => {
    const A = get(`experts.${e}.A`);
    const B = get(`experts.${e}.B`);
    const R = get('R');
    const dA = make(`grad.experts.${e}.A`, rank * d_in);
    const dB = make(`grad.experts.${e}.B`, d_out * rank);
    dB.set(gramBackward({ ld: rank, column: 0, rank, rows: d_out }, B, inner.c[e]));
    if (expert.space !== 'euclid') make(`grad.experts.${e}.curvature`, 1)[0] = inner.dtheta[e];
    for (let t = 0; t < tokens; t++) {
      for (let j = 0; j < rank; j++) {
        for (let o = 0; o < d_out; o++) {
          y[t * d_out + o] += B[o * rank + j] * inner.s[t][e][j];
          dB[o * rank + j] += dy[t * d_out + o] * inner.s[t][e][j];
        }
        for (let i = 0; i < d_in; i++) {
          dA[j * d_in + i] += inner.dz[t][e][j] * x[t * d_in + i];
          dx[t * d_in + i] += A[j * d_in + i] * inner.dz[t][e][j];
        }
      }
      for (let i = 0; i < d_in; i++) {
        dr[e * d_in + i] += inner.dlogits[t][e] * x[t * d_in + i];
        dx[t * d_in + i] += R[e * d_in + i] * inner.dlogits[t][e];
        if (e === 0) dx[t * d_in + i] += inner.radial[t] * x[t * d_in + i];
      }
    }
  });
  return out;
}

function readF64(path: string): Map<string, Float64Array> {
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<
    string,
    { data_offsets?: [number, number] }
  >;
  const tensors = new Map<string, Float64Array>();
  for (const [name, { data_offsets }] of Object.entries(header)) {
    if (data_offsets)
      tensors.set(
        name,
        new Float64Array(
          bytes.buffer.slice(
            bytes.byteOffset + start + data_offsets[0],
            bytes.byteOffset + start + data_offsets[1],
          ),
        ),
      );
  }
  return tensors;
}

function rowsOf(matrix: Float64Array, width: number): number[][] {
  return Array.from({ length: matrix.length / width }, (_, i) => [
    ...matrix.subarray(i * width, (i + 1) * width),
  ]);
}

function column(matrix: Float64Array, width: number, j: number): number[] {
  return Array.from({ length: matrix.length / width }, (_, i) => matrix[i * width + j]);
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((total, v, i) => total + v * b[i], 0);
}
