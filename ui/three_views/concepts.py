"""The second and the third view: a plain concept bottleneck, and the sparse pathway of one concept."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.explain.tokens.registry import METHODS
from sparsecbm_core.figures import contribution_figure, percent
from sparsecbm_core.figures.contributions import ANSWER_SIDES
from ui.frame import pages
from ui.resources.subnetworks import stats_of
from ui.state import AppState
from ui.three_views import views
from ui.three_views.companion import Companion
from ui.widgets import layout, sums
from ui.widgets.charts import chart
from ui.widgets.pathway import WAITING, used_caption
from ui.widgets.review_text import has_sign
from ui.widgets.sentence import state_title
from ui.widgets.words import coloured_review, probabilities, word_table

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel

NO_PATHWAY = (
    "This is a dense model: every concept is read with the whole encoder. There is no subnetwork to follow, "
    "so this view stays empty."
)


def bottleneck(
    state: AppState, space: ConceptSpace, companion: Companion, explanation: Explanation | None, concept: str
) -> None:
    """``explanation`` is what the dense model makes of the review, without its words."""
    views.head(views.BOTTLENECK)
    if explanation is None:
        views.missing(companion)
        return
    views.label(explanation, space, "Label of the dense model")
    st.html(states_html(explanation, space, concept))
    _sum(state, explanation, space, concept, "dense")
    probabilities(explanation, space, "probabilities-dense")


def pathway(
    state: AppState, model: ConceptModel, explanation: Explanation, concept: str
) -> DeltaGenerator | None:
    """Returns the place where the progress of missing words can be shown; None without a pathway."""
    space = model.space
    views.head(views.PATHWAY)
    if model.masks is None:
        st.html(f'<p class="sc-lead">{escape(NO_PATHWAY)}</p>')
        return None
    views.label(explanation, space, "Label of the sparse model")
    item = explanation.concepts[concept]
    st.html(
        f'<p class="sc-viewlabel"><span class="sc-note">{escape(space.title(concept))}</span><br>'
        f"<b>{escape(space.title(item.state))}</b> ({percent(item.probabilities[item.state])})</p>"
    )
    place = coloured_review(explanation, concept, space, has_sign(state.method), WAITING)
    layout.caption(
        f"Read with {used_caption(concept, stats_of(model), '')} of the encoder, the subnetwork of "
        f"{space.title(concept)}. Words found by: {METHODS[state.method].title}."
    )
    st.page_link(pages.MASKS, label="See which weights", icon=":material/grid_on:")
    with st.container():  # there even while no words are scored, so that what follows keeps its place
        word_table(explanation, concept, space)
    _sum(state, explanation, space, concept, "sparse")
    probabilities(explanation, space, "probabilities-sparse")
    return place


def _sum(state: AppState, explanation: Explanation, space: ConceptSpace, concept: str, model: str) -> None:
    view = sums.shown(explanation, space, state.view)
    what = (
        "the answer" if view.sides == ANSWER_SIDES else f"the score of {space.label_title(explanation.label)}"
    )
    layout.caption(f"How {what} adds up:")
    chart(
        contribution_figure(view, concept),
        view.rows(),
        f"contributions-{model}",
        f"How the answer of the {model} model adds up",
        "The exact numbers",
    )


def states_html(explanation: Explanation, space: ConceptSpace, concept: str) -> str:
    """The state of every concept and how sure it is; the chosen one stands out."""
    rows = ""
    for name in space.concepts:
        item = explanation.concepts[name]
        cells = (
            f'<th scope="row">{escape(space.title(name))}</th><td>{escape(space.title(item.state))}</td>'
            f'<td class="sc-right">{percent(item.probabilities[item.state])}</td>'
        )
        rows += f"<tr{' class=sc-chosen' if name == concept else ''}>{cells}</tr>"
    return (
        '<table class="sc-numbers sc-states" aria-label="Concepts of the dense model"><thead><tr>'
        '<th scope="col">Concept</th><th scope="col">State</th><th scope="col" class="sc-right">How sure</th>'
        f"</tr></thead><tbody>{rows}</tbody></table>"
    )


def differences(first: Explanation, second: Explanation, space: ConceptSpace) -> str | None:
    """Where the plain bottleneck and the sparse one disagree, in one line; None where they do not."""
    found = []
    if first.label != second.label:
        found.append(f"the label, {space.label_title(first.label)} against {space.label_title(second.label)}")
    for name in space.concepts:
        one, other = first.concepts[name].state, second.concepts[name].state
        if one != other:
            found.append(
                f"{space.title(name)}, {state_title(space, one)} against {state_title(space, other)}"
            )
    if not found:
        return None
    return f"The plain bottleneck and the sparse one disagree: {'; '.join(found)}."
