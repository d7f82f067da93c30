"""Plots with a unit each show what they are given."""

from __future__ import annotations

import pytest

from sparsecbm_core.errors import InputError
from sparsecbm_core.figures import Plot, Series, plots_figure

PLOTS = [
    Plot("Reached", [Series("a<b", [1, 2], [1.0, 0.9])], "round", "share"),
    Plot("Bits", [Series("a<b", [1], [5000]), Series("c", [1], [70])], "round", "bits", "count", zero=True),
    Plot(
        "Errors",
        [Series("c", [0.2, 0.3], [0.1, -0.2], [0.0, None], [0.3, None], ["x|y", "x|z"], joined=False)],
        "overlap",
        "phi",
        "number",
    ),
]


LEVEL_AND_STEEP = (("level", [1.0, 1.0]), ("steep", [0.5, 0.9]))


def test_series_look_alike_in_every_plot_and_unlike_each_other():
    first, bits, other, points = plots_figure(PLOTS).data
    assert (first.line.dash, first.marker.symbol) == (bits.line.dash, bits.marker.symbol)
    assert first.marker.symbol != other.marker.symbol == points.marker.symbol
    assert [trace.showlegend for trace in (first, bits, other, points)] == [True, False, True, False]
    assert first.name == "a&lt;b"
    assert points.mode == "markers"


def test_each_plot_has_its_own_unit_and_range():
    figure = plots_figure(PLOTS)
    layout = figure.layout
    assert [axis.tickformat for axis in (layout.yaxis, layout.yaxis2, layout.yaxis3)] == [".0%", "~s", "~g"]
    assert layout.yaxis.range[0] < 0.9 < 1.0 < layout.yaxis.range[1] < 1.01
    assert layout.yaxis2.range[0] < 0 < 5000 < layout.yaxis2.range[1]
    assert layout.yaxis3.range[0] < -0.2 < 0.3 < layout.yaxis3.range[1]


def test_ticks_are_never_finer_than_they_are_written():
    figure = plots_figure([Plot(name, [Series("a", [1, 2], y)], "x", "y") for name, y in LEVEL_AND_STEEP])
    assert (figure.layout.yaxis.dtick, figure.layout.yaxis2.dtick) == (0.01, None)


def test_intervals_reach_from_low_to_high():
    points = plots_figure(PLOTS).data[-1]
    assert list(points.error_y.array) == pytest.approx([0.2, 0.0])
    assert list(points.error_y.arrayminus) == pytest.approx([0.1, 0.0])
    assert list(points.customdata) == ["x|y", "x|z"]


def test_there_must_be_something_to_draw_in_a_known_unit():
    with pytest.raises(InputError, match="no point"):
        plots_figure([Plot("", [], "x", "y")])
    with pytest.raises(InputError, match="unknown unit 'litres'; choose one of: share, count, number"):
        plots_figure([Plot("", [Series("a", [1], [1])], "x", "y", "litres")])
