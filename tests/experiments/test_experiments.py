"""Every experiment from end to end, on a tiny encoder and a few synthetic reviews."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from sparsecbm_core.experiments.docs import results_page
from sparsecbm_core.experiments.registry import EXPERIMENTS
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.training.phase import Phase
from sparsecbm_core.training.trainer import Trainer
from tests.cli.arguments import refused
from tests.experiments.made import content
from tests.toy import PHRASES

QUICK = (
    "batch_size=8",
    "max_length=32",
    "precision=float32",
    "num_grads=2",
    "grad_batch_size=4",
    "updates=2",
)
# They train nothing, and take no backbone.
UNTRAINED = ("table1", "figure4", "interventions", "back-and-forth", "overlap-errors")


def quick(name, data, backbone, model, out):
    """Arguments of an experiment that takes a second or two."""
    source = ["--data", data, "--out", out, "--device", "cpu"]
    training = [*source, "--train-split", "train", "--backbone", backbone, "--epochs", 1, "--seeds", 0]
    training += [part for setting in (*QUICK, "head_epochs=1") for part in ("--set", setting)]
    few = ["--guard", 3, "--profile", 2]
    more = ["--model", erring(model, out)] if name == "overlap-errors" else []
    return {
        "table1": [*source, "--splits", "train,dev"],
        "table2": training,
        "figure3": [*training, *few, "--sample", 3, "--rules", "paper,guarded", "--r", "0.001,0.01"],
        "figure4": [
            "--out",
            out,
            "--device",
            "cpu",
            "--model",
            model,
            "--file",
            own_reviews(out),
            "--cases",
            2,
        ],
        "figure5": [*training, "--sparsities", "0.75,0.9"],
        "criteria": [*training, "--sparsities", "0.75", "--criteria", "second_order,wanda,structured"],
        "front": [*training, "--lambdas", "0,0.9"],
        "honesty": [*training, "--heads", "paper,honest"],
        "interventions": [
            *source,
            *few,
            *("--model", model, "--limit", 2, "--sequential", "1,2", "--rules", "oracle,guarded,paper"),
        ],
        "back-and-forth": [
            *source,
            *few,
            *("--model", model, "--cases", 2, "--rounds", 4, "--every", 2),
        ],
        "new-concept": [*training, "--sizes", "4,all", "--draws", 1, "--weights", "any,unowned"],
        "concept-count": [*training, "--counts", "1,3"],
        "shared-cost": [
            *source,
            *("--train-split", "train", "--backbone", backbone, "--layers", 1, "--rows", "0,1"),
            *("--steps", 2, "--batch-size", 4, "--max-length", 32),
        ],
        "overlap-errors": [*source, "--model", model, *more],
    }[name]


def erring(model: Path, out: Path) -> Path:
    """The model with biases that make every state as likely as another: it errs now here and now there."""
    loaded = ConceptModel.from_pretrained(model, "cpu")
    mean = loaded.predict([phrase for phrase in PHRASES["food"] if phrase]).concept_logits.mean(0)
    with torch.no_grad():
        loaded.cbm.projector_bias.sub_(mean)
    loaded.save_pretrained(out / "erring")
    return out / "erring"


def own_reviews(out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    rows = [
        f"r{n},{text},{stars},{food},unknown,unknown,unknown"
        for n, (text, stars, food) in enumerate(
            [("<b>cold</b> soup", 1, "Negative"), ("great food", 5, "Positive"), ("a meal", 3, "unknown")] * 2
        )
    ]
    path = out / "own.csv"
    path.write_text("\n".join(["id,text,stars,food,ambiance,service,noise", *rows]), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_from_end_to_end(reproduce, data, backbone, model, tmp_path, name, monkeypatch):
    arguments = quick(name, data, backbone, model, tmp_path)
    code, out, err = reproduce(name, *arguments)
    assert (code, out) == (0, ""), err
    assert err[0].startswith(f"{name}: 0 of ")
    path = tmp_path / f"{name}.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    assert values["complete"] is True
    assert values["experiment"] == name
    assert values["parts"]
    assert values["results"]
    assert [f for f in values["figures"] if not f.endswith(".png")] == [f"{name}.html"]
    page = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
    assert "Content-Security-Policy" in page
    assert 'src="http' not in page
    for folder in (str(tmp_path), str(data), str(Path(backbone).parent)):
        assert folder not in path.read_text(encoding="utf-8")
    # Again: nothing is measured or trained, and nothing changes.
    monkeypatch.setattr(Trainer, "run", None)
    before = content(path)
    code, _, err = reproduce(name, *arguments)
    assert code == 0
    assert err[0].endswith(f"parts are in {path}")
    assert content(path) == before
    text = results_page(tmp_path, tmp_path / "results.md")
    assert values["title"] in text
    assert f"({values['figures'][-1]})" in text


@pytest.mark.slow
def test_table2_has_every_seed_and_shares_dense_models(reproduce, data, backbone, model, tmp_path):
    names = ["standard", "joint", "sparse", "distinct"]
    rows = ["--seeds", "0,1", "--rows", ",".join(names)]
    arguments = [*quick("table2", data, backbone, model, tmp_path), *rows]
    assert reproduce("table2", *arguments)[0] == 0
    values = json.loads((tmp_path / "table2.json").read_text(encoding="utf-8"))
    rows = values["results"]["rows"]
    assert [row["row"] for row in rows] == names
    for row in rows:
        assert row["seeds"] == [0, 1]
        assert len(row["task_accuracy"]["values"]) == 2
        assert (row["concept_accuracy"] is None) == (row["row"] == "standard")
        assert (row["jaccard"] is None) == (row["row"] not in ("sparse", "distinct"))
        assert row["backbone"] == "tiny-bert"
        assert row["published"] is None
    # the rows, and the dense model with votes that the last starts from
    assert len(list((tmp_path / "runs").iterdir())) == 2 * 5
    assert values["commands"][0].startswith("sparsecbm reproduce table2 --data DIR --train-split train ")
    # A further split is measured on the same models; figure5 starts from the same dense ones.
    trained = sorted((tmp_path / "runs").iterdir())
    assert reproduce("table2", *arguments, "--splits", "dev,test")[0] == 0
    assert sorted((tmp_path / "runs").iterdir()) == trained
    rows = json.loads((tmp_path / "table2.json").read_text(encoding="utf-8"))["results"]["rows"]
    assert [row["split"] for row in rows] == ["dev"] * 4 + ["test"] * 4
    assert reproduce("figure5", *quick("figure5", data, backbone, model, tmp_path))[0] == 0
    # 0.9, and with all weights; 0.75 is the row "sparse"
    assert len(set((tmp_path / "runs").iterdir()) - set(trained)) == 2


@pytest.mark.slow
def test_an_interrupted_training_goes_on(reproduce, data, backbone, model, tmp_path, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert reproduce("figure5", *quick("figure5", data, backbone, model, whole))[0] == 0
    step, steps = Phase._train_step, []

    def stop(self, *arguments):
        steps.append(1)
        if len(steps) == 6:  # the second step of the first sparse model, after two and two of dense ones
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(Phase, "_train_step", stop)
    arguments = quick("figure5", data, backbone, model, parts)
    code, out, err = reproduce("figure5", *arguments)
    assert (code, out) == (130, "")
    assert (
        err[-1]
        == f"sparsecbm: stopped: 2 of 4 parts are in {parts / 'figure5.json'}; the same command goes on"
    )
    assert reproduce("figure5", *arguments)[0] == 0
    assert content(parts / "figure5.json") == content(whole / "figure5.json")
    refused_run = reproduce("figure5", *arguments, "--set", "damp=1e-3")
    assert refused_run[0] == 2
    assert "made with other settings (prune.damp)" in refused_run[2][-1]


def test_beside_the_pruned_models_stands_one_that_kept_all_its_weights(
    reproduce, data, backbone, model, tmp_path
):
    assert reproduce("criteria", *quick("criteria", data, backbone, model, tmp_path))[0] == 0
    values = json.loads((tmp_path / "criteria.json").read_text(encoding="utf-8"))
    first, control, *pruned = values["parts"]
    assert first["labels"]["criterion"] == "dense (joint)"
    assert control["labels"]["criterion"] == "dense (joint, trained on)"
    assert control["result"]["sparsity"] == 0.0
    assert len(pruned) == 3
    one, other = ({**values["settings"], **part["settings"]} for part in (control, pruned[0]))
    assert {name for name in one if one[name] != other.get(name)} <= {
        *("prune.sparsity", "prune.criterion", "prune.updates"),
    }


@pytest.mark.slow
def test_pruning_starts_from_a_model_that_is_given(reproduce, data, backbone, model, tmp_path):
    arguments = quick("figure5", data, backbone, model, tmp_path)
    assert reproduce("figure5", *arguments)[0] == 0
    (dense,) = (path for path in (tmp_path / "runs").iterdir() if path.name.startswith("cbm-"))
    other = [*arguments, "--out", tmp_path / "other", "--init", dense / "model"]
    assert reproduce("figure5", *other)[0] == 0
    first, second = (
        {
            (row["sparsity"], "trained on" in row["model"]): row["task_accuracy"]
            for row in json.loads((folder / "figure5.json").read_text(encoding="utf-8"))["results"]["rows"]
        }
        for folder in (tmp_path, tmp_path / "other")
    )
    assert first == second
    assert not [path for path in (tmp_path / "other" / "runs").iterdir() if path.name.startswith("cbm-")]


def test_the_case_study_shows_texts_as_text(reproduce, data, backbone, model, tmp_path):
    assert reproduce("figure4", *quick("figure4", data, backbone, model, tmp_path))[0] == 0
    values = json.loads((tmp_path / "figure4.json").read_text(encoding="utf-8"))
    cases = values["results"]["cases"]
    assert len(cases) == 2
    for case in cases:
        assert case["gold_states"][case["concept"]] == case["state"]
        assert case["before"]["states"][case["concept"]] != case["state"]
        assert case["dropped"] == case["grown"] == sum(m["dropped"] for m in case["matrices"])
        assert (case["outcome"] == "reached") == (case["after"]["states"][case["concept"]] == case["state"])
    page = (tmp_path / "figure4.html").read_text(encoding="utf-8")
    assert "<b>cold</b> soup" not in page
    assert "<script" not in page


def test_the_list_has_a_line_for_each(reproduce):
    code, out, err = reproduce("list")
    assert (code, err) == (0, [])
    assert [line.split()[0] for line in out.splitlines()] == list(EXPERIMENTS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["table3"], "No such command 'table3'"),
        (["figure5", "--sparsities", "half"], "--sparsities must be numbers separated by commas, got 'half'"),
        (["figure5", "--recipe", "joint"], "unknown sparse recipe 'joint'; choose one of: sparse"),
        (["front", "--ways", "nope"], "unknown way 'nope'; choose one of: penalty"),
        (["table2", "--rows", "nope"], "unknown row 'nope'; choose one of: standard"),
        (["figure3", "--rules", "nope"], "unknown rule 'nope'; choose one of: guarded"),
        (["interventions", "--rules", "nope"], "unknown rule 'nope'; choose one of"),
        (["interventions", "--model", "nowhere"], "nowhere"),
        (["overlap-errors", "--model", "nowhere"], "nowhere"),
        (["shared-cost", "--steps", 0], "--steps must be at least 1, got 0"),
        (["concept-count", "--counts", "2,5"], "--counts must be from 1 to 4, the concepts there are; got 5"),
        (["concept-count", "--recipes", "standard"], "unknown recipe 'standard'; choose one of: joint"),
        (["concept-count", "--order", "price"], "unknown concept 'price'; choose one of: food"),
        (["back-and-forth", "--rules", "nope"], "unknown rule 'nope'; choose one of: guarded"),
        (["back-and-forth", "--ways", "nope"], "unknown way 'nope'; choose one of: alone, together"),
        (["back-and-forth", "--rounds", 3], "--rounds must be at least 4, got 3"),
        (["figure4", "--file", "nowhere.csv"], "there is no file nowhere.csv"),
        (["table1", "--splits", "nope"], "unknown CEBaB split 'nope'"),
        (["figure5", "--dev-split", "train"], "train (train) and dev (train) are the same reviews"),
        (["criteria", "--criteria", "nope"], "unknown criterion 'nope'"),
        (["table2", "--set", "nope=1"], "unknown setting (as name=value) 'nope=1'"),
    ],
)
def test_bad_input_is_one_line(reproduce, data, backbone, tmp_path, arguments, said):
    name = arguments[0]
    where = [] if name in ("figure4", "table3") else ["--data", data]
    if name not in (*UNTRAINED, "table3"):
        where += ["--train-split", "train", "--backbone", backbone]
    out = [] if name == "table3" else ["--out", tmp_path]
    refused(reproduce(*arguments, *where, *out), said)
    assert not list(tmp_path.glob("*.json"))


def test_other_data_sets_have_files_of_their_own(reproduce, data, tmp_path):
    csv = own_reviews(tmp_path)
    columns = ["--label-column", "stars", "--concept-columns", "food,service"]
    code, _, err = reproduce("table1", "--dataset", "csv", "--data", csv, *columns, "--out", tmp_path)
    assert code == 0, err
    values = json.loads((tmp_path / "table1-csv.json").read_text(encoding="utf-8"))
    assert values["dataset"] == "csv"
    counts = values["results"]["counts"][0]
    assert counts["concepts"]["food"]["Negative"] == {"count": 2, "percent": pytest.approx(100 / 3)}
    assert values["figures"] == []  # nothing published to draw beside
    assert reproduce("table1", *quick("table1", data, None, None, tmp_path))[0] == 0
    page = results_page(tmp_path, tmp_path / "results.md")
    assert page.index("## Table 1: the data\n") < page.index("## Table 1: the data (csv)\n")
