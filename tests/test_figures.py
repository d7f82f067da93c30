"""Figures show what the results hold: bars that add up, numbers beside them, nothing recomputed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import InputError
from sparsecbm_core.explain.subnetworks import DensityImage, density_image, subnetwork_stats
from sparsecbm_core.figures import (
    AGAINST,
    FOR,
    before_after_figure,
    breakdown,
    contribution_figure,
    density_figure,
    density_top,
    overlap_figure,
    percent,
    share_bars,
    shared_by_figure,
    signed,
)
from sparsecbm_core.figures.numbers import adding_up
from sparsecbm_core.intervene.oracle import OracleResult
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.roles import MatrixInfo
from tests.app.made import SPACE, made
from tests.tiny import make_tiny

BACKGROUNDS = ("#FFFFFF", "#111318")


@given(st.floats(-9, 9), st.floats(-9, 9), st.booleans(), st.booleans())
def test_steps_lead_from_the_base_to_the_score(
    food: float, service: float, relative: bool, both: bool
) -> None:
    view = breakdown(made(food, service), SPACE, relative=relative, against="bad" if both else None)
    bars = contribution_figure(view).data[0]
    starts, widths = np.array(bars.base, dtype=float), np.array(bars.x, dtype=float)
    ends = starts + widths
    assert ends[:-2] == pytest.approx(starts[1:-1])  # each step starts where the one before ended
    assert ends[-2] == pytest.approx(view.total, abs=1e-6)  # and the last one ends at the score
    assert (starts[-1], widths[-1]) == (0.0, view.total)


def test_every_bar_carries_its_number_and_what_speaks_against_is_hatched() -> None:
    figure = contribution_figure(breakdown(made(1.9, -0.7), SPACE), "service")
    assert [note.text for note in figure.layout.annotations] == [
        f"<b>{number}</b>" for number in ("+0.50", "+1.90", "−0.70", "+1.70")
    ]
    bars = figure.data[0]
    assert list(bars.marker.color)[1:3] == [FOR, AGAINST]
    assert list(bars.marker.pattern.shape) == ["", "", "/", ""]
    assert list(figure.layout.yaxis.ticktext)[2] == "<b>Service</b>"


def test_contrast_is_the_difference_of_two_labels() -> None:
    view = breakdown(made(1.9, -0.7), SPACE, against="bad")
    assert [(part.name, part.value) for part in view.parts] == [("food", 3.8), ("service", -1.4)]
    assert view.base == 1.0
    assert view.total == pytest.approx(3.4)
    assert view.total_title == "Good review ahead of bad"


@pytest.mark.parametrize(("label", "against"), [("good", "good"), ("ugly", None), ("good", "ugly")])
def test_labels_that_make_no_sense_are_refused(label: str, against: str | None) -> None:
    with pytest.raises(InputError):
        breakdown(made(), SPACE, label, against)


def test_numbers_are_written_with_a_true_minus_and_no_signed_zero() -> None:
    assert [signed(value) for value in (1.0, -1.0, -0.004, 0.0)] == ["+1.00", "−1.00", "0.00", "0.00"]
    assert [percent(share) for share in (0.0, 0.004, 0.5, 0.996, 1.0)] == [
        "0 %",
        "< 1 %",
        "50 %",
        "> 99 %",
        "100 %",
    ]


def test_before_and_after_stand_side_by_side() -> None:
    result = OracleResult(
        "0" * 16,
        {"food": "Negative"},
        "good",
        "bad",
        {"bad": 0.38, "good": 0.62},
        {"bad": 0.9, "good": 0.1},
        {"bad": 0.0, "good": 0.0},
        {"bad": 0.0, "good": 0.0},
        {},
    )
    before, after = before_after_figure(result, SPACE).data
    assert (list(before.x), list(after.x)) == ([0.38, 0.62], [0.9, 0.1])
    assert list(after.text) == ["90 %", "10 %"]


def picture(*densities: float) -> DensityImage:
    values = np.array([densities], dtype=np.float32)
    roles = tuple(f"role {i}" for i in range(len(densities)))
    return DensityImage("food", values, (0,), roles, (1, 1))


def test_masks_travel_as_bytes() -> None:
    heat = density_figure(picture(0.25, 0.5)).data[0]
    assert heat.z.dtype == np.uint8
    assert heat.z.tolist() == [[25, 50]]


def test_a_matrix_that_does_not_exist_is_absent_not_full() -> None:
    figure = density_figure(picture(0.25, np.nan))
    heat = figure.data[0]
    assert heat.z[0][0] == 25
    assert np.isnan(heat.z[0][1])
    assert heat.hoverongaps is False
    assert [(note.x, note.y, note.text) for note in figure.layout.annotations] == [(1, 0, "–")]
    assert not density_figure(picture(0.25, 0.5)).layout.annotations


def test_pictures_that_are_compared_share_the_scale_s_top() -> None:
    pale, dense = picture(0.1, 0.2), picture(0.5, 0.8)
    top = density_top([pale, dense])
    assert top == pytest.approx(0.8, abs=0.01)
    assert [density_figure(image, top).data[0].zmax for image in (pale, dense)] == [100 * top] * 2
    assert density_figure(pale).data[0].zmax < 21
    assert density_top([]) == 1.0
    assert density_top([picture(np.nan)]) == 1.0


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=8))
def test_numbers_that_are_shown_add_up(terms: list[float]) -> None:
    shown, total = adding_up(terms, sum(terms))
    assert sum(shown) == pytest.approx(total, abs=1e-9)
    assert abs(total - sum(terms)) <= 0.005 + 1e-9
    assert all(abs(a - b) < 0.01 + 1e-9 for a, b in zip(shown, terms, strict=True))


def test_what_does_not_add_up_is_not_made_to() -> None:
    assert adding_up([1.0, 2.0], 7.0) == ([1.0, 2.0], 7.0)


def test_titles_are_text_and_not_plotly_s_markup() -> None:
    space = ConceptSpace(("food", "service"), SPACE.states, SPACE.labels, {"food": "<b>A & B</b>"})
    titles = contribution_figure(breakdown(made(), space)).layout.yaxis.ticktext
    assert titles[1] == "&lt;b&gt;A &amp; B&lt;/b&gt;"
    assert share_bars(["<i>"], [0.5]).layout.yaxis.ticktext == ("&lt;i&gt;",)


def test_subnetwork_figures_show_the_counts() -> None:
    model = make_tiny("bert")
    assert model.masks is not None
    stats = subnetwork_stats(model.masks, model.cbm.matrices)
    figure = overlap_figure(stats, model.space)
    assert figure is not None
    pair, chance = figure.data
    assert list(pair.x) == [overlap.jaccard for overlap in stats.overlaps]
    assert list(chance.x) == [overlap.chance_by_matrix for overlap in stats.overlaps]
    shared = shared_by_figure(stats)
    assert sum(shared.data[0].x) == pytest.approx(1.0)
    assert list(shared.layout.yaxis.ticktext) == ["no concept", "one concept", "2 concepts", "all 3 concepts"]
    image = density_image(model.masks, model.cbm.matrices, "food")
    assert density_figure(image).data[0].z.shape == image.values.shape


def test_of_weights_that_nobody_shares_one_bar_says_so() -> None:
    bits = np.zeros((3, 1, 4), dtype=bool)
    bits[range(3), 0, range(3)] = True
    masks = MaskSet.from_bool(("a", "b", "c"), {"m": bits})
    bars = shared_by_figure(subnetwork_stats(masks, [MatrixInfo("m", 0, "query", (1, 4))]))
    assert list(bars.layout.yaxis.ticktext) == ["no concept", "one concept", "2 concepts"]
    assert list(bars.data[0].x) == [0.25, 0.75, 0.0]


def test_the_overlap_of_many_concepts_is_a_matrix_and_of_strangers_nothing() -> None:
    names = ("a", "b", "c", "d", "e", "f")
    space = ConceptSpace(names, SPACE.states, SPACE.labels)

    def drawn(*kept: Sequence[int], of: int = 8) -> go.Figure | None:
        bits = np.zeros((len(names), 1, of), dtype=bool)
        for k, own in enumerate(kept):
            bits[k, 0, list(own)] = True
        stats = subnetwork_stats(
            MaskSet.from_bool(names, {"m": bits}), [MatrixInfo("m", 0, "query", (1, of))]
        )
        return overlap_figure(stats, space)

    assert drawn([0], [1], [2], [3], [4], [5]) is None
    figure = drawn([0, 1], [1, 2], [3], [4], [5], [0, 1])
    assert figure is not None
    texts = {(note.x, note.y): note.text for note in figure.layout.annotations}
    assert len(texts) == 36
    assert texts[0, 1] == texts[1, 0] == "33 %"
    assert texts[0, 5] == texts[5, 0] == "100 %"
    assert texts[2, 3] == "0 %"
    assert {texts[k, k] for k in range(6)} == {""}
    assert (figure.data[0].z[0][5], figure.data[0].z[0][1], figure.data[0].z[2][3]) == (255, 85, 0)
    # Each keeps 10 of 64, the first two share one: 1 of 19, where chance gives 1.5625 of 18.4375.
    faint = drawn(range(10), range(9, 19), *(range(k, k + 10) for k in (19, 29, 39, 49)), of=64)
    assert faint is not None
    assert faint.data[0].z[0][1] == round(255 * (1 / 19) / (1.5625 / 18.4375))
    assert figure.layout.xaxis.tickangle == -90


def test_letters_can_be_read_in_a_picture_on_white() -> None:
    for figure in (share_bars(["a"], [0.5]), contribution_figure(breakdown(made(), SPACE))):
        fonts = (figure.layout.font, figure.layout.yaxis.tickfont, figure.layout.xaxis.tickfont)
        assert all(1.05 / (_luminance(font.color) + 0.05) >= 7 for font in fonts)


def test_no_bars_is_no_error() -> None:
    assert len(share_bars([], []).data[0].x) == 0


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("color", [FOR, AGAINST])
def test_colours_stand_out_on_light_and_dark(background: str, color: str) -> None:
    lighter, darker = sorted((_luminance(background), _luminance(color)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 3


def _luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
