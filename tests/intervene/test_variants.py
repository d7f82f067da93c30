"""The review in other words: what is left out and turned round, and how both models read it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.intervene.correct import intervene
from sparsecbm_core.intervene.variants import MOST, read_variants, sentences, variants_of
from tests.toy import second_state

TEXT = "The soup was cold. The waiters were friendly! We paid."


def test_sentences_end_at_marks_and_lines():
    assert sentences("No. 5 was fine... “Lovely,” she said.\nbring a book") == [
        "No.",
        "5 was fine...",
        "“Lovely,” she said.",
        "bring a book",
    ]
    assert sentences("…") == []


def test_one_sentence_changes_its_dress():
    assert variants_of("Didn't like the SOUP!", [False]) == ["didn't like the soup"]
    assert variants_of("soup", [False]) == []


@given(st.lists(st.sampled_from(["Cold soup.", "Nice room!", "We left.", "Why?"]), max_size=6), st.data())
def test_what_speaks_stays_and_nothing_is_added(parts, data):
    text = " ".join(parts)
    silent = data.draw(st.lists(st.booleans(), min_size=len(parts), max_size=len(parts)))
    found = variants_of(text, silent)
    assert len(found) <= MOST
    assert text not in found
    assert len(set(found)) == len(found)
    if len(parts) > 1:
        for variant in found:
            kept = sentences(variant)
            assert len(parts) - 1 <= len(kept) <= len(parts)
            missing = [part for part in parts if kept.count(part) < parts.count(part)]
            assert all(any(silent[i] for i, own in enumerate(parts) if own == part) for part in missing)


def test_both_models_read_them(tiny_model, monkeypatch):
    monkeypatch.setattr("sparsecbm_core.intervene.flips.AUTO_LIMIT", 0.2)
    state = second_state(tiny_model, "food", TEXT)
    done = intervene(tiny_model, TEXT, "food", state, rule="signed")
    found = read_variants(tiny_model, done.corrected, TEXT, "food")
    assert 1 <= len(found) <= MOST
    for variant in found:
        for model, said in ((tiny_model, variant.before), (done.corrected, variant.after)):
            k = int(model.predict([variant.text]).states[0, 0])
            assert model.space.states[k] == said
