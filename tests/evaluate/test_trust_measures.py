"""The parts of a report against the measures they are made of, and against cases worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sparsecbm_core.errors import DataError, InputError
from sparsecbm_core.evaluate.causal import causal_effects
from sparsecbm_core.evaluate.classification import gold_states, macro_f1
from sparsecbm_core.evaluate.common import groups_of
from sparsecbm_core.evaluate.functional import functional_tests
from sparsecbm_core.evaluate.intervals import bootstrap, wilson
from sparsecbm_core.evaluate.trust.context import Context, halves, sample_groups
from sparsecbm_core.evaluate.trust.measures import (
    measure_accuracy,
    measure_calibration,
    measure_corrections,
    measure_effects,
    measure_leakage,
    measure_subnetworks,
    measure_words,
    scaled,
    tallies,
)
from sparsecbm_core.evaluate.trust.options import ReportOptions
from sparsecbm_core.evaluate.trust.plan import (
    checked,
    empty_report,
    measure,
    missing,
    plan,
    seconds_a_read,
)
from sparsecbm_core.evaluate.trust.results import Estimate, Tally
from sparsecbm_core.explain.tokens import registry
from sparsecbm_core.models.sparse_cbm import StandardClassifier
from tests.tiny import make_tiny, with_masks
from tests.toy import dataset, make_example, toy_reviews

SMALL = ReportOptions(word_methods=("gradient",), word_reviews=2, subnetwork_reviews=6, draws=50)
QUICK = replace(SMALL, parts=("accuracy", "leakage", "corrections", "calibration"))


def quiet(done: int, total: int) -> None:
    """Progress that nobody looks at."""


@pytest.fixture(scope="module")
def model():
    made = make_tiny("bert")
    weights = torch.zeros(4, 9)
    weights[:3, :3] = torch.eye(3)  # reads the label off the state of food
    return replace(made, head=(weights, torch.zeros(4)))


@pytest.fixture
def context(model):
    return Context(model, toy_reviews(20, "dev"), SMALL)


def test_accuracy_is_that_of_the_predictions(model, context):
    found = measure_accuracy(context, quiet)
    made = model.predict(context.data.texts)
    gold = np.array([example.concepts for example in context.data])
    labels = np.array([example.label for example in context.data])
    right = made.states.numpy() == gold
    assert found.concept_accuracy.value == pytest.approx(right.mean())
    assert found.label.accuracy.value == pytest.approx((made.labels.numpy() == labels).mean())
    assert found.label.macro_f1.value == pytest.approx(macro_f1(labels, made.labels.numpy()))
    food = found.concepts["food"]
    assert food.accuracy.value == pytest.approx(right[:, 0].mean())
    assert food.majority == pytest.approx(np.bincount(gold[:, 0]).max() / 20)
    assert sum(tally.gold for tally in food.classes.values()) == 20
    assert sum(tally.right for tally in food.classes.values()) == right[:, 0].sum()
    assert food.accuracy.low <= food.accuracy.value <= food.accuracy.high
    assert found.groups == 20


def test_accuracies_of_single_reviews_get_wilsons_interval(model, context):
    found = measure_accuracy(context, quiet)
    right = model.predict(context.data.texts).states.numpy() == gold_states(context.data)
    assert found.concepts["service"].accuracy == Estimate.of(wilson(int(right[:, 1].sum()), 20))
    by_review = bootstrap(right.mean(1), groups_of(context.data), SMALL.draws)
    assert found.concept_accuracy == Estimate.of(by_review)


def test_accuracies_of_edits_are_grouped(model):
    data = dataset([make_example(n, (n % 3, 0, 1), n % 4, group=f"g{n // 5}") for n in range(25)])
    found = measure_accuracy(Context(model, data, SMALL), quiet)
    right = model.predict(data.texts).states.numpy() == gold_states(data)
    assert found.groups == 5
    food = bootstrap(right[:, 0], groups_of(data), SMALL.draws)
    assert (food.clusters, found.concepts["food"].accuracy) == (5, Estimate.of(food))


def test_tallies_by_hand():
    found = tallies(np.array([0, 0, 1]), np.array([0, 1, 1]), ("a", "b", "c"))
    assert found == {"a": Tally(2, 1, 1), "b": Tally(1, 2, 1), "c": Tally(0, 0, 0)}
    assert (found["a"].found, found["a"].true) == (0.5, 1.0)
    assert (found["c"].found, found["c"].true) == (None, None)


def test_leakage_is_read_from_states_and_from_the_model(model, context):
    found = measure_leakage(context, quiet)
    made = model.predict(context.data.texts)
    gold = np.array([example.concepts for example in context.data])
    labels = np.array([example.label for example in context.data])
    assert found.gold.value == pytest.approx((gold[:, 0] == labels).mean())
    assert found.hard.value == pytest.approx((made.states.numpy()[:, 0] == labels).mean())
    assert found.soft.value == pytest.approx((made.labels.numpy() == labels).mean())
    assert found.gain.value == pytest.approx(found.soft.value - found.hard.value)


def test_without_a_reference_head_only_the_model_s_own_is_known(model, context):
    found = measure_leakage(replace(context, model=replace(model, head=None)), quiet)
    assert found.gold is found.hard is found.gain is None
    assert 0 <= found.soft.value <= 1


def test_corrections_start_from_the_model_and_end_with_every_concept_right(context):
    found = measure_corrections(context, quiet)
    accuracy = measure_accuracy(context, quiet).label.accuracy.value
    assert [curve.accuracy[0] for curve in found.curves] == pytest.approx([accuracy] * 4)
    assert {curve.concept_accuracy[-1] for curve in found.curves} == {1.0}
    assert {(curve.order, curve.replaced) for curve in found.curves} == {
        (order, replaced) for order in ("random", "least_confident") for replaced in ("all", "wrong")
    }
    reference = replace(context, reference=toy_reviews(10, "train"))
    assert {curve.values for curve in measure_corrections(reference, quiet).curves} == {"one_hot", "typical"}


def test_the_temperature_is_fitted_on_one_half_and_measured_on_the_other():
    # Half one: sure by a factor e, right in 3 of 4, so T makes 3/4 of a lead of 1: 1/T = ln 3.
    logits = torch.tensor([[1.0, 0.0]] * 4 + [[1.0, 0.0]] * 2)
    gold = np.array([0, 0, 0, 1, 0, 0])
    found = scaled(logits, gold, np.arange(4), np.array([4, 5]))
    assert found.temperature == pytest.approx(1 / np.log(3), rel=1e-6)
    assert sum(found.before.count) == 2
    assert found.after.ece == pytest.approx(0.25)
    assert found.nll_after == pytest.approx(-np.log(0.75))


def test_calibration_halves_share_no_group(context):
    found = measure_calibration(context, quiet)
    assert found.fitted + found.measured == 20
    assert set(found.concepts) == {"food", "service", "noise"}
    assert sum(found.label.before.count) == found.measured


def test_halves_and_samples_take_whole_groups():
    examples = [make_example(i, (0, 0, 0), 0, group=str(i // 3)) for i in range(12)]
    data = dataset(examples)
    first, second = halves(data, 0)
    names = groups_of(data)
    assert not {names[i] for i in first} & {names[i] for i in second}
    assert sorted([*first, *second]) == list(range(12))
    some = sample_groups(data, 4, 0)
    assert len(some) == 6
    assert sorted(set(groups_of(some))) != groups_of(some)
    assert [e.id for e in some] == sorted((e.id for e in some), key=int)
    assert len(sample_groups(data, None, 0)) == 12
    with pytest.raises(InputError, match="single group"):
        halves(dataset(examples[:3]), 0)


def test_subnetworks_are_the_functional_tests(context):
    found = measure_subnetworks(context, quiet)
    assert found == functional_tests(context.model, context.data, reviews=6)
    assert found.own == tuple(np.diag(found.swapped))
    assert found.drop(0, 1) == pytest.approx(found.own[1] - found.removed[0][1])


def test_words_have_their_controls(context):
    found = measure_words(context, quiet, "gradient")
    assert found.pairs > 0
    assert set(found.rankings) == {"own", "random", "mask_swap"}
    assert set(found.margins) == {"random", "mask_swap"}
    own, by_chance = found.rankings["own"], found.rankings["random"]
    gap = found.margins["random"].comprehensiveness.value
    assert gap == pytest.approx(own.comprehensiveness - by_chance.comprehensiveness)
    dense = replace(context, model=with_masks(context.model, None))
    assert "mask_swap" not in measure_words(dense, quiet, "gradient").rankings


def test_effects_are_the_errors_over_counterfactual_pairs(model):
    examples = [
        make_example(0, (0, 0, 0), 1, group="a"),
        make_example(1, (1, 0, 0), 2, group="a", edit_concept="food"),
    ]
    data = dataset(examples)
    found = measure_effects(Context(model, data, SMALL), quiet)
    assert found.pairs == 2
    assert found == causal_effects(model, data)


def test_a_report_is_measured_part_by_part_and_goes_on(context):
    seen, ticks = [], []
    report = measure(
        context,
        empty_report(context.model),
        seen.append,
        lambda done, total, title: ticks.append((done, total)),
    )
    names = ["accuracy", "leakage", "corrections", "calibration", "effects", "subnetworks", "words"]
    assert len(seen) == len(names)
    assert [part.field for part in plan(context)] == names
    assert report.effects.result is None
    assert "no counterfactual pairs" in report.effects.skipped
    assert report.words["gradient"].examples == 2
    assert (report.accuracy.examples, report.accuracy.seed) == (20, 0)
    assert report.accuracy.data["name"] == "toy"
    assert [done for done, _ in ticks] == sorted(done for done, _ in ticks)
    assert ticks[-1][0] == ticks[-1][1]
    assert report.accuracy.seconds >= 0
    assert [part.field for part in missing(context, seen[2])] == names[3:]
    again = []
    assert measure(context, report, again.append) == report
    assert again == []


def test_a_stopped_report_gives_what_a_whole_one_gives(context):
    quick = replace(context, options=QUICK)
    half: list = []

    def stop(report):
        half.append(report)
        if len(half) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(quick, empty_report(context.model), stop)
    later = measure(quick, checked(quick, half[-1]))
    whole = measure(quick, empty_report(context.model))
    for name in QUICK.parts:
        assert later.part(name).result == whole.part(name).result


def test_a_dense_model_has_no_subnetworks_to_test(model):
    dense = Context(with_masks(model, None), toy_reviews(8, "dev"), replace(SMALL, parts=("subnetworks",)))
    report = measure(dense, empty_report(dense.model))
    assert report.subnetworks.result is None
    assert "dense model" in report.subnetworks.skipped


def test_what_was_measured_otherwise_is_not_mixed(context):
    quick = replace(context, options=QUICK)
    report = measure(quick, empty_report(context.model))
    with pytest.raises(InputError, match=r"accuracy measured otherwise \(draws\)"):
        checked(replace(quick, options=replace(QUICK, draws=60)), report)
    with pytest.raises(InputError, match=r"accuracy measured otherwise \(seed\)"):
        checked(replace(quick, options=replace(QUICK, seed=1)), report)
    with pytest.raises(InputError, match=r"accuracy measured otherwise \(data, limit\)"):
        checked(replace(quick, data=toy_reviews(6, "dev"), chosen={"limit": 6}), report)
    other = replace(quick, model=make_tiny("bert", seed=3))
    with pytest.raises(InputError, match="is of another model"):
        checked(other, report)
    assert checked(other, report, overwrite=True) == empty_report(other.model)


def test_overwriting_measures_the_parts_asked_for_alone(context):
    quick = replace(context, options=QUICK)
    report = measure(quick, empty_report(context.model))
    one = replace(quick, options=replace(QUICK, parts=("leakage",)))
    begun = checked(one, report, overwrite=True)
    assert begun.leakage is None
    assert begun.accuracy == report.accuracy


def test_the_first_part_that_needs_all_reviews_read_pays_for_it(context):
    assert seconds_a_read(context) > 0
    units = {part.field: part.units for part in plan(context)}
    left = {part.field: part.units for part in missing(context, empty_report(context.model))}
    assert left == {**units, "accuracy": units["accuracy"] + 20}
    assert units["subnetworks"] == 6 * 4


def test_a_further_token_method_is_measured_at_its_own_cost(context, monkeypatch):
    mine = replace(registry.METHODS["gradient"], name="mine", title="Mine", cost=100.0)
    monkeypatch.setitem(registry._METHODS, "mine", mine)
    options = replace(SMALL, parts=("words",), word_methods=("gradient", "mine"))
    assert "mine" in ReportOptions().word_methods
    ours = replace(context, options=options)
    cheap, dear = plan(ours)
    assert dear.name == "words by mine"
    # Two reviews, scored by the model and under other masks.
    assert dear.units - cheap.units == 2 * 2 * (100.0 - registry.METHODS["gradient"].cost)
    report = measure(ours, empty_report(context.model))
    assert report.words["mine"].result == report.words["gradient"].result


def test_a_standard_classifier_and_other_data_are_refused(model, context):
    standard = replace(model, network=StandardClassifier(model.network.encoder, model.space), masks=None)
    with pytest.raises(InputError, match="no concepts"):
        checked(replace(context, model=standard), None)
    with pytest.raises(DataError, match="no usable rows"):
        checked(replace(context, data=dataset([])), None)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"parts": ("accuracy", "luck")}, "unknown part 'luck'"),
        ({"parts": ()}, "no part to measure"),
        ({"word_methods": ("magic",)}, "unknown token method 'magic'"),
        ({"draws": 0}, "draws must be at least 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        ReportOptions(**values)
