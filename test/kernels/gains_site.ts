/**
 * Random sites for the adapter kernels: parameters and buffers in the kernels' layout, and what the float64 reference
 * makes of them, in the same layout. All inputs are rounded to float32 first. A is a power of two times the identity and
 * B the identity, so that z and h are chosen freely and exactly; one column of x beyond them makes up ‖x‖².
 */
import {
  type Adapter,
  type Backward,
  backward,
  type Expert,
  type Forward,
  forward,
  type Token,
} from '../../kernels/gains/reference.ts';
import { type KernelSpec, type ParamValue, paramsOf } from '../../kernels/spec.ts';
import { spacesOf } from './library_spaces.ts';

export interface SiteAdapter extends Adapter {
  router: 'none' | 'input' | 'rank';
  learnScale?: boolean;
  noise?: number;
  slot?: number;
}

export interface Site {
  adapters: SiteAdapter[];
  tokens: Token[][];
  gram: number[][][];
  h: number[][][][];
  params: Record<string, ParamValue>;
  buffers: Record<'x' | 'a' | 'dy' | 'b' | 'gram' | 'geometry' | 'slot_scale', Float32Array> & {
    row_of: Uint32Array;
  };
  size: {
    tokens: number;
    ldX: number;
    ldZ: number;
    ldS: number;
    ldInner: number;
    ldDy: number;
    ldDz: number;
    ldRoute: number;
    gram: number;
    geometry: number;
  };
}

export interface SiteReference {
  s: Float64Array;
  routing: Float64Array;
  stats: Float64Array;
  dz: Float64Array;
  gramGrad: Float64Array;
  geometryGrad: Float64Array;
}

/** Deterministic values in (−1, 1), spread evenly (a Weyl sequence scrambled by a product). */
export function noiseSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround((((state ^ (state >>> 13)) >>> 8) / 2 ** 24) * 2 - 1);
  };
}

/** What A multiplies by: the smaller x beside its last column, the freer is ‖x‖². */
const MAGNIFIED = 2 ** 40;
const SLOT_SCALES = [1, 0.5, 0];
const logitColumns = (a: SiteAdapter) => (a.router === 'input' ? a.experts.length : 0);
const total = (values: number[]) => values.reduce((sum, v) => sum + v, 0);
/** Where each of the parts starts when they follow one another. */
const sums = (sizes: number[], start: number) => sizes.map((_, i) => start + total(sizes.slice(0, i)));
const align = (value: number, to: number) => Math.ceil(value / to) * to;

