"""The counts of Table 1, and their plain text."""

from __future__ import annotations

import dataclasses
import json

import pytest

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.data import dataset_stats, format_stats, load_cebab
from sparsecbm_core.data.types import Example, LoadReport, ReviewDataset
from sparsecbm_core.errors import InputError


@pytest.fixture
def splits(write_split, make_row):
    train = [
        make_row(food_aspect_majority="Negative", review_majority="1"),
        make_row(review_majority="no majority"),
    ]
    folder = write_split(train, "train_exclusive")
    write_split([make_row(food_aspect_majority="Negative", review_majority="5")], "dev")
    return [load_cebab(folder, "train_exclusive"), load_cebab(folder, "dev")]


def test_counts_every_row_read_over_all_splits(splits):
    stats = dataset_stats(splits)
    assert stats.name == "CEBaB"
    assert [(s.split, s.rows_read, s.rows_kept, s.dropped) for s in stats.splits] == [
        ("train_exclusive", 2, 1, {"no majority label": 1}),
        ("dev", 1, 1, {}),
    ]
    food = stats.concepts["food"]
    assert [(state, share.count) for state, share in food.items()] == [
        ("Negative", 2),
        ("Positive", 0),
        ("unknown", 1),
    ]
    assert food["Negative"].percent == pytest.approx(100 * 2 / 3)
    assert {label: share.count for label, share in stats.labels.items()} == {
        "1": 1,
        "2": 0,
        "3": 0,
        "4": 0,
        "5": 1,
    }
    assert stats.labels["5"].percent == 50


def test_one_data_set_needs_no_list(splits):
    assert dataset_stats(splits[1]) == dataset_stats([splits[1]])


def test_to_dict_is_json(splits):
    data = json.loads(json.dumps(dataset_stats(splits).to_dict()))
    assert data["splits"][0]["dropped"] == {"no majority label": 1}
    assert data["concepts"]["noise"]["unknown"] == {"count": 3, "percent": 100.0}


def test_text_table(splits):
    assert format_stats(dataset_stats(splits)).splitlines() == [
        "CEBaB",
        "",
        "split            read  kept  dropped",
        "train_exclusive  2     1     1 no majority label",
        "dev              1     1     0",
        "",
        "concept (rows read)  Negative  Positive  unknown",
        "food                 2 (67%)   0 (0%)    1 (33%)",
        "ambiance             0 (0%)    0 (0%)    3 (100%)",
        "service              0 (0%)    0 (0%)    3 (100%)",
        "noise                0 (0%)    0 (0%)    3 (100%)",
        "",
        "label (rows kept)  1        2       3       4       5",
        "rows               1 (50%)  0 (0%)  0 (0%)  0 (0%)  1 (50%)",
    ]


def test_the_same_split_twice_other_names_and_nothing_are_refused(splits):
    with pytest.raises(InputError, match="CEBaB dev is given more than once"):
        dataset_stats([splits[1], splits[1]])
    other = dataclasses.replace(splits[0], space=ConceptSpace(("food",), ("no", "yes"), ("1", "2")))
    with pytest.raises(InputError, match="other concepts, states or labels"):
        dataset_stats([splits[1], other])
    with pytest.raises(InputError, match="at least one"):
        dataset_stats([])


def test_a_report_without_counts_is_counted_from_the_examples():
    space = ConceptSpace(("food",), ("no", "yes"), ("bad", "good"))
    examples = tuple(Example(str(i), "t", i % 2, (state,)) for i, state in enumerate((0, 1, 1)))
    stats = dataset_stats(ReviewDataset("mine", "all", space, examples, LoadReport((), 3, 3)))
    assert {state: share.count for state, share in stats.concepts["food"].items()} == {"no": 1, "yes": 2}


def test_no_rows_give_no_division_by_zero():
    space = ConceptSpace(("food",), ("no", "yes"), ("bad", "good"))
    stats = dataset_stats(ReviewDataset("mine", "all", space, (), LoadReport((), 0, 0)))
    assert stats.labels["bad"].percent == 0.0
    assert "0 (0%)" in format_stats(stats)
