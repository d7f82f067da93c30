"""Integrated gradients: scores that add up to the change of the state's lead from a blank text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsecbm_core.explain.tokens.method import TokenMethod

if TYPE_CHECKING:
    import torch

    from sparsecbm_core.explain.tokens.inputs import TokenInputs

# Rows × tokens differentiated at once: more costs memory and brings no speed on a CPU.
ROW_TOKENS = 1024


def score(inputs: TokenInputs) -> tuple[torch.Tensor, tuple[float, ...]]:
    """(e_t − e'_t) · mean of ∂ λ_k[c] / ∂ e_t along the line from e' to e (Sundararajan et al., 2017).

    The blank text e' has the padding token in place of every scored token; special tokens stay,
    and so does white space, which no score shows.
    The delta is what the steps leave over: Σ scores + delta = λ_k[c](text) − λ_k[c](blank), so a
    large one asks for more steps.
    """
    import torch
    from captum.attr import IntegratedGradients

    concepts, tokens = inputs.embeds.shape[:2]
    embeds, blank = inputs.embeds.detach(), blank_embeds(inputs)  # (K, T, E) both
    attributions = IntegratedGradients(inputs.row_leads).attribute(
        embeds,
        blank,
        target=inputs.states,
        n_steps=inputs.steps,
        # A multiple of K: every chunk then starts with concept 0, as the subnetworks expect.
        internal_batch_size=concepts * max(1, ROW_TOKENS // (concepts * tokens)),
    )
    scores = inputs.word_sums(attributions.sum(-1))
    with torch.no_grad():
        rise = inputs.selected(inputs.leads(inputs.logits)) - inputs.selected(inputs.row_leads(blank))
    return scores, tuple((rise.cpu().double() - scores.sum(1)).tolist())


def blank_embeds(inputs: TokenInputs) -> torch.Tensor:
    """Embeddings (K, T, E) of the text with every scored token replaced by padding."""
    import torch

    ids = inputs.input_ids.clone()
    ids[[position for group in inputs.groups for position in group]] = inputs.pad_id
    with torch.no_grad():
        return inputs.network.embed(ids[None]).expand_as(inputs.embeds).contiguous()


METHOD = TokenMethod(
    "integrated_gradients",
    "Integrated gradients",
    "gradients summed on the way from a blank text: scores add up to what the state gained",
    score,
    signed=True,
    uses_graph=False,
    passes=lambda steps, words: steps + 1,
    cost=44.0,
)
