"""The pathway: words → subnetworks → concepts → label, as one picture that can be operated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import streamlit as st

from sparsecbm_core.concepts import REST, UNKNOWN, ConceptSpace
from sparsecbm_core.explain.results import ConceptExplanation, Explanation, TokenScore
from sparsecbm_core.figures import (
    Breakdown,
    density_top,
    millions,
    percent,
    precise_percent,
    score_text,
    signed,
)
from sparsecbm_core.figures.contributions import ANSWER_SIDES, Part
from ui.resources.assets import ASSETS
from ui.widgets.review_text import side
from ui.widgets.sums import at_first_sight, shown

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

    from sparsecbm_core.explain.subnetworks import DensityImage, SubnetworkStats

WORDS, WORD_LENGTH = 6, 40
NAME, KEY = "sparsecbm_pathway", "pathway"
ASK = "Wrong? Choose the right one."
WAITING, UNSCORED = "Finding the words that matter…", "The words of this explanation were not scored."


def pathway(
    data: dict[str, Any],
    on_select: Callable[[str], None],
    on_correct: Callable[[str, str], None] | None = None,
) -> None:
    """Show the picture; ``on_select`` gets the name of a concept that was chosen in it, ``on_correct``, where
    the selected one can be corrected there, its name and the state that it should be in."""

    def chosen() -> None:
        name = st.session_state[KEY].get("selected")
        if name is not None:
            on_select(name)

    def corrected() -> None:
        wanted = st.session_state[KEY].get("corrected")
        if wanted is not None and on_correct is not None:
            on_correct(wanted["concept"], wanted["state"])

    _component()(
        data={**data, "ask": None if on_correct is None else ASK},
        key=KEY,
        on_selected_change=chosen,
        on_corrected_change=corrected,
    )


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
    images: Mapping[str, DensityImage],
    without: str = "the whole encoder",
    unscored: str = WAITING,
) -> dict[str, Any]:
    """What the picture shows, as plain JSON.

    ``without`` is said of every concept where there are no subnetworks, ``unscored`` where
    no words are scored.
    """
    parts, names = shown(explanation, space), at_first_sight(explanation, space, selected)
    by_name = {part.name: part for part in parts.parts}
    item = explanation.concepts[selected]
    top = density_top(images.values())
    return {
        "headings": {
            "words": f"Words that matter for {space.title(selected)}",
            "mask": "Subnetwork",
            "concept": "Concept",
            "label": "Label",
            "choose": "Choose a concept",
        },
        "selected": selected,
        "note": words_note(item, unscored),
        "words": [
            {
                "title": token.text[:WORD_LENGTH],
                "value": token.score,
                "text": score_text(token.score, signed_words),
                "side": side(token.score, signed_words),
            }
            for token in _strongest(item)
        ],
        "concepts": [
            _concept(
                by_name[name],
                explanation.concepts[name],
                space,
                used_caption(name, stats, without),
                images.get(name),
                top,
            )
            for name in names
        ],
        "rest": _rest(by_name[REST], used_caption(REST, stats, without), images.get(REST), top)
        if REST in by_name
        else None,
        "others": _others(parts, names, space),
        "base": {"title": parts.base_title, "value": parts.base, "text": parts.base_text},
        "labels": _shares(space.labels, space.label_title, explanation.probabilities, explanation.label),
        "score": _total(parts, space),
    }


def _strongest(item: ConceptExplanation) -> list[TokenScore]:
    """The words with the largest scores; signs alone are left to the table."""
    words = [token for token in item.tokens if any(sign.isalnum() for sign in token.text)]
    return sorted(words or item.tokens, key=lambda token: -abs(token.score))[:WORDS]


def words_note(item: ConceptExplanation, unscored: str) -> str | None:
    """Why no words are listed, or None."""
    if not item.tokens:
        return unscored
    if item.state == UNKNOWN:
        return "Not mentioned, so no single word says much."
    return None


def _shares(
    names: Sequence[str], title: Callable[[str], str], shares: Mapping[str, float], found: str
) -> list[dict[str, Any]]:
    """A bar for each state or label; the one that was found is on."""
    return [
        {
            "name": name,
            "title": title(name),
            "share": shares[name],
            "text": percent(shares[name]),
            "on": name == found,
        }
        for name in names
    ]


def _concept(
    part: Part,
    item: ConceptExplanation,
    space: ConceptSpace,
    caption: str,
    image: DensityImage | None,
    top: float,
) -> dict[str, Any]:
    return {
        "name": part.name,
        "title": part.title,
        "state": f"{space.title(item.state)} · {percent(item.probabilities[item.state])}",
        "states": _shares(space.states, space.title, item.probabilities, item.state),
        "value": part.value,
        "text": part.text,
        "side": part.side,
        "mask": {"caption": caption, **_cells(image, top)},
    }


def _rest(part: Part, caption: str, image: DensityImage | None, top: float) -> dict[str, Any]:
    """What no concept carries: it has a subnetwork and a contribution, and no states."""
    return {
        "name": part.name,
        "title": part.title,
        "state": "what no concept carries",
        "value": part.value,
        "text": part.text,
        "side": part.side,
        "mask": {"caption": caption, **_cells(image, top)},
    }


def _others(parts: Breakdown, names: Sequence[str], space: ConceptSpace) -> dict[str, Any] | None:
    """Of many concepts those that are not shown, as one number, so that the picture still adds up."""
    left = [part for part in parts.parts if part.name in space.concepts and part.name not in names]
    if not left:
        return None
    digits = len(parts.total_text.partition(".")[2])
    number = sum(float(part.text.replace("−", "-")) for part in left)
    together = Part("", f"{len(left)} other concepts", number, signed(number, digits), parts.sides)
    return {"title": together.title, "value": number, "text": together.text, "side": together.side}


def _total(parts: Breakdown, space: ConceptSpace) -> str:
    if parts.sides != ANSWER_SIDES:
        return f"score {parts.total_text}"
    return f"expected: {parts.total_text} {space.label_unit}".strip()


def _cells(image: DensityImage | None, top: float) -> dict[str, Any]:
    """Densities as bytes; ``top`` is the full colour, in all tiles alike."""
    if image is None:
        return {"rows": 0, "columns": 0, "cells": []}
    import numpy as np

    levels = np.clip(np.nan_to_num(image.values) / top * 255, 0, 255).astype(np.uint8)
    return {"rows": levels.shape[0], "columns": levels.shape[1], "cells": levels.ravel().tolist()}


def used_caption(concept: str, stats: SubnetworkStats | None, without: str) -> str:
    """How much of the encoder a concept uses: "25.0 % of 10.6 M weights"."""
    if stats is None:
        return without
    return f"{precise_percent(stats.concepts[concept].density)} of {millions(stats.total)} weights"
