"""Is a concept wrong? What the label would be if it were another."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import before_after_figure, percent
from ui import loader, parts
from ui.state import AppState

if TYPE_CHECKING:
    from sparsecbm_core.intervene.oracle import OracleResult
    from sparsecbm_core.models.concept_model import ConceptModel

LABELLED = "Override only: the model itself is unchanged and will make the same error on the same review."
HELP = (
    "The concept's activation is set to 1 for the state you choose and to 0 for its other states, and only "
    "the last step, from concepts to label, is computed again."
)


def show(state: AppState, model: ConceptModel, explanation: Explanation) -> None:
    space = model.space
    result = loader.override(model, explanation, state.overrides) if state.overrides else None
    parts.section("Is a concept wrong? Say what it should be.", help=HELP)
    left, right = st.columns([1, 1.1], gap="medium")
    with left, st.container(border=True, height="stretch", key="states_card"):
        for concept in space.concepts:
            _row(state, explanation, concept, space)
        with st.container(horizontal=True):
            st.button(
                "Undo", on_click=state.undo, disabled=not state.past, key="undo", icon=":material/undo:"
            )
            st.button("Reset", on_click=state.reset, disabled=not state.overrides, key="reset")
    with right, st.container(border=True, height="stretch", key="override_card"):
        if result is None:
            parts.lead("Choose another state for a concept, and the label it would lead to appears here.")
            parts.caption(LABELLED)
        else:
            _table(result, explanation, space)
    if result is not None:
        parts.chart(
            before_after_figure(result, space),
            [
                {
                    "label": space.title(label),
                    "model": result.probabilities[label],
                    "with_your_change": result.probabilities_after[label],
                }
                for label in space.labels
            ],
            "override",
            "Label probabilities before and after",
        )


def _row(state: AppState, explanation: Explanation, concept: str, space: ConceptSpace) -> None:
    item = explanation.concepts[concept]
    with st.container(horizontal=True, vertical_alignment="center", key=f"states-{concept}"):
        by_hand = "set by hand, " if concept in state.overrides else ""
        model_says = _sure(space.title(item.state), item.probabilities[item.state])
        title = f"<b>{escape(space.title(concept))}</b><span>{by_hand}model: {model_says}</span>"
        st.html(f'<div class="concept">{title}</div>', width="content")
        for name in space.states:
            chosen = state.overrides.get(concept, item.state) == name
            st.button(
                space.title(name),
                key=f"state-{concept}-{name}",
                type="primary" if chosen else "secondary",
                on_click=state.override,
                args=(concept, None if name == item.state else name),
            )


def _table(result: OracleResult, explanation: Explanation, space: ConceptSpace) -> None:
    before = _sure(space.title(result.label), result.probabilities[result.label])
    after = _sure(space.title(result.label_after), result.probabilities_after[result.label_after])
    rows = [_cells("Label", before, after)]
    for concept, state in result.states.items():
        item = explanation.concepts[concept]
        was = _sure(space.title(item.state), item.probabilities[item.state])
        rows.append(_cells(escape(space.title(concept)), was, f"{escape(space.title(state))}, set by hand"))
    rows.append(
        f'<tr><th scope="row">The same review again</th><td colspan="2">{before}, as before</td></tr>'
    )
    if result.label_after != result.label:
        verdict = f"The label becomes {space.title(result.label_after)}."
    else:
        verdict = f"The label stays {space.title(result.label)}."
    st.html(
        f'<p class="verdict" role="status">{escape(verdict)}</p>'
        '<table class="beforeafter"><thead><tr><td></td><th scope="col">Model</th>'
        f'<th scope="col">With your change</th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
        f'<p class="note">{escape(LABELLED)}</p>'
    )


def _cells(name: str, was: str, now: str) -> str:
    return f'<tr><th scope="row">{name}</th><td>{was}</td><td class="after">{now}</td></tr>'


def _sure(title: str, probability: float) -> str:
    return f'{escape(title)}, <span class="nowrap">{percent(probability)}</span>'
