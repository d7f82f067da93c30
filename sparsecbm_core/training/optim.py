"""Optimiser groups and learning rates."""

from __future__ import annotations

import torch
from torch import nn

from sparsecbm_core.config import TrainSettings


def build_optimizer(model: nn.Module, settings: TrainSettings, encoder_lr: float) -> torch.optim.AdamW:
    """AdamW with its own rate for encoder, projector ψ and classifier φ; no decay on biases and norms."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if name.startswith("encoder."):
            rate = encoder_lr
        elif name.startswith("projector"):
            rate = settings.projector_lr
        else:  # classifier φ, strengths and the rest, or the standard baseline's head
            rate = settings.classifier_lr if name.startswith("classifier") else settings.projector_lr
        decay = 0.0 if "bias" in name or "norm" in name.lower() else settings.weight_decay
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "peak_lr": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        fused=next(model.parameters()).device.type in ("cpu", "cuda"),
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, step: int, total: int, warmup_share: float) -> None:
    """Linear warm-up, then linear decay to zero over the phase; ``step`` counts from 0."""
    warmup = max(1, round(total * warmup_share))
    factor = (step + 1) / warmup if step < warmup else (total - step) / max(1, total - warmup)
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * max(0.0, factor)
