"""``sparsecbm prompted``, from options to the report."""

from __future__ import annotations

import json

import pytest

from sparsecbm_core.concepts import CEBAB
from sparsecbm_core.prompted.local import LocalGenerator
from tests.cli.arguments import refused
from tests.prompted.server import Response, completion, failure, serve

SECRET = "sk-very-secret-0123456789"
ANSWER = json.dumps({**dict.fromkeys(CEBAB.concepts, "unknown"), "label": "3"})


@pytest.fixture(autouse=True)
def _straight_to_the_server(monkeypatch):
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def always(number, review):
    return completion(ANSWER)


def test_an_endpoint(run, data, tmp_path, monkeypatch):
    """Every review is answered by 3 stars and nothing mentioned."""
    monkeypatch.setenv("SOME_KEY", SECRET)
    answers, output = tmp_path / "answers.jsonl", tmp_path / "prompted.json"
    command = ["prompted", "--data", data, "--answers", answers, "--output", output, "--model", "some-model"]
    command += ["--api-key-env", "SOME_KEY"]
    with serve(always) as served:
        code, out, err = run(*command, "--endpoint", served.url)
        assert (code, out, err) == (0, "", [f"wrote {output}"])
        assert len(served.requests) == 8
        assert run(*command, "--endpoint", served.url)[0] == 0
        assert len(served.requests) == 8
    assert served.requests[0]["headers"]["Authorization"] == f"Bearer {SECRET}"
    report = json.loads(output.read_text(encoding="utf-8"))
    rows = json.loads((data / "dev.json").read_text(encoding="utf-8"))
    assert report["task_accuracy"] == sum(row["review_majority"] == "3" for row in rows) / 8
    assert report["per_concept"]["noise"]["accuracy"] == 1
    assert (report["examples"], report["unparseable"]) == (8, {})
    assert SECRET not in output.read_text(encoding="utf-8") + answers.read_text(encoding="utf-8")


def test_shots_and_a_limit(run, data, tmp_path):
    command = ["prompted", "--data", data, "--answers", tmp_path / "a.jsonl", "--model", "m", "--limit", 3]
    command += ["--shots", 2, "--shots-split", "train", "--no-send-seed", "--concurrency", 1]
    with serve(always) as served:
        code, out, err = run(*command, "--endpoint", served.url)
    assert (code, err) == (0, [])
    report = json.loads(out)
    assert (report["examples"], report["available"], len(report["shots"])) == (3, 8, 2)
    for request in served.requests:
        assert [message["role"] for message in request["body"]["messages"]] == ["user", "assistant"] * 2 + [
            "user"
        ]
        assert "seed" not in request["body"]


def test_a_model_that_runs_here(run, data, tmp_path, monkeypatch):
    seen = []

    def load(self, *arguments):
        seen.append(arguments)
        raise OSError("seen")

    monkeypatch.setattr(LocalGenerator, "__init__", load)
    command = ["prompted", "--data", data, "--answers", tmp_path / "a.jsonl", "--local", "some/model"]
    refused(run(*command, "--max-tokens", 50, "--device", "cpu"), "seen")
    assert seen == [("some/model", "cpu", 50)]


def test_a_csv_file_learns_its_labels_from_the_training_split(run, tmp_path):
    """The split that is measured need not hold every label."""
    (tmp_path / "train.csv").write_text("text,label,food\na,bad,\nb,fair,\nc,good,\n")
    (tmp_path / "dev.csv").write_text("text,label,food\nd,bad,\ne,good,Positive\n")
    answer = '{"food": "unknown", "label": "bad"}'
    command = [
        "prompted",
        "--dataset",
        "csv",
        "--data",
        tmp_path,
        "--concept-columns",
        "food",
        "--model",
        "m",
    ]
    command += ["--answers", tmp_path / "a.jsonl", "--shots", 1, "--shots-split", "train"]
    with serve(lambda number, review: completion(answer)) as served:
        code, out, _ = run(*command, "--endpoint", served.url)
    assert code == 0
    assert '- "fair"' in served.requests[0]["body"]["messages"][0]["content"]
    assert json.loads(out)["task_accuracy"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ([], "give --endpoint URL with --model NAME, or --local NAME_OR_FOLDER"),
        (["--endpoint", "{url}", "--model", "m", "--local", "x"], "(one of the two)"),
        (["--endpoint", "{url}"], "--endpoint and --model go together"),
        (["--local", "x", "--model", "m"], "--endpoint and --model go together"),
        (["--local", "x", "--api-key-env", "KEY"], "needs no key"),
        (["--endpoint", "{url}", "--model", "m", "--shots", "2"], "--shots N and --shots-split NAME"),
        (
            ["--endpoint", "{url}", "--model", "m", "--shots-split", "train"],
            "--shots N and --shots-split NAME",
        ),
        (
            ["--endpoint", "{url}", "--model", "m", "--shots", "2", "--shots-split", "dev"],
            "shots cannot come from 'dev'",
        ),
        (
            ["--endpoint", "{url}", "--model", "m", "--shots", "99", "--shots-split", "train"],
            "99 shots asked for",
        ),
        (["--endpoint", "{url}", "--model", "m", "--limit", "0"], "the limit must be at least 1"),
        (["--endpoint", "{url}", "--model", "m", "--concurrency", "0"], "concurrency must be at least 1"),
        (["--endpoint", "{url}", "--model", "m", "--split", "nope"], "unknown CEBaB split 'nope'"),
        (["--endpoint", "{url}", "--model", "m", "--api-key-env", SECRET], "not the key itself"),
        (["--endpoint", "file:///etc", "--model", "m"], "is not a URL like"),
    ],
)
def test_bad_input_is_one_line_and_asks_nothing(run, data, tmp_path, arguments, fragment):
    with serve(always) as served:
        filled = [argument.format(url=served.url) for argument in arguments]
        result = run("prompted", "--data", data, "--answers", tmp_path / "a.jsonl", *filled)
    refused(result, fragment)
    assert SECRET not in result[2][0]
    assert served.requests == []


@pytest.mark.parametrize(
    ("response", "fragment"),
    [
        (failure(401), "refuses access (401)"),
        (failure(404), "knows no such path or model 'm'"),
        (Response(b"<html>"), "does not answer in JSON"),
    ],
)
def test_a_server_that_is_no_use_is_one_line(run, data, tmp_path, response, fragment):
    command = ["prompted", "--data", data, "--answers", tmp_path / "a.jsonl", "--model", "m"]
    with serve(lambda number, review: response) as served:
        refused(run(*command, "--endpoint", served.url), fragment)
