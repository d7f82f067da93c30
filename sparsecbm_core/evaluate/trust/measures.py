"""The parts of a report, each measured on its context."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from sparsecbm_core.evaluate.calibration import fit_temperature, reliability
from sparsecbm_core.evaluate.causal import causal_effects
from sparsecbm_core.evaluate.classification import gold_labels, gold_states
from sparsecbm_core.evaluate.common import groups_of
from sparsecbm_core.evaluate.curves import correction_curves
from sparsecbm_core.evaluate.faithfulness import token_faithfulness
from sparsecbm_core.evaluate.functional import functional_tests
from sparsecbm_core.evaluate.intervals import bootstrap, macro_f1_interval, wilson
from sparsecbm_core.evaluate.leakage import head_labels
from sparsecbm_core.evaluate.trust.context import Context, halves
from sparsecbm_core.evaluate.trust.results import (
    Accuracy,
    CalibrationHalves,
    Effects,
    Estimate,
    HandCorrections,
    Leakage,
    Scaled,
    Score,
    Subnetworks,
    Tally,
    WordScores,
)
from sparsecbm_core.progress import OnCount


def measure_accuracy(context: Context, on_progress: OnCount) -> Accuracy:
    """Accuracy and macro-F1 of the label and of every concept, with how often each class is found.

    Where the data has groups, accuracies by the cluster bootstrap; else single shares by `wilson` and the
    mean over concepts by the bootstrap over reviews.
    """
    data, space, options = context.data, context.model.space, context.options
    made, groups = context.predictions(on_progress), groups_of(data)
    gold, states = gold_states(data), made.states.numpy()  # (N, K)
    grouped = any(example.group is not None for example in data)

    def resampled(right: np.ndarray) -> Estimate:
        return Estimate.of(bootstrap(right, groups, options.draws, options.seed))

    def f1(truth: np.ndarray, said: np.ndarray, classes: int) -> Estimate:
        return Estimate.of(macro_f1_interval(truth, said, classes, groups, options.draws, options.seed))

    def score(truth: np.ndarray, said: np.ndarray, names: tuple[str, ...]) -> Score:
        right = truth == said
        share = resampled(right) if grouped else Estimate.of(wilson(int(right.sum()), len(right)))
        majority = float(np.bincount(truth).max() / len(truth))
        return Score(share, f1(truth, said, len(names)), majority, tallies(truth, said, names))

    return Accuracy(
        label=score(gold_labels(data), made.labels.numpy(), space.labels),
        concepts={
            name: score(gold[:, k], states[:, k], space.states) for k, name in enumerate(space.concepts)
        },
        concept_accuracy=resampled((states == gold).mean(1)),
        concept_macro_f1=f1(gold, states, space.num_states),
        groups=len(set(groups)),
    )


def tallies(gold: np.ndarray, predicted: np.ndarray, names: tuple[str, ...]) -> dict[str, Tally]:
    """How often each class is gold, predicted, and both."""
    return {
        name: Tally(
            int((gold == index).sum()),
            int((predicted == index).sum()),
            int(((gold == index) & (predicted == index)).sum()),
        )
        for index, name in enumerate(names)
    }


def measure_leakage(context: Context, on_progress: OnCount) -> Leakage:
    """Label accuracy of the reference head on gold and on predicted states, and of the model itself."""
    model, data, options = context.model, context.data, context.options
    made, labels, groups = context.predictions(on_progress), gold_labels(data), groups_of(data)

    def share(right: np.ndarray) -> Estimate:
        return Estimate.of(bootstrap(right, groups, options.draws, options.seed))

    soft = made.labels.numpy() == labels
    if model.head is None:
        return Leakage(None, None, share(soft), None)
    gold, hard = (
        head_labels(model.head, states, model.space.num_states) == labels
        for states in (gold_states(data), made.states.numpy())
    )
    return Leakage(share(gold), share(hard), share(soft), share(soft.astype(float) - hard))


def measure_corrections(context: Context, on_progress: OnCount) -> HandCorrections:
    """Label accuracy against the number of concepts set by hand."""
    options, made = context.options, context.predictions(on_progress)
    typical = context.reference_predictions(on_progress)
    return correction_curves(
        context.model, context.data, context.reference, options.curve_draws, options.seed, made, typical
    )


def measure_calibration(context: Context, on_progress: OnCount) -> CalibrationHalves:
    """A temperature for the label and for each concept, fitted on one half and looked at on the other."""
    data, made = context.data, context.predictions(on_progress)
    fit, rest = halves(data, context.options.seed)
    gold, logits = gold_states(data), made.concept_logits
    return CalibrationHalves(
        fitted=len(fit),
        measured=len(rest),
        label=scaled(made.label_logits, gold_labels(data), fit, rest),
        concepts={
            name: scaled(logits[:, k], gold[:, k], fit, rest)
            for k, name in enumerate(context.model.space.concepts)
            if logits is not None
        },
    )


def scaled(logits: torch.Tensor, gold: np.ndarray, fit: np.ndarray, rest: np.ndarray) -> Scaled:
    """The temperature of logits (N, classes) at positions ``fit``, and reliability at positions ``rest``."""
    temperature = fit_temperature(logits[fit], gold[fit])
    values, target = logits[rest].double(), torch.as_tensor(gold[rest])
    return Scaled(
        temperature,
        reliability(values, gold[rest]),
        reliability(values / temperature, gold[rest]),
        float(F.cross_entropy(values, target)),
        float(F.cross_entropy(values / temperature, target)),
    )


def measure_effects(context: Context, on_progress: OnCount) -> Effects:
    """ICaCE-Error over the data's counterfactual pairs; `InputError` where it has none."""
    made, typical = context.predictions(on_progress), context.reference_predictions(on_progress)
    return causal_effects(context.model, context.data, context.reference, context.options.seed, made, typical)


def measure_subnetworks(context: Context, on_progress: OnCount) -> Subnetworks:
    """Every concept through every subnetwork, and every subnetwork without another's weights."""
    reviews, seed = context.options.subnetwork_reviews, context.options.seed
    return functional_tests(context.model, context.data, reviews, seed, on_progress)


def measure_words(context: Context, on_progress: OnCount, method: str) -> WordScores:
    """Comprehensiveness and sufficiency of a token method, with its controls."""
    reviews, seed = context.options.word_reviews, context.options.seed
    return token_faithfulness(context.model, context.data, method, reviews, seed, on_progress=on_progress)
