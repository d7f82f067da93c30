"""When not to trust a model: a sentence for every number that crosses its line, and none otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sparsecbm_core.evaluate.trust.results import (
    EffectError,
    Effects,
    Estimate,
    Interventions,
    Leakage,
    Measured,
    ModelReport,
    Subnetworks,
    Tally,
)
from tests.reports import PAIR, chain, curve, made_report, measured, near, rule, scaled, words
from ui.model_card.accuracy import leakage_words
from ui.model_card.calibration import by_chance, merged, sure_and_right
from ui.model_card.doubt import Limits
from ui.model_card.doubts import doubts, not_measured
from ui.model_card.hand import hand_words
from ui.model_card.swaps import subnetwork_words
from ui.model_card.words import verdict, word_words

Change = Callable[[ModelReport], ModelReport]


def about(report: ModelReport, limits: Limits | None = None) -> dict[str, str]:
    found = doubts(report, PAIR) if limits is None else doubts(report, PAIR, limits)
    return {doubt.about: doubt.text for doubt in found}


def test_a_report_without_a_fault_gives_no_warning() -> None:
    assert about(made_report()) == {}


def with_accuracy(change: Callable[[object], object]) -> Change:
    def apply(report: ModelReport) -> ModelReport:
        assert report.accuracy is not None
        return replace(report, accuracy=replace(report.accuracy, result=change(report.accuracy.result)))

    return apply


def label(**values: object) -> Change:
    return with_accuracy(lambda found: replace(found, label=replace(found.label, **values)))


def food(**values: object) -> Change:
    return with_accuracy(
        lambda found: replace(
            found, concepts={**found.concepts, "food": replace(found.concepts["food"], **values)}
        )
    )


def part(name: str, change: Callable[[object], object]) -> Change:
    def apply(report: ModelReport) -> ModelReport:
        kept: Measured[object] = getattr(report, name)
        return replace(report, **{name: replace(kept, result=change(kept.result))})

    return apply


def alike(found: Subnetworks) -> Subnetworks:
    return replace(found, swapped=((0.9, 0.88), (0.88, 0.9)))


CASES: list[tuple[str, Change, str, str]] = [
    (
        "wide",
        label(accuracy=Estimate(0.8, 0.7, 0.9)),
        "Few reviews.",
        "Measured on 400 reviews, the share of right labels could be anywhere from 70.0 % to 90.0 %.",
    ),
    (
        "majority",
        label(majority=0.79),
        "The label: no better than one answer for all.",
        "right in 80.0 % (78.0 to 82.0 %), always saying “bad” in 79.0 %.",
    ),
    (
        "concept majority",
        food(majority=0.95),
        "Concepts read no better than by one answer for all.",
        "Food: right in 90.0 % (88.0 to 92.0 %), always saying “Negative” in 95.0 %.",
    ),
    (
        "overlooked",
        food(classes={"Negative": Tally(40, 21, 20), "Positive": Tally(19, 15, 9)}),
        "Often overlooked.",
        "Found of those that people marked: Food, Negative: 20 of 40 (50 %).",
    ),
    (
        "said wrongly",
        label(classes={"bad": Tally(10, 40, 10)}),
        "Often said wrongly.",
        "Right of those that the model said: Label, bad: 10 of 40 (25 %).",
    ),
    (
        "leakage",
        part("leakage", lambda found: Leakage(near(0.8), near(0.55), near(0.8), near(0.25))),
        "The label is more than its concepts.",
        "25 of 100 labels depend on shades that the states do not show (+23.0 to +27.0). An explanation by "
        "states leaves them out.",
    ),
    (
        "by hand, worse",
        part("corrections", lambda found: replace(found, curves=(curve((0.7, 0.69, 0.68)),))),
        "Setting concepts by hand makes labels worse.",
        "Labels right: 70.0 % before, 68.0 % with every wrong concept set right.",
    ),
    (
        "by hand, little",
        part("corrections", lambda found: replace(found, curves=(curve((0.7, 0.7, 0.71)),))),
        "Setting concepts by hand hardly helps the label.",
        "Labels right: 70.0 % before, 71.0 % with every wrong concept set right.",
    ),
    (
        "too sure",
        part("calibration", lambda found: replace(found, label=scaled(0.7, 0.85, 0.75))),
        "How sure it is of the label.",
        "Surer than it should be, by 15.0 points on average (5.0 with a temperature of 1.50).",
    ),
    (
        "concept not sure enough",
        part(
            "calibration",
            lambda found: replace(found, concepts={**found.concepts, "food": scaled(0.9, 0.7, 0.5)}),
        ),
        "How sure it is of concepts.",
        "Food: less sure than it could be, by 20.0 points on average.",
    ),
    (
        "wrong and very sure",
        part("calibration", lambda found: replace(found, label=scaled(0.86, 0.92))),
        "Even where it is very sure.",
        "Label: 92 % sure in 300 reviews, right in 86 %.",
    ),
    (
        "alike",
        part("subnetworks", alike),
        "Subnetworks that could stand in for each other.",
        "Read through another concept's subnetwork, the accuracy of a concept changes by −2.0 points on "
        "average: what a mask shows is not that concept's alone.",
    ),
    (
        "one alike",
        part("subnetworks", lambda found: replace(found, swapped=((0.9, 0.88), (0.5, 0.9)))),
        "Concepts that other subnetworks read as well.",
        "Change in points: Food through that of service (−2.0).",
    ),
    (
        "shared weights",
        part("subnetworks", lambda found: replace(found, removed=((0.4, 0.85), (0.45, 0.4)))),
        "Concepts that need their own weights no more than those of others.",
        "Accuracy changes, in points: Food by −50.0 without its own, −45.0 without another's.",
    ),
    (
        "words, worse",
        lambda report: replace(report, words={"input_x_gradient": measured(words(near(-0.1), near(0.0)))}),
        "Words coloured by input × gradient.",
        "The words it puts first matter less than words in random order (−10.0 points, −12.0 to −8.0) and "
        "not clearly more than the words that another concept's subnetwork puts first (0.0 points, −2.0 to "
        "+2.0). 70 concepts were looked at.",
    ),
    (
        "effects",
        part(
            "effects",
            lambda found: Effects(
                9, {"one_hot": EffectError(near(0.6), 0, 0), "zero": EffectError(near(0.7), 1, 0)}
            ),
        ),
        "What if the review said something else.",
        "Setting a concept by hand misses the effect of an edited text by 0.60; assuming that nothing "
        "changes misses it by 0.70.",
    ),
    (
        "corrections",
        part(
            "interventions",
            lambda found: Interventions(9, {"paper": rule(0.3, 0.95, -0.02), "oracle": rule(0.0)}, {}),
        ),
        "Corrections by the rule “as published”.",
        "30.0 % of the corrections hold when the review comes again; 5.0 % of the concept's states in other "
        "reviews change; accuracy elsewhere changes by −2.0 points.",
    ),
    (
        "chain",
        part("interventions", lambda found: Interventions(9, {}, {"guarded": (chain(0.5, 0.65),)})),
        "Many corrections in a row by the rule “guarded”.",
        "After 50 of them 50.0 % of the corrections still hold, and accuracy elsewhere has changed by −5.0 "
        "points.",
    ),
    (
        "few words",
        lambda report: replace(
            report, words={"occlusion": measured(replace(words(near(0.2)), reviews=6, pairs=9))}
        ),
        "Few reviews for the words.",
        "What is said of coloured words rests on as few as 6 reviews.",
    ),
    (
        "few corrections",
        part("interventions", lambda found: Interventions(9, {"guarded": replace(rule(), pairs=4)}, {})),
        "Few corrections.",
        "What is said of corrections rests on 4 of them.",
    ),
    (
        "not measured",
        lambda report: replace(report, effects=None, words={}),
        "Not measured.",
        "Nothing is known here of edited texts and the words it colours.",
    ),
]


@pytest.mark.parametrize(("change", "title", "text"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_a_number_beyond_its_line_gives_one_sentence(change: Change, title: str, text: str) -> None:
    assert about(change(made_report())) == {title: text}


def test_the_lines_are_in_one_place() -> None:
    assert list(about(made_report(), Limits(helps=0.5))) == [
        "Setting concepts by hand hardly helps the label."
    ]
    leaking = part("leakage", lambda found: Leakage(near(0.8), near(0.55), near(0.8), near(0.25)))
    assert about(leaking(made_report()), Limits(leak=0.3)) == {}


def test_why_a_part_was_left_out_is_said() -> None:
    report = replace(made_report(), effects=measured(None, skipped="toy dev has no pairs"))
    assert not_measured(report) == ["edited texts (toy dev has no pairs)"]


def test_leakage_in_words_as_the_rounded_numbers_say() -> None:
    (text,) = leakage_words(Leakage(near(0.53), near(0.506), near(0.737), near(0.231)))
    assert text.startswith("51 of 100 labels follow from the concepts alone. The model gets 74: the other 23")
    assert text.endswith("Were every state right, it would be 53.0 % (51.0 to 55.0 %).")
    (same,) = leakage_words(Leakage(None, near(0.7), near(0.7), near(0.0)))
    assert "needs nothing that the states do not show" in same
    assert "could as well be nothing" in same
    (fewer,) = leakage_words(Leakage(None, near(0.7), near(0.65), near(-0.05)))
    assert "5 fewer: the shades lead it astray" in fewer
    (unknown,) = leakage_words(Leakage(None, None, near(0.7), None))
    assert "not known" in unknown


def test_setting_what_is_right_is_told_apart_from_setting_what_is_wrong() -> None:
    said = hand_words((curve((0.7, 0.75, 0.8)), curve((0.7, 0.6, 0.5), "all")))
    assert "80.0 % of the labels are right instead of 70.0 % (+10.0 points)" in said
    assert "takes 30.0 points away again" in said
    assert "away" not in hand_words((curve((0.7, 0.75, 0.8)),))
    assert hand_words(()) == ""


def test_reliability_tables_by_hand() -> None:
    first, second = scaled(1.0, 0.9).before, scaled(0.5, 0.7).before
    both = merged([first, replace(second, count=(0, 0, 100))])
    assert both.count == (0, 0, 400)
    assert both.confidence[2] == pytest.approx((300 * 0.9 + 100 * 0.7) / 400)
    assert both.accuracy[2] == pytest.approx((300 * 1.0 + 100 * 0.5) / 400)
    assert both.ece == pytest.approx(0.875 - 0.85)
    assert sure_and_right(both) == pytest.approx((0.85, 0.875, 400))
    assert sure_and_right(both, 0.9) == (0.0, 0.0, 0)
    # One bin, 300 answers of confidence 0.5: a deviation of 0.5 / √300, of which the mean size is √(2/π).
    assert by_chance(scaled(0.5, 0.5).before) == pytest.approx(0.7979 * 0.5 / 300**0.5, rel=1e-3)


@pytest.mark.parametrize(
    ("margin", "expected"),
    [
        (Estimate(0.1, 0.02, 0.2), "better"),
        (Estimate(-0.1, -0.2, -0.02), "worse"),
        (Estimate(0.1, -0.02, 0.2), "not told apart"),
        (Estimate(0.1, None, None), "not told apart"),
    ],
)
def test_a_margin_is_judged_by_its_interval(margin: Estimate, expected: str) -> None:
    assert verdict(margin) == expected


def test_word_scores_are_said_plainly_also_when_they_are_bad() -> None:
    text = word_words("input_x_gradient", words(near(-0.1), near(0.05)))
    assert text == (
        "Input × gradient: without the words it puts first, a state loses 40.0 points. That is worse than "
        "random order: −10.0 points (−12.0 to −8.0). That is better than the words that another concept's "
        "subnetwork puts first: +5.0 points (+3.0 to +7.0)."
    )


def test_what_swapping_and_removing_cost() -> None:
    found = made_report().subnetworks
    assert found is not None
    assert found.result is not None
    first, second = subnetwork_words(found.result)
    assert (
        "changes by −40.0 points on average. Were nothing of it to be seen there, it would be −40.0." in first
    )
    assert second.endswith("it changes by −50.0 points, without those of another by −5.0.")
    alone = Subnetworks(("food",), ((0.9,),), (0.5,), ((0.4,),), ((1.0,),))
    assert subnetwork_words(alone) == (
        "Without its subnetwork the accuracy of the concept changes by −50.0 points.",
    )
