"""A concept that a trained SparseCBM never saw, added to it: a mask and a head, all else as it was.

θ is frozen, so what is learned for concept k is which weights its subnetwork keeps, M_k, and how it is read,
(ψ_k, b_k). The masks are found as in training, by second-order scores on the cubic schedule, from the dense θ
down to the sparsity; where training would have moved θ between two updates, here the head is fitted anew.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import torch

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.config import PAPER, PruneSettings
from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.classification import gold_states
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.models.subnetworks import EffectiveWeights, active
from sparsecbm_core.progress import OnWork, unheard
from sparsecbm_core.pruning.pruner import choose_weights, criterion_scores
from sparsecbm_core.pruning.schedule import cubic_sparsity
from sparsecbm_core.training.losses import LabelledBatch, concept_loss, concept_targets, labelled_batch

if TYPE_CHECKING:
    from sparsecbm_core.data.batches import Encoded

RIDGE = 1.0  # scikit-learn's C of the logistic regression: few reviews, many features
UNSEEN = -20.0  # bias of a state that no review had: never said, and small enough for fp16


@dataclass(frozen=True)
class Head:
    """ψ_k (C, E) and b_k (C,): ℓ_k = ψ_k z + b_k."""

    weight: torch.Tensor
    bias: torch.Tensor

    def states(self, z: torch.Tensor) -> np.ndarray:
        """States (N,) read from z (N, E)."""
        return (z @ self.weight.T + self.bias).argmax(-1).numpy()


@dataclass(frozen=True)
class Added:
    """A new concept: ``masks`` of it alone, its ``head``, and the ``probe``, a head of the dense encoder."""

    concept: str
    masks: MaskSet
    head: Head
    probe: Head


def fit_head(z: torch.Tensor, states: np.ndarray, num_states: int) -> Head:
    """Logistic regression, with a ridge, of states (N,) on z (N, E); a single state is always said."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    weight, bias = torch.zeros(num_states, z.shape[1]), torch.full((num_states,), UNSEEN)
    seen = np.unique(states)
    if len(seen) == 1:
        bias[int(seen[0])] = 0.0
        return Head(weight, bias)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last digits decide no state
        fitted = LogisticRegression(C=RIDGE, max_iter=1000).fit(z.double().numpy(), states)
    rows, levels = torch.from_numpy(fitted.coef_).float(), torch.from_numpy(fitted.intercept_).float()
    if len(seen) == 2:  # one row, the log-odds of the second: half of it for each
        rows, levels = torch.cat([-rows, rows]) / 2, torch.cat([-levels, levels]) / 2
    weight[seen], bias[seen] = rows, levels
    return Head(weight, bias)


def alone(model: ConceptModel, space: ConceptSpace) -> SparseCBM:
    """A network of the one concept in ``space`` over the model's own encoder, which is only read."""
    if space.num_concepts != 1:
        raise InputError(f"one new concept at a time, got {list(space.concepts)}")
    state = torch.random.get_rng_state()
    try:
        network = SparseCBM(model.cbm.encoder, space)
    finally:
        torch.random.set_rng_state(state)  # its random heads are not used
    return network.eval().requires_grad_(False).to(model.device)


def read_vectors(
    model: ConceptModel, encoded: Sequence[Encoded], weights: EffectiveWeights | None
) -> torch.Tensor:
    """z (N, E) of texts under one subnetwork, or the dense encoder; on the CPU."""
    found: list[torch.Tensor] = [torch.empty(0)] * len(encoded)
    for indices, ids, mask in model.batches(encoded, 32):
        with torch.inference_mode(), active(weights):
            pooled = model.cbm.pooled(model.cbm.embed(ids), mask).float().cpu()
        for i, row in zip(indices, pooled.clone(), strict=True):
            found[i] = row
    return torch.stack(found)


