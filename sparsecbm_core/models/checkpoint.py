"""Checkpoint folders: JSON and safetensors only, written whole or not at all.

``config.json``        schema version, kind, fingerprint, concept space, encoder configuration, max length,
                       training
``model.safetensors``  weights in fp16 (encoder, ψ, φ, ā, the leakage reference head)
``masks.safetensors``  packed mask bits and shapes (sparse models only)
``metrics.json``       what was measured, on which data
``tokenizer/``         the tokenizer's own files
``README.md``          the model card
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from safetensors.torch import save_file as save_torch
from torch import nn

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.files import read_json, sync, too_new, write_json, write_text
from sparsecbm_core.models.backbone import build_backbone, load_tokenizer, max_positions, one_line
from sparsecbm_core.models.card import model_card
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.device import pick_device
from sparsecbm_core.models.mask_file import load_masks, save_masks
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import SparseCBM, StandardClassifier
from sparsecbm_core.models.weight_file import load_weights

SCHEMA_VERSION = 1
KINDS = ("standard", "cbm", "sparse")  # what a network is, however it was trained
FILES = ("config.json", "model.safetensors", "metrics.json", "tokenizer/tokenizer.json")


def save_checkpoint(model: ConceptModel, folder: str | Path) -> None:
    """Write ``model`` to ``folder``: into a temporary folder beside it, then renamed.

    An existing checkpoint there is replaced; any other non-empty folder is refused. Killed between
    its two renames, a replacement leaves the former checkpoint under another name: it is loaded
    from there until the next save. A link stays, and the folder it leads to is replaced. The current
    folder is refused: it would be renamed under whoever works in it.
    """
    target = _real(folder)
    if target.exists() and not target.is_dir():
        raise CheckpointError(f"{folder} is a file; choose a folder")
    if target.exists() and target.samefile(os.curdir):
        raise CheckpointError(f"{folder} is the current folder, which cannot be replaced; choose another one")
    if target.exists() and any(target.iterdir()) and not _holds_checkpoint(target):
        raise CheckpointError(f"{folder} is not empty and holds no checkpoint; choose another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        _write(model, temporary)
        temporary.chmod(0o755)
        for path in temporary.rglob("*"):
            if path.is_file():
                sync(path)
        _swap(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _holds_checkpoint(folder: Path) -> bool:
    """Whether the folder is one of ours: every Hugging Face model has a config.json as well."""
    try:
        config = read_json(folder / "config.json")
    except CheckpointError:
        return False
    return isinstance(config.get("schema_version"), int) and config.get("kind") in KINDS


def _real(folder: str | Path) -> Path:
    """The folder that a name or a link leads to, by its own name."""
    try:
        return Path(os.path.realpath(folder))
    except ValueError:  # no path at all: it leads nowhere
        return Path(folder)


def _former(target: Path) -> Path:
    """Where a checkpoint waits while another takes its place."""
    return target.with_name(f".{target.name}.old")


def _swap(new: Path, target: Path) -> None:
    """Move ``new`` to where ``target`` is, which goes only once the new one is there."""
    old = _former(target)
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.replace(target, old)
    try:
        os.replace(new, target)
    except OSError:
        if old.exists():
            os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _write(model: ConceptModel, folder: Path) -> None:
    network = model.network
    config = {
        "schema_version": SCHEMA_VERSION,
        "kind": kind_of(model),
        "fingerprint": network_fingerprint(network, model.masks),
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
        raise too_new(folder, version, SCHEMA_VERSION)
    kind = config.get("kind")
    if kind not in KINDS:
        raise CheckpointError(f"{folder / 'config.json'} has kind {kind!r}; expected {', '.join(KINDS)}")
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
    head = load_weights(network, folder / "model.safetensors")
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
    model = ConceptModel(
        network,
        tokenizer,
        masks,
        max_length,
        head,
        read_json(folder / "metrics.json"),
        config.get("training", {}),
        Path(name_or_folder).name,
    )
    # Older checkpoints have none.
    if "fingerprint" in config and model.fingerprint != config["fingerprint"]:
        raise CheckpointError(
            f"{folder} is damaged: its weights or masks are not those it was saved with "
            f"(fingerprint {model.fingerprint}, config.json says {config['fingerprint']})"
        )
    return model


def record_metrics(folder: str | Path, name: str, report: dict[str, Any]) -> None:
    """Add a report to a checkpoint's metrics.json and model card; the weights are not touched."""
    target = local_folder(folder)
    metrics = {**read_json(target / "metrics.json"), name: report}
    card = model_card(replace(load_checkpoint(target, "cpu"), metrics=metrics))
    write_json(target / "metrics.json", metrics)
    write_text(target / "README.md", card)


def local_folder(folder: str | Path) -> Path:
    """A checkpoint that can be written to: a folder here, not a name on the hub."""
    if not Path(folder).is_dir():
        raise CheckpointError(f"a report can only be recorded in a folder here, and {folder} is none")
    return Path(folder)


def network_fingerprint(network: nn.Module, masks: MaskSet | None) -> str:
    """SHA-256 of the weights as stored (fp16) and the masks, first 16 hex digits."""
    digest = _weights_digest(network)
    if masks is not None:
        digest.update(masks.fingerprint().encode())
    return digest.hexdigest()[:16]


# What a network's weights come to, for one network under many masks; with the state of its tensors.
_DIGESTS: WeakKeyDictionary[nn.Module, tuple[tuple[tuple[int, int], ...], Any]] = WeakKeyDictionary()


def _weights_digest(network: nn.Module) -> Any:
    """The digest of all weights, to go on with; made anew when weights were trained, moved or replaced."""
    tensors = sorted(network.state_dict().items())
    state = tuple((tensor.data_ptr(), tensor._version) for _, tensor in tensors)
    known = _DIGESTS.get(network)
    if known is None or known[0] != state:
        digest = hashlib.sha256()
        for name, tensor in tensors:
            digest.update(name.encode())
            digest.update(_half(tensor).cpu().contiguous().numpy().tobytes())
        known = state, digest
        _DIGESTS[network] = known
    return known[1].copy()


def _half(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor


def _resolve(name_or_folder: str | Path) -> Path:
    folder = Path(name_or_folder)
    if folder.is_dir():
        return folder
    real = _real(folder)
    if real.name and _holds_checkpoint(_former(real)):
        return _former(real)
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


def _check_masks(masks: MaskSet, network: SparseCBM) -> None:
    if masks.concepts != network.space.concepts:
        raise CheckpointError(
            f"the masks are for concepts {list(masks.concepts)}, the model for {list(network.space.concepts)}"
        )
    if dict(masks.shapes) != network.mask_shapes:
        odd = sorted(set(masks.shapes.items()) ^ set(network.mask_shapes.items()))[:2]
        raise CheckpointError(f"the masks do not fit the encoder's matrices, for example {odd}")
