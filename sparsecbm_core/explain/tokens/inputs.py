"""What every token method gets: one text, read by all K subnetworks in one batched call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.models.subnetworks import EffectiveWeights, active


@dataclass(frozen=True)
class TokenInputs:
    """One text of T tokens with G words, and the state of each of K concepts to explain.

    ``concepts`` (K,) are the model's, all of them or some, and ``weights`` the subnetworks of these alone.
    ``input_ids`` (T,); ``embeds`` (K, T, E), row k read by subnetwork k; ``logits`` (K, C), with
    the graph to ``embeds`` where the method asks for it; ``states`` (K,) int64. ``groups`` holds
    the token positions of each word; positions in no group (special tokens, white space) are
    never scored. ``on_rows`` is told of rows read, as they are.
    """

    network: SparseCBM
    weights: EffectiveWeights | None
    concepts: tuple[int, ...]
    input_ids: torch.Tensor
    embeds: torch.Tensor
    logits: torch.Tensor
    states: torch.Tensor
    groups: Sequence[Sequence[int]]
    pad_id: int
    steps: int
    on_rows: Callable[[int], None]

    def each(self) -> Iterator[TokenInputs]:
        """The same for every concept by itself."""
        if len(self.concepts) == 1:
            yield self
            return
        names = self.network.space.concepts
        for row, concept in enumerate(self.concepts):
            yield replace(
                self,
                weights=None if self.weights is None else self.weights.only(names[concept]),
                concepts=(concept,),
                embeds=self.embeds[row : row + 1],
                logits=self.logits[row : row + 1],
                states=self.states[row : row + 1],
            )

    def leads(self, logits: torch.Tensor) -> torch.Tensor:
        """How far each state stands above the mean of the others: (…, C) → (…, C).

        λ[c] = ℓ[c] − mean over c' ≠ c of ℓ[c']. Softmax does not see a shift of all states together, so
        training leaves ℓ[c] alone free to rise with words that favour another state even more;
        λ[c] has no such freedom.
        """
        states = logits.shape[-1]
        return (logits - logits.mean(-1, keepdim=True)) * (states / max(1, states - 1))

    def row_leads(self, embeds: torch.Tensor) -> torch.Tensor:
        """`leads` (R, C) of R = N·K unpadded rows (R, T, E), concept fastest."""
        return self.leads(self.row_logits(embeds))

    def row_logits(self, embeds: torch.Tensor) -> torch.Tensor:
        """Concept logits (R, C) of R = N·K unpadded rows (R, T, E), concept fastest."""
        mask = torch.ones(embeds.shape[:2], dtype=torch.long, device=embeds.device)
        logits = self.network.row_logits(embeds, mask, self.weights, self.concepts)
        self.on_rows(len(embeds))
        return logits

    def batch_logits(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Concept logits (N, K, C) of N other texts (N, T'), which all concepts read in one pass where there
        are no subnetworks."""
        k, device = len(self.concepts), self.input_ids.device
        embeds, mask = self.network.embed(ids.to(device)), mask.to(device)
        if self.weights is None:
            with active(None):
                pooled = self.network.pooled(embeds, mask).expand(k, -1, -1)  # (K, N, E)
            logits = self.network.project(pooled, self.concepts)[..., : self.logits.shape[-1]]
        else:
            embeds, mask = embeds.repeat_interleave(k, 0), mask.repeat_interleave(k, 0)  # concept fastest
            rows = self.network.row_logits(embeds, mask, self.weights, self.concepts)
            logits = rows.unflatten(0, (-1, k))
        self.on_rows(len(ids) * k)
        return logits

    def selected(self, logits: torch.Tensor) -> torch.Tensor:
        """The value of each concept's explained state: (K, C) → (K,)."""
        return logits.gather(1, self.states[:, None]).squeeze(1)

    def gradients(self, values: torch.Tensor) -> torch.Tensor:
        """∂ values[k, c_k] / ∂ embedding, (K, T, E): rows do not mix, so one backward pass gives all K."""
        (gradient,) = torch.autograd.grad(self.selected(values).sum(), self.embeds)
        return gradient

    def word_sums(self, token_scores: torch.Tensor) -> torch.Tensor:
        """Sum over the tokens of each word: (K, T) → (K, G) float64 on the CPU."""
        member = torch.zeros(token_scores.shape[1], len(self.groups), dtype=torch.float64)  # (T, G)
        for word, positions in enumerate(self.groups):
            member[list(positions), word] = 1.0
        return token_scores.detach().cpu().double() @ member
