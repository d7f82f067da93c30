"""The explanation as files, and back from one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from ui.explain import saved
from ui.explain.reading import Reading
from ui.frame import link
from ui.resources import explanations, memory
from ui.resources.subnetworks import IMAGE_CELLS, images_of, stats_of
from ui.state import AppState
from ui.widgets import commands, layout
from ui.widgets.download import HTML, JSON, SVG, download
from ui.widgets.exports import contribution_rows, csv_bytes, json_text, word_rows
from ui.widgets.words import find_words

if TYPE_CHECKING:
    from sparsecbm_core.explain.subnetworks import DensityImage, SubnetworkStats


OTHERS = "Finding the words that matter for the other concepts, which belong into these files…"


@dataclass(frozen=True)
class Files:
    """The buttons that save an explanation; those of files with words may be there to be filled in later.

    ``images`` and ``stats`` are made at once and not when a file is asked for: a session would keep its
    corrected model in memory until then. ``corrections`` makes what the report says of these.
    """

    places: Mapping[str, DeltaGenerator]
    progress: DeltaGenerator
    title: str
    space: ConceptSpace
    concept: str
    stats: SubnetworkStats | None
    images: Mapping[str, DensityImage]
    corrections: Callable[[], Sequence[str]]

    def show_progress(self, share: float) -> None:
        self.progress.progress(share, OTHERS)

    def fill(self, explanation: Explanation, waiting: bool = False) -> None:
        """What holds words: a file is whole or it waits."""
        words = explanation.method is not None

        def report() -> str:
            from ui.explain.report import report_html

            corrections = self.corrections()
            return report_html(explanation, self.space, self.title, self.stats, self.images, corrections)

        def button(label: str, data: Callable[[], str | bytes], name: str, **options: Any) -> None:
            with self.places[name]:
                download(label, data, name, waiting=waiting, **options)

        def picture() -> str:
            from ui.widgets.pathway_still import pathway_svg

            return pathway_svg(explanation, self.space, self.concept, self.stats, self.images)

        button("Report (HTML)", report, "report.html", kind=HTML, disabled=not words)
        button(
            "Explanation (JSON)",
            lambda: json_text(explanation.to_dict()),
            "explanation.json",
            kind=JSON,
        )
        button("Pathway (SVG)", picture, "pathway.svg", kind=SVG)
        button("Words (CSV)", lambda: csv_bytes(word_rows(explanation)), "words.csv", disabled=not words)
        self.progress.empty()


def show(state: AppState, read: Reading, corrections: Callable[[], Sequence[str]]) -> Files:
    """While words are still to be scored, the files that hold words cannot be saved."""
    layout.section(
        "Take it with you",
        "The report is one page that opens anywhere, offline. The others hold the pathway as a picture, and "
        "exact numbers.",
    )
    explanation, space, model = read.explanation, read.space, read.model
    stats = None if model is None else stats_of(model)
    places = {}
    with st.container(horizontal=True):
        for name in ("report.html", "pathway.svg", "explanation.json"):
            places[name] = st.empty()
        download(
            "Contributions (CSV)",
            lambda: csv_bytes(contribution_rows(explanation, space)),
            "contributions-all-labels.csv",
        )
        places["words.csv"] = st.empty()
        if stats is not None:
            download(
                "Subnetworks (JSON)",
                lambda: json_text({"fingerprint": explanation.fingerprint, **stats.to_dict()}),
                "subnetworks.json",
                JSON,
            )
    images = {} if model is None else images_of(model, IMAGE_CELLS)
    files = Files(places, st.empty(), read.title, space, read.concept, stats, images, corrections)
    files.fill(explanation, waiting=bool(read.missing))
    link.show(state)
    if state.work.card is not None:
        commands.many_reviews(state.work.card.folder)
    saved.show_upload(state)
    return files


def find_missing(state: AppState, read: Reading, place: DeltaGenerator, files: Files) -> None:
    """The words of the concept that is looked at first, with progress in ``place``; those of the others while
    a person reads."""
    if read.concept in read.missing:
        find_words(place, read.loaded, state, read.concept)
    if read.missing:
        files.fill(explanations.read_words(read.loaded, state.work.text, state.method, files.show_progress))
        memory.give_back()
