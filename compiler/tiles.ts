/** Grids of the matrix kernels: x covers columns, y covers rows, by the tile sizes the kernels declare. */
import { kernel } from '../kernels/index.ts';
import { LINEAR_GRIDS } from '../kernels/linear/tiles.ts';
import type { Draft } from './graph.ts';
import type { Size, SizeSymbol } from './plan/schema.ts';
import type { Storage } from './plan/storage.ts';

/** Rows of the result: all of a symbol, a chunk of it, or a constant. */
export type TileRows = SizeSymbol | { symbol: SizeSymbol; minus: number; limit: number } | number;

/** `storage`: of the frozen weights, for kernels that read them. */
export function tileGrid(
  name: keyof typeof LINEAR_GRIDS,
  columns: number,
  rows: TileRows,
  storage: Storage = 'f32',
): Pick<Draft, 'grid' | 'alternatives'> {
  const tiled = `${name}_tiled`;
  const grid = gridOf(name, columns, rows);
  if (!(tiled in LINEAR_GRIDS)) return { grid };
  return {
    grid,
    alternatives: [
      { spec: kernel(tiled, storage), grid: gridOf(tiled as keyof typeof LINEAR_GRIDS, columns, rows) },
    ],
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
