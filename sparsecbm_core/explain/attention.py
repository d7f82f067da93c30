"""Where a dense model looks: the attention that every word receives, in each layer and over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from sparsecbm_core.data.batches import Encoded
from sparsecbm_core.errors import InputError
from sparsecbm_core.explain.results import TokenScore, Truncation
from sparsecbm_core.explain.scoring import word_scores, words_in
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.subnetworks import active

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Received:
    """How attention is spread over a text: ``tokens`` hold each word with its share of it.

    ``framing`` is the share of tokens that belong to no word: those that the tokenizer puts around a text
    ([CLS], [SEP]), and white space that some tokenizers keep as tokens. Together they are 1.
    """

    tokens: tuple[TokenScore, ...]
    framing: float

    @property
    def even(self) -> float:
        """What each word would get if all words were given the same."""
        return (1.0 - self.framing) / len(self.tokens)


@dataclass(frozen=True)
class Attention:
    """The attention of one text: ``layers`` in their order, heads averaged, and ``rollout`` over all of them.

    ``model`` and ``fingerprint`` name the dense model, ``heads`` counts those of a layer.
    """

    text: str
    model: str
    fingerprint: str
    heads: int
    layers: tuple[Received, ...]
    rollout: Received
    truncated: Truncation
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in this class."""
        return asdict(self)


def attention(model: ConceptModel, text: str) -> Attention:
    """How much attention every word of ``text`` receives in a dense model, by one forward pass.

    A layer's heads are averaged. A word is given what its pieces are given together (Clark et al., 2019,
    "What Does BERT Look At?", sect. 4.1). Who gives is every token alike, special ones included, because
    that is what the model's mean pooling averages: so the shares are means over the T rows. `rollout` adds
    up the ways through all layers.

    The text is cut at the model's ``max_length``, as everywhere. Raises `InputError` for a text without a
    readable character, for a standard classifier, and for a model with masks: it reads with a subnetwork for
    every concept and has no attention of its own. The model is only read: threads may share it.

    >>> attention(dense, "The soup was cold.").rollout.tokens[1].text
    'soup'
    """
    _ = model.cbm  # a standard classifier is refused here
    if model.masks is not None:
        raise InputError(
            "this model reads with a subnetwork for each concept, so it has no single attention to show; "
            "give the dense model that it was cut from"
        )
    text, encoded, words = words_in(model, text)
    matrices, heads = _matrices(model, encoded)
    groups = [word.tokens for word in words]

    def received(matrix: torch.Tensor) -> Received:
        to_words, framing = merged(matrix.mean(0), groups)
        return Received(word_scores(text, words, to_words), framing)

    return Attention(
        text=text,
        model=model.name,
        fingerprint=model.fingerprint,
        heads=heads,
        layers=tuple(received(matrix) for matrix in matrices),
        rollout=received(rollout(matrices)),
        truncated=Truncation(len(encoded.ids), encoded.total_tokens, encoded.kept_chars),
    )


def rollout(layers: torch.Tensor) -> torch.Tensor:
    """Attention rollout (Abnar & Zuidema, 2020, Eq. 1) of N layers (N, T, T), rows summing to 1: (T, T).

    Half of what a layer passes on is taken to be its input, by the residual connection: Â = A/2 + I/2. The
    layers multiply up, R_n = Â_n R_(n−1), so that R[i, j] is how much of token j is in output i.
    """
    own = torch.eye(layers.shape[1], dtype=layers.dtype, device=layers.device)
    total = own
    for matrix in layers:
        mixed = 0.5 * matrix + 0.5 * own
        total = (mixed / mixed.sum(-1, keepdim=True)) @ total
    return total


def merged(shares: torch.Tensor, groups: Sequence[Sequence[int]]) -> tuple[list[float], float]:
    """The shares (T,) of tokens as those of words, and what is left for tokens of no word.

    ``groups`` hold the token positions of each word.
    """
    values = shares.tolist()
    inside = {position for group in groups for position in group}
    words = [sum(values[position] for position in group) for group in groups]
    return words, sum(value for position, value in enumerate(values) if position not in inside)


def _matrices(model: ConceptModel, encoded: Encoded) -> tuple[torch.Tensor, int]:
    """Attention (N, T, T) of N layers, heads averaged, float64 on the CPU; and how many heads a layer has."""
    network = model.cbm
    ids = torch.tensor([encoded.ids], device=model.device)  # (1, T)
    untold = InputError(f"{type(network.encoder).__name__} does not tell its attention")
    with torch.inference_mode(), active(None):
        embeds = network.embed(ids)
        try:
            output = network.encoder(
                inputs_embeds=embeds, attention_mask=torch.ones_like(ids), output_attentions=True
            )
        # An encoder of the library behind that was asked for what it does not have.
        except Exception as error:
            raise untold from error
    layers: tuple[torch.Tensor, ...] = getattr(output, "attentions", None) or ()  # (1, H, T, T) each
    square = (len(encoded.ids), len(encoded.ids))
    if not layers or any(getattr(layer, "shape", ())[-2:] != square for layer in layers):
        raise untold
    stacked = torch.stack([layer[0].cpu().double().mean(0) for layer in layers])
    return stacked, int(layers[0].shape[1])
