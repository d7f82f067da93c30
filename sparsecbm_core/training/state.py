"""A stopped run's state in one safetensors file, replaced atomically; see `Snapshot` for what is in it."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from sparsecbm_core.errors import CheckpointError, SparseCBMWarning
from sparsecbm_core.files import sync


@dataclass(frozen=True)
class Position:
    """Where a run stands: before ``step`` of ``epoch`` of ``phase``, with what it has seen so far."""

    phase: str
    epoch: int
    step: int
    best_score: float | None
    best_epoch: int | None
    log_bytes: int
    loss_sums: tuple[float, float, int] = (0.0, 0.0, 0)


def save_state(
    path: Path, fingerprint: dict[str, Any], position: Position, tensors: dict[str, torch.Tensor]
) -> None:
    """Write everything a resumed run needs; a kill while writing leaves the previous state intact."""
    metadata = {
        "fingerprint": json.dumps(fingerprint, sort_keys=True),
        "position": json.dumps(asdict(position)),
        "threads": str(torch.get_num_threads()),
    }
    temporary = path.with_suffix(".tmp")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, metadata)
    sync(temporary)
    os.replace(temporary, path)


def load_state(path: Path, fingerprint: dict[str, Any]) -> tuple[Position, dict[str, torch.Tensor]]:
    """Read a state back; refuses one made with other settings or data, or on another kind of device.

    Another number of threads only warns: sums then come in another order, and differ in the last bits.
    """
    try:
        with safe_open(path, framework="pt") as handle:
            metadata = handle.metadata() or {}
            saved = json.loads(metadata["fingerprint"])
            if saved != json.loads(json.dumps(fingerprint)):
                changed = sorted(set(_changed(saved, fingerprint)))
                raise CheckpointError(
                    f"{path} was made with other settings or data ({', '.join(changed)}); "
                    "use the same ones, or another output folder"
                )
            threads = torch.get_num_threads()
            if metadata["threads"] != str(threads):
                warnings.warn(
                    f"the run began with {metadata['threads']} threads and goes on with {threads}: "
                    "its result may differ in the last digits",
                    SparseCBMWarning,
                    stacklevel=2,
                )
            values = json.loads(metadata["position"])
            values["loss_sums"] = tuple(values["loss_sums"])
            names = handle.keys()
            return Position(**values), {name: handle.get_tensor(name) for name in names}
    except (SafetensorError, OSError, AttributeError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is damaged and cannot be resumed from: {error}") from error


def _changed(saved: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """Names of what differs, down to the single setting."""
    for name in {**saved, **now}:
        before, after = saved.get(name), now.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _changed(before, after)
        elif before != after:
            yield name
