"""The explanation as files, and back from one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from ui.explain import saved
from ui.resources import loader
from ui.state import AppState
from ui.widgets import parts
from ui.widgets.exports import contribution_rows, csv_bytes, json_text, word_rows

if TYPE_CHECKING:
    from sparsecbm_core.explain.subnetworks import DensityImage, SubnetworkStats
    from sparsecbm_core.intervene.oracle import OracleResult
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.session.correction import Correction


OTHERS = "Finding the words that matter for the other concepts, which belong into these files…"


@dataclass(frozen=True)
class Files:
    """The buttons that save an explanation; those of files with words may be there to be filled in later.

    ``images`` and ``stats`` are made at once and not when a file is asked for: a session would keep its
    corrected model in memory until then.
    """

    places: Mapping[str, DeltaGenerator]
    progress: DeltaGenerator
    title: str
    space: ConceptSpace
    stats: SubnetworkStats | None
    images: Mapping[str, DensityImage]
    result: OracleResult | None
    correction: Correction | None

    def show_progress(self, share: float) -> None:
        self.progress.progress(share, OTHERS)

    def fill(self, explanation: Explanation, waiting: bool = False) -> None:
        """What holds words: a file is whole or it waits."""
        words = explanation.method is not None

        def report() -> str:
            from ui.explain.report import report_html

            return report_html(
                explanation, self.space, self.title, self.stats, self.images, self.result, self.correction
            )

        def button(label: str, data: Callable[[], str | bytes], name: str, **options: Any) -> None:
            with self.places[name]:
                parts.download(label, data, name, waiting=waiting, **options)

        button("Report (HTML)", report, "report.html", kind=parts.HTML, disabled=not words)
        button(
            "Explanation (JSON)",
            lambda: json_text(explanation.to_dict()),
            "explanation.json",
            kind=parts.JSON,
        )
        button("Words (CSV)", lambda: csv_bytes(word_rows(explanation)), "words.csv", disabled=not words)
        self.progress.empty()


def show(
    state: AppState,
    title: str,
    model: ConceptModel | None,
    explanation: Explanation,
    space: ConceptSpace,
    result: OracleResult | None,
    correction: Correction | None = None,
    waiting: bool = False,
) -> Files:
    """``model`` is the one that made the explanation, None if it is not here; ``title`` names it.

    ``correction`` is that of this review, where there is one. ``waiting`` for words that are still to be
    scored, the files that hold words cannot be saved before they are filled.
    """
    parts.section(
        "Take it with you",
        "The report is one page that opens anywhere, offline. The other files hold exact numbers.",
    )
    stats = None if model is None else loader.stats(model)
    places = {}
    with st.container(horizontal=True):
        for name in ("report.html", "explanation.json"):
            places[name] = st.empty()
        parts.download(
            "Contributions (CSV)",
            lambda: csv_bytes(contribution_rows(explanation, space)),
            "contributions-all-labels.csv",
        )
        places["words.csv"] = st.empty()
        if stats is not None:
            parts.download(
                "Subnetworks (JSON)",
                lambda: json_text({"fingerprint": explanation.fingerprint, **stats.to_dict()}),
                "subnetworks.json",
                parts.JSON,
            )
    images = {} if model is None else loader.images(model, loader.IMAGE_CELLS)
    files = Files(places, st.empty(), title, space, stats, images, result, correction)
    files.fill(explanation, waiting)
    saved.show_upload(state)
    return files
