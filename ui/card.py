"""The parts of the model card: every figure with the data it was measured on."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.figures import FOR, NEUTRAL, paired_bars, percent, precise_percent, share_bars
from ui import parts
from ui.exports import json_text
from ui.loader import ModelCard
from ui.pathway import millions
from ui.state import AppState

SPLIT = "split_choice"
SPLITS = {
    "dev": ("Development data", "not trained on, but used to choose the best epoch"),
    "test": ("Test data", "neither trained on nor used to choose anything"),
    "guard": ("Guard reviews", "written for this project, balanced over all states of all concepts"),
}
KINDS = {
    "sparse": "A sparse concept bottleneck model: {k} concepts, each read from the text by a subnetwork of "
    "its own, and a label that is a weighted sum of these concepts.",
    "cbm": "A dense concept bottleneck model: {k} concepts, all read from the text by the whole encoder, and "
    "a label that is a weighted sum of these concepts.",
}


def show(state: AppState, info: ModelCard) -> None:
    space = info.space
    parts.lead(KINDS.get(info.kind, KINDS["cbm"]).format(k=space.num_concepts))
    reports = {name: report for name, report in info.metrics.items() if isinstance(report, dict)}
    if reports:
        report, where = _choose(state, info, reports)
        _headline(report, where)
        _per_concept(report, space, where)
        _leakage(report, where)
        _subnetworks(report, space)
    else:
        parts.section("How good it is", "This model comes without measurements.")
    _training(info)
    _limits(info)
    parts.section("Take it with you")
    with st.container(horizontal=True):
        st.download_button(
            "All measurements (JSON)",
            lambda: json_text(info.metrics),
            "metrics.json",
            "application/json",
            on_click="ignore",
            icon=":material/download:",
        )


def number(report: Mapping[str, Any], *path: str) -> float | None:
    """A figure of a report, None where it was not measured."""
    value: Any = report
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _choose(
    state: AppState, info: ModelCard, reports: dict[str, dict[str, Any]]
) -> tuple[dict[str, Any], str]:
    if state.split not in reports:
        state.split = next(iter(reports))
    parts.section("How good it is")
    if len(reports) > 1:
        st.session_state[SPLIT] = state.split

        def take() -> None:
            state.choose("split", st.session_state[SPLIT])

        st.segmented_control(
            "Measured on", list(reports), format_func=_split_title, key=SPLIT, required=True, on_change=take
        )
    report = reports[state.split]
    title, about = SPLITS.get(state.split, (state.split, ""))
    data = "" if state.split == "guard" else f"{info.training.get('data') or 'unnamed data'}, "
    count = number(report, "examples")
    reviews = f", {count:,.0f} reviews" if count is not None else ""
    where = f"{data}{title[:1].lower()}{title[1:]}{reviews}"
    parts.caption(f"All figures: {where}" + (f" ({about})." if about else "."))
    return report, where


def _split_title(name: str) -> str:
    return SPLITS.get(name, (name, ""))[0]


def _headline(report: Mapping[str, Any], where: str) -> None:
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
        f'<div class="tile"><span class="what">{escape(what)}</span><b>{precise_percent(value)}</b>'
        f'<span class="about">{escape(about)}</span></div>'
        for what, value, about in tiles
        if value is not None
    )
    st.html(f'<div class="tiles" role="group" aria-label="{escape(where)}">{cells}</div>')


def _per_concept(report: Mapping[str, Any], space: ConceptSpace, where: str) -> None:
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
    )


def _leakage(report: Mapping[str, Any], where: str) -> None:
    gold, hard, soft = (number(report, "leakage", name) for name in ("gold", "hard", "soft"))
    if soft is None:
        return
    parts.section("Do the concepts explain the label?")
    if hard is not None:
        rest = 100 * (soft - hard)
        parts.lead(
            f"{100 * hard:.0f} of 100 labels follow from the concepts' states alone. The model gets "
            f"{100 * soft:.0f}: "
            + (
                f"the other {rest:.0f} come from shades inside the concepts, how strongly each one speaks, "
                "which the states do not show."
                if rest >= 0.5
                else "it needs nothing that the states do not show."
            )
        )
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
    titles, shares = [row["label_from"] for row in rows], [row["labels_right"] for row in rows]
    colors = [NEUTRAL] * (len(rows) - 1) + [FOR]
    parts.chart(
        share_bars(titles, shares, colors), rows, "leakage", "Labels right, by what they are read from"
    )


def _subnetworks(report: Mapping[str, Any], space: ConceptSpace) -> None:
    kept = {
        concept: 1 - removed
        for concept in space.concepts
        if (removed := number(report, "sparsity", concept)) is not None
    }
    pairs = {
        tuple(name.split("|", 1)): number(report, "jaccard", "pairs", name)
        for name in ((report.get("jaccard") or {}).get("pairs") or {})
    }
    if not kept:
        return
    total = number(report, "prunable_weights")
    of = f"{millions(int(total))} encoder weights" if total is not None else "encoder weights"
    parts.section("The subnetworks")
    left, right = st.columns(2, gap="large")
    with left:
        parts.subsection(
            "How much each concept uses",
            f"Share of {of}. Embeddings, LayerNorms and biases are dense and shared, and not counted.",
        )
        rows = [
            {"concept": space.title(name), "kept": share, "removed": 1 - share}
            for name, share in kept.items()
        ]
        parts.chart(
            share_bars([space.title(name) for name in kept], list(kept.values())),
            rows,
            "kept",
            "Share of weights that each concept uses",
        )
    with right:
        chance = number(report, "jaccard", "chance")
        known = {pair: value for pair, value in pairs.items() if value is not None and len(pair) == 2}
        if known:
            against = f" Random masks of the same size: {percent(chance)}." if chance is not None else ""
            parts.subsection(
                "How much two concepts share",
                f"Of the weights that either uses, the share that both use.{against}",
            )
            titles = [f"{space.title(a)} and {space.title(b)}" for a, b in known]
            parts.chart(
                share_bars(titles, list(known.values())),
                [
                    {"first": space.title(a), "second": space.title(b), "overlap": value}
                    for (a, b), value in known.items()
                ],
                "card-overlap",
                "Overlap of each pair of subnetworks",
            )


def _training(info: ModelCard) -> None:
    training = info.training
    if not training:
        return
    settings = dict(training.get("settings") or {})
    prune = settings.pop("prune", None)
    count = training.get("train_examples")
    reviews = f"{count:,} reviews" if isinstance(count, int) else "an unknown number of reviews"
    source = " ".join(str(training[name]) for name in ("data", "train_split") if training.get(name))
    parts.section("How it was trained", f"On {source or 'unnamed data'}, {reviews}.")
    rows = [{"setting": name.replace("_", " "), "value": _value(value)} for name, value in settings.items()]
    if isinstance(prune, Mapping) and info.kind == "sparse":
        rows += [
            {"setting": f"masks: {name.replace('_', ' ')}", "value": _value(value)}
            for name, value in prune.items()
        ]
    rows += [
        {"setting": name.replace("_", " "), "value": _value(value)}
        for name, value in training.items()
        if name != "settings"
    ]
    parts.table(rows, "training", "All settings")


def _value(value: Any) -> str:
    if isinstance(value, str) and "/" in value:
        return value.rstrip("/").rsplit("/", 1)[-1]  # a name, not where a folder once was
    return "–" if value is None else str(value)


def _limits(info: ModelCard) -> None:
    data = info.training.get("data")
    learnt = f" It learnt from {data} and nothing else." if data else ""
    parts.section("When not to trust it")
    st.markdown(
        f"- **Other texts.**{_plain(learnt)} On another subject, another language or a much longer text it "
        "still answers, and may be wrong and sure at once.\n"
        "- **What the concepts leave out.** The label is a sum over its concepts. Anything else that a "
        "reader would weigh can only slip in through them.\n"
        "- **Words of what is not mentioned.** Scores of single words say little where a concept is not "
        "mentioned; the app then leaves them uncoloured.\n"
        "- **Sarcasm and negation.** Both are rare in such data; read the words that it weighed before you "
        "believe the label.\n"
        "- **Overrides.** Setting a concept by hand answers “what if” and changes nothing in the model."
    )


def _plain(text: str) -> str:
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>$" else sign for sign in text)
