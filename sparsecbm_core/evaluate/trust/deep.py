"""The parts of a report that read a review many times, and the one that is taken from another command."""

from __future__ import annotations

from pathlib import Path

from sparsecbm_core.errors import CheckpointError, InputError
from sparsecbm_core.evaluate.faithfulness import Erasure, TokenFaithfulness, token_faithfulness
from sparsecbm_core.evaluate.functional import functional_tests
from sparsecbm_core.evaluate.trust.context import Context
from sparsecbm_core.evaluate.trust.file import load_interventions
from sparsecbm_core.evaluate.trust.measures import estimate
from sparsecbm_core.evaluate.trust.results import (
    Interventions,
    Margin,
    Measured,
    Ranking,
    Subnetworks,
    WordScores,
)
from sparsecbm_core.files import read_json
from sparsecbm_core.progress import OnCount


def measure_subnetworks(context: Context, on_progress: OnCount) -> Subnetworks:
    """Every concept through every subnetwork, and every subnetwork without another's weights."""
    options = context.options
    found = functional_tests(
        context.model,
        context.data,
        reviews=options.subnetwork_reviews,
        seed=options.seed,
        on_progress=on_progress,
    )
    return Subnetworks(
        found.swapped.concepts,
        found.swapped.accuracy,
        found.majority,
        found.removal.after,
        found.removal.lost,
    )


def measure_words(context: Context, method: str, on_progress: OnCount) -> WordScores:
    """Comprehensiveness and sufficiency of one token method, with its controls."""
    options = context.options
    found = token_faithfulness(
        context.model,
        context.data,
        (method,),
        options.word_reviews,
        options.seed,
        on_progress=on_progress,
    )
    return _word_scores(found, method)


def _word_scores(found: TokenFaithfulness, method: str) -> WordScores:
    swapped = None if found.mask_swap is None else found.mask_swap[method]
    given = {
        "own": found.methods[method].mentioned,
        "random": found.random.mentioned,
        "mask_swap": None if swapped is None else swapped.mentioned,
    }
    erased = {name: erasure for name, erasure in given.items() if erasure is not None}
    return WordScores(
        reviews=found.reviews,
        skipped=found.skipped,
        pairs=erased["own"].pairs if erased else 0,
        shares=found.shares,
        rankings={name: _ranking(erasure) for name, erasure in erased.items()},
        margins={
            control: Margin(estimate(margin.comprehensiveness), estimate(margin.sufficiency))
            for control, margin in found.margins.get(method, {}).items()
        },
    )


def _ranking(erasure: Erasure) -> Ranking:
    return Ranking(
        erasure.comprehensiveness,
        erasure.sufficiency,
        erasure.comprehensiveness_curve,
        erasure.sufficiency_curve,
    )


def read_interventions(path: Path, model: str) -> Measured[Interventions]:
    """The figures of ``sparsecbm intervene-eval``, of the model with this fingerprint.

    Raises `InputError` for another model's file, `CheckpointError` for one that is
    damaged or of another kind.
    """
    values = read_json(path)
    if "rules" not in values or "model" not in values:
        raise CheckpointError(f"{path} is not a result of 'sparsecbm intervene-eval': it names no rules")
    if values["model"] != model:
        raise InputError(
            f"{path} is of another model (fingerprint {values['model']}) than the one given ({model})"
        )
    try:
        settings = dict(values["settings"])
        chains = values["sequential"]
        result = load_interventions(
            {"guard": settings["guard"], "rules": values["rules"], "sequential": chains}
        )
        return Measured(
            data=dict(values["data"]),
            examples=max((rule.pairs for rule in result.rules.values()), default=0),
            seed=int(settings["seed"]),
            seconds=None,
            settings=settings,
            result=result,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
