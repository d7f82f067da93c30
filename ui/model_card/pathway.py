"""How far the last step of the pathway, concept → label, can be trusted: the first lines of the card."""

from __future__ import annotations

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.models.card import pathway_sentences
from ui.model_card.metrics import Report
from ui.widgets.exhibits import Exhibit, Row, Section

TITLES = {
    "as_read": "As read",
    "concepts_only": "Without the rest of the review",
    "wrong_set_right": "Every wrong concept set right",
    "all_gold": "All concepts set as people marked them",
    "wrong_as_read": "Where a concept was wrong: as read",
    "wrong_set_right_there": "Where a concept was wrong: set right",
}


def pathway(report: Report, space: ConceptSpace, where: str) -> Section | None:
    """From the model's own measurements; None where they were made before this was measured."""
    found = report.get("pathway")
    if not found:
        return None
    rows: list[Row] = [
        {"label": title, "right": found["label_accuracy"][name]}
        for name, title in TITLES.items()
        if found["label_accuracy"].get(name) is not None
    ]
    return Section(
        "How far to trust it",
        (" ".join(pathway_sentences(found, space)),),
        (
            Exhibit(
                "pathway-labels",
                "",
                "",
                rows,
                "Labels right with concepts set",
                percents=("right",),
                what="Labels with concepts set",
            ),
        ),
        f"{where[:1].upper()}{where[1:]}.",
    )
