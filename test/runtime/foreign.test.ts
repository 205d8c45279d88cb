/**
 * Adapters in an engine that is not ours: a plain transformer in JavaScript, which owns its weights, its GPU buffers and
 * its command encoders, gets Δy of every adapted module through the public entry, and ends with the logits of our own
 * program of the whole model. The sequences of the batch have different adapters.
 */
import { describe, expect } from 'bun:test';
import { compileAdapters } from '../../compiler/adapter.ts';
import type { LinearShape } from '../../compiler/plan/model.ts';
import {
  type Adapters,
  EVALUATION,
  load,
  namedParameters,
  pack,
  parametersFrom,
  refresh,
  switchRows,
  symbolsOf,
  writeBatch,
} from '../../src/runtime.ts';
import { gpu, gpuTest, relativeError } from '../gpu/harness.ts';
import {
  openSmall,
  programOf,
  randomParameters,
  SMALL,
  sequences,
  VOCABULARY,
  weightsOf,
} from '../run/small.ts';

const ADAPTERS = {
  adapters: `
adapter q_proj, v_proj, o_proj < rank: 4; experts: hyperbolic(c=learn(init=0.5)), sphere(c=learn, map=exp), euclid; router: top2 >
adapter math: q_proj, down_proj < rank: 3; experts: kappa(k=learn(init=0.3), scale=learn) * 2; router: soft >`,
};
/** Which adapters each sequence has. */
const ROWS = [['default'], ['math'], ['default', 'math'], []];
const LENGTHS = [7, 5, 9, 4];

type Rows = Float64Array[];
/** What the adapters add to the output of a layer for these inputs. */
type Delta = (module: string, x: Rows, out: number) => Promise<Rows>;

const weights = weightsOf(SMALL);
const weight = (name: string): ArrayLike<number> => weights.get(name)!;
const dot = (a: ArrayLike<number>, b: ArrayLike<number>, from: number, count: number): number => {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += a[i] * b[from + i];
  return sum;
};

function norm(x: Float64Array, scale: ArrayLike<number>): Float64Array {
  const inverse = 1 / Math.sqrt(dot(x, x, 0, x.length) / x.length + SMALL.normEpsilon);
  return x.map((v, i) => v * inverse * scale[i]);
}

async function linear({ path, out, bias }: LinearShape, x: Rows, delta: Delta): Promise<Rows> {
  const w = weight(`${path}.weight`);
  const b = bias ? weight(`${path}.bias`) : undefined;
  const extra = await delta(path, x, out);
  return x.map((row, t) =>
    Float64Array.from(
      { length: out },
      (_, o) => dot(row, w, o * row.length, row.length) + (b?.[o] ?? 0) + extra[t][o],
    ),
  );
}

/** One head of a row: norm of heads, then RoPE with rotated halves. */
function head(row: Float64Array, index: number, scale: string | undefined, position: number): Float64Array {
  const size = SMALL.headSize;
  const half = size / 2;
  const slice = row.slice(index * size, (index + 1) * size);
  const v = scale ? norm(slice, weight(scale)) : slice;
  return v.map((_, i) => {
    const angle = position * SMALL.ropeFrequencies[i % half];
    const other = i < half ? -v[i + half] : v[i - half];
    return v[i] * Math.cos(angle) + other * Math.sin(angle);
  });
}

/** Logits of every token, f64. */
async function transformer(samples: { ids: Int32Array }[], delta: Delta): Promise<Rows> {
  const { hidden, headSize, heads, keyValueHeads } = SMALL;
  const tokens = samples.flatMap(({ ids }) => Array.from(ids, (id, position) => ({ id, position })));
  const table = weight(SMALL.embedding);
  let x: Rows = tokens.map(({ id }) =>
    Float64Array.from({ length: hidden }, (_, i) => table[id * hidden + i]),
  );
  const add = (a: Rows, b: Rows): Rows => a.map((row, t) => row.map((v, i) => v + b[t][i]));
  for (const layer of SMALL.layers) {
    const h = x.map(row => norm(row, weight(layer.inputNorm)));
    const [q, k, v] = [
      await linear(layer.q, h, delta),
      await linear(layer.k, h, delta),
      await linear(layer.v, h, delta),
    ];
    const mixed = tokens.map(({ position }, t) => {
      const out = new Float64Array(heads * headSize);
      for (let n = 0; n < heads; n++) {
        const group = Math.floor(n / (heads / keyValueHeads));
        const query = head(q[t], n, layer.qNorm, position);
        const scores = Array.from(
          { length: position + 1 },
          (_, s) =>
            dot(query, head(k[t - position + s], group, layer.kNorm, s), 0, headSize) / Math.sqrt(headSize),
        );
        const most = Math.max(...scores);
        const total = scores.reduce((sum, s) => sum + Math.exp(s - most), 0);
        scores.forEach((score, s) => {
          const share = Math.exp(score - most) / total;
          for (let i = 0; i < headSize; i++)
            out[n * headSize + i] += share * v[t - position + s][group * headSize + i];
        });
      }
      return out;
    });
    x = add(x, await linear(layer.o, mixed, delta));
    const h2 = x.map(row => norm(row, weight(layer.postAttentionNorm)));
    const gate = await linear(layer.gate, h2, delta);
    const up = await linear(layer.up, h2, delta);
    const inner = gate.map((row, t) => row.map((g, i) => (g / (1 + Math.exp(-g))) * up[t][i]));
    x = add(x, await linear(layer.down, inner, delta));
  }
  const last = x.map(row => norm(row, weight(SMALL.finalNorm)));
  return last.map(row =>
    Float64Array.from({ length: VOCABULARY }, (_, o) => dot(row, weight(SMALL.head), o * hidden, hidden)),
  );
}

