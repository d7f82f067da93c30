"""The parts of a report that read each review once: accuracy, leakage, corrections by hand, calibration."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import torch
import torch.nn.functional as F

from sparsecbm_core.evaluate.calibration import ReliabilityTable, fit_temperature, reliability
from sparsecbm_core.evaluate.causal import causal_effects
from sparsecbm_core.evaluate.classification import gold_labels, gold_states
from sparsecbm_core.evaluate.common import groups_of
from sparsecbm_core.evaluate.curves import correction_curves
from sparsecbm_core.evaluate.f1_intervals import macro_f1_interval
from sparsecbm_core.evaluate.intervals import Interval, accuracy_intervals, bootstrap
from sparsecbm_core.evaluate.leakage import one_hot_states
from sparsecbm_core.evaluate.trust.context import Context, halves
from sparsecbm_core.evaluate.trust.results import (
    Accuracy,
    CalibrationHalves,
    EffectError,
    Effects,
    Estimate,
    HandCorrections,
    HandCurve,
    Leakage,
    Reliability,
    Scaled,
    Score,
    Tally,
)
from sparsecbm_core.progress import OnCount


def estimate(interval: Interval) -> Estimate:
    """The figure and its ends."""
    return Estimate(interval.value, interval.low, interval.high)


def measure_accuracy(context: Context, on_progress: OnCount) -> Accuracy:
    """Accuracy and macro-F1 of the label and of every concept, with how often each class is found."""
    model, data, options = context.model, context.data, context.options
    made, space, groups = context.predictions(on_progress), model.space, groups_of(data)
    found = accuracy_intervals(model, data, made, options.draws, options.seed)
    gold, states = gold_states(data), made.states.numpy()

    def score(right: Interval, truth: np.ndarray, said: np.ndarray, names: tuple[str, ...]) -> Score:
        f1 = macro_f1_interval(truth, said, len(names), groups, options.draws, options.seed)
        majority = float(np.bincount(truth).max() / len(truth))
        return Score(estimate(right), estimate(f1), majority, tallies(truth, said, names))

    whole = macro_f1_interval(gold, states, space.num_states, groups, options.draws, options.seed)
    each = found.per_concept or {}
    return Accuracy(
        label=score(found.label, gold_labels(data), made.labels.numpy(), space.labels),
        concepts={
            name: score(each[name], gold[:, k], states[:, k], space.states)
            for k, name in enumerate(space.concepts)
        },
        concept_accuracy=estimate(found.concept or found.label),
        concept_macro_f1=estimate(whole),
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
        return estimate(bootstrap(right, groups, options.draws, options.seed))

    soft = made.labels.numpy() == labels
    if model.head is None:
        return Leakage(None, None, share(soft), None)
    weights, bias = (tensor.numpy() for tensor in model.head)

    def right(states: np.ndarray) -> np.ndarray:
        read = one_hot_states(states, model.space.num_states) @ weights.T + bias  # (N, Y)
        return read.argmax(-1) == labels

    hard = right(made.states.numpy())
    gain = share(soft.astype(float) - hard)
    return Leakage(share(right(gold_states(data))), share(hard), share(soft), gain)


def measure_corrections(context: Context, on_progress: OnCount) -> HandCorrections:
    """Label accuracy against the number of concepts set by hand."""
    options = context.options
    made = context.predictions(on_progress)
    found = correction_curves(
        context.model,
        context.data,
        context.reference,
        options.curve_draws,
        options.seed,
        made,
        context.reference_predictions(on_progress),
    )
    return HandCorrections(found.reference, tuple(HandCurve(**asdict(curve)) for curve in found.curves))


def measure_calibration(context: Context, on_progress: OnCount) -> CalibrationHalves:
    """A temperature for the label and for each concept, fitted on one half and looked at on the other."""
    data, made = context.data, context.predictions(on_progress)
    fit, rest = halves(data, context.options.seed)
    gold = gold_states(data)
    logits = made.concept_logits
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
        _table(reliability(values, gold[rest])),
        _table(reliability(values / temperature, gold[rest])),
        float(F.cross_entropy(values, target)),
        float(F.cross_entropy(values / temperature, target)),
    )


def _table(found: ReliabilityTable) -> Reliability:
    return Reliability(**asdict(found))


def measure_effects(context: Context, on_progress: OnCount) -> Effects:
    """ICaCE-Error over the data's counterfactual pairs; `InputError` where it has none."""
    found = causal_effects(
        context.model,
        context.data,
        context.reference,
        seed=context.options.seed,
        predictions=context.predictions(on_progress),
        reference_predictions=context.reference_predictions(on_progress),
    )
    return Effects(
        found.pairs,
        {
            name: EffectError(
                estimate(errors.l2_interval), errors.overall.cosine, errors.overall.norm_difference
            )
            for name, errors in found.estimators.items()
        },
    )
