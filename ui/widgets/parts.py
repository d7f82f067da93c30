"""Small parts that every page uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, NoReturn

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import CheckpointError, SparseCBMError
from ui.resources import loader
from ui.resources.models import VARIABLE, Offer, offered
from ui.widgets.exports import csv_bytes
from ui.widgets.table import table_html
from ui.widgets.text import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.models.concept_model import ConceptModel

CSV, JSON, HTML = "text/csv", "application/json", "text/html"
Rows = Sequence[Mapping[str, Any]]
FileRows = Rows | Callable[[], Rows] | None


def section(text: str, about: str | None = None, help: str | None = None) -> None:
    """A heading with room above it and one line under it. ``text`` may hold names from a model."""
    st.space("small")
    st.header(plain(text), anchor=False, help=help)
    if about:
        lead(about)


def subsection(text: str, about: str | None = None, help: str | None = None) -> None:
    """A smaller heading inside a section, with one line under it."""
    st.subheader(plain(text), anchor=False, help=help)
    if about:
        caption(about)


def lead(text: str) -> None:
    st.html(f'<p class="sc-lead">{escape(text)}</p>')


def caption(text: str) -> None:
    st.html(f'<p class="sc-note">{escape(text)}</p>')


def chart(
    figure: go.Figure,
    rows: Sequence[Mapping[str, Any]],
    name: str,
    alt: str,
    what: str = "The numbers",
    percents: Sequence[str] = (),
    total: Mapping[str, Any] | None = None,
    file_rows: FileRows = None,
    on_pick: Callable[[Sequence[Any]], None] | None = None,
) -> None:
    """A chart with its numbers under it, to read and to save; ``alt`` says what it shows.

    Its own button saves it as a picture. ``on_pick`` gets the custom data of a point that was clicked:
    the same must be possible without a mouse. See `table` for the rest.
    """
    height = int(figure.layout.height or 300)
    config = {
        "displaylogo": False,
        "displayModeBar": "hover",
        "scrollZoom": False,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"format": "png", "scale": 2, "filename": name, "setBackground": "opaque"},
    }
    key = f"chart-{name}"
    st.plotly_chart(
        figure,
        width="stretch",
        height=height,
        key=key,
        config=config,
        alt=alt,
        on_select="ignore" if on_pick is None else partial(take_over, key, partial(_picked, on_pick)),
        selection_mode="points",
    )
    table(rows, name, alt, what, percents, total, file_rows)


def _picked(on_pick: Callable[[Sequence[Any]], None], event: Mapping[str, Any]) -> None:
    """Clicking the same point again takes the selection back: nothing is chosen by that."""
    points = event["selection"]["points"]
    if points and "customdata" in points[0]:
        on_pick(points[0]["customdata"])


def table(
    rows: Sequence[Mapping[str, Any]],
    name: str,
    caption: str,
    what: str = "The numbers",
    percents: Sequence[str] = (),
    total: Mapping[str, Any] | None = None,
    file_rows: FileRows = None,
) -> None:
    """Rows behind a click: as a table, and as a CSV file in full precision.

    Columns in ``percents`` are shares. ``total`` is a last row that the file leaves out; ``file_rows``
    replace the rows in the file where it says more: rows, or what makes them when the file is asked for.
    """

    def in_file() -> Rows:
        return rows if file_rows is None else file_rows() if callable(file_rows) else file_rows

    with st.expander(plain(what), type="compact"):
        st.html(table_html(rows, caption, percents, total))
        download("Save as CSV", lambda: csv_bytes(in_file()), f"{name}.csv")


def download(
    label: str,
    data: Callable[[], str | bytes],
    name: str,
    kind: str = CSV,
    disabled: bool = False,
    waiting: bool = False,
) -> None:
    """A button that saves a file, made only when it is pressed.

    ``waiting`` for what goes into the file, the button is another one, which cannot be pressed: the real one
    can take its place on the same page.
    """
    st.download_button(
        plain(label),
        data,
        name,
        kind,
        key=f"waiting-{name}" if waiting else f"download-{name}",
        on_click="ignore",
        icon=":material/download:",
        disabled=disabled or waiting,
    )


def take_over(key: str, setter: Callable[[Any], None]) -> None:
    """A widget's callback: what was chosen in it goes into the session's state."""
    setter(st.session_state[key])


def concept_choice(key: str, space: ConceptSpace, concept: str, choose: Callable[[str], None]) -> None:
    """The concepts side by side, ``concept`` chosen; ``choose`` gets another one."""
    st.session_state[key] = concept
    st.segmented_control(
        "Concept",
        space.concepts,
        format_func=lambda name: plain(space.title(name)),
        key=key,
        required=True,
        wrap=True,
        on_change=take_over,
        args=(key, choose),
    )


def models() -> Offer:
    """The models to choose from; where there is none, one clear message and nothing else."""
    offer = offered()
    if not offer.cards:
        model_problem(CheckpointError("; ".join(offer.problems)))
    return offer


def load(card: loader.ModelCard) -> ConceptModel:
    """The model; where it cannot be loaded, one clear message and nothing else."""
    with st.spinner("Loading the model…"):
        try:
            return loader.model(card)
        except SparseCBMError as error:
            model_problem(error)


def model_problem(error: SparseCBMError) -> NoReturn:
    remedy = "Choose another model above, put" if offered().several else "Put"
    st.error(
        f"**The model cannot be loaded.** {plain(str(error))}\n\n"
        f"{remedy} a model folder there, or name another one in the environment variable "
        f"`{VARIABLE}` and start the app again.",
        icon=":material/error:",
    )
    st.stop()
