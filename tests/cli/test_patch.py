"""Patches from the command line: shown, put into a model and taken out again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from sparsecbm_core.intervene.applied import apply_patch
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.patch import Patch
from sparsecbm_core.intervene.scope import Signature
from sparsecbm_core.models.concept_model import ConceptModel
from tests.cli.arguments import refused
from tests.ledger.made import patch_of
from tests.tiny import make_tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    make_tiny("bert").save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def fingerprint(model):
    return ConceptModel.from_pretrained(model).fingerprint


@pytest.fixture(scope="module")
def patches(model, fingerprint, tmp_path_factory):
    """Two patches that share five bits."""
    folder = tmp_path_factory.mktemp("patches")
    matrix = next(iter(ConceptModel.from_pretrained(model).masks.shapes))
    for name, start in (("first", 0), ("second", 5)):
        edit = MaskEdit({"food": {matrix: np.arange(start, start + 10)}})
        patch_of(edit, model=fingerprint, note=name).save(folder / name)
    return folder


def masks(folder):
    return ConceptModel.from_pretrained(folder).masks


def test_show(run, patches, fingerprint, tmp_path):
    code, out, err = run("patch", "show", patches / "first")
    assert (code, err) == (0, [])
    shown = json.loads(out)
    assert (shown["model"], shown["concept"], shown["note"]) == (fingerprint, "food", "first")
    assert (shown["flips"], shown["dropped"] + shown["grown"]) == (10, 10)
    assert [item["flips"] for item in shown["matrices"]] == [10]
    assert run("patch", "show", patches / "first", "--output", tmp_path / "p.json")[0] == 0
    assert json.loads((tmp_path / "p.json").read_text()) == shown


def test_apply_and_revert(run, model, patches, tmp_path):
    code, out, err = run("patch", "apply", "--model", model, patches / "first", "--output", tmp_path / "one")
    assert (code, err) == (0, [])
    counts = [int(word) for word in out.split() if word.isdigit()]
    assert out.startswith(f"{tmp_path / 'one'}: food, ")
    assert sum(counts) == MaskEdit.between(masks(model), masks(tmp_path / "one")).size == 10
    code, _, _ = run(
        "patch", "revert", "--model", tmp_path / "one", patches / "first", "--output", tmp_path / "b"
    )
    assert code == 0
    back, pristine = ConceptModel.from_pretrained(tmp_path / "b"), ConceptModel.from_pretrained(model)
    assert back.fingerprint == pristine.fingerprint
    assert back.training == pristine.training


def test_a_patch_for_similar_reviews(run, model, patches, tmp_path):
    """A checkpoint cannot keep the scope, so it is not lost without being told to."""
    first = Patch.load(patches / "first")
    replace(first, signature=Signature.of("The soup was cold.")).save(tmp_path / "similar")
    assert json.loads(run("patch", "show", tmp_path / "similar")[1])["scope"] == "similar"
    assert json.loads(run("patch", "show", patches / "first")[1])["scope"] == "everywhere"
    apply = ("patch", "apply", "--model", model, tmp_path / "similar", "--output", tmp_path / "out")
    refused(run(*apply), "for similar reviews alone", "--everywhere")
    assert not (tmp_path / "out").exists()
    assert run(*apply, "--everywhere")[0] == 0
    assert masks(tmp_path / "out") == first.edit.apply(masks(model))
    revert = ("patch", "revert", "--model", tmp_path / "out", tmp_path / "similar")
    assert run(*revert, "--output", tmp_path / "back")[0] == 0
    assert masks(tmp_path / "back") == masks(model)


def test_a_chain_loses_any_link(run, model, patches, tmp_path):
    last = model
    for name in ("first", "second"):
        assert run("patch", "apply", "--model", last, patches / name, "--output", tmp_path / name)[0] == 0
        last = tmp_path / name
    alone, rest = tmp_path / "alone", tmp_path / "rest"
    assert run("patch", "revert", "--model", last, patches / "first", "--output", rest)[0] == 0
    assert run("patch", "apply", "--model", model, patches / "second", "--output", alone)[0] == 0
    assert masks(rest) == masks(alone)
    assert run("patch", "revert", "--model", rest, patches / "second", "--output", tmp_path / "none")[0] == 0
    assert masks(tmp_path / "none") == masks(model)


def test_figures_are_not_carried_over(run, model, patches, tmp_path):
    """They are those of the masks before."""
    source = shutil.copytree(model, tmp_path / "measured")
    (source / "metrics.json").write_text(json.dumps({"dev": {"examples": 3, "concept_accuracy": 1.0}}))
    assert run("patch", "apply", "--model", source, patches / "first", "--output", tmp_path / "out")[0] == 0
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == {}
    assert "concept_accuracy" not in (tmp_path / "out" / "README.md").read_text()


def test_refusals(run, model, patches, fingerprint, tmp_path):
    out = ("--output", tmp_path / "out")
    other = tmp_path / "other"
    make_tiny("bert", seed=1).save_pretrained(other)
    (tmp_path / "damaged").write_bytes((patches / "first").read_bytes()[:-5])
    for command in ("apply", "revert"):
        base = ("patch", command, "--model")
        refused(run(*base, model, tmp_path / "none", *out), "there is no patch file")
        refused(run(*base, model, tmp_path / "damaged", *out), "damaged is damaged")
        refused(run(*base, tmp_path / "none", patches / "first", *out), "no checkpoint folder at")
        refused(run(*base, model, patches / "first", "--output", model), "holds a model")
    apply = ("patch", "apply", "--model", model, patches / "first", "--output")
    refused(run(*apply, patches), "is not empty")
    refused(run(*apply, patches / "first" / "x"), "first")
    refused(run("patch", "show", tmp_path / "damaged"), "damaged is damaged")
    refused(run("patch", "apply", "--model", other, patches / "first", *out), f"made for model {fingerprint}")
    refused(run("patch", "revert", "--model", other, patches / "first", *out), "does not carry this patch")
    refused(run("patch", "revert", "--model", model, patches / "first", *out), "does not carry this patch")
    assert run("patch", "apply", "--model", model, patches / "first", "--output", tmp_path / "one")[0] == 0
    refused(
        run("patch", "apply", "--model", tmp_path / "one", patches / "first", *out), "has this patch already"
    )
    refused(run("patch", "revert", "--model", tmp_path / "one", patches / "second", *out), "does not carry")
    assert not (tmp_path / "out").exists()
    assert list(tmp_path.glob(".*")) == []


def test_a_record_that_is_not_true_is_refused(run, model, patches, tmp_path):
    corrected = apply_patch(ConceptModel.from_pretrained(model), Patch.load(patches / "first"))
    lying = {**corrected.training, "corrections": [Patch.load(patches / "second").edit.fingerprint()]}
    replace(corrected, training=lying).save_pretrained(tmp_path / "lying")
    command = (
        "patch",
        "revert",
        "--model",
        tmp_path / "lying",
        patches / "second",
        "--output",
        tmp_path / "x",
    )
    refused(run(*command), "is not what its record of corrections says")


def test_a_model_without_its_record_is_known_by_its_masks(run, model, patches, tmp_path):
    corrected = apply_patch(ConceptModel.from_pretrained(model), Patch.load(patches / "first"))
    replace(corrected, training={}).save_pretrained(tmp_path / "bare")
    command = ("--model", tmp_path / "bare", patches / "first", "--output", tmp_path / "back")
    assert run("patch", "revert", *command)[0] == 0
    assert masks(tmp_path / "back") == masks(model)


def test_a_dense_model_is_refused(run, patches, tmp_path):
    dense = make_tiny("bert", density=None)
    dense.save_pretrained(tmp_path / "dense")
    patch_of(MaskEdit({"food": {"x": [1, 2]}}), model=dense.fingerprint).save(tmp_path / "p")
    for command in ("apply", "revert"):
        arguments = ("--model", tmp_path / "dense", tmp_path / "p", "--output", tmp_path / "out")
        refused(run("patch", command, *arguments), "no masks to")
