"""``intervene`` and ``intervene-eval`` from a terminal."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from sparsecbm_core.intervene.guard_files import save_profile
from sparsecbm_core.intervene.patch import Patch
from sparsecbm_core.intervene.profile import compute_profile
from sparsecbm_core.models.concept_model import ConceptModel
from tests.cli.arguments import refused
from tests.tiny import make_tiny

TEXT = "the soup was cold and the waiters were rude"


@pytest.fixture(autouse=True)
def small_models_need_larger_shares(monkeypatch):
    monkeypatch.setattr("sparsecbm_core.intervene.flips.AUTO_LIMIT", 0.2)


@pytest.fixture
def model(trained):
    return trained / "model"


@pytest.fixture
def guard(tmp_path):
    path = tmp_path / "guard.csv"
    rows = [("good food", "Positive"), ("cold soup", "Negative"), ("we had dessert", "unknown")]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "stars", "food", "ambiance", "service", "noise"])
        for number, (text, food) in enumerate(rows):
            writer.writerow([number, text, number + 1, food, "unknown", "Negative", "unknown"])
    return path


def other_state(model, concept):
    loaded = ConceptModel.from_pretrained(model)
    said = loaded.predict([TEXT]).concept_logits[0, loaded.space.concept_index(concept)]
    return loaded.space.states[int(said.argsort(descending=True)[1])]


def test_a_patch_for_similar_reviews_alone(run, model, tmp_path):
    arguments = ["--model", model, "--text", TEXT, "--concept", "food", "--state", other_state(model, "food")]
    out = tmp_path / "p.safetensors"
    assert run("intervene", *arguments, "--rule", "signed", "--scope", "similar", "--patch", out)[0] == 0
    assert Patch.load(out).scope == "similar"


def test_a_correction_with_its_guard_report_and_patch(run, model, guard, tmp_path):
    state, before = other_state(model, "service"), (model / "masks.safetensors").read_bytes()
    arguments = ["--model", model, "--text", TEXT, "--concept", "service", "--state", state]
    files = ["--guard", guard, "--label-column", "stars", "--patch", tmp_path / "p.safetensors"]
    code, _, _ = run("intervene", *arguments, *files, "--output", tmp_path / "out.json", "--note", "hotfix")
    assert code == 0
    said = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert (said["outcome"], said["rule"], said["after"]["state"]) == ("reached", "guarded", state)
    assert said["guard"]["reviews"] == 3
    patch = Patch.load(tmp_path / "p.safetensors")
    assert (patch.note, patch.text, patch.concept) == ("hotfix", None, "service")
    assert patch.edit.size == said["flips"] > 0
    assert (model / "masks.safetensors").read_bytes() == before
    assert list((model / "guard_profiles").iterdir())  # kept beside the model for the next time
    # the profile beside the model is enough from now on
    assert run("intervene", *arguments)[0] == 0


@pytest.fixture
def alone(model, tmp_path):
    """A copy of the model with no profile beside it."""
    profiles = shutil.ignore_patterns("guard_profiles", "guard_baselines")
    return Path(shutil.copytree(model, tmp_path / "alone", ignore=profiles))


def used_by(monkeypatch):
    """Fills with the data of the profile that each correction is made with."""
    from sparsecbm_core.intervene import correct

    seen, intervene = [], correct.intervene

    def spy(model, text, concept, state, rule, r, profile, *more, **named):
        seen.append((profile.data, profile.reviews))
        return intervene(model, text, concept, state, rule, r, profile, *more, **named)

    monkeypatch.setattr(correct, "intervene", spy)
    return seen


def test_other_guard_reviews_have_a_profile_of_their_own(run, alone, guard, tmp_path, monkeypatch):
    seen = used_by(monkeypatch)
    fewer = tmp_path / "fewer.csv"
    fewer.write_text("".join(guard.read_text(encoding="utf-8").splitlines(True)[:3]), encoding="utf-8")
    command = ["intervene", "--model", alone, "--text", TEXT, "--concept", "food"]
    command += ["--state", other_state(alone, "food"), "--label-column", "stars"]
    for file in (guard, fewer, guard):
        assert run(*command, "--guard", file)[0] == 0
    assert [reviews for _, reviews in seen] == [3, 2, 3]
    assert seen[0] == seen[2]
    assert len({data for data, _ in seen}) == 2
    assert run(*command)[0] == 0
    assert seen[3] in seen[:2]


def test_the_profile_that_came_with_the_model_goes_before(run, alone, guard, monkeypatch):
    """A damaged one does not stand in the way, unless there is nothing else to go by."""
    seen, loaded = used_by(monkeypatch), ConceptModel.from_pretrained(alone)
    shipped = alone / "guard_profiles" / f"{loaded.fingerprint}-made.safetensors"
    save_profile(compute_profile(loaded, ["good food"] * 7, "made"), shipped)
    command = ["intervene", "--model", alone, "--text", TEXT, "--concept", "food"]
    command += ["--state", other_state(alone, "food"), "--label-column", "stars"]
    assert run(*command, "--guard", guard)[0] == run(*command)[0] == 0
    assert seen == [("made", 7)] * 2
    shipped.write_bytes(shipped.read_bytes()[:-9])
    refused(run(*command), "rule 'guarded' needs to know what to leave alone: give --guard")
    assert run(*command, "--guard", guard)[0] == 0
    assert seen[2][1] == 3


@pytest.mark.parametrize("rule", ["signed", "paper", "random", "oracle", "finetune", "head"])
def test_every_rule(run, model, rule):
    state = other_state(model, "food")
    code, out, _ = run(
        "intervene", "--model", model, "--text", TEXT, "--concept", "food", "--state", state, "--rule", rule
    )
    assert code == 0
    assert json.loads(out)["rule"] == rule


@pytest.mark.parametrize(
    ("more", "fragment"),
    [
        (["--concept", "smell"], "unknown concept 'smell'"),
        (["--state", "Great"], "unknown state 'Great'"),
        (["--rule", "magic"], "unknown rule 'magic'"),
        (["--scope", "nearby"], "unknown scope 'nearby'"),
        (["--r", "much"], "--r must be a number or auto"),
        (["--r", "2"], "r must be 'auto' or a share in"),
        (["--text", " "], "text is empty"),
        (["--guard", "nowhere.csv"], "there is no guard file"),
        (["--rule", "oracle", "--patch", "p.safetensors"], "no correction to write"),
    ],
)
def test_bad_input_is_one_line(run, model, tmp_path, monkeypatch, more, fragment):
    monkeypatch.chdir(tmp_path)
    state = other_state(model, "food")
    arguments = ["--model", model, "--text", TEXT, "--concept", "food", "--state", state, "--rule", "signed"]
    refused(run("intervene", *arguments, *more), fragment)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_guard_file_is_one_line(run, model, tmp_path):
    (tmp_path / "guard.csv").write_text("text,label,food,ambiance,service,noise\n", encoding="utf-8")
    arguments = ["--model", model, "--text", TEXT, "--concept", "food", "--state", "Positive"]
    refused(run("intervene", *arguments, "--guard", tmp_path / "guard.csv"), "")


def test_rules_measured(run, model, data, tmp_path):
    arguments = ["--model", model, "--data", data, "--limit", "2", "--guard", "2", "--profile", "2"]
    output = tmp_path / "out.json"
    code, _, _ = run("intervene-eval", *arguments, "--rules", "oracle,signed", "--output", output)
    assert code == 0
    said = json.loads(output.read_text(encoding="utf-8"))
    assert set(said["rules"]) == {"oracle", "signed"}
    more = ["--rules", "oracle,signed,paper", "--output", output, "--resume"]
    assert run("intervene-eval", *arguments, *more)[0] == 0
    again = json.loads(output.read_text(encoding="utf-8"))
    assert again["rules"]["signed"] == said["rules"]["signed"]
    assert set(again["rules"]) == {"oracle", "signed", "paper"}
    for more, protected in ([], True), (["--no-protect"], False):
        chain = ["--rules", "guarded", "--sequential", "2", *more]
        code, out, _ = run("intervene-eval", *arguments, *chain)
        assert code == 0
        assert json.loads(out)["sequential"]["guarded"][0]["protected"] is protected
    refused(run("intervene-eval", *arguments, "--sequential", "a"), "whole numbers")
    refused(run("intervene-eval", *arguments, "--rules", "magic"), "unknown rule")


def test_a_model_of_other_concepts_than_the_data_is_one_line(run, data, tmp_path):
    """Three concepts, where CEBaB has four."""
    make_tiny("bert").save_pretrained(tmp_path / "model")
    arguments = [
        "--model",
        tmp_path / "model",
        "--data",
        data,
        "--limit",
        "2",
        "--guard",
        "2",
        "--profile",
        "2",
    ]
    refused(
        run("intervene-eval", *arguments, "--rules", "signed"),
        "has concepts ['food', 'ambiance', 'service', 'noise']",
        "the model needs ['food', 'service', 'noise']",
    )
