"""Parts are measured once, kept whatever happens, and never mixed with those of other settings."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sparsecbm_core.errors import CheckpointError, InputError
from sparsecbm_core.evaluate.parts import Stopped
from sparsecbm_core.experiments.document import Document, Record, check_same, read_document
from sparsecbm_core.experiments.experiment import Part
from sparsecbm_core.experiments.identity import flat
from sparsecbm_core.experiments.runner import run_experiment
from tests.experiments.made import Bench, Options, content, toy_experiment


def run(bench, out, options=None, **values):
    said: list[str] = []
    path = run_experiment(toy_experiment(), bench, options or Options(), out, say=said.append, **values)
    return path, said


def test_results_hold_what_was_measured_and_of_what(tmp_path):
    path, said = run(Bench(), tmp_path, Options(seeds=(0, 1)))
    assert path == tmp_path / "table1.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    assert values["experiment"] == "table1"
    assert values["schema_version"] == 1
    assert values["seeds"] == [0, 1]
    assert values["complete"] is True
    assert values["settings"] == {"factor": 10}  # what all parts share
    assert [part["settings"] for part in values["parts"]] == [{"inner.dose": d} for d in (1, 2, 3)] * 2
    assert {"python", "torch", "transformers", "sparsecbm"} <= set(values["versions"])
    assert values["data"] == Bench().opened()
    assert values["duration_seconds"] >= 0
    (row,) = (row for row in values["results"]["rows"] if row["dose"] == 3)
    assert row["value"] == {"mean": 30.5, "std": pytest.approx(0.5**0.5), "values": [30, 31]}
    # 12 units of a minute each, measured before the first
    assert said[0].startswith("table1: 0 of 6 parts done; about 12 min for the rest")


def test_a_stopped_run_goes_on_to_the_same_results(tmp_path):
    whole, _ = run(Bench(), tmp_path / "whole")
    bench = Bench(stop=2)
    with pytest.raises(Stopped) as stopped:
        run(bench, tmp_path / "parts")
    path = tmp_path / "parts" / "table1.json"
    assert str(stopped.value) == f"stopped: 1 of 3 parts are in {path}; the same command goes on"
    halfway = json.loads(path.read_text(encoding="utf-8"))
    assert [part["labels"]["dose"] for part in halfway["parts"]] == [1]
    assert list(halfway["unfinished"]) == ["2/0"]
    assert halfway["complete"] is False
    run(bench, tmp_path / "parts")
    assert bench.ran == ["1/0", "2/0", "3/0"]
    assert content(path) == content(whole)


def test_the_time_of_a_stopped_attempt_counts(tmp_path):
    with pytest.raises(Stopped):
        run(Bench(stop=1), tmp_path)
    path = tmp_path / "table1.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    values["unfinished"] = {"1/0": 100.0}
    path.write_text(json.dumps(values), encoding="utf-8")
    run(Bench(), tmp_path)
    document = read_document(path)
    assert document.records["1/0"].seconds >= 100
    assert document.records["2/0"].seconds < 100
    assert document.unfinished == {}


def test_a_finished_run_measures_nothing(tmp_path):
    path, _ = run(Bench(), tmp_path)
    before, bench = content(path), Bench()
    _, said = run(bench, tmp_path)
    assert bench.ran == []
    assert said[0] == f"table1: all 3 parts are in {path}"
    assert content(path) == before


def test_a_figure_is_drawn_of_what_is_written_beside_it(tmp_path):
    """Also where nothing is left to measure, but the results are summed up in another way by now."""
    path, _ = run(Bench(), tmp_path)
    old = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**old, "results": {"rows": []}}), encoding="utf-8")
    drawn = []

    def draw(results):
        drawn.append(results)

    run_experiment(replace(toy_experiment(), draw=draw), Bench(), Options(), tmp_path)
    assert drawn == [old["results"]]
    assert json.loads(path.read_text(encoding="utf-8"))["results"] == old["results"]


def test_further_seeds_and_doses_join_those_that_are_there(tmp_path):
    run(Bench(), tmp_path, Options(doses=(1,)))
    bench = Bench()
    path, said = run(bench, tmp_path, Options(doses=(1, 2), seeds=(0, 1)))
    assert bench.ran == ["2/0", "1/1", "2/1"]
    assert "going by the parts that are done" in said[0]
    bench = Bench()
    run(bench, tmp_path, Options(doses=(1,)))
    assert bench.ran == []
    assert len(read_document(path).records) == 4


def test_other_settings_are_refused_and_change_nothing(tmp_path):
    path, _ = run(Bench(), tmp_path)
    before, bench = path.read_bytes(), Bench()
    with pytest.raises(InputError, match=r"made with other settings \(factor\); choose another folder"):
        run(bench, tmp_path, Options(factor=11))
    assert bench.ran == []
    assert path.read_bytes() == before
    run(bench, tmp_path, Options(factor=11), overwrite=True)
    assert bench.ran == ["1/0", "2/0", "3/0"]
    assert json.loads(path.read_text(encoding="utf-8"))["settings"] == {"factor": 11}


def test_a_further_seed_of_other_settings_is_refused(tmp_path):
    """A mean over seeds is over one way to train."""
    path, _ = run(Bench(), tmp_path)
    before, bench = path.read_bytes(), Bench()
    with pytest.raises(InputError, match=r"other settings \(factor\)"):
        run(bench, tmp_path, Options(doses=(1,), seeds=(1,), factor=11))
    assert bench.ran == []
    assert path.read_bytes() == before


def test_what_follows_from_the_seed_makes_no_other_settings(tmp_path):
    def part(seed, **settings):
        return Part({"row": "a", "seed": seed}, 1.0, {"seed": seed, **settings}, lambda report: {})

    def document(made):
        record = Record(made.labels, flat(made.settings), {}, 1.0, 1.0, {})
        return Document("toy", "", "", None, records={made.name: record})

    first = part(0, start={"seed": 0, "fingerprint": "a"}, epochs=5)
    check_same(tmp_path, document(first), [part(1, start={"seed": 1, "fingerprint": "b"}, epochs=5)])
    with pytest.raises(InputError, match=r"other settings \(epochs\)"):
        check_same(tmp_path, document(first), [part(1, start={"seed": 1, "fingerprint": "b"}, epochs=3)])


def test_commands_are_kept_once_each(tmp_path):
    path, _ = run(Bench(), tmp_path, command="one")
    for command in ("two", "one", None):
        run(Bench(), tmp_path, command=command)
    assert read_document(path).commands == ("one", "two")


def test_parts_by_name(tmp_path):
    bench = Bench()
    path, _ = run(bench, tmp_path, only="[13]/*")
    assert bench.ran == ["1/0", "3/0"]
    assert read_document(path).complete is False
    with pytest.raises(InputError, match=r"no part is called like 'nope'; there are: 1/0, 2/0, 3/0"):
        run(bench, tmp_path, only="nope")


def test_another_data_set_has_a_file_of_its_own(tmp_path):
    assert run(Bench(dataset="imdb"), tmp_path)[0].name == "table1-imdb.json"


@pytest.mark.parametrize("text", ["{", "{}", '{"schema_version": 1, "parts": [{}]}'])
def test_a_damaged_file_is_not_written_over(tmp_path, text):
    path = tmp_path / "table1.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError):
        run(Bench(), tmp_path)
    assert path.read_text(encoding="utf-8") == text


def test_a_file_of_a_later_version_is_refused(tmp_path):
    path, _ = run(Bench(), tmp_path)
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**values, "schema_version": 2}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="newer version"):
        run(Bench(), tmp_path)