/** Runs one module's adapter on buffers and in an encoder of this engine. */
function deltaOf(adapters: Adapters, device: GPUDevice): Delta {
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  return async (module, rows, out) => {
    if (!adapters.modules.includes(module)) return rows.map(() => new Float64Array(out));
    const { x, y } = adapters.port(module);
    const input = new Float32Array(rows.length * x.ld);
    rows.forEach((row, t) => {
      input.set(row, t * x.ld);
    });
    const size = rows.length * y.ld * 4;
    // Behind 256 bytes of something else, as in an engine that cuts its buffers from larger ones.
    const from = device.createBuffer({ size: 256 + input.byteLength, usage: STORAGE | COPY_DST });
    const to = device.createBuffer({ size, usage: STORAGE | COPY_SRC });
    const back = device.createBuffer({ size, usage: MAP_READ | COPY_DST });
    device.queue.writeBuffer(from, 256, input);
    const forward = await adapters.forward(module, { x: { buffer: from, offset: 256 }, y: to });
    const encoder = device.createCommandEncoder();
    forward(encoder);
    encoder.copyBufferToBuffer(to, 0, back, 0, size);
    device.queue.submit([encoder.finish()]);
    await back.mapAsync(GPUMapMode.READ);
    const got = new Float32Array(back.getMappedRange().slice(0));
    for (const buffer of [from, to, back]) buffer.destroy();
    return rows.map((_, t) => Float64Array.from(got.subarray(t * y.ld, t * y.ld + out)));
  };
}

describe('a foreign transformer with our adapters', () => {
  gpuTest('has the logits of our own program, each sequence with adapters of its own', async () => {
    const whole = await openSmall(ADAPTERS, { logits: true });
    const samples = sequences(5, LENGTHS);
    const batch = pack(samples);
    const parameters = randomParameters(whole.plan, 3);
    whole.session.start(parameters);
    switchRows(whole.executor, ROWS);
    await refresh(whole.executor);
    const everywhere = Uint32Array.from({ length: batch.tokens }, (_, t) => t);
    const all = { ...batch, targets: batch.tokens, targetIndex: everywhere, targetOf: everywhere };
    writeBatch(whole.executor, all);
    await whole.executor.run(['logits'], symbolsOf(all), EVALUATION);
    const ld = whole.plan.generation!.columns;
    const logits = await whole.executor.read('logits', batch.tokens * ld);

    const sizes = { tokens: batch.tokens, rows: ROWS.length };
    const { plan, files } = compileAdapters(programOf(ADAPTERS), SMALL, sizes).compiled!;
    const alone = await load({ plan, files }, gpu!.device);
    const named = namedParameters(whole.plan, parameters);
    const file = { tensors: named, readF32: (name: string) => named.get(name)!.data };
    alone.executor.write('params', parametersFrom(plan, file, 'the whole model'));
    await refresh(alone.executor);
    switchRows(alone.executor, ROWS);
    alone.adapters.batch({ tokens: batch.tokens, row: batch.row });
    const foreign = await transformer(samples, deltaOf(alone.adapters, gpu!.device));
    const none = await transformer(samples, async (_, x, out) => x.map(() => new Float64Array(out)));
    alone.close();

    const flat = (rows: Rows) => rows.flatMap(row => [...row]);
    const ours = everywhere.reduce<number[]>((sum, t) => {
      sum.push(...logits.subarray(t * ld, t * ld + VOCABULARY));
      return sum;
    }, []);
    expect(alone.adapters.modules.length).toBe(8);
    expect(relativeError(flat(foreign), ours)).toBeLessThan(1e-5);
    // The adapters matter, but not to the last sequence, which has none.
    expect(relativeError(flat(none), ours)).toBeGreaterThan(0.05);
    const tail = LENGTHS.at(-1)! * VOCABULARY;
    expect(relativeError(flat(none).slice(-tail), ours.slice(-tail))).toBeLessThan(1e-5);
  });
});
