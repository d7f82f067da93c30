"""Where a model runs."""

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
        torch.zeros(1, device=device).item()  # the meta device holds no numbers
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise SettingsError(f"device {name!r} is not usable here: {reason}; try cpu, cuda or mps") from error
    return device


def wait_for(device: torch.device) -> None:
    """Return when the device has done all it was told to: CUDA works on while Python goes ahead."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
