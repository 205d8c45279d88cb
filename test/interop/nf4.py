"""NF4 codes of blocks of 64 by the definition of QLoRA (arXiv 2305.14314), and by bitsandbytes where that is installed.

Writes FOLDER/nf4.safetensors: `weights` [rows, columns], `codes` of the same shape.
"""

import pathlib

import numpy as np
import torch
from safetensors.torch import save_file

BLOCK = 64
# Appendix E of the paper
LEVELS = np.array(
    [
        -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
        -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
        0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
    ]
)


def main(folder: pathlib.Path) -> None:
    torch.manual_seed(2)
    weights = torch.randn(96, 320) * torch.logspace(-6, 2, 96)[:, None]
    weights[3, :BLOCK] = 0
    weights[4, 7] = 1000
    blocks = weights.double().numpy().reshape(-1, BLOCK)
    largest = np.abs(blocks).max(axis=1, keepdims=True)
    scaled = np.divide(blocks, largest, out=np.zeros_like(blocks), where=largest > 0)
    codes = np.abs(scaled[..., None] - LEVELS).argmin(axis=-1).reshape(weights.shape)
    save_file({"weights": weights, "codes": torch.tensor(codes, dtype=torch.int32)}, folder / "nf4.safetensors")
    try:
        from bitsandbytes.functional import quantize_4bit
    except ImportError:
        print("bitsandbytes is not installed: NF4 codes are those of the definition alone")
        return
    packed, _ = quantize_4bit(weights, blocksize=BLOCK, quant_type="nf4")
    pairs = packed.flatten().int()
    theirs = torch.stack([pairs >> 4, pairs & 15], dim=1).reshape(weights.shape).numpy()
    print(f"bitsandbytes: {(theirs == codes).sum()} of {codes.size} NF4 codes are those of the definition")
    assert (theirs == codes).all()
