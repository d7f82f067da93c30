"""HTML pages that open anywhere, without a network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from sparsecbm_core.figures import still
from ui.resources.assets import ASSETS

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Nothing may be fetched, whatever a review holds.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = """
:root { color-scheme: light; }
body { margin: 2.5rem auto; max-width: 60rem; padding: 0 1.5rem; color: #111318; background: #ffffff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 2rem; margin: 0 0 .25rem; } h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; } details { margin: .75rem 0; }
.sc-still { overflow-x: auto; } .sc-still svg { display: block; width: 100%; min-width: 45rem; height: auto; }
.review { max-height: none; } @media print { details { display: none; } h2, h3 { break-after: avoid; } }
"""


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page of HTML ``parts``, without a script."""
    css = (ASSETS / "parts.css").read_text(encoding="utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{css}{STYLE}</style></head>"
        f'<body class="stApp"><main>{"".join(parts)}</main></body></html>\n'
    )


def chart(figure: go.Figure, alt: str) -> str:
    """A figure for a `page`; ``alt`` says what it shows."""
    return picture(still.svg(figure, alt))


def picture(svg: str) -> str:
    """An SVG picture for a `page`: on a narrow one it is scrolled, not shrunk until nobody can read it."""
    return f'<div class="sc-still" tabindex="0">{svg}</div>'


def details(title: str, body: str) -> str:
    """HTML behind a click."""
    return f"<details><summary>{escape(title)}</summary>{body}</details>"
