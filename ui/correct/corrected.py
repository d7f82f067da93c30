"""What the last correction did: before, after, and what setting it by hand alone would have done."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.concepts import REST, ConceptSpace
from sparsecbm_core.figures import digits_of, millions, percent, signed
from sparsecbm_core.session.correction import Attempt, Correction, Failure
from ui.correct import undone
from ui.correct.before_after import headline, sure, table
from ui.state import AppState
from ui.text import answer_title, plain, short
from ui.widgets import commands, keep, layout
from ui.widgets.download import JSON, download
from ui.widgets.exports import json_text
from ui.widgets.offline import details
from ui.widgets.table import table_html as rows_html

if TYPE_CHECKING:
    from sparsecbm_core.intervene.edits import MaskEdit
    from sparsecbm_core.intervene.results import Intervention

EMPTY = (
    "Choose another state for a concept. The model then changes as few of its mask bits as it takes to read "
    "this review right, also the next time, and you see here what that did."
)
SINCE = "Other corrections were added or dropped since. This is what the last one made here did at the time."


def show(state: AppState, space: ConceptSpace) -> None:
    """The attempt that waits or failed, else the last correction made here, else what to do."""
    if state.work.attempt is not None:
        _attempt(state, state.work.attempt, space)
        return
    if state.work.undone is not None:
        undone.show(state, state.work.undone, space)
        return
    correction = last(state)
    if correction is None or correction.intervention is None:
        layout.lead(EMPTY)
        if state.work.corrections:
            layout.caption(_kept_only(state))
        return
    if correction.text != state.work.text:
        _elsewhere(state, correction)
    if correction.ends(state.work.corrections):
        st.html(result_html(correction.intervention, space))
    else:
        layout.caption(SINCE)
        st.html(
            headline(verdict(correction.intervention, space, then=True))
            + table_html(correction.intervention, space)
        )
    with st.container(horizontal=True):
        keep.show(state, space, correction)
        name = _downloads(correction)
    if state.work.card is not None and name:
        commands.use_patch(state.work.card.folder, name)


def last(state: AppState) -> Correction | None:
    """The newest correction that was made in this session."""
    made = [correction for correction in state.work.corrections if correction.intervention is not None]
    return made[-1] if made else None


def in_force(state: AppState) -> Correction | None:
    """The newest correction, where nothing was added or dropped after it: what it says is still so."""
    correction = last(state)
    return correction if correction is not None and correction.ends(state.work.corrections) else None


def shown(state: AppState) -> Correction | None:
    """The correction whose side effects are on the page: one that waits for a yes, else the newest, unless
    something was undone since."""
    waiting = state.work.attempt.correction if isinstance(state.work.attempt, Attempt) else None
    return waiting or (last(state) if state.work.undone is None else None)


def _kept_only(state: AppState) -> str:
    count = len(state.work.corrections)
    return f"{count} kept correction{'s are' if count > 1 else ' is'} in use."


def attempt_verdict(attempt: Attempt | Failure, space: ConceptSpace) -> str:
    """What became of a correction that was not taken over."""
    title = space.title(attempt.request.concept)
    if isinstance(attempt, Failure):
        return f"{title} was not corrected."
    was = answer_title(space, attempt.request.concept, attempt.intervention.before.state)
    if _settled(attempt.intervention):
        return f"Nothing to correct: {title} is read as {was} already."
    if attempt.correction is None:
        return f"Not reached: {title} is still read as {was}."
    count = attempt.harm
    return f"This would break {count} other reading{'s' if count != 1 else ''}."


def _settled(done: Intervention) -> bool:
    """Whether the model read the concept as asked for before anything was changed."""
    from sparsecbm_core.intervene.results import ALREADY

    return done.outcome == ALREADY


def _attempt(state: AppState, attempt: Attempt | Failure, space: ConceptSpace) -> None:
    said = attempt_verdict(attempt, space)
    if isinstance(attempt, Failure):
        st.error(f"**{plain(said)}** {plain(attempt.problem)}", icon=":material/error:")
        return
    st.html(headline(said) + ("" if attempt.correction is None else table_html(attempt.intervention, space)))
    if attempt.correction is None:
        if _settled(attempt.intervention):
            return
        wanted = attempt.request.state
        title = answer_title(space, attempt.request.concept, wanted)
        closest = f"{title} {percent(attempt.intervention.after.states[wanted])}"
        layout.caption(
            f"Nothing was changed. The closest that was found gives {closest}. Another rule or a larger "
            "share, under “How to correct”, may do it."
        )
        return
    with st.container(horizontal=True):
        st.button(
            "Correct all the same",
            on_click=state.on(state.work.take_over, attempt.correction),
            key="take_over",
            type="primary",
        )
        st.button("Do not correct", on_click=state.on(state.work.leave), key="leave")


def _elsewhere(state: AppState, correction: Correction) -> None:
    """The correction was made on another review than the one on the page."""
    text = correction.text or ""
    layout.caption(f"Your last correction, made on another review: “{short(text, 90)}”")
    st.button("Back to that review", on_click=state.on(state.show_text, text), key="back_to_review")


def verdict(done: Intervention, space: ConceptSpace, then: bool = False) -> str:
    """What the correction did; ``then`` where it may be otherwise by now."""
    if done.concept == REST:
        return _label_verdict(done, space, then)
    title, wanted = space.title(done.concept), space.title(done.state)
    label = space.label_title(done.after.label)
    changed = done.after.label != done.before.label
    if not then and (moved := _moved(done, space)):
        return (
            f"{title} is now read as {wanted}, and the label {'becomes' if changed else 'stays'} {label} "
            f"({moved})."
        )
    if then:
        return (
            f"{title} was then read as {wanted}, and the label {'became' if changed else 'stayed'} {label}."
        )
    return f"{title} is now read as {wanted}, and the label {'becomes' if changed else 'stays'} {label}."


def _label_verdict(done: Intervention, space: ConceptSpace, then: bool) -> str:
    label, moved = space.label_title(done.after.label), _moved(done, space)
    if then:
        return f"The rest of the review was then read so that the label became {label}."
    return (
        f"The rest of the review is read anew, and the label becomes {label}{f' ({moved})' if moved else ''}."
    )


def _moved(done: Intervention, space: ConceptSpace) -> str:
    """How the answer moved on its scale: "2.3 → 3.1 stars"."""
    first, then = done.before.expected, done.after.expected
    if first is None or then is None:
        return ""
    digits = digits_of(space)
    return f"{first.value:.{digits}f} → {then.value:.{digits}f} {then.unit}".strip()


def result_html(done: Intervention, space: ConceptSpace) -> str:
    return headline(verdict(done, space)) + table_html(done, space)


def table_html(done: Intervention, space: ConceptSpace) -> str:
    """Before, corrected, and set by hand only, side by side."""
    before, after, by_hand = done.before, done.after, done.oracle
    sparsity = "sparsity unchanged" if done.dropped == done.grown else "sparsity changed"
    bits = f"{done.dropped:,} dropped, {done.grown:,} grown of {millions(done.total)}; {sparsity}"
    wanted = answer_title(space, done.concept, done.state)
    states = [
        sure(answer_title(space, done.concept, one.state), one.states[one.state]) for one in (before, after)
    ]
    labels = [
        sure(space.label_title(label), shares[label])
        for label, shares in ((one.label, one.labels) for one in (before, after, by_hand))
    ]
    by_hand_text = f"{escape(wanted)}, set by hand"
    again = f"<strong>{'right' if done.again else 'wrong again'}</strong>"
    rows = [
        *([] if done.concept == REST else [(escape(space.title(done.concept)), [*states, by_hand_text])]),
        ("Label", labels),
        *_on_the_scale(done, space),
        ("The same review again", ["", again, "wrong again"]),
        *([("In other words", ["", _in_other_words(done), ""])] if done.variants else []),
        ("Mask bits changed", ["", bits, "none"]),
    ]
    compared = table(
        "Before and after the correction",
        ("Before", "Corrected model", "Set by hand only"),
        rows,
        region="The correction",
        attributes=mark(done.edit),
    )
    return f'{compared}<p class="sc-note">{escape(_how(done))}</p>{_variants_html(done, space)}'


def _on_the_scale(done: Intervention, space: ConceptSpace) -> list[tuple[str, list[str]]]:
    """The answer in the labels' units, and what the corrected concept adds to it."""
    if done.before.expected is None:
        return []
    found = [one.expected for one in (done.before, done.after, done.oracle)]
    digits = digits_of(space)
    return [
        (
            escape(done.before.expected.unit.capitalize() or "Expected"),
            ["" if one is None else f"{one.value:.{digits}f}" for one in found],
        ),
        (
            f"Part of {escape(space.title(done.concept))}",
            ["" if one is None else signed(one.parts.get(done.concept, 0.0), digits) for one in found],
        ),
    ]


