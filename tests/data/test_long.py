"""Long reviews out of short ones: whole texts that go together, with what they say together."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.data.long import MOST, with_long_reviews
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
