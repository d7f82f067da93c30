"""The bundled film reviews: files that load, balanced labels, and a data sheet that tells the truth."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from sparsecbm_core.concepts import IMDB_ALL_CONCEPTS, NEGATIVE, POSITIVE, UNKNOWN, imdb_space
from sparsecbm_core.data import ReviewDataset, load_csv

REVIEWS = Path(__file__).resolve().parents[2] / "assets" / "reviews"
GUARD, EXAMPLES, SHEET = REVIEWS / "guard-films.csv", REVIEWS / "examples-films.json", REVIEWS / "README.md"
SPACE = imdb_space(IMDB_ALL_CONCEPTS)
VALUE = {NEGATIVE: -1, POSITIVE: 1, UNKNOWN: 0}
KINDS = {"mixed", "negation", "sarcasm", "single", "short", "long", "positive", "negative", "neutral"}
RUN = 6  # words; reviews made from a template share longer runs


def load(concepts: tuple[str, ...] = IMDB_ALL_CONCEPTS) -> ReviewDataset:
    return load_csv(GUARD, "text", "label", concepts, states=SPACE.states, labels=SPACE.labels)


@pytest.fixture(scope="module")
def guard() -> ReviewDataset:
    return load()


@pytest.fixture(scope="module")
def examples() -> list[dict[str, Any]]:
    data = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    assert set(data) == {"schema_version", "examples"}
    assert data["schema_version"] == 1
    return data["examples"]


@pytest.fixture(scope="module")
def values(guard: ReviewDataset) -> np.ndarray:
    """[reviews, concepts]: −1 Negative, 1 Positive, 0 not mentioned."""
    return np.array([[VALUE[SPACE.states[state]] for state in item.concepts] for item in guard])


@pytest.fixture(scope="module")
def verdicts(guard: ReviewDataset) -> np.ndarray:
    """[reviews]: −1 Negative, 1 Positive."""
    return np.array([VALUE[SPACE.labels[item.label]] for item in guard])


@pytest.fixture(scope="module")
def lengths(guard: ReviewDataset) -> list[int]:
    return [len(text.split()) for text in guard.texts]


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first, second)[0, 1])


def runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[\w']+", text.lower())
    return {tuple(words[start : start + RUN]) for start in range(len(words) - RUN + 1)}


def test_the_guard_reviews_load_into_the_space_of_film_models(guard: ReviewDataset) -> None:
    assert len(guard) >= 100
    assert (guard.space.concepts, guard.space.labels) == (IMDB_ALL_CONCEPTS, (NEGATIVE, POSITIVE))
    assert guard.report is not None
    assert sum(guard.report.dropped.values()) == 0
    fewer = load(imdb_space().concepts)  # a model of the paper's four concepts reads the same file
    assert [item.concepts for item in fewer] == [item.concepts[:4] for item in guard]


def test_guard_ids_are_numbered_in_the_order_of_the_file() -> None:
    ids = re.findall(r"^(guard-\d{3}),", GUARD.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert ids == [f"guard-{number:03d}" for number in range(1, len(load()) + 1)]


def test_every_state_is_about_a_third(values: np.ndarray) -> None:
    for state in VALUE.values():
        share = (values == state).mean(axis=0)
        assert share == pytest.approx(np.full(len(IMDB_ALL_CONCEPTS), 1 / 3), abs=0.03)


def test_labels_are_about_half_and_half(verdicts: np.ndarray) -> None:
    assert (verdicts == 1).mean() == pytest.approx(0.5, abs=0.05)


def test_no_concept_predicts_another(values: np.ndarray) -> None:
    for first, second in combinations(values.T, 2):
        assert abs(correlation(first, second)) < 0.1
        assert abs(correlation(first != 0, second != 0)) < 0.2


def test_no_single_concept_gives_the_label_away(values: np.ndarray, verdicts: np.ndarray) -> None:
    for column in values.T:
        assert 0 < correlation(column, verdicts) < 0.4
        assert abs(correlation(column != 0, verdicts)) < 0.2


def test_no_text_occurs_twice_or_shares_a_long_run_of_words(
    guard: ReviewDataset, examples: list[dict[str, Any]]
) -> None:
    texts = [*guard.texts, *(example["text"] for example in examples)]
    shared = [run for run, count in Counter(run for text in texts for run in runs(text)).items() if count > 1]
    assert shared == []
    assert len({" ".join(text.lower().split()) for text in texts}) == len(texts)


def test_texts_are_clean_and_of_varied_length(guard: ReviewDataset, lengths: list[int]) -> None:
    for text in guard.texts:
        assert text == text.strip()
        assert not re.search(r"<|>|\t|\r|  |\n\n\n", text), text
    assert min(lengths) >= 12
    assert max(lengths) <= 250
    assert sum(40 <= length <= 160 for length in lengths) >= 0.8 * len(lengths)
    assert sum(length <= 25 for length in lengths) >= 5
    assert sum(length >= 200 for length in lengths) >= 5


def test_examples_follow_the_schema(examples: list[dict[str, Any]]) -> None:
    for example in examples:
        assert list(example) == ["id", "title", "kind", "text", "label", "concepts"]
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", example["id"])
        assert 0 < len(example["title"]) <= 40
        assert example["text"] == example["text"].strip() != ""
        assert example["label"] in SPACE.labels
        assert tuple(example["concepts"]) == SPACE.concepts
        assert set(example["concepts"].values()) <= set(SPACE.states)
    assert {example["kind"] for example in examples} == KINDS
    for key in ("id", "title"):
        assert len({example[key] for example in examples}) == len(examples)


def test_examples_are_what_their_kind_says(examples: list[dict[str, Any]]) -> None:
    for example in examples:
        spoken = [state for state in example["concepts"].values() if state != UNKNOWN]
        words = len(example["text"].split())
        fits = {
            "mixed": set(spoken) == {NEGATIVE, POSITIVE},
            "single": len(spoken) == 1,
            "short": words <= 8,
            "long": words > 520,  # every word is a token or more, and a model reads 512
            "positive": set(spoken) == {POSITIVE} == {example["label"]},
            "negative": set(spoken) == {NEGATIVE} == {example["label"]},
            "neutral": not spoken,
        }
        assert fits.get(example["kind"], spoken != []), example["id"]
        assert example["kind"] == "long" or words <= 100


def section(title: str) -> str:
    """One section of the data sheet, with its heading and on one line."""
    found = re.search(
        rf"^## `{re.escape(title)}`.*?(?=^## |\Z)", SHEET.read_text(encoding="utf-8"), re.M | re.S
    )
    assert found, title
    return " ".join(found.group().split())


def test_the_data_sheet_counts_the_guard_reviews(
    guard: ReviewDataset, values: np.ndarray, verdicts: np.ndarray, lengths: list[int]
) -> None:
    sheet = section(GUARD.name)
    each = {state: {int(count) for count in (values == value).sum(axis=0)} for state, value in VALUE.items()}
    assert all(len(counts) == 1 for counts in each.values())
    negative, positive, unknown = (each[state].pop() for state in SPACE.states)
    spoken = (values != 0).sum(axis=1)
    between = max(abs(correlation(first, second)) for first, second in combinations(values.T, 2))
    with_label = [correlation(column, verdicts) for column in values.T]
    sums = values.sum(axis=1) * verdicts
    for sentence in (
        f"## `{GUARD.name}`: {len(guard)} labelled film reviews",
        f"`guard-001` … `guard-{len(guard):03d}`",
        f"{min(lengths)} to {max(lengths)} words, median {median(lengths):g};",
        f"`Negative` in {negative} reviews, `Positive` in {positive} and `unknown` in {unknown};",
        f"a review speaks of {spoken.min()} to {spoken.max()} concepts;",
        f"correlate by at most {between:.2f}.",
        f"{(verdicts == 1).sum()} reviews are `Positive` and {(verdicts == -1).sum()} `Negative`",
        f"of a single concept by {min(with_label):.2f} to {max(with_label):.2f}.",
        f"in {(sums > 0).sum()} reviews; they are even in {(sums == 0).sum()}, and in {(sums < 0).sum()} the",
        f"{sum(n <= 25 for n in lengths)} have at most 25 words "
        f"and {sum(n >= 200 for n in lengths)} have 200 or more.",
    ):
        assert sentence in sheet


def test_the_data_sheet_counts_the_examples(examples: list[dict[str, Any]]) -> None:
    sheet = section(EXAMPLES.name)
    words = {kind: {len(e["text"].split()) for e in examples if e["kind"] == kind} for kind in KINDS}
    assert f"## `{EXAMPLES.name}`: {len(examples)} example film reviews" in sheet
    assert f"very short ({words['short'].pop()} words)" in sheet
    assert f"very long ({words['long'].pop()} words:" in sheet


def test_the_data_sheet_names_every_column() -> None:
    header = GUARD.read_text(encoding="utf-8").splitlines()[0]
    assert header == ",".join(("id", "text", "label", *IMDB_ALL_CONCEPTS))
    section = SHEET.read_text(encoding="utf-8").split(f"## `{GUARD.name}`")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([a-z ]+)` \|", section, re.M) == header.split(",")
