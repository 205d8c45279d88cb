/** What the router does, per adapted module, from the statistics a forward pass leaves behind. */
import type { Plan } from '../../compiler/plan/schema.ts';

/** Floats per site in the `stats` buffer; layout: kernels/README.md, routing.stats. */
export const STATS_FLOATS = 64;

export interface SiteTelemetry {
  module: string;
  adapter: string;
  /** Share of kept (token, expert) pairs that went to each expert. */
  share: number[];
  /** Mean gate of each expert. */
  gate: number[];
  /** Mean entropy of the router's softmax, nats. */
  entropy: number;
  /** Signed curvature κ of each expert; 0 for flat ones and for declared spaces. */
  curvature: number[];
  /** The parameters of each expert's space by name, as one would write them. */
  parameters: Record<string, number>[];
  /** Share of kept (token, expert) pairs at a guard of a map. */
  guarded: number;
}

/** Σ over adapters of aux · E · Σ f_e · mean P_e. */
export function balanceLoss(plan: Plan, stats: Float32Array): number {
  return plan.sites.reduce((sum, { aux, experts }, i) => {
    if (aux === 0) return sum;
    const at = i * STATS_FLOATS;
    const count = experts.length;
    let dot = 0;
    for (let e = 0; e < count; e++) dot += stats[at + e] * stats[at + count + e];
    return sum + aux * count * dot;
  }, 0);
}

/** Float ranges of the parameter buffer that hold the spaces' stored parameters, in the order `telemetryOf` expects. */
export function curvatureRanges(plan: Plan): { offset: number; count: number }[] {
  return plan.sites.flatMap(s =>
    s.experts.flatMap(e => e.parameters.map(({ offset }) => ({ offset, count: 1 }))),
  );
}

export function telemetryOf(plan: Plan, stats: Float32Array, stored: Float32Array): SiteTelemetry[] {
  let next = 0;
  return plan.sites.map(({ module, adapter, experts }, i) => {
    const count = experts.length;
    const block = stats.subarray(i * STATS_FLOATS, (i + 1) * STATS_FLOATS);
    const parameters = experts.map(e =>
      Object.fromEntries(e.parameters.map(p => [p.name, written(p.stored, stored[next++])])),
    );
    const curvature = experts.map((e, at) => (e.sign ?? 0) * (Object.values(parameters[at])[0] ?? 0));
    return {
      module,
      adapter,
      share: [...block.subarray(0, count)],
      gate: [...block.subarray(2 * count, 3 * count)],
      entropy: block[3 * count],
      curvature,
      parameters,
      guarded: block[3 * count + 2],
    };
  });
}

/** A parameter's value from its stored form. */
export function written(stored: 'log' | 'plain' | 'logit', value: number): number {
  if (stored === 'plain') return value;
  return stored === 'log' ? Math.exp(value) : 1 / (1 + Math.exp(-value));
}
