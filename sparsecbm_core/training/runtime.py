"""Device and precision of a run."""

from __future__ import annotations

import torch

from sparsecbm_core.errors import SettingsError


def pick_device(name: str | None = None) -> torch.device:
    """The named device, or the best there is: CUDA, then MPS, then CPU."""
    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise SettingsError(f"device {name!r} is not usable here: {reason}; try cpu, cuda or mps") from error
    return device


def pick_precision(setting: str, device: torch.device) -> torch.dtype:
    """float32 or bfloat16; "auto" takes bfloat16 where matrix units multiply it (CPU with AMX, CUDA)."""
    if setting != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[setting]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    has_amx = device.type == "cpu" and getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    return torch.bfloat16 if has_amx else torch.float32
