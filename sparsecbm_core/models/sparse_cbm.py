"""The concept bottleneck over an encoder, with one subnetwork per concept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sparsecbm_core.concepts import ConceptSpace
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
        TokenIds,
    )


@dataclass(frozen=True)
class CBMOutput:
    """``concept_logits`` (B, K, C), ``activations`` (B, K, C), ``label_logits`` (B, Y).

    ``pooled`` (K, B, E) is what each concept was read from: z_k, where the encoder was run.
    """

    concept_logits: ConceptLogits
    activations: Activations
    label_logits: LabelLogits
    pooled: torch.Tensor | None = None


class SparseCBM(nn.Module):
    """SparseCBM (Tan et al., AAAI 2024, Eq. 3): ŷ = Σ_k φ_k · σ(ψ_k · f_{M_k⊙θ}(x) + b_k) + b.

    The idea: a linear classifier over concept activations, each computed by the concept's own
    sparse subnetwork of one shared encoder. ``projector`` is ψ (K, C, E), ``classifier`` is
    φ (Y, K, C). Masks are not part of the module: pass `EffectiveWeights` (see `weights_for`)
    to a call; without, every concept is read from the dense encoder, which is the plain CBM.

    Mean pooling runs over non-padding tokens only, so logits do not depend on padding.
    """

    encoder: PreTrainedModel
    mean_activations: torch.Tensor

    def __init__(self, encoder: PreTrainedModel, space: ConceptSpace) -> None:
        super().__init__()
        self.encoder = encoder
        self.space = space
        config: Any = encoder.config
        width = int(getattr(config, "word_embed_proj_dim", config.hidden_size))
        k, c, y = space.num_concepts, space.num_states, space.num_labels
        self.projector = nn.Parameter(torch.empty(k, c, width))
        self.projector_bias = nn.Parameter(torch.zeros(k, c))
        self.classifier = nn.Parameter(torch.empty(y, k, c))
        self.classifier_bias = nn.Parameter(torch.zeros(y))
        nn.init.normal_(self.projector, std=width**-0.5)
        nn.init.normal_(self.classifier, std=(k * c) ** -0.5)
        # ā_k (K, C): mean activations over the training data; the label logits' reference point
        self.register_buffer("mean_activations", torch.full((k, c), 0.5))
        self.masked_layers = mask_linears(encoder)
        # DeBERTa's matrices also read distances between tokens, which are rows of no concept
        self.one_by_one = bool(getattr(config, "relative_attention", False))

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
        """Concepts and label of B texts, each concept through its own subnetwork."""
        embeds, k = self.embed(input_ids), self.space.num_concepts
        if weights is None:
            with active(None):
                pooled = self.pooled(embeds, attention_mask)
            by_concept = pooled.expand(k, *pooled.shape)  # (K, B, E), one encoder pass
        else:
            rows = embeds.expand(k, *embeds.shape).flatten(0, 1)  # (K·B, T, E), concept slowest
            with active(weights):
                pooled = self.pooled(rows, attention_mask.repeat(k, 1))
            by_concept = pooled.unflatten(0, (k, -1))  # (K, B, E)
        return replace(self.bottleneck(self.project(by_concept)), pooled=by_concept)

    def row_logits(
        self,
        embeds: Embeddings,
        attention_mask: PaddingMask,
        weights: EffectiveWeights | None,
        concepts: Sequence[int] | None = None,
    ) -> torch.Tensor:
        """Concept logits (R, C) from embeddings (R, T, E) of R = N·K rows, concept fastest.

        Row r is read by the subnetwork of concept r mod K: the order that survives Captum's
        expansion of a batch, and so the entry point of every gradient method. ``concepts`` are the K
        concepts where they are not all of the model's; ``weights`` are then theirs alone.
        """
        k = self.space.num_concepts if concepts is None else len(concepts)
        by_concept = embeds.unflatten(0, (-1, k)).transpose(0, 1)  # (K, N, T, E)
        mask = attention_mask.unflatten(0, (-1, k)).transpose(0, 1).flatten(0, 1)  # (K·N, T)
        with active(weights), fused_when_long():
            pooled = self.pooled(by_concept.flatten(0, 1), mask)
        return self.project(pooled.unflatten(0, (k, -1)), concepts).flatten(0, 1)  # (N, K, C) → (R, C)

    def project(self, pooled: torch.Tensor, concepts: Sequence[int] | None = None) -> ConceptLogits:
        """ℓ_k = ψ_k z_k + b_k: (K, B, E) → (B, K, C), of all K concepts or of those given."""
        chosen = slice(None) if concepts is None else list(concepts)
        return torch.einsum("kbe,kce->bkc", pooled, self.projector[chosen]) + self.projector_bias[chosen]

    def project_swapped(self, pooled: torch.Tensor) -> torch.Tensor:
        """Every concept read off every subnetwork: [j, b, k] = ψ_k z_j + b_k, (K, B, E) → (K, B, K, C)."""
        return torch.einsum("jbe,kce->jbkc", pooled, self.projector) + self.projector_bias

    def bottleneck(self, concept_logits: ConceptLogits) -> CBMOutput:
        """a_k = σ(ℓ_k), then the linear head over all concepts."""
        activations = torch.sigmoid(concept_logits)
        return CBMOutput(concept_logits, activations, self.label_logits(activations))

    def label_logits(self, activations: Activations) -> LabelLogits:
        """Σ_k φ_k a_k + b: (B, K, C) → (B, Y). The oracle intervention starts here."""
        return torch.einsum("bkc,ykc->by", activations, self.classifier) + self.classifier_bias

    def pooled(self, embeds: Embeddings, attention_mask: PaddingMask) -> torch.Tensor:
        """z (R, E): what the encoder makes of R rows, under the `active` subnetworks if there are any.

        Rows of K subnetworks are ordered concept by concept, and read at once where the encoder allows it.
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


class StandardClassifier(nn.Module):
    """Encoder, mean pooling, linear head: the baseline without a bottleneck."""

    def __init__(self, encoder: nn.Module, space: ConceptSpace) -> None:
        super().__init__()
        self.encoder = encoder
        self.space = space
        config: Any = encoder.config
        width = int(getattr(config, "word_embed_proj_dim", config.hidden_size))
        self.head = nn.Linear(width, space.num_labels)

    def forward(self, input_ids: TokenIds, attention_mask: PaddingMask) -> LabelLogits:
        """Label logits (B, Y)."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.head(mean_over_tokens(hidden, attention_mask))
