"""Precision of a run."""

from __future__ import annotations

import torch


def pick_precision(setting: str, device: torch.device) -> torch.dtype:
    """float32 or bfloat16; "auto" takes bfloat16 where matrix units multiply it (CPU with AMX, CUDA)."""
    if setting != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[setting]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    has_amx = device.type == "cpu" and getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    return torch.bfloat16 if has_amx else torch.float32
