"""Checkpoint folders: what is written is read back, and a failed write leaves the old one."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from sparsecbm_core import files
from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.models import checkpoint
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.mask_file import load_masks, save_masks
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.record import SCHEMA_VERSION
from sparsecbm_core.models.sparse_cbm import StandardClassifier
from tests.models.complete import METRICS, TRAINING, complete
from tests.tiny import ARCHITECTURES, REVIEW, SPACE, make_tiny, random_masks, with_masks
from tests.toy import save_backbone


def standard_model() -> ConceptModel:
    model = make_tiny("bert", density=None)
    return replace(model, network=StandardClassifier(model.network.encoder, SPACE))


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
    assert torch.equal(loaded.words.log_ratios, model.words.log_ratios)
    assert loaded.words.threshold == model.words.threshold
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
    assert model.kind == kind
    model.save_pretrained(tmp_path / "model")
    loaded = ConceptModel.from_pretrained(tmp_path / "model")
    assert loaded.kind == kind
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
    save_backbone(tmp_path / "encoder")  # any Hugging Face model has a config.json
    before = sorted(os.listdir(tmp_path / "encoder"))
    with pytest.raises(CheckpointError, match="not empty and holds no checkpoint"):
        tiny_model.save_pretrained(tmp_path / "encoder")
    assert sorted(os.listdir(tmp_path / "encoder")) == before
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="is a file"):
        tiny_model.save_pretrained(tmp_path / "file")
    assert os.listdir(foreign) == ["chapter1.tex"]


def test_the_current_folder_is_refused(tmp_path, monkeypatch, tiny_models):
    """Replacing it would leave whoever works in it in a folder that is gone."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    (tmp_path / "link").symlink_to(here)
    for kept in (False, True):  # empty, and with a checkpoint that might be replaced
        if kept:
            tiny_models["bert"].save_pretrained(tmp_path / "made")
            shutil.copytree(tmp_path / "made", here, dirs_exist_ok=True)
        for name in (".", "", "../here", here, "../link"):
            with pytest.raises(
                CheckpointError, match="is the current folder, which cannot be replaced"
            ) as caught:
                tiny_models["opt"].save_pretrained(name)
            assert "\n" not in str(caught.value)
    assert ConceptModel.from_pretrained(".").fingerprint == tiny_models["bert"].fingerprint
    tiny_models["opt"].save_pretrained("below")
    assert ConceptModel.from_pretrained("below").fingerprint == tiny_models["opt"].fingerprint
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_link_stays_and_leads_to_what_was_saved_last(tmp_path, monkeypatch, tiny_models):
    link, target = tmp_path / "latest", tmp_path / "models" / "v1"
    link.symlink_to(target)  # which is not there yet
    for arch in ("bert", "opt", "bert"):
        tiny_models[arch].save_pretrained(link)
        assert ConceptModel.from_pretrained(link).fingerprint == tiny_models[arch].fingerprint
        assert os.readlink(link) == str(target)
    kill_between_the_renames(monkeypatch, target)
    with pytest.raises(KeyboardInterrupt):
        tiny_models["opt"].save_pretrained(link)
    monkeypatch.undo()
    loaded = ConceptModel.from_pretrained(link)
    assert (loaded.fingerprint, loaded.name) == (tiny_models["bert"].fingerprint, "latest")
    tiny_models["opt"].save_pretrained(link)
    assert (sorted(os.listdir(tmp_path)), os.listdir(target.parent)) == (["latest", "models"], ["v1"])


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


def kill_between_the_renames(monkeypatch, target):
    """The former checkpoint is out of the way, the new one not there yet, and nothing runs any more."""
    rename = os.replace

    def killed(source, destination):
        if Path(destination) == target:
            raise KeyboardInterrupt
        rename(source, destination)

    monkeypatch.setattr(os, "replace", killed)


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path, monkeypatch, tiny_models):
    target, old, new = tmp_path / "model", tiny_models["bert"], tiny_models["opt"]
    old.save_pretrained(target)
    kill_between_the_renames(monkeypatch, target)
    with pytest.raises(KeyboardInterrupt):
        new.save_pretrained(target)
    monkeypatch.undo()
    assert not target.exists()
    loaded = ConceptModel.from_pretrained(target)
    assert (loaded.fingerprint, loaded.name) == (old.fingerprint, "model")
    fail_on_the_last_rename(monkeypatch, target)
    with pytest.raises(OSError, match="disk full"):  # the next save fails as well
        new.save_pretrained(target)
    monkeypatch.undo()
    assert ConceptModel.from_pretrained(target).fingerprint == old.fingerprint
    new.save_pretrained(target)
    assert ConceptModel.from_pretrained(target).fingerprint == new.fingerprint
    assert os.listdir(tmp_path) == ["model"]


def test_everything_is_on_the_disk_before_it_is_renamed(tmp_path, monkeypatch, tiny_model):
    synced, rename = set(), os.replace

    def checked(source, destination):
        if Path(destination) == tmp_path / "model":
            assert {path for path in Path(source).rglob("*") if path.is_file()} <= synced
        rename(source, destination)

    monkeypatch.setattr(files, "sync", synced.add)
    monkeypatch.setattr(os, "replace", checked)
    tiny_model.save_pretrained(tmp_path / "model")
    assert len(synced) >= 7


def test_a_checkpoint_without_a_fingerprint_is_loaded(saved, tmp_path):
    """As older versions wrote them."""
    shutil.copytree(saved, tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config.pop("fingerprint") == ConceptModel.from_pretrained(saved).fingerprint
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    assert ConceptModel.from_pretrained(tmp_path / "model").masks is not None


def test_what_is_no_path_is_no_checkpoint():
    with pytest.raises(CheckpointError, match="no checkpoint folder at"):
        ConceptModel.from_pretrained("a\0b")


def test_a_report_is_recorded_in_a_folder_only():
    with pytest.raises(CheckpointError, match="in a folder here, and owner/model is none"):
        checkpoint.record_metrics("owner/model", "dev", {})


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


def test_masks_of_a_model_survive_other_masks(tiny_model, tmp_path):
    """The stored masks are the given ones, not those that the network was made with."""
    masks = random_masks(tiny_model.cbm, seed=5, density=0.5)
    with_masks(tiny_model, masks).save_pretrained(tmp_path / "model")
    assert ConceptModel.from_pretrained(tmp_path / "model").masks == masks
