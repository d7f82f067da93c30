"""The explanation as files, and back from one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from ui import loader, parts, saved
from ui.exports import contribution_rows, csv_bytes, json_text, word_rows
from ui.state import AppState

if TYPE_CHECKING:
    from sparsecbm_core.intervene.oracle import OracleResult
    from sparsecbm_core.models.concept_model import ConceptModel
    from ui.steps import Step


def show(
    state: AppState,
    title: str,
    model: ConceptModel | None,
    explanation: Explanation,
    space: ConceptSpace,
    result: OracleResult | None,
    step: Step | None = None,
) -> None:
    """``model`` is the one that made the explanation, None if it is not here; ``title`` names it.

    ``step`` is the correction of this review, where there is one.
    """
    parts.section(
        "Take it with you",
        "The report is one page that opens anywhere, offline. The other files hold exact numbers.",
    )
    words = explanation.method is not None
    stats = None if model is None else loader.stats(model)
    # Not when the file is asked for: a session would keep its corrected model in memory until then.
    images = {} if model is None else loader.images(model, loader.IMAGE_CELLS)

    def report() -> str:
        from ui.report import report_html

        return report_html(explanation, space, title, stats, images, result, step)

    with st.container(horizontal=True):
        parts.download("Report (HTML)", report, "report.html", parts.HTML, disabled=not words)
        parts.download(
            "Explanation (JSON)", lambda: json_text(explanation.to_dict()), "explanation.json", parts.JSON
        )
        parts.download(
            "Contributions (CSV)",
            lambda: csv_bytes(contribution_rows(explanation, space)),
            "contributions-all-labels.csv",
        )
        parts.download(
            "Words (CSV)", lambda: csv_bytes(word_rows(explanation)), "words.csv", disabled=not words
        )
        if stats is not None:
            parts.download(
                "Subnetworks (JSON)",
                lambda: json_text({"fingerprint": explanation.fingerprint, **stats.to_dict()}),
                "subnetworks.json",
                parts.JSON,
            )
    saved.show_upload(state)
