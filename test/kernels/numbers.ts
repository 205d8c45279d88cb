/** Inputs and comparisons that the kernel tests share. Matrices are row-major with zeros in their padding columns. */
import { expect } from 'bun:test';
import { relativeError } from '../gpu/harness.ts';

type Vector = ArrayLike<number>;

/** Mulberry32: the same numbers on every run. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Uniform in ±scale, exactly representable in f32, zeros in columns from `width` on. */
export function randomMatrix(seed: number, rows: number, width: number, ld = width, scale = 1): Float32Array {
  const random = generator(seed);
  const matrix = new Float32Array(rows * ld);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < width; c++) matrix[r * ld + c] = (2 * random() - 1) * scale;
  return matrix;
}

/** Packed causal segments: per token its position, the range of keys it sees and the range of queries that see it. */
export function packed(lengths: readonly number[]) {
  const position: number[] = [];
  const keys: number[] = [];
  const queries: number[] = [];
  let start = 0;
  for (const length of lengths) {
    for (let i = 0; i < length; i++) {
      position.push(i);
      keys.push(start, start + i + 1);
      queries.push(start + i, start + length);
    }
    start += length;
  }
  return {
    tokens: start,
    position: Uint32Array.from(position),
    keys: Uint32Array.from(keys),
    queries: Uint32Array.from(queries),
  };
}

/** Compares by ‖Δ‖/‖reference‖ and prints the largest difference. */
export function expectClose(what: string, out: Vector, reference: Vector, tolerance = 1e-5): void {
  let largest = 0;
  for (let i = 0; i < reference.length; i++) largest = Math.max(largest, Math.abs(out[i] - reference[i]));
  const relative = relativeError(out, reference);
  console.log(`  ${what}: max |Δ| ${largest.toExponential(1)}, relative ${relative.toExponential(1)}`);
  expect(relative).toBeLessThanOrEqual(tolerance);
}

/** Every column from `width` on must hold exactly zero. */
export function expectZeroPadding(out: Vector, width: number, ld: number): void {
  for (let i = 0; i < out.length; i++) {
    if (i % ld >= width && out[i] !== 0)
      throw new Error(`padding: row ${Math.floor(i / ld)}, column ${i % ld} holds ${out[i]}`);
  }
}

/**
 * Checks an analytic gradient of Σ weight∘forward(x) by central differences in float64: the reference's backward formula
 * is compared with its forward formula, on the host only.
 */
export function expectGradient(
  x: Vector,
  forward: (x: Float64Array) => Float64Array,
  backward: (dy: Float64Array) => Vector,
  seed = 7,
): void {
  const at = Float64Array.from(x);
  const random = generator(seed);
  const weight = Float64Array.from({ length: forward(at).length }, () => 2 * random() - 1);
  const objective = () => forward(at).reduce((sum, y, i) => sum + y * weight[i], 0);
  const step = 1e-5;
  const numeric = at.map((value, i) => {
    at[i] = value + step;
    const above = objective();
    at[i] = value - step;
    const below = objective();
    at[i] = value;
    return (above - below) / (2 * step);
  });
  expect(relativeError(backward(weight), numeric)).toBeLessThan(1e-8);
}
