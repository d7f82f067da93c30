"""Checkpoint folders: JSON and safetensors only, written whole or not at all.

``config.json``        schema version, kind, head, fingerprint, concept space, encoder configuration, max
                       length, training, the version of the package
``model.safetensors``  weights in fp16 (encoder, ψ, φ, ā or strengths and rest, the leakage reference head)
``masks.safetensors``  packed mask bits and shapes (sparse models only)
``words.safetensors``  how usual each token is in the training texts (where enough reviews were at hand)
``metrics.json``       what was measured, on which data
``tokenizer/``         the tokenizer's own files
``README.md``          the model card
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from safetensors.torch import save_file as save_torch

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.files import former, new_folder, real_path, write_json, write_text
from sparsecbm_core.models.backbone import (
    build_backbone,
    load_tokenizer,
    max_positions,
    one_line,
    vocabulary_size,
)
from sparsecbm_core.models.card import model_card
from sparsecbm_core.models.device import pick_device
from sparsecbm_core.models.fingerprint import as_stored, network_fingerprint
from sparsecbm_core.models.heads import bottleneck_class
from sparsecbm_core.models.mask_file import load_masks, save_masks
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.record import (
    CARD,
    CBM,
    CONFIG,
    MASKS,
    METRICS,
    SCHEMA_VERSION,
    SPARSE,
    STANDARD,
    TOKENIZER,
    WEIGHTS,
    WORDS,
    ModelRecord,
    holds_model,
    read_record,
)
from sparsecbm_core.models.sparse_cbm import SparseCBM, StandardClassifier
from sparsecbm_core.models.training_words import TrainingWords
from sparsecbm_core.models.weight_file import load_weights
from sparsecbm_core.version import __version__

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Network, masks, tokenizer and concept names: what a folder holds, and is written from.

    ``masks`` is None for a dense model. ``head`` holds a logistic regression on the training
    data's gold concept states (Y × K·C weights and Y intercepts), the reference of the leakage
    measure. ``words`` tell texts that are like the training texts from others; None where that is not known.
    ``metrics`` and ``training`` are the checkpoint's own records.
    """

    network: SparseCBM | StandardClassifier
    tokenizer: PreTrainedTokenizerBase
    masks: MaskSet | None
    max_length: int
    head: tuple[torch.Tensor, torch.Tensor] | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    name: str = "model"
    words: TrainingWords | None = None

    @property
    def space(self) -> ConceptSpace:
        return self.network.space

    @property
    def kind(self) -> str:
        """ "standard", "cbm" or "sparse"."""
        if isinstance(self.network, StandardClassifier):
            return STANDARD
        return CBM if self.masks is None else SPARSE

    @cached_property
    def fingerprint(self) -> str:
        """Hash of weights and masks (16 hex digits): what patches and caches are bound to."""
        return network_fingerprint(self.network, self.masks)

    @classmethod
    def from_pretrained(cls, name_or_folder: str | Path, device: str | None = None) -> Self:
        """Read a checkpoint folder (or a hub repository of that name) onto ``device``, weights as float32.

        Raises `CheckpointError` in one line: missing or damaged files, a newer schema, tensors or
        masks that do not fit the configuration.

        >>> model.save_pretrained("tiny")
        >>> type(model).from_pretrained("tiny", device="cpu").space.concepts
        ('food', 'service', 'noise')
        """
        folder = _resolve(name_or_folder)
        record = read_record(folder)
        network = _network(record)
        head = load_weights(network, folder / WEIGHTS)
        masks = None
        if isinstance(network, SparseCBM) and record.kind == SPARSE:
            masks = _masks(network, folder / MASKS)
        network.eval().requires_grad_(False).to(pick_device(device))
        try:
            tokenizer = load_tokenizer(folder / TOKENIZER)
        # Whatever a damaged file makes of the library's parser.
        except Exception as error:
            raise CheckpointError(f"the tokenizer in {folder} cannot be read: {one_line(error)}") from error
        words = None
        if (folder / WORDS).is_file():
            words = TrainingWords.load(folder / WORDS, vocabulary_size(network.encoder))
        model = cls(
            network,
            tokenizer,
            masks,
            record.max_length,
            head,
            record.metrics,
            record.training,
            Path(name_or_folder).name,
            words,
        )
        if record.fingerprint is not None and record.fingerprint != model.fingerprint:
            raise CheckpointError(
                f"{folder} is damaged: its weights or masks are not those it was saved with "
                f"(fingerprint {model.fingerprint}, {CONFIG} says {record.fingerprint})"
            )
        return model

    def save_pretrained(self, folder: str | Path) -> None:
        """Write a checkpoint to ``folder``: into a temporary folder beside it, then renamed.

        An existing checkpoint there is replaced; any other non-empty folder is refused. Killed between
        its two renames, a replacement leaves the former checkpoint under another name: it is loaded
        from there until the next save. A link stays, and the folder it leads to is replaced. The current
        folder is refused: it would be renamed under whoever works in it.

        >>> model.save_pretrained("tiny")
        """
        target = real_path(folder)
        if target.exists() and not target.is_dir():
            raise CheckpointError(f"{folder} is a file; choose a folder")
        if target.exists() and target.samefile(os.curdir):
            raise CheckpointError(
                f"{folder} is the current folder, which cannot be replaced; choose another one"
            )
        if target.exists() and any(target.iterdir()) and not holds_model(target):
            raise CheckpointError(f"{folder} is not empty and holds no checkpoint; choose another folder")
        with new_folder(target) as temporary:
            _write(self, temporary)


