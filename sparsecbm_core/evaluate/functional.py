"""Whether a concept's subnetwork is its own by what it does: swapped, taken away, and probed for others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.evaluate.classification import gold_states
from sparsecbm_core.evaluate.common import check_fits, data_name, sample
from sparsecbm_core.explain.subnetworks import CrossAccuracy
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import mean_over_tokens
from sparsecbm_core.models.subnetworks import active
from sparsecbm_core.progress import OnCount, unheard

SCHEMA_VERSION = 1
REVIEWS, PROBE_REVIEWS = 400, 1000
PENALTY = 0.1  # C of the probe's logistic regression, on standardised vectors
Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Removal:
    """Concept accuracy without another concept's weights: ``after[k][j]``, k's weights removed and j read.

    ``before`` (K) is the accuracy of the whole subnetworks; ``lost[k][j]`` the share of the weights of
    subnetwork j that go: 1 for j = k, where the encoder's matrices become zero.
    """

    concepts: tuple[str, ...]
    before: tuple[float, ...]
    after: Matrix
    lost: Matrix

    @property
    def mean_own_drop(self) -> float:
        """What a concept loses without its own weights, mean over concepts."""
        return float(np.mean(np.array(self.before) - np.diag(self.after)))

    @property
    def mean_other_drop(self) -> float | None:
        """What a concept loses without another's weights, mean over pairs; None for a single concept."""
        drops = np.array(self.before)[None] - np.array(self.after)  # (k, j)
        return _off_diagonal(drops)


@dataclass(frozen=True)
class Probes:
    """Test accuracy of a linear probe: ``accuracy[k][j]``, concept k read off the vectors of subnetwork j.

    ``embeddings`` (K) is the same for mean token embeddings, which no subnetwork has touched: what a
    probe finds anyway. ``train`` names the reviews the probes learned from, ``examples`` of them.
    """

    concepts: tuple[str, ...]
    accuracy: Matrix
    embeddings: tuple[float, ...]
    train: Mapping[str, str]
    examples: int

    @property
    def mean_own(self) -> float:
        return float(np.mean(np.diag(self.accuracy)))

    @property
    def mean_other(self) -> float | None:
        return _off_diagonal(np.array(self.accuracy))


