"""Answered examples for a prompt, drawn from training data and never from what is measured."""

from __future__ import annotations

import random
from collections import Counter

from sparsecbm_core.data.types import Example, ReviewDataset
from sparsecbm_core.errors import DataError, InputError


def draw_shots(
    training: ReviewDataset, evaluated: ReviewDataset, count: int, seed: int = 0
) -> tuple[Example, ...]:
    """``count`` examples of ``training``, by seed, spread evenly over the labels that it has.

    Reviews that ``evaluated`` holds too, or of which it holds another edit (the same ``group``),
    are left out. Raises `InputError` where both are the same split or too few reviews remain,
    `DataError` where they name concepts, states or labels differently.
    """
    if count < 0:
        raise InputError(f"the number of shots must be 0 or more, got {count}")
    if not count:
        return ()
    if (training.name, training.split) == (evaluated.name, evaluated.split):
        raise InputError(
            f"shots cannot come from {evaluated.split!r}, which is measured; name a training split"
        )
    ours, theirs = training.space, evaluated.space
    if (ours.concepts, ours.states, ours.labels) != (theirs.concepts, theirs.states, theirs.labels):
        raise DataError(
            f"{training.name} {training.split} and {evaluated.name} {evaluated.split} differ in concepts, "
            "states or labels; shots need the same"
        )
    texts = {_plain(example.text) for example in evaluated}
    groups = {example.group for example in evaluated} - {None}
    pool = [
        example for example in training if _plain(example.text) not in texts and example.group not in groups
    ]
    if len(pool) < count:
        raise InputError(
            f"{count} shots asked for; {training.name} {training.split} has {len(pool)} reviews that are not "
            f"in {evaluated.split}"
        )
    rng = random.Random(f"shots {seed}")
    rng.shuffle(pool)
    seen: Counter[int] = Counter()
    rounds = []  # one example of each label, then a second one of each, and so on
    for example in pool:
        rounds.append((seen[example.label], example))
        seen[example.label] += 1
    chosen = [example for _, example in sorted(rounds, key=lambda item: item[0])[:count]]
    rng.shuffle(chosen)  # else the labels would come in the same order, round after round
    return tuple(chosen)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
