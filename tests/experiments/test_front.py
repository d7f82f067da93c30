"""Overlap against accuracy: what the table and the picture say of each way."""

from __future__ import annotations

from sparsecbm_core.experiments import front
from sparsecbm_core.experiments.summary import FIGURES


def row(way: str, value: float, jaccard: float) -> dict[str, object]:
    figure = {"mean": 0.5, "std": None, "runs": 1}
    known = dict.fromkeys((*FIGURES, "jaccard_chance", "own_mask", "wrong_mask_drop"), figure)
    labels = {"backbone": "some/encoder", "split": "dev", "way": way, "lambda": value}
    return {**labels, **known, "jaccard": {**figure, "mean": jaccard}}


def test_only_penalties_have_a_lambda() -> None:
    results = {"rows": [row("dense (votes)", 0.0, 0.1), row("penalty", 0.0, 0.7), row("partition", 0.0, 0.0)]}
    (table,) = front.tables(results)
    assert [line[2:4] for line in table.rows] == [
        ["dense (votes)", "–"],
        ["penalty", "0"],
        ["partition", "–"],
    ]
    figure = front.draw(results)
    assert figure is not None
    written = {trace.name: list(trace.text) for trace in figure.data if trace.text is not None}
    assert written == {"penalty": ["0"], "partition": [""]}
