/**
 * What the gains kernels mean, in float64: one adapter on one token, in rank space (MoSLoRA, arXiv 2602.14490; the paper
 * works on d-dimensional vectors, but its maps are radial and so commute with linear maps).
 *
 *     z_e = A_e x                          q = ‖x‖²/σ²                       a_e = L(q)
 *     n_e = z_eᵀ G_e z_e, G_e = B_eᵀB_e    m_e = ‖B_e A_e lift(x/σ)‖² = a_e² n_e/σ²     b_e = D(m_e)
 *     w_e = (alpha/rank)·g_e·a_e·b_e       Δy = Σ_e w_e B_e z_e
 */
import { drop, lift, type Radial, type Space } from './maps.ts';

export interface Expert {
  space: Space;
  /** How κ is stored: none (κ = 0), θ = log(−κ), θ = log κ, θ = κ. */
  kind: 'none' | 'hyperbolic' | 'sphere' | 'kappa';
  theta: number;
  sigma: number;
  rank: number;
  /** alpha/rank. */
  scale: number;
}

export interface Adapter {
  experts: readonly Expert[];
  /** Kept gates; all of them for `soft`. */
  topK: number;
  /** Divide kept gates by their sum. */
  renorm: boolean;
  /** Coefficients of the balance loss and of mean(logsumexp²). */
  aux: number;
  zloss: number;
  /** Router on rank space, [E, Σrank] row-major: ℓ = M z. */
  rankRouter?: ArrayLike<number>;
}

/** One token as one adapter sees it. `logits` are R x plus noise, or only the noise where the router reads z. */
export interface Token {
  z: readonly number[][];
  /** ‖x‖². */
  radius: number;
  logits: readonly number[];
  slotScale: number;
}

export interface ExpertState {
  q: number;
  n: number;
  m: number;
  lift: Radial;
  drop: Radial;
}

export interface Forward {
  /** Softmax over all experts, and logsumexp of the logits. */
  probabilities: number[];
  lse: number;
  /** 0 where not kept. */
  gates: number[];
  kept: boolean[];
  guards: boolean[];
  experts: ExpertState[];
  weights: number[];
  s: number[][];
}

export interface Backward {
  dz: number[][];
  dlogits: number[];
  /** dx += x·radial. */
  radial: number;
  /** For C = Σ dn z zᵀ and dB += 2 B C. */
  dn: number[];
  dtheta: number[];
  dlogSigma: number[];
}

export function curvatureOf({ kind, theta }: Expert): number {
  switch (kind) {
    case 'none':
      return 0;
    case 'hyperbolic':
      return -Math.exp(theta);
    case 'sphere':
      return Math.exp(theta);
    case 'kappa':
      return theta;
    default:
      return kind satisfies never;
  }
}

export function forward(adapter: Adapter, token: Token, gram: readonly ArrayLike<number>[]): Forward {
  const { experts, topK, renorm } = adapter;
  const logits = logitsOf(adapter, token);
  const largest = Math.max(...logits);
  const exps = logits.map(l => Math.exp(l - largest));
  const total = sum(exps);
  const probabilities = exps.map(p => p / total);
  // The topK largest logits; ties go to the lowest index.
  const kept = logits.map(
    (l, e) => logits.filter((other, i) => other > l || (other === l && i < e)).length < topK,
  );
  const keptTotal = renorm ? sum(probabilities.filter((_, e) => kept[e])) : 1;
  const gates = probabilities.map((p, e) => (kept[e] ? p / keptTotal : 0));

  const states = experts.map((expert, e): ExpertState => {
    const curvature = curvatureOf(expert);
    const q = token.radius / expert.sigma ** 2;
    const n = Math.max(quadratic(gram[e], token.z[e]), 0);
    const a = lift(expert.space, curvature, q);
    const m = (a.gain ** 2 * n) / expert.sigma ** 2;
    return { q, n, m, lift: a, drop: drop(expert.space, curvature, m) };
  });
  const weights = states.map(
    (x, e) => experts[e].scale * token.slotScale * gates[e] * x.lift.gain * x.drop.gain,
  );
  return {
    probabilities,
    lse: largest + Math.log(total),
    gates,
    kept,
    guards: states.map((x, e) => kept[e] && (x.lift.guarded || x.drop.guarded)),
    experts: states,
    weights,
    s: token.z.map((z, e) => z.map(v => weights[e] * v)),
  };
}

