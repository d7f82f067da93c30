"""One look at an encoder before it is trained: what would end a run later, or make what is read depend on the
batch, ends it here in one line.

A short text and one of the full length are read, alone and together, forwards and backwards: a second or two,
where dense epochs take hours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from sparsecbm_core.config import TrainSettings
from sparsecbm_core.data.batches import Encoded, TokenBatch, collate, tokenize
from sparsecbm_core.errors import InputError, SettingsError, SparseCBMError
from sparsecbm_core.models.backbone import one_line
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import SparseCBM, StandardClassifier, mean_over_tokens
from sparsecbm_core.models.subnetworks import ConceptWeights, EffectiveWeights, active
from sparsecbm_core.pruning.compensate import check_layers
from sparsecbm_core.pruning.partition import unit_groups
from sparsecbm_core.pruning.rest import at_rest
from sparsecbm_core.training.masked_step import WeightsUnderMasks
from sparsecbm_core.training.runtime import pick_precision

Network = SparseCBM | StandardClassifier

# Readings that should be equal are apart by rounding, some 1e-6 of their length; those of an encoder to which
# padding matters by 1e-3 and more (ConvBERT, FNet).
CLOSE = 1e-4
LEAST_MASKED = 0.75  # of an encoder's weights, its embeddings left aside


def check_encoder(network: Network, tokenizer: Any, settings: TrainSettings, device: torch.device) -> None:
    """Raise a `SparseCBMError` where ``network``, on ``device``, cannot be trained as the settings ask.

    The network is left as it was, and no random number is drawn.
    """
    name = _name(network)
    _check_vocabulary(network.encoder, tokenizer)
    (short,) = tokenize(tokenizer, ["The soup was cold."], settings.max_length)
    full = replace(short, ids=(short.ids * settings.max_length)[: settings.max_length])

    def batch(*texts: Encoded) -> TokenBatch:
        tokens = collate(texts, int(tokenizer.pad_token_id))
        return TokenBatch(tokens.input_ids.to(device), tokens.attention_mask.to(device))

    alone, both = batch(short), batch(short, full)
    sparse = settings.kind == "sparse" and isinstance(network, SparseCBM)
    with at_rest(network):
        with _in_one_line(f"{name} cannot read {settings.max_length} tokens"):
            _check_padding(network, alone, both)
            if isinstance(network, SparseCBM):
                calls = _check_embeddings(network, alone)
        if isinstance(network, SparseCBM) and sparse:
            _check_matrices(network, calls)
            with _in_one_line(f"{name} cannot be read by subnetworks"):
                _check_subnetworks(network, batch(short, replace(short, ids=short.ids * 2)))
                _check_pruning(network, both, calls, settings)
        _check_training(network, both, alone, settings, device)


def _check_vocabulary(encoder: Any, tokenizer: Any) -> None:
    rows = int(encoder.get_input_embeddings().num_embeddings)
    beyond = sorted((index, token) for token, index in tokenizer.get_vocab().items() if index >= rows)
    if beyond:
        raise InputError(
            f"{type(encoder).__name__} embeds {rows} tokens, and its tokenizer has {len(beyond)} more, "
            f"for example {beyond[0][1]!r}: after tokens were added, resize_token_embeddings("
            f"{beyond[-1][0] + 1}) has to make room for them"
        )


def _check_padding(network: Network, alone: TokenBatch, both: TokenBatch) -> None:
    """A text has to be read the same by itself and beside a longer one."""
    apart = _apart(_read(network, both)[:1], _read(network, alone))
    if not apart <= CLOSE:
        raise InputError(
            f"{_name(network)} reads a text otherwise beside a longer one (here by {apart:.1%}): padding has "
            "a part in it, and what is read would depend on the batch"
        )


def _check_embeddings(network: SparseCBM, alone: TokenBatch) -> Counter[str]:
    """Tokens and their embeddings have to be read the same; how often each masked matrix was used for it."""
    calls: Counter[str] = Counter()
    hooks = [
        layer.register_forward_hook(lambda module, *_: calls.update([module.name]))
        for layer in network.masked_layers.values()
    ]
    try:
        read = _read(network, alone)
    finally:
        for hook in hooks:
            hook.remove()
    if not _apart(read, _read(network, alone, by_ids=True)) <= CLOSE:
        raise InputError(
            f"{_name(network)} reads tokens otherwise than their embeddings, through which words are scored"
        )
    return calls


def _check_matrices(network: SparseCBM, calls: Counter[str]) -> None:
    """Masks have to cover most of the encoder, and nothing that has no part in reading."""
    name = _name(network)
    unused = [matrix for matrix in network.masked_layers if not calls[matrix]]
    if unused:
        raise SettingsError(
            f"{len(unused)} matrices in the layers of {name} have no part in reading a text, for example "
            f"{unused[0]}: no subnetwork can be cut from them"
        )
    embeddings = {
        id(module.weight) for module in network.encoder.modules() if isinstance(module, nn.Embedding)
    }
    matrices = (weight for weight in network.encoder.parameters() if weight.ndim > 1)
    total = sum(weight.numel() for weight in matrices if id(weight) not in embeddings)
    if network.prunable_weights < LEAST_MASKED * total:
        raise SettingsError(
            f"only {network.prunable_weights / total:.0%} of the weights of {name} are in the linear layers "
            "of one stack, and masks cover no others"
        )


def _check_subnetworks(network: SparseCBM, texts: TokenBatch) -> None:
    """Rows of two subnetworks, here of the encoder and of one whose matrices are mirrored, must not mix."""
    mirrored = {
        name: ConceptWeights(torch.stack((layer.weight, layer.weight.flip(1))))
        for name, layer in network.masked_layers.items()
    }
    weights = EffectiveWeights(("own", "mirrored"), mirrored)
    embeds, mask = network.embed(texts.input_ids), texts.attention_mask
    with active(weights):
        together = network.pooled(embeds.repeat(2, 1, 1), mask.repeat(2, 1)).chunk(2)
    for concept, read in zip(weights.concepts, together, strict=True):
        with active(weights.only(concept)):
            if not _apart(read, network.pooled(embeds, mask)) <= CLOSE:
                raise SettingsError(
                    f"{_name(network)} mixes the rows of a batch, so that subnetworks cannot be read together"
                )


def _check_pruning(
    network: SparseCBM, texts: TokenBatch, calls: Counter[str], settings: TrainSettings
) -> None:
    name, prune = _name(network), settings.prune
    if prune.method == "partition":
        again = next((matrix for matrix in network.masked_layers if calls[matrix] > 1), None)
        if again is not None:
            raise SettingsError(
                f"{name} uses {again} {calls[again]} times for one text; a partition needs matrices that are "
                "used once, method gradual does not"
            )
        unit_groups(network.matrices, int(network.encoder.config.num_attention_heads))
        check_layers(network, (texts.input_ids, texts.attention_mask))
    if prune.criterion == "wanda" and network.one_by_one:
        raise SettingsError(
            f"criterion 'wanda' weighs matrices by the tokens that they read; those of {name} read distances "
            "between tokens as well"
        )


def _check_training(
    network: Network, both: TokenBatch, alone: TokenBatch, settings: TrainSettings, device: torch.device
) -> None:
    """One step in the run's precision, dense and under masks."""
    dtype = pick_precision(settings.precision, device)
    lower = dtype != torch.float32
    what = f"{_name(network)} cannot be trained in {str(dtype).removeprefix('torch.')}"
    network.requires_grad_(True)
    try:
        with (
            _in_one_line(what, "; precision float32 may do" if lower else ""),
            torch.autocast(device.type, dtype=dtype if lower else None, enabled=lower),
        ):
            _step(network, both, None)
            if isinstance(network, SparseCBM) and settings.kind == "sparse":
                ones = MaskSet.ones(network.parts, network.mask_shapes)
                _step(network, alone, WeightsUnderMasks.of(ones, network.masked_layers, dtype).now())
    finally:
        network.zero_grad(set_to_none=True)


