"""What `evaluate` reports: exactly these keys, from exactly this split."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import DataError
from sparsecbm_core.evaluate import report as reports
from sparsecbm_core.evaluate.classification import macro_f1, paper_f1
from sparsecbm_core.evaluate.report import overlap_report
from sparsecbm_core.models.masks import MaskSet, chance_jaccard
from sparsecbm_core.models.sparse_cbm import StandardClassifier
from tests.tiny import SPACE, make_tiny, with_masks
from tests.toy import dataset, toy_reviews

KEYS = {
    "data",
    "model",
    "schema_version",
    "concept_accuracy",
    "concept_macro_f1",
    "per_concept",
    "task_accuracy",
    "task_macro_f1",
    "paper_f1",
    "leakage",
    "ece",
    "sparsity",
    "prunable_weights",
    "jaccard",
    "pathway",
    "unfamiliar",
    "examples",
    "seconds",
}
DEV = toy_reviews(20, "dev")


def evaluate_model(*arguments):
    """As it is exported."""
    return reports.evaluate_model(*arguments).to_dict()


def with_head(model):
    """A reference head that reads the label off the state of food: first label for the first state."""
    weights = torch.zeros(4, 9)
    weights[:3, :3] = torch.eye(3)
    return replace(model, head=(weights, torch.zeros(4)))


def standard():
    model = make_tiny("bert", density=None)
    return replace(model, network=StandardClassifier(model.network.encoder, SPACE).eval())


def test_a_sparse_model(tiny_model):
    model = with_head(tiny_model)
    report = evaluate_model(model, DEV)
    assert report.keys() == KEYS
    assert json.loads(json.dumps(report)) == report  # plain numbers
    predictions = model.predict(DEV.texts)
    states, labels = predictions.states.numpy(), predictions.labels.numpy()
    gold = np.array([example.concepts for example in DEV])
    stars = np.array([example.label for example in DEV])
    assert report["concept_accuracy"] == pytest.approx((states == gold).mean())
    assert report["task_accuracy"] == pytest.approx((labels == stars).mean())
    assert list(report["per_concept"]) == list(SPACE.concepts)
    for k, values in enumerate(report["per_concept"].values()):
        assert values == {
            "accuracy": pytest.approx((states[:, k] == gold[:, k]).mean()),
            "macro_f1": pytest.approx(macro_f1(gold[:, k], states[:, k])),
        }
    mean = np.mean([values["macro_f1"] for values in report["per_concept"].values()])
    assert report["concept_macro_f1"] == pytest.approx(mean)
    assert report["task_macro_f1"] == pytest.approx(macro_f1(stars, labels))
    assert report["paper_f1"] == {
        "concept": pytest.approx(np.mean([paper_f1(gold[:, k], states[:, k], 3) for k in range(3)])),
        "task": pytest.approx(paper_f1(stars, labels, 4)),
    }
    assert report["leakage"] == {
        "gold": pytest.approx((gold[:, 0] == stars).mean()),
        "hard": pytest.approx((states[:, 0] == stars).mean()),
        "soft": report["task_accuracy"],
    }
    assert 0 <= report["ece"] <= 1
    assert report["sparsity"] == dict.fromkeys(SPACE.concepts, 0.75)
    assert report["prunable_weights"] == 4096
    assert report["jaccard"].keys() == {"mean", "chance", "pairs"}
    assert report["examples"] == 20
    assert report["seconds"] >= 0
    assert report["data"] == {"name": "toy", "split": "dev", "fingerprint": DEV.fingerprint()}
    assert (report["model"], report["schema_version"]) == (model.fingerprint, 1)


def test_a_model_that_is_right_about_everything(tiny_model):
    predictions = tiny_model.predict(DEV.texts)
    examples = [
        replace(example, concepts=tuple(states), label=label)
        for example, states, label in zip(
            DEV, predictions.states.tolist(), predictions.labels.tolist(), strict=True
        )
    ]
    report = evaluate_model(tiny_model, dataset(examples))
    for key in ("concept_accuracy", "concept_macro_f1", "task_accuracy", "task_macro_f1"):
        assert report[key] == 1.0
    assert report["paper_f1"] == {"concept": 1.0, "task": 1.0}
    assert report["leakage"] == {"gold": None, "hard": None, "soft": 1.0}  # no reference head stored


def test_a_dense_model(tiny_model):
    report = evaluate_model(with_masks(with_head(tiny_model), None), DEV)
    assert report.keys() == KEYS
    assert report["sparsity"] is report["jaccard"] is None
    assert report["prunable_weights"] == 4096
    assert report["concept_accuracy"] is not None


def test_a_standard_classifier():
    report = evaluate_model(standard(), DEV)
    assert report.keys() == KEYS
    nothing = {key for key, value in report.items() if value is None}
    assert nothing == {
        "concept_accuracy",
        "concept_macro_f1",
        "per_concept",
        "leakage",
        "pathway",
        "unfamiliar",
        "sparsity",
        "prunable_weights",
        "jaccard",
    }
    assert report["paper_f1"]["concept"] is None
    assert 0 <= report["paper_f1"]["task"] <= 1


def test_batch_size_changes_nothing_but_speed(tiny_model):
    first, *others = (evaluate_model(tiny_model, DEV, size) for size in (1, 7, 64))
    for other in others:
        assert other.pop("ece") == pytest.approx(first["ece"], abs=1e-5)
        shares = (report["pathway"]["unmentioned_share"] for report in (other, first))
        assert next(shares) == pytest.approx(next(shares), abs=1e-5)
        other.pop("pathway")
        assert other == {key: first[key] for key in other} | {"seconds": other["seconds"]}


def test_only_the_given_split_counts(tiny_model):
    """Dev figures do not see test rows: both together are the weighted mean of each alone."""
    test = toy_reviews(12, "test")
    both = dataset([*DEV, *test], "both")
    reports = [evaluate_model(tiny_model, data) for data in (DEV, test, both)]
    for key in ("concept_accuracy", "task_accuracy"):
        alone, other, pooled = (report[key] for report in reports)
        assert pooled == pytest.approx((20 * alone + 12 * other) / 32)
    assert [report["examples"] for report in reports] == [20, 12, 32]
    assert reports[0]["concept_accuracy"] != reports[1]["concept_accuracy"]


def test_progress_counts_the_examples(tiny_model):
    seen = []
    evaluate_model(tiny_model, DEV, 8, lambda done, total: seen.append((done, total)))
    assert seen == [(8, 20), (16, 20), (20, 20)]


@pytest.mark.parametrize(
    "space",
    [
        ConceptSpace(("food", "noise", "service"), SPACE.states, SPACE.labels),
        ConceptSpace(SPACE.concepts, ("Positive", "Negative", "unknown"), SPACE.labels),
        ConceptSpace(SPACE.concepts, SPACE.states, ("4", "3", "2", "1")),
    ],
)
def test_data_for_another_model_is_refused(tiny_model, space):
    with pytest.raises(DataError, match="the model needs") as caught:
        evaluate_model(tiny_model, dataset(list(DEV), "dev", space))
    assert "\n" not in str(caught.value)


def test_titles_do_not_matter(tiny_model):
    space = ConceptSpace(SPACE.concepts, SPACE.states, SPACE.labels, {"food": "Food and drink"})
    assert evaluate_model(tiny_model, dataset(list(DEV), "dev", space))["examples"] == 20


def test_an_empty_split_is_refused(tiny_model):
    with pytest.raises(DataError, match="toy dev has no usable rows"):
        evaluate_model(tiny_model, dataset([]))


def test_overlap_by_hand():
    bits = np.array([[[1, 1, 0, 0]], [[1, 0, 1, 0]], [[1, 1, 1, 1]]], bool)
    report = overlap_report(MaskSet.from_bool(SPACE.concepts, {"m": bits}))
    assert report["pairs"] == {
        "food|service": pytest.approx(1 / 3),
        "food|noise": pytest.approx(1 / 2),
        "service|noise": pytest.approx(1 / 2),
    }
    assert report["mean"] == pytest.approx(4 / 9)
    chance = np.mean([chance_jaccard(0.5, 0.5), chance_jaccard(0.5, 1), chance_jaccard(0.5, 1)])
    assert report["chance"] == pytest.approx(chance)
    assert overlap_report(MaskSet.ones(("food",), {"m": (2, 2)})) is None
