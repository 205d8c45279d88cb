/** Relative errors against reference tensors, and the table that shows them. */

export interface Row {
  case: string;
  tensor: string;
  /** ‖out − ref‖ / ‖ref‖ in f64, absolute where the reference is zero. */
  error: number;
  tolerance: number;
}

/** Tolerances of float32 against float64, by kind of tensor. */
export const TOLERANCE = {
  value: 1e-5,
  gradient: 1e-4,
  curvature: 1e-3,
  trajectory: 1e-4,
  final: 1e-2,
  zero: 1e-6,
} as const;

export class Comparison {
  readonly rows: Row[] = [];
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** Compares one tensor. A reference of zeros is compared absolutely. */
  check(tensor: string, out: ArrayLike<number>, ref: ArrayLike<number>, tolerance: number): void {
    const { difference, norm } = distance(out, ref);
    const zero = norm === 0;
    this.rows.push({
      case: this.name,
      tensor,
      error: zero ? difference : difference / norm,
      tolerance: zero ? TOLERANCE.zero : tolerance,
    });
  }

  /** ‖out − ref‖ / ‖ref − start‖: how far a trained tensor is from where it should have gone. */
  checkMoved(
    tensor: string,
    out: ArrayLike<number>,
    ref: ArrayLike<number>,
    start: ArrayLike<number>,
    tolerance: number,
  ): void {
    const moved = distance(start, ref).difference;
    const { difference } = distance(out, ref);
    this.rows.push({
      case: this.name,
      tensor,
      error: moved === 0 ? difference : difference / moved,
      tolerance,
    });
  }
}

function distance(out: ArrayLike<number>, ref: ArrayLike<number>): { difference: number; norm: number } {
  if (out.length !== ref.length) return { difference: Number.POSITIVE_INFINITY, norm: 1 };
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < ref.length; i++) {
    difference += (out[i] - ref[i]) ** 2;
    norm += ref[i] ** 2;
  }
  return { difference: Math.sqrt(difference), norm: Math.sqrt(norm) };
}

/** NaN counts as failed. */
export const passes = ({ error, tolerance }: Row): boolean => error <= tolerance;

export function table(rows: Row[]): string {
  const width = (pick: (r: Row) => string) => Math.max(...rows.map(r => pick(r).length), 6);
  const caseWidth = width(r => r.case);
  const tensorWidth = width(r => r.tensor);
  const line = (a: string, b: string, c: string, d: string, e: string) =>
    `${a.padEnd(caseWidth)}  ${b.padEnd(tensorWidth)}  ${c.padStart(9)}  ${d.padStart(9)}  ${e}`;
  return [
    line('case', 'tensor', 'error', 'allowed', ''),
    ...rows.map(r =>
      line(
        r.case,
        r.tensor,
        r.error.toExponential(2),
        r.tolerance.toExponential(0),
        passes(r) ? 'ok' : 'FAILED',
      ),
    ),
  ].join('\n');
}
