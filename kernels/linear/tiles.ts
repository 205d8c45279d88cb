/**
 * Workgroups of the linear kernels: x = ceil(columns / XC), y = ceil(rows / YR).
 *
 * | kernel | columns | rows |
 * | --- | --- | --- |
 * | linear.forward, forward_quads, forward_tiled, forward_matrix, forward_few, forward_few_quads | LD_Y | rows of the dispatch |
 * | linear.input_grad, input_grad_quads, input_grad_tiled, input_grad_matrix | LD_DX | rows of the dispatch |
 */
export interface Grid {
  /** Columns of the result that one workgroup covers. */
  XC: number;
  /** Rows of the result that one workgroup covers. */
  YR: number;
}

export const LINEAR_GRIDS = {
  'linear.forward': { XC: 64, YR: 64 },
  'linear.forward_quads': { XC: 64, YR: 32 },
  'linear.forward_tiled': { XC: 64, YR: 64 },
  'linear.forward_matrix': { XC: 128, YR: 128 },
  'linear.forward_few': { XC: 64, YR: 4 },
  'linear.forward_few_quads': { XC: 64, YR: 4 },
  'linear.input_grad': { XC: 64, YR: 64 },
  'linear.input_grad_quads': { XC: 64, YR: 32 },
  'linear.input_grad_tiled': { XC: 64, YR: 64 },
  'linear.input_grad_matrix': { XC: 128, YR: 128 },
} as const satisfies Record<string, Grid>;
