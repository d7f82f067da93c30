"""Plots with a unit each show what they are given."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    assert [float(tick) for tick in layout.yaxis.tickvals] == pytest.approx(
        [0.9, 0.92, 0.94, 0.96, 0.98, 1.0]
    )
    assert layout.yaxis2.range[0] < 0 < 5000 < layout.yaxis2.range[1]
    assert layout.yaxis3.range[0] < -0.2 < 0.3 < layout.yaxis3.range[1]


def test_plots_of_the_same_quantity_have_the_same_scale_and_end_at_a_tick():
    high, low = ([Series("a", [1, 2], y)] for y in ([0.93, 0.97], [0.05, 0.4]))
    figure = plots_figure(
        [Plot("high", high, "x", "share"), Plot("low", low, "x", "share"), Plot("other", high, "x", "y")]
    )
    first, second, other = figure.layout.yaxis, figure.layout.yaxis2, figure.layout.yaxis3
    assert first.range == second.range != other.range
    assert list(first.tickvals) == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert first.range[0] <= 0 < 0.05 < 0.97 < 1.0 <= first.range[1]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=5), st.sampled_from(["share", "count", "number"]))
def test_every_height_lies_between_the_first_tick_and_the_last(heights, unit):
    figure = plots_figure([Plot("", [Series("a", range(len(heights)), heights)], "x", "y", unit)])
    ticks = figure.layout.yaxis.tickvals
    air = 1e-6 * (ticks[-1] - ticks[0])
    assert ticks[0] - air <= min(heights) <= max(heights) <= ticks[-1] + air
    assert 2 <= len(ticks) <= 9


def test_ticks_are_never_finer_than_they_are_written():
    figure = plots_figure([Plot("level", [Series("a", [1, 2], [0.995, 0.996])], "x", "y")])
    assert list(figure.layout.yaxis.tickvals) == pytest.approx([0.99, 1.0])


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
