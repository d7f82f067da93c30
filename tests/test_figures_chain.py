"""The chain's figure holds the differences of the numbers it is given, and tells its lines apart by form."""

from __future__ import annotations

import pytest

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.evaluate.chain import ChainAccuracy, ChainPoint
from sparsecbm_core.figures import chain_figure

SPACE = ConceptSpace(("food", "noise"), ("Negative", "Positive"), ("bad", "good"), {"food": "<Food>"})


def chain(*values: tuple[float, float, float], changed: str = "food") -> ChainAccuracy:
    """(food, noise, label) accuracies of each point."""
    return ChainAccuracy(
        "toy dev",
        8,
        tuple(
            ChainPoint(i, (changed,) if i else (), {"food": food, "noise": noise}, (food + noise) / 2, label)
            for i, (food, noise, label) in enumerate(values)
        ),
    )


def test_lines_are_points_of_change_and_names_say_from_where_to_where() -> None:
    figure = chain_figure(chain((0.75, 0.5, 0.5), (0.5, 0.5, 0.625)), SPACE)
    names = [trace.name for trace in figure.data]
    assert names == [
        "Label, 50.0 % → 62.5 %",
        "All concepts, 62.5 % → 50.0 %",
        "&lt;Food&gt;, 75.0 % → 50.0 %",
    ]
    assert [list(trace.x) for trace in figure.data] == [[0, 1]] * 3
    assert [list(trace.y) for trace in figure.data] == [
        pytest.approx([0, 12.5]),
        pytest.approx([0, -12.5]),
        pytest.approx([0, -25.0]),
    ]
    assert figure.layout.yaxis.range == pytest.approx((-27.5, 27.5))


def test_every_line_has_a_dash_and_a_mark_of_its_own() -> None:
    figure = chain_figure(chain((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), SPACE)
    forms = [(trace.line.dash, trace.marker.symbol) for trace in figure.data]
    assert len(set(forms)) == len({dash for dash, _ in forms}) == len({mark for _, mark in forms}) == 3


def test_of_many_concepts_those_that_moved_most_are_drawn_and_no_two_lines_are_alike() -> None:
    names = tuple("abcdefgh")
    space = ConceptSpace(names, ("Negative", "Positive"), ("bad", "good"))
    start = dict.fromkeys(names, 0.5)
    moved = {**start, "b": 0.1, "d": 0.6, "e": 0.55, "h": 0.9}  # all are changed, four move
    points = [ChainPoint(i, (name,), start, 0.5, 0.5) for i, name in enumerate(names, 1)]
    points = [ChainPoint(0, (), start, 0.5, 0.5), *points, ChainPoint(9, ("a",), moved, 0.5, 0.5)]
    figure = chain_figure(ChainAccuracy("toy dev", 8, tuple(points)), space)
    assert [trace.name[0] for trace in figure.data[2:]] == ["b", "d", "e", "h"]
    assert len({(trace.line.dash, trace.line.color) for trace in figure.data}) == 6


def test_nothing_moved_is_a_flat_line_at_the_middle_of_two_points() -> None:
    figure = chain_figure(chain((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), SPACE)
    assert figure.data[0].name == "Label, 50.0 %"
    assert figure.layout.yaxis.range == pytest.approx((-1.1, 1.1))


def test_a_long_chain_has_lines_without_marks_and_a_beginning_is_enough() -> None:
    long = chain_figure(chain(*[(0.5, 0.5, 0.5)] * 100), SPACE)
    assert {trace.mode for trace in long.data} == {"lines"}
    alone = chain_figure(chain((0.5, 0.5, 0.5)), SPACE)
    assert [list(trace.y) for trace in alone.data] == [[0.0]] * 2
