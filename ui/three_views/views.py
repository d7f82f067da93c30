"""What every one of the three views has: a title, what it is, a label, and what it can and cannot tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import percent
from ui.three_views.companion import Companion


@dataclass(frozen=True)
class View:
    """``name`` is its place on the page, ``can`` and ``cannot`` what it tells and does not tell."""

    name: str
    title: str
    what: str
    can: Sequence[str]
    cannot: Sequence[str]


ATTENTION = View(
    "attention",
    "Attention",
    "Which words the dense model looks at while it reads, and how much.",
    (
        "Which words the others take something in from, layer by layer.",
        "The same for any model with attention, also one without concepts.",
    ),
    (
        "What a word is looked at for: the shading is the same for every concept and every label.",
        "Whether a word speaks for or against anything; attention has no sign.",
        "Whether the answer rests on a word. Much attention goes to signs and framing tokens.",
    ),
)
BOTTLENECK = View(
    "bottleneck",
    "Plain concept bottleneck",
    "What the dense model finds for each concept, and how that adds up to its label.",
    (
        "Which concepts the label comes from, and how much each adds: the sum is exact.",
        "All of it in terms that people use: no tokens and no weights.",
    ),
    (
        "Which words a concept was read from: the bottleneck begins after the reading.",
        "With which weights: every concept uses the whole encoder, so none can be corrected in it alone.",
        "What a concept's activation carries beside its state; that is so on the right as well.",
    ),
)
PATHWAY = View(
    "pathway",
    "Sparse pathway",
    "From words through a concept's own subnetwork to its state, and on to the label.",
    (
        "Which words move the chosen concept, through the very weights that it is read with.",
        "Which weights these are: they can be looked at, and corrected, one by one.",
        "How much the concept then adds to the label, as in the plain bottleneck.",
    ),
    (
        "That nothing else could find the concept: a subnetwork is where it is found here.",
        "More than an estimate of a word's weight: other methods may order the words differently.",
        "Much about the words of a concept that is not mentioned.",
    ),
)
TERMS = (
    (
        "Dense model",
        "The model before its weights were divided up: every concept is read with all of them.",
    ),
    (
        "Attention",
        "While a model reads, every word takes something in from the others. Attention says from which, in "
        "shares that add up to 100 %. It is given anew in each layer, one step of the reading.",
    ),
    (
        "All layers",
        "The layers one after the other, half of what each passes on taken to be its own input (attention "
        "rollout, Abnar & Zuidema 2020). Single layers: the mean of their heads and of all that look.",
    ),
    (
        "Framing tokens",
        "Tokens that stand for no word. The tokenizer puts them around every text, as [CLS] and [SEP].",
    ),
)


def head(view: View) -> None:
    st.header(view.title, anchor=False)
    st.html(f'<p class="sc-note sc-what">{escape(view.what)}</p>')


def label(explanation: Explanation, space: ConceptSpace, whose: str) -> None:
    """The label that a model gives, and how sure it is; ``whose`` it is."""
    title, sure = space.label_title(explanation.label), percent(explanation.probabilities[explanation.label])
    st.html(
        f'<p class="sc-viewlabel"><span class="sc-note">{escape(whose)}</span><br>'
        f"<b>{escape(title)}</b> ({sure})</p>"
    )


def missing(companion: Companion) -> None:
    """In place of a view that has no dense model."""
    st.html(f'<p class="sc-lead sc-missing">{escape(companion.problem or "")}</p>')
    if companion.command:
        st.code(companion.command, language=None, wrap_lines=True)


def tells(view: View) -> None:
    st.html(
        f'<div class="sc-tells">{_list("It can tell", "sc-can", view.can)}'
        f"{_list('It cannot tell', 'sc-cannot', view.cannot)}</div>"
    )


def _list(title: str, kind: str, lines: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<h3 class="sc-listhead">{title}</h3><ul class="{kind}">{items}</ul>'
