"""Checkpoint folders: JSON and safetensors only, written whole or not at all.

``config.json``        schema version, kind, concept space, encoder configuration, max length, training
``model.safetensors``  weights in fp16 (encoder, ψ, φ, ā, the leakage reference head)
``masks.safetensors``  packed mask bits and shapes (sparse models only)
``metrics.json``       what was measured, on which data
``tokenizer/``         the tokenizer's own files
``README.md``          the model card
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file as save_torch
from torch import nn

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.models.backbone import build_backbone, load_tokenizer, max_positions, one_line
from sparsecbm_core.models.card import model_card
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.device import pick_device
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import SparseCBM, StandardClassifier

SCHEMA_VERSION = 1
FILES = ("config.json", "model.safetensors", "metrics.json", "tokenizer/tokenizer.json")


def save_checkpoint(model: ConceptModel, folder: str | Path) -> None:
    """Write ``model`` to ``folder``: into a temporary folder beside it, then renamed.

    An existing checkpoint there is replaced; any other non-empty folder is refused.
    """
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise CheckpointError(f"{target} is a file; choose a folder")
    if target.exists() and any(target.iterdir()) and not (target / "config.json").is_file():
        raise CheckpointError(f"{target} is not empty and holds no checkpoint; choose another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        _write(model, temporary)
        temporary.chmod(0o755)
        _swap(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, target: Path) -> None:
    """Move ``new`` to where ``target`` is, which goes only once the new one is there."""
    if not target.exists():
        os.replace(new, target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    try:
        os.replace(target, old)
        try:
            os.replace(new, target)
        except OSError:
            os.replace(old, target)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _write(model: ConceptModel, folder: Path) -> None:
    network = model.network
    config = {
        "schema_version": SCHEMA_VERSION,
        "kind": kind_of(model),
        "space": model.space.to_dict(),
        "encoder": _encoder_config(network.encoder.config),
        "max_length": model.max_length,
        "training": dict(model.training),
    }
    write_json(folder / "config.json", config)
    tensors = {name: _half(tensor) for name, tensor in network.state_dict().items()}
    # A standard classifier has a head of its own, and no reference head.
    if model.head is not None and isinstance(network, SparseCBM):
        tensors["head.weight"], tensors["head.bias"] = model.head
    save_torch(
        {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors"
    )
    if model.masks is not None:
        save_masks(model.masks, folder / "masks.safetensors")
    write_json(folder / "metrics.json", dict(model.metrics))
    model.tokenizer.save_pretrained(folder / "tokenizer")
    (folder / "README.md").write_text(model_card(model), encoding="utf-8")
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)  # safetensors creates its files readable by their owner alone


def _encoder_config(config: Any) -> dict[str, Any]:
    private = ("_name_or_path", "transformers_version", "architectures")
    values = {key: value for key, value in config.to_diff_dict().items() if key not in private}
    return {**values, "model_type": config.model_type}


def kind_of(model: ConceptModel) -> str:
    """ "standard", "cbm" or "sparse"."""
    if isinstance(model.network, StandardClassifier):
        return "standard"
    return "cbm" if model.masks is None else "sparse"


def load_checkpoint(name_or_folder: str | Path, device: str | None = None) -> ConceptModel:
    """Read a checkpoint folder (or a hub repository) onto ``device``, weights as float32.

    Raises `CheckpointError` in one line: missing or damaged files, a newer schema, tensors or
    masks that do not fit the configuration.
    """
    folder = _resolve(name_or_folder)
    for name in FILES:
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} is not a complete checkpoint: {name} is missing")
    config = read_json(folder / "config.json")
    version = config.get("schema_version")
    if not isinstance(version, int):
        raise CheckpointError(
            f"{folder / 'config.json'} has no schema_version; is it a SparseCBM checkpoint?"
        )
    if version > SCHEMA_VERSION:
        raise CheckpointError(
            f"{folder} was written by a newer version (schema {version}; this one reads up to "
            f"{SCHEMA_VERSION}); upgrade to load it"
        )
    kind = config.get("kind")
    if kind not in ("standard", "cbm", "sparse"):
        raise CheckpointError(f"{folder / 'config.json'} has kind {kind!r}; expected standard, cbm or sparse")
    missing = [name for name in ("space", "encoder", "max_length") if name not in config]
    if missing:
        raise CheckpointError(f"{folder / 'config.json'} lacks {', '.join(missing)}")
    try:
        space = ConceptSpace.from_dict(config["space"])
        encoder = build_backbone(config["encoder"])
        max_length, limit = int(config["max_length"]), max_positions(encoder.config)
    # The libraries behind check a configuration in many ways of their own.
    except Exception as error:
        raise CheckpointError(f"{folder / 'config.json'} is not usable: {one_line(error)}") from error
    if not 0 < max_length <= limit:
        raise CheckpointError(
            f"{folder / 'config.json'} has max_length {max_length}; the encoder reads 1 to {limit} tokens"
        )
    network = StandardClassifier(encoder, space) if kind == "standard" else SparseCBM(encoder, space)
    head = _load_weights(network, folder / "model.safetensors")
    masks = None
    if kind == "sparse":
        if not isinstance(network, SparseCBM):
            raise CheckpointError(f"{folder} is sparse but has no concept bottleneck")
        masks = load_masks(folder / "masks.safetensors")
        _check_masks(masks, network)
    network.eval().requires_grad_(False).to(pick_device(device))
    try:
        tokenizer = load_tokenizer(folder / "tokenizer")
    # As above: whatever a damaged file makes of the library's parser.
    except Exception as error:
        raise CheckpointError(f"the tokenizer in {folder} cannot be read: {one_line(error)}") from error
    return ConceptModel(
        network,
        tokenizer,
        masks,
        max_length,
        head,
        read_json(folder / "metrics.json"),
        config.get("training", {}),
        folder.name,
    )


def record_metrics(folder: str | Path, name: str, report: dict[str, Any]) -> None:
    """Add a report to a checkpoint's metrics.json and model card; the weights are not touched."""
    target = Path(folder)
    metrics = {**read_json(target / "metrics.json"), name: report}
    write_json(target / "metrics.json", metrics)
    card = model_card(replace(load_checkpoint(target, "cpu"), metrics=metrics))
    (target / "README.md").write_text(card, encoding="utf-8")


