"""An encoder that cannot be trained: one clear line and exit code 2, before anything is made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from tests.cli.arguments import refused, train_arguments
from tests.toy import save_whole


def _with_token(folder: Path) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.add_tokens(["terrace"])
    tokenizer.save_pretrained(folder)


def _without_padding(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({key: config[key] for key in config if key not in ("pad_token", "eos_token")}))


@pytest.mark.parametrize(
    ("arch", "damage", "arguments", "fragment"),
    [
        ("fnet", None, [], "FNetModel reads a text otherwise beside a longer one"),
        ("convbert", None, ["--kind", "cbm"], "ConvBertModel reads a text otherwise beside a longer one"),
        ("longformer", None, [], "LongformerModel have no part in reading a text"),
        ("pegasus", None, [], "PegasusEncoder reads tokens otherwise than their embeddings"),
        ("deberta", None, ["--precision", "bfloat16"], "DebertaModel cannot be trained in bfloat16"),
        ("xlm-roberta", None, ["--set", "max_length=66"], "max_length 66 exceeds the encoder's 64 positions"),
        ("bert", _with_token, [], "its tokenizer has 1 more, for example 'terrace'"),
        ("opt", _without_padding, [], "has neither a padding token nor an end token"),
        ("bert", None, ["--device", "meta"], "device 'meta' is not usable here"),
        (
            "qwen3",
            None,
            ["--method", "partition"],
            "layer 0 has 'feed-forward gate'; a partition needs query",
        ),
    ],
)
def test_an_encoder_that_cannot_be_trained_is_one_line(
    run: Callable[..., tuple[int, str, list[str]]],
    data: Path,
    tmp_path: Path,
    arch: str,
    damage: Callable[[Path], None] | None,
    arguments: list[str],
    fragment: str,
) -> None:
    save_whole(tmp_path / arch, arch)
    if damage is not None:
        damage(tmp_path / arch)
    refused(run("train", *train_arguments(tmp_path / "run", data, tmp_path / arch, *arguments)), fragment)
    assert not (tmp_path / "run").exists()
