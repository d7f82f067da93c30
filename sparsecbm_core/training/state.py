"""A stopped run's state in one safetensors file, replaced atomically; see `Snapshot` for what is in it."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Iterator, Mapping
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


class StateFile:
    """The file at ``path`` for runs of one ``fingerprint``; `is_due` once it is older than ``seconds``."""

    def __init__(self, path: Path, fingerprint: Mapping[str, Any], seconds: float) -> None:
        self.path, self._seconds = path, seconds
        self._fingerprint = json.loads(json.dumps(fingerprint, sort_keys=True))
        self._written = time.monotonic()

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._written > self._seconds

    def save(self, position: Position, tensors: Mapping[str, torch.Tensor]) -> None:
        """Write everything a resumed run needs; a kill while writing leaves the previous state intact."""
        metadata = {
            "fingerprint": json.dumps(self._fingerprint),
            "position": json.dumps(asdict(position)),
            "threads": str(torch.get_num_threads()),
        }
        temporary = self.path.with_suffix(".tmp")
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, metadata)
        sync(temporary)
        os.replace(temporary, self.path)
        self._written = time.monotonic()

    def load(self) -> tuple[Position, dict[str, torch.Tensor]]:
        """Read it back; refuses one made with other settings or data, or on another kind of device.

        Another number of threads only warns: sums then come in another order, and differ in the last bits.
        """
        try:
            with safe_open(self.path, framework="pt") as handle:
                metadata = handle.metadata() or {}
                saved = json.loads(metadata["fingerprint"])
                if saved != self._fingerprint:
                    changed = sorted(set(_changed(saved, self._fingerprint)))
                    raise CheckpointError(
                        f"{self.path} was made with other settings or data ({', '.join(changed)}); "
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
            raise CheckpointError(f"{self.path} is damaged and cannot be resumed from: {error}") from error


def _changed(saved: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """Names of what differs, down to the single setting."""
    for name in {**saved, **now}:
        before, after = saved.get(name), now.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _changed(before, after)
        elif before != after:
            yield name
