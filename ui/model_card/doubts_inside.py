"""Doubts about what is inside a model: subnetworks, the words it colours, edited texts, corrections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.figures import precise_percent
from ui.model_card.changes import RULES
from ui.model_card.doubt import Doubt, Limits, first
from ui.model_card.effects import by_hand_effect
from ui.model_card.swaps import removal_by_concept, swap_drop
from ui.model_card.words import method_title, verdict
from ui.widgets.exhibits import points_between, signed_points

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.interventions import Interventions
    from sparsecbm_core.evaluate.trust.results import ModelReport, Subnetworks, WordScores


def subnetworks(found: Subnetworks, space: ConceptSpace, limits: Limits) -> Iterator[Doubt]:
    swap = swap_drop(found)
    if swap is not None and swap < limits.apart:
        yield Doubt(
            "Subnetworks that could stand in for each other.",
            "Read through another concept's subnetwork, the accuracy of a concept changes by "
            f"{signed_points(-swap)} points on average: what a mask shows is not that concept's alone.",
        )
    shared = sorted(
        (
            own - other,
            f"{space.title(name)} by {signed_points(-own)} without its own, {signed_points(-other)} without "
            "another's",
        )
        for name, own, other in removal_by_concept(found)
        if other is not None and own - other < limits.apart
    )
    if shared:
        yield Doubt(
            "Concepts that need their own weights no more than those of others.",
            f"Accuracy changes, in points: {first(shared)}.",
        )
    alike = sorted(
        (found.own[k] - value, f"{space.title(name)} through that of {space.title(found.concepts[j])}")
        for k, name in enumerate(found.concepts)
        for j, value in enumerate(found.swapped[k])
        if j != k and found.own[k] - value < limits.apart
    )
    if alike and swap is not None and swap >= limits.apart:
        pairs = [(drop, f"{text} ({signed_points(-drop)})") for drop, text in alike]
        yield Doubt("Concepts that other subnetworks read as well.", f"Change in points: {first(pairs)}.")


def words(name: str, found: WordScores) -> Iterator[Doubt]:
    """One for each method that some control is not clearly worse than."""
    than = {
        "random": "words in random order",
        "mask_swap": "the words that another concept's subnetwork puts first",
    }
    said = {
        control: f"{'less' if how == 'worse' else 'not clearly more'} than {than[control]} "
        f"({points_between(margin.comprehensiveness)})"
        for control, margin in found.margins.items()
        if control in than and (how := verdict(margin.comprehensiveness)) != "better"
    }
    if said:
        yield Doubt(
            f"Words coloured by {method_title(name).lower()}.",
            f"The words it puts first matter {' and '.join(said.values())}. {found.pairs:,} concepts were "
            "looked at.",
        )


def few_words(report: ModelReport, limits: Limits) -> Iterator[Doubt]:
    counts = [one.result.reviews for one in report.words.values() if one.result is not None]
    if counts and min(counts) < limits.rare:
        yield Doubt(
            "Few reviews for the words.",
            f"What is said of coloured words rests on as few as {min(counts):,} reviews.",
        )


def effects(report: ModelReport, limits: Limits) -> Iterator[Doubt]:
    if report.effects is None or report.effects.result is None:
        return
    errors = by_hand_effect(report.effects.result)
    if errors is not None and errors[0] > (1 - limits.foretold) * errors[1]:
        yield Doubt(
            "What if the review said something else.",
            f"Setting a concept by hand misses the effect of an edited text by {errors[0]:.2f}; assuming "
            f"that nothing changes misses it by {errors[1]:.2f}.",
        )


def interventions(found: Interventions, limits: Limits) -> Iterator[Doubt]:
    fewest = min((rule.pairs for rule in found.rules.values()), default=limits.rare)
    if fewest < limits.rare:
        yield Doubt("Few corrections.", f"What is said of corrections rests on {fewest:,} of them.")
    for name, rule in found.rules.items():
        if name == "oracle":  # it changes nothing in the model: 0 by its nature
            continue
        title = RULES.get(name, name).lower()
        unchanged = rule.guard_unchanged.get("concept", 1.0)
        delta = min(rule.guard_accuracy_delta.values(), default=0.0)
        said = []
        if rule.efficacy < limits.reached:
            said.append(
                f"{precise_percent(rule.efficacy)} of the corrections hold when the review comes again"
            )
        if unchanged < limits.unchanged:
            said.append(f"{precise_percent(1 - unchanged)} of the concept's states in other reviews change")
        if delta < -limits.harm:
            said.append(f"accuracy elsewhere changes by {signed_points(delta)} points")
        if said:
            yield Doubt(
                f"Corrections by the rule “{title}”.", f"{'; '.join(said)[:1].upper()}{'; '.join(said)[1:]}."
            )
    for name, chain in found.sequential.items():
        last = chain[-1] if chain else None
        if last is None:
            continue
        lost = min(
            last.concept_accuracy - last.concept_accuracy_start,
            last.label_accuracy - last.label_accuracy_start,
        )
        if last.still_right < limits.hold or lost < -limits.harm:
            yield Doubt(
                f"Many corrections in a row by the rule “{RULES.get(name, name).lower()}”.",
                f"After {last.corrections:,} of them {precise_percent(last.still_right)} of the corrections "
                f"still hold, and accuracy elsewhere has changed by {signed_points(lost)} points.",
            )
