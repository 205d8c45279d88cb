/** Grids of the matrix kernels: x covers columns, y covers rows, by the tile sizes the kernels declare. */
import { kernel } from '../kernels/index.ts';
import { LINEAR_GRIDS } from '../kernels/linear/tiles.ts';
import type { Alternative, Draft } from './graph.ts';
import type { Size, SizeSymbol } from './plan/schema.ts';
import type { Storage } from './plan/storage.ts';

/** Rows of the result: all of a symbol, a chunk of it, or a constant. */
export type TileRows = SizeSymbol | { symbol: SizeSymbol; minus: number; limit: number } | number;

/** Programs of at most so many rows are run by kernels for a few. */
export const FEW = 16;

/** Processors that run four invocations as one, such as SwiftShader. */
export const QUADS: Pick<Alternative, 'hardware' | 'needs'> = {
  hardware: false,
  needs: { features: ['subgroups'], subgroupSize: 4 },
};

/** Matrix units as NVIDIA's have them, with what of the reduction a workgroup's memory holds at a time. */
const MATRIX = {
  features: ['chromium-experimental-subgroup-matrix', 'subgroups', 'shader-f16'],
  subgroupSize: 32,
  subgroupMatrix: [16, 16, 16] as [number, number, number],
};
const DEPTHS = [
  { params: { DEPTH: 16 }, needs: MATRIX },
  { params: { DEPTH: 32 }, needs: { ...MATRIX, limits: { maxComputeWorkgroupStorageSize: 24 * 1024 } } },
];

/**
 * A matrix kernel and its grid, and faster ones for some devices. `storage`: of the frozen weights; `most`: rows at most;
 * `f16`: whether operands may be rounded to it where the device multiplies matrices of them.
 */
export function tiled(
  name: 'linear.forward' | 'linear.input_grad',
  columns: number,
  rows: TileRows,
  { storage = 'f32', most = Infinity, f16 = true }: { storage?: Storage; most?: number; f16?: boolean },
): Pick<Draft, 'spec' | 'grid' | 'alternatives'> {
  const shape = (kind: keyof typeof LINEAR_GRIDS) => ({
    spec: kernel(kind, storage),
    grid: gridOf(kind, columns, rows),
  });
  if (name === 'linear.forward' && most <= FEW) {
    const few = shape('linear.forward_few');
    // a few rows at a time read w again, and unpack it again
    const quads = { ...shape(most <= 8 ? 'linear.forward_few_quads' : 'linear.forward_quads'), ...QUADS };
    return { ...few, alternatives: [quads, { ...few, params: { LANES: 4 } }] };
  }
  const matrix = DEPTHS.map(depth => ({ ...shape(`${name}_matrix`), ...depth }));
  return {
    ...shape(name),
    alternatives: [{ ...shape(`${name}_quads`), ...QUADS }, shape(`${name}_tiled`), ...(f16 ? matrix : [])],
  };
}

function gridOf(name: keyof typeof LINEAR_GRIDS, columns: number, rows: TileRows): [Size, Size, Size] {
  const { XC, YR } = LINEAR_GRIDS[name];
  const y: Size =
    typeof rows === 'number'
      ? Math.ceil(rows / YR)
      : { ...(typeof rows === 'string' ? { symbol: rows } : rows), multiply: 1, divide: YR };
  return [Math.ceil(columns / XC), y, 1];
}
