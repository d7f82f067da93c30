"""A concept of a review corrected to another state and back again, over and over, without an undo.

Undoing a correction restores the masks bit for bit, by the same flips. Correcting back is something else: a
search of its own, from the masks as they are by then. Whether it finds the way back is what is measured here.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.classification import gold_labels, gold_states
from sparsecbm_core.evaluate.common import groups_of
from sparsecbm_core.evaluate.intervals import bootstrap
from sparsecbm_core.intervene.correct import intervene
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.rules import rule_named
from sparsecbm_core.progress import OnWork, unheard

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.intervene.guard import GuardBaseline
    from sparsecbm_core.intervene.profile import GuardProfile
    from sparsecbm_core.models.concept_model import ConceptModel

FIGURES = ("reached", "held", "probability", "flipped", "drift", "moved")


@dataclass(frozen=True)
class Dispute:
    """A concept (index ``k``) of a text on which two people disagree: ``home`` is the state that the model
    reads, ``away`` the one it holds for the next most likely."""

    text: str
    k: int
    home: int
    away: int

    def wanted(self, number: int) -> int:
        """The state asked for in a round, counted from 1: away first, home again in every second one."""
        return self.away if number % 2 else self.home


def disputes(model: ConceptModel, pool: ReviewDataset, count: int, seed: int) -> list[Dispute]:
    """The first ``count`` reviews of a seeded order, a concept drawn for each."""
    if count > len(pool):
        raise InputError(f"{len(pool)} reviews are left to correct, and {count} are asked for; ask for fewer")
    rng = random.Random(seed)
    texts = [example.text for example in rng.sample(list(pool), count)]
    logits = model.predict(texts).concept_logits
    if logits is None:
        raise InputError("a standard classifier has no concepts to correct")
    found = []
    for text, own in zip(texts, logits, strict=True):
        k = rng.randrange(model.space.num_concepts)
        home, away = own[k].topk(2).indices.tolist()
        found.append(Dispute(text, k, home, away))
    return found


@dataclass(frozen=True)
class Others:
    """Guard reviews after a number of rounds, 0 for before: right or not, concept (G,) and label (G,).

    ``concept`` is the share of the disputed concepts that are read right.
    """

    rounds: int
    concept: np.ndarray
    label: np.ndarray


@dataclass(frozen=True)
class Swing:
    """What came of it, ``concepts`` being those disputed, and ``seconds`` what each round took.

    ``columns`` by name, a value for each round, in which all disputes are corrected once: "reached" counts
    those that read the state asked for right after their correction, "held" those that still do when the
    round is over. "probability" is the mean of that state's, right after. "flipped" is the sum of bits that
    the corrections flipped, "drift" the bits that differ from the masks before the first round, "moved" those
    that differ from the masks two rounds ago, when the same states were asked for: 0 where the masks return
    exactly (None in the first round). ``others`` were read every few rounds and after the last.
    """

    concepts: tuple[str, ...]
    columns: dict[str, list[Any]]
    seconds: list[float]
    others: list[Others]


def swing(
    model: ConceptModel,
    chosen: Sequence[Dispute],
    rule: str,
    rounds: int,
    every: int,
    profile: GuardProfile | None,
    baseline: GuardBaseline,
    seed: int = 0,
    report: OnWork = unheard,
) -> Swing:
    """Correct all disputes to and fro in one model, ``rounds`` times without reset.

    ``baseline`` reads the guard reviews under the model as it is given; they are read again after every
    ``every`` rounds and after the last. The model is only read.
    """
    if model.masks is None:
        raise InputError("this model has no masks to correct; load a SparseCBM")
    space, current, r = model.space, model, rule_named(rule).r
    disputed = sorted({dispute.k for dispute in chosen})
    columns: dict[str, list[Any]] = {name: [] for name in FIGURES}
    found = Swing(tuple(space.concepts[k] for k in disputed), columns, [], [_others(baseline, disputed, 0)])
    before: list[MaskEdit] = [MaskEdit({})]  # how the masks differed from the first, round by round
    for number in range(1, rounds + 1):
        started, reached, flipped, probability = time.monotonic(), 0, 0, 0.0
        for place, dispute in enumerate(chosen):
            concept, state = space.concepts[dispute.k], space.states[dispute.wanted(number)]
            done = intervene(current, dispute.text, concept, state, rule, r, profile, seed)
            current = done.corrected
            reached += done.again
            flipped += done.edit.size
            probability += done.after.states[state]
            report((number - 1) * len(chosen) + place + 1, rounds * len(chosen), f"round {number}")
        found.seconds.append(time.monotonic() - started)
        edit = MaskEdit({}) if current.masks is None else MaskEdit.between(model.masks, current.masks)
        moved = (edit ^ before[-2]).size if number > 1 else None
        held = _held(current, chosen, number)
        values = (reached, held, probability / len(chosen), flipped, edit.size, moved)
        for name, value in zip(FIGURES, values, strict=True):
            columns[name].append(value)
        before = [*before[-1:], edit]
        if number % every == 0 or number == rounds:
            found.others.append(_others(baseline.at(current, found.concepts), disputed, number))
    return found


def _held(model: ConceptModel, chosen: Sequence[Dispute], number: int) -> int:
    said = model.predict([dispute.text for dispute in chosen]).states
    return sum(
        int(states[dispute.k]) == dispute.wanted(number) for states, dispute in zip(said, chosen, strict=True)
    )


def _others(reading: GuardBaseline, disputed: Sequence[int], rounds: int) -> Others:
    gold = torch.from_numpy(gold_states(reading.reviews))  # (G, K)
    right = (reading.states == gold)[:, list(disputed)].double().mean(1)
    labels = reading.labels.numpy() == gold_labels(reading.reviews)
    return Others(rounds, right.numpy(), labels.astype(float))


def on_others(swings: Sequence[Swing], guard: ReviewDataset) -> dict[str, Any]:
    """Accuracy on the guard reviews as the rounds go by, and its change with an interval over these reviews;
    means over the swings."""
    found: dict[str, Any] = {"others": {"rounds": [point.rounds for point in swings[0].others]}}
    for what in ("concept", "label"):
        readings = np.array([[getattr(point, what) for point in one.others] for one in swings]).mean(0)
        found["others"][what] = readings.mean(1).tolist()  # (points, G) → (points,)
        found[f"{what}_change"] = asdict(bootstrap(readings[-1] - readings[0], groups_of(guard)))
    return found
