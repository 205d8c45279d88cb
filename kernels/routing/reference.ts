/** Statistics of one adapter's routing over a batch; the layout of a record and of the block: stats.wgsl. */
export interface RouteLayout {
  LD_ROUTE: number;
  ROUTE_COLUMN: number;
  experts: number;
  TOP_K: number;
}

export const STATS_BLOCK = 64;

/** f_e (share of all kept (token, slot) pairs), mean P, mean gate, mean entropy, mean lse², share of guarded pairs. */
export function routingStats(layout: RouteLayout, routing: ArrayLike<number>, tokens: number): Float64Array {
  const { LD_ROUTE, ROUTE_COLUMN, experts: E, TOP_K } = layout;
  const stats = new Float64Array(STATS_BLOCK);
  for (let t = 0; t < tokens; t++) {
    const at = t * LD_ROUTE + ROUTE_COLUMN;
    for (let e = 0; e < E; e++) {
      const p = routing[at + e];
      const gate = routing[at + E + e];
      if (gate > 0) {
        stats[e] += 1 / (tokens * TOP_K);
        stats[3 * E + 2] += routing[at + 2 * E + e] / (tokens * TOP_K);
      }
      stats[E + e] += p / tokens;
      stats[2 * E + e] += gate / tokens;
      if (p > 0) stats[3 * E] -= (p * Math.log(p)) / tokens;
    }
    stats[3 * E + 1] += routing[at + 3 * E + 1] ** 2 / tokens;
  }
  return stats;
}