def record_metrics(folder: str | Path, name: str, report: dict[str, Any]) -> None:
    """Add a report to a checkpoint's metrics.json and model card; the weights are not touched."""
    target = local_folder(folder)
    record = read_record(target)
    metrics = {**record.metrics, name: report}
    card = model_card(record.space, record.training, metrics)
    write_json(target / METRICS, metrics)
    write_text(target / CARD, card)


def local_folder(folder: str | Path) -> Path:
    """A checkpoint that can be written to: a folder here, not a name on the hub."""
    if not Path(folder).is_dir():
        raise CheckpointError(f"a report can only be recorded in a folder here, and {folder} is none")
    return Path(folder)


def _network(record: ModelRecord) -> SparseCBM | StandardClassifier:
    """Of the size that the record says, with weights that mean nothing yet."""
    file = record.folder / CONFIG
    try:
        encoder = build_backbone(dict(record.encoder))
        limit = max_positions(encoder)
    # The libraries behind check a configuration in many ways of their own.
    except Exception as error:
        raise CheckpointError(f"{file} is not usable: {one_line(error)}") from error
    if not 0 < record.max_length <= limit:
        raise CheckpointError(
            f"{file} has max_length {record.max_length}; the encoder reads 1 to {limit} tokens"
        )
    if record.kind == STANDARD:
        return StandardClassifier(encoder, record.space)
    return bottleneck_class(record.head)(encoder, record.space)


def _masks(network: SparseCBM, path: Path) -> MaskSet:
    masks = load_masks(path)
    if masks.concepts != network.parts:
        raise CheckpointError(
            f"the masks are for {list(masks.concepts)}, the model's parts are {list(network.parts)}"
        )
    if dict(masks.shapes) != network.mask_shapes:
        odd = sorted(set(masks.shapes.items()) ^ set(network.mask_shapes.items()))[:2]
        raise CheckpointError(f"the masks do not fit the encoder's matrices, for example {odd}")
    return masks


def _write(checkpoint: Checkpoint, folder: Path) -> None:
    network = checkpoint.network
    config = {
        "schema_version": SCHEMA_VERSION,
        "kind": checkpoint.kind,
        **({"head": network.head} if isinstance(network, SparseCBM) else {}),
        "fingerprint": network_fingerprint(network, checkpoint.masks),
        "space": checkpoint.space.to_dict(),
        "encoder": _encoder_config(network.encoder.config),
        "max_length": checkpoint.max_length,
        "training": dict(checkpoint.training),
        "version": __version__,
    }
    write_json(folder / CONFIG, config)
    tensors = {name: as_stored(tensor) for name, tensor in network.state_dict().items()}
    # A standard classifier has a head of its own, and no reference head.
    if checkpoint.head is not None and isinstance(network, SparseCBM):
        weight, bias = checkpoint.head
        tensors |= {"head.weight": weight.cpu().contiguous(), "head.bias": bias.cpu().contiguous()}
    save_torch(tensors, folder / WEIGHTS)
    if checkpoint.masks is not None:
        save_masks(checkpoint.masks, folder / MASKS)
    if checkpoint.words is not None:
        checkpoint.words.save(folder / WORDS)
    write_json(folder / METRICS, dict(checkpoint.metrics))
    checkpoint.tokenizer.save_pretrained(folder / TOKENIZER)
    card = model_card(checkpoint.space, checkpoint.training, checkpoint.metrics)
    (folder / CARD).write_text(card, encoding="utf-8")
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)  # safetensors creates its files readable by their owner alone


def _encoder_config(config: Any) -> dict[str, Any]:
    private = ("_name_or_path", "transformers_version", "architectures")
    values = {key: value for key, value in config.to_diff_dict().items() if key not in private}
    return {**values, "model_type": config.model_type}


def _resolve(name_or_folder: str | Path) -> Path:
    folder = Path(name_or_folder)
    if folder.is_dir():
        return folder
    real = real_path(folder)
    if real.name and holds_model(former(real)):
        return former(real)
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
