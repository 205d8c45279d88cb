/** Shapes of the adapter kernels' workgroups: parameters that change speed and the order of sums, not their meaning. */

export type AdapterTile = 'processor' | 'hardware';

/**
 * Rows of a workgroup of adapter.forward and adapter.backward, and the parameters that make it so. `few`: for programs of
 * a few rows, such as decoding.
 */
export function rowTile(tile: AdapterTile, columns: number, few = false) {
  const ROWS = few ? 4 : 16;
  if (tile === 'hardware') return { ROWS, ACROSS: 8, SLICES: 16 };
  // four invocations share an instruction; a barrier costs more than sharing a reduction gains
  return { ROWS, ACROSS: Math.min(32, Math.ceil(columns / 16) * 4), SLICES: 1 };
}

/** Workgroups of adapter.grads: a workgroup has 64 / SLICES tiles of 8 × 8; `results` are those of gains/reduce.wgsl. */
export function gradTile(
  tile: AdapterTile,
  size: { columns: number; rank: number; width: number; ldZ: number; results: number },
) {
  const SLICES = tile === 'processor' ? 1 : 8;
  const groups = (wide: number, high: number) =>
    Math.ceil((Math.ceil(wide / 8) * Math.ceil(high / 8)) / (64 / SLICES));
  return {
    params: { SLICES },
    workgroups: groups(size.columns, size.rank) + groups(size.width, size.ldZ) + size.results,
  };
}
