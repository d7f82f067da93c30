"""The dose figure shows what the result holds, on a log scale, with the smallest dose that works marked."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.figures import dose_figure
from sparsecbm_core.figures.dose import share_text
from sparsecbm_core.intervene.dose import DosePoint, DoseResponse
from sparsecbm_core.intervene.results import Reading

SPACE = ConceptSpace(("food",), ("no", "yes"), ("4", "5"), {"food": "<b>Food</b>", "4": "4 stars"})


def response(*targets: float, guard: bool = True) -> DoseResponse:
    """Target probabilities at dose 0 and at 10, 100, … of a million weights."""
    points = []
    for n, p in enumerate(targets):
        said = Reading("yes" if p > 0.5 else "no", {"no": 1 - p, "yes": p}, "4", {"4": 0.7 - p / 4, "5": 0.3})
        count, accuracy = 10**n if n else 0, 0.9 - n / 100 if guard else None
        points.append(DosePoint(count, count / 1e6, said, accuracy, accuracy))
    reviews = 243 if guard else 0
    return DoseResponse("f" * 16, "food", "yes", "guarded", 0, 10**6, 25, reviews, tuple(points), 1.0)


def test_lines_hold_the_result() -> None:
    figure = dose_figure(response(0.1, 0.4, 0.8, 0.95), SPACE)
    target, label, guard = figure.data
    assert list(target.y) == [0.1, 0.4, 0.8, 0.95]
    assert list(label.y) == pytest.approx([0.675, 0.6, 0.5, 0.4625])
    assert list(guard.y) == pytest.approx([0.9, 0.89, 0.88, 0.87])
    assert list(target.x)[1:] == pytest.approx([-5, -4, -3])
    assert target.x[0] < -5  # no flips at all: at the left of the smallest dose
    assert [line.name for line in figure.data] == [
        "&lt;b&gt;Food&lt;/b&gt; is yes",
        "4 stars, as before",
        "&lt;b&gt;Food&lt;/b&gt; right in 243 other reviews",
    ]
    assert list(target.customdata[2]) == ["0.01 %: 100 dropped and grown", "80.0 %"]
    assert target.customdata[0][0] == "No change"


def test_lines_differ_in_more_than_colour() -> None:
    lines = dose_figure(response(0.1, 0.8), SPACE).data
    assert len({line.line.dash for line in lines}) == len({line.marker.symbol for line in lines}) == 3


def test_the_smallest_dose_is_marked_with_its_numbers() -> None:
    figure = dose_figure(response(0.1, 0.4, 0.8, 0.95), SPACE)
    marks = [shape for shape in figure.layout.shapes if shape.x0 == shape.x1]
    assert [shape.x0 for shape in marks] == [pytest.approx(-4)]
    (note,) = (note for note in figure.layout.annotations if "Enough" in note.text)
    assert note.text == "<b>Enough: 0.01 %, 100 weights</b>"
    for result in (response(0.1, 0.2, 0.3), response(0.9, 0.95)):  # never reached; not needed
        figure = dose_figure(result, SPACE)
        assert not [shape for shape in figure.layout.shapes if shape.x0 == shape.x1]
        assert not any("Enough" in note.text for note in figure.layout.annotations)


def test_without_guard_reviews_there_is_no_line_for_them() -> None:
    assert len(dose_figure(response(0.1, 0.8, guard=False), SPACE).data) == 2


def test_ticks_say_share_and_count() -> None:
    axis = dose_figure(response(0.1, 0.4, 0.8, 0.95), SPACE).layout.xaxis
    assert list(axis.ticktext) == ["0", "0.001 %<br>10", "0.01 %<br>100", "0.1 %<br>1,000"]
    assert list(axis.tickvals)[1:] == pytest.approx([-5, -4, -3])
    one = dose_figure(response(0.1, 0.8), SPACE).layout.xaxis
    assert list(one.ticktext) == ["0", "0.001 %<br>10"]
    assert one.range[0] < one.tickvals[0] < one.tickvals[1] < one.range[1]


def test_many_doses_do_not_crowd_the_axis() -> None:
    first = response(0.1, 0.8)
    counts = [4 * 2**n for n in range(12)]
    points = [first.points[0], *(replace(first.points[1], count=n, r=n / 1e7) for n in counts)]
    ticks = dose_figure(replace(first, total=10**7, points=tuple(points)), SPACE).layout.xaxis.tickvals
    assert 4 <= len(ticks) <= 7
    assert min(b - a for a, b in pairwise(ticks[1:])) >= 0.5
    assert ticks[1] == pytest.approx(math.log10(4e-7))


def test_shares_are_written_without_an_exponent() -> None:
    shares = (3.8e-7, 2.04e-5, 1e-3, 0.02, 1.0)
    assert [share_text(share) for share in shares] == ["0.000038 %", "0.002 %", "0.1 %", "2 %", "100 %"]
