"""How well corrections work: reached, lasting, and what else they change, rule by rule."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.common import check_fits, data_name
from sparsecbm_core.evaluate.pairs import Pair, Reviews, mispredicted, siblings_right
from sparsecbm_core.evaluate.trust.interventions import ChainResult, RuleResult
from sparsecbm_core.intervene.comparators import correct_by
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.guard import GuardBaseline, GuardReport
from sparsecbm_core.intervene.in_force import corrected_model
from sparsecbm_core.intervene.profile import GuardProfile
from sparsecbm_core.intervene.protect import Protected
from sparsecbm_core.intervene.results import Intervention
from sparsecbm_core.intervene.rules import ALL_RULES, rule_named
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.progress import OnWork, unheard
from sparsecbm_core.session.attempt import correct
from sparsecbm_core.session.correction import Request, Settings
from sparsecbm_core.session.guard import Guard

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class InterventionEvaluation:
    """All rules in one run, with what they were measured on."""

    data: Mapping[str, Any]
    model: str
    settings: Mapping[str, Any]
    rules: Mapping[str, RuleResult] = field(default_factory=dict)
    sequential: Mapping[str, Sequence[ChainResult]] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def apply_rule(
    model: ConceptModel,
    pair: Pair,
    rule: str,
    profile: GuardProfile | None,
    protect: Protected | None = None,
) -> Intervention:
    """Correct a pair to its gold state by a rule or a comparator, at the r that it is meant for."""
    asked, r = _request(model, pair), rule_named(rule, ALL_RULES).r
    return correct_by(rule, model, asked.text, asked.concept, asked.state, r, profile, protect=protect)


def correct_pair(model: ConceptModel, pair: Pair, rule: str, spared: Guard) -> Intervention:
    """Correct a pair as a session does: where more of the ``spared`` reviews break than it tolerates, in the
    gentler way that it finds. The time it took is that of all."""
    done = correct(model, (), _request(model, pair), Settings(rule), spared).intervention
    return replace(done, corrected=corrected_model(model, done.edit))


def _request(model: ConceptModel, pair: Pair) -> Request:
    """What sets a pair right."""
    space, example = model.space, pair.example
    return Request(example.text, space.concepts[pair.k], space.states[example.concepts[pair.k]])


def evaluate_rule(
    model: ConceptModel,
    rule: str,
    pairs: Sequence[Pair],
    reviews: Reviews,
    baseline: GuardBaseline,
    profile: GuardProfile | None,
    on_progress: OnWork = unheard,
    spared: Guard | None = None,
) -> RuleResult:
    """Correct every pair on the pristine model and look at what else changed.

    With ``spared`` as `correct_pair` does, otherwise by the rule alone.
    """
    results: list[Intervention] = []
    reports: list[GuardReport] = []
    before, after = [0, 0], [0, 0]  # siblings right, siblings
    for number, pair in enumerate(pairs):
        if spared is None:
            done = apply_rule(model, pair, rule, profile)
        else:
            done = correct_pair(model, pair, rule, spared)
        changed = model.space.concepts if ALL_RULES[rule].shares_weights else (done.concept,)
        later = baseline if done.corrected is model else baseline.at(done.corrected, changed)
        reports.append(baseline.compare(later, (done.concept,)))
        for tally, one in ((before, model), (after, done.corrected)):
            right, count = siblings_right(one, pair, reviews.pool)
            tally[0] += right
            tally[1] += count
        # The corrected model holds a subnetwork of its own: 42 MB, and not needed any more.
        results.append(replace(done, corrected=model))
        on_progress(number + 1, len(pairs), f"{rule}: {number + 1} of {len(pairs)}")
    targets = ("concept", "other_concepts", "label")
    return RuleResult(
        pairs=len(results),
        efficacy=statistics.mean(float(done.again) for done in results),
        r_median=statistics.median(done.r for done in results),
        weights_flipped_median=statistics.median(done.edit.size / done.total for done in results),
        guard_unchanged={
            name: statistics.mean(getattr(report, name).unchanged_share for report in reports)
            for name in targets
        },
        guard_accuracy_delta={
            name: statistics.mean(getattr(report, name).accuracy_delta for report in reports)
            for name in targets
        },
        generalisation={
            "before": before[0] / before[1] if before[1] else None,
            "after": after[0] / after[1] if after[1] else None,
            "siblings": after[1],
        },
        seconds_median=statistics.median(done.seconds for done in results),
    )


def evaluate_chain(
    model: ConceptModel,
    rule: str,
    pairs: Sequence[Pair],
    lengths: Sequence[int],
    baseline: GuardBaseline,
    profile: GuardProfile | None,
    on_progress: OnWork = unheard,
    protect: Protected | None = None,
) -> list[ChainResult]:
    """The same model corrected one pair after another; figures after each of ``lengths``.

    With ``protect`` each correction, once made, is protected from those that follow.
    """
    current, figures, wanted = model, [], sorted({n for n in lengths if n <= len(pairs)})
    seconds: list[float] = []
    for number, pair in enumerate(pairs[: max(wanted, default=0)]):
        done = apply_rule(current, pair, rule, profile, protect)
        current = done.corrected
        seconds.append(done.seconds)
        if protect is not None:
            protect = protect.and_earlier(pair.example.text, done.concept, done.state)
        if number + 1 in wanted:
            here = _chain_figures(model, current, pairs[: number + 1], baseline)
            took = statistics.median(seconds)
            figures.append(replace(here, protected=protect is not None, seconds_median=took))
        on_progress(number + 1, wanted[-1], f"{rule}, in a chain: {number + 1} of {wanted[-1]}")
    return figures


def run_evaluation(
    model: ConceptModel,
    data: ReviewDataset,
    rules: Sequence[str],
    limit: int = 200,
    guard: int = 200,
    profile: int = 150,
    sequential: Sequence[int] = (),
    seed: int = 0,
    done: Mapping[str, Any] | None = None,
    on_progress: OnWork = unheard,
    on_result: Callable[[InterventionEvaluation], None] = unheard,
    protect: bool = True,
) -> InterventionEvaluation:
    """All ``rules`` on the same pairs. ``on_result`` gets what there is after each rule.

    With ``protect``, "guarded" takes care of the labelled reviews of the profile: a single correction where
    it breaks more of them than a session tolerates, one in a chain always, and of the earlier ones as well.
    The guard reviews, which measure, are never among them.

    ``done`` is the `to_dict` of a stopped run with the same data, model and settings: its rules are
    not measured again. Raises `InputError` for an unknown rule or too few reviews, and `DataError` for data
    with other concepts, states or labels than the model.
    """
    check_fits(model, data)
    chosen = {rule: rule_named(rule, ALL_RULES) for rule in rules}
    reviews = Reviews.of(data, profile, guard, seed)
    result = InterventionEvaluation(
        data=data_name(data),
        model=model.fingerprint,
        settings={
            "limit": limit,
            "guard": len(reviews.guard),
            "profile": len(reviews.profile),
            "seed": seed,
            "sequential": list(sequential),
            "protect": protect,
        },
    )
    result = _taken_up(result, done)
    pairs = mispredicted(model, reviews.pool, limit, seed)
    baseline, made = reviews.baseline(model), reviews.made_profile(model, rules, on_progress)
    for rule in rules:
        careful = protect and chosen[rule].can_protect()
        if rule not in result.rules:
            spared = Guard.in_memory(model, reviews.profile, made) if careful and made is not None else None
            figures = evaluate_rule(model, rule, pairs, reviews, baseline, made, on_progress, spared)
            result = replace(result, rules={**result.rules, rule: figures})
            on_result(result)
        if sequential and rule not in result.sequential and chosen[rule].lasts:
            held = None
            if careful:
                said = model.predict(reviews.profile.texts).concept_logits
                held = Protected.of(guard=reviews.profile, concept_logits=said)
            chain = evaluate_chain(model, rule, pairs, sequential, baseline, made, on_progress, held)
            result = replace(result, sequential={**result.sequential, rule: chain})
            on_result(result)
    return result


def _taken_up(result: InterventionEvaluation, done: Mapping[str, Any] | None) -> InterventionEvaluation:
    if not done:
        return result
    fresh = result.to_dict()
    if any(done.get(name) != fresh[name] for name in ("data", "model", "settings", "schema_version")):
        raise InputError("the results to go on from have other data, model or settings; use another file")
    return replace(
        result,
        rules={name: RuleResult(**figures) for name, figures in done["rules"].items()},
        sequential={
            name: [ChainResult(**figures) for figures in chain] for name, chain in done["sequential"].items()
        },
    )


def _chain_figures(
    model: ConceptModel, current: ConceptModel, pairs: Sequence[Pair], baseline: GuardBaseline
) -> ChainResult:
    report = baseline.report(current, model.space.concepts)
    said = current.predict([pair.example.text for pair in pairs]).states
    right = [
        int(states[pair.k]) == pair.example.concepts[pair.k] for states, pair in zip(said, pairs, strict=True)
    ]
    drift = 0
    if model.masks is not None and current.masks is not None:
        drift = MaskEdit.between(model.masks, current.masks).size
    return ChainResult(
        corrections=len(pairs),
        concept_accuracy=report.concept.accuracy_after,
        label_accuracy=report.label.accuracy_after,
        concept_accuracy_start=report.concept.accuracy_before,
        label_accuracy_start=report.label.accuracy_before,
        still_right=sum(right) / len(right),
        drift=drift,
    )