/**
 * Gradients of Σ s·h (h_e = B_eᵀdy) plus this token's part of the router losses: `balance[e]` = aux·E·f_e/T with f_e the
 * share of all kept (token, slot) pairs that went to e, and `perToken` = 1/T for zloss. With p_e = h_e·z_e:
 *
 *     dg = (alpha/rank)·a·b·p       db = (alpha/rank)·g·a·p       dm = db·D'(m)       dn = dm·a²/σ²
 *     da = (alpha/rank)·g·b·p + 2·dm·a·n/σ²                       dz = w·h + 2·dn·G z
 *     dx += 2·x·Σ da·L'(q)/σ²       dκ = da·∂L/∂κ + db·∂D/∂κ      d log σ = −2·(da·L'(q)·q + dm·m)
 *     dP = [kept]·(dg − Σ dg∘g)/Z (renorm), [kept]·dg (softmax); + balance
 *     dℓ = P∘(dP − Σ dP∘P) + 2·zloss·lse·P/T
 */
export function backward(
  adapter: Adapter,
  token: Token,
  gram: readonly ArrayLike<number>[],
  h: readonly number[][],
  balance: readonly number[],
  perToken: number,
): Backward {
  const { experts, renorm, zloss, rankRouter } = adapter;
  const f = forward(adapter, token, gram);
  const dn: number[] = [];
  const dtheta: number[] = [];
  const dlogSigma: number[] = [];
  const dg: number[] = [];
  let radial = 0;
  const dz = experts.map((expert, e) => {
    const { q, n, m, lift: a, drop: b } = f.experts[e];
    const inverse = 1 / expert.sigma ** 2;
    const scale = expert.scale * token.slotScale;
    const p = dot(h[e], token.z[e]);
    dg[e] = f.kept[e] ? scale * a.gain * b.gain * p : 0;
    const db = scale * f.gates[e] * a.gain * p;
    const dm = db * b.bySquare;
    const da = scale * f.gates[e] * b.gain * p + 2 * dm * a.gain * n * inverse;
    const dk = da * a.byCurvature + db * b.byCurvature;
    dn[e] = dm * a.gain ** 2 * inverse;
    // θ = log|κ|: dθ = κ·dκ.
    dtheta[e] = expert.kind === 'kappa' ? dk : curvatureOf(expert) * dk;
    dlogSigma[e] = -2 * (da * a.bySquare * q + dm * m);
    radial += 2 * da * a.bySquare * inverse;
    const gz = times(gram[e], token.z[e]);
    return token.z[e].map((_, j) => f.weights[e] * h[e][j] + 2 * dn[e] * gz[j]);
  });

  const { probabilities: P, gates, kept } = f;
  const keptTotal = sum(P.filter((_, e) => kept[e]));
  const gateMean = dot(dg, gates);
  const dP = dg.map((d, e) => (kept[e] ? (renorm ? (d - gateMean) / keptTotal : d) : 0) + balance[e]);
  const mean = dot(dP, P);
  const dlogits = P.map((p, e) => p * (dP[e] - mean + 2 * zloss * f.lse * perToken));
  if (rankRouter) {
    const width = sum(experts.map(e => e.rank));
    let at = 0;
    for (const row of dz) {
      row.forEach((_, j) => {
        for (let k = 0; k < experts.length; k++) row[j] += dlogits[k] * rankRouter[k * width + at + j];
      });
      at += row.length;
    }
  }
  return { dz, dlogits, radial, dn, dtheta, dlogSigma };
}

function logitsOf({ rankRouter }: Adapter, token: Token): number[] {
  if (!rankRouter) return [...token.logits];
  const stacked = token.z.flat();
  return token.logits.map(
    (noise, k) =>
      noise +
      dot(
        stacked.map((_, j) => rankRouter[k * stacked.length + j]),
        stacked,
      ),
  );
}

/** zᵀ G z and G z, G [rank, rank] row-major. */
function quadratic(gram: ArrayLike<number>, z: readonly number[]): number {
  return dot(times(gram, z), z);
}

function times(gram: ArrayLike<number>, z: readonly number[]): number[] {
  return z.map((_, i) => z.reduce((total, v, j) => total + gram[i * z.length + j] * v, 0));
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((total, v, i) => total + v * b[i], 0);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, v) => total + v, 0);
}