def _in_other_words(done: Intervention) -> str:
    right = [sum(getattr(one, when) == done.state for one in done.variants) for when in ("before", "after")]
    return f"right in {right[1]} of {len(done.variants)}, {right[0]} before"


def _variants_html(done: Intervention, space: ConceptSpace) -> str:
    """The review without a sentence, or in another order, as it was and is read."""
    if not done.variants:
        return ""
    rows = [
        {"text": one.text, "before": space.title(one.before), "now": space.title(one.after)}
        for one in done.variants
    ]
    title = f"The review in other words, as {space.title(done.concept)} is read in it"
    return details("The review in other words", rows_html(rows, title))


def mark(edit: MaskEdit) -> str:
    """An attribute that tells which correction a table is about: two tables of one page belong together."""
    return f' data-correction="{edit.fingerprint()}"'


def _how(done: Intervention) -> str:
    return f"{done.seconds:.1f} s with the guard reviews · rule {done.rule} · r = {100 * done.r:.2g} %"


def _downloads(correction: Correction) -> str | None:
    """Returns the name of the patch's file."""
    done, report = correction.intervention, correction.report
    if done is None:
        return None
    name = f"{done.concept}-{done.state}-{correction.fingerprint}.safetensors".replace("/", "_")
    download("Patch", correction.patch.to_bytes, name, "application/octet-stream")
    download(
        "JSON",
        lambda: json_text({**done.to_dict(), "guard": None if report is None else report.to_dict()}),
        "correction.json",
        JSON,
    )
    return name
