"""Accuracy on the guard reviews after each correction of the chain, measured when it is asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.figures import chain_figure, precise_percent
from sparsecbm_core.figures.chain import DRAWN
from sparsecbm_core.session.correction import Correction
from sparsecbm_core.session.recent import Recent
from ui.frame import rerun
from ui.state import AppState
from ui.text import counted, plain
from ui.widgets import layout
from ui.widgets.charts import chart

if TYPE_CHECKING:
    import torch

    from sparsecbm_core.concepts import ConceptSpace
    from sparsecbm_core.evaluate.chain import ChainAccuracy, ChainPoint
    from sparsecbm_core.intervene.edits import MaskEdit
    from sparsecbm_core.intervene.guard import GuardBaseline
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.session.guard import Guard

ABOUT = "How often labels and concepts of the guard reviews are right, after each correction in turn."
_ADDING = threading.Lock()
HELP = (
    "Guard reviews are labelled reviews for which no correction was made. A chain that costs accuracy on "
    "them has become too long, or holds a correction that should be reverted."
)


def show(state: AppState, base: ConceptModel, guard: Guard, kept: Sequence[Correction]) -> None:
    """For the chain of this session, or for the active corrections in ``kept`` if it has none."""
    own = state.work.corrections
    corrections = own or tuple(kept)
    if not corrections:
        return
    layout.section("Accuracy along the chain", ABOUT, help=HELP)
    if guard.reviews is None:
        layout.caption(
            "There are no guard reviews for this model. Open labelled reviews on Explain: “How to correct”."
        )
        return
    count = counted(len(corrections), "correction")
    layout.caption(
        f"{count} of this session." if own else f"{count}, kept and active, in the order of keeping."
    )
    key = (
        base.fingerprint,
        guard.reviews.fingerprint(),
        tuple((item.fingerprint, item.patch.scope) for item in corrections),
    )
    points = _measured().get(key) or []
    place, missing = st.empty(), len(corrections) + 1 - len(points)
    if state.work.ledger.measure and missing > 0:
        state.work.ledger.measure = False
        try:
            _measure(place, base, guard, corrections, points, key)
        except SparseCBMError as error:
            place.error(f"**The chain cannot be measured.** {plain(str(error))}", icon=":material/error:")
            return
        rerun.page()
    if missing > 0:
        _offer(place, state, len(corrections), len(points), len(guard.reviews), base.fingerprint)
    if len(points) > 1:
        from sparsecbm_core.evaluate.chain import ChainAccuracy

        _result(ChainAccuracy(guard.reviews.name, len(guard.reviews), tuple(points)), base.space)


def _offer(place: DeltaGenerator, state: AppState, total: int, known: int, reviews: int, model: str) -> None:
    begun = known > 1
    said = (
        f"{known - 1} of {total} measured so far."
        if begun
        else f"Reads {reviews:,} reviews once for each correction{_estimate(model, total)}."
    )
    with place.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Go on" if begun else "Measure",
            key="measure",
            on_click=state.on(_ask, state),
            icon=":material/monitoring:",
        )
        st.html(f'<p class="sc-note">{said}</p>', width="content")


def _ask(state: AppState) -> None:
    state.work.ledger.measure = True


def _measure(
    place: DeltaGenerator,
    base: ConceptModel,
    guard: Guard,
    corrections: Sequence[Correction],
    points: list[ChainPoint],
    key: tuple[object, ...],
) -> None:
    """Make what is missing of ``points``. Whoever presses something else meanwhile stops it; what was read
    by then is not read again."""
    from sparsecbm_core.evaluate.chain import chain_points, reviews_of

    bar = place.progress(0.0, "Reading the guard reviews…")

    def show_progress(share: float, message: str) -> None:
        bar.progress(min(1.0, share), message)

    baseline = guard.baseline(base, show_progress)
    if baseline is None:
        return
    _measured().put(key, points, len(corrections))
    began, reads, total = time.monotonic(), _Reads(), len(corrections)
    patches = [correction.patch for correction in corrections]
    edits = [patch.edit for patch in patches]
    for point in chain_points(baseline, edits, reviews_of(baseline, patches), reads):
        with _ADDING:  # all who measure this chain add to the same points
            if point.corrections == len(points):
                points.append(point)
        done = point.corrections
        left = ""
        if reads.fresh:
            each = (time.monotonic() - began) / reads.fresh
            _speed().put(base.fingerprint, each, 1)
            left = f", about {_seconds(each * (total - done))} left"
        bar.progress(done / total, f"{done:,} of {counted(total, 'correction')} measured{left}")


class _Reads:
    """Reads a concept of guard reviews under an edit, and remembers it: chains begin alike, and grow."""

    def __init__(self) -> None:
        self.fresh = 0

    def __call__(
        self, baseline: GuardBaseline, edit: MaskEdit, concept: str, reviews: Sequence[int]
    ) -> torch.Tensor:
        from sparsecbm_core.evaluate.chain import read_under

        model, data = baseline.model.fingerprint, baseline.reviews.fingerprint()
        key = (model, data, edit.fingerprint(), concept, tuple(reviews))
        found = _readings().get(key)
        if found is None:
            found = read_under(baseline, edit, concept, reviews)
            self.fresh += 1
            _readings().put(key, found, found.numel())
        return found


def _result(found: ChainAccuracy, space: ConceptSpace) -> None:
    rows = [
        {
            "corrections": row["corrections"],
            "changed": ", ".join(map(space.title, point.changed)) or "as loaded",
            "label": row["label"],
            "all concepts": row["all_concepts"],
            **{space.title(name): share for name, share in point.concepts.items()},
        }
        for row, point in zip(found.rows(), found.points, strict=True)
    ]
    shares = [name for name in rows[0] if name not in ("corrections", "changed")]
    layout.lead(verdict(found))
    chart(
        chain_figure(found, space),
        rows,
        "chain",
        f"Accuracy on {found.reviews:,} guard reviews after each correction",
        "The accuracies",
        percents=shares,
    )
    if len(found.changed) > DRAWN:
        layout.caption(f"Drawn are the {DRAWN} concepts that moved most; all are in the table.")


def verdict(found: ChainAccuracy) -> str:
    """From where to where the label and the concepts went."""
    first, last = found.points[0], found.points[-1]
    parts = [
        f"{name} {_went(before, after)}"
        for name, before, after in (
            ("labels", first.label, last.label),
            ("concepts", first.concept, last.concept),
        )
    ]
    after = counted(last.corrections, "correction")
    return f"On {counted(found.reviews, 'guard review')}, after {after}: {'; '.join(parts)}."


def _went(before: float, after: float) -> str:
    was, now = precise_percent(before), precise_percent(after)
    return f"{was} right, as before" if was == now else f"{now} right, {was} before"


def _estimate(model: str, total: int) -> str:
    each = _speed().get(model)
    return "" if each is None else f", about {_seconds(each * total)}"


def _seconds(seconds: float) -> str:
    """
    >>> _seconds(0.4), _seconds(31), _seconds(200)
    ('1 s', '31 s', '3 min')
    """
    return f"{max(1, round(seconds))} s" if seconds < 100 else f"{round(seconds / 60)} min"


@st.cache_resource(show_spinner=False)
def _measured() -> Recent[list[ChainPoint]]:
    return Recent(entries=32, size=4_000, seconds=86_400)


@st.cache_resource(show_spinner=False)
def _readings() -> Recent[torch.Tensor]:
    return Recent(entries=2_000, size=10_000_000, seconds=86_400)


@st.cache_resource(show_spinner=False)
def _speed() -> Recent[float]:
    """Seconds that a reading took lately, by the fingerprint of the model."""
    return Recent(entries=8, size=8, seconds=86_400)
