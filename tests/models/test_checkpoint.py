"""Checkpoint folders: what is written is read back, and anything unfit is refused in one line."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.models import checkpoint
from sparsecbm_core.models.checkpoint import SCHEMA_VERSION, kind_of, load_checkpoint, load_masks, save_masks
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import StandardClassifier
from tests.tiny import ARCHITECTURES, REVIEW, SPACE, make_tiny, random_masks, with_masks

METRICS = {"dev": {"examples": 3, "task_accuracy": 0.5, "sparsity": {"food": 0.75}, "prunable_weights": 4096}}
TRAINING = {
    "settings": {"kind": "sparse", "seed": 4, "backbone": "tiny"},
    "data": "toy",
    "train_examples": 48,
}


def head():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, 9, generator=generator), torch.randn(4, generator=generator)


def complete(model: ConceptModel) -> ConceptModel:
    return replace(model, head=head(), metrics=METRICS, training=TRAINING)


def standard_model() -> ConceptModel:
    model = make_tiny("bert", density=None)
    return replace(model, network=StandardClassifier(model.network.encoder, SPACE))


@pytest.fixture(scope="module")
def saved(tmp_path_factory, tiny_model) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    complete(tiny_model).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_model_comes_back_as_it_was_stored(tmp_path, tiny_models, arch):
    model = complete(tiny_models[arch])
    model.save_pretrained(tmp_path / "model")
    loaded = ConceptModel.from_pretrained(tmp_path / "model")
    before, after = model.network.state_dict(), loaded.network.state_dict()
    assert after.keys() == before.keys()
    for name, tensor in before.items():  # bit for bit, in the precision of the file
        assert after[name].dtype == torch.float32
        assert torch.equal(after[name], tensor.half().float())
    assert loaded.masks == model.masks
    assert loaded.space == model.space
    assert loaded.max_length == model.max_length
    assert all(torch.equal(a, b) for a, b in zip(loaded.head, model.head, strict=True))
    assert (loaded.metrics, loaded.training, loaded.name) == (METRICS, TRAINING, "model")
    assert loaded.fingerprint == model.fingerprint
    assert loaded.tokenizer(REVIEW)["input_ids"] == model.tokenizer(REVIEW)["input_ids"]
    assert not loaded.network.training
    assert not any(parameter.requires_grad for parameter in loaded.network.parameters())
    assert max_difference(loaded, model) < 0.05


def max_difference(first, second):
    return float((first.predict([REVIEW]).label_logits - second.predict([REVIEW]).label_logits).abs().max())


def test_the_second_round_trip_changes_nothing_at_all(saved, tmp_path):
    first = ConceptModel.from_pretrained(saved)
    first.save_pretrained(tmp_path / "model")
    second = ConceptModel.from_pretrained(tmp_path / "model")
    for file in ("masks.safetensors", "model.safetensors"):
        written, before = load_file(tmp_path / "model" / file), load_file(saved / file)
        assert written.keys() == before.keys()
        assert all(torch.equal(written[name], tensor) for name, tensor in before.items())
    assert second.masks == first.masks
    assert max_difference(first, second) == 0


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (standard_model, "standard"),
        (lambda: make_tiny("bert", density=None), "cbm"),
        (lambda: make_tiny("bert"), "sparse"),
    ],
)
def test_every_kind_of_model(tmp_path, make, kind):
    model = make()
    assert kind_of(model) == kind
    model.save_pretrained(tmp_path / "model")
    loaded = ConceptModel.from_pretrained(tmp_path / "model")
    assert kind_of(loaded) == kind
    assert (tmp_path / "model" / "masks.safetensors").exists() == (kind == "sparse")
    assert loaded.head is None
    torch.testing.assert_close(
        loaded.predict([REVIEW]).label_logits, model.predict([REVIEW]).label_logits, atol=0.05, rtol=0.05
    )


def test_the_folder_holds_what_it_should(saved):
    files = {str(path.relative_to(saved)) for path in saved.rglob("*") if path.is_file()}
    assert {
        "config.json",
        "model.safetensors",
        "masks.safetensors",
        "metrics.json",
        "README.md",
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
    } <= files
    config = json.loads((saved / "config.json").read_text())
    assert (config["schema_version"], config["kind"]) == (SCHEMA_VERSION, "sparse")
    assert json.loads((saved / "metrics.json").read_text()) == METRICS
    tensors = load_file(saved / "model.safetensors")
    assert {name: t.dtype for name, t in tensors.items() if t.dtype != torch.float16} == {
        "head.weight": torch.float32,
        "head.bias": torch.float32,
    }
    assert "mean_activations" in tensors
    modes = {path.stat().st_mode & 0o777 for path in saved.rglob("*") if path.is_file()}
    assert modes == {0o644}
    assert saved.stat().st_mode & 0o777 == 0o755


def test_the_card_says_what_the_model_is(saved):
    card = (saved / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense:")
    for part in (
        "food, service, noise",
        "On dev (3 examples)",
        "| task_accuracy | 0.5000 |",
        "seed 4",
        "toy",
    ):
        assert part in card
    assert "sparsity of 4,096 encoder weights | food 0.7500" in card
    assert "embeddings, LayerNorms and biases are" in card


def test_masks_alone_come_back(tmp_path):
    rng = np.random.default_rng(0)
    masks = MaskSet.from_bool(
        ("a", "b"), {"m": rng.random((2, 3, 5)) < 0.5, "n": rng.random((2, 1, 9)) < 0.5}
    )
    save_masks(masks, tmp_path / "masks.safetensors")
    assert load_masks(tmp_path / "masks.safetensors") == masks


def test_saving_replaces_a_checkpoint_and_nothing_else(tmp_path, tiny_model, tiny_models):
    target = tmp_path / "model"
    tiny_model.save_pretrained(target)
    (target / "notes.txt").write_text("an older file")
    tiny_models["opt"].save_pretrained(target)
    assert ConceptModel.from_pretrained(target).fingerprint == tiny_models["opt"].fingerprint
    assert not (target / "notes.txt").exists()
    assert os.listdir(tmp_path) == ["model"]

    foreign = tmp_path / "thesis"
    foreign.mkdir()
    tiny_model.save_pretrained(foreign)  # empty: nothing to lose
    shutil.rmtree(foreign)
    foreign.mkdir()
    (foreign / "chapter1.tex").write_text("years of work")
    with pytest.raises(CheckpointError, match="not empty and holds no checkpoint"):
        tiny_model.save_pretrained(foreign)
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="is a file"):
        tiny_model.save_pretrained(tmp_path / "file")
    assert os.listdir(foreign) == ["chapter1.tex"]


@pytest.mark.parametrize("step", ["save_torch", "save_masks", "model_card", "replace"])
@pytest.mark.parametrize("existing", [True, False])
def test_a_failure_while_writing_leaves_the_old_checkpoint(
    tmp_path, monkeypatch, tiny_models, step, existing
):
    target = tmp_path / "model"
    old, new = tiny_models["bert"], tiny_models["opt"]
    if existing:
        old.save_pretrained(target)
    if step == "replace":
        fail_on_the_last_rename(monkeypatch, target)
    else:
        monkeypatch.setattr(checkpoint, step, fail)
    with pytest.raises(OSError, match="disk full"):
        new.save_pretrained(target)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == (["model"] if existing else [])
    if existing:
        assert ConceptModel.from_pretrained(target).fingerprint == old.fingerprint


def fail(*_args):
    raise OSError("disk full")


def fail_on_the_last_rename(monkeypatch, target):
    rename, failed = os.replace, []

    def replace_or_fail(source, destination):
        if Path(destination) == target and not failed:
            failed.append(source)
            fail()
        rename(source, destination)

    monkeypatch.setattr(os, "replace", replace_or_fail)


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
        "masks are for concepts .*'food', 'noise', 'service'.*, the model for",
    ),
    "masks for fewer": (other_masks(("food",)), "masks are for concepts"),
    "masks of another encoder": (other_masks(arch="opt"), "do not fit the encoder's matrices"),
    "tokenizer cut": (cut("tokenizer/tokenizer.json", 0.5), "the tokenizer in .* cannot be read"),
    "tokenizer text": (write("tokenizer/tokenizer.json", b"{}"), "the tokenizer in .* cannot be read"),
}


@pytest.mark.parametrize(("damage", "problem"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_one_clear_line(folder, damage, problem):
    damage(folder)
    with pytest.raises(CheckpointError, match=problem) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_mask_bits_that_were_shifted_are_refused(folder):
    """Fewer concepts in the header than rows in the file."""
    edit_masks(concepts='["food"]')(folder)
    with pytest.raises(CheckpointError, match=r"expected uint8"):
        load_checkpoint(folder)


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
    with pytest.raises(CheckpointError, match=r"not a complete checkpoint: config\.json is missing"):
        load_checkpoint(tmp_path)


def test_masks_of_a_model_survive_other_masks(tiny_model, tmp_path):
    """The stored masks are the given ones, not those that the network was made with."""
    masks = random_masks(tiny_model.cbm, seed=5, density=0.5)
    with_masks(tiny_model, masks).save_pretrained(tmp_path / "model")
    assert ConceptModel.from_pretrained(tmp_path / "model").masks == masks
