"""Tiny rows and tokenizers, made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast


@pytest.fixture
def make_row() -> Callable[..., dict[str, Any]]:
    """One CEBaB row; keywords replace its cells."""

    def make(**cells: Any) -> dict[str, Any]:
        row: dict[str, Any] = {
            "id": "000007_000000",
            "original_id": "000007",
            "edit_id": "000000",
            "is_original": True,
            "edit_goal": None,
            "edit_type": None,
            "description": "Warm soup, slow waiter.",
            "review_majority": "3",
        }
        for concept in ("food", "ambiance", "service", "noise"):
            row[f"{concept}_aspect_majority"] = ""
            row[f"{concept}_aspect_label_distribution"] = ""
        return row | cells

    return make


@pytest.fixture
def write_split(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as a CEBaB split; returns the folder."""

    def write(rows: Any, split: str = "dev") -> Path:
        (tmp_path / f"{split}.json").write_text(json.dumps(rows), encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture(scope="session")
def wordpiece() -> PreTrainedTokenizerFast:
    """BERT-like: lower case, word pieces, [CLS] … [SEP]; saved with truncation and padding."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = ["the", "soup", "was", "cold", "wait", "##er", "##s", ".", "café"]
    vocabulary = {token: index for index, token in enumerate(specials + words)}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    backend.add_special_tokens(specials)
    backend.enable_truncation(5)
    backend.enable_padding(length=16)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def _byte_level(template: str | None) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<pad>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(["the soup was cold and the soup was late"] * 3, trainer)
    if template is not None:
        backend.post_processor = processors.Sequence(
            [
                processors.ByteLevel(trim_offsets=True),
                processors.TemplateProcessing(single=template, special_tokens=[("</s>", 1)]),
            ]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="</s>", eos_token="</s>"
    )


@pytest.fixture(scope="session")
def opt_like() -> PreTrainedTokenizerFast:
    """Byte-level BPE with one special token in front, as OPT has."""
    return _byte_level("</s> $A")


@pytest.fixture(scope="session")
def gpt2_like() -> PreTrainedTokenizerFast:
    """Byte-level BPE that adds no special token."""
    return _byte_level(None)
