/** silu(gate)·up (arXiv 2002.05202, eq. 6): gate in columns from 0, up in columns from UP_COLUMN. */
export interface SwigluShape {
  WIDTH: number;
  LD_IN: number;
  UP_COLUMN: number;
  LD_OUT: number;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

export function swigluForward(p: SwigluShape, gate_up: ArrayLike<number>): Float64Array {
  const rows = gate_up.length / p.LD_IN;
  const out = new Float64Array(rows * p.LD_OUT);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < p.WIDTH; c++) {
      const gate = gate_up[r * p.LD_IN + c];
      out[r * p.LD_OUT + c] = gate * sigmoid(gate) * gate_up[r * p.LD_IN + p.UP_COLUMN + c];
    }
  }
  return out;
}

export function swigluBackward(
  p: SwigluShape,
  gate_up: ArrayLike<number>,
  dy: ArrayLike<number>,
): Float64Array {
  const rows = gate_up.length / p.LD_IN;
  const dgate_up = new Float64Array(gate_up.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < p.WIDTH; c++) {
      const gate = gate_up[r * p.LD_IN + c];
      const up = gate_up[r * p.LD_IN + p.UP_COLUMN + c];
      const d = dy[r * p.LD_OUT + c];
      const s = sigmoid(gate);
      dgate_up[r * p.LD_IN + c] = d * up * s * (1 + gate * (1 - s));
      dgate_up[r * p.LD_IN + p.UP_COLUMN + c] = d * gate * s;
    }
  }
  return dgate_up;
}
