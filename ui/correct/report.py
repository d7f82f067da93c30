"""What was corrected, as parts of a page that opens anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import before_after_figure
from ui.correct import corrected, override, side_effects
from ui.text import correction_title, counted
from ui.widgets.offline import chart
from ui.widgets.table import table_html

if TYPE_CHECKING:
    from sparsecbm_core.intervene.oracle import OracleResult
    from sparsecbm_core.session.correction import Correction, Corrections


def by_hand_html(result: OracleResult, explanation: Explanation, space: ConceptSpace) -> list[str]:
    return [
        "<h2>With a concept set by hand</h2>",
        override.result_html(result, explanation, space),
        chart(before_after_figure(result, space), "Label probabilities before and after"),
    ]


def in_use_html(corrections: Corrections, space: ConceptSpace) -> list[str]:
    """All corrections that the model has which the page is by, the first made first."""
    rows = [
        {
            "correction": correction_title(item.patch, space),
            "made_on": item.text or "a review that was not kept with it",
            "mask_bits": f"{item.patch.dropped:,} dropped, {item.patch.grown:,} grown",
            "rule": item.patch.rule,
            "kept": "not kept" if item.kept is None else f"as correction {item.kept}",
        }
        for item in corrections
    ]
    count = counted(len(rows), "correction")
    return [
        "<h2>Corrections in use</h2>",
        f"<p>All of this page is by the model with {count}, not by the model as it was loaded.</p>",
        table_html(rows, "Corrections in use"),
    ]


def corrected_html(
    correction: Correction, space: ConceptSpace, texts: Mapping[str, str] | None = None
) -> list[str]:
    """What made the model read the review as it does; ``texts`` are the guard reviews, by their names."""
    if correction.intervention is None:
        return []
    parts = ["<h2>The correction</h2>", corrected.result_html(correction.intervention, space)]
    if correction.report is not None:
        rows = side_effects.change_rows(correction.report, texts or {}, space)
        parts += [
            "<h2>What else changed</h2>",
            side_effects.summary_html(correction.report, correction.patch.concept, space),
            table_html(rows, "Read differently now"),
        ]
    return parts
