"""A concept set by hand, without correcting the model: what the label would be if it were another."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import before_after_figure, digits_of
from ui.correct import buttons
from ui.correct.before_after import headline, sure, table
from ui.state import AppState
from ui.widgets import layout
from ui.widgets.charts import chart
from ui.widgets.download import JSON, download
from ui.widgets.exports import json_text
from ui.widgets.sums import at_first_sight
from ui.work import OVERRIDE

if TYPE_CHECKING:
    from sparsecbm_core.intervene.oracle import OracleResult

RULE = OVERRIDE
LABELLED = "Set by hand only: the model itself is unchanged and will make the same error on the same review."
HELP = (
    "The concept is set to the state you choose, with full certainty, and only the last step, from concepts "
    "to label, is computed again."
)
MARKS = (
    "Filled: what the model found, and how sure it is. Outlined with a tick: your choice; press it again to "
    "let the model decide that concept."
)


def show(state: AppState, explanation: Explanation, space: ConceptSpace, result: OracleResult | None) -> None:
    layout.section(buttons.TITLE, help=HELP)
    left, right = st.columns([1.1, 1], gap="medium")
    with left, st.container(border=True, height="stretch", key="states_card"):
        for concept in at_first_sight(explanation, space, state.work.selected(explanation, space)):
            key, chosen = f"hand-{concept}", state.work.overrides.get(concept)
            item = explanation.concepts[concept]
            buttons.states(state, space, key, item, "model", chosen, state.work.override)
        layout.caption(MARKS)
        with st.container(horizontal=True):
            st.button(
                "Undo",
                on_click=state.on(state.work.undo),
                disabled=not state.work.past,
                key="undo",
                icon=":material/undo:",
            )
            st.button(
                "Let the model decide",
                on_click=state.on(state.work.reset),
                disabled=not state.work.overrides,
                key="reset",
            )
    with right, st.container(border=True, height="stretch", key="override_card"):
        if result is None:
            layout.lead("Choose another state for a concept, and the label it would lead to appears here.")
        else:
            st.html(result_html(result, explanation, space))
            download("Save as JSON", lambda: json_text(result.to_dict()), "override.json", kind=JSON)
    if result is not None:
        chart(
            before_after_figure(result, space),
            [
                {
                    "label": space.label_title(label),
                    "model": result.probabilities[label],
                    "with_your_change": result.probabilities_after[label],
                }
                for label in space.labels
            ],
            "override",
            "Label probabilities before and after",
            percents=["model", "with_your_change"],
        )


def verdict(result: OracleResult, space: ConceptSpace) -> str:
    if result.label_after != result.label:
        return f"The label becomes {space.label_title(result.label_after)}."
    return f"The label stays {space.label_title(result.label)}."


def _on_the_scale(
    result: OracleResult, explanation: Explanation, space: ConceptSpace
) -> list[tuple[str, list[str]]]:
    """The answer in the labels' units, where they have an order."""
    first, then = explanation.expected, result.expected_after
    if first is None or then is None:
        return []
    values = [f"{one.value:.{digits_of(space)}f}" for one in (first, then)]
    return [(escape(then.unit.capitalize() or "Expected"), values)]


def result_html(result: OracleResult, explanation: Explanation, space: ConceptSpace) -> str:
    """Before and after, side by side."""
    before = sure(space.label_title(result.label), result.probabilities[result.label])
    after = sure(space.label_title(result.label_after), result.probabilities_after[result.label_after])
    rows = [("Label", [before, after]), *_on_the_scale(result, explanation, space)]
    for concept, state in result.states.items():
        item = explanation.concepts[concept]
        was = sure(space.title(item.state), item.probabilities[item.state])
        how = "confirmed by hand" if state == item.state else "set by hand"
        rows.append((escape(space.title(concept)), [was, f"{escape(space.title(state))}, {how}"]))
    rows.append(("The same review again", [f"{before}, as before"]))
    compared = table("Before and after", ("Model", "With your change"), rows)
    return f'{headline(verdict(result, space))}{compared}<p class="sc-note">{escape(LABELLED)}</p>'
