"""Precision of a run."""

from __future__ import annotations

import torch

_UNITS = ("amx_tile", "avx512_bf16")  # of a CPU, by torch's names


def pick_precision(setting: str, device: torch.device) -> torch.dtype:
    """float32 or bfloat16; "auto" takes bfloat16 where the processor multiplies it itself: CUDA, and a CPU
    with AMX or AVX-512 BF16, on which it was measured 2.5 times as fast."""
    if setting != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[setting]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type != "cpu":
        return torch.float32
    able = (getattr(torch.cpu, f"_is_{unit}_supported", lambda: False)() for unit in _UNITS)
    return torch.bfloat16 if any(able) else torch.float32
