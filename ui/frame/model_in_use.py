"""Which model the page shows: as loaded, or with corrections, and kept ones that could be used."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sparsecbm_core.session.correction import Corrections
from ui.frame import pages
from ui.resources import kept
from ui.state import AppState


def show(place: DeltaGenerator, corrections: Corrections, held: Corrections) -> None:
    """One line, where the model is not the one that was loaded. ``held`` are those that hold for the text."""
    if not corrections:
        return
    count, waiting = len(corrections), sum(correction.kept is None for correction in corrections)
    said = f"The model with {count} correction{'s' if count > 1 else ''}"
    said += ", all kept" if not waiting else f", {'' if waiting == count else f'{waiting} '}not kept yet"
    if len(held) < count:
        said += f"; {count - len(held)} not meant for this review"
    with place.container(horizontal=True, vertical_alignment="center", key="chain"):
        st.html(f'<span class="sc-pill">{said}</span>', width="content")
        st.page_link(pages.CORRECTIONS, label="See them")


def offer(state: AppState, place: DeltaGenerator, fingerprint: str) -> None:
    """Kept corrections that this session does not use: said, never applied by themselves."""
    here = {correction.fingerprint for correction in state.work.corrections}
    others = [item for item in kept.active(fingerprint) if item.fingerprint not in here]
    if not others:
        return
    count = len(others)
    with place.container(horizontal=True, vertical_alignment="center", key="kept_offer"):
        st.html(
            f'<span class="sc-note">{count} kept correction{"s are" if count > 1 else " is"} not in use '
            "here.</span>",
            width="content",
        )
        st.button(
            "Use them" if count > 1 else "Use it", on_click=state.on(state.work.use, others), key="use_kept"
        )
