"""What a run starts from: checked settings and data, the network, the training data as batches."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.config import HEAD_KINDS, HONEST, TrainSettings
from sparsecbm_core.data.batches import length_buckets, tokenize
from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import DataError, SettingsError, SparseCBMWarning
from sparsecbm_core.models.backbone import load_backbone, max_positions, set_dropout
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.heads import bottleneck_class
from sparsecbm_core.models.sparse_cbm import SparseCBM, StandardClassifier
from sparsecbm_core.pruning.gradients import check_memory
from sparsecbm_core.training.losses import LabelledBatch, concept_targets, label_targets, labelled_batch
from sparsecbm_core.training.pathway import edit_pairs
from sparsecbm_core.training.preflight import check_encoder


def check_run(
    settings: TrainSettings,
    train: ReviewDataset,
    dev: ReviewDataset,
    from_model: bool,
    teachers: Sequence[ConceptModel] = (),
) -> None:
    """Raise if settings, data and teachers make no run; warn where they ask for what cannot be."""
    for data in (train, dev):
        if not len(data):
            raise DataError(f"split {data.split!r} of {data.name} has no usable rows")
    if train.space.names != dev.space.names:
        raise DataError("train and dev differ in their concepts, states or labels")
    if teachers and not settings.distillation:
        raise SettingsError("teachers need a distillation above 0: their share in the targets")
    for teacher in teachers:
        if teacher.space.names != train.space.names or not isinstance(teacher.network, SparseCBM):
            raise SettingsError(
                f"a teacher has to be a model with the concepts, states and labels of {train.name}"
            )
    if settings.distillation and not settings.dense_epochs and not from_model and not teachers:
        raise SettingsError(
            "distillation needs a dense model to learn from: dense epochs, or one to start from"
        )
    rest = settings.trained_head == HONEST
    prune, k = settings.prune, train.space.num_concepts + rest
    extra = " (one is for the rest of the text)" if rest else ""
    # K subnetworks of density 1 - s are apart only if together they hold no more than all the weights
    if settings.kind == "sparse" and (1.0 - prune.sparsity) * k > 1.0 + 1e-9:
        text = (
            f"{k} subnetworks{extra} of sparsity {prune.sparsity:g} share weights whatever {{}}: to be "
            f"distinct they need a sparsity of at least {1 - 1 / k:.4g} (1 - 1/{k})"
        )
        if prune.method == "partition":
            raise SettingsError(text.format("is done"))
        if prune.exclusivity:
            warnings.warn(text.format("the exclusivity"), SparseCBMWarning, stacklevel=3)


def starting_network(
    settings: TrainSettings, space: ConceptSpace, init: ConceptModel | None, device: torch.device
) -> tuple[SparseCBM | StandardClassifier, Any]:
    """Network on ``device``, and tokenizer: a copy of ``init``'s, or new heads on the encoder."""
    if init is not None:
        network, tokenizer = _copy(init, settings, space), init.tokenizer
    else:
        encoder, tokenizer = load_backbone(settings.backbone, settings.dropout)
        kind = (
            StandardClassifier
            if settings.kind == "standard"
            else bottleneck_class(settings.trained_head or settings.head)
        )
        network = kind(encoder, space)
    limit = max_positions(network.encoder)
    if settings.max_length > limit:
        raise SettingsError(f"max_length {settings.max_length} exceeds the encoder's {limit} positions")
    if settings.kind == "sparse" and isinstance(network, SparseCBM):
        check_memory(network.prunable_weights, len(network.parts), settings.prune, device)
    network = network.to(device)
    check_encoder(network, tokenizer, settings, device)
    return network, tokenizer


