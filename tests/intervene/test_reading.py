"""Reading in bfloat16 and again where that is in doubt: the reports are those of exact readings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecbm_core.intervene.comparators import finetune
from sparsecbm_core.intervene.correct import intervene
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.guard import GuardBaseline
from sparsecbm_core.intervene.guard_files import (
    baseline_path,
    load_baseline,
    shipped_profile,
)
from sparsecbm_core.intervene.in_force import corrected_model
from sparsecbm_core.intervene.reading import (
    FACTOR,
    HalfError,
    half_is_faster,
    label_logits,
    lead_error,
    read_part,
)
from sparsecbm_core.models.concept_model import ConceptModel
from tests.tiny import ARCHITECTURES, REVIEW, SPACE
from tests.toy import toy_reviews

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "assets" / "models" / "cebab-minilm"


@pytest.fixture(scope="module")
def reviews():
    return toy_reviews(40)


@pytest.fixture(scope="module")
def exact(tiny_model, reviews):
    return GuardBaseline.read(tiny_model, reviews)


@pytest.fixture(scope="module")
def quick(exact):
    """The same, read in bfloat16 from here on."""
    return exact.quick()


def random_edit(model: ConceptModel, concept: str, size: int, seed: int) -> MaskEdit:
    generator, flips = np.random.default_rng(seed), {}
    for name, (rows, columns) in model.masks.shapes.items():
        flips[name] = generator.choice(rows * columns, min(size, rows * columns), replace=False)
    return MaskEdit({concept: flips})


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_bfloat16_is_near_for_every_architecture(tiny_models, reviews, arch):
    model = tiny_models[arch]
    encoded = model.encode(reviews.texts)
    exactly, half = (read_part(model, encoded, "food", half=half) for half in (False, True))
    torch.testing.assert_close(
        exactly, model.predict(reviews.texts).concept_logits[:, 0], atol=1e-5, rtol=1e-4
    )
    assert not torch.equal(exactly, half)
    assert float((exactly - half).abs().max()) < 0.3


@settings(max_examples=25)
@given(concept=st.sampled_from(SPACE.concepts), size=st.integers(1, 60), seed=st.integers(0, 10_000))
def test_the_quick_report_is_the_exact_one(tiny_model, exact, quick, concept, size, seed):
    corrected = corrected_model(tiny_model, random_edit(tiny_model, concept, size, seed))
    assert quick.report(corrected, (concept,)) == exact.report(corrected, (concept,))


def test_a_chain_of_readings_is_one_full_reading(tiny_model, reviews, quick):
    current, edit = tiny_model, MaskEdit({})
    for step, concept in enumerate(("food", "service", "food", "noise")):
        edit = edit ^ random_edit(tiny_model, concept, 20, step)
        following = corrected_model(tiny_model, edit)
        report = quick.report(following, (concept,))
        assert report == GuardBaseline.read(current, reviews).report(following, (concept,))
        quick, current = quick.at(following, (concept,)), following
        said = current.predict(reviews.texts)
        assert torch.equal(quick.states, said.states)
        assert torch.equal(quick.labels, said.labels)
        known = quick.exact
        torch.testing.assert_close(
            quick.concept_logits[known], said.concept_logits[known], atol=1e-5, rtol=1e-4
        )
        assert float((quick.concept_logits - said.concept_logits).abs().max()) < 0.3
    assert quick.model is tiny_model
    assert not quick.exact.all()


def test_comparing_two_readings_is_the_report(tiny_model, exact):
    corrected = corrected_model(tiny_model, random_edit(tiny_model, "food", 60, 1))
    later = exact.at(corrected, ("food",))
    assert exact.compare(later, ("food",)) == exact.report(corrected, ("food",))
    assert later.compare(later, ("food",)).changes == ()


def test_other_weights_are_read_exactly(tiny_model, quick):
    other = finetune(tiny_model, REVIEW, "food", SPACE.states[0]).corrected
    if other.network is tiny_model.network:
        other = finetune(tiny_model, REVIEW, "food", SPACE.states[1]).corrected
    assert other.network is not tiny_model.network
    later = quick.at(other, SPACE.concepts)
    assert later.exact.all()


def test_only_what_is_in_doubt_is_read_again(tiny_model, reviews, exact):
    """Without any error only changed predictions are read again; with a huge one everything is."""
    corrected = corrected_model(tiny_model, random_edit(tiny_model, "food", 20, 3))
    none, all_of_it = (
        exact._with(error=HalfError((error,) * 3)).at(corrected, ("food",)) for error in (0.0, 100.0)
    )
    assert all_of_it.exact.all()
    assert none.exact[:, 1:].all()
    changed = (none.states[:, 0] != exact.states[:, 0]) | (none.labels != exact.labels)
    assert not (changed & ~none.exact[:, 0]).any()
    assert not none.exact[:, 0].all()


def test_a_state_is_in_doubt_below_twelve_errors():
    error = HalfError((0.01, 0.1))
    logits = torch.tensor([[1.0, 0.85, 0.0], [1.0, 0.95, 0.0], [0.0, 1.5, 0.0]])
    assert FACTOR == 12
    assert error.state_in_doubt(logits, 0).tolist() == [False, True, False]
    assert error.state_in_doubt(logits, 1).tolist() == [True, True, False]


def test_a_label_is_in_doubt_where_the_error_could_move_it(tiny_model, reviews, exact):
    """Errors of the size measured never change a label that is not in doubt."""
    logits, generator = exact.concept_logits, torch.Generator().manual_seed(0)
    error = HalfError((0.3, 0.3, 0.3))
    unsure = error.label_in_doubt(tiny_model, logits, torch.zeros(logits.shape[:2], dtype=torch.bool))
    assert unsure.any()
    assert not unsure.all()
    for _ in range(50):
        moved = logits + 0.3 * torch.randn(logits.shape, generator=generator)
        labels = label_logits(tiny_model, moved).argmax(-1)
        assert torch.equal(labels[~unsure], exact.labels[~unsure])
    known = torch.ones(logits.shape[:2], dtype=torch.bool)
    assert not error.label_in_doubt(tiny_model, logits, known).any()


def test_the_error_of_a_lead():
    read, exactly = torch.tensor([[2.0, 1.0, 0.5]]), torch.tensor([[1.9, 1.2, 0.5]])
    # leads over the others: 1.0 and 1.5 as read, 0.7 and 1.4 in truth
    assert lead_error(read, exactly).tolist() == pytest.approx([0.3])


def test_which_way_is_quicker_is_measured(tiny_model, reviews, monkeypatch):
    encoded, clock = tiny_model.encode(reviews.texts), [0.0]
    costs = {True: 1.0, False: 2.0}

    def read(model, few, concept, *, half=False):
        clock[0] += costs[half]

    monkeypatch.setattr("sparsecbm_core.intervene.reading.read_part", read)
    monkeypatch.setattr("time.thread_time", lambda: clock[0])
    assert half_is_faster(tiny_model, encoded)
    costs[True] = 1.9
    assert not half_is_faster(tiny_model, encoded)


@pytest.mark.exhaustive
def test_the_bundled_model_reports_the_same_both_ways():
    from sparsecbm_core.cli.options import DatasetName, DataSource

    model = ConceptModel.from_pretrained(BUNDLED, "cpu")
    file = str(ROOT / "assets" / "reviews" / "guard.csv")
    reviews = DataSource(dataset=DatasetName.csv, data=file, label_column="stars").open("guard", model.space)
    shipped = load_baseline(baseline_path(BUNDLED, model, reviews.fingerprint()), model, reviews)
    assert shipped.error is not None
    # Every second review: enough of them change.
    some = replace(reviews, examples=reviews.examples[::2])
    quick = GuardBaseline.of(model, some, shipped.concept_logits[::2], shipped.error)
    profile, exact = shipped_profile(BUNDLED, model), quick.exactly()
    wrong = [
        (i, k)
        for k in range(model.space.num_concepts)
        for i, example in enumerate(reviews)
        if int(shipped.states[i, k]) != example.concepts[k]
    ]
    seen = set()
    for i, k in wrong[:: len(wrong) // 3][:3]:
        example, concept = reviews.examples[i], model.space.concepts[k]
        state = model.space.states[example.concepts[k]]
        done = intervene(model, example.text, concept, state, profile=profile)
        report = quick.report(done.corrected, (concept,))
        assert report == exact.report(done.corrected, (concept,))
        seen |= {change.review for change in report.changes}
    assert seen
