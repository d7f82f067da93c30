"""Which bits to flip when many reviews have a say: what each flip would do to every one of them, to first
order, and of that a small integer problem, descended exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
import torch.nn.functional as F

from sparsecbm_core.data.batches import Encoded
from sparsecbm_core.intervene.reading import batch_of, batches_of, leads
from sparsecbm_core.intervene.subnetwork import Subnetwork
from sparsecbm_core.models.parallel import side_by_side
from sparsecbm_core.models.subnetworks import EffectiveWeights, RowWeights, active

OWN = -1  # in place of a state: the one a review is read as
SHRINKAGE = 0.2  # of the anchors' movements towards their diagonal: they are few, other reviews are many
FLOOR = 0.1  # of the mean cost: no flip is free
SLACK = 0.25  # logits by which a review may be lifted beyond what is asked for
ENOUGH = 0.02  # logits that may be missing: one reading decides in the end
STEPS, BLOCK = 800, 16
HARDER = 1.25  # how the wishes' weight grows when no flip pays any more


def directions(logits: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """∂lead/∂logits (N, C): +1 at the state, −1 at the best other one."""
    other = leads(logits, states)[1]
    count = logits.shape[1]
    return (F.one_hot(states, count) - F.one_hot(other, count)).to(logits.dtype)


@dataclass(frozen=True)
class Linearised:
    """N reviews read by one subnetwork, and how their leads would move with each of n flips.

    ``states`` (N,) are those the leads are of, ``leads`` (N,) how far they are ahead, ``effects`` (N, n) what
    each flip would add. For review n and weight (o, i) of a matrix ∂lead/∂θ_eff = Σ_t δ[n, t, o]·x[n, t, i],
    with the layer's input x and δ = ∂lead/∂output: one backward pass to the outputs of the layers gives every
    review's own derivative, without a gradient of the size of the weights. x and δ are of one batch at a
    time: those of all reviews together would take ten times the memory of the model.
    """

    states: torch.Tensor
    leads: torch.Tensor
    effects: torch.Tensor

    @classmethod
    def of(
        cls,
        subnetwork: Subnetwork,
        encoded: Sequence[Encoded],
        states: torch.Tensor,
        indices: torch.Tensor,
        half: bool = False,
    ) -> Linearised:
        """Read ``encoded`` reviews, for flips at sorted ``indices`` (n,); ``states`` (N,) may be `OWN`.

        With ``half`` the matrix products are in bfloat16, which is close enough to choose by.
        """
        model, network = subnetwork.model, subnetwork.network
        states, ahead = states.clone(), torch.empty(len(encoded))
        added = torch.zeros(len(encoded), len(indices), device=indices.device)
        places, weights = _places(subnetwork, indices), subnetwork.weights()
        if half:
            weights = weights.to(torch.bfloat16)

        def one(rows: list[int]) -> None:
            ids, mask = batch_of(model, [encoded[i] for i in rows])
            layers = {name: _Recorded(matrix) for name, matrix in weights.matrices.items()}
            with torch.inference_mode(False), torch.enable_grad():
                embeds = network.embed(ids).detach().requires_grad_()
                precision = torch.autocast(
                    model.device.type, torch.bfloat16, enabled=half, cache_enabled=False
                )
                with active(EffectiveWeights((subnetwork.concept,), layers)), precision:
                    pooled = network.pooled(embeds, mask)
                logits = subnetwork.logits(subnetwork.project(pooled.float()))
                said = logits.detach()
                own = torch.where(states[rows] == OWN, said.argmax(-1).cpu(), states[rows])
                chosen = directions(said, own.to(said.device))
                uses = [(name, *use) for name, layer in layers.items() for use in layer.uses]
                outputs = [output for _, _, output in uses]
                pulls = torch.autograd.grad((logits * chosen).sum(), outputs)
            states[rows], ahead[rows] = own, (said * chosen).sum(-1).cpu()
            for pull, (name, read, _) in zip(pulls, uses, strict=True):
                part, o, i = places[name]
                reads, writes = read.flatten(0, -2), pull.flatten(0, -2)  # (B·T, I) and (B·T, O)
                both = reads.index_select(1, i) * writes.index_select(1, o)  # (B·T, n)
                added[rows, part] += both.unflatten(0, (len(rows), -1)).sum(1).float()

        batches = batches_of(encoded)
        if network.one_by_one:  # what is read of no single review would be of all in a batch
            batches = [[row] for batch in batches for row in batch]
        side_by_side(one, batches, model.device)
        sign = torch.where(subnetwork.kept[indices], -1.0, 1.0)
        return cls(states, ahead, added * (sign * subnetwork.theta[indices]))


def _places(
    subnetwork: Subnetwork, indices: torch.Tensor
) -> dict[str, tuple[slice, torch.Tensor, torch.Tensor]]:
    """Which of the sorted ``indices`` are in a matrix, and in which of its rows and columns."""
    places = {}
    starts = accumulate(subnetwork.sizes, initial=0)
    for (name, (outputs, inputs)), start in zip(subnetwork.shapes.items(), starts, strict=False):
        ends = torch.tensor([start, start + outputs * inputs], device=indices.device)
        low, high = torch.searchsorted(indices, ends).tolist()
        local = indices[low:high] - start
        places[name] = slice(low, high), local // inputs, local % inputs
    return places


class _Recorded:
    """One matrix of one concept that remembers what went in and what came out, each time it was used:
    ALBERT's once a layer, DeBERTa's also for distances between tokens."""

    def __init__(self, weights: RowWeights) -> None:
        self.weights = weights
        self.uses: list[tuple[torch.Tensor, torch.Tensor]] = []

    def linear(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        outputs = self.weights.linear(x, bias)
        if not outputs.requires_grad:  # made of no review's embeddings
            outputs.requires_grad_()
        self.uses.append((x.detach(), outputs))
        return outputs

    def with_replaced(self, k: int, weight: torch.Tensor) -> _Recorded:
        return _Recorded(self.weights.with_replaced(k, weight))

    def only(self, k: int) -> _Recorded:
        return self


@dataclass(frozen=True)
class Wishes:
    """What n candidate flips would add to the leads of reviews, and what is wanted of the leads.

    ``wanted`` (R, n) and ``lifts`` (R,): the lead of review r must rise by its lift, or may fall by it where
    it is negative; an ``urgent`` (R,) one is to be lifted hardly further. ``anchors`` (S, n) are to move
    by ``pulls`` (S,), no more and no less, each as important as its ``weights`` (S,), which sum to 1.
    ``cost`` (n,) is what a flip does to reviews in general, as a square.
    """

    wanted: torch.Tensor
    lifts: torch.Tensor
    urgent: torch.Tensor
    anchors: torch.Tensor
    pulls: torch.Tensor
    weights: torch.Tensor
    cost: torch.Tensor


@dataclass(frozen=True)
class _State:
    """Flips chosen so far (n,) and what they add: (R,) and (S,)."""

    chosen: torch.Tensor
    lifted: torch.Tensor
    moved: torch.Tensor


def choose_flips(wishes: Wishes, kept: torch.Tensor, limit: int) -> torch.Tensor:
    """Candidates to flip (n,) bool, as many dropped as grown, about ``limit`` at most; ``kept`` (n,).

    Descends, with u = wanted·x and v = anchors·x over x ∈ {0, 1}ⁿ,

        β/2 Σ_r short_r² + (1−ρ)/2 Σ_s w_s (v_s − pull_s)² + Σ_j (ρ/2·cost_j + floor) x_j

    by blocks of pairs (one bit dropped, one grown), taken back where that pays, each block checked
    before it is taken. β begins where the best flip just pays and grows when nothing does, so that
    wishes are met at the least harm there is to others.
    """
    spread = (wishes.weights[:, None] * wishes.anchors.square()).sum(0)  # (n,)
    fixed = 0.5 * (SHRINKAGE * wishes.cost + FLOOR * wishes.cost.mean())
    curve = 0.5 * (1 - SHRINKAGE) * spread
    price, square = (fixed + curve).clamp(min=1e-30), wishes.wanted.square()
    state = _State(torch.zeros_like(kept), torch.zeros_like(wishes.lifts), torch.zeros_like(wishes.pulls))
    first = (_push(wishes, state.lifted) @ wishes.wanted / price).max()
    beta = 1.0 / float(first.clamp(min=1e-30))
    for _ in range(STEPS):
        if float((wishes.lifts - state.lifted).max()) <= ENOUGH or int(state.chosen.sum()) >= limit:
            break
        push = _push(wishes, state.lifted)
        use = beta * (push @ wishes.wanted)
        bend = beta * ((push != 0).to(square) @ square)  # both bits of a pair lift the same reviews
        steer = (1 - SHRINKAGE) * wishes.weights * (wishes.pulls - state.moved)
        use = use + steer @ wishes.anchors - fixed
        gain = torch.where(state.chosen, -use, use) - curve - bend
        taken = _block(wishes, state, gain, kept ^ state.chosen, beta, fixed)
        if taken is None:
            beta *= HARDER
        else:
            state = taken
    return state.chosen


def _push(wishes: Wishes, lifted: torch.Tensor) -> torch.Tensor:
    """How far each wish is from being met: positive where short, negative where overdone (R,)."""
    missing = wishes.lifts - lifted
    over = (-missing - SLACK).clamp(min=0) * wishes.urgent
    return missing.clamp(min=0) - over


def _block(
    wishes: Wishes,
    state: _State,
    gain: torch.Tensor,
    now: torch.Tensor,
    beta: float,
    fixed: torch.Tensor,
) -> _State | None:
    """The best pairs that improve the objective taken together; None if not even one does. ``now`` (n,)
    are the bits as they stand."""
    size = min(BLOCK, 2 + int(state.chosen.sum()) // 30, int(now.sum()), int((~now).sum()))
    if size < 1:
        return None
    drop = torch.where(now, gain, -torch.inf).topk(size)
    grow = torch.where(now, -torch.inf, gain).topk(size)
    pairs = int((drop.values + grow.values > 0).sum())
    while pairs >= 1:
        flips = torch.cat([drop.indices[:pairs], grow.indices[:pairs]])
        sign = torch.where(state.chosen[flips], -1.0, 1.0)
        after = replace(
            state,
            lifted=state.lifted + wishes.wanted[:, flips] @ sign,
            moved=state.moved + wishes.anchors[:, flips] @ sign,
        )
        change = _others(wishes, beta, after) - _others(wishes, beta, state) + (fixed[flips] * sign).sum()
        if float(change) < 0:
            chosen = state.chosen.clone()
            chosen[flips] = ~chosen[flips]
            return replace(after, chosen=chosen)
        pairs //= 2
    return None


def _others(wishes: Wishes, beta: float, state: _State) -> torch.Tensor:
    """The objective without the cost of the flips themselves."""
    apart = (wishes.weights * (state.moved - wishes.pulls).square()).sum()
    return 0.5 * (beta * _push(wishes, state.lifted).square().sum() + (1 - SHRINKAGE) * apart)
