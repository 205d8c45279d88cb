/** config.json of base models that tests make plans for: a small one of each kind, and the shapes of Qwen2-1.5B. */

export const LLAMA = {
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 100,
  hidden_act: 'silu',
  rms_norm_eps: 1e-5,
  max_position_embeddings: 256,
};

/** Everything the base operations can do: biases, norms of heads, shared key-value heads, a head of its own, an odd vocabulary. */
export const qwen3Of = (layers: number) => ({
  model_type: 'qwen3',
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: layers,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
  vocab_size: 61,
  attention_bias: true,
  rms_norm_eps: 1e-5,
  max_position_embeddings: 64,
  tie_word_embeddings: false,
});

export const QWEN2 = {
  model_type: 'qwen2',
  hidden_size: 1536,
  intermediate_size: 8960,
  num_hidden_layers: 28,
  num_attention_heads: 12,
  num_key_value_heads: 2,
  vocab_size: 151_936,
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-6,
  rope_theta: 1_000_000,
  tie_word_embeddings: true,
};
