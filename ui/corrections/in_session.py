"""The corrections of this session: the chain that makes the model what it now is for this visitor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.figures import millions
from ui.corrections import actions
from ui.corrections.pager import one_page, row, turner
from ui.corrections.words import counted, facts, facts_html, overlap_words, row_label
from ui.model_now import net
from ui.state import AppState
from ui.steps import Step, Steps
from ui.widgets import keep, parts, undo

if TYPE_CHECKING:
    from sparsecbm_core.ledger import Correction
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.models.masks import MaskSet

EVERYWHERE = "everywhere"
ABOUT = "The model as it now is for you: these corrections in this order. Nobody else sees those not kept."
NONE = "The model is as it was loaded: no correction is in use."


def show(state: AppState, base: ConceptModel, masks: MaskSet, kept: Sequence[Correction]) -> None:
    """``kept`` are the ledger's corrections of this model."""
    steps, choice = state.history.steps, state.corrections
    known = _by_edit(steps, kept)
    parts.section("In this session", ABOUT if steps else NONE)
    if steps:
        parts.caption(summary(steps, masks))
        number, shown = one_page(list(enumerate(steps)), choice.session_page)
        with st.container(key="session_chain", gap="xsmall"):
            for position, step in shown:
                _row(state, base.space, masks, steps, position, known.get(step.edit))
        turner(steps, number, state.keyed("session_page"), lambda page: setattr(choice, "session_page", page))
    _buttons(state)


def _by_edit(steps: Steps, kept: Sequence[Correction]) -> dict[str, Correction]:
    """What the ledger knows of the steps; it may also hold one that this session has not kept itself."""
    numbers = {step.kept: step.edit for step in steps}
    found = {numbers[item.id]: item for item in kept if item.id in numbers}
    if None in numbers:
        found |= {item.patch.edit.fingerprint(): item for item in kept}
    return found


def summary(steps: Steps, masks: MaskSet) -> str:
    """What the chain comes to, in one line."""
    waiting = sum(step.kept is None for step in steps)
    counts = net([step for step in steps if step.patch.scope == EVERYWHERE]).counts(masks)
    dropped, grown = sum(count.dropped for count in counts), sum(count.grown for count in counts)
    sparse = "as sparse as before" if dropped == grown else f"{counted(abs(grown - dropped), 'weight')} "
    if dropped != grown:
        sparse += "more kept than before" if grown > dropped else "fewer kept than before"
    words = [
        f"{counted(len(steps), 'correction')}, {waiting} of them not kept."
        if waiting
        else f"{counted(len(steps), 'correction')}, all kept.",
        f"Of {millions(masks.total)} weights a concept, {dropped:,} dropped and {grown:,} grown: {sparse}.",
    ]
    similar = sum(step.patch.scope != EVERYWHERE for step in steps)
    if similar:
        words.append(f"{similar} for similar reviews only, not counted here.")
    return " ".join(words)


def _row(
    state: AppState,
    space: ConceptSpace,
    masks: MaskSet,
    steps: Steps,
    position: int,
    correction: Correction | None,
) -> None:
    step = steps[position]
    note = step.patch.note if correction is None else correction.note
    label = row_label(position + 1, step.patch, note, space)
    box = row(state.corrections, f"step-{step.edit}", f"{label} {_status(step, correction)}")
    if not box.open:
        return
    with box:
        rows = facts(step.patch, space)
        if step.text is not None and step.patch.text is None:
            rows.append(("Review", step.text))
        if note:
            rows.insert(0, ("Note", note))
        st.html(facts_html(rows))
        words = _overlap(steps, position, masks)
        if words:
            parts.caption(words)
        st.button(
            "Drop from this session",
            key=f"drop-step-{step.edit}",
            on_click=actions.drop,
            args=(state, step.edit),
        )


def _status(step: Step, correction: Correction | None) -> str:
    if step.kept is None and correction is None:
        return "· **not kept**"
    number = step.kept if correction is None else correction.id
    reverted = correction is not None and not correction.active
    return f":gray[· kept as {number}{', reverted there' if reverted else ''}]"


def _overlap(steps: Steps, position: int, masks: MaskSet) -> str:
    """What dropping one does to the sparsity, given those after it."""
    own = steps[position].patch
    if own.scope != EVERYWHERE:
        return ""
    everywhere = [step for step in steps if step.patch.scope == EVERYWHERE]
    shared = {
        number: own.edit.shared(step.patch.edit)
        for number, step in enumerate(steps, start=1)
        if number > position + 1 and step.patch.scope == EVERYWHERE
    }
    counts = own.edit.counts(net(everywhere).apply(masks))
    change = sum(count.grown - count.dropped for count in counts)
    later = {number: bits for number, bits in shared.items() if bits}
    return overlap_words(later, change, masks.total, "Dropping")


def _buttons(state: AppState) -> None:
    waiting = keep.unkept(state)
    with st.container(horizontal=True):
        undo.buttons(state)
        if waiting:
            keep.show(state, waiting[-1])
