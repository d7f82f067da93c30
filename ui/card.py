"""How good the model is: every figure of the model card with the data it was measured on."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.figures import FOR, NEUTRAL, millions, paired_bars, precise_percent, share_bars
from ui import card_facts, parts
from ui.exports import json_text
from ui.loader import ModelCard
from ui.measures import Report, measured_on, number, reports, split_title
from ui.state import AppState
from ui.text import plain

SPLIT = "split_choice"
KINDS = {
    "sparse": "Reads {k} concepts from a text, each through a subnetwork of its own, and adds up a label "
    "from them: a sparse concept bottleneck model.",
    "cbm": "Reads {k} concepts from a text, all through the whole encoder, and adds up a label from them: a "
    "dense concept bottleneck model.",
}


def show(state: AppState, info: ModelCard) -> None:
    space, found = info.space, reports(info.metrics)
    parts.lead(KINDS.get(info.kind, KINDS["cbm"]).format(k=space.num_concepts))
    facts = st.empty()
    overlap = None
    if found:
        report, where = _choose(state, info, found)
        _headline(report, where)
        _per_concept(report, space, where)
        _leakage(report, where)
        overlap = _subnetworks(report, space)
    else:
        parts.section("How good it is", "This model comes without measurements.")
    card_facts.limits(info)
    card_facts.training(info)
    parts.section("Take it with you")
    with st.container(horizontal=True):
        parts.download(
            "All measurements (JSON)", lambda: json_text(info.metrics), "metrics.json", kind=parts.JSON
        )
    # Only the model itself knows these: the page is there before it is.
    card_facts.from_model(info, found, facts, overlap)


def _choose(state: AppState, info: ModelCard, found: Mapping[str, Report]) -> tuple[Report, str]:
    split = state.split if state.split is not None and state.split in found else next(iter(found))
    parts.section("How good it is")
    if len(found) > 1:
        st.session_state[SPLIT] = split
        st.segmented_control(
            "Measured on",
            list(found),
            format_func=lambda name: plain(split_title(name)),
            key=SPLIT,
            required=True,
            wrap=True,
            on_change=parts.take_over,
            args=(SPLIT, state.choose_split),
        )
    where, about = measured_on(split, found[split], info.training)
    parts.caption(f"All figures: {where}" + (f" ({about})." if about else "."))
    return found[split], where


def _headline(report: Report, where: str) -> None:
    tiles = [
        ("Concepts right", number(report, "concept_accuracy"), "mean over all concepts"),
        ("Labels right", number(report, "task_accuracy"), "exactly the label that people gave"),
        (
            "Concepts, balanced",
            number(report, "concept_macro_f1"),
            "macro-F1: every state counts the same",
        ),
        ("Labels, balanced", number(report, "task_macro_f1"), "macro-F1: every label counts the same"),
        (
            "Confidence gap",
            number(report, "ece"),
            "mean gap between how sure it is and how often it is right",
        ),
    ]
    cells = "".join(
        f'<div class="sc-tile"><span class="sc-what">{escape(what)}</span><b>{precise_percent(value)}</b>'
        f'<span class="sc-about">{escape(about)}</span></div>'
        for what, value, about in tiles
        if value is not None
    )
    st.html(f'<div class="sc-tiles" role="group" aria-label="{escape(where)}">{cells}</div>')


def _per_concept(report: Report, space: ConceptSpace, where: str) -> None:
    rows: list[dict[str, Any]] = []
    for concept in space.concepts:
        accuracy = number(report, "per_concept", concept, "accuracy")
        f1 = number(report, "per_concept", concept, "macro_f1")
        if accuracy is not None and f1 is not None:
            rows.append({"concept": space.title(concept), "accuracy": accuracy, "macro_f1": f1})
    if not rows:
        return
    parts.subsection("Each concept", f"Share of reviews whose state is found: {where}.")
    parts.chart(
        paired_bars(
            [row["concept"] for row in rows],
            ("Right", [row["accuracy"] for row in rows]),
            ("Balanced over states (macro-F1)", [row["macro_f1"] for row in rows]),
            decimals=True,
        ),
        rows,
        "per-concept",
        "Accuracy and macro-F1 of each concept",
        percents=["accuracy", "macro_f1"],
    )


def _leakage(report: Report, where: str) -> None:
    gold, hard, soft = (number(report, "leakage", name) for name in ("gold", "hard", "soft"))
    if soft is None:
        return
    parts.section("Do the concepts explain the label?")
    if hard is not None:
        parts.lead(leakage_sentence(hard, soft))
    rows: list[dict[str, Any]] = [
        {"label_from": title, "labels_right": value}
        for title, value in (
            ("States that people marked", gold),
            ("States that the model found", hard),
            ("The model, shades included", soft),
        )
        if value is not None
    ]
    parts.caption(f"Labels right: {where}. The first two by logistic regression on the states.")
    parts.chart(
        share_bars(
            [row["label_from"] for row in rows],
            [row["labels_right"] for row in rows],
            [NEUTRAL] * (len(rows) - 1) + [FOR],
        ),
        rows,
        "leakage",
        "Labels right, by what they are read from",
        percents=["labels_right"],
    )


def leakage_sentence(hard: float, soft: float) -> str:
    """How many labels the states alone give, and how many more the model: as the rounded numbers say."""
    states, model = round(100 * hard), round(100 * soft)
    start = f"Of 100 labels, {states} can be read from the concepts' states alone. The model gets {model}"
    if model > states:
        return (
            f"{start}: {model - states} more. It also sees shades, how strongly each concept speaks, which "
            "the states do not show."
        )
    return f"{start}: it needs nothing that the states do not show."


def _subnetworks(report: Report, space: ConceptSpace) -> DeltaGenerator | None:
    """How much each concept uses; returns the place for how much they share."""
    used = {
        concept: 1 - removed
        for concept in space.concepts
        if (removed := number(report, "sparsity", concept)) is not None
    }
    if not used:
        return None
    total = number(report, "prunable_weights")
    of = f"{millions(int(total))} encoder weights" if total is not None else "encoder weights"
    parts.section("The subnetworks")
    left, right = st.columns(2, gap="large")
    with left:
        parts.subsection(
            "How much each concept uses",
            f"Share of {of}.",
            help="Counted are the weight matrices of the encoder's layers. Embeddings, LayerNorms and "
            "biases belong to all concepts.",
        )
        parts.chart(
            share_bars([space.title(name) for name in used], list(used.values())),
            [{"concept": space.title(name), "used": share} for name, share in used.items()],
            "used",
            "Share of weights that each concept uses",
            percents=["used"],
        )
    with right:
        return st.empty()
