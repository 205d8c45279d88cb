/** config.json: right shapes for what is supported, a named fault for what is not. */
import { describe, expect, test } from 'bun:test';
import { parseConfig } from '../../src/model/config.ts';
import { LLAMA } from '../configs.ts';
import { faultOf as endOf } from '../fault-of.ts';

const faultOf = (json: unknown): string => endOf(() => parseConfig(json));

describe('shapes', () => {
  test('llama: grouped heads, no bias, separate head', () => {
    const shape = parseConfig(LLAMA);
    expect(shape).toMatchObject({
      family: 'llama',
      heads: 4,
      keyValueHeads: 2,
      headSize: 16,
      normEpsilon: 1e-5,
      head: 'lm_head.weight',
    });
    expect(shape.layers[1]!.k).toEqual({
      path: 'model.layers.1.self_attn.k_proj',
      in: 64,
      out: 32,
      bias: false,
    });
    expect(shape.layers[0]!.qNorm).toBeUndefined();
  });

  test('biases of each family', () => {
    const biases = (change: object) => {
      const { q, k, v, o, gate, up, down } = parseConfig({ ...LLAMA, ...change }).layers[0]!;
      return [q, k, v, o, gate, up, down].map(linear => Number(linear.bias)).join('');
    };
    expect(biases({})).toBe('0000000');
    expect(biases({ attention_bias: true })).toBe('1111000');
    expect(biases({ mlp_bias: true })).toBe('0000111');
    expect(biases({ model_type: 'qwen2' })).toBe('1110000');
    expect(biases({ model_type: 'qwen2', attention_bias: true })).toBe('1110000');
    expect(biases({ model_type: 'qwen3', head_dim: 16 })).toBe('0000000');
    expect(biases({ model_type: 'qwen3', head_dim: 16, attention_bias: true })).toBe('1111000');
    expect(biases({ model_type: 'mistral', attention_bias: true })).toBe('0000000');
  });

  test('qwen3: head norms, head size of its own', () => {
    const shape = parseConfig({ ...LLAMA, model_type: 'qwen3', head_dim: 24, tie_word_embeddings: true });
    expect(shape.layers[0]!.qNorm).toBe('model.layers.0.self_attn.q_norm.weight');
    expect(shape.layers[0]!.o).toMatchObject({ in: 96, out: 64 });
    expect(shape.ropeFrequencies.length).toBe(12);
    expect(shape.head).toBe(shape.embedding);
    expect(parseConfig({ ...LLAMA, model_type: 'qwen3' }).headSize).toBe(128);
  });

  test('mistral is llama', () => {
    expect(parseConfig({ ...LLAMA, model_type: 'mistral', sliding_window: null }).family).toBe('llama');
  });

  test('a context may be as long as a sliding window, up to which it hides nothing', () => {
    const longest = (change: object) => parseConfig({ ...LLAMA, ...change }).maxPositions;
    const qwen = { model_type: 'qwen2', sliding_window: 64 };
    const long = { max_position_embeddings: 8192 };
    expect(longest({ model_type: 'mistral', sliding_window: 64 })).toBe(64);
    expect(longest({ model_type: 'mistral', sliding_window: 512 })).toBe(256);
    expect(longest({ ...long, model_type: 'mistral', sliding_window: null })).toBe(8192);
    expect(longest({ ...long, model_type: 'mistral' })).toBe(4096);
    expect(longest({ ...qwen, use_sliding_window: true, max_window_layers: 1 })).toBe(64);
    expect(longest({ ...qwen, use_sliding_window: true, max_window_layers: 2 })).toBe(256);
    expect(longest({ ...qwen, use_sliding_window: false, max_window_layers: 1 })).toBe(256);
    expect(longest({ ...qwen, layer_types: ['full_attention', 'sliding_attention'] })).toBe(64);
    expect(longest({ sliding_window: 64 })).toBe(256);
  });

  test('gemma 3: norms around each block, two kinds of RoPE, an activation and scales of its own', () => {
    const gemma = {
      ...LLAMA,
      model_type: 'gemma3_text',
      hidden_act: undefined,
      head_dim: 24,
      num_hidden_layers: 12,
    };
    const shape = parseConfig({ ...gemma, sliding_window: 128, query_pre_attn_scalar: 16 });
    expect(shape).toMatchObject({
      family: 'gemma3_text',
      maxPositions: 128,
      activation: 'gelu_tanh',
      embeddingScale: 8,
      attentionScale: 0.25,
      normOffset: 1,
      head: 'model.embed_tokens.weight',
    });
    expect(shape.layers[0]).toMatchObject({
      postAttentionNorm: 'model.layers.0.pre_feedforward_layernorm.weight',
      attentionOutNorm: 'model.layers.0.post_attention_layernorm.weight',
      mlpOutNorm: 'model.layers.0.post_feedforward_layernorm.weight',
      qNorm: 'model.layers.0.self_attn.q_norm.weight',
    });
    const local = shape.layers.map(l => Number(l.ropeFrequencies !== undefined)).join('');
    expect(local).toBe('111110111110');
    expect(shape.ropeFrequencies[6]).toBeCloseTo(1e6 ** -0.5, 12);
    expect(shape.layers[0].ropeFrequencies?.[6]).toBeCloseTo(1e4 ** -0.5, 12);
    // older and newer spellings say the same
    const older = { rope_theta: 5e5, rope_local_base_freq: 2e4, sliding_window_pattern: 3 };
    const newer = {
      rope_parameters: { full_attention: { rope_theta: 5e5 }, sliding_attention: { rope_theta: 2e4 } },
      layer_types: shape.layers.map((_, i) => (i % 3 === 2 ? 'full_attention' : 'sliding_attention')),
    };
    expect(parseConfig({ ...gemma, ...older })).toEqual(parseConfig({ ...gemma, ...newer }));
    expect(faultOf({ ...gemma, final_logit_softcapping: 30 })).toContain('soft-capped logits');
    expect(faultOf({ ...gemma, hidden_activation: 'gelu' })).toContain('the activation `gelu`');
    expect(faultOf({ ...gemma, model_type: 'gemma2' })).toContain('the architecture `gemma2`');
  });
});

