"""Anything that is not a whole checkpoint is refused in one line that says why."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.mask_file import load_masks, save_masks
from sparsecbm_core.models.masks import MaskSet
from tests.tiny import SPACE, make_tiny


def edit(name, **values):
    def damage(folder):
        data = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({k: v for k, v in (data | values).items() if v is not None}))

    return damage


def edit_encoder(**values):
    def damage(folder):
        data = json.loads((folder / "config.json").read_text())
        data["encoder"] = {k: v for k, v in (data["encoder"] | values).items() if v is not None}
        (folder / "config.json").write_text(json.dumps(data))

    return damage


def remove(name):
    return lambda folder: (folder / name).unlink()


def write(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def cut(name, fraction):
    def damage(folder):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * fraction)])

    return damage


def edit_tensors(change):
    def damage(folder):
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")

    return damage


def edit_masks(**values):
    """Rewrite the mask file's header."""

    def damage(folder):
        path = folder / "masks.safetensors"
        with safe_open(path, framework="pt") as handle:
            header = {k: v for k, v in (handle.metadata() | values).items() if v is not None}
        save_file(load_file(path), path, header)

    return damage


def flip_a_bit(name):
    """In the middle of the tensors, where nothing but the fingerprint can tell."""

    def damage(folder):
        data = bytearray((folder / name).read_bytes())
        data[len(data) * 3 // 4] ^= 1
        (folder / name).write_bytes(data)

    return damage


def masks_of_another_run(folder):
    masks = load_masks(folder / "masks.safetensors")
    rotated = {name: np.roll(bits, 1, axis=0) for name, bits in masks.packed.items()}
    save_masks(replace(masks, packed=rotated), folder / "masks.safetensors")


def other_masks(concepts=SPACE.concepts, arch="bert"):
    def damage(folder):
        shapes = make_tiny(arch).cbm.mask_shapes
        save_masks(MaskSet.ones(concepts, shapes), folder / "masks.safetensors")

    return damage


DAMAGES = {
    **{
        f"no {name}": (remove(name), f"{name} is missing")
        for name in (
            "config.json",
            "model.safetensors",
            "masks.safetensors",
            "metrics.json",
            "tokenizer/tokenizer.json",
        )
    },
    "newer": (edit("config.json", schema_version=99), "written by a newer version .schema 99"),
    "no version": (edit("config.json", schema_version=None), "no schema_version"),
    "text version": (edit("config.json", schema_version="1"), "no schema_version"),
    "no kind": (edit("config.json", kind=None), "has kind None"),
    "other kind": (edit("config.json", kind="dense"), "has kind 'dense'"),
    "wrong kind": (edit("config.json", kind="standard"), "does not match its config.json"),
    "no space": (edit("config.json", space=None), "config.json lacks space"),
    "odd space": (edit("config.json", space=[1, 2]), "config.json is not usable"),
    "one label": (
        edit("config.json", space=SPACE.to_dict() | {"labels": ["1"]}),
        "at least 2 label",
    ),
    "more labels": (
        edit("config.json", space=SPACE.to_dict() | {"labels": list("12345")}),
        r"has shape \(4, 9\), expected \(5, 9\)",
    ),
    "no encoder": (edit("config.json", encoder=None), "config.json lacks encoder"),
    "odd encoder": (edit("config.json", encoder="bert"), "config.json is not usable"),
    "no type": (edit_encoder(model_type=None), "no model_type"),
    "other type": (edit_encoder(model_type="t-rex"), "unknown encoder architecture 't-rex'"),
    "other architecture": (edit_encoder(model_type="distilbert"), "does not match its config.json"),
    "heads": (edit_encoder(num_attention_heads=3), "config.json is not usable"),
    "text size": (edit_encoder(hidden_size="wide"), "config.json is not usable"),
    "huge": (edit_encoder(hidden_size=32), r"does not match.*has shape \(.*16.*expected \(.*32"),
    "deeper": (edit_encoder(num_hidden_layers=3), "16 tensors missing"),
    "shallower": (edit_encoder(num_hidden_layers=1), "16 unknown"),
    "no length": (edit("config.json", max_length=None), "config.json lacks max_length"),
    "text length": (edit("config.json", max_length="long"), "config.json is not usable"),
    "no room": (edit("config.json", max_length=0), "has max_length 0; the encoder reads 1 to 64 tokens"),
    "too long": (edit("config.json", max_length=65), "has max_length 65; the encoder reads 1 to 64 tokens"),
    "config list": (write("config.json", b"[]"), "holds list, expected an object"),
    "config cut": (cut("config.json", 0.5), "config.json is damaged"),
    "config bytes": (write("config.json", b"\xff\xfe\x00"), "config.json is damaged"),
    "metrics cut": (cut("metrics.json", 0.5), "metrics.json is damaged"),
    "weights empty": (write("model.safetensors", b""), "model.safetensors is damaged"),
    "weights cut": (cut("model.safetensors", 0.9), "model.safetensors is damaged"),
    "weights header": (cut("model.safetensors", 0.01), "model.safetensors is damaged"),
    "weights text": (write("model.safetensors", b"not tensors at all"), "model.safetensors is damaged"),
    "tensor gone": (edit_tensors(lambda t: t.pop("projector")), r"1 tensors missing \['projector'\]"),
    "tensor added": (
        edit_tensors(lambda t: t.update(extra=torch.zeros(1))),
        r"1 unknown \['extra'\]",
    ),
    "tensor shape": (
        edit_tensors(lambda t: t.update(projector=torch.zeros(1, 2))),
        r"projector has shape \(1, 2\), expected \(3, 3, 16\)",
    ),
    "head shape": (
        edit_tensors(lambda t: t.update({"head.weight": torch.zeros(4, 8)})),
        r"head.weight has shape \(4, 8\), expected \(4, 9\)",
    ),
    "half a head": (edit_tensors(lambda t: t.pop("head.bias")), "head.bias"),
    "masks empty": (write("masks.safetensors", b""), "masks.safetensors is damaged"),
    "masks cut": (cut("masks.safetensors", 0.9), "masks.safetensors is damaged"),
    "masks without names": (edit_masks(concepts=None), "masks.safetensors is damaged"),
    "masks with odd shapes": (edit_masks(shapes='{"m": [2, 2]}'), "masks.safetensors is damaged"),
    "masks with list": (edit_masks(shapes="[]"), "masks.safetensors is damaged"),
    "masks for others": (
        other_masks(("food", "noise", "service")),
        "masks are for .*'food', 'noise', 'service'.*, the model's parts are",
    ),
    "masks for fewer": (other_masks(("food",)), "masks are for"),
    "masks of another encoder": (other_masks(arch="opt"), "do not fit the encoder's matrices"),
    "masks newer": (edit_masks(schema_version="99"), "masks.safetensors was written by a newer version"),
    "masks without version": (edit_masks(schema_version=None), "masks.safetensors is damaged"),
    "masks of another run": (masks_of_another_run, "are not those it was saved with"),
    "masks flipped": (flip_a_bit("masks.safetensors"), "are not those it was saved with"),
    "weights flipped": (flip_a_bit("model.safetensors"), "are not those it was saved with"),
    "weights of another run": (
        edit_tensors(lambda t: t.update(projector=t["projector"] * 2)),
        "are not those it was saved with",
    ),
    "tokenizer cut": (cut("tokenizer/tokenizer.json", 0.5), "the tokenizer in .* cannot be read"),
    "tokenizer text": (write("tokenizer/tokenizer.json", b"{}"), "the tokenizer in .* cannot be read"),
}


@pytest.mark.parametrize(("damage", "problem"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_one_clear_line(folder, damage, problem):
    damage(folder)
    with pytest.raises(CheckpointError, match=problem) as caught:
        ConceptModel.from_pretrained(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_mask_bits_that_were_shifted_are_refused(folder):
    """Fewer concepts in the header than rows in the file."""
    edit_masks(concepts='["food"]')(folder)
    with pytest.raises(CheckpointError, match=r"expected uint8"):
        ConceptModel.from_pretrained(folder)


@pytest.mark.parametrize("name", ["no-such-folder", "./no/such", "/no/such/folder", "a/b/c"])
def test_a_folder_that_is_not_there(name):
    with pytest.raises(CheckpointError, match="no checkpoint folder at") as caught:
        ConceptModel.from_pretrained(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nobody/no-such-model", "odd name/with spaces", "a/-"])
def test_a_hub_name_that_cannot_be_reached(name, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        CheckpointError, match="neither a folder here nor a model that the hub gives"
    ) as caught:
        ConceptModel.from_pretrained(name)
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match=r"is not a model folder: config\.json is missing"):
        ConceptModel.from_pretrained(tmp_path)
