"""Reviews made of a data set's own: long ones out of short ones, and edits of one concept."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sparsecbm_core.concepts import NEGATIVE, POSITIVE, UNKNOWN, ConceptSpace
from sparsecbm_core.data.types import Example, ReviewDataset

MOST = 6  # reviews in one
TRIES = 40  # draws of a review that goes with those before


def with_long_reviews(data: ReviewDataset, share: float, seed: int = 0) -> ReviewDataset:
    """``data`` with up to ``share`` times as many reviews more, each of 2 to `MOST` that go together.

    Reviews go together where none praises a concept that another blames and their labels are the same or
    neighbours. What one of them says of a concept, all say together; label and votes are the mean. Edits of a
    review are left out. Equal seeds give equal reviews.

    >>> both = with_long_reviews(reviews, 2.0)
    >>> len(reviews) < len(both) <= 3 * len(reviews)
    True
    """
    whole = [item for item in data if item.edit_concept is None and not item.undecided]
    count, rng = round(share * len(data)), random.Random(seed)
    if len(whole) < 2 or not count:
        return data
    drawn = (_drawn(whole, data.space, rng) for _ in range(count))
    several = [parts for parts in drawn if len(parts) > 1]
    made = [_joined(parts, data.space, number) for number, parts in enumerate(several)]
    return replace(data, examples=(*data.examples, *made))


def with_made_edits(data: ReviewDataset, share: float, seed: int = 0) -> ReviewDataset:
    """``data`` with up to ``share`` times as many edits more: a review that says nothing of one concept,
    with another one added to it that speaks of that concept alone.

    What data without edits of its own can teach by: but for the one concept, both texts say the same. The
    label of such an edit is open. Equal seeds give equal edits.

    >>> both = with_made_edits(reviews, 0.5)
    >>> {item.edit_concept for item in both.examples[len(reviews):]} <= set(reviews.space.concepts)
    True
    """
    space, rng, count = data.space, random.Random(seed), round(share * len(data))
    size = Counter(item.group for item in data)
    # A lone edit is a review like others: what it was made from is not there.
    lone = {
        i
        for i, item in enumerate(data)
        if item.group is None or (item.edit_concept and size[item.group] == 1)
    }
    alone: dict[int, list[Example]] = {}
    for item in data:
        spoken = _spoken(item, space)
        if len(spoken) == 1:
            alone.setdefault(spoken[0], []).append(item)
    whole = [i for i, item in enumerate(data) if item.edit_concept is None or i in lone]
    examples = list(data.examples)
    for number in range(count if whole else 0):
        i = rng.choice(whole)
        silent = [k for k in alone if k not in _spoken(examples[i], space)]
        if not silent:
            continue
        if i in lone:
            examples[i] = replace(examples[i], group=examples[i].group or f"made of {examples[i].id}")
            examples[i] = replace(examples[i], edit_concept=None)
        concept = rng.choice(silent)
        examples.append(_edited(examples[i], rng.choice(alone[concept]), concept, space, number))
    return replace(data, examples=tuple(examples)) if len(examples) > len(data) else data


def _edited(review: Example, more: Example, concept: int, space: ConceptSpace, number: int) -> Example:
    def of_either(mine: Sequence[Any], other: Sequence[Any]) -> tuple[Any, ...]:
        return (*mine[:concept], other[concept], *mine[concept + 1 :])

    known = review.votes is not None and more.votes is not None
    return replace(
        review,
        id=f"edit-{number}",
        text=f"{review.text.strip()} {more.text.strip()}",
        concepts=of_either(review.concepts, more.concepts),
        edit_concept=space.concepts[concept],
        edit_goal=space.states[more.concepts[concept]],
        votes=of_either(review.votes or (), more.votes or ()) if known else None,
        label_votes=(0.0,) * space.num_labels,
        undecided=True,
    )


def _spoken(review: Example, space: ConceptSpace) -> list[int]:
    return [k for k, state in enumerate(review.concepts) if space.states[state] != UNKNOWN]


def _drawn(whole: Sequence[Example], space: ConceptSpace, rng: random.Random) -> list[Example]:
    size, chosen = rng.randint(2, MOST), [rng.choice(whole)]
    for _ in range(TRIES):
        if len(chosen) == size:
            break
        other = rng.choice(whole)
        if all(_go_together(one, other, space) for one in chosen):
            chosen.append(other)
    return chosen


def _go_together(one: Example, other: Example, space: ConceptSpace) -> bool:
    """Whether one person could have written both."""
    if one.id == other.id or abs(one.label - other.label) > (space.label_values is not None):
        return False
    opposite = {NEGATIVE, POSITIVE}
    states = ({space.states[a], space.states[b]} for a, b in zip(one.concepts, other.concepts, strict=True))
    return not any(opposite <= pair for pair in states)


def _joined(parts: Sequence[Example], space: ConceptSpace, number: int) -> Example:
    concepts, votes = [], []
    for k in range(space.num_concepts):
        spoken = [part for part in parts if space.states[part.concepts[k]] != UNKNOWN]
        concepts.append((spoken or parts)[0].concepts[k])
        own = [part.votes[k] for part in spoken or parts if part.votes is not None]
        votes.append(_mean(own) if own else None)
    shares = [part.label_votes for part in parts if part.label_votes is not None]
    return Example(
        id=f"long-{number}",
        text=" ".join(part.text.strip() for part in parts),
        label=round(sum(part.label for part in parts) / len(parts)),
        concepts=tuple(concepts),
        votes=None if any(own is None for own in votes) else tuple(own for own in votes if own is not None),
        label_votes=_mean(shares) if len(shares) == len(parts) else None,
    )


def _mean(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))
