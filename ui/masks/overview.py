"""A mask layer by layer: how many weights of every matrix are kept, dropped and grown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from sparsecbm_core.figures import changes_figure, density_figure, density_top, precise_percent
from sparsecbm_core.figures.look import INK
from ui.resources.subnetworks import IMAGE_CELLS, images_of
from ui.state import AppState
from ui.widgets import layout
from ui.widgets.charts import chart
from ui.widgets.download import download
from ui.widgets.exports import csv_bytes
from ui.widgets.mask_counts import HELP, matrix_rows, shared, sparsity, total_row
from ui.widgets.mask_view import CORRECTED, DIFFERENCE, LOADED, PAIR, View, density, view_now
from ui.work import MaskChoice

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.explain.mask_changes import MatrixChange
    from sparsecbm_core.models.concept_model import ConceptModel

MATRIX = "mask_matrix"
PHRASES = {LOADED: "as loaded", CORRECTED: "as corrected", DIFFERENCE: "before and after"}
LAYERS = (
    "A review passes the layers from top to bottom. In each, query, key and value decide which words look at "
    "which; the rest works on one word at a time."
)


def show(state: AppState, base: ConceptModel, view: View) -> None:
    layout.section(_heading(view), summary(view), help=HELP)
    titles, chosen = view.titles(), chosen_matrix(state.work.masks, view)
    chart(
        _figure(base, view, chosen),
        matrix_rows(view),
        f"masks-{view.kind}",
        f"{_heading(view)}, matrix by matrix",
        "The numbers, matrix by matrix",
        percents=["share", "overlap"],
        total=total_row(view),
        on_pick=state.on(lambda data: state.work.masks.choose_matrix(str(data[2]))),
    )
    if view.kind == DIFFERENCE:
        layout.caption(f"− dropped, + grown: stronger in colour where more changed. {LAYERS}")
    else:
        used = "both use" if view.kind == PAIR else "is used"
        layout.caption(f"A block is one weight matrix: stronger in colour where more {used}. {LAYERS}")
    notes = {item.matrix: note(view, item) for item in view.changes.matrices}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state[MATRIX] = chosen
        st.selectbox(
            "Matrix",
            list(titles),
            format_func=lambda name: f"{titles[name]}: {notes[name]}",
            key=MATRIX,
            on_change=state.on_value(MATRIX, state.work.masks.choose_matrix),
            width=460,
            help="A block of the picture can be clicked as well.",
            filter_mode=None,
        )
        if view.kind == DIFFERENCE:
            # Made from the session when it is asked for: a button must not keep masks in memory.
            download(
                "Flips (CSV)",
                lambda: csv_bytes(flip_rows(view_now(state, base))),
                f"flips-{view.concept}.csv",
            )


def chosen_matrix(choice: MaskChoice, view: View) -> str:
    """The chosen matrix, or else the one with most flips, or else the first."""
    items = view.changes.matrices
    if choice.matrix in view.titles():
        return str(choice.matrix)
    return items[0].matrix if view.kind == PAIR else max(items, key=_flips).matrix


def summary(view: View) -> str:
    """The whole mask in numbers that add up; the picture's numbers are the same."""
    total, title = view.changes, view.title
    if view.kind == PAIR:
        either = total.kept + total.dropped + total.grown
        return (
            f"{total.kept:,} weights used by both, {total.dropped:,} only for {title}, {total.grown:,} only "
            f"for {view.second_title}, {total.size - either:,} by neither: "
            f"{precise_percent(shared(total.kept, either))} of what either uses is shared."
        )
    if view.single:
        return (
            f"{total.kept:,} of {total.size:,} encoder weights used: "
            f"{precise_percent(1 - total.kept / total.size)} sparse."
        )
    return (
        f"{total.kept_before:,} used before, {total.dropped:,} dropped, {total.grown:,} grown, "
        f"{total.kept_after:,} used now: {sparsity(total)}."
    )


def flip_rows(view: View) -> list[dict[str, Any]]:
    """Every weight that was flipped; rows and columns count from 0, as in the matrix."""
    from sparsecbm_core.intervene.edits import MaskEdit

    flips = MaskEdit.between(view.before, view.after).flips.get(view.concept, {})
    found = []
    for item in view.changes.matrices:
        bits = view.before.packed[item.matrix][0]
        for index in flips.get(item.matrix, ()):
            row, column = divmod(int(index), item.shape[1])
            kept = bits[index >> 3] >> (7 - (index & 7)) & 1
            found.append(
                {
                    "concept": view.concept,
                    "layer": item.layer + 1,
                    "matrix": item.role,
                    "row": row,
                    "column": column,
                    "change": "dropped" if kept else "grown",
                }
            )
    return found


def _heading(view: View) -> str:
    if view.kind == PAIR:
        return f"{view.title} and {view.second_title}"
    return f"{view.title}, {PHRASES[view.kind]}"


def _figure(base: ConceptModel, view: View, chosen: str) -> go.Figure:
    """The overview, with a frame around the chosen matrix and something to click in every block."""
    changes = view.changes
    if view.kind == DIFFERENCE:
        figure, (down, across) = changes_figure(changes), (1, 1)
    else:
        image = density(view)
        # One scale for all concepts, so that their shades compare.
        top = density_top(images_of(base, IMAGE_CELLS).values())
        figure, (down, across) = density_figure(image, top), image.cells
        figure.update_traces(hoverinfo="skip", hovertemplate=None, selector={"type": "heatmap"})
        _add_pick(figure, view, down, across)
    figure.update_yaxes(title_standoff=14)
    item = next(item for item in changes.matrices if item.matrix == chosen)
    y, x = changes.layers.index(item.layer) * down, changes.roles.index(item.role) * across
    frame(figure, (x - 0.5, y - 0.5), (x + across - 0.5, y + down - 0.5))
    return figure


def _add_pick(figure: go.Figure, view: View, down: int, across: int) -> None:
    """Unseen points, one on every matrix, with the custom data that `changes_figure` gives its own."""
    changes, unseen = view.changes, {"marker": {"opacity": 0}}
    places = [(changes.layers.index(item.layer), changes.roles.index(item.role)) for item in changes.matrices]
    figure.add_scatter(
        x=[(column + 0.5) * across - 0.5 for _, column in places],
        y=[(row + 0.5) * down - 0.5 for row, _ in places],
        customdata=[[*place, item.matrix] for place, item in zip(places, changes.matrices, strict=True)],
        text=[note(view, item) for item in changes.matrices],
        mode="markers",
        name="pick",
        marker={"symbol": "square", "size": 60, "opacity": 0},
        selected=unseen,
        unselected=unseen,
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )


def frame(figure: go.Figure, start: tuple[float, float], end: tuple[float, float]) -> None:
    """A frame that shows on light and dark, and on any colour between."""
    for color, width in (("#FFFFFF", 5), (INK, 2)):
        figure.add_shape(
            type="rect",
            x0=start[0],
            y0=start[1],
            x1=end[0],
            y1=end[1],
            line={"color": color, "width": width},
        )


def note(view: View, item: MatrixChange) -> str:
    """A matrix in few words."""
    if view.kind == DIFFERENCE:
        return f"{item.dropped:,} dropped, {item.grown:,} grown" if _flips(item) else "unchanged"
    if view.kind == PAIR:
        return f"{precise_percent(shared(item.kept, item.kept + _flips(item)))} shared"
    return f"{precise_percent(item.kept / item.size)} used"


def _flips(item: MatrixChange) -> int:
    return item.dropped + item.grown
