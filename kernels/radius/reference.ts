/** Σ x² per row. Its gradient, 2·x·dradius, belongs to linear.input_grad (the term with RADIAL_COLUMN). */
export function radiusForward(p: { LD: number }, x: ArrayLike<number>): Float64Array {
  const radius = new Float64Array(x.length / p.LD);
  for (let i = 0; i < x.length; i++) radius[Math.floor(i / p.LD)] += x[i] ** 2;
  return radius;
}
