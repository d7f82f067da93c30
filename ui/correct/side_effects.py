"""What else a correction changed: labelled reviews that it should have left alone."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.figures import precise_percent
from sparsecbm_core.session.correction import Correction
from ui.correct import before_after
from ui.correct.before_after import headline
from ui.correct.corrected import mark
from ui.resources.guard_reviews import known_texts
from ui.state import AppState
from ui.widgets import layout
from ui.widgets.table import table

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.intervene.guard import Change, GuardReport, Tally

HELP = (
    "Guard reviews carry the right answers. They are read before and after each correction: what was wrong "
    "and is right now is fixed, what was right and is wrong now is broken. The bundled ones also tell which "
    "weights to spare, so for reviews of other kinds expect a little more change."
)
LISTED = 8
WORDS = {
    "fixed": "right now, was wrong",
    "broken": "wrong now, was right",
    "changed": "wrong before and after",
}


def show(state: AppState, correction: Correction, reviews: ReviewDataset | None, space: ConceptSpace) -> None:
    report = correction.report
    show_summary(correction, space)
    if report is None:
        return
    held, hold = correction.earlier
    if held:
        title = space.title(correction.patch.concept)
        layout.caption(
            f"Of your {held} earlier correction{'s' if held > 1 else ''} of {title}, "
            + (
                "all still hold."
                if hold == held
                else f"{held - hold} no longer hold{'s' if held - hold == 1 else ''}."
            )
        )
    texts = texts_of(correction, reviews)
    ordered = sorted(report.changes, key=lambda item: ("broken", "changed", "fixed").index(item.kind))
    if ordered:
        st.html('<h3 class="sc-listhead">Reviews that are read differently now</h3>')
    for number, change in enumerate(ordered[:LISTED]):
        _change(state, change, texts.get(change.review), space, number)
    if len(ordered) > LISTED:
        layout.caption(f"{len(ordered) - LISTED} more are in the table.")
    table(
        change_rows(report, texts, space),
        "guard-changes",
        "Guard reviews that are read differently",
        "All of them as a table" if ordered else "The numbers",
    )


def texts_of(correction: Correction, reviews: ReviewDataset | None) -> dict[str, str]:
    """The guard reviews by their names, where they are those that the correction was measured on."""
    if reviews is None or correction.guard != reviews.fingerprint():
        return {}
    return {item.id: item.text for item in reviews}


def show_summary(correction: Correction, space: ConceptSpace) -> None:
    """The verdict and how many readings changed, without the reviews."""
    layout.section("What else changed", help=HELP)
    if correction.report is None:
        layout.lead(
            "There are no guard reviews for this model, so nothing is known of it. Open labelled reviews "
            "under “How to correct”."
        )
        return
    st.html(summary_html(correction.report, correction.patch.concept, space, mark(correction.patch.edit)))


def verdict(report: GuardReport, space: ConceptSpace) -> str:
    """In words: nothing, or what was fixed and what was broken."""
    tallies = (report.concept, report.other_concepts, report.label)
    fixed, broken = sum(t.fixed for t in tallies), sum(t.broken for t in tallies)
    if not report.changes:
        return f"Nothing else: all {report.reviews} guard reviews are read as before."
    touched = len({change.review for change in report.changes})
    said = f"{touched} of {report.reviews} guard reviews {'is' if touched == 1 else 'are'} read differently"
    words = [
        f"{count} reading{'s' if count != 1 else ''} {what}"
        for count, what in ((broken, "broken"), (fixed, "fixed"))
        if count
    ]
    return f"{said}: {', '.join(words) if words else 'wrong before and after'}."


def summary_html(report: GuardReport, concept: str, space: ConceptSpace, attributes: str = "") -> str:
    """The verdict and a table: same concept, other concepts, label; ``attributes`` are the table's own."""
    rows = [
        (escape(name), _cells(tally))
        for name, tally in (
            (space.title(concept), report.concept),
            ("Other concepts", report.other_concepts),
            ("Label", report.label),
        )
        if tally.total
    ]
    columns = ("Unchanged", "Fixed", "Broken", "Wrong either way", "Right before", "Right now")
    name, region = "Guard reviews before and after", "What else changed"
    compared = before_after.table(name, columns, rows, region, attributes, kind=" sc-tally", now=None)
    return headline(verdict(report, space)) + compared


def _cells(tally: Tally) -> list[str]:
    other = tally.total - tally.unchanged - tally.fixed - tally.broken
    numbers = [f"{tally.unchanged:,} of {tally.total:,}"]
    for count, kind in ((tally.fixed, "fixed"), (tally.broken, "broken"), (other, "other")):
        numbers.append(f'<span class="sc-{kind}">{count:,}</span>' if count else "0")
    return [*numbers, precise_percent(tally.accuracy_before), precise_percent(tally.accuracy_after)]


def _change(state: AppState, change: Change, text: str | None, space: ConceptSpace, number: int) -> None:
    what = "Label" if change.target == "label" else space.title(change.target)
    was, now, gold = _answers(change, space)
    left, right = st.columns([0.16, 0.84], vertical_alignment="center")
    if text is not None:
        left.button(
            f"Open {change.review}",
            on_click=state.on(
                state.show_text, text, change.review if _is_bundled(change.review, text, space) else None
            ),
            key=f"open-{number}-{change.review}-{change.target}",
            width="stretch",
        )
    right.html(
        f'<span class="sc-tag sc-{change.kind}">{escape(change.kind)}</span> '
        f"{escape(what)}: {escape(was)} → <strong>{escape(now)}</strong>, right is {escape(gold)}"
        f'<br><span class="sc-note sc-excerpt">{escape(text or change.review)}</span>'
    )


def _is_bundled(name: str, text: str, space: ConceptSpace) -> bool:
    """Whether an address can name the review: one of a visitor's own stays out of it."""
    known = known_texts(space).get(name)
    return known is not None and known.text == text


def _answers(change: Change, space: ConceptSpace) -> tuple[str, str, str]:
    """What was said before, what is said now, and what is right."""
    title = space.label_title if change.target == "label" else space.title
    return title(change.before), title(change.after), title(change.gold)


def change_rows(report: GuardReport, texts: Mapping[str, str], space: ConceptSpace) -> list[dict[str, Any]]:
    return [
        {
            "review": change.review,
            "of": "Label" if change.target == "label" else space.title(change.target),
            **dict(zip(("before", "now", "right"), _answers(change, space), strict=True)),
            "kind": change.kind,
            "text": texts.get(change.review, ""),
        }
        for change in report.changes
    ]
