"""One matrix of a mask: its blocks, and in a window every single weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from sparsecbm_core.figures import (
    block_changes_figure,
    blocks_figure,
    pair_window_figure,
    window_figure,
)
from ui.frame import address
from ui.masks.overview import chosen_matrix, frame, note
from ui.state import AppState
from ui.text import plain
from ui.widgets import layout
from ui.widgets.charts import chart
from ui.widgets.mask_view import DIFFERENCE, PAIR, View, common, view_now
from ui.work import MaskChoice

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.explain.mask_changes import BlockChanges, BlockDensity
    from sparsecbm_core.explain.mask_windows import MaskWindow, PairWindow
    from sparsecbm_core.models.concept_model import ConceptModel

ROW, COLUMN, SIZE = "mask_row", "mask_column", "mask_size"
BLOCK = 32  # weights a block is wide and high, where that makes neither too few nor too many of them
SIZES = (24, 48, 96)
FEWEST, MOST = 4, 24  # blocks along a side


@st.fragment
def show(state: AppState, base: ConceptModel) -> None:
    """Runs on its own when a part of the matrix is chosen, so it is given nothing that changes elsewhere."""
    address.answered(state)
    view, choice = view_now(state, base), state.work.masks
    matrix = chosen_matrix(choice, view)
    item = next(item for item in view.changes.matrices if item.matrix == matrix)
    height, width = item.shape
    layout.section(
        view.titles()[matrix],
        f"{height:,} × {width:,} weights, {note(view, item)}. Rows are what the layer gives, columns what it "
        "takes.",
    )
    size = min(choice.size, max(item.shape))
    corner = window_corner(choice, view, matrix, size)
    left, right = st.columns([1, 1], gap="large")
    with left:
        layout.subsection("Where in the matrix")
        _blocks(state, view, matrix, corner, size)
    with right:
        layout.subsection("Weight by weight")
        _weights(view, matrix, corner, size)
    _controls(state, item.shape, corner, size)


def window_corner(choice: MaskChoice, view: View, matrix: str, size: int) -> tuple[int, int]:
    """Where the window begins: where it was put, or else where most changed, or of what did not change where
    most is kept; never beyond the edge."""
    from sparsecbm_core.explain.mask_windows import busiest_window, fullest_window

    find = busiest_window if view.kind == DIFFERENCE else fullest_window
    row, column = choice.corner or find(view.before, view.after, view.concept, matrix, size)
    last_row, last_column = (max(0, length - size) for length in view.before.shapes[matrix])
    return min(max(0, row), last_row), min(max(0, column), last_column)


def _blocks(state: AppState, view: View, matrix: str, corner: tuple[int, int], size: int) -> None:
    from sparsecbm_core.explain.mask_changes import block_changes, block_density

    shape = view.before.shapes[matrix]
    rows, columns = (min(length, MOST, max(FEWEST, length // BLOCK)) for length in shape)
    blocks: BlockChanges | BlockDensity
    if view.kind == DIFFERENCE:
        blocks = block_changes(view.before, view.after, view.concept, matrix, rows, columns)
        figure = block_changes_figure(blocks)
    else:
        blocks = block_density(common(view), view.concept, matrix, rows, columns)
        figure = blocks_figure(blocks)
    bottom, right = (min(first + size, length) for first, length in zip(corner, shape, strict=True))
    frame(figure, (corner[1], corner[0]), (right, bottom))
    high, wide = shape[0] // rows, shape[1] // columns

    def go_to(data: Sequence[Any]) -> None:
        """The window around the middle of a block."""
        state.work.masks.go_to(int(data[2]) + (high - size) // 2, int(data[3]) + (wide - size) // 2)

    chart(
        figure,
        blocks.rows(),
        "mask-blocks",
        f"{view.titles()[matrix]}, block by block",
        "Blocks with changes" if view.kind == DIFFERENCE else "The numbers, block by block",
        percents=["share"],
        on_pick=state.on(go_to),
    )
    what = "× dropped, ■ grown, larger where more. " if view.kind == DIFFERENCE else ""
    layout.caption(
        f"{what}A block is {high} × {wide} weights. Click one to see its weights; the frame is where you are."
    )


def _weights(view: View, matrix: str, corner: tuple[int, int], size: int) -> None:
    found, figure = _window(view, matrix, corner, size)
    words = {"first": f"only {view.title}", "second": f"only {view.second_title}"}

    def worded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**row, "state": words.get(row["state"], row["state"])} for row in rows]

    rows = found.rows()
    if view.single:
        # Nothing can have been dropped or grown.
        rows, figure.data = rows[:2], figure.data[:3]
    chart(
        figure,
        worded(rows),
        "mask-weights",
        f"{view.titles()[matrix]}, from row {corner[0]}, column {corner[1]}, weight by weight",
        "The numbers, and every weight as a file",
        file_rows=lambda: worded(found.cells()),
    )
    layout.caption(_legend(view))


def _window(
    view: View, matrix: str, corner: tuple[int, int], size: int
) -> tuple[MaskWindow | PairWindow, go.Figure]:
    from sparsecbm_core.explain.mask_windows import pair_window, window

    if view.second is not None:
        pair = pair_window(view.masks, view.concept, view.second, matrix, *corner, size)
        return pair, pair_window_figure(pair, view.space)
    found = window(view.before, view.after, view.concept, matrix, *corner, size)
    return found, window_figure(found)


def _legend(view: View) -> str:
    if view.kind == PAIR:
        return (
            f"A cross is used only by {view.second_title}, a dot by both, plain colour only by "
            f"{view.title}; where it is faint, by neither."
        )
    if view.kind == DIFFERENCE:
        return "A cross was dropped, a square grown. Of the rest, grey is used as before and faint is pruned."
    return "Grey is used, faint is pruned."


def _controls(state: AppState, shape: tuple[int, int], corner: tuple[int, int], size: int) -> None:
    """The way without a mouse: where the window begins, and how large it is."""

    choice = state.work.masks

    def go_to() -> None:
        choice.go_to(int(st.session_state[ROW]), int(st.session_state[COLUMN]))

    with st.container(horizontal=True, vertical_alignment="bottom"):
        for key, title, first, length in (
            (ROW, "First row", corner[0], shape[0]),
            (COLUMN, "First column", corner[1], shape[1]),
        ):
            st.session_state[key] = first
            st.number_input(
                title,
                min_value=0,
                max_value=max(0, length - size),
                step=size,
                key=key,
                on_change=state.on(go_to),
                help="Counted from 0, as in the weight matrix itself.",
                width=170,
            )
        sizes = [option for option in SIZES if option <= max(shape)]
        if len(sizes) > 1:
            st.session_state[SIZE] = choice.size
            st.segmented_control(
                "Weights shown",
                sizes,
                format_func=lambda option: plain(f"{option} × {option}"),
                key=SIZE,
                required=True,
                on_change=state.on_value(SIZE, choice.choose_size),
            )
