"""What the pathway picture is given: the numbers of the explanation and nothing that can run."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from sparsecbm_core.concepts import UNKNOWN
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.explain.subnetworks import ConceptSubnetwork, DensityImage, MatrixDensity, SubnetworkStats
from tests.app.made import SPACE, made
from ui.resources.assets import ASSETS
from ui.widgets.pathway import WAITING, WORD_LENGTH, pathway_data, used_caption


def data(
    explanation: Explanation,
    selected: str = "food",
    signed_words: bool = True,
    stats: SubnetworkStats | None = None,
    images: dict[str, DensityImage] | None = None,
) -> dict[str, Any]:
    return pathway_data(explanation, SPACE, selected, signed_words, stats, images or {})


def test_numbers_are_those_of_the_explanation() -> None:
    given = data(made(1.9, -0.7, text="good bad", scores=(0.5, -2.0)))
    assert [(row["name"], row["text"], row["state"]) for row in given["concepts"]] == [
        ("food", "+1.90", "Positive · 80 %"),
        ("service", "−0.70", "Negative · 80 %"),
    ]
    assert (given["base"]["text"], given["score"]) == ("+0.50", "score +1.70")
    assert [word["title"] for word in given["words"]] == ["bad", "good"]
    assert [label["on"] for label in given["labels"]] == [False, True]
    json.dumps(given)


def test_says_when_words_are_still_being_weighed_or_mean_little() -> None:
    assert data(made())["note"] == WAITING
    silent = made(text="a b", scores=(1.0, 1.0), states={"food": UNKNOWN})
    assert "Not mentioned" in data(silent)["note"]
    assert data(silent, "service")["note"] is None


def test_signs_alone_are_no_words_and_endless_words_are_cut() -> None:
    given = data(made(text=f", {'x' * 500} ok", scores=(9.0, 1.0, 0.5)))
    assert [word["title"] for word in given["words"]] == ["x" * WORD_LENGTH, "ok"]


def test_scores_without_a_sign_are_written_without_one() -> None:
    given = data(made(text="good", scores=(12.5,)), signed_words=False)
    assert [(word["text"], word["side"]) for word in given["words"]] == [("12.50", "neutral")]
    given = data(made(text="good bad", scores=(12.5, -1.0)))
    assert [(word["text"], word["side"]) for word in given["words"]] == [
        ("+12.50", "for"),
        ("−1.00", "against"),
    ]


def test_tiles_are_bytes_and_their_caption_counts_all_prunable_weights() -> None:
    own = ConceptSubnetwork("food", 2_654_208, 0.25, (MatrixDensity("m", 0, "query", (2, 2), 1, 4, 0.25),))
    stats = SubnetworkStats(10_616_832, {"food": own, "service": own}, (), (1, 1, 1))
    image = DensityImage("food", np.array([[0.25, np.nan]], dtype=np.float32), (0,), ("query", "key"), (1, 1))
    tile = data(made(), stats=stats, images={"food": image})["concepts"][0]["mask"]
    assert tile["caption"] == "25.0 % of 10.6 M weights" == used_caption("food", stats, "")
    assert (tile["rows"], tile["columns"], tile["cells"][1]) == (1, 2, 0)
    assert used_caption("food", None, "the whole encoder") == "the whole encoder"


def test_the_shades_of_all_tiles_have_one_scale() -> None:
    def image(density: float) -> DensityImage:
        return DensityImage("", np.full((1, 1), density, dtype=np.float32), (0,), ("query",), (1, 1))

    rows = data(made(), images={"food": image(0.25), "service": image(0.5)})["concepts"]
    assert [row["mask"]["cells"] for row in rows] == [[127], [255]]


def test_the_numbers_shown_add_up_where_rounding_one_by_one_would_not() -> None:
    given = data(made(0.354, 0.354))
    shown = [row["text"] for row in given["concepts"]]
    assert (given["base"]["text"], sorted(shown), given["score"]) == (
        "+0.50",
        ["+0.35", "+0.36"],
        "score +1.21",
    )


@pytest.mark.parametrize(
    "unsafe", ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("]
)
def test_the_script_never_reads_text_as_markup(unsafe: str) -> None:
    assert unsafe not in (ASSETS / "pathway.js").read_text(encoding="utf-8")


def test_nothing_is_fetched_from_elsewhere() -> None:
    for name in ("pathway.js", "pathway.css", "app.css", "parts.css"):
        links = re.findall(r"https?://[^\s\"')]+", (ASSETS / name).read_text(encoding="utf-8"))
        assert set(links) <= {"http://www.w3.org/2000/svg"}, name
