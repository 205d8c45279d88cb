/** Shapes of the adapter kernels' workgroups: parameters that change speed and the order of sums, not their meaning. */

/** `quads`: of the kernels in which four neighbours share what they load. */
export type AdapterTile = 'processor' | 'quads' | 'hardware';

/** The kernel in that shape. */
export const shaped = (name: string, tile: AdapterTile) => (tile === 'quads' ? `${name}_quads` : name);

/**
 * Rows of a workgroup of adapter.forward and adapter.backward, and the parameters that make it so. `columns`: most that
 * are computed side by side. `few`: for programs of a few rows, such as decoding.
 */
export function rowTile(tile: AdapterTile, columns: number, few = false) {
  const ROWS = few ? 4 : 16;
  if (tile === 'hardware') {
    const ACROSS = Math.min(8, 2 ** Math.ceil(Math.log2(columns / 4)));
    return { ROWS, ACROSS, SLICES: 128 / ACROSS };
  }
  // four invocations share an instruction; a barrier costs more than sharing a reduction gains
  return { ROWS, ACROSS: Math.min(32, Math.ceil(columns / 16) * 4), SLICES: 1 };
}

/** Workgroups of adapter.grads: a workgroup has LANES / SLICES tiles of 8 × 8; `results` are those of gains/reduce.wgsl. */
export function gradTile(
  tile: AdapterTile,
  size: { columns: number; rank: number; width: number; ldZ: number; results: number },
) {
  // small workgroups, so that a processor's threads get equal shares
  const { LANES, SLICES } = tile === 'hardware' ? { LANES: 64, SLICES: 8 } : { LANES: 16, SLICES: 1 };
  const share = tile === 'quads' ? 4 : 1;
  const groups = (wide: number, high: number) =>
    Math.ceil((Math.ceil(wide / 8 / share) * share * Math.ceil(high / 8)) / (LANES / SLICES));
  return {
    params: { LANES, SLICES },
    workgroups: groups(size.columns, size.rank) + groups(size.width, size.ldZ) + size.results,
  };
}

/** Whether four neighbours, 32 columns of the output gradient, are always in one module; modules begin at `columns`. */
export const quadsFit = (columns: readonly number[]): boolean => columns.every(c => c % 32 === 0);
