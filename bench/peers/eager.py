"""PyTorch eager as a peer of the benchmarks: matrix products, and whole training steps of a Qwen2-shaped model with LoRA
through peft, or with LoRA or a mixture of spaces written as one would write it, on d-dimensional vectors.

Reads one JSON request per line on stdin and answers each with one on stdout, so that the benchmark can interleave its own
measurements. On CUDA where there is one, else on the processor.

The mixture follows the definition of the adapter (lift, B A, drop, gates), not the rank-space algebra of the compiler: it
is an independent implementation, which the benchmark of agreement relies on.
"""

import json
import math
import sys
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
models, matrices = {}, {}


def wait():
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def lift(v, k, how):
    """v [T, d] on the tangent space at the origin to the space component of a point."""
    q = (v * v).sum(-1, keepdim=True)
    if how == "stereo":
        return v / torch.clamp(1 + k * q / 4, min=0.1)
    t = torch.sqrt(k.abs()) * torch.sqrt(q.clamp_min(1e-30))
    curved = torch.where(k < 0, torch.sinh(t.clamp(max=10)), torch.sin(t.clamp(max=math.pi / 2)))
    return v * curved / t


def drop(u, k, how):
    """u [T, d], the space component of a point, to the tangent space at the origin."""
    m = (u * u).sum(-1, keepdim=True)
    if how == "stereo":
        return u * 2 / (1 + torch.sqrt(torch.clamp(1 - k * m, min=0.01)))
    t = torch.sqrt(k.abs()) * torch.sqrt(m.clamp_min(1e-30))
    return u * torch.where(k < 0, torch.asinh(t), torch.asin(t.clamp(max=0.999))) / t


class Adapter:
    """One adapted linear layer. `experts`: [{space, map, rank, scale}]; tensors are named as in adapter files."""

    def __init__(self, module, spec, size_in, size_out, tensors, dtype):
        self.experts, self.top, self.aux = spec["experts"], spec["top"], spec["aux"]
        self.sigma = math.sqrt(size_in)

        def tensor(name, start):
            key = f"{module}.{name}"
            value = (tensors[key] if tensors else start()).to(DEVICE, dtype).requires_grad_()
            parameters[key] = value
            return value

        parameters = {}
        bound = 1 / math.sqrt(size_in)
        uniform = lambda rank: (torch.rand(rank, size_in) * 2 - 1) * bound
        self.A = [tensor(f"experts.{e}.A", lambda: uniform(x["rank"])) for e, x in enumerate(self.experts)]
        self.B = [tensor(f"experts.{e}.B", lambda: torch.zeros(size_out, x["rank"])) for e, x in enumerate(self.experts)]
        self.theta = [
            tensor(f"experts.{e}.curvature", lambda: torch.full((), math.log(0.1))) if x["space"] != "euclid" else None
            for e, x in enumerate(self.experts)
        ]
        routed = len(self.experts) > 1
        self.R = tensor("router", lambda: torch.randn(len(self.experts), size_in) * 0.02) if routed else None
        self.parameters = parameters
        self.balance = None

    def __call__(self, x):
        if self.R is None:
            return self.experts[0]["scale"] * (x @ self.A[0].T @ self.B[0].T)
        probs = (x @ self.R.T).softmax(-1)
        values, kept = probs.topk(self.top, dim=-1)
        gates = torch.zeros_like(probs).scatter(-1, kept, values / values.sum(-1, keepdim=True))
        count = len(self.experts)
        share = torch.zeros_like(probs).scatter(-1, kept, 1.0).mean(0) / self.top
        self.balance = self.aux * count * (share * probs.mean(0)).sum()
        out = 0
        for e, expert in enumerate(self.experts):
            if expert["space"] == "euclid":
                y = x @ self.A[e].T @ self.B[e].T
            else:
                k = torch.exp(self.theta[e].reshape(())) * (-1 if expert["space"] == "hyperbolic" else 1)
                point = lift(x / self.sigma, k, expert["map"]) @ self.A[e].T @ self.B[e].T
                y = self.sigma * drop(point, k, expert["map"])
            out = out + expert["scale"] * gates[:, e : e + 1] * y
        return out