def save_masks(masks: MaskSet, path: Path) -> None:
    """Packed bits with concept names and shapes in the header."""
    header = {
        "schema_version": str(SCHEMA_VERSION),
        "concepts": json.dumps(masks.concepts),
        "shapes": json.dumps({name: list(shape) for name, shape in masks.shapes.items()}),
    }
    save_numpy({name: np.array(bits) for name, bits in masks.packed.items()}, path, header)


def load_masks(path: Path) -> MaskSet:
    """Inverse of `save_masks`; `CheckpointError` if missing or damaged."""
    try:
        with safe_open(path, framework="np") as handle:
            header = handle.metadata() or {}
            shapes = {name: tuple(shape) for name, shape in json.loads(header["shapes"]).items()}
            packed = {name: handle.get_tensor(name) for name in shapes}
            return MaskSet(tuple(json.loads(header["concepts"])), shapes, packed)
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; a sparse model needs its masks") from None
    except (SafetensorError, OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {one_line(error)}") from error


def network_fingerprint(network: nn.Module, masks: MaskSet | None) -> str:
    """SHA-256 of the weights as stored (fp16) and the masks, first 16 hex digits."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(_half(tensor).cpu().contiguous().numpy().tobytes())
    if masks is not None:
        digest.update(masks.fingerprint().encode())
    return digest.hexdigest()[:16]


def write_json(path: Path, data: Any) -> None:
    """Write indented JSON through a temporary file."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; `CheckpointError` naming the file otherwise."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} holds {type(data).__name__}, expected an object")
    return data


def _half(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor


def _resolve(name_or_folder: str | Path) -> Path:
    folder = Path(name_or_folder)
    if folder.is_dir():
        return folder
    text = str(name_or_folder)
    if folder.is_absolute() or text.startswith(".") or text.count("/") != 1:
        raise CheckpointError(f"no checkpoint folder at {folder}; give a folder or a hub name 'owner/model'")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(text, allow_patterns=["*.json", "*.safetensors", "tokenizer/*", "*.md"])
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{text!r} is neither a folder here nor a model that the hub gives: {type(error).__name__}"
        ) from error


def _load_weights(
    network: SparseCBM | StandardClassifier, path: Path
) -> tuple[torch.Tensor, torch.Tensor] | None:
    try:
        with safe_open(path, framework="pt") as handle:
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    expected = network.state_dict()
    head = _reference_head(network, tensors, path) if isinstance(network, SparseCBM) else None
    missing, unknown = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    if missing or unknown:
        raise CheckpointError(
            f"{path} does not match its config.json: {len(missing)} tensors missing {missing[:3]}, "
            f"{len(unknown)} unknown {unknown[:3]}"
        )
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise CheckpointError(
                f"{path} does not match its config.json: {name} has shape {tuple(tensor.shape)}, "
                f"expected {tuple(expected[name].shape)}"
            )
    network.load_state_dict({name: tensor.to(expected[name].dtype) for name, tensor in tensors.items()})
    return head


def _reference_head(
    network: SparseCBM, tensors: dict[str, torch.Tensor], path: Path
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """The leakage head, taken out of ``tensors``; None where the file has none."""
    space = network.space
    shapes = {
        "head.weight": (space.num_labels, space.num_concepts * space.num_states),
        "head.bias": (space.num_labels,),
    }
    if not shapes.keys() & tensors.keys():
        return None
    for name, shape in shapes.items():
        found = tuple(tensors[name].shape) if name in tensors else None
        if found != shape:
            raise CheckpointError(
                f"{path} does not match its config.json: {name} has shape {found}, expected {shape}"
            )
    return tensors.pop("head.weight").float(), tensors.pop("head.bias").float()


def _check_masks(masks: MaskSet, network: SparseCBM) -> None:
    if masks.concepts != network.space.concepts:
        raise CheckpointError(
            f"the masks are for concepts {list(masks.concepts)}, the model for {list(network.space.concepts)}"
        )
    if dict(masks.shapes) != network.mask_shapes:
        odd = sorted(set(masks.shapes.items()) ^ set(network.mask_shapes.items()))[:2]
        raise CheckpointError(f"the masks do not fit the encoder's matrices, for example {odd}")
