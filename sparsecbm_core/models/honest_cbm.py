"""The honest bottleneck: a concept moves the label only through the state it is read as."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from sparsecbm_core.concepts import REST
from sparsecbm_core.config import HONEST
from sparsecbm_core.errors import SettingsError
from sparsecbm_core.models.sparse_cbm import SparseCBM

if TYPE_CHECKING:
    from sparsecbm_core.typing import Activations, Readings


LEAST_STRENGTH = 0.25


class HonestCBM(SparseCBM):
    """ŷ = Σ_k φ_k · a_k + b over K concepts and the rest of the text; a concept not mentioned adds exactly 0.

    The idea: σ(ℓ_k) of Eq. 3 is never 0, so that a free linear head reads the label off the shades of
    concepts which the text does not mention. Here, with p_k = softmax(ℓ_k), every state c but "unknown" has
    a_{k,c} = g_{k,c} · relu(p_{k,c} − max_{c'≠c} p_{k,c'}): its lead over the other states, zero unless
    the concept is read as c, times a strength g_{k,c} = ¼ + ¾ σ(v_{k,c} · z_k) from the same subnetwork, so
    that whoever sets a concept sees the label move. "unknown" has none, and the text that says nothing is the
    reference of all contributions.

    Where labels are ordered (`ConceptSpace.label_values`) the concepts have one score
    μ = Σ_k Σ_c φ_{k,c} a_{k,c}, with φ ≥ 0 for Positive and ≤ 0 for Negative, which adds w_y μ to label y's
    logit with rising w: a larger μ moves all probability towards better labels, whatever the other parts say
    (the stereotype model, Anderson 1984). So φ_k[y, c] = w_y φ_{k,c}, and Eq. 3's sum stays. Unordered labels
    have a free φ (Y, K, C).

    What no concept carries (general praise, price, "we will be back") is a part of its own, "rest", read by
    the subnetwork K + 1: tanh of one value a label, so that it can say as well how sure the answer is.
    """

    head = HONEST

    def _add_head(self, width: int) -> None:
        space = self.space
        if REST in space.concepts:
            raise SettingsError(f"a concept cannot be called {REST!r}: what no concept carries has that name")
        k, a, y = space.num_concepts, len(space.spoken), space.num_labels
        self.strength = nn.Parameter(torch.empty(k, a, width))
        self.strength_bias = nn.Parameter(torch.zeros(k, a))
        self.rest_projector = nn.Parameter(torch.empty(y, width))
        self.rest_projector_bias = nn.Parameter(torch.zeros(y))
        nn.init.normal_(self.strength, std=0.5 * width**-0.5)
        nn.init.normal_(self.rest_projector, std=0.2 * width**-0.5)
        self.classifier_weight = nn.Parameter(torch.full((k, a) if self.ordered else (y, k, a), 1.5))
        self.classifier_rest = nn.Parameter(torch.tensor(1.0))
        self.classifier_steps = nn.Parameter(torch.full((y - 1,), 0.5)) if self.ordered else None
        self.classifier_bias = nn.Parameter(torch.zeros(y))
        signed = self.ordered & (torch.tensor([space.signs[c] for c in space.spoken]) != 0)
        if not bool(signed.all()):
            with torch.no_grad():
                free = self.classifier_weight[..., ~signed]
                self.classifier_weight[..., ~signed] = nn.init.normal_(free.clone(), std=(k * a) ** -0.5)

    @property
    def ordered(self) -> bool:
        """Whether all concepts add to one score of an ordered answer."""
        return self.space.label_values is not None

    @property
    def parts(self) -> tuple[str, ...]:
        return (*self.space.concepts, REST)

    @property
    def readout(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Of a concept ℓ_k, then its strengths before σ; of the rest its value for each label."""
        pairs = (
            (torch.cat([self.projector, self.strength], 1), self.rest_projector[None]),
            (torch.cat([self.projector_bias, self.strength_bias], 1), self.rest_projector_bias[None]),
        )
        weight, bias = (_stacked(concepts, rest) for concepts, rest in pairs)
        return weight, bias

    @property
    def reference(self) -> Activations:
        """Of a text that says nothing: zeros."""
        space = self.space
        return self.classifier_bias.new_zeros(len(self.parts), max(space.num_states, space.num_labels))

    @property
    def steps(self) -> torch.Tensor:
        """w (Y,): how much of the score an ordered label's logit takes; rising, with mean 0."""
        if self.classifier_steps is None:
            raise SettingsError("labels without an order have no steps")
        rising = F.pad(F.softplus(self.classifier_steps).cumsum(0), (1, 0))
        return rising - rising.mean()

    @property
    def scores(self) -> torch.Tensor:
        """φ_{k,c} (K, spoken C): what an activation of 1 adds to the score of an ordered answer."""
        signs = self.classifier_weight.new_tensor([self.space.signs[c] for c in self.space.spoken])
        return torch.where(signs == 0, self.classifier_weight, signs * F.softplus(self.classifier_weight))

    @property
    def phi(self) -> torch.Tensor:
        """φ (Y, P, A) of Eq. 3."""
        labels, spoken = self.space.num_labels, list(self.space.spoken)
        concepts = self.steps[:, None, None] * self.scores if self.ordered else self.classifier_weight
        phi = self.reference.expand(labels, -1, -1).clone()
        phi[:, :-1, spoken] = concepts
        phi[:, -1, :labels] = torch.eye(labels, device=phi.device) * F.softplus(self.classifier_rest)
        return phi

    def divide_labels(self, temperature: float) -> None:
        with torch.no_grad():
            self.classifier_bias.div_(temperature)
            if self.classifier_steps is None:
                self.classifier_weight.div_(temperature)
            for positive in (self.classifier_steps, self.classifier_rest):
                if positive is not None:
                    positive.copy_(_before_softplus(F.softplus(positive) / temperature))

    def strengths(self, readings: Readings) -> torch.Tensor:
        """g (…, K, C), 0 for "unknown", from the readings (…, P, R)."""
        spoken, states = list(self.space.spoken), self.space.num_states
        strengths = readings.new_zeros(*readings.shape[:-2], self.space.num_concepts, states)
        read = readings[..., :-1, states : states + len(spoken)].sigmoid()
        strengths[..., spoken] = LEAST_STRENGTH + (1 - LEAST_STRENGTH) * read
        return strengths

    def leads(self, readings: Readings) -> torch.Tensor:
        """relu(p_{k,c} − max_{c'≠c} p_{k,c'}), (…, K, C), from the readings (…, P, R)."""
        shares = self.concept_logits(readings).softmax(-1)
        first = shares.topk(2, -1).values  # (…, K, 2)
        best_other = torch.where(shares == first[..., :1], first[..., 1:], first[..., :1])
        return F.relu(shares - best_other)

    def activate(self, readings: Readings, task_on_states: float = 1.0) -> Activations:
        """a_k (…, P, A) from the readings (…, P, R); ``task_on_states`` is the share of their gradient that
        reaches what a concept is read as."""
        activations = readings.new_zeros(*readings.shape[:-1], self.reference.shape[-1])
        leads = self.leads(readings)
        leads = torch.lerp(leads.detach(), leads, task_on_states)
        activations[..., :-1, : self.space.num_states] = leads * self.strengths(readings)
        own = len(self.rest_projector)
        activations[..., -1, :own] = readings[..., -1, :own].tanh()
        return activations


def _before_softplus(values: torch.Tensor) -> torch.Tensor:
    return values.double().expm1().log().to(values.dtype)


def _stacked(concepts: torch.Tensor, rest: torch.Tensor) -> torch.Tensor:
    """(K, R, …) over (1, S, …), the narrower one filled up with zeros."""
    width = max(concepts.shape[1], rest.shape[1])

    def filled(values: torch.Tensor) -> torch.Tensor:
        missing = values.new_zeros(values.shape[0], width - values.shape[1], *values.shape[2:])
        return torch.cat([values, missing], 1)

    return torch.cat([filled(concepts), filled(rest)])
