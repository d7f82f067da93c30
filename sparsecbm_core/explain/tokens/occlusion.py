"""Occlusion: what the state's lead loses without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsecbm_core.explain.tokens.method import TokenMethod
from sparsecbm_core.explain.words import without_words

if TYPE_CHECKING:
    import torch

    from sparsecbm_core.explain.tokens.inputs import TokenInputs

# Rows × tokens read at once, without a graph.
ROW_TOKENS = 1024


def score(inputs: TokenInputs) -> tuple[torch.Tensor, None]:
    """λ_k[c](text) − λ_k[c](text without the word), the word's tokens deleted from the sequence."""
    import torch

    from sparsecbm_core.data.batches import padded

    without = torch.empty(len(inputs.groups), *inputs.logits.shape, dtype=torch.float64)  # (G, K, C)
    concepts, tokens = inputs.embeds.shape[:2]
    size = max(1, ROW_TOKENS // (concepts * tokens))
    ids = inputs.input_ids.tolist()
    with torch.no_grad():
        # Texts of one length need no padding.
        order = sorted(range(len(inputs.groups)), key=lambda word: len(inputs.groups[word]))
        for start in range(0, len(order), size):
            chunk = order[start : start + size]
            texts = [without_words(ids, inputs.groups, [word], inputs.pad_id) for word in chunk]
            batch, mask = padded(texts, inputs.pad_id)
            logits = inputs.batch_logits(batch, mask)  # (n, K, C)
            without[chunk] = inputs.leads(logits).cpu().double()
        full = inputs.selected(inputs.leads(inputs.logits)).cpu().double()  # (K,)
        states = inputs.states.cpu().expand(len(inputs.groups), -1)[..., None]  # (G, K, 1)
        return (full - without.gather(2, states).squeeze(2)).T.contiguous(), None  # (K, G)


METHOD = TokenMethod(
    "occlusion",
    "Occlusion",
    "what the state loses when the word is deleted: one pass a word, slow on long texts",
    score,
    signed=True,
    uses_graph=False,
    passes=lambda steps, words: words,
    cost=24.0,
    only_reads=True,
)
