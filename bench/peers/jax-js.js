/**
 * jax-js as a peer of the benchmarks, under Deno's own WebGPU: matrix products, and LoRA training steps of a Qwen2-shaped
 * model by its automatic differentiation, everything in one `jit`. Same protocol as eager.py: a JSON request per line.
 *
 * jax-js counts references: a function consumes its arguments unless `.ref` is written, and inside `jit` a reference too
 * many costs nothing at run time.
 */
import * as jax from '@jax-js/jax';

const { numpy: np, nn } = jax;
const models = new Map();
const matrices = new Map();

/** Every tensor of a safetensors file, which must be f32, as [shape, data]. */
function readTensors(path) {
  const bytes = Deno.readFileSync(path);
  const size = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + size)));
  const tensors = new Map();
  for (const [name, { dtype, shape, data_offsets: [from, to] = [] }] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    if (dtype !== 'F32') throw new Error(`${name} is ${dtype}`);
    tensors.set(name, { shape, data: new Float32Array(bytes.slice(8 + size + from, 8 + size + to).buffer) });
  }
  return tensors;
}

const asArray = ({ shape, data }) => np.array(data).reshape(shape);
const asArrays = tensors => Object.fromEntries([...tensors].map(([name, t]) => [name, asArray(t)]));

/** Cross-entropy of the next token over rows of equal length; `lora`: A and B of every adapted layer, `w`: frozen. */
function lossOf({ shape, scale }, lora, w, tables, ids, labels, [rows, length]) {
  const heads = (x, count) => x.reshape([rows, length, count, shape.headSize]);
  const norm = (x, name) => {
    const meanSquare = np.mean(np.square(x.ref), -1, { keepdims: true });
    return x.mul(np.reciprocal(np.sqrt(meanSquare.add(shape.normEpsilon)))).mul(w[name].ref);
  };
  const linear = (x, module) => {
    const product = (a, b) => np.matmul(a, np.transpose(b));
    const low = product(product(x.ref, lora[`${module}.experts.0.A`].ref), lora[`${module}.experts.0.B`].ref);
    const y = product(x, w[`${module}.weight`].ref).add(low.mul(scale));
    const bias = w[`${module}.bias`];
    return bias ? y.add(bias.ref) : y;
  };
  const rotate = x => {
    const [first, second] = np.split(x.ref, 2, -1);
    const turned = np.concatenate([second.neg(), first], -1);
    return x.mul(tables.cos.ref).add(turned.mul(tables.sin.ref));
  };
  let x = np.take(w['model.embed_tokens.weight'].ref, ids, 0);
  for (let layer = 0; layer < shape.layers; layer++) {
    const at = `model.layers.${layer}`;
    const h = norm(x.ref, `${at}.input_layernorm.weight`);
    const q = rotate(heads(linear(h.ref, `${at}.self_attn.q_proj`), shape.heads));
    const k = rotate(heads(linear(h.ref, `${at}.self_attn.k_proj`), shape.keyValueHeads));
    const v = heads(linear(h, `${at}.self_attn.v_proj`), shape.keyValueHeads);
    const o = nn.dotProductAttention(q, k, v, { isCausal: true });
    x = x.add(linear(o.reshape([rows * length, shape.heads * shape.headSize]), `${at}.self_attn.o_proj`));
    const g = norm(x.ref, `${at}.post_attention_layernorm.weight`);
    const gated = nn.silu(linear(g.ref, `${at}.mlp.gate_proj`)).mul(linear(g, `${at}.mlp.up_proj`));
    x = x.add(linear(gated, `${at}.mlp.down_proj`));
  }
  const last = norm(x, 'model.norm.weight');
  const logits = np.matmul(last, np.transpose(w['model.embed_tokens.weight'].ref));
  const picked = nn.oneHot(labels, shape.vocabulary).mul(nn.logSoftmax(logits, -1)).sum(-1);
  // the last token of a row predicts nothing
  const predicted = picked.reshape([rows, length]).mul(
    np
      .arange(length)
      .less(length - 1)
      .astype(np.float32),
  );
  return predicted.sum().mul(-1 / (rows * (length - 1)));
}

