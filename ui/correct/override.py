"""A concept set by hand, without correcting the model: what the label would be if it were another."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import before_after_figure, percent
from ui.state import AppState
from ui.text import plain
from ui.widgets import layout
from ui.widgets.charts import chart
from ui.widgets.download import JSON, download
from ui.widgets.exports import json_text
from ui.work import OVERRIDE

if TYPE_CHECKING:
    from sparsecbm_core.intervene.oracle import OracleResult

RULE = OVERRIDE
LABELLED = "Override only: the model itself is unchanged and will make the same error on the same review."
HELP = (
    "The concept is set to the state you choose, with full certainty, and only the last step, from concepts "
    "to label, is computed again."
)
MARKS = (
    "Filled: what the model found, and how sure it is. Outlined with a tick: your choice; press it again to "
    "let the model decide that concept."
)


def show(state: AppState, explanation: Explanation, space: ConceptSpace, result: OracleResult | None) -> None:
    layout.section("Is a concept wrong? Say what it should be.", help=HELP)
    left, right = st.columns([1.1, 1], gap="medium")
    with left, st.container(border=True, height="stretch", key="states_card"):
        for concept in space.concepts:
            _row(state, explanation, concept, space)
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


def _row(state: AppState, explanation: Explanation, concept: str, space: ConceptSpace) -> None:
    """A group of buttons, named after the concept: the chosen one is what was set by hand."""
    item, title = explanation.concepts[concept], space.title(concept)

    def name(option: str) -> str:
        text = plain(space.title(option))
        found = f"model {percent(item.probabilities[option])}"
        return f"{text} :gray-badge[{plain(found)}]" if option == item.state else text

    key = f"hand-{concept}"
    with st.container(horizontal=True, vertical_alignment="center", key=f"states-{concept}"):
        st.html(f'<div class="sc-concept" aria-hidden="true">{escape(title)}</div>', width="content")
        st.session_state[key] = state.work.overrides.get(concept)
        st.pills(
            plain(title),
            space.states,
            format_func=name,
            key=key,
            label_visibility="collapsed",
            wrap=True,
            on_change=state.on_value(key, state.work.override, concept),
        )


def verdict(result: OracleResult, space: ConceptSpace) -> str:
    if result.label_after != result.label:
        return f"The label becomes {space.label_title(result.label_after)}."
    return f"The label stays {space.label_title(result.label)}."


def result_html(result: OracleResult, explanation: Explanation, space: ConceptSpace) -> str:
    """Before and after, side by side."""
    before = _sure(space.label_title(result.label), result.probabilities[result.label])
    after = _sure(space.label_title(result.label_after), result.probabilities_after[result.label_after])
    rows = [_cells("Label", before, after)]
    for concept, state in result.states.items():
        item = explanation.concepts[concept]
        was = _sure(space.title(item.state), item.probabilities[item.state])
        how = "confirmed by hand" if state == item.state else "set by hand"
        rows.append(_cells(escape(space.title(concept)), was, f"{escape(space.title(state))}, {how}"))
    rows.append(
        f'<tr><th scope="row">The same review again</th><td colspan="2">{before}, as before</td></tr>'
    )
    return (
        f'<p class="sc-verdict">{escape(verdict(result, space))}</p>'
        '<table class="sc-beforeafter" aria-label="Before and after"><thead><tr><td></td>'
        '<th scope="col">Model</th><th scope="col">With your change</th></tr></thead>'
        f'<tbody>{"".join(rows)}</tbody></table><p class="sc-note">{escape(LABELLED)}</p>'
    )


def _cells(name: str, was: str, now: str) -> str:
    return f'<tr><th scope="row">{name}</th><td>{was}</td><td class="sc-after">{now}</td></tr>'


def _sure(title: str, probability: float) -> str:
    return f'{escape(title)}, <span class="sc-nowrap">{percent(probability)}</span>'
