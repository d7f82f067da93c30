"""A model's own metrics: what is there, on which data it was measured, and what it says on the card."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.figures import FOR, NEUTRAL, millions, paired_bars, precise_percent, share_bars
from ui.widgets.exhibits import Exhibit, Section

Report = Mapping[str, Any]

GUARD = "guard"
SPLITS = {
    "dev": ("Development data", "not trained on, but used to choose the best epoch"),
    "test": ("Test data", "neither trained on nor used to choose anything"),
    GUARD: ("Guard reviews", "written for this project, balanced over all states of all concepts"),
}
USED = "How much each concept uses"


def reports(metrics: Mapping[str, Any]) -> dict[str, Report]:
    """Split → report, those that are one."""
    return {name: report for name, report in metrics.items() if isinstance(report, dict)}


def number(report: Report, *path: str) -> float | None:
    """A figure of a report, None where it was not measured."""
    value: Any = report
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def split_title(name: str) -> str:
    return SPLITS.get(name, (name, ""))[0]


def measured_on(split: str, report: Report, training: Mapping[str, Any]) -> tuple[str, str]:
    """The data of a report in words, and what is to be known about it.

    What the report itself says of its data comes first; older ones say nothing.
    """
    title, about = SPLITS.get(split, (split, ""))
    data = report.get("data")
    said = data if isinstance(data, Mapping) else {"name": data}
    name = said.get("name") or ("" if split == GUARD else training.get("data") or "unnamed data")
    words = [str(name)] if name else []
    words.append(f"{title[:1].lower()}{title[1:]}")
    if said.get("split") and said["split"] != split:
        words.append(f"split {said['split']}")
    count = number(report, "examples")
    if count is not None:
        words.append(f"{count:,.0f} review{'s' if count != 1 else ''}")
    notes = [about] if about else []
    if said.get("fingerprint"):
        notes.append(f"data fingerprint {said['fingerprint']}")
    return ", ".join(words), "; ".join(notes)


def of_another_model(found: Mapping[str, Report], fingerprint: str) -> list[str]:
    """Splits whose report names another model than this one; older reports name none."""
    return [split for split, report in found.items() if report.get("model") not in (None, fingerprint)]


def tiles_html(report: Report, where: str) -> str:
    """The main figures of a report, those that it has."""
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
    return f'<div class="sc-tiles" role="group" aria-label="{escape(where)}">{cells}</div>'


def per_concept(report: Report, space: ConceptSpace, where: str) -> Exhibit | None:
    """Accuracy and macro-F1 of each concept, of those that have them."""
    rows: list[dict[str, Any]] = []
    for concept in space.concepts:
        accuracy = number(report, "per_concept", concept, "accuracy")
        f1 = number(report, "per_concept", concept, "macro_f1")
        if accuracy is not None and f1 is not None:
            rows.append({"concept": space.title(concept), "accuracy": accuracy, "macro_f1": f1})
    if not rows:
        return None
    return Exhibit(
        "per-concept",
        "Each concept",
        f"Share of reviews whose state is found: {where}.",
        rows,
        "Accuracy and macro-F1 of each concept",
        paired_bars(
            [row["concept"] for row in rows],
            ("Right", [row["accuracy"] for row in rows]),
            ("Balanced over states (macro-F1)", [row["macro_f1"] for row in rows]),
            decimals=True,
        ),
        percents=("accuracy", "macro_f1"),
    )


def leakage(report: Report, where: str) -> Section | None:
    """Label accuracy read from states, and the model's own."""
    gold, hard, soft = (number(report, "leakage", name) for name in ("gold", "hard", "soft"))
    if soft is None:
        return None
    rows: list[dict[str, Any]] = [
        {"label_from": title, "labels_right": value}
        for title, value in (
            ("States that people marked", gold),
            ("States that the model found", hard),
            ("The model, shades included", soft),
        )
        if value is not None
    ]
    return Section(
        "Do the concepts explain the label?",
        () if hard is None else (leakage_sentence(hard, soft),),
        (
            Exhibit(
                "leakage",
                "",
                "",
                rows,
                "Labels right, by what they are read from",
                share_bars(
                    [row["label_from"] for row in rows],
                    [row["labels_right"] for row in rows],
                    [NEUTRAL] * (len(rows) - 1) + [FOR],
                ),
                percents=("labels_right",),
            ),
        ),
        f"Labels right: {where}. The first two by logistic regression on the states.",
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
    if model < states:
        return f"{start}, {states - model} fewer: the shades that it sees as well lead it astray."
    return f"{start}: it needs nothing that the states do not show."


def used(report: Report, space: ConceptSpace) -> Exhibit | None:
    """How much of the encoder each concept uses; None for a dense model."""
    shares = {
        concept: 1 - removed
        for concept in space.concepts
        if (removed := number(report, "sparsity", concept)) is not None
    }
    if not shares:
        return None
    total = number(report, "prunable_weights")
    of = f"{millions(int(total))} encoder weights" if total is not None else "encoder weights"
    return Exhibit(
        "used",
        USED,
        f"Share of {of}.",
        [{"concept": space.title(name), "used": share} for name, share in shares.items()],
        "Share of weights that each concept uses",
        share_bars([space.title(name) for name in shares], list(shares.values())),
        percents=("used",),
        help="Counted are the weight matrices of the encoder's layers. Embeddings, LayerNorms and biases "
        "belong to all concepts.",
    )