/** AdamW (no decay) on gradients clipped to norm 1; `state`: {lora, m, v}; `t`: [lr/(1 − β₁ᵗ), 1/(1 − β₂ᵗ)]. */
function update(state, gradients, t) {
  const norm = np.sqrt(
    Object.values(gradients)
      .map(g => np.square(g.ref).sum())
      .reduce((a, b) => a.add(b)),
  );
  const clip = np.minimum(np.reciprocal(norm.ref.add(1e-6)), 1);
  const [rate, second] = [t.ref.slice(0), t.slice(1)];
  const next = { lora: {}, m: {}, v: {} };
  for (const [name, gradient] of Object.entries(gradients)) {
    const g = gradient.mul(clip.ref);
    const m = state.m[name].mul(0.9).add(g.ref.mul(0.1));
    const v = state.v[name].mul(0.999).add(np.square(g).mul(0.001));
    const root = np.sqrt(v.ref.mul(second.ref)).add(1e-8);
    next.lora[name] = state.lora[name].sub(m.ref.mul(rate.ref).div(root));
    next.m[name] = m;
    next.v[name] = v;
  }
  return { next, norm };
}

const tasks = {
  /** y = x·Wᵀ, or x·W where `transposed`; milliseconds of one product. */
  async gemm({ rows, in: sizeIn, out, repeat, transposed }) {
    const key = [rows, sizeIn, out, transposed].join();
    if (!matrices.has(key)) {
      const random = (a, b) => jax.random.uniform(jax.random.key(a + b), [a, b]);
      const product = jax.jit((a, b) => np.matmul(a, transposed ? b : np.transpose(b)));
      matrices.set(key, { x: random(rows, transposed ? out : sizeIn), w: random(out, sizeIn), product });
    }
    const { x, w, product } = matrices.get(key);
    const run = async count => {
      const results = Array.from({ length: count }, () => product(x.ref, w.ref));
      await jax.blockUntilReady(results);
      for (const y of results) y.dispose();
    };
    await run(1);
    const started = performance.now();
    await run(repeat);
    return { ms: (performance.now() - started) / repeat };
  },

  /** Builds a model under `id`: `weights` and `parameters` are safetensors files, `rows` × `length` tokens a step. */
  async model({ id, shape, scale, weights, parameters, rows, length, lr }) {
    const half = shape.ropeFrequencies;
    const table = f =>
      np
        .array(
          Float32Array.from({ length: length * 2 * half.length }, (_, i) =>
            f(Math.floor(i / (2 * half.length)) * half[i % half.length]),
          ),
        )
        .reshape([1, length, 1, 2 * half.length]);
    const lora = readTensors(parameters);
    const zeros = () =>
      asArrays(
        new Map([...lora].map(([n, t]) => [n, { shape: t.shape, data: new Float32Array(t.data.length) }])),
      );
    const wanted = readTensors(weights);
    const made = {
      w: asArrays(wanted),
      tables: { cos: table(Math.cos), sin: table(Math.sin) },
      state: { lora: asArrays(lora), m: zeros(), v: zeros() },
      steps: 0,
      lr,
      run: jax.jit((state, w, tables, ids, labels, t) => {
        const loss = given => lossOf({ shape, scale }, given, w, tables, ids, labels, [rows, length]);
        const [value, gradients] = jax.valueAndGrad(loss)(jax.tree.ref(state.lora));
        return { value, ...update(state, gradients, t) };
      }),
    };
    models.set(id, made);
    return { parameters: [...lora.values()].reduce((sum, t) => sum + t.data.length, 0) };
  },

  async step({ id, ids }) {
    const model = models.get(id);
    const { lr } = model;
    const integers = list => np.array(Int32Array.from(list), { dtype: np.int32 });
    const t = ++model.steps;
    const rates = Float32Array.from([lr / (1 - 0.9 ** t), 1 / (1 - 0.999 ** t)]);
    const started = performance.now();
    const { value, next, norm } = model.run(
      model.state,
      jax.tree.ref(model.w),
      jax.tree.ref(model.tables),
      integers(ids.flat()),
      integers(ids.flatMap(row => [...row.slice(1), 0])),
      np.array(rates),
    );
    model.state = next;
    await jax.blockUntilReady(jax.tree.ref(next));
    const [[loss], [size]] = [await value.data(), await norm.data()];
    return { ms: performance.now() - started, loss, norm: size };
  },

  async forget({ id }) {
    const model = models.get(id);
    models.delete(id);
    for (const { x, w } of matrices.values()) for (const matrix of [x, w]) matrix.dispose();
    matrices.clear();
    if (model) for (const part of [model.w, model.tables, model.state]) jax.tree.dispose(part);
    return {};
  },
};

const answer = value => console.log(JSON.stringify(value));
await jax.init('webgpu');
jax.defaultDevice('webgpu');
const { adapterInfo } = jax.getWebGPUDevice();
answer({
  peer: 'jax-js',
  version: Deno.args[0],
  device: adapterInfo?.device || adapterInfo?.description || 'WebGPU',
});

let rest = '';
for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop();
  for (const line of lines) {
    const request = JSON.parse(line);
    // the benchmark goes on without this figure and says why
    answer(await tasks[request.do](request).catch(error => ({ error: String(error) })));
  }
}
