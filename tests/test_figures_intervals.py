"""Intervals and matrices as figures: what is drawn is what was given."""

from __future__ import annotations

import numpy as np
import pytest

from sparsecbm_core.errors import InputError
from sparsecbm_core.figures import Ranged, intervals_figure, matrix_figure


def test_every_row_has_its_mark_its_interval_and_its_number():
    figure = intervals_figure(
        ["a", "<b>"],
        [Ranged("one", [0.5, 0.75], [0.25, None], [0.6, None]), Ranged("two", [None, 0.8])],
        "share",
    )
    first, numbers, second, _ = figure.data
    assert list(first.x) == [0.5, 0.75]
    assert list(first.error_x.array) == pytest.approx([0.1, 0.0])
    assert list(first.error_x.arrayminus) == pytest.approx([0.25, 0.0])
    assert [text.strip() for text in numbers.text] == ["50.0 %", "75.0 %"]
    assert list(numbers.x) == [0.6, 0.75]  # behind the interval
    assert second.error_x.array is None
    assert list(figure.layout.yaxis.ticktext) == ["a", "&lt;b&gt;"]
    assert first.marker.symbol != second.marker.symbol


def test_what_hardly_differs_does_not_look_like_much():
    figure = intervals_figure(["a"], [Ranged("one", [0.5], [0.499], [0.501])], "share")
    low, high = figure.layout.xaxis.range
    assert high - low >= 0.02


def test_zero_is_in_sight_where_it_matters():
    figure = intervals_figure(["a"], [Ranged("one", [0.5])], "gain", zero=True)
    assert figure.layout.xaxis.range[0] < 0 < figure.layout.xaxis.range[1]
    assert figure.layout.shapes[0].x0 == 0


def test_nothing_known_is_refused():
    with pytest.raises(InputError, match="no figure to draw"):
        intervals_figure(["a"], [Ranged("one", [None])], "share")


def test_a_matrix_has_a_number_in_every_cell_and_a_frame_on_the_diagonal():
    figure = matrix_figure([[0.9, 0.5], [0.4, 0.8]], [["90", "50"], ["40", "80"]], ["a b", "c"], "through")
    assert [note.text for note in figure.layout.annotations] == ["90", "50", "40", "80"]
    assert [(note.x, note.y) for note in figure.layout.annotations] == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert np.array(figure.data[0].z).dtype == np.uint8
    assert np.array(figure.data[0].z).tolist() == [[255, 51], [0, 204]]
    assert [(shape.x0, shape.y1) for shape in figure.layout.shapes] == [(-0.5, 0.5), (0.5, 1.5)]
    assert list(figure.layout.xaxis.ticktext) == ["a<br>b", "c"]


def test_a_matrix_of_one_value_and_one_that_is_not_square():
    assert matrix_figure([[0.5]], [["50"]], ["a"], "through").data[0].z[0][0] == 0
    with pytest.raises(InputError, match="needs 2 rows and columns"):
        matrix_figure([[0.5]], [["50"]], ["a", "b"], "through")
