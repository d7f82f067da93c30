"""How good the model is: every figure of the model card with the data it was measured on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sparsecbm_core.concepts import ConceptSpace
from ui.model_card import evaluation_file, facts, metrics, pathway, sections
from ui.model_card.metrics import Report, measured_on, reports, split_title
from ui.resources.models import ModelCard
from ui.state import AppState
from ui.text import plain
from ui.widgets import exhibits, layout
from ui.widgets.download import HTML, JSON, download
from ui.widgets.exports import json_text

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.results import ModelReport

SPLIT = "split_choice"


def show(state: AppState, info: ModelCard) -> None:
    space, found = info.space, reports(info.metrics)
    layout.lead(facts.about(info))
    place = st.empty()
    evaluation = evaluation_file.of(info)
    if evaluation.refused is not None:
        st.warning(plain(evaluation.refused), icon=":material/warning:")
    deep = evaluation.report
    overlap = None
    if measured := {**evaluation_file.as_reports(deep), **found}:
        split, where = _choose(state, info, measured)
        st.html(metrics.tiles_html(measured[split], where))
        trust = pathway.pathway(measured[split], space, where)
        if trust is not None:
            exhibits.show(trust)
        facts.limits(info, deep)
        _results(measured[split], deep, split, space, where)
        overlap = _subnetworks(measured[split], space)
    else:
        layout.section("How good it is", "This model comes without measurements.")
        facts.limits(info, deep)
    if deep is not None:
        for section in sections.sections(deep, space):
            exhibits.show(section)
    facts.training(info)
    layout.section("Take it with you")
    _downloads(info, deep)
    # Only the model itself knows these: the page is there before it is.
    facts.from_model(info, found, place, overlap)


def _results(report: Report, deep: ModelReport | None, split: str, space: ConceptSpace, where: str) -> None:
    """Accuracy of each concept and leakage; with intervals where the evaluation is of the same split."""
    if found := sections.results(report, deep, split, space, where):
        exhibits.show(exhibits.Section("Accuracy", (), tuple(found)))
    leakage = sections.leakage(report, deep, split, where)
    if leakage is not None:
        exhibits.show(leakage)


def _downloads(info: ModelCard, deep: ModelReport | None) -> None:
    def page() -> str:
        from ui.model_card.offline_page import card_html

        return card_html(info, deep, *facts.known(info))

    with st.container(horizontal=True):
        download("Card (HTML)", page, "model-card.html", kind=HTML)
        download("All measurements (JSON)", lambda: json_text(info.metrics), "metrics.json", kind=JSON)
        if deep is not None:
            download("Evaluation (JSON)", lambda: json_text(deep.to_dict()), "evaluation.json", kind=JSON)


def _choose(state: AppState, info: ModelCard, found: Mapping[str, Report]) -> tuple[str, str]:
    split = (
        state.work.split if state.work.split is not None and state.work.split in found else next(iter(found))
    )
    layout.section("How good it is")
    if len(found) > 1:
        st.session_state[SPLIT] = split
        st.segmented_control(
            "Measured on",
            list(found),
            format_func=lambda name: plain(split_title(name)),
            key=SPLIT,
            required=True,
            wrap=True,
            on_change=state.on_value(SPLIT, state.work.choose_split),
        )
    where, note = measured_on(split, found[split], info.training)
    layout.caption(f"All figures: {where}" + (f" ({note})." if note else "."))
    return split, where


def _subnetworks(report: Report, space: ConceptSpace) -> DeltaGenerator | None:
    """How much each concept uses; returns the place for how much they share."""
    used = metrics.used(report, space)
    if used is None:
        return None
    layout.section("The subnetworks")
    left, right = st.columns(2, gap="large")
    with left:
        exhibits.show_exhibit(used)
    with right:
        return st.empty()
