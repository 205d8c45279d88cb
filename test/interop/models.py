"""Random small models saved by transformers itself, with what it computes from them in double precision.

Writes FOLDER/models/NAME/, laid out for `mos verify FOLDER`, and FOLDER/greedy.json.
"""

import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers import (
    Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM,
)

COMMON = dict(
    vocab_size=203, hidden_size=48, intermediate_size=104, num_hidden_layers=3, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=128, bos_token_id=None, eos_token_id=None, pad_token_id=None,
)
LLAMA3 = dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
GEMMA3 = dict(
    head_dim=16, query_pre_attn_scalar=24, sliding_window=64, layer_types=["sliding_attention", "full_attention", "sliding_attention"],
    rope_parameters=dict(
        full_attention=dict(rope_type="linear", factor=4.0, rope_theta=1e6), sliding_attention=dict(rope_type="default", rope_theta=1e4),
    ),
)
# name: class, configuration, type of the saved weights, largest file of them
MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig(**COMMON, attention_bias=True, mlp_bias=True), torch.float32, "5GB"),
    "llama_rope": (LlamaForCausalLM, LlamaConfig(**COMMON, rope_parameters=dict(LLAMA3, rope_theta=10000.0)), torch.float16, "40KB"),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**COMMON, tie_word_embeddings=True), torch.bfloat16, "40KB"),
    "qwen2_untied": (Qwen2ForCausalLM, Qwen2Config(**COMMON), torch.float16, "5GB"),
    "mistral": (MistralForCausalLM, MistralConfig(**COMMON, sliding_window=None), torch.bfloat16, "5GB"),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**COMMON, head_dim=16), torch.bfloat16, "5GB"),
    "gemma3": (Gemma3ForCausalLM, Gemma3TextConfig(**COMMON, **GEMMA3), torch.bfloat16, "5GB"),
}
PROMPTS = [[5, 9, 2, 77, 31], [1], list(range(20, 43))]
NEW_TOKENS = 12


def main(folder: pathlib.Path) -> None:
    torch.manual_seed(0)
    greedy = {}
    for name, (kind, config, dtype, shard) in MODELS.items():
        model = kind(config)
        for parameter in model.parameters():
            # the default 0.02 would leave logits so flat that nothing in the model mattered
            parameter.data = torch.randn_like(parameter) * (0.15 if parameter.dim() > 1 else 0.1) + (parameter.dim() == 1)
        model.to(dtype)
        home = folder / "models" / name
        model.save_pretrained(home, max_shard_size=shard)
        reference = kind.from_pretrained(home, dtype=torch.float64, attn_implementation="eager").eval()
        ids = torch.randint(0, config.vocab_size, (2, 37))
        with torch.no_grad():
            out = reference(input_ids=ids, labels=ids)
        golden = {"input_ids": ids, "logits": out.logits.contiguous(), "loss": out.loss.reshape(1)}
        save_file(golden, home / "golden.safetensors")
        greedy[name] = [continue_greedily(reference, prompt) for prompt in PROMPTS]
    (folder / "greedy.json").write_text(json.dumps({"prompts": PROMPTS, "tokens": NEW_TOKENS, "models": greedy}))


def continue_greedily(model: torch.nn.Module, prompt: list[int]) -> list[int]:
    ids = torch.tensor([prompt])
    with torch.no_grad():
        out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW_TOKENS, do_sample=False)
    return out[0, len(prompt):].tolist()

