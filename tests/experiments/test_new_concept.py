"""A concept added to a model: what is learned, from what, and that nothing else moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sparsecbm_core.config import PruneSettings
from sparsecbm_core.errors import InputError, SettingsError
from sparsecbm_core.evaluate.classification import gold_states
from sparsecbm_core.experiments.added_concept import (
    alone,
    extended,
    fit_head,
    learn_concept,
    read_vectors,
)
from sparsecbm_core.experiments.experiment import Measured
from sparsecbm_core.experiments.lab import Lab, Run
from sparsecbm_core.experiments.new_concept import START, _Bench, _moved, summary
from sparsecbm_core.experiments.some_concepts import SomeConcepts, with_concepts
from sparsecbm_core.intervene.reading import concept_logits
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.masks import MaskSet
from tests.cli.arguments import refused
from tests.tiny import SPACE, make_tiny, with_masks
from tests.toy import dataset, quick_settings, toy_reviews

PRUNE = PruneSettings(
    num_grads=6, grad_batch_size=4, block_size=8, updates=3, scope="matrix", exclusivity=0.0, sparsity=0.75
)


def parking(count, split="train"):
    """Reviews of a concept that the tiny models have not: their first one under another name."""
    reviews = with_concepts(toy_reviews(count, split), [SPACE.concepts[0]])
    return replace(reviews, space=replace(reviews.space, concepts=("parking",)))


@pytest.fixture(scope="module")
def added(tiny_model):
    return learn_concept(tiny_model, parking(24), PRUNE)


def test_no_reading_of_another_concept_changes_by_a_bit(tiny_model, added):
    texts = toy_reviews(20, "dev").texts
    before = {name: concept_logits(tiny_model, texts, name) for name in SPACE.concepts}
    after = extended(tiny_model, added)
    assert after.space.concepts == (*SPACE.concepts, "parking")
    for name in SPACE.concepts:
        assert torch.equal(concept_logits(tiny_model, texts, name), before[name])
        assert torch.equal(concept_logits(after, texts, name), before[name])
        for matrix in tiny_model.masks.shapes:
            assert (
                after.masks.concept_bool(matrix, name) == tiny_model.masks.concept_bool(matrix, name)
            ).all()
    assert _moved(tiny_model, after, texts) == 0
    said, was = after.predict(texts), tiny_model.predict(texts)
    assert said.label_logits.numpy() == pytest.approx(was.label_logits.numpy(), abs=1e-5)
    assert torch.equal(after.cbm.projector[:-1], tiny_model.cbm.projector)


def test_rounding_is_no_change(tiny_model, added):
    texts = toy_reviews(20, "dev").texts
    after = extended(tiny_model, added)
    with torch.no_grad():
        after.cbm.projector_bias[1, 0] += 1e-5
    assert _moved(tiny_model, after, texts) == 0


def test_a_change_in_another_concept_is_seen(tiny_model, added):
    texts = toy_reviews(20, "dev").texts
    after = extended(tiny_model, added)
    with torch.no_grad():
        after.cbm.projector_bias[1, 0] += 0.5
    assert _moved(tiny_model, after, texts) == 20


@pytest.mark.parametrize("arch", ["distilbert", "opt"])
def test_the_model_is_only_read(arch):
    model = make_tiny(arch)
    before, state = model.fingerprint, torch.random.get_rng_state()
    learn_concept(model, parking(8), PRUNE)
    assert replace(model).fingerprint == before
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not model.network.training
    assert not any(parameter.requires_grad for parameter in model.network.parameters())


def test_the_new_subnetwork_is_as_sparse_as_asked_and_read_by_its_head(tiny_model, added):
    kept = added.masks.kept()["parking"]
    for name, (rows, columns) in added.masks.shapes.items():
        assert kept[name] == rows * columns // 4
    reviews = parking(20, "dev")
    own = alone(tiny_model, reviews.space).weights_for(added.masks)
    states = added.head.states(read_vectors(tiny_model, tiny_model.encode(reviews.texts), own))
    said = extended(tiny_model, added).predict(reviews.texts)
    assert (said.states[:, -1].numpy() == states).all()


def test_what_is_learned_is_better_than_guessing_and_the_same_again(tiny_model, added):
    reviews = parking(24)
    gold = gold_states(reviews)[:, 0]
    guessing = np.bincount(gold).max() / len(gold)
    for head, masks in ((added.head, added.masks), (added.probe, None)):
        weights = None if masks is None else alone(tiny_model, reviews.space).weights_for(masks)
        z = read_vectors(tiny_model, tiny_model.encode(reviews.texts), weights)
        assert (head.states(z) == gold).mean() > guessing + 0.2
    again = learn_concept(tiny_model, reviews, PRUNE)
    assert again.masks == added.masks
    assert torch.equal(again.head.weight, added.head.weight)
    assert learn_concept(tiny_model, reviews, PRUNE, seed=1).masks != added.masks
    assert learn_concept(tiny_model, parking(6), PRUNE).masks != added.masks


def test_unowned_weights_alone_are_taken_where_that_is_asked(tiny_model):
    found = learn_concept(tiny_model, parking(12), PRUNE, unowned_only=True)
    for matrix in found.masks.shapes:
        owned = tiny_model.masks.to_bool(matrix).any(0)
        own = found.masks.concept_bool(matrix, "parking")
        assert not (own & owned).any()
        assert own.sum() == min(own.size // 4, (~owned).sum())
    # Where fewer are left than the sparsity asks for, these are what there is.
    tight = MaskSet.from_bool(SPACE.concepts, {n: crowded(tiny_model, n) for n in tiny_model.masks.shapes})
    few = learn_concept(with_masks(tiny_model, tight), parking(12), PRUNE, unowned_only=True)
    for matrix in few.masks.shapes:
        assert (few.masks.concept_bool(matrix, "parking") == ~tight.to_bool(matrix).any(0)).all()
    full = with_masks(tiny_model, MaskSet.ones(SPACE.concepts, tiny_model.masks.shapes))
    with pytest.raises(InputError, match="own all weights"):
        learn_concept(full, parking(4), PRUNE, unowned_only=True)


def crowded(model, matrix):
    """All weights but the first row, for every concept."""
    bits = np.ones_like(model.masks.to_bool(matrix))
    bits[:, 0] = False
    return bits


def test_progress_ends_at_the_total(tiny_model):
    seen = []
    learn_concept(tiny_model, parking(6), PRUNE, report=lambda done, total, what: seen.append((done, total)))
    assert seen == [(n, 18) for n in range(1, 19)]


def test_what_cannot_be_is_refused(tiny_model):
    with pytest.raises(InputError, match="needs a model with masks"):
        learn_concept(with_masks(tiny_model, None), parking(4), PRUNE)
    with pytest.raises(InputError, match="one new concept at a time"):
        learn_concept(tiny_model, toy_reviews(4), PRUNE)


def test_an_extended_model_can_be_kept(tiny_model, added, tmp_path):
    after = extended(tiny_model, added)
    after.save_pretrained(tmp_path / "model")
    loaded = ConceptModel.from_pretrained(tmp_path / "model", "cpu")
    assert loaded.space.concepts[-1] == "parking"
    assert loaded.masks == after.masks


def test_heads_are_logistic_regressions():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(60, 4)).astype(np.float32)
    states = np.where(z[:, 0] > 0.3, 2, np.where(z[:, 1] > 0, 0, 1))
    for kept in (states >= 0, states != 1):  # all three, and two of them
        x, y = z[kept], states[kept]
        head = fit_head(torch.from_numpy(x), y, 3)
        reference = LogisticRegression(max_iter=1000).fit(x.astype(np.float64), y)
        assert (head.states(torch.from_numpy(z)) == reference.predict(z.astype(np.float64))).all()
        shares = (torch.from_numpy(z) @ head.weight.T + head.bias).softmax(-1)[:, np.unique(y)]
        assert shares.numpy() == pytest.approx(reference.predict_proba(z.astype(np.float64)), abs=1e-4)


def test_a_state_that_was_never_seen_is_never_said():
    z = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    assert (fit_head(z, np.full(50, 1), 3).states(z) == 1).all()
    two = np.arange(50) % 2
    assert set(fit_head(z, two, 3).states(5 * z)) <= {0, 1}


def test_reviews_with_fewer_concepts_are_the_same_reviews():
    votes = ((0.5, 0.5, 0.0), (0.0, 1.0, 0.0), (0.2, 0.2, 0.6))
    whole = toy_reviews(6)
    whole = dataset([replace(example, votes=votes) for example in whole])
    some = with_concepts(whole, ["noise", "food"])
    assert some.space.concepts == ("noise", "food")
    assert some.texts == whole.texts
    for before, after in zip(whole, some, strict=True):
        assert after.concepts == (before.concepts[2], before.concepts[0])
        assert after.votes == (votes[2], votes[0])
        assert after.label == before.label
    with pytest.raises(InputError, match="unknown concept 'price'; choose one of: food"):
        with_concepts(whole, ["price"])
    with pytest.raises(SettingsError, match="concept names must differ"):
        with_concepts(whole, ["food", "food"])


def test_runs_are_named_after_the_concepts_they_saw(data, backbone, tmp_path):
    lab = Lab("cebab", data, runs=tmp_path, device="cpu")
    run = Run(quick_settings(backbone, kind="cbm"), "train", "dev")
    all_of_them = SomeConcepts(lab, lab.reviews("train").space.concepts)
    fewer = SomeConcepts(lab, ["food", "noise"])
    assert all_of_them.folder(run) == lab.folder(run) != fewer.folder(run)
    assert fewer.reviews("dev").space.concepts == ("food", "noise")
    assert fewer.opened() == lab.opened()
    assert lab.reviews("dev").space.num_concepts == 4


def test_a_smaller_sample_is_part_of_a_larger_one(data, backbone):
    lab = Lab("cebab", data, device="cpu")
    run = Run(quick_settings(backbone), "train", "dev")
    bench = _Bench(lab, SomeConcepts(lab, ["noise"]), run, "food", "train", "dev")
    small, large = bench.sample(4, 0), bench.sample(9, 0)
    assert small.texts == large.texts[:4] != bench.sample(4, 1).texts
    assert small.space.concepts == ("food",)
    assert len(set(bench.sample(16, 2).texts)) == 16


def part(concept, size, learned, draw=0, moved=0, weights="any"):
    result = {
        "learned": learned,
        "learned_macro_f1": learned,
        "probe": 0.5,
        "probe_macro_f1": 0.5,
        "majority": 0.4,
        "density": 0.25,
        "reviews": size,
        "others_moved": moved,
    }
    return Measured(
        {"concept": concept, "reviews": str(size), "weights": weights, "draw": draw, "seed": 0}, result
    )


def test_the_mean_over_concepts_needs_all_of_them():
    start = Measured(
        {"concept": "all", "reviews": "all", "weights": START, "draw": 0, "seed": 0},
        {"per_concept": {"a": {"accuracy": 0.9}, "b": {"accuracy": 0.7}}},
    )
    first = [part("a", 16, 0.6), part("a", 16, 0.8, draw=1)]
    second = [part("b", 16, 0.5, moved=2), part("b", 16, 0.1, draw=1), part("b", 64, 1)]
    rows = summary([start, *first, *second])["rows"]
    assert [(row["concept"], row["size"]) for row in rows] == [
        ("a", "16"),
        ("b", "16"),
        ("b", "64"),
        ("mean", "16"),
    ]
    assert rows[0]["learned"]["mean"] == pytest.approx(0.7)
    assert rows[0]["start"]["mean"] == 0.9
    # of each draw over the concepts, and not between concepts
    assert rows[-1]["learned"]["values"] == pytest.approx([0.55, 0.45])
    assert rows[-1]["start"]["values"] == pytest.approx([0.8])
    assert rows[-1]["others_moved"] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sizes", "0"], "--sizes must be numbers from 1 to 16, or all, got '0'"),
        (["--sizes", "17"], "from 1 to 16, or all, got '17'"),
        (["--sizes", "few"], "or all, got 'few'"),
        (["--recipe", "joint"], "unknown sparse recipe 'joint'; choose one of: sparse"),
        (["--weights", "nope"], "unknown kind of weights 'nope'; choose one of: any, unowned"),
        (["--draws", 0], "--draws must be at least 1, got 0"),
        (["--splits", "dev,test"], "one split to measure on at a time"),
    ],
)
def test_bad_input_is_one_line(reproduce, data, backbone, tmp_path, arguments, said):
    where = ["--data", data, "--out", tmp_path, "--train-split", "train", "--backbone", backbone]
    refused(reproduce("new-concept", *where, *arguments), said)
