"""Put to the test: the words that attention marks and those of the pathway are taken out of the review."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sparsecbm_core.concepts import UNKNOWN
from sparsecbm_core.errors import InputError
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import grouped_bars, percent
from ui.frame import pages
from ui.text import counted
from ui.three_views import data
from ui.three_views.data import PATHWAY, layer_key
from ui.three_views.verdict import verdict
from ui.widgets import layout
from ui.widgets.charts import chart
from ui.widgets.pathway import WAITING

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.word_removal import WordRemoval
    from sparsecbm_core.explain.attention import Attention
    from sparsecbm_core.models.concept_model import ConceptModel

LEAD = (
    "Take out the words that a view marks most and read the rest: the more of the concept goes with them, "
    "the more it was read from these words."
)
NO_ATTENTION = "Without a dense model there is no attention whose words could be compared."
NO_PATHWAY = "A dense model has no pathway whose words could be compared."
OTHER_WORDS = "The dense model cuts the review into other words, so those of the two cannot be compared."
ABOUT = (
    "One review, not a measurement of the methods: the model card has averages over many. All of it is read "
    "by the sparse model{corrected}. Words are deleted, and signs count as words. Random words: the mean of "
    "{draws} draws, always the same ones."
)


def show(
    model: ConceptModel,
    explanation: Explanation,
    looks: Attention | None,
    concept: str,
    layer: int,
    corrected: bool = False,
) -> WordRemoval | None:
    """The test of ``concept`` with the attention of one ``layer``; returns it, where there is one.

    ``corrected`` says whether ``model`` is other than it was loaded.
    """
    layout.section("Put to the test", LEAD)
    problem = why_not(model, explanation, looks, concept)
    if problem is not None or looks is None:
        layout.caption(problem or NO_ATTENTION)
        return None
    place = st.empty()
    try:
        found = data.removal(
            model, explanation, looks, concept, lambda done, total: _progress(place, done / total)
        )
    except InputError as error:
        layout.caption(f"There is no test: {error}.")
        return None
    finally:
        place.empty()
    space, key = model.space, layer_key(layer)
    title, state = space.title(concept), space.title(found.state)
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        _chart(found, key, title, state)
    with right:
        said = verdict(found, key, PATHWAY, title, state).replace(" %", "\N{NO-BREAK SPACE}%")
        st.html(f'<p class="sc-found">{escape(said)}</p>{_taken_html(found, key)}')
        layout.caption(
            ABOUT.format(
                corrected=", as corrected in this session" if corrected else "",
                draws=found.draws,
            )
        )
        st.page_link(pages.MODEL_CARD, label="To the model card")
    return found


def why_not(
    model: ConceptModel, explanation: Explanation, looks: Attention | None, concept: str
) -> str | None:
    """Why there is no test, or not yet."""
    item = explanation.concepts[concept]
    if model.masks is None:
        return NO_PATHWAY
    if looks is None:
        return NO_ATTENTION
    if item.state == UNKNOWN:
        return (
            f"{model.space.title(concept)} is not mentioned. No word carries that, so taking words out tells "
            "little, and there is no test. Choose a concept that the review mentions."
        )
    if not item.tokens:
        return WAITING
    spans = [[(token.start, token.end) for token in tokens] for tokens in (item.tokens, looks.rollout.tokens)]
    return None if spans[0] == spans[1] else OTHER_WORDS


def _progress(place: DeltaGenerator, share: float) -> None:
    place.progress(share, "Reading the review without its words…")


def rows(found: WordRemoval, key: str) -> list[dict[str, Any]]:
    """What remains, a row for each number of words."""
    return [
        {
            "taken_out": counted(count, "word"),
            "pathway": found.rankings[PATHWAY].remaining[place],
            "attention": found.rankings[key].remaining[place],
            "random_words": found.random[place],
            "their_deviation": found.random_std[place],
        }
        for place, count in enumerate(found.counts)
    ]


def file_rows(found: WordRemoval) -> list[dict[str, Any]]:
    """The same of every layer, with the words."""
    shared = {"concept": found.concept, "state": found.state, "whole_review": found.probability}
    ways: Mapping[str, tuple[Sequence[str], Sequence[float], Sequence[float | str]]] = {
        **{
            name if name == PATHWAY else f"attention, {name}": (
                way.words,
                way.remaining,
                [""] * len(found.counts),
            )
            for name, way in found.rankings.items()
        },
        "random words": ((), found.random, found.random_std),
    }
    return [
        {
            **shared,
            "taken_out_by": name,
            "count": count,
            "words": " | ".join(taken[:count]),
            "remains": remaining[place],
            "deviation": deviations[place],
            "model": found.model,
        }
        for name, (taken, remaining, deviations) in ways.items()
        for place, count in enumerate(found.counts)
    ]


def _chart(found: WordRemoval, key: str, concept: str, state: str) -> None:
    layout.caption(
        f"What remains of “{concept} is {state}”; the dotted line is the whole review, "
        f"{percent(found.probability)}."
    )
    chart(
        grouped_bars(
            [f"Without {counted(count, 'word')}" for count in found.counts],
            [
                ("Pathway's words", found.rankings[PATHWAY].remaining),
                ("Attention's words", found.rankings[key].remaining),
                ("Random words", found.random),
            ],
            found.probability,
        ),
        rows(found, key),
        f"words-taken-out-{found.concept}",
        f"What remains of {concept} when words are taken out",
        percents=["pathway", "attention", "random_words", "their_deviation"],
        file_rows=file_rows(found),
    )


def _taken_html(found: WordRemoval, key: str) -> str:
    """Which words go, first the one that goes first."""
    listed = "".join(
        f"<dt>{title}</dt><dd>{escape(', '.join(f'“{word}”' for word in found.rankings[name].words))}</dd>"
        for title, name in (("Pathway", PATHWAY), ("Attention", key))
    )
    return f'<p class="sc-note">In this order go:</p><dl class="sc-terms">{listed}</dl>'
