"""What the Three views page says of its test, and of where two models disagree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sparsecbm_core.evaluate.word_removal import Removal, WordRemoval
from tests.app.made import SPACE, made
from ui.three_views.concepts import differences
from ui.three_views.removal import file_rows, rows
from ui.three_views.verdict import verdict


def test_disagreements_are_named() -> None:
    one = made()
    assert differences(one, one, SPACE) is None
    other = made(states={"food": "unknown"})
    line = differences(one, replace(other, label="bad"), SPACE)
    assert line == (
        "The plain bottleneck and the sparse one disagree: the label, Good review against bad; "
        "Food, Positive against not mentioned."
    )


def removal(
    path: tuple[float, ...], looks: tuple[float, ...], random: tuple[float, ...] = (0.9, 0.9, 0.9)
) -> WordRemoval:
    counts = (1, 3, 5)[: len(path)]
    words = ("a", "b", "c", "d", "e")[: counts[-1]]
    return WordRemoval(
        concept="food",
        state="Positive",
        probability=0.97,
        words=9,
        counts=counts,
        rankings={"pathway": Removal(words, path), "rollout": Removal(words, looks)},
        random=random[: len(path)],
        random_std=(0.1,) * len(path),
        draws=20,
        seed=0,
        model="0" * 16,
    )


@pytest.mark.parametrize(
    ("path", "looks", "random", "ends"),
    [
        ((0.5, 0.2, 0.1), (0.8, 0.7, 0.6), None, "marks what Food is read from better than attention."),
        ((0.8, 0.2, 0.1), (0.8, 0.7, 0.6), None, "(with 3 or 5 words taken out; no difference otherwise)."),
        ((0.8, 0.7, 0.6), (0.5, 0.2, 0.1), None, "attention does better: it marks what Food is read from."),
        ((0.5, 0.2, 0.6), (0.8, 0.7, 0.1), None, "the pathway with 1 or 3 words, attention with 5 words."),
        ((0.5, 0.2, 0.1), (0.51, 0.19, 0.1), None, "Here neither does better than the other."),
        ((0.5, 0.2, 0.1), (0.9, 0.9, 0.95), None, "Random words take as much away as those of attention."),
        ((0.9, 0.9, 0.9), (0.5, 0.2, 0.1), None, "Random words take as much away as those of the pathway."),
        ((0.9, 0.9, 0.9), (0.9, 0.9, 0.9), (0.4, 0.4, 0.4), "Neither takes more away than random words do."),
    ],
)
def test_the_sentence_says_what_happened(
    path: tuple[float, ...], looks: tuple[float, ...], random: tuple[float, ...] | None, ends: str
) -> None:
    found = removal(path, looks, random or (0.9, 0.9, 0.9))
    told = verdict(found, "rollout", "pathway", "Food", "Positive")
    assert told.startswith(
        "With the whole review, Food is Positive with 97 %. Without the 3 words marked most, "
    )
    assert f"{path[1]:.0%}".replace("%", " %") + " remain by the pathway" in told
    assert told.endswith(ends)


def test_a_short_review_is_told_of_in_the_singular() -> None:
    told = verdict(removal((0.2,), (0.6,)), "rollout", "pathway", "Food", "Positive")
    assert "Without the word marked most, 20 % remain by the pathway, 60 % by attention" in told


def test_the_tables_hold_the_numbers_of_the_test() -> None:
    found = removal((0.5, 0.2, 0.1), (0.8, 0.7, 0.6))
    assert [row["taken_out"] for row in rows(found, "rollout")] == ["1 word", "3 words", "5 words"]
    assert [row["attention"] for row in rows(found, "rollout")] == [0.8, 0.7, 0.6]
    in_file = file_rows(found)
    assert len(in_file) == 9
    assert [row["words"] for row in in_file[:3]] == ["a", "a | b | c", "a | b | c | d | e"]
    assert {row["taken_out_by"] for row in in_file} == {"pathway", "attention, rollout", "random words"}