def learn_concept(
    model: ConceptModel,
    reviews: ReviewDataset,
    settings: PruneSettings,
    unowned_only: bool = False,
    seed: int = 0,
    report: OnWork = unheard,
) -> Added:
    """Mask and head of the one concept of ``reviews``, from these reviews alone; the model is only read.

    With ``unowned_only`` the subnetwork takes none of the weights that the model's concepts have, and fewer
    than the target sparsity asks for where there are not as many. Raises `InputError` for a model without
    masks, and where nothing is left to take.
    """
    if model.masks is None:
        raise InputError("a new concept needs a model with masks to be added to; load a SparseCBM")
    network = alone(model, reviews.space)
    encoded, gold = model.encode(reviews.texts), gold_states(reviews)[:, 0]
    targets = concept_targets(reviews.examples, reviews.space, 0.0)
    labels = torch.tensor([example.label for example in reviews])
    free = _free(model.masks) if unowned_only else None
    masks = MaskSet.ones(reviews.space.concepts, network.mask_shapes)
    head = probe = fit_head(read_vectors(model, encoded, None), gold, reviews.space.num_states)
    pad_id, generator = int(model.tokenizer.pad_token_id), torch.Generator().manual_seed(seed)

    def draw() -> Iterator[LabelledBatch]:
        size = min(settings.grad_batch_size, len(reviews))
        for _ in range(settings.num_grads):
            chosen = torch.randperm(len(reviews), generator=generator)[:size].tolist()
            yield labelled_batch(chosen, encoded, targets, labels, pad_id, model.device)

    def loss(network: SparseCBM, batch: LabelledBatch, weights: EffectiveWeights) -> torch.Tensor:
        said = network(batch.input_ids, batch.attention_mask, weights)
        return concept_loss(said.concept_logits, batch.concepts)

    total, done = settings.updates * settings.num_grads, count(1)
    for update in range(1, settings.updates + 1):
        network.projector.copy_(head.weight[None])
        network.projector_bias.copy_(head.bias[None])
        sparsity = cubic_sparsity(update, settings.updates, settings.sparsity)

        def on_step(what: str = f"mask update {update}/{settings.updates}") -> None:
            report(next(done), total, what)

        scores = criterion_scores(
            network, masks, draw(), loss, settings, generator, on_step=on_step
        )  # matrix → (1, O·I)
        masks = _chosen(scores, free, network, settings, sparsity)
        head = fit_head(
            read_vectors(model, encoded, network.weights_for(masks)), gold, reviews.space.num_states
        )
    return Added(reviews.space.concepts[0], masks, head, probe)


def _free(masks: MaskSet) -> dict[str, np.ndarray]:
    """By matrix (O, I), the weights that no concept keeps."""
    free = {name: np.logical_not(masks.to_bool(name).any(axis=0)) for name in masks.shapes}
    if not any(bits.any() for bits in free.values()):
        raise InputError("the model's concepts own all weights: there are none left for a new one")
    return free


def _chosen(
    scores: Mapping[str, np.ndarray],
    free: Mapping[str, np.ndarray] | None,
    network: SparseCBM,
    settings: PruneSettings,
    sparsity: float,
) -> MaskSet:
    """The weights of highest score; where ``free`` says which may be taken, of those alone."""
    if free is not None:
        scores = {name: np.where(free[name].reshape(1, -1), own, -np.inf) for name, own in scores.items()}
    shapes = network.mask_shapes
    flat = choose_weights(scores, shapes, settings, sparsity)
    masks = {name: mask.reshape(1, *shapes[name]) for name, mask in flat.items()}
    if free is not None:
        masks = {name: mask & free[name] for name, mask in masks.items()}
    return MaskSet.from_bool(network.space.concepts, masks)


def extended(model: ConceptModel, added: Added) -> ConceptModel:
    """The model with one concept more, as the last. Encoder, masks and heads of the others are the same.

    Nothing taught the label to use the new concept: φ of it is 0, and label logits are what they were.
    """
    if model.masks is None:
        raise InputError("a new concept needs a model with masks to be added to; load a SparseCBM")
    old = model.cbm
    if old.head != PAPER:
        raise InputError(
            f"a new concept is added to models with the paper's head; this has head {old.head!r}"
        )
    space = replace(old.space, concepts=(*old.space.concepts, added.concept))
    state = torch.random.get_rng_state()
    try:
        network = SparseCBM(old.encoder, space)
    finally:
        torch.random.set_rng_state(state)
    network.eval().requires_grad_(False).to(model.device)
    network.projector.copy_(torch.cat([old.projector, added.head.weight[None].to(model.device)]))
    network.projector_bias.copy_(torch.cat([old.projector_bias, added.head.bias[None].to(model.device)]))
    network.classifier.zero_()
    network.classifier[:, :-1].copy_(old.classifier)
    network.classifier_bias.copy_(old.classifier_bias)
    network.mean_activations[:-1].copy_(old.mean_activations)
    masks = MaskSet.from_bool(
        space.concepts,
        {
            name: np.concatenate([model.masks.to_bool(name), added.masks.to_bool(name)])
            for name in model.masks.shapes
        },
    )
    # Figures and the leakage head were made for the concepts there were.
    return ConceptModel(network, model.tokenizer, masks, model.max_length, name=model.name)
