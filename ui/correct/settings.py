"""How to correct: the rule, how many mask bits, what must not break. For those who want to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.errors import SparseCBMError
from ui.resources.guard_reviews import own
from ui.state import AppState
from ui.text import counted, plain
from ui.widgets import layout
from ui.work import OVERRIDE

if TYPE_CHECKING:
    from sparsecbm_core.concepts import ConceptSpace

RULE, SCOPE, CARE = "rule_choice", "scope_choice", "care"
AUTO, SHARE, SURE = "r_auto", "r_share", "confidence"
BUDGET, FILE = "most_broken", "guard_file"
RULES = {
    "guarded": "Guarded: what helps here and matters little elsewhere",
    "signed": "Signed: what helps here most, whatever else it does",
    "paper": "As published: by the size of the gradient",
    "random": "Random bits, for comparison",
    OVERRIDE: "None: set the concept by hand, the model stays as it is",
}
SCOPES = {"everywhere": "Every review", "similar": "Reviews like this one"}
CARES = {"needed": "When needed", "always": "Always", "never": "Never"}
AUTOMATIC = {True: "The fewest that work", False: "A fixed share"}
# Of the encoder's weights, in per cent. Below, a fixed share begins where the published rule works.
FIRST_SHARE, LEAST, STEP = 1.0, 0.0001, 0.01


def show(state: AppState, space: ConceptSpace, most: float) -> None:
    """``most`` is the largest share of weights, in per cent, that can be dropped and grown."""
    settings = state.work.settings
    st.session_state[RULE] = settings.rule
    st.selectbox(
        "Rule that chooses the mask bits",
        list(RULES),
        format_func=RULES.__getitem__,
        key=RULE,
        on_change=state.on_value(RULE, lambda name: state.work.set(rule=name)),
        filter_mode=None,
    )
    if settings.rule == OVERRIDE:
        return
    st.session_state[SCOPE] = settings.scope
    st.segmented_control(
        "It holds for",
        list(SCOPES),
        format_func=SCOPES.__getitem__,
        key=SCOPE,
        required=True,
        wrap=True,
        on_change=state.on_value(SCOPE, lambda scope: state.work.set(scope=scope)),
        help="Every review: the model has learnt something new. Reviews like this one: edits of the same "
        "text, told by their wording; all others are read as before, so nothing else can break.",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state[AUTO] = settings.r is None
        st.segmented_control(
            "How many",
            list(AUTOMATIC),
            format_func=AUTOMATIC.__getitem__,
            key=AUTO,
            required=True,
            wrap=True,
            on_change=state.on_value(AUTO, _automatic, state, most),
            help="r is the share of the encoder's weights that are dropped; as many are grown.",
        )
        if settings.r is not None:
            st.session_state[SHARE] = 100 * settings.r
            st.number_input(
                "r, % of the weights",
                min_value=LEAST,
                max_value=most,
                step=STEP,
                format="%.4f",
                key=SHARE,
                on_change=state.on_value(SHARE, lambda share: state.work.set(r=share / 100)),
                width=180,
            )
        st.session_state[SURE] = round(100 * settings.confidence)
        st.number_input(
            "How sure to be, %",
            min_value=0,
            max_value=95,
            step=5,
            key=SURE,
            disabled=settings.r is not None,
            on_change=state.on_value(SURE, lambda share: state.work.set(confidence=share / 100)),
            help="How likely the state you choose is to be for this review afterwards, as long as guard "
            "reviews stay as they are. 0: just more likely than any other.",
            width=180,
        )
        st.session_state[CARE] = settings.care
        st.segmented_control(
            "Spare other reviews",
            list(CARES),
            format_func=CARES.__getitem__,
            key=CARE,
            required=True,
            wrap=True,
            disabled=not settings.can_care,
            on_change=state.on_value(CARE, lambda care: state.work.set(care=care)),
            help="Whether your earlier corrections, and guard reviews that are read with little certainty, "
            "have a say in which bits are flipped. It takes some seconds more. When needed: where more than "
            "two other readings would break. Works with the guarded rule and the fewest bits.",
        )
        st.session_state[BUDGET] = settings.most_broken
        st.number_input(
            "Ask first if more break than",
            min_value=0,
            max_value=10_000,
            step=1,
            key=BUDGET,
            on_change=state.on_value(BUDGET, lambda count: state.work.set(most_broken=int(count))),
            help="Readings of guard reviews, concepts and labels together, that were right and would no "
            "longer be.",
            width=220,
        )
    _own_reviews(state, space)


def _automatic(state: AppState, most: float, automatic: bool) -> None:
    state.work.set(r=None if automatic else min(FIRST_SHARE, most) / 100)


def _own_reviews(state: AppState, space: ConceptSpace) -> None:
    columns, key = ", ".join(("text", "label", *space.concepts)), state.keyed(FILE)
    st.file_uploader(
        "Guard reviews of your own (CSV)",
        type="csv",
        key=key,
        on_change=state.on(_open, state, space, key),
        help=f"One labelled review a line, with the columns {columns}. They stay in this session; "
        "nothing of them is stored.",
    )
    if state.work.guard_refused:
        st.error(f"**This file cannot be used.** {plain(state.work.guard_refused)}", icon=":material/error:")
    elif state.work.guard_reviews is not None:
        reviews = state.work.guard_reviews
        with st.container(horizontal=True, vertical_alignment="center"):
            verb = "is" if len(reviews) == 1 else "are"
            layout.caption(f"{counted(len(reviews), 'review')} of {reviews.name} {verb} on guard.")
            st.button("Use the bundled ones", on_click=state.on(_close, state), key="guard_bundled")


def _open(state: AppState, space: ConceptSpace, key: str) -> None:
    state.work.guard_refused = None
    file = st.session_state[key]
    if file is None:
        return
    try:
        state.work.guard_reviews = own(file.getvalue(), file.name, space)
    except SparseCBMError as error:
        state.work.guard_refused = str(error)


def _close(state: AppState) -> None:
    state.work.guard_reviews = state.work.guard_refused = None
