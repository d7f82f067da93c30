"""The explanation as files."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from ui import parts
from ui.exports import contribution_rows, csv_text, json_text, word_rows


def show(explanation: Explanation, space: ConceptSpace) -> None:
    parts.section(
        "Take it with you", "The whole explanation, exact numbers, ready to be read by another program."
    )
    ready = explanation.method is not None
    with st.container(horizontal=True):
        _button(
            "Explanation (JSON)",
            lambda: json_text(explanation.to_dict()),
            "explanation.json",
            "application/json",
        )
        _button(
            "Contributions (CSV)",
            lambda: csv_text(contribution_rows(explanation, space)),
            "contributions.csv",
        )
        _button("Words (CSV)", lambda: csv_text(word_rows(explanation)), "words.csv", disabled=not ready)


def _button(
    label: str, data: Callable[[], str], name: str, kind: str = "text/csv", disabled: bool = False
) -> None:
    st.download_button(
        label,
        data,
        name,
        kind,
        key=f"download-{name}",
        on_click="ignore",
        icon=":material/download:",
        disabled=disabled,
    )
