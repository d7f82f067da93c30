"""The answer: label, how sure, and why, in one sentence."""

from __future__ import annotations

from html import escape

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from ui.widgets.sentence import Piece, adds_up, answer, runner_up, shades, unlike


def show(explanation: Explanation, space: ConceptSpace, origin: str | None = None) -> None:
    """``origin`` says where an explanation that was not made just now comes from."""
    st.html(answer_html(explanation, space, origin))


def answer_html(explanation: Explanation, space: ConceptSpace, origin: str | None = None) -> str:
    lines = [
        origin,
        adds_up(explanation, space),
        runner_up(explanation, space),
        shades(explanation, space),
    ]
    notes = "".join(f'<p class="sc-note">{escape(line)}</p>' for line in lines if line)
    caution = unlike(explanation, space)
    first = f'<p class="sc-caution">{escape(caution)}</p>' if caution else ""
    label, sure, *reasons = map(_span, answer(explanation, space))
    return (
        f'<div class="answer">{first}<p class="sentence"><span class="sc-headline">{label}{sure}</span>'
        f"{''.join(reasons)}</p>{notes}</div>"
    )


def _span(piece: Piece) -> str:
    text = escape(piece.text)
    return text if piece.kind == "text" else f'<span class="sc-{piece.kind}">{text}</span>'
