"""Corrections in words: what they are, when they were made, and what reverting one does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import TYPE_CHECKING, Any

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.figures import precise_percent
from ui.text import correction_title, counted, plain, short

if TYPE_CHECKING:
    from sparsecbm_core.intervene.patch import Patch

SCOPES = {"everywhere": "every review", "similar": "only reviews close to the one corrected"}


def row_label(number: int, patch: Patch, note: str, space: ConceptSpace) -> str:
    """A correction in one line of Markdown: what, when, how many bits, and the beginning of its note."""
    words = f"**{number}** · {plain(correction_title(patch, space))}"
    if note.strip():
        words += f" · {plain(short(note))}"
    return f"{words} :gray[· {plain(counted(patch.edit.size, 'bit'))}, {plain(when(patch.time))}]"


def when(moment: datetime, now: datetime | None = None) -> str:
    """A time as a reader says it, in UTC.

    >>> noon = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
    >>> when(noon, noon), when(noon, noon + timedelta(days=1)), when(noon, noon + timedelta(days=9))
    ('today, 12:00 UTC', 'yesterday, 12:00 UTC', '4 Mar 2026, 12:00 UTC')
    """
    moment, today = moment.astimezone(UTC), (now or datetime.now(UTC)).astimezone(UTC).date()
    days = {today: "today", today - timedelta(days=1): "yesterday"}
    day = days.get(moment.date(), f"{moment.day} {moment:%b %Y}")
    return f"{day}, {moment:%H:%M} UTC"


def numbers(ids: Sequence[int]) -> str:
    """
    >>> numbers([3]), numbers([3, 5, 8])
    ('correction 3', 'corrections 3, 5 and 8')
    """
    if len(ids) == 1:
        return f"correction {ids[0]}"
    return f"corrections {', '.join(map(str, ids[:-1]))} and {ids[-1]}"


def capital(text: str) -> str:
    """For the beginning of a sentence; the rest stays as it is."""
    return text[:1].upper() + text[1:]


def facts(patch: Patch, space: ConceptSpace) -> list[tuple[str, str]]:
    """How a correction was made, and what it did to other reviews at the time."""
    rows = [
        ("Made", when(patch.time)),
        ("Mask bits", f"{patch.dropped:,} dropped, {patch.grown:,} grown"),
        ("Rule", f"{patch.rule}, r = {100 * patch.r:.2g} % of the weights"),
        ("Holds for", SCOPES.get(patch.scope, patch.scope)),
        ("Guard reviews", guard_words(patch.guard, space.title(patch.concept)) or "not measured"),
    ]
    if patch.text is not None:
        rows.append(("Review", patch.text))
    return rows


def facts_html(rows: Sequence[tuple[str, str]]) -> str:
    body = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    return f'<dl class="sc-terms">{body}</dl>'


def guard_words(guard: Mapping[str, Any] | None, concept: str) -> str | None:
    """The tallies of a guard report, which may come from anybody's file; None for what are not such."""
    if guard is None:
        return None
    parts = [_tally(guard.get(name), said) for name, said in (("concept", concept), ("label", "label"))]
    reviews = guard.get("reviews")
    if None in parts or type(reviews) is not int:
        return None
    return f"{'; '.join(map(str, parts))}; of {reviews:,} reviews"


def _tally(tally: object, name: str) -> str | None:
    if not isinstance(tally, Mapping):
        return None
    fixed, broken = tally.get("fixed"), tally.get("broken")
    before, after = tally.get("accuracy_before"), tally.get("accuracy_after")
    if type(fixed) is not int or type(broken) is not int:
        return None
    if not isinstance(before, float | int) or not isinstance(after, float | int):
        return None
    moved = "" if before == after else f" ({precise_percent(before)} → {precise_percent(after)})"
    return f"{name} {fixed:,} fixed, {broken:,} broken{moved}"


def sparsity_words(change: int, total: int) -> str:
    """What becomes of a subnetwork that gets ``change`` weights more, of ``total``.

    >>> sparsity_words(0, 300)
    'leaves the sparsity exactly as it is'
    >>> sparsity_words(-2, 300)
    'leaves its subnetwork 2 weights smaller: sparsity rises by 0.67 points'
    """
    if not change:
        return "leaves the sparsity exactly as it is"
    points = 100 * abs(change) / total
    moved = f"{points:.{max(0, 1 - math.floor(math.log10(points)))}f} points"
    size, verb = ("larger", "falls") if change > 0 else ("smaller", "rises")
    return f"leaves its subnetwork {counted(abs(change), 'weight')} {size}: sparsity {verb} by {moved}"


def overlap_words(later: Mapping[int, int], change: int, total: int, verb: str) -> str:
    """What taking a correction back (or putting it back) means, where ``later`` ones, by their numbers,
    flip so many bits of it too. Empty where there is nothing to say.

    >>> overlap_words({4: 2, 6: 1}, 2, 300, "Reverting")[:67]
    'Corrections 4 and 6 came later and flip 3 mask bits of this one too'
    """
    if not later and not change:
        return ""
    effect = f"{verb} it {sparsity_words(change, total)}."
    if not later:
        return effect
    listed, bits = capital(numbers(list(later))), counted(sum(later.values()), "mask bit")
    flip = "flips" if len(later) == 1 else "flip"
    return f"{listed} came later and {flip} {bits} of this one too. {effect}"
