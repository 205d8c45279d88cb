/** act(gate)·up (arXiv 2002.05202, eq. 6): gate in columns from 0, up in columns from UP_COLUMN; act is SiLU or tanh-GELU. */
export interface SwigluShape {
  WIDTH: number;
  LD_IN: number;
  UP_COLUMN: number;
  LD_OUT: number;
  GELU?: boolean;
}

/** act(x) and its derivative. */
function activation(x: number, gelu = false): [value: number, slope: number] {
  if (!gelu) {
    const s = 1 / (1 + Math.exp(-x));
    return [x * s, s * (1 + x * (1 - s))];
  }
  const k = Math.sqrt(2 / Math.PI);
  const t = Math.tanh(k * (x + 0.044715 * x ** 3));
  return [0.5 * x * (1 + t), 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * k * (1 + 3 * 0.044715 * x * x)];
}

export function swigluForward(p: SwigluShape, gate_up: ArrayLike<number>): Float64Array {
  const rows = gate_up.length / p.LD_IN;
  const out = new Float64Array(rows * p.LD_OUT);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < p.WIDTH; c++) {
      const gate = gate_up[r * p.LD_IN + c];
      out[r * p.LD_OUT + c] = activation(gate, p.GELU)[0] * gate_up[r * p.LD_IN + p.UP_COLUMN + c];
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
      const [value, slope] = activation(gate, p.GELU);
      dgate_up[r * p.LD_IN + c] = d * up * slope;
      dgate_up[r * p.LD_IN + p.UP_COLUMN + c] = d * value;
    }
  }
  return dgate_up;
}
