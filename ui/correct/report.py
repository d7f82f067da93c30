"""What was corrected, as parts of a page that opens anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import before_after_figure
from ui.correct import corrected, override, side_effects
from ui.widgets.offline import chart
from ui.widgets.table import table_html

if TYPE_CHECKING:
    from sparsecbm_core.intervene.oracle import OracleResult
    from sparsecbm_core.session.correction import Correction


def by_hand_html(result: OracleResult, explanation: Explanation, space: ConceptSpace) -> list[str]:
    return [
        "<h2>With a concept set by hand</h2>",
        override.result_html(result, explanation, space),
        chart(before_after_figure(result, space)),
    ]


def corrected_html(correction: Correction, space: ConceptSpace) -> list[str]:
    """What made the model read the review as it does."""
    if correction.intervention is None:
        return []
    parts = ["<h2>The correction</h2>", corrected.result_html(correction.intervention, space)]
    if correction.report is not None:
        parts += [
            "<h2>What else changed</h2>",
            side_effects.summary_html(correction.report, correction.patch.concept, space),
            table_html(side_effects.change_rows(correction.report, {}, space), "Read differently now"),
        ]
    return parts
