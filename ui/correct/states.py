"""Is a concept wrong? Choose what it should be, and the model itself is corrected."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sparsecbm_core.concepts import REST, ConceptSpace
from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import percent
from sparsecbm_core.session.attempt import correct
from sparsecbm_core.session.corrected import holding
from sparsecbm_core.session.correction import Attempt, Failure, Request
from ui.correct import buttons, corrected, dose, said, settings, side_effects
from ui.frame import address, announce, rerun
from ui.resources import explanations, memory
from ui.resources.session import model_now
from ui.resources.subnetworks import stats_of
from ui.state import AppState
from ui.text import plain
from ui.widgets import layout, undo
from ui.widgets.sums import at_first_sight

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.session.guard import Guard

CARD = "correction_card"  # the key of the part that shows what a correction did
HELP = (
    "Every concept reads with its own part of the model's weights, its subnetwork. A correction takes the "
    "fewest weights that matter here out of that subnetwork, puts as many others in, and leaves the weights "
    "themselves alone."
)
MARKS = (
    "Filled: what the model finds, and how sure it is. Choose another state, and the model corrects itself."
)


OF_THE_LABEL = (
    "Another label changes how the rest of the review is read, what no concept carries; where a concept is "
    "wrong, choose that first."
)


def show(
    state: AppState, base: ConceptModel, guard: Guard, explanation: Explanation, space: ConceptSpace
) -> None:
    """States to choose from, beside them what the last correction did, and below what else it changed."""
    with st.container(key="correcting"):
        layout.section(buttons.TITLE, help=HELP)
        # Shown while a bar shows progress (app.css). Outside of the part that corrects: a click in there
        # would wait until it is done.
        st.button(
            "Stop", on_click=state.on(state.work.leave), key="stop_correction", icon=":material/stop_circle:"
        )
        _section(state, base, guard, explanation, space, _seen(state))


def _seen(state: AppState) -> tuple[object, ...]:
    """What the rest of the page shows of the corrections: where this is another, it must be drawn again."""
    return (
        state.turn,
        state.work.corrections,
        state.work.attempt,
        state.work.settings,
        state.work.guard_reviews,
    )


@st.fragment
def _section(
    state: AppState,
    base: ConceptModel,
    guard: Guard,
    explanation: Explanation,
    space: ConceptSpace,
    seen: tuple[object, ...],
) -> None:
    """A part of its own: while the model is corrected, the page around it stays as it is, and the result is
    on screen before the rest is drawn anew."""
    if seen != _seen(state):
        rerun.page()
    address.answered(state)
    request = state.work.request
    with st.container(key="said_of_corrections"):
        begun = "" if request is None else said.begun(request, space)
        announce.say(begun, "announcer_begun", CARD, state.work.asked)
        done = st.container()
    left, right = st.columns([1, 1.25], gap="medium")
    with left, st.container(border=True, height="stretch", key="states_live"):
        for concept in at_first_sight(explanation, space, state.work.selected(explanation, space)):
            _row(state, explanation, concept, space)
        if explanation.rest is not None:
            _label_row(state, explanation, space)
        layout.caption(MARKS if explanation.rest is None else f"{MARKS} {OF_THE_LABEL}")
        with st.container(horizontal=True):
            undo.buttons(state)
    with right, st.container(border=True, height="stretch", key=CARD):
        place = st.empty()
    settings_place, effects = st.container(), st.empty()
    if request is not None:
        _carry_out(state, base, guard, request, space, place, effects)
    with done:
        announce.say(said.done(state, space), "announcer_done", CARD, state.work.answered)
    with place.container():
        corrected.show(state, space)
    correction = corrected.shown(state)
    if correction is not None:
        with effects.container():  # before the settings above it: it is what was asked for
            side_effects.show(state, correction, guard.reviews, space)
    with settings_place:
        how_to(state, base, guard, space)
    if request is not None:
        # What the page begins with, read while the result is on its way to the browser: a run that began at
        # once would call back what was not sent yet.
        explanations.read(model_now(base, holding(state.work.corrections, state.work.text)), state.work.text)
        memory.collect()
        memory.give_back()
        rerun.page()


def how_to(state: AppState, base: ConceptModel, guard: Guard, space: ConceptSpace) -> None:
    """The rule and its settings, for those who want to know."""
    with st.expander("How to correct", type="compact"):
        settings.show(state, space, most_share(base))
        dose.show(state, base, guard, space)


def most_share(base: ConceptModel) -> float:
    """The largest share of the weights, in per cent, that every subnetwork can drop and grow."""
    stats = stats_of(base)
    shares = [] if stats is None else [own.density for own in stats.concepts.values()]
    return 100 * min((min(share, 1 - share) for share in shares), default=0.0)


def _carry_out(
    state: AppState,
    base: ConceptModel,
    guard: Guard,
    request: Request,
    space: ConceptSpace,
    place: DeltaGenerator,
    effects: DeltaGenerator,
) -> None:
    """Correct, with progress in ``place`` of the last result; whoever presses something else calls it off.

    The request stays until it is answered: a run may be stopped for reasons of the browser's own, and the
    next one then begins again. What a first way did, and its ``effects``, are shown while a gentler one is
    looked for.
    """
    bar = place.progress(0.0, plain(said.begun(request, space)))

    def report(share: float, message: str) -> None:
        bar.progress(min(1.0, share), message)

    def show_first(attempt: Attempt) -> None:
        nonlocal bar
        if attempt.correction is None:
            return
        with place.container():
            st.html(corrected.result_html(attempt.intervention, space))
            layout.caption(
                f"This way breaks {attempt.harm} other readings. A gentler one is looked for, and replaces "
                "it if it breaks fewer."
            )
            bar = st.progress(0.3)
        with effects.container():
            side_effects.show_summary(attempt.correction, space)

    try:
        attempt = correct(
            base, state.work.corrections, request, state.work.settings, guard, report, show_first
        )
    except SparseCBMError as error:
        state.work.answer(Failure(request, str(error)))
        return
    except Exception:
        state.work.request = None  # or it would fail in every run to come
        raise
    state.work.answer(attempt)


def choose(state: AppState, found: str, part: str, wanted: str | None) -> None:
    """Ask for a correction; what the model finds already asks for none, and calls off what was."""
    if wanted == found:
        state.work.leave()
    else:
        state.work.correct(part, wanted)


def _label_row(state: AppState, explanation: Explanation, space: ConceptSpace) -> None:
    """The label, which the rest of the review can be corrected by."""
    asked, label = state.work.request, explanation.label
    chosen = asked.state if asked and asked.concept == REST else label
    own = any(
        (correction.text, correction.patch.concept, correction.patch.state) == (explanation.text, REST, label)
        for correction in state.work.corrections
    )
    found = label, f"{'corrected' if own else 'model'} {percent(explanation.probabilities[label])}"
    names = {name: _short(space, name) for name in space.labels}
    act = partial(choose, state, label)
    buttons.group(state, f"state-{REST}", REST, "Label", names, found, chosen, act, required=True)


def _short(space: ConceptSpace, label: str) -> str:
    """A label among buttons: its number alone, where it is one."""
    return label if label.isdigit() else space.label_title(label)


def _row(state: AppState, explanation: Explanation, concept: str, space: ConceptSpace) -> None:
    """The chosen state is what is asked for, or else what the model finds."""
    item, asked = explanation.concepts[concept], state.work.request
    chosen = asked.state if asked and asked.concept == concept else item.state
    own = any(
        (correction.text, correction.patch.concept, correction.patch.state)
        == (explanation.text, concept, item.state)
        for correction in state.work.corrections
    )
    act = partial(choose, state, item.state)
    how = "corrected" if own else "model"
    buttons.states(state, space, f"state-{concept}", item, how, chosen, act, required=True)
