"""Still pictures: well-formed, with every word and number of the figure, and nothing that runs."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import plotly.graph_objects as go
import pytest

from sparsecbm_core.errors import InputError
from sparsecbm_core.figures import (
    Breakdown,
    Curve,
    Dots,
    Level,
    Panel,
    Part,
    Plot,
    Ranged,
    Series,
    contribution_figure,
    curves_figure,
    dots_figure,
    grouped_bars,
    intervals_figure,
    matrix_figure,
    plots_figure,
    share_bars,
)
from sparsecbm_core.figures.still import WIDTH, svg

SUM = Breakdown(
    "Nothing said",
    3.0,
    "3.0",
    (
        Part("food", "Food", 0.9, "+0.9", ("lifts", "costs")),
        Part("noise", "Noise", -0.5, "−0.5", ("lifts", "costs")),
    ),
    "Expected stars",
    3.4,
    "3.4",
    ("lifts", "costs"),
)
PANELS = [
    Panel("restaurants", [Curve("label", [0.5, 0.9], [0.8, 0.6], [0.02, None])]),
    Panel("films", [Curve("label", [0.5, 0.9], [0.7, 0.5])], [Level("chance", 0.55)]),
]
FIGURES = {
    "waterfall": (contribution_figure(SUM, "food"), ["Nothing said", "Food", "+0.9", "−0.5", "3.4"]),
    "groups": (
        grouped_bars(["food", "noise"], [("dense", [0.9, 0.8]), ("sparse", [0.7, 0.6])], level=0.5),
        ["food", "noise", "dense", "sparse", "90 %", "60 %"],
    ),
    "matrix": (
        matrix_figure([[0.9, 0.4], [0.3, 0.8]], [["90 %", "40 %"], ["30 %", "80 %"]], ["a", "b"], "through"),
        ["90 %", "40 %", "30 %", "80 %", "a", "b", "through"],
    ),
    "panels": (
        curves_figure(PANELS, "sparsity", "accuracy"),
        ["restaurants", "films", "label", "chance", "sparsity", "accuracy", "60 %"],
    ),
    "dots": (
        dots_figure(["food", "noise"], [Dots("dense", [0.9, None], [0.01, None])], "accuracy"),
        ["food", "noise", "dense", "90.0 %", "accuracy"],
    ),
    "intervals": (
        intervals_figure(["food"], [Ranged("dense", [0.9], [0.85], [0.95])], "accuracy"),
        ["food", "90.0 %", "accuracy"],
    ),
    "logarithmic": (
        plots_figure([Plot("a", [Series("label", [1, 10, 100], [0.8, 0.6, 0.7])], "n", "right")], log_x=True),
        ["a", "label", "1", "10", "100", "n", "right"],
    ),
}


def drawn(picture: str) -> tuple[ElementTree.Element, list[str]]:
    """The picture read as XML, and its words."""
    root = ElementTree.fromstring(picture)
    return root, [(item.text or "").strip() for item in root.iter() if item.tag.endswith("text")]


@pytest.mark.parametrize("name", FIGURES)
def test_every_word_and_number_is_there_as_letters(name):
    figure, expected = FIGURES[name]
    root, words = drawn(svg(figure, "what it shows"))
    assert root.get("role") == "img"
    assert root.get("aria-label") == "what it shows"
    assert set(expected) <= set(words)
    assert not [item for item in root.iter() if item.tag.endswith("script")]
    assert svg(figure, "what it shows") == svg(figure, "what it shows")


def test_letters_stay_inside_and_no_smaller_than_twelve():
    for figure, _ in FIGURES.values():
        picture = svg(figure, "")
        sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)px", picture)]
        assert sizes
        assert min(sizes) >= 12
        height = int(figure.layout.height)
        at = re.findall(r'<text[^>]* x="([\d.-]+)" y="([\d.-]+)"', picture)
        assert at
        assert all(-1 <= float(x) <= WIDTH + 1 and -1 <= float(y) <= height + 1 for x, y in at)


def test_bars_are_as_long_as_their_numbers():
    """The second bar is twice as long as the first: widths in the picture, from the same zero."""
    picture = svg(share_bars(["one", "two"], [0.25, 0.5], ["#010203", "#040506"]), "")
    lengths = []
    for color in ("#010203", "#040506"):
        (path,) = re.findall(rf'd="([^"]*)"[^>]*style="fill: {color}', picture)
        xs = [float(x) for x in re.findall(r"[ML] ([\d.]+) ", path)]
        lengths.append(max(xs) - min(xs))
    assert lengths[1] == pytest.approx(2 * lengths[0], rel=1e-3)


def test_words_are_no_markup_and_no_formula():
    picture = svg(share_bars(["costs $5 & <i>more</i> $6", "</svg><script>"], [0.1, 0.2]), 'a "b" <c>')
    root, words = drawn(picture)
    assert root.get("aria-label") == 'a "b" <c>'
    assert "costs $5 & <i>more</i> $6" in words
    assert "</svg><script>" in words


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(InputError, match="trace of type 'pie': only bar, scatter, heatmap"):
        svg(go.Figure(go.Pie(values=[1])), "")
