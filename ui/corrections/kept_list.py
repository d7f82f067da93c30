"""Kept corrections: found, used, taken back, brought in and taken along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from ui.corrections import actions, item
from ui.corrections.files import archive
from ui.corrections.pager import one_page, row, turner
from ui.corrections.words import row_label, when
from ui.frame import pages
from ui.state import AppState
from ui.text import correction_title, counted, short
from ui.widgets import layout
from ui.widgets.download import download
from ui.widgets.table import table_html
from ui.work import ALL, LedgerChoice

if TYPE_CHECKING:
    from sparsecbm_core.ledger import KeptCorrection, Ledger
    from sparsecbm_core.models.concept_model import ConceptModel

ABOUT = (
    "They stay until somebody reverts them, for everybody who uses this ledger. Use them to have them here."
)
EMPTY = (
    "No correction is kept yet for this model. On Explain, choose another state for a concept that it got "
    "wrong, and keep the correction."
)
ABSENT = "They belong to models with these fingerprints, and cannot be used with the one loaded here."
ELSEWHERE = (
    "A correction can be used only with its own model. One that has a name here can be chosen beside the "
    "title; the others are told by their fingerprints."
)
ACTIVE, REVERTED = "active", "reverted"
STATUSES = {ALL: "All", ACTIVE: "Active", REVERTED: "Reverted"}
ANY_CONCEPT, ANY_STATE = "any concept", "any state"
ZIP = "application/zip"


def show(
    state: AppState,
    base: ConceptModel,
    ledger: Ledger,
    own: Sequence[KeptCorrection],
    others: Sequence[KeptCorrection],
    titles: Mapping[str, str],
) -> None:
    """``own`` are the corrections of this model, ``others`` those of other models, as they were kept;
    ``titles`` are those of the models that can be chosen, by their fingerprints."""
    layout.section("Kept", ABOUT if own else EMPTY)
    if own:
        _filter(state, base.space)
        _found(state, base, ledger, own, chosen(own, state.work.ledger))
    else:
        st.page_link(pages.EXPLAIN, label="Make the first correction", icon=":material/arrow_forward:")
    _import(state, base)
    if others:
        _others(others, base.space, titles)


def chosen(corrections: Sequence[KeptCorrection], choice: LedgerChoice) -> list[KeptCorrection]:
    """Those that the filter lets through, newest first."""
    wanted = choice.search.casefold().strip()
    return [
        correction
        for correction in reversed(corrections)
        if choice.concept in (None, correction.concept)
        and choice.state in (None, correction.state)
        and (choice.status not in (ACTIVE, REVERTED) or correction.active == (choice.status == ACTIVE))
        and wanted in correction.note.casefold()
    ]


def _filter(state: AppState, space: ConceptSpace) -> None:
    choice = state.work.ledger
    names = {"search": "filter_note", "concept": "filter_concept", "state": "filter_state"}
    with st.container(horizontal=True, vertical_alignment="bottom", key="ledger_filter"):
        for name, key in (*names.items(), ("status", "filter_status")):
            st.session_state[key] = getattr(choice, name)
        st.text_input(
            "Search in notes",
            key="filter_note",
            on_change=state.on_value("filter_note", choice.only, "search"),
            width=220,
        )
        for name, options, text in (
            ("concept", space.concepts, ANY_CONCEPT),
            ("state", space.states, ANY_STATE),
        ):
            st.selectbox(
                f"Corrected {name}" if name == "concept" else "Corrected to",
                options,
                index=None,
                format_func=space.title,
                placeholder=text,
                key=names[name],
                on_change=state.on_value(names[name], choice.only, name),
                width=200,
                filter_mode=None,
            )
        st.segmented_control(
            "Status",
            list(STATUSES),
            format_func=STATUSES.__getitem__,
            key="filter_status",
            required=True,
            on_change=state.on_value("filter_status", choice.only, "status"),
        )


def _found(
    state: AppState,
    base: ConceptModel,
    ledger: Ledger,
    own: Sequence[KeptCorrection],
    found: Sequence[KeptCorrection],
) -> None:
    choice, active = state.work.ledger, [correction for correction in own if correction.active]
    used = actions.uses(state)
    numbers = {correction.kept for correction in used.values()}
    names = {0: "None is active", 1: "Use the active one"}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            names.get(len(active), f"Use all {len(active):,} active"),
            key="use_all",
            type="primary",
            on_click=state.on(actions.use, state, active),
            disabled=all(correction.id in numbers for correction in active),
        )
        download(
            f"Save these {len(found):,} as a zip" if choice.filtered else "Save all as a zip",
            lambda: archive(ledger, list(reversed(found))),
            "corrections.zip",
            ZIP,
            disabled=not found,
        )
        if choice.filtered:
            st.button("Show all", key="show_all", on_click=state.on(choice.show_all))
        words = f"{counted(len(own), 'correction')}, {len(active):,} active"
        said = f"{len(found):,} of {words}" if choice.filtered else words
        st.html(f'<p class="sc-note">{said}</p>', width="content")
    number, shown = one_page(found, choice.page)
    with st.container(key="kept_list", gap="xsmall"):
        for correction in shown:
            _row(state, base, ledger, correction, correction.patch.edit.fingerprint() in used)
    turner(state, found, number, state.keyed(f"kept_page_{choice.filters}"), "page")


def _row(state: AppState, base: ConceptModel, ledger: Ledger, correction: KeptCorrection, used: bool) -> None:
    label = row_label(correction.id, correction.patch, correction.note, base.space)
    if not correction.active:
        label += " · **reverted**"
    if used:
        label += " :blue-badge[in use here]"
    box = row(state, f"kept-{correction.id}", label)
    if box.open:
        with box:
            item.show(state, base, ledger, correction, used)


def _import(state: AppState, base: ConceptModel) -> None:
    choice = state.work.ledger
    key = state.keyed(f"import_patches_{choice.uploads}")
    with st.expander("Bring corrections in from files", type="compact", key="import"):
        st.file_uploader(
            "Patch files, or a zip of them as saved here",
            type=["safetensors", "zip"],
            accept_multiple_files=True,
            key=key,
            on_change=state.on(_take_in, state, base, key),
        )
        layout.caption(
            "Patches of another model are refused: mask bits of one model mean nothing in another."
        )


def _take_in(state: AppState, base: ConceptModel, key: str) -> None:
    files = st.session_state[key]
    if files:
        actions.take_in(state, base, [(file.name, file.getvalue()) for file in files])
        state.work.ledger.uploads += 1


def _others(others: Sequence[KeptCorrection], space: ConceptSpace, titles: Mapping[str, str]) -> None:
    """What the ledger keeps for models that are not looked at: to know of, not to use."""
    models = len({correction.model for correction in others})
    box = st.expander(
        f"{counted(len(others), 'correction')} of {counted(models, 'other model')}",
        type="compact",
        key="other_models",
        on_change="rerun",
    )
    if not box.open:
        return
    rows = [
        {
            "number": str(correction.id),
            "model": titles.get(correction.model, correction.model),
            "corrected": correction_title(correction.patch, space),
            "made": when(correction.created),
            "note": short(correction.note),
        }
        for correction in reversed(others)
    ]
    with box:
        here = any(correction.model in titles for correction in others)
        layout.caption(ELSEWHERE if here else ABSENT)
        st.html(table_html(rows, "Corrections of other models"))