/** `norm` scales x, and z with it; tokens 0 and 1 of a larger batch are zero and tiny. */
export function makeSite(adapters: SiteAdapter[], count: number, seed: number, norm = 1, bScale = 0.5): Site {
  const random = noiseSource(seed);
  const experts = adapters.flatMap(a => a.experts);
  const counts = adapters.map(a => a.experts.length);
  const starts = [...sums(counts, 0), total(counts)];
  const columns: number[] = [];
  const gramOffsets: number[] = [];
  let [column, gramSize] = [0, 0];
  for (const adapter of adapters) {
    for (const expert of adapter.experts) {
      columns.push(column);
      gramOffsets.push(gramSize);
      column += expert.rank;
      gramSize += expert.rank ** 2;
    }
    column = align(column, 4);
  }
  const ldS = column;
  const ldZ = align(column + total(adapters.map(logitColumns)), 4);
  const routerColumns = sums(adapters.map(logitColumns), ldS);
  const routerSizes = adapters.map(a => a.rankRouter?.length ?? 0);
  const rankOffsets = sums(routerSizes, 32 * experts.length);
  const routeSizes = adapters.map(a => 3 * a.experts.length + 2);
  const routeColumns = sums(routeSizes, 0);
  const size = {
    tokens: count,
    ldX: ldZ + 4,
    ldZ,
    ldS,
    ldInner: align(ldZ + ldS + 1, 4),
    ldDy: align(ldS, 8),
    ldDz: align(ldZ + adapters.length + 4 * experts.length, 4),
    ldRoute: align(total(routeSizes), 4),
    gram: gramSize,
    geometry: 32 * experts.length + total(routerSizes),
  };

  const { ldX, ldDy } = size;
  const z = new Float32Array(count * ldZ);
  const h = new Float32Array(count * ldS);
  const radius = new Float64Array(count);
  const buffers = {
    x: new Float32Array(count * ldX),
    a: Float32Array.from({ length: ldZ * ldX }, (_, i) => (i % ldX === Math.floor(i / ldX) ? MAGNIFIED : 0)),
    dy: new Float32Array(count * ldDy),
    b: Float32Array.from({ length: ldDy * ldS }, (_, i) => (i % ldS === Math.floor(i / ldS) ? 1 : 0)),
    gram: new Float32Array(gramSize),
    geometry: new Float32Array(size.geometry),
    slot_scale: new Float32Array(4 * SLOT_SCALES.length),
    row_of: Uint32Array.from({ length: count }, (_, t) => t % SLOT_SCALES.length),
  };
  // Slot 1 is the one in use with all three scales; other slots are on.
  buffers.slot_scale.fill(1);
  buffers.slot_scale.set(SLOT_SCALES, SLOT_SCALES.length);
  experts.forEach(({ theta, sigma, rank }, e) => {
    buffers.geometry[32 * e] = theta;
    buffers.geometry[32 * e + 16] = Math.log(sigma);
    const b = Array.from({ length: (rank + 3) * rank }, () => bScale * random());
    for (let i = 0; i < rank; i++) {
      for (let j = 0; j < rank; j++) {
        let sum = 0;
        for (let r = 0; r < rank + 3; r++) sum += b[r * rank + i] * b[r * rank + j];
        buffers.gram[gramOffsets[e] + i * rank + j] = sum;
      }
    }
  });
  adapters.forEach((a, i) => {
    if (a.rankRouter) buffers.geometry.set(Array.from(a.rankRouter), rankOffsets[i]);
  });
  for (let t = 0; t < count; t++) {
    const size = norm * (count > 2 && t < 2 ? [0, 1e-6][t] : 1 + 0.5 * random());
    experts.forEach((x, e) => {
      for (let j = 0; j < x.rank; j++) {
        z[t * ldZ + columns[e] + j] = size * random();
        h[t * ldS + columns[e] + j] = random();
      }
    });
    for (let c = ldS; c < ldS + total(adapters.map(logitColumns)); c++) z[t * ldZ + c] = 2 * random();
    for (let c = 0; c < ldZ; c++) buffers.x[t * ldX + c] = z[t * ldZ + c] / MAGNIFIED;
    buffers.x[t * ldX + ldZ] = size;
    for (let c = 0; c < ldX; c++) radius[t] += buffers.x[t * ldX + c] ** 2;
    for (let c = 0; c < ldS; c++) buffers.dy[t * ldDy + c] = h[t * ldS + c];
  }

  const slice = (from: Float32Array, start: number, length: number) => [
    ...from.subarray(start, start + length),
  ];
  const perExpert = (of: (expert: Expert, e: number) => number) => experts.map(of);
  const perAdapter = (of: (adapter: SiteAdapter, i: number) => number) => adapters.map(of);
  return {
    // The reference sees what the buffers hold.
    adapters: adapters.map((a, i) => ({
      ...a,
      ...(a.rankRouter ? { rankRouter: slice(buffers.geometry, rankOffsets[i], a.rankRouter.length) } : {}),
      experts: a.experts.map((x, k) => {
        const at = 32 * (starts[i] + k);
        const sigma = a.learnScale
          ? Math.exp(buffers.geometry[at + 16])
          : 1 / Math.sqrt(Math.fround(1 / x.sigma ** 2));
        return { ...x, theta: buffers.geometry[at], sigma, scale: Math.fround(x.scale) };
      }),
    })),
    tokens: adapters.map((a, i) =>
      Array.from({ length: count }, (_, t) => ({
        z: a.experts.map((x, k) => slice(z, t * ldZ + columns[starts[i] + k], x.rank)),
        radius: radius[t],
        logits: a.experts.map((_, k) => (a.router === 'input' ? z[t * ldZ + routerColumns[i] + k] : 0)),
        slotScale: buffers.slot_scale[SLOT_SCALES.length * (a.slot ?? 0) + buffers.row_of[t]],
      })),
    ),
    gram: adapters.map((a, i) =>
      a.experts.map((x, k) => slice(buffers.gram, gramOffsets[starts[i] + k], x.rank ** 2)),
    ),
    h: adapters.map((a, i) =>
      Array.from({ length: count }, (_, t) =>
        a.experts.map((x, k) => slice(h, t * ldS + columns[starts[i] + k], x.rank)),
      ),
    ),
    params: {
      ADAPTERS: adapters.length,
      EXPERTS: experts.length,
      MAX_ROWS: SLOT_SCALES.length,
      MAX_RANK: Math.max(...experts.map(x => x.rank)),
      MAX_EXPERTS: Math.max(...adapters.map(a => a.experts.length)),
      LD_X: ldX,
      LD_Z: ldZ,
      LD_S: ldS,
      LD_INNER: size.ldInner,
      S_COLUMN: ldZ,
      RADIUS_COLUMN: ldZ + ldS,
      LD_DZ: size.ldDz,
      LD_ROUTE: size.ldRoute,
      EXTRA_COLUMN: ldZ,
      EXPERT_START: starts,
      HAS_ROUTER: perAdapter(a => (a.router === 'none' ? 0 : 1)),
      ROUTER_COLUMN: routerColumns,
      ON_RANK: perAdapter(a => (a.router === 'rank' ? 1 : 0)),
      ROUTER_OFFSET: rankOffsets,
      TOP_K: perAdapter(a => a.topK),
      RENORM: perAdapter(a => (a.renorm ? 1 : 0)),
      AUX: perAdapter(a => a.aux),
      ZLOSS: perAdapter(a => a.zloss),
      NOISE: perAdapter(a => a.noise ?? 0),
      SLOT: perAdapter(a => a.slot ?? 0),
      ROUTE_COLUMN: routeColumns,
      ...spacesOf(experts),
      Z_COLUMN: columns,
      RANK: perExpert(x => x.rank),
      SCALE: perExpert(x => x.scale),
      LEARN_SCALE: adapters.flatMap(a => a.experts.map(() => (a.learnScale ? 1 : 0))),
      INV_SIGMA2: perExpert(x => 1 / x.sigma ** 2),
      GRAM_OFFSET: gramOffsets,
      PARAM_OFFSET: experts.map((_, e) => 32 * e),
    },
    buffers,
    size,
  };
}

