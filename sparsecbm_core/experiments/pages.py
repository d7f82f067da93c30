"""Figures as files that open anywhere."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from sparsecbm_core.files import write_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.experiments.document import Document
    from sparsecbm_core.experiments.experiment import Experiment

# Nothing may be fetched, whatever a text holds.
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
STYLE = """
:root { color-scheme: light; }
body { margin: 2rem auto; max-width: 64rem; padding: 0 1.5rem; color: #111318; background: #ffffff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } p { max-width: 46rem; }
"""
PNG_WIDTH, PNG_SCALE = 960, 2


def write_figures(
    experiment: Experiment, document: Document, path: Path, say: Callable[[str], None]
) -> tuple[str, ...]:
    """The experiment's figure beside its results; returns the names of the files.

    HTML that holds all it needs, and a PNG where kaleido (and a browser for it) is installed.
    """
    page = path.with_suffix(".html")
    if experiment.page is not None and document.records:
        write_text(page, page_html(document.title, document.claim, experiment.page(document.results)))
        return (page.name,)
    figure = None
    if experiment.draw is not None and document.records:
        figure = experiment.draw(document.results)
    if figure is None:
        return ()
    write_text(page, page_html(document.title, document.claim, chart_html(figure), library=True))
    image = path.with_suffix(".png")
    return (page.name, image.name) if _write_png(figure, image, say) else (page.name,)


def page_html(title: str, note: str, body: str, library: bool = False) -> str:
    """A whole page; ``library`` puts plotly's code in."""
    script = ""
    if library:
        from plotly.offline import get_plotlyjs

        script = f"<script>{get_plotlyjs()}</script>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>{script}</head>"
        f"<body><main><h1>{escape(title)}</h1><p>{escape(note)}</p>{body}</main></body></html>\n"
    )


def chart_html(figure: go.Figure) -> str:
    """One chart as a part of a page."""
    figure.update_layout(template="none")
    config = {"displaylogo": False, "modeBarButtons": [["toImage"]], "responsive": True}
    height = f"{int(figure.layout.height or 300)}px"
    return str(
        figure.to_html(
            config, full_html=False, include_plotlyjs=False, default_height=height, div_id="figure"
        )
    )


def _write_png(figure: go.Figure, path: Path, say: Callable[[str], None]) -> bool:
    if importlib.util.find_spec("kaleido") is None:
        say("no PNG: kaleido is not installed (pip install kaleido; it needs Chrome or Chromium as well)")
        return False
    figure.update_layout(paper_bgcolor="white")
    try:
        figure.write_image(path, width=PNG_WIDTH, scale=PNG_SCALE)
    except (OSError, RuntimeError, ValueError) as error:
        say(f"no PNG: {' '.join(str(error).split())}")
        return False
    return True