class Model:
    """Qwen2 as published: grouped-query attention, RMS norms, SwiGLU, rotary embedding. Frozen but for its adapters."""

    def __init__(self, shape, adapter, weights, tensors, dtype):
        self.s, self.adapters = shape, {}
        hidden, inner, head = shape["hidden"], shape["intermediate"], shape["headSize"]
        width, kv = shape["heads"] * head, shape["keyValueHeads"] * head
        sizes = {
            "self_attn.q_proj": (width, hidden), "self_attn.k_proj": (kv, hidden), "self_attn.v_proj": (kv, hidden),
            "self_attn.o_proj": (hidden, width), "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden),
            "mlp.down_proj": (hidden, inner),
        }
        names = {"model.embed_tokens.weight": (shape["vocabulary"], hidden), "model.norm.weight": (hidden,)}
        for layer in range(shape["layers"]):
            at = f"model.layers.{layer}"
            names |= {f"{at}.input_layernorm.weight": (hidden,), f"{at}.post_attention_layernorm.weight": (hidden,)}
            for module, (out, size) in sizes.items():
                names[f"{at}.{module}.weight"] = (out, size)
                if module[10:] in ("q_proj", "k_proj", "v_proj"):
                    names[f"{at}.{module}.bias"] = (out,)
                if adapter:
                    self.adapters[f"{at}.{module}"] = Adapter(f"{at}.{module}", adapter, size, out, tensors, dtype)
        random = lambda size: torch.randn(*size) / math.sqrt(size[-1]) if len(size) > 1 else torch.ones(size)
        self.w = {n: (weights[n] if weights else random(size)).to(DEVICE, dtype) for n, size in names.items()}
        self.frequencies = torch.tensor(shape["ropeFrequencies"], dtype=torch.float64, device=DEVICE)

    def parameters(self):
        return {n: p for a in self.adapters.values() for n, p in a.parameters.items()}

    def norm(self, x, name):
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.s["normEpsilon"])).to(x.dtype) * self.w[name]

    def linear(self, x, module):
        y = F.linear(x, self.w[f"{module}.weight"], self.w.get(f"{module}.bias"))
        adapter = self.adapters.get(module)
        return y if adapter is None else y + adapter(x)

    def rotate(self, x, cos, sin):
        first, second = x.chunk(2, -1)
        return x * cos + torch.cat((-second, first), -1) * sin

    def loss(self, ids):
        """Cross-entropy of the next token over sequences of equal length, ids [rows, T]; and the balance loss."""
        rows, length = ids.shape
        s, heads = self.s, lambda x: x.view(rows, length, -1, self.s["headSize"]).transpose(1, 2)
        x = self.w["model.embed_tokens.weight"][ids].view(rows * length, -1)
        angle = torch.outer(torch.arange(length, device=DEVICE, dtype=torch.float64), self.frequencies)
        cos, sin = (torch.cat((f(angle), f(angle)), -1).to(x.dtype) for f in (torch.cos, torch.sin))
        for layer in range(s["layers"]):
            at = f"model.layers.{layer}"
            h = self.norm(x, f"{at}.input_layernorm.weight")
            q, k, v = (heads(self.linear(h, f"{at}.self_attn.{n}_proj")) for n in "qkv")
            q, k = self.rotate(q, cos, sin), self.rotate(k, cos, sin)
            k, v = (t.repeat_interleave(s["heads"] // s["keyValueHeads"], dim=1) for t in (k, v))
            o = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(rows * length, -1)
            x = x + self.linear(o, f"{at}.self_attn.o_proj")
            h = self.norm(x, f"{at}.post_attention_layernorm.weight")
            up = self.linear(h, f"{at}.mlp.up_proj")
            x = x + self.linear(F.silu(self.linear(h, f"{at}.mlp.gate_proj")) * up, f"{at}.mlp.down_proj")
        x = self.norm(x, "model.norm.weight").view(rows, length, -1)[:, :-1]
        logits = F.linear(x.reshape(rows * (length - 1), -1), self.w["model.embed_tokens.weight"])
        balance = sum(a.balance for a in self.adapters.values() if a.balance is not None)
        return F.cross_entropy(logits.float(), ids[:, 1:].reshape(-1)), balance


class Peft:
    """transformers' Qwen2 with peft's LoRA on all seven linear layers: what most people run."""

    def __init__(self, shape, rank, dtype):
        import peft
        import transformers

        config = transformers.Qwen2Config(
            vocab_size=shape["vocabulary"], hidden_size=shape["hidden"], intermediate_size=shape["intermediate"],
            num_hidden_layers=shape["layers"], num_attention_heads=shape["heads"],
            num_key_value_heads=shape["keyValueHeads"], tie_word_embeddings=True,
        )
        targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
        base = transformers.Qwen2ForCausalLM(config).to(DEVICE, dtype)
        self.model = peft.get_peft_model(base, peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets))

    def parameters(self):
        return {n: p for n, p in self.model.named_parameters() if p.requires_grad}

    def loss(self, ids):
        return self.model(input_ids=ids, labels=ids, use_cache=False).loss, 0


def gemm(request):
    """y = x·Wᵀ, or x·W where `transposed`; milliseconds of one product."""
    rows, size_in, size_out, dtype = request["rows"], request["in"], request["out"], DTYPES[request["dtype"]]
    transposed = request.get("transposed", False)
    key = (rows, size_in, size_out, dtype, transposed)
    if key not in matrices:
        shapes = (rows, size_out if transposed else size_in), (size_out, size_in)
        matrices[key] = [torch.randn(*shape, device=DEVICE, dtype=dtype) for shape in shapes]
    x, w = matrices[key]
    run = (lambda: x @ w) if transposed else (lambda: x @ w.T)
    run()
    wait()
    start = time.perf_counter()
    for _ in range(request["repeat"]):
        run()
    wait()
    return {"ms": 1e3 * (time.perf_counter() - start) / request["repeat"]}


def model(request):
    """Builds a model under `id`. `groups`: [{names, lr, weightDecay, beta1, beta2, eps}] of the optimiser."""
    torch.manual_seed(0)
    dtype = DTYPES[request.get("dtype", "f32")]
    read = lambda name: load_file(request[name]) if request.get(name) else None
    if "peft" in request:
        made = Peft(request["shape"], request["peft"], dtype)
    else:
        made = Model(request["shape"], request["adapter"], read("weights"), read("parameters"), dtype)
    parameters = made.parameters()
    groups = request.get("groups") or [{"names": list(parameters), "lr": 1e-3, "weightDecay": 0, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}]
    optimizer = torch.optim.AdamW([
        dict(params=[parameters[n] for n in g["names"]], lr=g["lr"], weight_decay=g["weightDecay"],
             betas=(g["beta1"], g["beta2"]), eps=g["eps"])
        for g in groups if g["names"]
    ])
    models[request["id"]] = (made, parameters, optimizer)
    return {"parameters": sum(p.numel() for p in parameters.values())}


def step(request):
    """One optimiser step on `ids` [rows, T], gradients clipped to norm 1; `gradients`: where to write them, unclipped."""
    made, parameters, optimizer = models[request["id"]]
    ids = torch.tensor(request["ids"], device=DEVICE)
    wait()
    start = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    loss, balance = made.loss(ids)
    (loss + balance).backward()
    if "gradients" in request:
        save_file({n: p.grad.contiguous() for n, p in parameters.items()}, request["gradients"])
    norm = torch.nn.utils.clip_grad_norm_(list(parameters.values()), 1.0)
    optimizer.step()
    loss, norm = loss.item(), norm.item()
    return {"ms": 1e3 * (time.perf_counter() - start), "loss": loss, "balance": float(torch.as_tensor(balance)), "norm": norm}


def memory(_):
    """Bytes on the device: allocated and reserved at their peaks; zero on the processor."""
    if DEVICE.type != "cuda":
        return {"allocated": 0, "reserved": 0}
    return {"allocated": torch.cuda.max_memory_allocated(), "reserved": torch.cuda.max_memory_reserved()}


def forget(request):
    models.pop(request["id"], None)
    matrices.clear()
    if DEVICE.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return {}


def answer(value):
    print(json.dumps(value), flush=True)


device = torch.cuda.get_device_name() if DEVICE.type == "cuda" else f"processor, {torch.get_num_threads()} threads"
answer({"peer": "PyTorch eager", "version": torch.__version__, "device": device})
TASKS = {"gemm": gemm, "model": model, "step": step, "memory": memory, "forget": forget}
for line in sys.stdin:
    request = json.loads(line)
    try:
        answer(TASKS[request["do"]](request))
    except Exception as error:  # the benchmark goes on without this figure and says why
        answer({"error": f"{type(error).__name__}: {error}"})
