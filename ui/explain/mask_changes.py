"""A concept's mask before and after the session's corrections, in three pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.figures import density_figure, density_top
from sparsecbm_core.figures.mask_map import flip_map_figure
from ui.frame import pages
from ui.resources.subnetworks import IMAGE_CELLS, images_of
from ui.widgets import layout
from ui.widgets.charts import chart
from ui.widgets.mask_counts import HELP, matrix_rows, sparsity, total_row
from ui.widgets.mask_view import CORRECTED, DIFFERENCE, LOADED, View, density, differs, view_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.models.concept_model import ConceptModel

HEIGHT = 340
# Blocks along a side of a matrix that a mark stands for; fewer where there are many marks to draw.
FINE, COARSE, MANY = 12, 6, 1500


def show(base: ConceptModel, now: ConceptModel, concept: str) -> None:
    """``base`` is the model as loaded, ``now`` as corrected; nothing where the concept's mask is the same."""
    if not differs(base, now, concept):
        return
    before, after, both = (
        view_of(kind, base, now, concept, None) for kind in (LOADED, CORRECTED, DIFFERENCE)
    )
    total = both.changes
    layout.section(
        f"Subnetwork of {both.title}, before and after",
        f"{total.dropped:,} weights dropped, {total.grown:,} grown, of {total.size:,}: {sparsity(total)}.",
        help=HELP,
    )
    pictures = (
        (before, f"Before: {total.kept_before:,} used"),
        (after, f"After: {total.kept_after:,} used"),
        (both, f"Difference: ■ {total.grown:,} grown, × {total.dropped:,} dropped"),
    )
    # One scale for all concepts, as in the larger picture of a subnetwork.
    top = density_top(images_of(base, IMAGE_CELLS).values())
    for column, (view, text) in zip(st.columns(3, gap="medium"), pictures, strict=True):
        with column:
            layout.caption(text)
            chart(
                _picture(view, top, f"{view.key}-{view.kind}-{top}"),
                matrix_rows(view),
                f"before-after-{view.kind}",
                f"Subnetwork of {view.title}. {text}",
                percents=["share"],
                total=total_row(view),
            )
    st.page_link(pages.MASKS, label="Down to the single weight", icon=":material/grid_on:")


@st.cache_resource(max_entries=24, show_spinner=False)
def _picture(_view: View, _top: float, key: str) -> go.Figure:
    figure = _map(_view) if _view.kind == DIFFERENCE else density_figure(density(_view), _top)
    figure.update_traces(showscale=False, selector={"type": "heatmap"})
    figure.update_xaxes(tickfont_size=11)
    figure.update_yaxes(title_standoff=14)
    figure.update_layout(height=HEIGHT)
    return figure


def _map(view: View) -> go.Figure:
    """Where weights were dropped and grown."""
    from sparsecbm_core.explain.mask_changes import block_changes

    total = view.changes
    side = FINE if total.dropped + total.grown <= MANY else COARSE
    blocks = {
        item.matrix: block_changes(view.before, view.after, view.concept, item.matrix, side, side)
        for item in total.matrices
        if item.dropped or item.grown
    }
    return flip_map_figure(total, blocks)
