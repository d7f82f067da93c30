"""Files written by the first version still open, and say what they said then.

The folder holds a tiny model and its dense companion, patches, a ledger, a guard profile and baseline, a
saved explanation and a report; ``said.json`` is what the models answered when these were written.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sparsecbm_core.data.table import load_csv
from sparsecbm_core.evaluate.trust.file import read_report
from sparsecbm_core.explain import explain
from sparsecbm_core.explain.schema import load_explanation
from sparsecbm_core.intervene.correct import intervene
from sparsecbm_core.intervene.guard import GuardBaseline
from sparsecbm_core.intervene.guard_files import load_baseline, load_profile
from sparsecbm_core.intervene.in_force import corrected_model
from sparsecbm_core.intervene.patch import Patch
from sparsecbm_core.ledger import Ledger
from sparsecbm_core.models.concept_model import ConceptModel
from tests.reports import made_report

FILES = Path(__file__).parent / "fixtures" / "0.1"


@pytest.fixture(scope="module")
def said():
    return json.loads((FILES / "said.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def model():
    return ConceptModel.from_pretrained(FILES / "model", "cpu")


@pytest.fixture(scope="module")
def guard(model):
    space = model.space
    return load_csv(
        FILES / "guard.csv",
        "text",
        "label",
        space.concepts,
        states=space.states,
        labels=space.labels,
        name="guard reviews",
        split="guard",
    )


def plain(values: dict) -> dict:
    """As it comes back from a file: tuples are lists there."""
    return json.loads(json.dumps(values))


def close(found: torch.Tensor, expected: list) -> None:
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=1e-5)


def test_models_answer_as_they_did(model, said):
    dense = ConceptModel.from_pretrained(FILES / "dense", "cpu")
    assert (model.fingerprint, dense.fingerprint) == (said["fingerprint"], said["dense_fingerprint"])
    answer = model.predict([said["review"]])
    close(answer.concept_logits[0], said["concepts"])
    close(answer.label_logits[0], said["labels"])
    close(dense.predict([said["review"]]).label_logits[0], said["dense"])


def test_a_model_saved_again_is_the_same(model, said, tmp_path):
    model.save_pretrained(tmp_path / "again")
    again = ConceptModel.from_pretrained(tmp_path / "again", "cpu")
    assert again.fingerprint == said["fingerprint"]
    for name in ("model.safetensors", "masks.safetensors"):
        before, after = load_file(FILES / "model" / name), load_file(tmp_path / "again" / name)
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before)


def test_patches_correct_as_they_did(model, said):
    patch = Patch.load(FILES / "everywhere.safetensors")
    assert (patch.edit.fingerprint(), patch.note, patch.scope) == (said["edit"], "made before", "everywhere")
    close(corrected_model(model, patch.edit).predict([said["review"]]).concept_logits[0], said["corrected"])
    assert patch.to_bytes() == (FILES / "everywhere.safetensors").read_bytes()
    similar = Patch.load(FILES / "similar.safetensors")
    assert similar.scope == "similar"
    similar.check(model)


def test_the_ledger_holds_what_was_kept(model, said, tmp_path):
    file = Path(shutil.copy(FILES / "ledger.sqlite3", tmp_path))
    with Ledger.open(file) as ledger:
        kept = ledger.list()
        assert [(item.id, item.active, item.note) for item in kept] == [
            (1, True, "made before"),
            (2, False, "for such reviews"),
        ]
        assert kept[0].text == said["review"]
        close(ledger.replay(model).predict([said["review"]]).concept_logits[0], said["corrected"])


def test_guard_files_lead_to_the_same_correction(model, guard, said, monkeypatch):
    monkeypatch.setattr("sparsecbm_core.intervene.flips.AUTO_LIMIT", 0.2)
    profile = load_profile(FILES / "profile.safetensors")
    done = intervene(model, said["review"], "food", said["state"], profile=profile)
    assert done.edit.fingerprint() == said["edit"]
    baseline = load_baseline(FILES / "baseline.safetensors", model, guard)
    close(baseline.concept_logits, said["baseline"])
    assert plain(baseline.report(done.corrected, ("food",)).to_dict()) == said["guard"]
    assert (
        plain(GuardBaseline.read(model, guard).report(done.corrected, ("food",)).to_dict()) == said["guard"]
    )


def test_a_saved_explanation_opens_and_is_made_anew_the_same(model, said):
    content = json.loads((FILES / "explanation.json").read_text(encoding="utf-8"))
    saved = load_explanation(content)
    now = plain(saved.to_dict())
    assert now["expected"] is now["rest"] is None
    for item in now["concepts"].values():
        assert item.pop("strengths") == {}
    assert {name: now[name] for name in content} == {**content, "schema_version": 2}
    fresh = explain(model, said["review"], "gradient")
    assert (fresh.label, fresh.fingerprint) == (saved.label, saved.fingerprint)
    for concept, item in saved.concepts.items():
        assert fresh.concepts[concept].state == item.state
        words = [(word.text, word.start, word.end) for word in fresh.concepts[concept].tokens]
        assert words == [(word.text, word.start, word.end) for word in item.tokens]
        scores = torch.tensor([word.score for word in fresh.concepts[concept].tokens])
        close(scores, [word.score for word in item.tokens])


def test_a_report_reads_as_it_was_written():
    assert read_report(FILES / "evaluation.json") == made_report()
