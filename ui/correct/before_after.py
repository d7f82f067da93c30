"""What was beside what is now: a line that says it, and a table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from sparsecbm_core.figures import percent

NOW = 1  # the column of what is now


def headline(text: str) -> str:
    return f'<p class="sc-verdict">{escape(text)}</p>'


def sure(title: str, share: float) -> str:
    """A state or a label and how likely it is, as HTML."""
    return f'{escape(title)}, <span class="sc-nowrap">{percent(share)}</span>'


def table(
    name: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[str]]],
    region: str | None = None,
    attributes: str = "",
    kind: str = "",
    now: int | None = NOW,
) -> str:
    """Rows are a heading and cells, as HTML; one cell alone is as wide as all.

    ``name`` tells the table to those who do not see it. With a ``region`` of its own it can be scrolled. The
    column ``now`` stands out.
    """
    head = "".join(f'<th scope="col">{title}</th>' for title in columns)
    body = "".join(
        f'<tr><th scope="row">{title}</th>{_cells(cells, len(columns), now)}</tr>' for title, cells in rows
    )
    html = (
        f'<table class="sc-beforeafter{kind}" aria-label="{name}"{attributes}>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
    if region is None:
        return html
    return f'<div class="sc-scroll" tabindex="0" role="region" aria-label="{region}">{html}</div>'


def _cells(cells: Sequence[str], columns: int, now: int | None) -> str:
    if len(cells) == 1 < columns:
        return f'<td colspan="{columns}">{cells[0]}</td>'
    return "".join(
        f'<td class="sc-after">{cell}</td>' if place == now else f"<td>{cell}</td>"
        for place, cell in enumerate(cells)
    )
