"""Grouped bars: every share is there, with its number, and told apart by more than its colour."""

from __future__ import annotations

import itertools

from sparsecbm_core.figures import grouped_bars

SERIES = [("By <a>", [0.5, 0.25]), ("By b", [0.999, 0.0]), ("By c", [1.0, 0.1])]


def test_every_share_is_drawn_with_its_number() -> None:
    figure = grouped_bars(["one", "two"], SERIES, level=0.9)
    assert [list(bars.x) for bars in figure.data] == [values for _, values in SERIES]
    assert [list(bars.text) for bars in figure.data] == [
        ["50 %", "25 %"],
        ["> 99 %", "0 %"],
        ["100 %", "10 %"],
    ]
    assert figure.data[0].name == "By &lt;a&gt;"
    looks = {(bars.marker.color, bars.marker.pattern.shape) for bars in figure.data}
    assert len(looks) == len({color for color, _ in looks}) == 3
    (line,) = figure.layout.shapes
    assert line.x0 == line.x1 == 0.9
    assert list(figure.layout.xaxis.range) == [0, 1]


def test_bars_of_a_title_stay_apart_from_each_other_and_from_the_next() -> None:
    for count in (1, 2, 3, 4):
        figure = grouped_bars(["one", "two"], [(str(n), [0.1, 0.2]) for n in range(count)])
        edges = sorted((y - bars.width / 2, y + bars.width / 2) for bars in figure.data for y in bars.y)
        assert all(end < start for (_, end), (start, _) in itertools.pairwise(edges))
        assert not figure.layout.shapes
