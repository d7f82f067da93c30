"""Patch files carry a correction from one copy of a model to another, and refuse whatever is none."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from sparsecbm_core.errors import PatchError
from sparsecbm_core.intervene.applied import apply_patch
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.patch import HEADER, LARGEST, PATCH_VERSION, Patch
from sparsecbm_core.intervene.scope import Signature
from tests.tiny import make_tiny

EDIT = MaskEdit({"food": {"layer.0": [1, 5, 2**31 + 7], "layer.1": [0]}})
GUARD = {"data": "toy dev", "reviews": 3, "concept": {"total": 3, "unchanged": 2, "accuracy_after": 0.5}}
PATCH = Patch(
    edit=EDIT,
    model="0123456789abcdef",
    concept="food",
    state_before="Positive",
    state="Negative",
    rule="guarded",
    r=2e-5,
    seed=3,
    dropped=2,
    grown=2,
    created="2026-03-04T05:06:07+00:00",
    guard=GUARD,
    note="cold soup",
)


def file_of(tensors=None, **changes):
    """A patch file with parts of its header replaced; None takes one away."""
    values = {**PATCH.header(), **changes}
    header = {name: value for name, value in values.items() if name not in changes or value is not None}
    found = {"food/layer.0": np.array([1, 5, 7, 9], dtype=np.uint32)} if tensors is None else tensors
    return save(found, {HEADER: json.dumps(header)})


@pytest.mark.parametrize(
    "patch",
    [
        PATCH,
        replace(PATCH, guard=None, note="", text="Ärger 🥶 \ud800 \0"),
        replace(PATCH, edit=MaskEdit({}), dropped=0, grown=0),
        replace(PATCH, signature=Signature.of("The soup was cold.")),
        replace(PATCH, edit=MaskEdit({"food/drink": {"l": [1, 2, 3, 4]}}), concept="food/drink"),
    ],
    ids=["plain", "odd text", "empty", "similar", "slash"],
)
def test_round_trip(patch, tmp_path):
    path = tmp_path / "new" / "folder" / "p.safetensors"
    patch.save(path)
    assert Patch.load(path) == Patch.load(str(path)) == Patch.from_bytes(path.read_bytes()) == patch
    assert Patch.load(path).to_bytes() == patch.to_bytes() == path.read_bytes()
    assert os.listdir(path.parent) == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_the_scope_follows_from_the_signature():
    similar = replace(PATCH, signature=Signature.of("The soup was cold."))
    assert (PATCH.scope, similar.scope) == ("everywhere", "similar")
    assert similar.header()["scope"] == "similar"
    assert len(similar.to_bytes()) < len(PATCH.to_bytes()) + 700
    assert b"soup was" not in similar.to_bytes()
    with pytest.raises(PatchError, match="signature of a patch must be a signature or nothing"):
        replace(PATCH, signature="00" * 256)


def test_the_first_version_is_read():
    """Patches from before there was a scope hold everywhere."""
    first = file_of(schema_version=1, scope=None, signature=None)
    assert b"signature" not in first
    found = Patch.from_bytes(first)
    assert (found.scope, found.schema_version, found.note) == ("everywhere", PATCH_VERSION, PATCH.note)


FLIPS = st.dictionaries(
    st.text(min_size=1, max_size=5).filter(lambda name: name.isprintable()),
    st.dictionaries(
        st.sampled_from(["layer.0", "layer.1"]),
        st.lists(st.integers(0, 2**32 - 1), unique=True, min_size=1, max_size=9),
        min_size=1,
    ),
    max_size=3,
)


@given(
    flips=FLIPS, note=st.text(), text=st.none() | st.text(), r=st.floats(0, 1), seed=st.integers(0, 2**63 - 1)
)
@settings(max_examples=50)
def test_any_patch_survives_its_file(flips, note, text, r, seed):
    edit = MaskEdit(flips)
    patch = replace(PATCH, edit=edit, dropped=edit.size, grown=0, note=note, text=text, r=r, seed=seed)
    assert Patch.from_bytes(patch.to_bytes()) == patch


@given(data=st.data())
@settings(max_examples=150)
def test_damage_is_refused_or_harmless(data):
    """A file with any byte changed or any end missing is refused, or is a patch like any other."""
    content = bytearray(PATCH.to_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = Patch.from_bytes(bytes(content), "p")
    except PatchError:
        return
    assert Patch.from_bytes(found.to_bytes()) == found


@pytest.mark.parametrize("length", [0, 1, 7, 8, 20, -1])
def test_a_truncated_file_is_refused(tmp_path, length):
    path = tmp_path / "p.safetensors"
    path.write_bytes(PATCH.to_bytes()[:length])
    with pytest.raises(PatchError, match=r"^p\.safetensors is damaged, or no patch file$"):
        Patch.load(path)


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (b"notes, no patch at all", "is damaged, or no patch file"),
        (save({"w": np.ones(3)}), "is a safetensors file, but no patch of this project"),
        (save({"w": np.ones(3)}, {"format": "pt"}), "but no patch of this project"),
        (save({}, {HEADER: "{"}), "header cannot be read"),
        (save({}, {HEADER: "[1]"}), "header cannot be read"),
        (save({}, {HEADER: "[" * 100_000}), "header cannot be read"),
        (save({}, {HEADER: "{}"}), "header cannot be read"),
        (file_of(schema_version=PATCH_VERSION + 1), f"patch version {PATCH_VERSION + 1}; this version reads"),
        (file_of(schema_version="1"), "patch version '1'"),
        (file_of({"food/l": np.ones(4, dtype=np.float32)}), "whole numbers, got float32"),
        (file_of({"food/l": np.ones((2, 2), dtype=np.uint32)}), "of shape (2, 2)"),
        (file_of({"food/l": np.array([1, 1, 2, 3], dtype=np.uint32)}), "name a weight twice"),
        (file_of({"food/l": np.array([1, -1, 2, 3], dtype=np.int64)}), "negative index -1"),
        (file_of({"food/l": np.array([1, 2], dtype=np.uint32)}), "patch of 2 flips cannot have dropped 2"),
        (file_of(dropped=-1, grown=5), "dropped and grown of a patch must be counts"),
        (file_of(rule=None), "missing 1 required positional argument: 'rule'"),
        (file_of(more="x"), "unexpected keyword argument 'more'"),
        (file_of(edit={}), "multiple values for keyword argument 'edit'"),
        (file_of(model=5), "model of a patch must be text, got 5"),
        (file_of(note=["x"]), "note of a patch must be text"),
        (file_of(text=5), "text of a patch must be text or nothing"),
        (file_of(seed=1.5), "seed of a patch must be a whole number"),
        (file_of(seed=2**63), "seed of a patch must be below 2^63"),
        (file_of(dropped=True, grown=3), "dropped of a patch must be a whole number"),
        (file_of(r=float("nan")), "r of a patch must be a finite number"),
        (file_of(r="0.1"), "r of a patch must be a finite number"),
        (file_of(guard=[1]), "guard summary or the time"),
        (file_of(guard={"x": float("inf")}), "guard summary or the time"),
        (file_of(created="yesterday"), "guard summary or the time"),
        (file_of(scope="similar"), "scope of a patch must be everywhere, by its signature, got 'similar'"),
        (file_of(scope="elsewhere"), "got 'elsewhere'"),
        (file_of(scope=None), "scope of a patch must be everywhere, by its signature, got None"),
        (file_of(scope=["similar"]), "got ['similar']"),
        (
            file_of(signature="00" * 256),
            "scope of a patch must be similar, by its signature, got 'everywhere'",
        ),
        (file_of(signature="00" * 255, scope="similar"), "a signature is written as 512 hexadecimal digits"),
        (file_of(signature="0g" * 256, scope="similar"), "a signature is written as 512 hexadecimal digits"),
        (file_of(signature=5, scope="similar"), "a signature is written as 512 hexadecimal digits, got 5"),
    ],
)
def test_what_is_no_patch_is_refused(tmp_path, content, fragment):
    path = tmp_path / "p.safetensors"
    path.write_bytes(content)
    for call in (lambda: Patch.load(path), lambda: Patch.from_bytes(content, "p.safetensors")):
        with pytest.raises(PatchError) as caught:
            call()
        assert fragment in str(caught.value)
        assert str(caught.value).startswith("p.safetensors ")
        assert "\n" not in str(caught.value)


def test_what_cannot_be_read_is_refused(tmp_path):
    for path in (tmp_path / "none", tmp_path, tmp_path / "a\0b"):
        with pytest.raises(PatchError, match="there is no patch file"):
            Patch.load(path)
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(PatchError, match="larger than 64 MB"):
        Patch.load(big)
    with pytest.raises(PatchError, match="larger than 64 MB"):
        Patch.from_bytes(bytes(LARGEST + 1))


def test_a_target_that_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    (tmp_path / "plain").write_text("a file")
    (tmp_path / "folder").mkdir()
    for target in ("plain/p.safetensors", "folder", "a\0b"):
        with pytest.raises(PatchError, match="cannot write the patch"):
            PATCH.save(tmp_path / target)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    (tmp_path / "old").write_text("as it was")
    for target in ("new", "old"):
        with pytest.raises(PatchError, match="No space left on device"):
            PATCH.save(tmp_path / target)
    assert sorted(os.listdir(tmp_path)) == ["folder", "old", "plain"]
    assert (tmp_path / "old").read_text() == "as it was"
    assert os.listdir(tmp_path / "folder") == []


def test_a_folder_that_may_not_be_written():
    """/proc takes no files from anybody."""
    with pytest.raises(PatchError, match="cannot write the patch"):
        PATCH.save("/proc/nothing/p.safetensors")


def test_a_weight_beyond_what_a_patch_can_name_is_refused():
    far = replace(PATCH, edit=MaskEdit({"food": {"l": [2**32, 1]}}), dropped=1, grown=1)
    with pytest.raises(PatchError, match="weight 4294967296 of l"):
        far.to_bytes()


def test_times():
    moment = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    for created in ("2026-03-04T05:06:07Z", "2026-03-04T07:06:07+02:00", "2026-03-04T05:06:07"):
        assert replace(PATCH, created=created).time == moment
    assert replace(PATCH, created="2026-03-04T05:06:07").time.tzinfo is UTC


def test_a_patch_fits_its_model_alone(tiny_model):
    matrix = next(iter(tiny_model.masks.shapes))
    edit = MaskEdit({"food": {matrix: [1, 2]}})
    own = replace(PATCH, edit=edit, model=tiny_model.fingerprint, dropped=1, grown=1)
    own.check(tiny_model)
    other = make_tiny("bert", seed=1)
    with pytest.raises(PatchError, match=f"made for model {own.model}, this is {other.fingerprint}"):
        own.check(other)
    with pytest.raises(PatchError, match="mean nothing in another"):
        own.check(replace(tiny_model, masks=edit.apply(tiny_model.masks)))
    foreign = replace(own, edit=MaskEdit({"price": {matrix: [1, 2]}}))
    with pytest.raises(PatchError, match="does not fit tiny-bert: unknown concept 'price'"):
        foreign.check(tiny_model)
    dense = make_tiny("bert", density=None)
    with pytest.raises(PatchError, match="is a dense model"):
        replace(own, model=dense.fingerprint).check(dense)


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"concept": "price"}, "unknown concept 'price'; choose one of: food, service, noise"),
        ({"state": "Great"}, "unknown state 'Great'; choose one of: Negative, Positive, unknown"),
        ({"state_before": ""}, "unknown state ''; choose one of: Negative, Positive, unknown"),
        (
            {"concept": "noise"},
            "corrects 'noise', and may flip no bits of another concept, but flips some of 'food'",
        ),
    ],
)
def test_a_patch_says_what_it_does(tiny_model, changes, fragment):
    """Its flips are what is applied, so its concept and states must not tell another story."""
    matrix = next(iter(tiny_model.masks.shapes))
    values = {"edit": MaskEdit({"food": {matrix: [1, 2]}}), "model": tiny_model.fingerprint}
    own = replace(PATCH, **values, dropped=1, grown=1)
    own.check(tiny_model)
    replace(own, edit=MaskEdit({}), dropped=0, grown=0).check(tiny_model)
    lying = replace(own, **changes)
    for refuse in (lying.check, lambda model: apply_patch(model, lying)):
        with pytest.raises(PatchError) as caught:
            refuse(tiny_model)
        assert str(caught.value).startswith("the patch does not fit tiny-bert: ")
        assert str(caught.value).endswith(fragment)


def test_a_patch_flips_bits_of_its_own_concept_alone(tiny_model):
    matrix = next(iter(tiny_model.masks.shapes))
    edit = MaskEdit({name: {matrix: [1]} for name in ("food", "service", "noise")})
    own = replace(PATCH, edit=edit, model=tiny_model.fingerprint, dropped=1, grown=2)
    with pytest.raises(PatchError, match=r"but flips some of 'noise', 'service'$"):
        own.check(tiny_model)


def test_a_patch_has_a_few_kilobytes():
    rng = np.random.default_rng(0)
    edit = MaskEdit({"food": {f"layer.{n}": rng.choice(10**6, 12, replace=False) for n in range(36)}})
    patch = replace(PATCH, edit=edit, dropped=216, grown=216)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p"
        patch.save(path)
        assert path.stat().st_size < 6000