describe('rotary embeddings', () => {
  const frequencies = (change: object) => parseConfig({ ...LLAMA, ...change }).ropeFrequencies;

  test('theta from either key', () => {
    expect(frequencies({})[4]).toBeCloseTo(10000 ** -0.5, 12);
    expect(frequencies({ rope_theta: 500000 })[4]).toBeCloseTo(500000 ** -0.5, 12);
    expect(frequencies({ rope_parameters: { rope_type: 'default', rope_theta: 500000 } })[4]).toBeCloseTo(
      500000 ** -0.5,
      12,
    );
  });

  test('linear', () => {
    const plain = frequencies({});
    expect(frequencies({ rope_scaling: { type: 'linear', factor: 4 } })).toEqual(plain.map(f => f / 4));
  });

  test('llama3: short waves kept, long ones stretched, those between in between', () => {
    const scaling = {
      rope_type: 'llama3',
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    };
    const plain = frequencies({});
    for (const key of ['rope_scaling', 'rope_parameters']) {
      const scaled = frequencies({ [key]: scaling });
      plain.forEach((f, i) => {
        const wave = (2 * Math.PI) / f;
        const smooth = (64 / wave - 1) / 3;
        const between = ((1 - smooth) * f) / 8 + smooth * f;
        expect(scaled[i]).toBeCloseTo(wave < 16 ? f : wave > 64 ? f / 8 : between, 14);
      });
    }
  });

  test('other types are named', () => {
    expect(faultOf({ ...LLAMA, rope_scaling: { rope_type: 'yarn', factor: 2 } })).toContain('`yarn`');
    expect(faultOf({ ...LLAMA, rope_scaling: { type: 'dynamic', factor: 2 } })).toContain('`dynamic`');
    expect(faultOf({ ...LLAMA, rope_scaling: { rope_type: 'linear' } })).toContain('needs `factor`');
  });
});

describe('faults', () => {
  const CASES: [change: unknown, text: string][] = [
    [[], 'bad-config'],
    [{ ...LLAMA, model_type: 'gpt2' }, 'unsupported-model: `config.json` has the architecture `gpt2`'],
    [{ ...LLAMA, model_type: undefined }, 'unsupported-model: `config.json` has no `model_type`'],
    [{ ...LLAMA, hidden_size: 0 }, '`hidden_size` must be a whole number from 1 to 131072; it is `0`'],
    [{ ...LLAMA, hidden_size: 1e12 }, '`hidden_size` must be'],
    [{ ...LLAMA, hidden_size: '64' }, 'it is `"64"`'],
    [{ ...LLAMA, hidden_size: 64.5 }, '`hidden_size` must be'],
    [
      { ...LLAMA, vocab_size: undefined },
      '`vocab_size` must be a whole number from 1 to 4194304; it is missing',
    ],
    [{ ...LLAMA, rms_norm_eps: -1 }, '`rms_norm_eps` must be a number above 0'],
    [{ ...LLAMA, rope_scaling: { rope_type: 'linear', factor: 'x' } }, '`rope_scaling.factor` must be'],
    [{ ...LLAMA, num_attention_heads: 3, num_key_value_heads: 3 }, 'cannot be shared by 3 heads'],
    [{ ...LLAMA, num_key_value_heads: 3 }, '4 heads cannot share 3'],
    [{ ...LLAMA, hidden_size: 66, head_dim: 16 }, 'unsupported-shape'],
    [{ ...LLAMA, head_dim: 18 }, 'unsupported-shape'],
    [{ ...LLAMA, hidden_act: 'gelu' }, 'the activation `gelu`'],
    [{ ...LLAMA, quantization_config: { bits: 4 } }, 'quantised'],
    [{ ...LLAMA, partial_rotary_factor: 0.5 }, 'partial_rotary_factor'],
    [{ ...LLAMA, layer_types: ['full_attention', 'chunked_attention'] }, '`chunked_attention`'],
    [JSON.parse(`{"__proto__":{"x":1},"model_type":"llama"}`), '__proto__'],
  ];
  test.each(CASES)('%j', (json, text) => {
    expect(faultOf(json)).toContain(text);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });
});
