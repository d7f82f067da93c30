"""The concept bottleneck over an encoder, with one subnetwork per concept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.config import PAPER
from sparsecbm_core.errors import InputError, one_of
from sparsecbm_core.models.attention import fused_when_long
from sparsecbm_core.models.backbone import mask_linears, matrix_infos
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.roles import MatrixInfo
from sparsecbm_core.models.subnetworks import EffectiveWeights, active, active_weights, effective_weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from sparsecbm_core.typing import (
        Activations,
        ConceptLogits,
        Embeddings,
        LabelLogits,
        PaddingMask,
        Readings,
        TokenIds,
    )

CERTAIN = 1e4  # a logit so far ahead that its softmax, and its sigmoid, are exactly 1 in float32


@dataclass(frozen=True)
class CBMOutput:
    """``concept_logits`` (B, K, C), ``activations`` (B, P, A), ``label_logits`` (B, Y).

    ``readings`` (B, P, R) are all that was read off the texts, concept logits among them, and ``pooled``
    (P, B, E) is what off: z_k, where the encoder was run.
    """

    concept_logits: ConceptLogits
    activations: Activations
    label_logits: LabelLogits
    readings: Readings
    pooled: torch.Tensor | None = None


class SparseCBM(nn.Module):
    """SparseCBM (Tan et al., AAAI 2024, Eq. 3): ŷ = Σ_k φ_k a_k + b, with a_k = σ(ψ_k · f_{M_k⊙θ}(x) + b_k).

    The idea: a linear classifier over concept activations, each computed by the concept's own
    sparse subnetwork of one shared encoder. ``projector`` is ψ (K, C, E), ``classifier`` is
    φ (Y, K, C). Masks are not part of the module: pass `EffectiveWeights` (see `weights_for`)
    to a call; without, every concept is read from the dense encoder, which is the plain CBM.

    This is the paper's head. Another one may have a further part beside the K concepts, P ``parts`` in all
    with a subnetwork each, may read R values off each, and makes A activations of them: here P = K,
    R = A = C.

    Mean pooling runs over non-padding tokens only, so logits do not depend on padding.
    """

    encoder: PreTrainedModel
    mean_activations: torch.Tensor
    head = PAPER

    def __init__(self, encoder: PreTrainedModel, space: ConceptSpace) -> None:
        super().__init__()
        self.encoder = encoder
        self.space = space
        self.masked_layers = mask_linears(encoder)
        # DeBERTa's matrices also read distances between tokens, which are rows of no concept
        self.one_by_one = bool(getattr(encoder.config, "relative_attention", False))
        width = embedding_width(encoder)
        self.projector = nn.Parameter(torch.empty(space.num_concepts, space.num_states, width))
        self.projector_bias = nn.Parameter(torch.zeros(space.num_concepts, space.num_states))
        nn.init.normal_(self.projector, std=width**-0.5)
        self._add_head(width)

    def _add_head(self, width: int) -> None:
        """What stands between the concept logits and the label: parameters and buffers."""
        k, c, y = self.space.num_concepts, self.space.num_states, self.space.num_labels
        self.classifier = nn.Parameter(torch.empty(y, k, c))
        self.classifier_bias = nn.Parameter(torch.zeros(y))
        nn.init.normal_(self.classifier, std=(k * c) ** -0.5)
        # ā_k (K, C): mean activations over the training data; the label logits' reference point
        self.register_buffer("mean_activations", torch.full((k, c), 0.5))

    @property
    def parts(self) -> tuple[str, ...]:
        """What has a subnetwork and a contribution to the label: the concepts first."""
        return self.space.concepts

    def part_index(self, name: str) -> int:
        """`InputError` for a name that is none of the `parts`."""
        if name not in self.parts:
            raise InputError(one_of(name, self.parts, "concept"))
        return self.parts.index(name)

    @property
    def readout(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What is read off every part's vector: weights (P, R, E) and biases (P, R)."""
        return self.projector, self.projector_bias

    @property
    def phi(self) -> torch.Tensor:
        """φ (Y, P, A)."""
        return self.classifier

    @property
    def reference(self) -> Activations:
        """Activations (P, A) of the text that contributions are measured against: the average one, ā."""
        return self.mean_activations

    @property
    def matrices(self) -> tuple[MatrixInfo, ...]:
        """The prunable matrices in layer order."""
        return matrix_infos(self.encoder, self.masked_layers)

    @property
    def mask_shapes(self) -> dict[str, tuple[int, int]]:
        return {info.name: info.shape for info in self.matrices}

    @property
    def prunable_weights(self) -> int:
        """L: the linear weights inside the encoder's layers."""
        return sum(info.size for info in self.matrices)

    def weights_for(self, masks: MaskSet) -> EffectiveWeights:
        """M_k ⊙ θ for inference; make it once per mask set. No graph is kept.

        Never inference tensors, whatever mode the caller is in: what is shared with a gradient method
        has to be differentiated through.
        """
        with torch.inference_mode(False), torch.no_grad():
            return effective_weights(self.masked_layers, masks)

    def embed(self, input_ids: TokenIds) -> Embeddings:
        """Token embeddings (B, T, E) before positions are added."""
        return self.encoder.get_input_embeddings()(input_ids)

    def forward(
        self,
        input_ids: TokenIds,
        attention_mask: PaddingMask,
        weights: EffectiveWeights | None = None,
    ) -> CBMOutput:
        """Concepts and label of B texts, each part through its own subnetwork."""
        embeds, k = self.embed(input_ids), len(self.parts)
        if weights is None:
            with active(None):
                pooled = self.pooled(embeds, attention_mask)
            by_part = pooled.expand(k, *pooled.shape)  # (P, B, E), one encoder pass
        else:
            rows = embeds.expand(k, *embeds.shape).flatten(0, 1)  # (P·B, T, E), part slowest
            with active(weights):
                pooled = self.pooled(rows, attention_mask.repeat(k, 1))
            by_part = pooled.unflatten(0, (k, -1))  # (P, B, E)
        return replace(self.bottleneck(self.project(by_part)), pooled=by_part)

    def row_readings(
        self,
        embeds: Embeddings,
        attention_mask: PaddingMask,
        weights: EffectiveWeights | None,
        parts: Sequence[int] | None = None,
    ) -> torch.Tensor:
        """Readings (N·P, R) from embeddings (N·P, T, E) of as many rows, part fastest.

        Row r is read by the subnetwork of part r mod P: the order that survives Captum's expansion of a
        batch, and so the entry point of gradient methods. ``parts`` and ``weights`` are all, or of some.
        """
        k = len(self.parts) if parts is None else len(parts)
        by_part = embeds.unflatten(0, (-1, k)).transpose(0, 1)  # (P, N, T, E)
        mask = attention_mask.unflatten(0, (-1, k)).transpose(0, 1).flatten(0, 1)  # (P·N, T)
        with active(weights), fused_when_long():
            pooled = self.pooled(by_part.flatten(0, 1), mask)
        return self.project(pooled.unflatten(0, (k, -1)), parts).flatten(0, 1)  # (N, P, R) → (N·P, R)

    def row_logits(
        self,
        embeds: Embeddings,
        attention_mask: PaddingMask,
        weights: EffectiveWeights | None,
        concepts: Sequence[int] | None = None,
    ) -> torch.Tensor:
        """Concept logits (N·K, C) of `row_readings` of K concepts, all or some; ``weights`` may hold more."""
        chosen = range(self.space.num_concepts) if concepts is None else concepts
        if weights is not None and len(weights.concepts) > len(chosen):
            weights = weights.first(len(chosen))
        return self.row_readings(embeds, attention_mask, weights, chosen)[:, : self.space.num_states]

    def project(self, pooled: torch.Tensor, parts: Sequence[int] | None = None) -> Readings:
        """ℓ_k = ψ_k z_k + b_k and whatever else is read: (P, B, E) → (B, P, R), of all parts or of some."""
        weight, bias = self.readout
        if parts is not None:
            weight, bias = weight[list(parts)], bias[list(parts)]
        return torch.einsum("pbe,pre->bpr", pooled, weight) + bias

    def project_swapped(self, pooled: torch.Tensor) -> torch.Tensor:
        """Every concept read off every subnetwork: [j, b, k] = ψ_k z_j + b_k, (P, B, E) → (P, B, K, C)."""
        return torch.einsum("jbe,kce->jbkc", pooled, self.projector) + self.projector_bias

    def concept_logits(self, readings: Readings) -> ConceptLogits:
        """ℓ (…, K, C) among the readings (…, P, R)."""
        return readings[..., : self.space.num_concepts, : self.space.num_states]

    def answers(self, part: int) -> tuple[str, ...]:
        """What can be said of a part: the states of a concept, of the rest of the text the labels."""
        return self.space.states if part < self.space.num_concepts else self.space.labels

    def part_logits(self, readings: Readings, part: int) -> torch.Tensor:
        """Logits of the `answers` of a part, from readings (B, P, R): of a concept ℓ_k (B, C), of the rest
        the label's (B, Y), which it makes with all others."""
        if part < self.space.num_concepts:
            return self.concept_logits(readings)[:, part]
        return self.label_logits(self.activate(readings))

    def stated(self, readings: Readings, concept: int, states: torch.Tensor | int) -> Readings:
        """The readings (…, P, R) of texts whose ``concept`` is certainly in these states (…): the oracle."""
        said, count = readings.clone(), self.space.num_states
        hot = F.one_hot(torch.as_tensor(states, device=said.device), count).to(said.dtype)
        said[..., concept, :count] = (2 * hot - 1) * CERTAIN
        return said

    def bottleneck(self, readings: Readings) -> CBMOutput:
        """Activations, then the linear head over all parts: from (B, P, R)."""
        activations = self.activate(readings)
        return CBMOutput(self.concept_logits(readings), activations, self.label_logits(activations), readings)

    def activate(self, readings: Readings) -> Activations:
        """a_k = σ(ℓ_k): (…, P, R) → (…, P, A)."""
        return torch.sigmoid(readings)

    def strengths(self, readings: Readings) -> torch.Tensor:
        """What a state's activation is where the concept is certainly in it: (…, P, R) → (…, K, C)."""
        return torch.ones_like(self.concept_logits(readings))

    def label_logits(self, activations: Activations) -> LabelLogits:
        """Σ_k φ_k a_k + b: (…, P, A) → (…, Y)."""
        return torch.einsum("...pa,ypa->...y", activations, self.phi) + self.classifier_bias

    def contributions(self, activations: Activations) -> torch.Tensor:
        """φ_k a_k: (…, P, A) → (…, P, Y); over all parts, plus the bias, the label logits."""
        return torch.einsum("...pa,ypa->...py", activations, self.phi)

    def divide_labels(self, temperature: float) -> None:
        """Divide all label logits by ``temperature``, in place: contributions, bias and so their sum."""
        with torch.no_grad():
            self.classifier.div_(temperature)
            self.classifier_bias.div_(temperature)

    def pooled(self, embeds: Embeddings, attention_mask: PaddingMask) -> torch.Tensor:
        """z (R, E): what the encoder makes of R rows, under the `active` subnetworks if there are any.

        Rows of several subnetworks are ordered part by part, and read at once where the encoder allows it.
        """
        weights = active_weights()
        if weights is None or len(weights.concepts) == 1 or not self.one_by_one:
            hidden = self.encoder(inputs_embeds=embeds, attention_mask=attention_mask).last_hidden_state
            return mean_over_tokens(hidden, attention_mask)
        k, parts = len(weights.concepts), []
        for concept, rows, mask in zip(
            weights.concepts, embeds.chunk(k), attention_mask.chunk(k), strict=True
        ):
            with active(weights.only(concept)):
                parts.append(self.pooled(rows, mask))
        return torch.cat(parts)


def mean_over_tokens(hidden: torch.Tensor, attention_mask: PaddingMask) -> torch.Tensor:
    """Mean of (R, T, E) over the tokens that are not padding, (R, E)."""
    keep = attention_mask.unsqueeze(-1).to(torch.float32)  # (R, T, 1)
    return (hidden.float() * keep).sum(1) / keep.sum(1).clamp(min=1.0)


def embedding_width(encoder: nn.Module) -> int:
    """E: the size of an encoder's output vectors."""
    config: Any = encoder.config
    return int(getattr(config, "word_embed_proj_dim", config.hidden_size))


class StandardClassifier(nn.Module):
    """Encoder, mean pooling, linear head: the baseline without a bottleneck."""

    def __init__(self, encoder: nn.Module, space: ConceptSpace) -> None:
        super().__init__()
        self.encoder = encoder
        self.space = space
        self.head = nn.Linear(embedding_width(encoder), space.num_labels)

    def forward(self, input_ids: TokenIds, attention_mask: PaddingMask) -> LabelLogits:
        """Label logits (B, Y)."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.head(mean_over_tokens(hidden, attention_mask))
