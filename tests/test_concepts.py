"""Names and titles, and the JSON they are kept as."""

from __future__ import annotations

import json
from dataclasses import replace

from sparsecbm_core.concepts import CEBAB, IMDB_ALL_CONCEPTS, UNKNOWN, ConceptSpace, imdb_space


def test_a_label_and_a_state_of_one_name_have_titles_of_their_own() -> None:
    space = imdb_space(IMDB_ALL_CONCEPTS)
    assert [space.title(name) for name in space.states] == ["Negative", "Positive", "Not mentioned"]
    assert [space.label_title(name) for name in space.labels] == ["Negative review", "Positive review"]


def test_a_label_without_a_title_of_its_own_has_that_of_its_name() -> None:
    assert CEBAB.label_title("4") == CEBAB.title("4") == "4 of 5 stars"
    odd = ConceptSpace(("food",), ("no", "yes"), ("bad", "good"), {"good": "Liked"}, {"bad": "Disliked"})
    assert [odd.label_title(name) for name in odd.labels] == ["Disliked", "Liked"]
    assert ConceptSpace(("food",), ("no", "yes"), ("bad", "good")).label_title("bad") == "bad"


def test_titles_come_back_from_json() -> None:
    space = imdb_space()
    stored = json.loads(json.dumps(space.to_dict()))
    assert stored["label_titles"] == {"Negative": "Negative review", "Positive": "Positive review"}
    assert ConceptSpace.from_dict(stored) == space


def test_models_of_earlier_versions_are_read_and_written_as_they_were() -> None:
    older = {
        "concepts": ["acting"],
        "states": ["Negative", "Positive", UNKNOWN],
        "labels": ["Negative", "Positive"],
        "titles": {"acting": "Acting"},
    }
    space = ConceptSpace.from_dict(older)
    assert space.label_title("Negative") == "Negative"
    assert space.to_dict() == older
    newer = replace(imdb_space(("acting",)), label_titles={}, label_unit="", reads="")
    assert newer.to_dict().keys() == older.keys()
