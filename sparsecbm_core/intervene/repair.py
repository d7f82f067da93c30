"""Correct one reading and keep others: choose flips by their effect on all, read, repair what broke."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch

from sparsecbm_core.data.batches import collate
from sparsecbm_core.intervene.case import MARGIN
from sparsecbm_core.intervene.choose import Wishes, choose_flips
from sparsecbm_core.intervene.effects import OWN, Linearised, directions, leads, read
from sparsecbm_core.intervene.order import highest_of_both
from sparsecbm_core.intervene.rules import Rule, RuleInputs
from sparsecbm_core.intervene.subnetwork import Subnetwork

if TYPE_CHECKING:
    from sparsecbm_core.data.batches import Encoded
    from sparsecbm_core.intervene.protect import Protected
    from sparsecbm_core.models.sparse_cbm import SparseCBM

ROUNDS = 12
CANDIDATES = 3000  # weights to drop, and as many to grow, among which flips are chosen
FLIPS = 1200  # in one round at most
HOLD = 0.05  # by which an earlier correction keeps leading
LIFT = 2.0  # logits wanted of one round: further off the linear picture does not hold
SPARE = 0.2  # logits asked for beyond what is needed
SCALE = 2.0  # logits from the boundary at which an anchor counts half
SMALL = 1_000_000  # weights: a network of fewer is quick anyway
SAMPLE, GAIN = 4, 0.75  # reviews that tell the speed; the share of the exact time that pays

_HALF: WeakKeyDictionary[SparseCBM, bool] = WeakKeyDictionary()


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
        said = read(subnetwork, self.encoded)
        states = torch.where(self.states == OWN, said.argmax(-1), self.states)
        return Before(states, leads(said, states)[0])


@dataclass(frozen=True)
class Before:
    """The states (N,) of the held reviews, and by how much they led before a correction."""

    states: torch.Tensor
    leads: torch.Tensor

    def broken(self, subnetwork: Subnetwork, held: Held) -> int:
        """How many that led by `HOLD` or more are read otherwise now."""
        said = read(subnetwork, held.encoded).argmax(-1)
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
    held: Held,
    profile: torch.Tensor,
) -> Repaired:
    """Flip bits until ``text`` leads in state ``target`` by `MARGIN`, and earlier corrections by `HOLD`.

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
    now = leads(read(subnetwork, encoded[:count]), states[:count])[0]  # (R,), exact

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
        ahead = leads(read(subnetwork, encoded[:count]), states[:count])[0]
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
        seconds = {True: float("inf"), False: float("inf")}
        for half in (True, False) * 2:
            started = time.thread_time()  # other work on the machine does not count
            Linearised.of(subnetwork, encoded[:SAMPLE], states[:SAMPLE], candidates, half)
            seconds[half] = min(seconds[half], time.thread_time() - started)
        _HALF[network] = seconds[True] < GAIN * seconds[False]
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
    rows = urgent.nonzero().flatten().tolist()
    model = subnetwork.model
    tokens = collate([encoded[i] for i in rows], int(model.tokenizer.pad_token_id))
    batch = tokens.input_ids.to(model.device), tokens.attention_mask.to(model.device)
    wanted, force = states[rows].to(model.device), lifts[rows, None].to(model.device)

    def loss(logits: torch.Tensor) -> torch.Tensor:
        return -(logits * directions(logits.detach(), wanted) * force).sum()

    kept = subnetwork.kept
    inputs = RuleInputs(subnetwork.gradient(batch, loss)[0], kept, profile, torch.Generator())
    scores = rule.scores(inputs)
    return torch.cat(highest_of_both(scores, kept, CANDIDATES)).sort().values
