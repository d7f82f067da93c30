"""The gradients of a mask update, or their Fisher matrix: whichever takes less memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from sparsecbm_core.config import PruneSettings
from sparsecbm_core.errors import SettingsError
from sparsecbm_core.pruning.fisher import FisherSums, inverse_fisher_diagonal
from sparsecbm_core.pruning.scores import criterion

CPU = torch.device("cpu")
BUFFER = 16  # gradients added up at once: one by one the sums would go through memory for each of them


class StoredGradients:
    """m gradients of every concept in bfloat16: 2·m·K·L bytes (5.4 GB at m = 64, K = 4, L = 10.6 M)."""

    def __init__(
        self, sizes: Mapping[str, int], concepts: int, num_grads: int, device: torch.device = CPU
    ) -> None:
        self._values = {
            name: torch.empty(num_grads, concepts, size, dtype=torch.bfloat16, device=device)
            for name, size in sizes.items()
        }
        self.count = 0

    @property
    def values(self) -> dict[str, torch.Tensor]:
        """Matrix → (m, K, O·I), as many as were added."""
        return {name: values[: self.count] for name, values in self._values.items()}

    def add(self, gradients: Mapping[str, torch.Tensor]) -> None:
        """One more gradient: matrix → (K, O·I)."""
        for name, gradient in gradients.items():
            self._values[name][self.count] = gradient
        self.count += 1

    def inverse_diagonal(self, name: str, k: int, block_size: int, damp: float) -> torch.Tensor:
        """diag(F̂⁻¹) of concept k's gradients of one matrix, (O·I,) float64 on the CPU."""
        return inverse_fisher_diagonal(self.values[name][:, k], block_size, damp).cpu()


class SummedGradients:
    """Their Fisher matrix in blocks of B weights: 8·B·K·L bytes and a small buffer, whatever m is."""

    def __init__(
        self, sizes: Mapping[str, int], concepts: int, block_size: int, device: torch.device = CPU
    ) -> None:
        self._sizes, self._concepts = sizes, concepts
        self._sums = {
            name: [FisherSums(size, block_size, device) for _ in range(concepts)]
            for name, size in sizes.items()
        }
        self._buffer = StoredGradients(sizes, concepts, BUFFER, device)

    def add(self, gradients: Mapping[str, torch.Tensor]) -> None:
        self._buffer.add(gradients)
        if self._buffer.count == BUFFER:
            self._flush()

    def inverse_diagonal(self, name: str, k: int, block_size: int, damp: float) -> torch.Tensor:
        self._flush()
        return self._sums[name][k].inverse_diagonal(damp).cpu()

    def _flush(self) -> None:
        if self._buffer.count:
            for name, values in self._buffer.values.items():
                for k, sums in enumerate(self._sums[name]):
                    sums.add(values[:, k])
            self._buffer.count = 0


Gradients = StoredGradients | SummedGradients


def make_store(
    sizes: Mapping[str, int], concepts: int, settings: PruneSettings, device: torch.device = CPU
) -> Gradients:
    """Room for the gradients of one mask update: on the ``device`` that makes them where they fit there, else
    in the machine's memory."""
    block_size = criterion(settings.criterion).block_size(settings)
    stored, summed = _bytes(sum(sizes.values()), concepts, settings.num_grads, block_size)
    place = device if _fits(min(stored, summed), device) else CPU
    if summed < stored:
        return SummedGradients(sizes, concepts, block_size, place)
    return StoredGradients(sizes, concepts, settings.num_grads, place)


def _fits(needed: int, device: torch.device) -> bool:
    """Whether an accelerator has room for ``needed`` bytes, and as many again for what is made of them."""
    return device.type == "cuda" and torch.cuda.mem_get_info(device)[0] > 2 * needed


def check_memory(total: int, concepts: int, settings: PruneSettings, device: torch.device = CPU) -> None:
    """`SettingsError` if the gradients of K × L = ``concepts`` × ``total`` weights do not fit in memory."""
    chosen, available = criterion(settings.criterion), available_memory()
    if not chosen.needs_gradients or available is None:
        return
    needed = min(_bytes(total, concepts, settings.num_grads, chosen.block_size(settings)))
    if needed > available and not _fits(needed, device):
        raise SettingsError(
            f"{settings.num_grads} gradients of {concepts} × {total:,} weights in blocks of "
            f"{settings.block_size} need {needed / 1e9:.1f} GB of memory, and {available / 1e9:.1f} GB are "
            "free; lower num_grads or block_size, or take criterion magnitude"
        )


def _bytes(total: int, concepts: int, num_grads: int, block_size: int) -> tuple[int, int]:
    """Of the gradients, and of their sums in blocks."""
    weights = concepts * total
    return 2 * num_grads * weights, (8 * block_size + 2 * BUFFER) * weights


def available_memory() -> int | None:
    """Bytes that can be had without swapping; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    values = dict(line.split(":", 1) for line in lines)
    return int(values["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in values else None
