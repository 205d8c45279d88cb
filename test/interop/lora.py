"""LoRA trained by peft in double precision, from an initial adapter that both sides read.

train FOLDER: writes FOLDER/lora/{initial,final}/ and FOLDER/lora.json (batches, losses).
check FOLDER: logits of the adapter that mos trained and exported, in peft, beside those of mos.
"""

import json
import math
import pathlib
import random

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

MODEL = "llama"
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SETTINGS = dict(rank=4, alpha=6, steps=20, lr=1e-2, warmup=4, floor=0.1, beta1=0.9, beta2=0.98, eps=1e-8, weight_decay=0.02, clip=0.5)


def base(folder: pathlib.Path, dtype: torch.dtype):
    return AutoModelForCausalLM.from_pretrained(folder / "models" / MODEL, dtype=dtype, attn_implementation="eager")


def factor(step: int) -> float:
    """Linear to 1 over the warm-up, then a cosine to the floor; as in mos, the first step is not lost."""
    warmup, steps, floor = SETTINGS["warmup"], SETTINGS["steps"], SETTINGS["floor"]
    if step < warmup:
        return (step + 1) / warmup
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def batches(vocabulary: int) -> list[list[dict]]:
    """Four batches, again and again: sequences of different lengths, of which the loss leaves out the first few tokens."""
    draw = random.Random(5)
    row = lambda length: dict(ids=[draw.randrange(vocabulary) for _ in range(length)], masked=draw.randint(0, 4))
    four = [[row(draw.randint(6, 24)) for _ in range(3)] for _ in range(4)]
    return [four[step % 4] for step in range(SETTINGS["steps"])]


def padded(batch: list[dict]) -> dict:
    longest = max(len(row["ids"]) for row in batch)
    fill = lambda values, value: values + [value] * (longest - len(values))
    labels = [[-100] * row["masked"] + row["ids"][row["masked"]:] for row in batch]
    return dict(
        input_ids=torch.tensor([fill(row["ids"], 0) for row in batch]),
        attention_mask=torch.tensor([fill([1] * len(row["ids"]), 0) for row in batch]),
        labels=torch.tensor([fill(row, -100) for row in labels]),
    )


def train(folder: pathlib.Path) -> None:
    torch.manual_seed(1)
    config = LoraConfig(r=SETTINGS["rank"], lora_alpha=SETTINGS["alpha"], target_modules=TARGETS, task_type="CAUSAL_LM")
    model = get_peft_model(base(folder, torch.float32), config)
    model.save_pretrained(folder / "lora" / "initial")
    model.double()
    trained = [p for p in model.parameters() if p.requires_grad]
    s = SETTINGS
    optimizer = torch.optim.AdamW(trained, lr=s["lr"], betas=(s["beta1"], s["beta2"]), eps=s["eps"], weight_decay=s["weight_decay"])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    data, losses, norms = batches(model.config.vocab_size), [], []
    for batch in data:
        loss = model(**padded(batch)).loss
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(trained, s["clip"]).item())
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.save_pretrained(folder / "lora" / "final")
    written = dict(model=MODEL, targets=TARGETS, settings=SETTINGS, batches=data, losses=losses, norms=norms)
    (folder / "lora.json").write_text(json.dumps(written))


def check(folder: pathlib.Path) -> bool:
    model = PeftModel.from_pretrained(base(folder, torch.float64), folder / "lora" / "ours", autocast_adapter_dtype=False).double().eval()
    ours = load_file(folder / "lora" / "logits.safetensors")["logits"].double()
    written = json.loads((folder / "lora.json").read_text())
    with torch.no_grad():
        theirs = torch.cat([model(input_ids=torch.tensor([row["ids"]])).logits[0] for row in written["batches"][0]])
        with model.disable_adapter():
            bare = torch.cat([model(input_ids=torch.tensor([row["ids"]])).logits[0] for row in written["batches"][0]])
    error = ((ours - theirs).norm() / theirs.norm()).item()
    moved = ((bare - theirs).norm() / theirs.norm()).item()
    holds = error < 1e-5 < 1e-1 < moved
    print(f"{'ok  ' if holds else 'FAIL'} exported adapter in peft: logits {error:.1e} apart, at most 1e-5 (base alone: {moved:.1e})")
    return holds
