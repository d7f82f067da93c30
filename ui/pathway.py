"""The pathway: words → subnetworks → concepts → label, as one picture that can be operated."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from sparsecbm_core.concepts import UNKNOWN, ConceptSpace
from sparsecbm_core.explain.results import ConceptExplanation, Explanation, TokenScore
from sparsecbm_core.figures import breakdown, percent, precise_percent, signed

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

    from sparsecbm_core.explain.subnetworks import DensityImage, SubnetworkStats

ASSETS = Path(__file__).resolve().parents[1] / "assets"
WORDS, WORD_LENGTH = 6, 40
NAME = "sparsecbm_pathway"


def pathway(data: dict[str, Any], on_select: Callable[[str], None], key: str = "pathway") -> None:
    """Show the picture; ``on_select`` gets the name of a concept that was chosen in it."""

    def chosen() -> None:
        name = st.session_state[key].get("selected")
        if name is not None:
            on_select(name)

    _component()(data=data, key=key, on_selected_change=chosen)


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        NAME,
        html='<div class="pathway"></div>',
        css=(ASSETS / "pathway.css").read_text(encoding="utf-8"),
        js=(ASSETS / "pathway.js").read_text(encoding="utf-8"),
    )


def pathway_data(
    explanation: Explanation,
    space: ConceptSpace,
    selected: str,
    signed_words: bool,
    stats: SubnetworkStats | None,
    images: dict[str, DensityImage],
) -> dict[str, Any]:
    """What the picture shows, as plain JSON. Without scored words it says that they are on their way."""
    parts = breakdown(explanation, space)
    values = {part.name: part.value for part in parts.parts}
    item = explanation.concepts[selected]
    return {
        "headings": {
            "words": f"Words that matter for {space.title(selected)}",
            "mask": "Subnetwork",
            "concept": "Concept",
            "label": "Label",
            "choose": "Choose a concept",
        },
        "selected": selected,
        "signed": signed_words,
        "note": words_note(explanation, item),
        "words": [
            {
                "title": token.text[:WORD_LENGTH],
                "value": token.score,
                "text": signed(token.score) if signed_words else magnitude(token.score),
            }
            for token in _strongest(item)
        ],
        "concepts": [
            _concept(name, explanation.concepts[name], values[name], space, stats, images.get(name))
            for name in space.concepts
        ],
        "base": {"title": parts.base_title, "value": parts.base, "text": signed(parts.base)},
        "labels": [
            {
                "title": space.title(label),
                "share": explanation.probabilities[label],
                "text": percent(explanation.probabilities[label]),
                "on": label == explanation.label,
            }
            for label in space.labels
        ],
        "score": f"score {signed(parts.total)}",
    }


def _strongest(item: ConceptExplanation) -> list[TokenScore]:
    """The words with the largest scores; signs alone are left to the table."""
    words = [token for token in item.tokens if any(sign.isalnum() for sign in token.text)]
    return sorted(words or item.tokens, key=lambda token: -abs(token.score))[:WORDS]


def words_note(explanation: Explanation, item: ConceptExplanation) -> str | None:
    """Why no words are listed, or None."""
    if explanation.method is None:
        return "Weighing the words…"
    if item.state == UNKNOWN:
        return "Not mentioned, so no single word says much."
    return None


def _concept(
    name: str,
    item: ConceptExplanation,
    value: float,
    space: ConceptSpace,
    stats: SubnetworkStats | None,
    image: DensityImage | None,
) -> dict[str, Any]:
    return {
        "name": name,
        "title": space.title(name),
        "state": f"{space.title(item.state)} · {percent(item.probabilities[item.state])}",
        "states": [
            {
                "title": space.title(state),
                "share": item.probabilities[state],
                "text": percent(item.probabilities[state]),
                "on": state == item.state,
            }
            for state in space.states
        ],
        "value": value,
        "text": signed(value),
        "mask": {"caption": kept_caption(name, stats), **_cells(image)},
    }


def _cells(image: DensityImage | None) -> dict[str, Any]:
    """Densities as bytes; twice the mean density is the full colour."""
    if image is None:
        return {"rows": 0, "columns": 0, "cells": []}
    import numpy as np

    values = np.nan_to_num(image.values)
    top = max(float(2 * values.mean()), 1e-6)
    levels = np.clip(values / top * 255, 0, 255).astype(np.uint8)
    return {"rows": levels.shape[0], "columns": levels.shape[1], "cells": levels.ravel().tolist()}


def kept_caption(concept: str, stats: SubnetworkStats | None) -> str:
    """How much of the encoder a concept uses: "25.0 % of 10.6 M weights"."""
    if stats is None:
        return "the whole encoder"
    return f"{precise_percent(stats.concepts[concept].density)} of {millions(stats.total)} weights"


def millions(count: int) -> str:
    """A count as a reader says it.

    >>> millions(10616832), millions(4096)
    ('10.6 M', '4,096')
    """
    return f"{count / 1e6:.1f} M" if count >= 1_000_000 else f"{count:,}"


def magnitude(score: float) -> str:
    """A score without a sign, to two significant digits."""
    return f"{score:.2g}" if abs(score) < 1 else f"{score:.2f}"
