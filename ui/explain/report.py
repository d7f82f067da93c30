"""An explanation as one HTML page that opens anywhere, without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from sparsecbm_core.concepts import UNKNOWN, ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.explain.tokens.registry import METHODS
from sparsecbm_core.figures import (
    FOR,
    NEUTRAL,
    contribution_figure,
    density_figure,
    density_top,
    percent,
    precise_percent,
    score_text,
    share_bars,
)
from ui.explain.answer import answer_html
from ui.widgets import sums
from ui.widgets.glossary import terms_html
from ui.widgets.offline import chart, details, page, picture
from ui.widgets.pathway_still import pathway_svg
from ui.widgets.review_text import has_sign, legend_html, review_html, unread
from ui.widgets.subnetworks import overlap_exhibit, overlap_words
from ui.widgets.table import table_html

if TYPE_CHECKING:
    from sparsecbm_core.explain.subnetworks import DensityImage, SubnetworkStats


def report_html(
    explanation: Explanation,
    space: ConceptSpace,
    title: str,
    stats: SubnetworkStats | None = None,
    images: Mapping[str, DensityImage] | None = None,
    corrections: Sequence[str] = (),
) -> str:
    """The whole page; ``title`` names the model.

    ``corrections`` are the parts of the page that say what was corrected.
    """
    made_by = f"{title}, fingerprint {explanation.fingerprint}"
    if explanation.method is not None and explanation.method in METHODS:
        made_by += f"; words by {METHODS[explanation.method].title.lower()}"
    parts = [
        "<h1>Why this label?</h1>",
        f'<p class="sc-note">{escape(made_by)}</p>',
        answer_html(explanation, space),
        picture(_pathway(explanation, space, stats, images or {})),
        "<h2>The review</h2>",
        *(_concept(explanation, name, space) for name in space.concepts),
        "<h2>How likely each label is</h2>",
        _labels(explanation, space),
        f"<h2>Why {escape(space.label_title(explanation.label))}</h2>",
        _sum(explanation, space),
        *corrections,
    ]
    if stats is not None and images:
        parts += ["<h2>Which weights each concept uses</h2>", *_subnetworks(stats, images, space)]
    parts += ["<h2>In plain words</h2>", terms_html(space)]
    return page(f"Why this label? {title}", parts)


def _pathway(
    explanation: Explanation,
    space: ConceptSpace,
    stats: SubnetworkStats | None,
    images: Mapping[str, DensityImage],
) -> str:
    """With the words of the concept that moves the answer most."""
    moving = sums.shown(explanation, space).parts
    most = next((part.name for part in moving if part.name in space.concepts), space.concepts[0])
    return pathway_svg(explanation, space, most, stats, images)


def _concept(explanation: Explanation, concept: str, space: ConceptSpace) -> str:
    item = explanation.concepts[concept]
    signed = has_sign(explanation.method)
    state = space.title(item.state)
    head = f"{space.title(concept)}: {state}, {percent(item.probabilities[item.state])}"
    grey = unread(explanation.text, explanation.truncated)
    note = f'<p class="sc-legend"><span>{grey}</span></p>' if grey else ""
    if item.tokens and item.state != UNKNOWN:
        note = legend_html(state, signed, grey)
    words = [{"word": token.text, "score": score_text(token.score, signed)} for token in item.tokens]
    return (
        f"<h3>{escape(head)}</h3>{review_html(explanation, concept, signed)}{note}"
        + details("The score of every word", table_html(words, f"Words for {space.title(concept)}"))
        + details(
            "The probability of every state",
            table_html(
                [{"state": space.title(name), "probability": p} for name, p in item.probabilities.items()],
                f"States of {space.title(concept)}",
                percents=["probability"],
            ),
        )
    )


def _labels(explanation: Explanation, space: ConceptSpace) -> str:
    shares = [explanation.probabilities[label] for label in space.labels]
    colors = [FOR if label == explanation.label else NEUTRAL for label in space.labels]
    bars = share_bars([space.label_title(label) for label in space.labels], shares, colors)
    return chart(bars, "How likely each label is")


def _sum(explanation: Explanation, space: ConceptSpace) -> str:
    view = sums.shown(explanation, space)
    exact = table_html(view.rows(), "How it adds up")
    return chart(contribution_figure(view), "How it adds up") + details("The exact numbers", exact)


def _subnetworks(
    stats: SubnetworkStats, images: Mapping[str, DensityImage], space: ConceptSpace
) -> list[str]:
    top = density_top(images.values())
    parts = []
    for concept, own in stats.concepts.items():
        used = f"{own.kept:,} of {stats.total:,} encoder weights ({precise_percent(own.density)})"
        parts.append(f"<h3>{escape(space.title(concept))}</h3><p class='sc-note'>{used}</p>")
        what = f"Share of each block of weights that {space.title(concept)} uses"
        parts.append(chart(density_figure(images[concept], top), what))
    if stats.overlaps:
        parts += ["<h3>Overlap between concepts</h3>", f"<p>{escape(overlap_words(stats))}</p>"]
        overlap = overlap_exhibit(stats, space)
        if overlap.figure is not None:
            parts.append(chart(overlap.figure, overlap.alt))
    return parts