/** The parameters that a kernel declares, of those that describe a site. */
export function pick({ wgsl }: KernelSpec, params: Record<string, ParamValue>): Record<string, ParamValue> {
  const known = paramsOf(wgsl);
  return Object.fromEntries(Object.entries(params).filter(([name]) => known.has(name)));
}

/** The whole of B as one module. */
export const oneModule = ({ size: { ldDy, ldS } }: Site) => ({
  LD_DY: ldDy,
  SEGMENTS: 1,
  SEG_COLUMN: [0, ldDy],
  SEG_S: [0],
  SEG_RANK: [ldS],
  SEG_B: [0],
});

/** Every tensor of the site. `auxScale` is the frame's; the balance loss uses the shares of this very batch. */
export function referenceOf(site: Site, auxScale: number): SiteReference {
  const { size, params, adapters } = site;
  const list = (name: string) => params[name] as number[];
  const experts = params.EXPERTS as number;
  const out: SiteReference = {
    s: new Float64Array(size.tokens * size.ldS),
    routing: new Float64Array(size.tokens * size.ldRoute),
    stats: new Float64Array(64 * adapters.length),
    dz: new Float64Array(size.tokens * size.ldDz),
    gramGrad: new Float64Array(size.gram),
    geometryGrad: new Float64Array(size.geometry),
  };
  adapters.forEach((adapter, i) => {
    const start = list('EXPERT_START')[i];
    const columns = list('Z_COLUMN').slice(start);
    const count = adapter.experts.length;
    const passes = site.tokens[i].map(token => forward(adapter, token, site.gram[i]));
    const balance = adapter.experts.map((_, k) => {
      const share = passes.filter(pass => pass.kept[k]).length / (size.tokens * adapter.topK);
      out.stats[64 * i + k] = share;
      return (adapter.aux * count * share * auxScale) / size.tokens;
    });
    passes.forEach((pass, t) => {
      writeForward(
        out,
        pass,
        t * size.ldS,
        columns,
        t * size.ldRoute + list('ROUTE_COLUMN')[i],
        site.tokens[i][t].slotScale,
      );
      const grad = backward(
        adapter,
        site.tokens[i][t],
        site.gram[i],
        site.h[i][t],
        balance,
        auxScale / size.tokens,
      );
      const row = t * size.ldDz;
      const extra = row + (params.EXTRA_COLUMN as number) + adapters.length + start;
      out.dz[row + (params.EXTRA_COLUMN as number) + i] = grad.radial;
      grad.dz.forEach((part, k) => {
        out.dz.set(part, row + columns[k]);
        out.dz[extra + k] = grad.dn[k];
        out.dz[extra + experts + k] = grad.dtheta[k];
        out.dz[extra + 2 * experts + k] = adapter.learnScale ? grad.dlogSigma[k] : 0;
        if (adapter.router === 'rank') out.dz[extra + 3 * experts + k] = grad.dlogits[k];
        if (adapter.router === 'input') out.dz[row + list('ROUTER_COLUMN')[i] + k] = grad.dlogits[k];
      });
      reduceToken(out, site, i, t, grad);
    });
  });
  return out;
}

