"""The data sets that the commands read, and how their options name them."""

from __future__ import annotations

import json

from sparsecbm_core.concepts import CEBAB
from sparsecbm_core.models.concept_model import ConceptModel
from tests.cli.arguments import refused, train_arguments


def test_data_stats(run, data, tmp_path):
    code, out, err = run(
        "data", "stats", "--data", data, "--splits", "train, dev", "--output", tmp_path / "s.json"
    )
    assert code == 0
    assert err == [f"wrote {tmp_path / 's.json'}"]
    assert "CEBaB" in out
    assert "train" in out
    stats = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert [(split["split"], split["rows_kept"]) for split in stats["splits"]] == [("train", 16), ("dev", 8)]
    assert list(stats["concepts"]) == list(CEBAB.concepts)


def test_the_data_folder_can_come_from_the_environment(run, data, monkeypatch):
    monkeypatch.setenv("SPARSECBM_DATA", str(data))
    assert run("data", "stats", "--splits", "dev")[0] == 0


def test_csv_data(run, backbone, tmp_path):
    rows = ["text,stars,food,noise"] + [f"soup {i},{i % 2},{('pos', 'neg')[i % 2]}," for i in range(8)]
    (tmp_path / "train.csv").write_text("\n".join(rows))
    (tmp_path / "dev.csv").write_text("\n".join([*rows[:4], "meal,1,neg,"]))
    csv = ["--dataset", "csv", "--label-column", "stars", "--state-map", "pos=Positive,neg=Negative"]
    columns = ["--concept-columns", "food, noise"]
    run_folder = tmp_path / "run"
    code, _, err = run("train", *train_arguments(run_folder, tmp_path, backbone, *csv, *columns))
    assert (code, err) == (0, [])
    code, out, _ = run("evaluate", "--model", run_folder / "model", "--data", tmp_path, *csv)
    assert code == 0
    assert set(json.loads(out)["per_concept"]) == {"food", "noise"}
    # one file is one split: it cannot be both
    arguments = train_arguments(tmp_path / "other", tmp_path / "train.csv", backbone, *csv, *columns)
    refused(run("train", *arguments), "train and dev are the same reviews")


def write_csv(path, *rows):
    path.write_text("\n".join(("text,label,f,n", *rows)))
    return path


def stats(run, *arguments):
    code, out, err = run("data", "stats", *arguments)
    assert (code, err) == (0, [])
    return out


def test_a_csv_file_is_one_split(run, tmp_path):
    file = write_csv(tmp_path / "mine.csv", "good soup,1,Positive,", "cold soup,0,Negative,")
    csv = ("--dataset", "csv", "--data", file, "--concept-columns", "f,n")
    assert "all    2     2     0" in stats(run, *csv)
    refused(run("data", "stats", *csv, "--splits", "train,dev"), "holds the same reviews as mine train")


def test_a_csv_folder_has_the_labels_of_its_first_split(run, tmp_path):
    write_csv(tmp_path / "train.csv", "good soup,1,Positive,", "cold soup,0,Negative,")
    write_csv(tmp_path / "dev.csv", "bad soup,0,Negative,")
    counted = stats(run, "--dataset", "csv", "--data", tmp_path, "--concept-columns", "f,n")
    assert "rows               2 (67%)  1 (33%)" in counted


def test_csv_concepts_and_states_can_be_named(run, tmp_path):
    file = write_csv(tmp_path / "mine.csv", "good soup,1,++,no", "cold soup,0,yes,no")
    columns = ("--concept-columns", "f=food, n=noise", "--states", "no, yes", "--state-map", "++=yes")
    counted = stats(run, "--dataset", "csv", "--data", file, *columns)
    assert "concept (rows read)  no        yes" in counted
    assert "food                 0 (0%)    2 (100%)" in counted


def write_imdb(folder):
    header = "review,sentiment,acting,storyline,emotional arousal,cinematography,soundtrack"
    for split, kind, label in (
        ("train", "manual", "Positive"),
        ("train", "generated", "Negative"),
        ("dev", "manual", "Negative"),
        ("dev", "generated", "Positive"),
    ):
        row = f"{split} {kind},{label},Positive,,,,Negative"
        (folder / f"IMDB-{split}-{kind}.csv").write_text(f"{header}\n{row}\n")
    return folder


def test_imdb_by_its_own_splits_source_and_concepts(run, tmp_path):
    imdb = ("--dataset", "imdb", "--data", write_imdb(tmp_path))
    counted = stats(run, *imdb)
    assert "train  2     2     0" in counted
    assert "dev    2     2     0" in counted
    counted = stats(run, *imdb, "--source", "manual", "--concepts", "acting, soundtrack")
    assert "IMDB-C manual" in counted
    assert "train  1     1     0" in counted
    assert "soundtrack           2 (100%)" in counted
    assert "storyline" not in counted
    refused(run("data", "stats", *imdb, "--source", "me"), "unknown IMDB-C source 'me'")


def test_training_knows_the_splits_of_its_data(run, backbone, tmp_path):
    imdb = ("--dataset", "imdb", "--data", write_imdb(tmp_path), "--kind", "cbm", "--dense-epochs", "1")
    quick = ("--backbone", backbone, "--set", "max_length=32", "--precision", "float32")
    code, out, _ = run("train", "--output", tmp_path / "run", *imdb, *quick)
    assert code == 0
    training = ConceptModel.from_pretrained(tmp_path / "run" / "model").training
    assert (training["train_split"], training["dev_split"]) == ("train", "dev")
    assert "model: dev concept accuracy" in out
