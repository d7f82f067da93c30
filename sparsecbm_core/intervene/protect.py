"""What a correction must leave alone, and flips that do: chosen by their effect on all, read, repaired."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch

from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.intervene.choose import OWN, Linearised, Wishes, choose_flips, directions
from sparsecbm_core.intervene.flips import MARGIN, highest_of_both
from sparsecbm_core.intervene.reading import FEW, batch_of, half_pays, leads
from sparsecbm_core.intervene.rules import Rule, RuleInputs
from sparsecbm_core.intervene.subnetwork import Subnetwork

if TYPE_CHECKING:
    from sparsecbm_core.concepts import ConceptSpace
    from sparsecbm_core.data.batches import Encoded
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.models.sparse_cbm import SparseCBM

ANCHORS = 128  # reviews per concept: enough to hold the boundary, few enough to read while a person waits
ROUNDS = 12
CANDIDATES = 3000  # weights to drop, and as many to grow, among which flips are chosen
FLIPS = 1200  # in one round at most
HOLD = 0.05  # by which an earlier correction keeps leading
LIFT = 2.0  # logits wanted of one round: further off the linear picture does not hold
SPARE = 0.2  # logits asked for beyond what is needed
SCALE = 2.0  # logits from the boundary at which an anchor counts half
SMALL = 1_000_000  # weights: a network of fewer is quick anyway

_HALF: WeakKeyDictionary[SparseCBM, bool] = WeakKeyDictionary()


@dataclass(frozen=True)
class Earlier:
    """A concept of a text that somebody said the state of."""

    text: str
    concept: str
    state: str


@dataclass(frozen=True)
class Protected:
    """Readings that a correction takes care of, by concept.

    ``earlier`` corrections must keep the state they were given. ``anchors`` are texts of each concept
    whose reading should move as little as possible. Both are of the corrected concept only: no other
    subnetwork changes.

    >>> held = Protected().and_earlier("The waiter was slow.", "service", "Negative")
    >>> held.earlier_of("service")[0].state, held.earlier_of("food")
    ('Negative', ())
    """

    earlier: tuple[Earlier, ...] = ()
    anchors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        earlier: Iterable[tuple[str, str, str]] = (),
        guard: ReviewDataset | None = None,
        concept_logits: torch.Tensor | None = None,
        limit: int = ANCHORS,
    ) -> Protected:
        """Corrections (text, concept, state) in their order, and of ``guard`` the ``limit`` reviews per
        concept that lie nearest to the boundary by a model's ``concept_logits`` (N, K, C) of them.

        Raises `InputError` where there are logits of other reviews, or none.
        """
        held = cls()
        if guard is not None:
            k, c = guard.space.num_concepts, guard.space.num_states
            shape = None if concept_logits is None else tuple(concept_logits.shape)
            if concept_logits is None or shape != (len(guard), k, c):
                raise InputError(f"concept logits of shape {(len(guard), k, c)} are needed, got {shape}")
            best, second = concept_logits.topk(2, dim=-1).values.unbind(-1)  # (N, K) each
            nearest = (best - second).argsort(dim=0, stable=True)[:limit]
            held = cls(
                anchors={
                    concept: tuple(guard.examples[i].text for i in nearest[:, index].tolist())
                    for index, concept in enumerate(guard.space.concepts)
                }
            )
        for text, concept, state in earlier:
            held = held.and_earlier(text, concept, state)
        return held

    def and_earlier(self, text: str, concept: str, state: str) -> Protected:
        """With one more correction; it replaces what was said of the same concept of the same text."""
        return replace(self, earlier=(*self.without(text, concept).earlier, Earlier(text, concept, state)))

    def without(self, text: str, concept: str) -> Protected:
        """Without what was said of this concept of this text, as when it is undone or corrected anew."""
        rest = [one for one in self.earlier if (one.text.strip(), one.concept) != (text.strip(), concept)]
        return replace(self, earlier=tuple(rest))

    def earlier_of(self, concept: str) -> tuple[Earlier, ...]:
        """The corrections of one concept."""
        return tuple(one for one in self.earlier if one.concept == concept)

    def check(self, space: ConceptSpace) -> None:
        """`InputError` for a concept, a state or a text that a model with this space cannot have."""
        for concept in self.anchors:
            if concept not in space.concepts:
                raise InputError(one_of(concept, space.concepts, "protected concept"))
        for one in self.earlier:
            if one.concept not in space.concepts:
                raise InputError(one_of(one.concept, space.concepts, "protected concept"))
            if one.state not in space.states:
                raise InputError(one_of(one.state, space.states, "protected state"))
            if not one.text.strip():
                raise InputError("a protected text is empty; give the review that was corrected")


@dataclass(frozen=True)
class Held:
    """Protected reviews of one concept: ``earlier`` corrections come first, anchors after them.

    ``states`` (N,) are those they should keep: the corrected ones, and `OWN` of anchors.
    """

    encoded: Sequence[Encoded]
    states: torch.Tensor
    earlier: int

    @classmethod
    def of(cls, subnetwork: Subnetwork, protect: Protected) -> Held | None:
        """None if nothing is protected of this concept."""
        model, concept = subnetwork.model, subnetwork.concept
        earlier, anchors = protect.earlier_of(concept), protect.anchors.get(concept, ())
        if not earlier and not anchors:
            return None
        encoded = model.encode([*(one.text for one in earlier), *anchors])
        states = [model.space.state_index(one.state) for one in earlier] + [OWN] * len(anchors)
        return cls(encoded, torch.tensor(states), len(earlier))

    def before(self, subnetwork: Subnetwork) -> Before:
        """How they are read now."""
        said = subnetwork.logits(subnetwork.read_many(self.encoded))
        states = torch.where(self.states == OWN, said.argmax(-1), self.states)
        return Before(states, leads(said, states)[0])


@dataclass(frozen=True)
class Before:
    """The states (N,) of the held reviews, and by how much they led before a correction."""

    states: torch.Tensor
    leads: torch.Tensor

    def broken(self, subnetwork: Subnetwork, held: Held) -> int:
        """How many that led by `HOLD` or more are read otherwise now."""
        said = subnetwork.logits(subnetwork.read_many(held.encoded)).argmax(-1)
        return int(((self.leads >= HOLD) & (said != self.states)).sum())


@dataclass(frozen=True)
class Repaired:
    """Whether the new state was reached, in how many rounds, and how the held reviews were read before."""

    reached: bool
    rounds: int
    before: Before


def flip_protecting(
    subnetwork: Subnetwork,
    rule: Rule,
    text: Encoded,
    target: int,
    beyond: Callable[[torch.Tensor], float],
    held: Held,
    profile: torch.Tensor,
) -> Repaired:
    """Flip bits until ``text`` is as far in state ``target`` as asked for, and earlier corrections lead by
    `HOLD`. ``beyond`` says of the text's readings (1, R) how far beyond that they are.

    A round reads all reviews with the effect of every candidate bit on each (`Linearised`), flips
    those that lift what is short and leave the rest where it is (`choose_flips`), and reads again: an
    earlier correction that broke is among the wishes of the next round. Flips that brought nothing are
    taken back and half as much is asked of the same picture. The candidates are the best by ``rule``,
    for all that is short together. If the state is not reached, the closest stays.
    """
    count, device = 1 + held.earlier, subnetwork.theta.device
    encoded = [text, *held.encoded]
    states = torch.cat([torch.tensor([target]), held.states])
    floors = torch.full((count,), HOLD)
    floors[0] = MARGIN

    def ahead_of_others() -> torch.Tensor:
        """Leads (1 + earlier,), exact; the first as far from `MARGIN` as it is beyond what was asked for."""
        said = subnetwork.read_many(encoded[:count])
        ahead = leads(subnetwork.logits(said), states[:count])[0]
        ahead[0] = MARGIN + beyond(said[:1])
        return ahead

    now = ahead_of_others()

    def look(states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Linearised]:
        """What is short, by how much, the bits that could mend it, and what these do to all reviews."""
        urgent = now < floors
        missing = torch.where(urgent, MARGIN + SPARE, HOLD) - now
        candidates = _candidates(subnetwork, rule, encoded, states, urgent, missing, profile)
        half = _half(subnetwork, encoded, states, candidates)
        return urgent, missing, candidates, Linearised.of(subnetwork, encoded, states, candidates, half)

    urgent, missing, candidates, picture = look(states)
    states, began, lift, fresh = picture.states, picture.leads, LIFT, True
    before = Before(states[1:], began[1:])
    near = 1 / (1 + (began[count:] / SCALE).square())
    weights = (near / near.sum().clamp(min=1e-30)).to(device)
    for number in range(1, ROUNDS + 1):
        if not fresh:
            urgent, missing, candidates, picture = look(states)
            fresh = True
        effects = picture.effects
        spread = (weights[:, None] * effects[count:].square()).sum(0)
        wishes = Wishes(
            wanted=effects[:count],
            lifts=missing.clamp(max=lift).to(device),
            urgent=urgent.to(device),
            anchors=effects[count:],
            pulls=(began - picture.leads)[count:].to(device),
            weights=weights,
            cost=spread if len(weights) else profile[candidates].square(),
        )
        flips = candidates[choose_flips(wishes, subnetwork.kept[candidates], FLIPS)]
        subnetwork.flip(flips)
        ahead = ahead_of_others()
        if bool((ahead >= floors).all()):
            return Repaired(True, number, before)
        if float(_short(ahead, floors)) < float(_short(now, floors)):
            now, fresh, lift = ahead, False, min(LIFT, 2 * lift)
        else:
            subnetwork.flip(flips)
            lift /= 2
    return Repaired(bool(now[0] >= MARGIN), ROUNDS, before)


def _half(
    subnetwork: Subnetwork, encoded: Sequence[Encoded], states: torch.Tensor, candidates: torch.Tensor
) -> bool:
    """Whether bfloat16 pays on this machine: found out once per network, by the clock."""
    network = subnetwork.network
    if subnetwork.total < SMALL or subnetwork.theta.device.type != "cpu":
        return False
    if network not in _HALF:
        few, own = encoded[:FEW], states[:FEW]
        _HALF[network] = half_pays(lambda half: Linearised.of(subnetwork, few, own, candidates, half))
    return _HALF[network]


def _short(ahead: torch.Tensor, floors: torch.Tensor) -> torch.Tensor:
    """Logits missing to the floors, all together."""
    return (floors - ahead).clamp(min=0).sum()


def _candidates(
    subnetwork: Subnetwork,
    rule: Rule,
    encoded: Sequence[Encoded],
    states: torch.Tensor,
    urgent: torch.Tensor,
    lifts: torch.Tensor,
    profile: torch.Tensor,
) -> torch.Tensor:
    """The best bits by ``rule`` for the urgent reviews together: sorted indices (n,)."""
    rows, device = urgent.nonzero().flatten().tolist(), subnetwork.theta.device
    batch = batch_of(subnetwork.model, [encoded[i] for i in rows])
    wanted, force = states[rows].to(device), lifts[rows, None].to(device)

    def loss(readings: torch.Tensor) -> torch.Tensor:
        logits = subnetwork.logits(readings)
        return -(logits * directions(logits.detach(), wanted) * force).sum()

    kept = subnetwork.kept
    inputs = RuleInputs(subnetwork.gradient(batch, loss)[0], kept, profile, torch.Generator())
    scores = rule.scores(inputs)
    return torch.cat(highest_of_both(scores, kept, CANDIDATES)).sort().values