function writeForward(
  out: SiteReference,
  pass: Forward,
  row: number,
  columns: number[],
  record: number,
  slotScale: number,
): void {
  const count = pass.gates.length;
  pass.s.forEach((part, k) => {
    out.s.set(part, row + columns[k]);
    out.routing[record + k] = pass.probabilities[k];
    out.routing[record + count + k] = pass.gates[k];
    out.routing[record + 2 * count + k] = pass.guards[k] ? 1 : 0;
  });
  out.routing[record + 3 * count] = slotScale;
  out.routing[record + 3 * count + 1] = pass.lse;
}

function reduceToken(
  out: SiteReference,
  { params, adapters, tokens }: Site,
  i: number,
  t: number,
  grad: Backward,
): void {
  const list = (name: string) => params[name] as number[];
  const start = list('EXPERT_START')[i];
  const { z } = tokens[i][t];
  z.forEach((part, k) => {
    const at = list('GRAM_OFFSET')[start + k];
    part.forEach((a, m) => {
      part.forEach((b, n) => {
        out.gramGrad[at + m * part.length + n] += grad.dn[k] * a * b;
      });
    });
    out.geometryGrad[list('PARAM_OFFSET')[start + k]] += grad.dtheta[k];
    if (adapters[i].learnScale) out.geometryGrad[list('PARAM_OFFSET')[start + k] + 16] += grad.dlogSigma[k];
  });
  if (adapters[i].router !== 'rank') return;
  const stacked = z.flat();
  grad.dlogits.forEach((d, k) => {
    stacked.forEach((v, j) => {
      out.geometryGrad[list('ROUTER_OFFSET')[i] + k * stacked.length + j] += d * v;
    });
  });
}
