"""Reviews made of others: whole texts that go together, and edits that add what is said of one concept."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.data.made import MOST, with_long_reviews, with_made_edits
from sparsecbm_core.data.types import Example
from tests.toy import dataset, toy_reviews


@given(seed=st.integers(0, 1000), share=st.sampled_from([0.1, 0.5]))
def test_what_is_joined_goes_together(seed, share):
    data = toy_reviews(40, seed=seed)
    both = with_long_reviews(data, share, seed)
    assert both.examples[:40] == data.examples
    added = both.examples[40:]
    assert 0 < len(added) <= round(share * 40)
    for item in added:
        parts = [part for part in data if part.text in item.text]
        assert len(parts) >= 2 or item.text.count(parts[0].text) >= 2
        assert min(part.label for part in data) <= item.label <= max(part.label for part in data)
    assert with_long_reviews(data, share, seed) == both


def test_by_hand():
    """One review speaks of food and one of service; a third contradicts both, and so goes with neither."""
    votes = ((0.8, 0.0, 0.2), (0.0, 0.0, 1.0), (0.0, 0.0, 1.0))
    other = ((0.0, 0.0, 1.0), (0.6, 0.2, 0.2), (0.0, 0.0, 1.0))
    first = Example("1", "Cold soup.", 1, (0, 2, 2), votes=votes, label_votes=(0.0, 1.0, 0.0, 0.0))
    second = Example("2", "Rude staff.", 2, (2, 0, 2), votes=other, label_votes=(0.0, 0.5, 0.5, 0.0))
    against = Example("3", "Great soup, nice staff.", 1, (1, 1, 2))
    far = Example("4", "Never again.", 3, (2, 2, 2))
    edit = replace(second, id="5", text="Rude.", edit_concept="service", group="2")
    data = dataset([first, second, against, edit])
    found = {item.text: item for item in with_long_reviews(data, 5.0, seed=1).examples[4:]}
    assert set(found) == {"Cold soup. Rude staff.", "Rude staff. Cold soup."}
    joined = found["Cold soup. Rude staff."]
    assert (joined.concepts, joined.label) == ((0, 0, 2), 2)
    assert joined.votes == ((0.8, 0.0, 0.2), (0.6, 0.2, 0.2), (0.0, 0.0, 1.0))
    assert joined.label_votes == (0.0, 0.75, 0.25, 0.0)
    assert len(with_long_reviews(dataset([first, far]), 5.0)) == 2


def test_no_more_than_asked_for_and_nothing_of_nothing():
    data = toy_reviews(10)
    assert with_long_reviews(data, 0.0) is data
    assert with_long_reviews(dataset(data.examples[:1]), 0.9).examples == data.examples[:1]
    longest = max(len(item.text) for item in with_long_reviews(data, 3.0).examples)
    assert longest <= MOST * (1 + max(len(item.text) for item in data))


def test_an_edit_adds_what_is_said_of_one_concept_alone():
    """Only the second review speaks of one concept; the first says nothing of it, the third does."""
    votes = ((0.8, 0.0, 0.2), (0.0, 0.2, 0.8), (0.4, 0.6, 0.0))
    other = ((0.0, 0.0, 1.0), (0.6, 0.2, 0.2), (0.0, 0.0, 1.0))
    first = Example("1", "Cold soup, quiet.", 1, (0, 2, 1), votes=votes, label_votes=(0.0, 1.0, 0.0, 0.0))
    second = Example("2", "Rude staff.", 2, (2, 0, 2), votes=other)
    third = Example("3", "Nice staff, good soup.", 3, (1, 1, 2))
    data = dataset([first, second, third])
    both = with_made_edits(data, 3.0, seed=1)
    made = {item.text for item in both.examples[3:]}
    assert made == {"Cold soup, quiet. Rude staff."}
    edit = both.examples[-1]
    assert (edit.concepts, edit.edit_concept, edit.edit_goal) == ((0, 0, 1), "service", "Negative")
    assert edit.votes == (votes[0], other[1], votes[2])
    assert edit.undecided
    assert edit.label_votes == (0.0, 0.0, 0.0, 0.0)
    assert edit.group == both.examples[0].group is not None
    assert replace(both.examples[0], group=None) == first
    assert both.examples[1:3] == data.examples[1:]


def test_a_lone_edit_is_a_review_like_others_and_one_with_its_original_is_not():
    """CEBaB's train_exclusive has one text of each review, which may be an edit."""
    single = Example("s", "Loud.", 1, (2, 2, 0))
    lone = Example("1", "Cold soup.", 1, (0, 2, 2), group="a", edit_concept="food")
    original = Example("2", "Rude staff.", 1, (1, 0, 2), group="b")
    edit = replace(original, id="3", text="Kind staff.", concepts=(1, 1, 2), edit_concept="service")
    both = with_made_edits(dataset([single, lone, original, edit]), 10.0, seed=0)
    assert (both.examples[1].edit_concept, both.examples[3].edit_concept) == (None, "service")
    made = [item for item in both.examples[4:] if item.edit_concept == "noise"]
    assert {item.group for item in made} == {"a", "b"}
    assert not any("Kind staff." in item.text for item in made)


@given(seed=st.integers(0, 1000))
def test_edits_differ_from_their_review_in_one_concept(seed):
    data = toy_reviews(30, seed=seed)
    both = with_made_edits(data, 0.5, seed)
    assert with_made_edits(data, 0.5, seed) == both
    assert len(both) <= 45
    originals = {item.group: item for item in both.examples[:30] if item.group}
    for item in both.examples[30:]:
        before = originals[item.group]
        changed = [
            k for k, pair in enumerate(zip(before.concepts, item.concepts, strict=True)) if len(set(pair)) > 1
        ]
        assert [data.space.concepts[k] for k in changed] == [item.edit_concept]
        assert item.text.startswith(before.text)
    assert with_made_edits(data, 0.0) is data
