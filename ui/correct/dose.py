"""How much a correction needs: the review and the guard reviews, as more and more bits are flipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.figures import dose_figure
from sparsecbm_core.session.corrected import holding
from sparsecbm_core.session.correction import Corrections, Request
from ui.resources.session import model_now
from ui.state import AppState
from ui.text import plain
from ui.widgets import layout
from ui.widgets.charts import chart
from ui.work import OVERRIDE

if TYPE_CHECKING:
    from sparsecbm_core.intervene.dose import DoseResponse
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.session.guard import Guard

ABOUT = (
    "With more mask bits flipped the review is read as wanted at some point, and from some point on other "
    "reviews are not. A good correction lies between."
)
WAITING = "Trying more and more mask bits. Press anything else to stop."


def show(state: AppState, base: ConceptModel, guard: Guard, space: ConceptSpace) -> None:
    """The dose-response of the correction on the page, by the rule that is chosen."""
    chosen = asked(state)
    if state.work.settings.rule == OVERRIDE:
        return
    if chosen is None:
        layout.caption("After a correction you can see here how many mask bits it takes.")
        return
    request, corrections = chosen
    key = (request, state.work.settings.rule, tuple(correction.fingerprint for correction in corrections))
    title = f"{space.title(request.concept)} to {space.title(request.state)}"
    with st.container(horizontal=True, vertical_alignment="center"):
        wanted = st.button(f"Plot how many bits it takes: {plain(title)}", key="dose", help=ABOUT)
    if wanted:
        _measure(state, base, guard, request, corrections, key)
    if state.work.dose is not None and state.work.dose[0] == key:
        _chart(state.work.dose[1], space, title)


def asked(state: AppState) -> tuple[Request, Corrections] | None:
    """The correction on the page, and those that the model had before it."""
    corrections = state.work.corrections
    if state.work.attempt is not None:
        return state.work.attempt.request, corrections
    for number in range(len(corrections) - 1, -1, -1):
        text, patch = corrections[number].text, corrections[number].patch
        if corrections[number].intervention is not None and text is not None:
            return Request(text, patch.concept, patch.state), corrections[:number]
    return None


def _measure(
    state: AppState, base: ConceptModel, guard: Guard, request: Request, corrections: Corrections, key: object
) -> None:
    from sparsecbm_core.intervene.dose import dose_response
    from sparsecbm_core.intervene.rules import rule_named

    bar = st.progress(0.0, WAITING)

    def report(share: float, message: str) -> None:
        bar.progress(min(1.0, share), message)

    rule = state.work.settings.rule
    try:
        profile = guard.profile(base, report) if rule_named(rule).needs_profile else None
        result = dose_response(
            model_now(base, holding(corrections, request.text)),
            request.text,
            request.concept,
            request.state,
            rule,
            profile,
            guard.at(base, corrections, report),
            on_progress=lambda done, total: report(done / total, WAITING),
        )
        state.work.dose = (key, result)
    except SparseCBMError as error:
        st.error(f"**It cannot be plotted.** {plain(str(error))}", icon=":material/error:")
    bar.empty()


def _chart(result: DoseResponse, space: ConceptSpace, title: str) -> None:
    chart(
        dose_figure(result, space),
        result.rows(),
        "dose",
        f"Dose-response of correcting {title}",
        percents=[
            name
            for name in ("target_state", "label_probability", "label_before", "guard_concept", "guard_label")
            if name in result.rows()[0]
        ],
    )
