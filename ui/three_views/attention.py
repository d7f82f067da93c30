"""The first view: the review shaded by the attention that its words receive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import precise_percent, share_bars
from ui.state import AppState
from ui.three_views import views
from ui.three_views.companion import Companion
from ui.three_views.data import ALL_LAYERS, layer_key, layer_of
from ui.widgets import layout
from ui.widgets.charts import chart
from ui.widgets.review_text import unread, words_html

if TYPE_CHECKING:
    from sparsecbm_core.explain.attention import Attention, Received

LAYER = "layer_choice"
TOP, LONGEST = 6, 16  # bars, and letters of a word beside one


def show(
    state: AppState,
    space: ConceptSpace,
    companion: Companion,
    plain_view: Explanation | None,
    looks: Attention | None,
) -> None:
    """``plain_view`` is what the dense model makes of the review, ``looks`` its attention."""
    views.head(views.ATTENTION)
    if looks is None or plain_view is None:
        views.missing(companion)
        return
    views.label(plain_view, space, "Label of the dense model")
    layer = chosen_layer(state, looks)
    st.session_state[LAYER] = layer
    st.selectbox(
        "Layer",
        range(ALL_LAYERS, len(looks.layers) + 1),
        format_func=lambda number: layer_title(number, len(looks.layers)),
        key=LAYER,
        on_change=state.on_value(LAYER, state.work.choose_layer),
        filter_mode=None,
        help="A layer is one step of the reading; every one has its own attention. “All layers” follows it "
        "through all steps (attention rollout).",
    )
    received, grey = layer_of(looks, layer), unread(looks.text, looks.truncated)
    st.html(
        '<p class="sc-legend"><span><span class="sc-word sc-neutral">word</span> is looked at; '
        f"the stronger, the more</span>{f'<span>{grey}</span>' if grey else ''}</p>"
    )
    st.html(
        words_html(
            looks.text,
            received.tokens,
            looks.truncated,
            precise_percent,
            name="The review, shaded by attention",
        )
    )
    layout.caption(sums(received))
    _most(looks, layer)


def chosen_layer(state: AppState, looks: Attention) -> int:
    """Another model of the session may have had more layers."""
    return state.work.layer if state.work.layer <= len(looks.layers) else ALL_LAYERS


def layer_title(layer: int, count: int) -> str:
    return "All layers (rollout)" if layer == ALL_LAYERS else f"Layer {layer} of {count}"


def sums(received: Received) -> str:
    """Where the attention goes, in one line."""
    top = max(received.tokens, key=lambda token: token.score)
    return (
        f"{precise_percent(received.framing)} of the attention goes to the tokens that frame the text, to no "
        f"word. “{top.text[:40]}” gets most of the rest, {precise_percent(top.score)}; if all words got the "
        f"same, each would get {precise_percent(received.even)}."
    )


def _most(looks: Attention, layer: int) -> None:
    received, origin = layer_of(looks, layer), {"model": looks.model, "fingerprint": looks.fingerprint}
    rows = [{"word": token.text, "attention": token.score} for token in received.tokens]
    rows.append({"word": "(framing tokens)", "attention": received.framing})
    everything = [
        {"layer": layer_key(number), "word": word, "from": start, "to": end, "attention": share, **origin}
        for number in range(ALL_LAYERS, len(looks.layers) + 1)
        for word, start, end, share in (
            *((t.text, t.start, t.end, t.score) for t in layer_of(looks, number).tokens),
            ("(framing tokens)", "", "", layer_of(looks, number).framing),
        )
    ]
    top = sorted(received.tokens, key=lambda token: -token.score)[:TOP]
    layout.caption("The words that are looked at most:")
    chart(
        share_bars([token.text[:LONGEST] for token in top], [token.score for token in top]),
        rows,
        "attention",
        "The attention that the words looked at most receive",
        "The attention of every word",
        percents=["attention"],
        file_rows=everything,
    )
