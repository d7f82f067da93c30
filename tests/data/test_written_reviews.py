"""The training reviews of our own: balanced, whole, and none of them near to what measures the models."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from sparsecbm_core.concepts import CEBAB, IMDB_ALL_CONCEPTS, imdb_space
from sparsecbm_core.data.open import joined, open_dataset
from sparsecbm_core.errors import DataError
from tests.toy import toy_reviews

REVIEWS = Path(__file__).parents[2] / "assets" / "reviews"
SETS = {
    "train-restaurants.csv": ("stars", CEBAB, ("guard.csv", "examples.json"), 800),
    "train-films.csv": (
        "label",
        imdb_space(IMDB_ALL_CONCEPTS),
        ("guard-films.csv", "examples-films.json"),
        1500,
    ),
}
RUN = 8  # words in a row that two texts may not share
ALIKE = 0.5  # of their words


@pytest.fixture(scope="module", params=list(SETS))
def written(request):
    label, space, held_out, least = SETS[request.param]
    options = {"text_column": "text", "label_column": label, "to_train": True}
    data = open_dataset("csv", REVIEWS / request.param, "train", options, space)
    return data, [text for name in held_out for text in texts_of(REVIEWS / name)], least


def texts_of(path):
    if path.suffix == ".json":
        return [item["text"] for item in json.loads(path.read_text(encoding="utf-8"))["examples"]]
    with path.open(encoding="utf-8", newline="") as handle:
        return [row["text"] for row in csv.DictReader(handle)]


def words(text):
    return re.findall(r"[a-z0-9']+", text.lower())


def runs(text):
    own = words(text)
    return {" ".join(own[i : i + RUN]) for i in range(len(own) - RUN + 1)}


def test_none_is_near_to_a_review_that_measures(written):
    data, held_out, _ = written
    taken = set().union(*map(runs, held_out))
    assert {item.id for item in data if runs(item.text) & taken} == set()
    sets = [set(words(text)) for text in held_out]
    for item in data:
        own = set(words(item.text))
        if len(own) > 5:
            assert max(len(own & other) / len(own | other) for other in sets) < ALIKE, item.text


def test_there_are_enough_and_no_text_twice(written):
    data, _, least = written
    whole = [item for item in data if item.edit_concept is None]
    assert len(whole) >= least
    assert max(Counter(" ".join(words(item.text)) for item in whole).values()) == 1


def test_states_and_labels_are_balanced(written):
    """Every concept is praised as often as blamed, to a tenth; labels occur alike."""
    data, _, _ = written
    whole = [item for item in data if item.edit_concept is None]
    for k in range(data.space.num_concepts):
        states = Counter(item.concepts[k] for item in whole)
        assert abs(states[0] - states[1]) < 0.1 * (states[0] + states[1])
        assert states[0] + states[1] > 0.4 * len(whole)
    labels = Counter(item.label for item in whole)
    assert max(labels.values()) < 1.1 * min(labels.values())
    silent = [item for item in whole if set(item.concepts) == {2}]
    assert len(silent) > 0.08 * len(whole)


def test_an_edit_is_its_text_without_one_concept(written):
    data, _, _ = written
    whole = {item.group: item for item in data if item.edit_concept is None}
    edits = [item for item in data if item.edit_concept is not None]
    assert len(edits) > 500
    for item in edits:
        k, original = data.space.concept_index(item.edit_concept), whole[item.group]
        assert (item.concepts[k], original.concepts[k] != 2, item.undecided) == (2, True, True)
        assert (
            item.concepts[:k] + item.concepts[k + 1 :] == original.concepts[:k] + original.concepts[k + 1 :]
        )
        assert not Counter(words(item.text)) - Counter(words(original.text))


def test_reviews_of_two_sources_are_one_set():
    first, second = toy_reviews(3), toy_reviews(4, seed=1)
    both = joined(first, second)
    assert len(both) == 7
    assert (both.split, both.report.rows_kept) == ("train", 7)
    with pytest.raises(DataError, match="other concepts"):
        joined(
            first,
            open_dataset(
                "csv", REVIEWS / "guard.csv", "x", {"text_column": "text", "label_column": "stars"}, CEBAB
            ),
        )
