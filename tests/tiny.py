"""Tiny random models of every architecture, built offline in a moment.

`make_tiny("bert")` is a whole `ConceptModel`: two layers, 16 wide, three concepts, four labels,
random subnetworks of 25 % density, and a tokenizer of the architecture's own kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from sparsecbm_core.concepts import DEFAULT_STATES, ConceptSpace
from sparsecbm_core.models.backbone import build_backbone
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.heads import bottleneck_class
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import SparseCBM
from tests.encoders import FAMILIES

ARCHITECTURES = ("bert", "distilbert", "roberta", "opt")
SPACE = ConceptSpace(("food", "service", "noise"), DEFAULT_STATES, ("1", "2", "3", "4"))
MAX_LENGTH = 64
REVIEW = "The soup was cold, but the waiter didn't mind: a well-cooked café meal!"

# Vocabularies are written down, not trained: trained ones differ from run to run where pieces tie.
_WORDS = (
    *("the", "was", "and", "but", "were", "too", "we", "for", "good", "great", "slow", "loud", "friendly"),
    *("soup", "food", "meal", "waiter", "service", "music", "noise", "cold", "mind", "cook"),
)


def make_tiny(
    arch: str,
    seed: int = 0,
    density: float | None = 0.25,
    space: ConceptSpace = SPACE,
    head: str = "paper",
    **values: Any,
) -> ConceptModel:
    """A random model of ``arch`` (one of `FAMILIES`); ``density`` None makes it a dense CBM. ``values`` are
    other ones of its configuration."""
    tokenizer = _tokenizer(arch)
    torch_state = torch.random.get_rng_state()
    try:
        torch.manual_seed(seed)
        network = bottleneck_class(head)(build_backbone({**encoder_config(arch, tokenizer), **values}), space)
        # Weights large enough that scores differ clearly from word to word.
        for parameter in network.encoder.parameters():
            if parameter.dim() == 2:
                torch.nn.init.normal_(parameter, std=0.3)
        if arch == "mobilebert":  # the last token also reads the embedding after it: none, or padding's
            torch.nn.init.zeros_(network.encoder.get_input_embeddings().weight[tokenizer.pad_token_id])
        torch.nn.init.normal_(network.projector)
        torch.nn.init.normal_(network.projector_bias)
        for name, parameter in network.named_parameters():
            if name.startswith(("classifier", "strength", "rest")):
                torch.nn.init.normal_(parameter)
        for buffer in network.buffers(recurse=False):
            torch.nn.init.uniform_(buffer)
    finally:
        torch.random.set_rng_state(torch_state)
    network.eval().requires_grad_(False)
    masks = None if density is None else random_masks(network, seed, density)
    return ConceptModel(network, tokenizer, masks, MAX_LENGTH, name=f"tiny-{arch}")


@cache
def tiny(arch: str, density: float | None = 0.25) -> ConceptModel:
    """As `make_tiny`, one for all tests of a session: to be read only."""
    return make_tiny(arch, density=density)


def random_masks(network: SparseCBM, seed: int = 0, density: float = 0.25) -> MaskSet:
    """Random subnetworks of exactly this density in every matrix (rounded to one weight)."""
    generator, masks = np.random.default_rng(seed), {}
    for name, shape in network.mask_shapes.items():
        size = shape[0] * shape[1]
        flat = np.arange(size) < round(density * size)
        masks[name] = np.stack([generator.permutation(flat) for _ in network.parts]).reshape(-1, *shape)
    return MaskSet.from_bool(network.parts, masks)


def with_masks(model: ConceptModel, masks: MaskSet | None) -> ConceptModel:
    """The same network under other masks; None for the dense model."""
    return replace(model, masks=masks)


def encoder_config(arch: str, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """A tiny encoder's configuration."""
    special = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    return {
        "model_type": arch,
        "n_words" if arch == "flaubert" else "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "max_position_embeddings": MAX_LENGTH + FAMILIES[arch].reserved,
        **(special if FAMILIES[arch].tokenizer == "opt" else {}),
        **FAMILIES[arch].values,
    }


def _tokenizer(arch: str) -> PreTrainedTokenizerFast:
    make: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
        "bert": _wordpiece,
        "roberta": lambda: _byte_level("<s> $A </s>"),
        "opt": lambda: _byte_level("</s> $A"),
    }
    return make[FAMILIES[arch].tokenizer]()


def _wordpiece() -> PreTrainedTokenizerFast:
    """BERT's kind: lower case without accents, [CLS] … [SEP]."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    alphabet = [chr(code) for code in range(33, 127)]
    pieces = [*alphabet, *(f"##{sign}" for sign in alphabet), *_WORDS, "##ed", "##s"]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys([*specials, *pieces]))}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.add_special_tokens(specials)
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def _byte_level(template: str) -> PreTrainedTokenizerFast:
    """GPT-2's kind: bytes merged to words that carry the space before them ("Ġ")."""
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    merges: list[tuple[str, str]] = []
    for word in _WORDS:
        spelled = f"Ġ{word}"
        merges += [(spelled[:end], spelled[end]) for end in range(1, len(spelled))]
    merges = list(dict.fromkeys(merges))
    tokens = [*specials, *sorted(pre_tokenizers.ByteLevel.alphabet()), *(a + b for a, b in merges)]
    backend = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(specials)
    backend.post_processor = processors.TemplateProcessing(
        single=template, pair=None, special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
