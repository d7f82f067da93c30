"""A loaded model with its tokenizer and masks: what every use of a model starts from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from sparsecbm_core.data.batches import Encoded, collate, length_buckets, tokenize
from sparsecbm_core.errors import InputError
from sparsecbm_core.models.checkpoint import Checkpoint
from sparsecbm_core.models.sparse_cbm import CBMOutput, SparseCBM, StandardClassifier
from sparsecbm_core.models.subnetworks import EffectiveWeights
from sparsecbm_core.progress import OnCount, unheard

# Tokens of all concepts together in one batch: of 512 tokens and eight concepts 16 texts, in some 2 GB.
READ_AT_ONCE = 65_536


@dataclass(frozen=True)
class Predictions:
    """Outputs for N texts, in their order, on the CPU.

    ``concept_logits`` (N, K, C), ``activations`` (N, P, A) and ``readings`` (N, P, R), which hold the logits,
    None for a standard classifier; ``label_logits`` (N, Y).
    """

    concept_logits: torch.Tensor | None
    activations: torch.Tensor | None
    label_logits: torch.Tensor
    readings: torch.Tensor | None = None

    @property
    def labels(self) -> torch.Tensor:
        """Predicted label indices (N,)."""
        return self.label_logits.argmax(-1)

    @property
    def states(self) -> torch.Tensor:
        """Predicted state indices (N, K)."""
        if self.concept_logits is None:
            raise InputError("a standard classifier predicts no concepts")
        return self.concept_logits.argmax(-1)


class ConceptModel(Checkpoint):
    """The model of one checkpoint with all that is read off it; read-only and thread-safe.

    >>> from sparsecbm_core import ConceptModel
    >>> model.save_pretrained("tiny")
    >>> loaded = ConceptModel.from_pretrained("tiny", device="cpu")
    >>> loaded.fingerprint == model.fingerprint
    True
    """

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    @property
    def cbm(self) -> SparseCBM:
        """The network, where it has a concept bottleneck; `InputError` otherwise."""
        if not isinstance(self.network, SparseCBM):
            raise InputError("this is a standard classifier: it has no concepts to read or explain")
        return self.network

    def familiar(self, text: Encoded) -> bool | None:
        """Whether a text is like those that the model was trained on; None where it does not know.

        >>> model.familiar(model.encode(["Cold soup."])[0]) is None
        True
        """
        return None if self.words is None else self.words.familiar(text)

    @cached_property
    def weights(self) -> EffectiveWeights | None:
        """Effective weights of the model's own masks, made on first use and shared by all threads."""
        return None if self.masks is None else self.cbm.weights_for(self.masks)

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Tokens with character offsets, cut at ``max_length``.

        >>> model.encode(["Cold soup."])[0].offsets
        ((0, 0), (0, 4), (5, 9), (9, 10), (0, 0))
        """
        return tokenize(self.tokenizer, texts, self.max_length)

    def batches(
        self, encoded: Sequence[Encoded], batch_size: int
    ) -> Iterator[tuple[list[int], torch.Tensor, torch.Tensor]]:
        """Indices with padded ids and mask, batches of similar length; fewer texts where these are long, so
        that no more than `READ_AT_ONCE` tokens are read.

        >>> [len(indices) for indices, ids, mask in model.batches(model.encode(reviews.texts), 5)]
        [5, 3]
        """
        lengths = [len(item.ids) for item in encoded]
        parts = len(self.network.parts) if isinstance(self.network, SparseCBM) else 1
        for bucket in length_buckets(lengths, batch_size, None):
            longest = max(lengths[i] for i in bucket)
            size = max(1, READ_AT_ONCE // (parts * longest))
            for indices in (bucket[start : start + size] for start in range(0, len(bucket), size)):
                tokens = collate([encoded[i] for i in indices], int(self.tokenizer.pad_token_id))
                yield indices, tokens.input_ids.to(self.device), tokens.attention_mask.to(self.device)

    def predict(
        self,
        texts: Sequence[str],
        batch_size: int = 32,
        weights: EffectiveWeights | None = None,
        on_progress: OnCount = unheard,
    ) -> Predictions:
        """Concepts and labels of any number of texts; ``weights`` replaces the model's own masks.

        >>> read = model.predict(["The soup was cold.", "A great cook."])
        >>> read.labels.shape, read.states.shape
        (torch.Size([2]), torch.Size([2, 3]))
        """
        if not texts:
            raise InputError("no text given; predict needs at least one")
        encoded, done = self.encode(texts), 0
        chosen = weights if weights is not None or self.masks is None else self.weights
        found: dict[int, torch.Tensor] = {}  # readings (P, R) or label logits (Y,) of each text
        with torch.inference_mode():
            for indices, ids, mask in self.batches(encoded, batch_size):
                if isinstance(self.network, SparseCBM):
                    output: CBMOutput = self.network(ids, mask, chosen)
                    said = output.readings
                else:
                    said = self.network(ids, mask)
                found.update(zip(indices, said.float().cpu(), strict=True))
                done += len(indices)
                on_progress(done, len(texts))
        values = torch.stack([found[i] for i in range(len(texts))])
        if isinstance(self.network, StandardClassifier):
            return Predictions(None, None, values)
        return self.predictions(values)

    def predictions(self, readings: torch.Tensor) -> Predictions:
        """What follows from readings (N, P, R) that are known, without an encoder pass.

        >>> read = model.predict(["The soup was cold."])
        >>> bool((model.predictions(read.readings).label_logits == read.label_logits).all())
        True
        """
        network = self.cbm
        with torch.inference_mode():
            said = network.bottleneck(readings.to(self.device))
        activations, labels = (values.float().cpu() for values in (said.activations, said.label_logits))
        return Predictions(network.concept_logits(readings), activations, labels, readings)
