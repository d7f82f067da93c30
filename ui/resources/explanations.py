"""Explanations, made once for all sessions; reviews are nobody's for longer than an hour.

What needs torch is imported inside the functions, so that a page can paint before it is there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.progress import OnShare, unheard
from sparsecbm_core.session.recent import Recent

if TYPE_CHECKING:
    from sparsecbm_core.explain.results import Explanation
    from sparsecbm_core.intervene.oracle import OracleResult
    from sparsecbm_core.models.concept_model import ConceptModel

# Steps of integrated gradients. Against 96 steps the scores of the example reviews are off by at most 3 % of
# the strongest word's, less than a colour shows, and take three quarters of the time of the usual 32.
STEPS = 24


def read(model: ConceptModel, text: str) -> Explanation:
    """Label and concepts of a text, without its words: one forward pass."""
    key = (model.fingerprint, text, None)
    found = _recent().get(key)
    if found is None:
        from sparsecbm_core.explain import explain

        found = explain(model, text, None)
        _recent().put(key, found, len(text))
    return found


def known_words(model: ConceptModel, text: str, method: str, whole: bool = True) -> Explanation | None:
    """The explanation with its words, if it was made before; nothing is computed.

    With ``whole`` only where those of every concept were scored.
    """
    found = _recent().get((model.fingerprint, text, method))
    return None if found is None or (whole and found.unscored) else found


def read_words(
    model: ConceptModel,
    text: str,
    method: str,
    on_progress: OnShare = unheard,
    concept: str | None = None,
) -> Explanation:
    """The explanation with every word scored by ``method``; ``on_progress`` gets the share done.

    With ``concept`` the words of that one are scored, and those of others only where that takes no longer.
    What was scored is kept, also where the rest is broken off.
    """
    found = known_words(model, text, method, whole=False) or read(model, text)
    wanted = [name for name in found.unscored if concept in (None, name)]
    if not wanted:
        return found
    from sparsecbm_core.explain import with_tokens
    from sparsecbm_core.explain.scoring import at_once
    from sparsecbm_core.explain.tokens.registry import token_method

    together = at_once(model, found.truncated.kept, token_method(method))
    parts = [None] if together else [[name] for name in wanted]
    for done, names in enumerate(parts):

        def on_share(share: float, done: int = done) -> None:
            on_progress((done + share) / len(parts))

        scored = with_tokens(model, found, method, steps=STEPS, concepts=names, on_share=on_share)
        found = _keep(model, text, method, scored)
    return found


def _keep(model: ConceptModel, text: str, method: str, scored: Explanation) -> Explanation:
    """Together with the words of other concepts that another visitor may have had scored meanwhile."""
    known = known_words(model, text, method, whole=False)
    if known is not None:
        new = {name: item for name, item in scored.concepts.items() if item.tokens}
        scored = replace(known, concepts={**known.concepts, **new})
    _recent().put((model.fingerprint, text, method), scored, len(text))
    return scored


@st.cache_resource(show_spinner=False)
def _recent() -> Recent[Explanation]:
    """Explanations made in the last hour: reviews are nobody's for longer than that."""
    return Recent(entries=256, size=4_000_000, seconds=3600)


def override(model: ConceptModel, explanation: Explanation, states: dict[str, str]) -> OracleResult:
    """The label with some concepts set by hand: microseconds, so not cached."""
    from sparsecbm_core.intervene.oracle import oracle

    return oracle(model, explanation, states)