@dataclass(frozen=True)
class FunctionalTests:
    """The three tests on the same reviews. ``majority`` (K): accuracy of always saying the most frequent
    gold state of these reviews, where a subnetwork that knows nothing of a concept ends."""

    data: Mapping[str, str]
    model: str
    settings: Mapping[str, Any]
    examples: int
    swapped: CrossAccuracy
    majority: tuple[float, ...]
    removal: Removal
    probes: Probes | None
    schema_version: int = SCHEMA_VERSION

    @property
    def mean_drop(self) -> float | None:
        """How far a concept falls under another's mask, on average."""
        other = self.swapped.mean_other
        return None if other is None else self.swapped.mean_own - other

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in this class, with the summaries."""
        removal, probes = self.removal, self.probes
        means = {"mean_own_drop": removal.mean_own_drop, "mean_other_drop": removal.mean_other_drop}
        return {
            **asdict(self),
            "swapped": {**self.swapped.to_dict(), "mean_drop": self.mean_drop},
            "mean_majority": float(np.mean(self.majority)),
            "removal": {**asdict(removal), **means},
            "probes": probes
            and {**asdict(probes), "mean_own": probes.mean_own, "mean_other": probes.mean_other},
        }


def functional_tests(
    model: ConceptModel,
    data: ReviewDataset,
    probe_train: ReviewDataset | None = None,
    reviews: int | None = REVIEWS,
    probe_reviews: int | None = PROBE_REVIEWS,
    seed: int = 0,
    batch_size: int = 32,
    on_progress: OnCount = unheard,
) -> FunctionalTests:
    """What each subnetwork can and cannot do, on a seeded draw of ``reviews`` (None: all).

    Swapped: every concept through every subnetwork, as `explain.cross_accuracy`. Removal: the weights that
    concept k keeps are taken out of all subnetworks (M_j ∧ ¬M_k), which should hurt k and not j. Probes,
    with ``probe_train``: a logistic regression on the vectors z_j, trained on a draw of
    ``probe_reviews`` and tested on ``data``, shows what could be read off a subnetwork whether or not the
    model does. The model is not changed.

    Raises `InputError` for a dense model, `DataError` for data that is empty or for another model.
    """
    check_fits(model, data)
    masks, network = _masks(model), model.cbm
    test = sample(data, reviews, seed)
    train = None if probe_train is None else sample(probe_train, probe_reviews, seed)
    if train is not None:
        check_fits(model, train)
    concepts = model.space.concepts
    total = len(test) * (1 + len(concepts)) + (0 if train is None else len(train))
    done = 0

    def on_read(now: int, whole: int) -> None:
        nonlocal done
        on_progress(done + now, total)
        done += whole if now == whole else 0

    vectors = subnetwork_vectors(model, test.texts, batch_size, on_read)
    gold = gold_states(test)
    swapped = _swapped_accuracy(model, vectors[:-1], gold)
    after = []
    for concept in concepts:
        weights = network.weights_for(without(masks, concept))
        states = model.predict(test.texts, batch_size, weights, on_read).states.numpy()
        after.append(tuple((states == gold).mean(0).tolist()))
    probes = None
    if train is not None and probe_train is not None:
        known = subnetwork_vectors(model, train.texts, batch_size, on_read)
        probes = _probes(concepts, known, gold_states(train), vectors, gold, data_name(probe_train))
    return FunctionalTests(
        data=data_name(data),
        model=model.fingerprint,
        settings={
            "reviews": len(test),
            "probe_reviews": 0 if train is None else len(train),
            "probe_penalty": PENALTY,
            "seed": seed,
        },
        examples=len(test),
        swapped=swapped,
        majority=tuple(float(np.bincount(column).max() / len(gold)) for column in gold.T),
        removal=Removal(
            concepts,
            before=tuple(row[k] for k, row in enumerate(swapped.accuracy)),
            after=tuple(after),
            lost=tuple(tuple(_lost(masks, k, j) for j in concepts) for k in concepts),
        ),
        probes=probes,
    )


def without(masks: MaskSet, concept: str) -> MaskSet:
    """Every mask without the weights that ``concept`` keeps, M_j ∧ ¬M_k; nothing is left of its own."""
    if concept not in masks.concepts:
        raise InputError(one_of(concept, masks.concepts, "concept"))
    k = masks.concepts.index(concept)
    return MaskSet(masks.concepts, masks.shapes, {name: b & ~b[k] for name, b in masks.packed.items()})


def subnetwork_vectors(
    model: ConceptModel,
    texts: list[str],
    batch_size: int = 32,
    on_progress: OnCount = unheard,
) -> list[np.ndarray]:
    """z_j (N, E) of every text, one array a subnetwork, and last the mean token embeddings (N, E')."""
    network, size, done = model.cbm, model.space.num_concepts, 0
    _masks(model)
    vectors: list[np.ndarray] = []
    for indices, ids, mask in model.batches(model.encode(texts), batch_size):
        with torch.inference_mode(), active(model.weights):
            embeds = network.embed(ids)
            pooled = network.pooled(embeds.repeat(size, 1, 1), mask.repeat(size, 1))  # concept slowest
            parts = [*pooled.unflatten(0, (size, -1)), mean_over_tokens(embeds, mask)]
        vectors = vectors or [np.empty((len(texts), part.shape[1]), np.float32) for part in parts]
        for whole, part in zip(vectors, parts, strict=True):
            whole[indices] = part.float().cpu().numpy()
        done += len(indices)
        on_progress(done, len(texts))
    return vectors


def _swapped_accuracy(model: ConceptModel, vectors: list[np.ndarray], gold: np.ndarray) -> CrossAccuracy:
    """As `explain.cross_accuracy` from vectors that are there already."""
    network, size = model.cbm, model.space.num_concepts
    accuracy = np.empty((size, size))
    for j, pooled in enumerate(vectors):
        rows = torch.from_numpy(pooled).to(model.device)
        with torch.inference_mode():
            states = network.project(rows.expand(size, *rows.shape)).argmax(-1).cpu().numpy()  # (N, K)
        accuracy[:, j] = (states == gold).mean(0)
    return CrossAccuracy(model.space.concepts, tuple(map(tuple, accuracy.tolist())), len(gold))


def _probes(
    concepts: tuple[str, ...],
    known: list[np.ndarray],
    known_states: np.ndarray,
    vectors: list[np.ndarray],
    states: np.ndarray,
    train: Mapping[str, str],
) -> Probes:
    found = np.array(
        [
            [
                probe_accuracy(known[j], known_states[:, k], vectors[j], states[:, k])
                for j in range(len(vectors))
            ]
            for k in range(len(concepts))
        ]
    )  # (K, K+1)
    return Probes(
        concepts,
        accuracy=tuple(map(tuple, found[:, :-1].tolist())),
        embeddings=tuple(found[:, -1].tolist()),
        train=train,
        examples=len(known_states),
    )


def probe_accuracy(
    known: np.ndarray, known_states: np.ndarray, vectors: np.ndarray, states: np.ndarray
) -> float:
    """Accuracy on ``vectors`` (N, E) of a logistic regression learned from ``known`` (M, E) (Alain & Bengio,
    2016), each feature standardised by the training vectors."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    present = np.unique(known_states)
    if len(present) == 1:  # nothing to tell apart
        return float((states == present[0]).mean())
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=1000))
    return float((probe.fit(known, known_states).predict(vectors) == states).mean())


def _masks(model: ConceptModel) -> MaskSet:
    if model.masks is None:
        raise InputError("a dense model has one encoder for all concepts: there are no masks to test")
    return model.masks


def _lost(masks: MaskSet, removed: str, read: str) -> float:
    own = sum(masks.kept()[read].values())
    if removed == read:
        return 1.0
    return masks.overlap(removed, read)[0] / own if own else 0.0


def _off_diagonal(matrix: np.ndarray) -> float | None:
    others = matrix[~np.eye(len(matrix), dtype=bool)]
    return float(others.mean()) if len(others) else None
