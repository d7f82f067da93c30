"""How much better the label gets as a person puts more concepts right."""

from __future__ import annotations

import numpy as np
import torch

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.classification import gold_labels, gold_states
from sparsecbm_core.evaluate.common import check_count, check_fits, data_name
from sparsecbm_core.evaluate.concept_values import label_logits, value_tables
from sparsecbm_core.evaluate.trust.results import HandCorrections, HandCurve
from sparsecbm_core.models.concept_model import ConceptModel, Predictions

RANDOM, LEAST_CONFIDENT = "random", "least_confident"
ALL, WRONG = "all", "wrong"


def correction_curves(
    model: ConceptModel,
    data: ReviewDataset,
    reference: ReviewDataset | None = None,
    draws: int = 20,
    seed: int = 0,
    predictions: Predictions | None = None,
    reference_predictions: Predictions | None = None,
) -> HandCorrections:
    """Set one concept after the other to its gold state and read the label again (Koh et al., 2020, Sec. 5).

    A set concept gets one-hot activations, as the oracle does, and in further curves the mean activations
    of the ``reference`` reviews with that state, which the label head is used to (see `concept_values`).
    Where activations say more than their state does, setting a concept that was right loses that, and the
    label may get worse: `HandCurve.replaced` keeps the two apart. The order is drawn anew for each review, or
    goes from the least sure concept (by the probability of its predicted state) to the surest.

    Raises `DataError` for data of another model, `InputError` for a standard classifier.
    """
    check_fits(model, data)
    check_count("draws", draws)
    made = model.predict(data.texts) if predictions is None else predictions
    if made.concept_logits is None or made.activations is None or made.readings is None:
        raise InputError("a standard classifier has no concepts to correct")
    states = torch.as_tensor(gold_states(data))  # (N, K)
    tables = value_tables(model, made.readings, reference, reference_predictions)
    sure = made.concept_logits.double().softmax(-1).amax(-1).numpy()  # (N, K)
    rng = np.random.default_rng(seed)
    orders = {
        RANDOM: [
            rng.permuted(np.tile(np.arange(sure.shape[1]), (len(sure), 1)), axis=1) for _ in range(draws)
        ],
        LEAST_CONFIDENT: [np.argsort(sure, axis=1, kind="stable")],
    }
    wrong = made.states.numpy() != states.numpy()
    labels, curves = gold_labels(data), []
    for values, table in tables.items():
        by_hand = table[torch.arange(len(states))[:, None], torch.arange(states.shape[1]), states]
        filled = made.activations.double().clone()  # (N, P, A)
        filled[:, : states.shape[1]] = by_hand
        kept = made.activations.double().clone()
        kept[:, : states.shape[1]][torch.as_tensor(wrong)] = by_hand[torch.as_tensor(wrong)]
        for replaced, target in ((ALL, filled), (WRONG, kept)):
            for order, rankings in orders.items():
                runs = [_accuracies(model, made.activations, target, r, labels) for r in rankings]
                curves.append(
                    HandCurve(
                        values,
                        order,
                        replaced,
                        accuracy=tuple(np.mean(runs, axis=0).tolist()),  # (draws, K+1) → (K+1,)
                        std=tuple(np.std(runs, axis=0).tolist()),
                        concept_accuracy=tuple(
                            np.mean([_concept_accuracy(wrong, r) for r in rankings], axis=0).tolist()
                        ),
                        draws=len(rankings),
                    )
                )
    return HandCorrections(None if reference is None else data_name(reference), tuple(curves))


def _accuracies(
    model: ConceptModel,
    activations: torch.Tensor,
    filled: torch.Tensor,
    ranking: np.ndarray,
    gold: np.ndarray,
) -> list[float]:
    """Label accuracy with the first 0 … K concepts of each review's ``ranking`` (N, K) set."""
    current, rows, scores = activations.double().clone(), torch.arange(len(gold)), []
    for n in range(ranking.shape[1] + 1):
        if n:
            chosen = torch.as_tensor(ranking[:, n - 1])
            current[rows, chosen] = filled[rows, chosen]
        scores.append(float((label_logits(model, current).argmax(-1).numpy() == gold).mean()))
    return scores


def _concept_accuracy(wrong: np.ndarray, ranking: np.ndarray) -> np.ndarray:
    """Share of concepts right with the first 0 … K of each ranking set: those that are wrong come last."""
    ranked = np.take_along_axis(wrong, ranking, axis=1)  # (N, K)
    left = ranked[:, ::-1].cumsum(1)[:, ::-1]  # wrong ones from each place on
    left = np.concatenate([left, np.zeros((len(left), 1), dtype=left.dtype)], axis=1)  # (N, K+1)
    return 1 - left.mean(0) / wrong.shape[1]
