/** Gradient norm with clipping, and one step of AdamW (as in torch, arXiv 1711.05101) or SGD per parameter group. */
export const GROUP_FLOATS = 12;
export const BLOCK_FLOATS = 16;
export const KIND = { frozen: 0, adamw: 1, sgd: 2 } as const;

/** Gradients from here on count as unusable, like NaN and infinity: their squares could overflow an f32 sum. */
export const UNUSABLE_FROM = 2 ** 50;

const usable = (g: number) => Math.abs(g) < UNUSABLE_FROM;

/** (norm of the usable gradients, factor for every gradient, number of unusable gradients, 0); `unscale`: 1 / scale of the loss. */
export function gradientControl(
  grads: ArrayLike<number>,
  maxNorm: number,
  unscale = 1,
): [number, number, number, number] {
  let squares = 0;
  let bad = 0;
  for (let i = 0; i < grads.length; i++) {
    if (usable(grads[i])) squares += grads[i] ** 2;
    else bad++;
  }
  const norm = Math.sqrt(squares) * unscale;
  const clip = maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
  return [norm, clip * unscale, bad, 0];
}

export interface OptimizerState {
  params: Float64Array;
  moment1: Float64Array;
  moment2: Float64Array;
}

/** Changes `state` in place. `groups` is a table of rows of 12, as in step.wgsl. */
export function optimizerStep(
  state: OptimizerState,
  grads: ArrayLike<number>,
  groupOfBlock: ArrayLike<number>,
  groups: ArrayLike<number>,
  control: ArrayLike<number>,
): void {
  if (control[2] > 0 || !Number.isFinite(control[0])) return;
  for (let i = 0; i < state.params.length; i++) {
    const row = groupOfBlock[Math.floor(i / BLOCK_FLOATS)] * GROUP_FLOATS;
    const [lr, decay, beta1, beta2, eps, correct1, correct2, min, max, kind] = Array.from(
      { length: 10 },
      (_, k) => groups[row + k],
    );
    if (kind === KIND.frozen) continue;
    const g = grads[i] * control[1];
    let p = state.params[i] * (1 - lr * decay);
    if (kind === KIND.adamw) {
      state.moment1[i] = beta1 * state.moment1[i] + (1 - beta1) * g;
      state.moment2[i] = beta2 * state.moment2[i] + (1 - beta2) * g * g;
      p -= (lr * state.moment1[i] * correct1) / (Math.sqrt(state.moment2[i] * correct2) + eps);
    } else {
      p -= lr * g;
    }
    state.params[i] = Math.min(Math.max(p, min), max);
  }
}
