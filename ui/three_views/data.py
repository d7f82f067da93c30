"""What the three views need beyond an explanation, made once for all sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.progress import OnCount, unheard
from sparsecbm_core.session.recent import Recent

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.word_removal import WordRemoval
    from sparsecbm_core.explain.attention import Attention, Received
    from sparsecbm_core.explain.results import Explanation
    from sparsecbm_core.models.concept_model import ConceptModel

ALL_LAYERS, PATHWAY = 0, "pathway"


def attention(model: ConceptModel, text: str) -> Attention:
    """Where a dense model looks: one forward pass."""
    key = (model.fingerprint, text)
    found = _attention().get(key)
    if found is None:
        from sparsecbm_core.explain.attention import attention as look

        found = look(model, text)
        _attention().put(key, found, len(text) * (len(found.layers) + 1))
    return found


def layer_of(looks: Attention, layer: int) -> Received:
    """One layer, counted from 1, or all of them."""
    return looks.rollout if layer == ALL_LAYERS else looks.layers[layer - 1]


def layer_key(layer: int) -> str:
    """The name of a layer's ranking in the test and in files."""
    return "rollout" if layer == ALL_LAYERS else f"layer {layer}"


def removal(
    model: ConceptModel,
    explanation: Explanation,
    looks: Attention,
    concept: str,
    on_progress: OnCount = unheard,
) -> WordRemoval:
    """The test of a concept's words, for every layer of attention at once.

    `InputError` where there is nothing to compare: a single word, or models that cut the text differently.
    """
    key = (model.fingerprint, looks.fingerprint, explanation.text, explanation.method, concept)
    found = _removals().get(key)
    if found is None:
        from sparsecbm_core.evaluate.word_removal import word_removal

        item = explanation.concepts[concept]
        layers = range(ALL_LAYERS, len(looks.layers) + 1)
        rankings = {
            PATHWAY: item.tokens,
            **{layer_key(layer): layer_of(looks, layer).tokens for layer in layers},
        }
        found = word_removal(
            model, explanation.text, concept, rankings, state=item.state, on_progress=on_progress
        )
        _removals().put(key, found, len(explanation.text))
    return found


@st.cache_resource(show_spinner=False)
def _attention() -> Recent[Attention]:
    return Recent(entries=64, size=4_000_000, seconds=3600)


@st.cache_resource(show_spinner=False)
def _removals() -> Recent[WordRemoval]:
    return Recent(entries=256, size=4_000_000, seconds=3600)
