"""Curves, dots and the case study show what they are given."""

from __future__ import annotations

import pytest

from sparsecbm_core.errors import InputError
from sparsecbm_core.figures import Curve, Dots, Level, Panel, case_study_html, curves_figure, dots_figure

PANELS = [
    Panel("Concepts", [Curve("a<b", (0.5, 0.9), (0.8, 0.6), (0.01, None)), Curve("c", (0.5,), (0.7,))]),
    Panel("Label", [Curve("a<b", (0.5, 0.9), (0.5, 0.4), texts=("λ 0", "λ 1"))], [Level("dense", 0.9)]),
]


def test_curves_hold_the_shares_with_their_deviation():
    first, second, label, level = curves_figure(PANELS, "sparsity", "accuracy").data
    assert (list(first.x), list(first.y)) == ([0.5, 0.9], [0.8, 0.6])
    assert list(first.error_y.array) == [0.01, 0.0]
    assert (list(second.y), second.error_y.array) == ([0.7], None)
    assert list(label.text) == ["λ 0", "λ 1"]
    assert (list(level.x), list(level.y)) == ([0.5, 0.9], [0.9, 0.9])
    assert first.name == "a&lt;b"


def test_a_curve_looks_alike_in_every_panel_and_unlike_the_others():
    first, second, label, level = curves_figure(PANELS, "sparsity", "accuracy").data
    assert (first.line.dash, first.marker.symbol) == (label.line.dash, label.marker.symbol)
    assert first.line.dash != second.line.dash
    assert first.marker.symbol != second.marker.symbol
    assert [trace.showlegend for trace in (first, second, label, level)] == [True, True, False, True]


def test_everything_is_inside_the_axes():
    figure = curves_figure(PANELS, "sparsity", "accuracy")
    (low, high), (low2, high2) = figure.layout.yaxis.range, figure.layout.yaxis2.range
    assert low < 0.6 < 0.81 < high
    assert low2 < 0.4 < 0.9 < high2
    logs = curves_figure([Panel("", [Curve("r", (1e-6, 0.01), (0.5, 0.6))])], "r", "accuracy", log_x=True)
    left, right = logs.layout.xaxis.range
    assert left < -6 < -2 < right
    assert list(logs.layout.xaxis.ticktext) == ["1e-06", "0.01"]


def test_there_must_be_something_to_draw():
    with pytest.raises(InputError, match="no point"):
        curves_figure([Panel("", [])], "x", "y")
    with pytest.raises(InputError, match=r"must be positive, got 0\.0"):
        curves_figure([Panel("", [Curve("r", (0.0, 1.0), (0.5, 0.6))])], "x", "y", log_x=True)
    with pytest.raises(InputError, match="no dot"):
        dots_figure(["row"], [Dots("a", [None])], "accuracy")


def test_the_axis_of_dots_holds_their_deviations():
    one = Dots("concept", [0.70, 0.80], [0.05, 0.04])
    low, high = dots_figure(["a", "b"], [one], "accuracy").layout.xaxis.range
    assert low < 0.65 < 0.84 < high


def test_equal_figures_of_two_series_do_not_cover_each_other():
    first, second = dots_figure(["a"], [Dots("time", [1.0]), Dots("work", [1.0])], "share").data
    assert first.textposition != second.textposition


def test_dots_stand_in_their_rows():
    series = [Dots("Concepts", [None, 0.9], [None, 0.02]), Dots("Label", [0.7, 0.6])]
    concepts, label = dots_figure(["standard", "<joint>"], series, "accuracy").data
    assert list(concepts.x) == [None, 0.9]
    assert [text.strip() for text in concepts.text] == ["", "90.0 %"]
    assert list(concepts.error_x.array) == [0.0, 0.02]
    assert [round(y) for y in concepts.y] == [round(y) for y in label.y] == [0, 1]
    assert all(a < b for a, b in zip(concepts.y, label.y, strict=True))


def case(**values):
    said = {
        "label": "2",
        "labels": {"2": 0.7, "5": 0.3},
        "states": {"food": "Negative"},
        "probabilities": {"food": 0.8},
        "words": [{"start": 0, "end": 5, "score": 2.0}, {"start": 6, "end": 11, "score": 1.0}],
    }
    return {
        "text": "<one> & two!",
        "concept": "food",
        "state": "Positive",
        "gold_label": "5",
        "before": said,
        "oracle": {"label": "5", "labels": {"2": 0.4, "5": 0.6}},
        "after": {**said, "label": "5", "states": {"food": "Positive"}},
        "dropped": 1200,
        "grown": 1200,
        "prunable_weights": 10_616_832,
        "matrices": [
            {"layer": 0, "role": "query", "dropped": 1200, "grown": 1000},
            {"layer": 1, "role": "key", "dropped": 0, "grown": 200},
        ],
    } | values


def test_a_case_is_shown_before_by_hand_and_after():
    html = case_study_html([case()], {"food": "Food & drink", "5": "5 stars"})
    assert "Food &amp; drink is Positive, read as Negative" in html
    assert html.count("a reader gives 5 stars") == 3
    assert "1,200 weights dropped and 1,200 grown, of 10,616,832" in html
    assert "<td>−1,200 +1,000</td><td>–</td>" in html
    assert html.count("<section") == 1


def test_words_are_shaded_by_score_and_shown_as_text():
    html = case_study_html([case()], {})
    assert '<mark style="background:rgba(59,120,216,0.65)">&lt;one&gt;</mark> ' in html
    assert '<mark style="background:rgba(59,120,216,0.33)">&amp; two</mark>!' in html
    assert "<one>" not in html


def test_labels_that_a_reader_would_not_give_are_hatched():
    html = case_study_html([case()], {})
    assert 'class="bar wrong" style="width:70.0%"' in html
    assert 'class="bar" style="width:30.0%"' in html