def _name(network: Network) -> str:
    return type(network.encoder).__name__


def _step(network: Network, batch: TokenBatch, weights: EffectiveWeights | None) -> None:
    if isinstance(network, SparseCBM):
        logits = network(batch.input_ids, batch.attention_mask, weights).label_logits
    else:
        logits = network(batch.input_ids, batch.attention_mask)
    logits.float().square().sum().backward()


def _read(network: Network, batch: TokenBatch, by_ids: bool = False) -> torch.Tensor:
    """What the dense encoder makes of B texts, (B, E)."""
    if isinstance(network, SparseCBM) and not by_ids:
        return network.pooled(network.embed(batch.input_ids), batch.attention_mask)
    hidden = network.encoder(input_ids=batch.input_ids, attention_mask=batch.attention_mask).last_hidden_state
    return mean_over_tokens(hidden, batch.attention_mask)


def _apart(read: torch.Tensor, expected: torch.Tensor) -> float:
    """How far two readings are from each other, in lengths of the one expected."""
    return float((read - expected).norm() / expected.norm().clamp(min=1e-12))


@contextmanager
def _in_one_line(what: str, hint: str = "") -> Iterator[None]:
    """An error of the libraries behind, which are of many families, as one of ours."""
    try:
        yield
    except SparseCBMError:
        raise
    except Exception as error:
        raise InputError(f"{what}: {one_line(error)}{hint}") from error
