"""The words that matter for a concept: found, shown in the review, and as a table; beside them the states."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sparsecbm_core.concepts import UNKNOWN, ConceptSpace
from sparsecbm_core.explain.results import Explanation
from ui.frame import rerun
from ui.resources import explanations, memory
from ui.state import AppState
from ui.widgets.exports import pathway_rows
from ui.widgets.pathway import WAITING
from ui.widgets.review_text import legend_html, review_html, unread
from ui.widgets.table import table

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel


def find_words(place: DeltaGenerator, model: ConceptModel, state: AppState, concept: str) -> None:
    """Score the words of a concept, with the progress in ``place``; then draw the page with them."""
    bar = place.progress(0.0, WAITING)

    def show_progress(share: float) -> None:
        bar.progress(share, WAITING)

    explanations.read_words(model, state.work.text, state.method, show_progress, concept)
    memory.give_back()
    rerun.page()


def coloured_review(
    explanation: Explanation, concept: str, space: ConceptSpace, signed: bool, unscored: str
) -> DeltaGenerator:
    """The review with the words that matter for a concept; returns the place of its legend."""
    item = explanation.concepts[concept]
    place, grey = st.empty(), unread(explanation.text, explanation.truncated)
    st.html(review_html(explanation, concept, signed))
    rest = f'<p class="sc-legend"><span>{grey}</span></p>' if grey else ""
    if not item.tokens:
        place.html(f'<p class="sc-legend">{unscored}</p>{rest}')
    elif item.state == UNKNOWN:
        note = (
            f"{space.title(concept)} is not mentioned. Scores of single words say little then, so none is "
            "coloured; they are in the table."
        )
        place.html(f'<p class="sc-note">{escape(note)}</p>{rest}')
    else:
        place.html(legend_html(space.title(item.state), signed, grey))
    return place


def word_table(explanation: Explanation, concept: str, space: ConceptSpace) -> None:
    """The score of every word for a concept; nothing where none is scored."""
    tokens = explanation.concepts[concept].tokens
    rows = [
        {"word": token.text, "score": token.score, "from": token.start, "to": token.end} for token in tokens
    ]
    if rows:
        origin = {
            "concept": concept,
            "state": explanation.concepts[concept].state,
            "method": explanation.method,
            "model": explanation.model,
            "fingerprint": explanation.fingerprint,
        }
        table(
            rows,
            f"words-{concept}",
            f"The score of every word for {space.title(concept)}",
            "The score of every word",
            file_rows=[{**row, **origin} for row in rows],
        )


def probabilities(explanation: Explanation, space: ConceptSpace, name: str = "pathway") -> None:
    """A table of how likely every state of every concept and every label is."""
    rows = pathway_rows(explanation, space)
    shown = [
        {
            "of": "Label" if row["part"] == "label" else space.title(row["name"]),
            "state": (space.label_title if row["part"] == "label" else space.title)(row["value"]),
            "probability": row["probability"],
        }
        for row in rows
    ]
    table(
        shown,
        name,
        "Probabilities of all states and labels",
        "The probabilities of all states and labels",
        percents=["probability"],
        file_rows=rows,
    )