def _copy(init: ConceptModel, settings: TrainSettings, space: ConceptSpace) -> SparseCBM | StandardClassifier:
    if settings.kind != "sparse" and (settings.kind not in HEAD_KINDS or init.masks is not None):
        raise SettingsError(
            "a run starts from another model only if this one is sparse, or that is dense and this one "
            f"trains the label head alone ({', '.join(HEAD_KINDS)})"
        )
    before = (init.training.get("settings") or {}).get("kind")
    if settings.kind in HEAD_KINDS and before not in HEAD_KINDS:
        raise SettingsError(
            f"kind {settings.kind!r} takes its concepts only from a model that learned them apart from the "
            f"label ({', '.join(HEAD_KINDS)}), got kind {before!r}"
        )
    if init.space.names != space.names:
        raise SettingsError("the model to start from has other concepts, states or labels")
    if init.cbm.head != settings.trained_head:
        raise SettingsError(
            f"the model to start from has head {init.cbm.head!r}, the settings {settings.trained_head!r}"
        )
    network: SparseCBM = copy.deepcopy(init.cbm).requires_grad_(True)
    network.space = space
    if settings.dropout is not None:
        set_dropout(network.encoder, settings.dropout)
    return network


class TrainingBatches:
    """The training reviews as tokens and targets, gathered into batches on ``device``.

    ``encoded`` are the N texts as tokens; ``concepts`` (N, K, C), ``labels`` (N, Y) and ``votes`` (N, K, C)
    are distributions, on the CPU. Where edits count (`TrainSettings.locality`), texts of one group come
    together, a few at a time.
    """

    def __init__(
        self, data: ReviewDataset, tokenizer: Any, settings: TrainSettings, device: torch.device
    ) -> None:
        self.encoded = tokenize(tokenizer, data.texts, settings.max_length)
        self._lengths = [len(item.ids) for item in self.encoded]
        self.concepts = concept_targets(data.examples, data.space, settings.soft_concepts)  # (N, K, C)
        self.labels = label_targets(data.examples, data.space, settings.soft_labels)  # (N, Y)
        self.votes = concept_targets(data.examples, data.space, 1.0)
        local = settings.trained_head == HONEST and settings.locality
        self._partners: dict[int, list[tuple[int, int]]] = {}
        for first, second, concept in edit_pairs(data.examples, data.space) if local else ():
            self._partners.setdefault(first, []).append((second, concept))
        self._groups = [example.group or example.id for example in data] if self._partners else None
        self._batch_size, self._device = settings.batch_size, device
        self._pad_id = int(tokenizer.pad_token_id)

    def __len__(self) -> int:
        return len(self.encoded)

    def distil(self, teacher: Mapping[str, torch.Tensor], share: float) -> None:
        """Mix a teacher's distributions, "concepts" (N, K, C) and "labels" (N, Y), into the targets."""
        self.concepts = (1.0 - share) * self.concepts + share * teacher["concepts"]
        self.labels = (1.0 - share) * self.labels + share * teacher["labels"]

    def epoch(self, seed: int) -> list[list[int]]:
        """Indices of one epoch's batches, shuffled by ``seed``."""
        generator = torch.Generator().manual_seed(seed)
        return length_buckets(self._lengths, self._batch_size, generator, self._groups)

    def by_length(self, indices: Sequence[int]) -> list[list[int]]:
        """``indices`` in batches of similar length."""
        chosen = [self._lengths[i] for i in indices]
        return [[indices[i] for i in batch] for batch in length_buckets(chosen, self._batch_size)]

    def gather(self, indices: Sequence[int]) -> LabelledBatch:
        tables = self.encoded, self.concepts, self.labels
        batch = labelled_batch(indices, *tables, self._pad_id, self._device)
        place = {index: position for position, index in enumerate(indices)}
        pairs = [
            (position, place[other], concept)
            for index, position in place.items()
            for other, concept in self._partners.get(index, ())
            if other in place
        ]
        return replace(
            batch,
            votes=self.votes[list(indices)].to(self._device),
            pairs=torch.tensor(pairs, dtype=torch.long, device=self._device).view(-1, 3),
        )
