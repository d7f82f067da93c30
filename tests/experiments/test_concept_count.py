"""More and fewer concepts: which are opened, what is compared, sparse models as well."""

from __future__ import annotations

import csv
import json

import pytest

from sparsecbm_core.concepts import IMDB_ALL_CONCEPTS
from sparsecbm_core.errors import SettingsError
from sparsecbm_core.experiments.concept_count import Options, _scores, parts, summary, tables
from sparsecbm_core.experiments.experiment import Measured
from sparsecbm_core.experiments.lab import Lab
from tests.experiments.test_experiments import quick
from tests.tiny import make_tiny
from tests.toy import dataset, make_example


@pytest.fixture
def imdb(tmp_path):
    """Four reviews a split, in IMDB-C's own form."""
    for split in ("train", "dev"):
        for kind in ("manual", "generated"):
            with (tmp_path / f"IMDB-{split}-{kind}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, ["review", *IMDB_ALL_CONCEPTS, "sentiment"])
                writer.writeheader()
                for number in range(2):
                    states = dict.fromkeys(IMDB_ALL_CONCEPTS, "unknown" if number else "Positive")
                    text = f"{split} {kind} {number}"
                    writer.writerow({"review": text, **states, "sentiment": ("Negative", "Positive")[number]})
    return tmp_path


def test_all_eight_concepts_of_imdb_come_in_their_order(imdb, backbone):
    lab = Lab("imdb", imdb, device="cpu")
    found = parts(lab, Options(backbone=(backbone,)))
    assert [part.name for part in found] == [f"joint/{n}/tiny-bert/dev/0" for n in (2, 4, 6, 8)]
    assert lab.reviews("train").space.concepts == IMDB_ALL_CONCEPTS
    assert len({part.settings["train"]["fingerprint"] for part in found}) == 4
    # The paper's four are the first four: its own data, and so its own models.
    paper = Lab("imdb", imdb, device="cpu")
    assert found[1].settings["train"] == paper.about("train")


def test_concepts_weigh_the_same_together_however_many_there_are(imdb, backbone):
    """γ is per concept, and the loss adds up over them."""
    lab = Lab("imdb", imdb, device="cpu")
    found = parts(lab, Options(backbone=(backbone,), recipes=("joint", "sparse"), setting=("gamma=0.5",)))
    for part in found:
        assert part.settings["gamma"] * part.labels["concepts"] == pytest.approx(0.5 * 4)
        if part.labels["recipe"] == "sparse":
            assert part.settings["start"]["gamma"] == part.settings["gamma"]


def test_the_most_frequent_state_is_that_of_each_concept():
    states = [(0, 2, 1), (1, 2, 1), (1, 2, 0), (1, 2, 2)]  # food 3 of 4, service 4, noise 2
    data = dataset([make_example(n, concepts, 0) for n, concepts in enumerate(states)])
    assert _scores(make_tiny("bert"), data)["majority"] == pytest.approx((3 / 4 + 1 + 2 / 4) / 3)


def test_the_order_can_be_chosen(imdb, backbone):
    order = ("editing", "acting", "directing")
    lab = Lab("imdb", imdb, device="cpu")
    parts(lab, Options(backbone=(backbone,), counts=(1, 3), order=order))
    assert lab.reviews("dev").space.concepts == order
    with pytest.raises(SettingsError, match="unknown IMDB-C concept 'plot'"):
        parts(Lab("imdb", imdb, device="cpu"), Options(backbone=(backbone,), order=("plot",)))


def part(count, recipe="joint", seed=0, **accuracy):
    labels = {"recipe": recipe, "concepts": count, "backbone": "b", "split": "dev", "seed": seed}
    result = {
        "per_concept": {name: {"accuracy": value} for name, value in accuracy.items()},
        "leakage": {"gold": 0.9, "hard": 0.8, "soft": 0.85},
        "concept_accuracy": sum(accuracy.values()) / len(accuracy),
        "task_accuracy": 0.7,
        "majority": 0.6,
    }
    return Measured(labels, result)


def test_models_are_held_against_each_other_on_the_concepts_they_share():
    made = [
        part(3, a=0.6, b=0.8, c=0.1),
        part(2, a=0.7, b=0.9),
        part(2, seed=1, a=0.9, b=0.9),
    ]
    found = summary(made)
    assert found["common"] == ["a", "b"]
    two, three = found["rows"]
    assert (two["concepts"], three["concepts"]) == (2, 3)
    assert two["common_accuracy"]["values"] == pytest.approx([0.8, 0.9])
    assert three["common_accuracy"]["mean"] == pytest.approx(0.7)
    assert three["concept_accuracy"]["mean"] == pytest.approx(0.5)
    assert two["per_concept"]["a"]["mean"] == pytest.approx(0.8)
    assert three["label_from_states"]["mean"] == 0.8
    accuracy, single = tables(found)
    assert "concept acc. of a, b" in accuracy.header
    assert single.rows[0][-1] == "–"  # no c among two
    assert single.rows[1][-3:] == ["60.0", "80.0", "10.0"]


def test_nothing_measured_is_nothing_shown():
    assert summary([]) == {"rows": [], "common": []}


@pytest.mark.slow
def test_sparse_models_take_their_own_sparsity(reproduce, data, backbone, model, tmp_path):
    arguments = [*quick("concept-count", data, backbone, model, tmp_path), "--recipes", "joint,sparse"]
    code, _, err = reproduce("concept-count", *arguments, "--set", "sparsity=0.9")
    assert code == 0, err
    values = json.loads((tmp_path / "concept-count.json").read_text(encoding="utf-8"))
    rows = values["results"]["rows"]
    assert [(row["recipe"], row["concepts"]) for row in rows] == [
        ("joint", 1),
        ("sparse", 1),
        ("joint", 3),
        ("sparse", 3),
    ]
    assert rows[0]["sparsity"] is None
    assert rows[3]["sparsity"]["mean"] == pytest.approx(0.9, abs=1e-3)
    # a dense model for each number, which the sparse one starts from
    assert len(list((tmp_path / "runs").iterdir())) == 4
