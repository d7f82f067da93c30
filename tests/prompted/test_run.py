"""A whole run against a server: resumed, stopped, bounded, and without the key in anything it writes."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest

from sparsecbm_core.errors import DataError, EndpointError, InputError
from sparsecbm_core.prompted import parse
from sparsecbm_core.prompted.endpoint import ChatEndpoint
from sparsecbm_core.prompted.prompt import Prompt
from sparsecbm_core.prompted.run import draw_reviews, run_prompted
from tests.prompted.server import GOOD, completion, failure, serve
from tests.tiny import SPACE
from tests.toy import dataset, make_example, toy_reviews

SECRET = "sk-very-secret-0123456789"
DATA = dataset([replace(make_example(i, (0, 1, 2), 1), text=f"review {i}") for i in range(8)])


def connect(served, **options):
    return ChatEndpoint(served.url, "some-model", **{"retries": 1, "first_wait": 0.001, **options})


def run(served, path, data=DATA, client_options=None, **options):
    with connect(served, **(client_options or {})) as client:
        return run_prompted(client, data, path, **options)


def always(number, review):
    return completion(GOOD)


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_answers_are_measured_counted_and_kept(tmp_path):
    """Gold is Negative, Positive, unknown and label 2 throughout."""
    texts = {
        "review 0": GOOD,
        "review 1": f"```json\n{GOOD}\n```",
        "review 2": GOOD.replace('"2"', '"3"'),
        "review 3": GOOD.replace("Negative", "Positive"),
        "review 4": f"Of course! {GOOD}",
        "review 5": GOOD.replace('"2"', "2"),
        "review 6": "",
        "review 7": f"{GOOD} Anything else?",
    }
    path = tmp_path / "new" / "answers.jsonl"
    with serve(lambda number, review: completion(texts[review])) as served:
        result = run(served, path)
    report = result.to_dict()
    assert json.loads(json.dumps(report)) == report
    assert report["examples"] == report["available"] == report["asked"] == 8
    # Four answers are read; one has the label wrong, one food.
    assert report["task_accuracy"] == 3 / 8
    assert report["per_concept"]["food"]["accuracy"] == 3 / 8
    assert report["per_concept"]["noise"]["accuracy"] == 4 / 8
    assert report["concept_accuracy"] == pytest.approx((3 + 4 + 4) / 24)
    assert report["unparseable"] == {parse.EMPTY: 1, parse.CHATTER: 2, parse.WRONG_VALUE: 1}
    assert report["usage"] == {"prompt_tokens": 800, "completion_tokens": 160, "answers": 8}
    assert report["data"] == {"name": "toy", "split": "dev", "fingerprint": DATA.fingerprint()}
    assert (report["model"], report["host"]) == ("some-model", served.url.split("/")[2])
    assert report["settings"] == {"temperature": 0, "max_tokens": 256, "seed": 0}
    assert report["prompt"] == Prompt(SPACE).fingerprint
    assert report["shots"] == []
    kept = {line["id"]: line for line in lines(path)}
    assert {name: line["answer"] for name, line in kept.items()} == {
        str(i): texts[f"review {i}"] for i in range(8)
    }
    assert kept["2"]["parsed"] == {
        "concepts": {"food": "Negative", "service": "Positive", "noise": "unknown"},
        "label": "3",
    }
    assert (kept["5"]["parsed"], kept["5"]["reason"]) == (None, parse.WRONG_VALUE)
    assert kept["5"]["detail"] == "label is 2; allowed: 1, 2, 3, 4"


def test_nothing_is_asked_twice(tmp_path):
    path = tmp_path / "answers.jsonl"
    with serve(always) as served:
        first = run(served, path)
        content = path.read_bytes()
        again = run(served, path)
        assert sorted(served.reviews) == sorted(DATA.texts)
    assert path.read_bytes() == content
    assert (first.asked, again.asked) == (8, 0)
    times = {"asked", "seconds"}
    assert {k: v for k, v in first.to_dict().items() if k not in times} == {
        k: v for k, v in again.to_dict().items() if k not in times
    }


def test_a_run_that_met_an_error_goes_on(tmp_path):
    path = tmp_path / "answers.jsonl"
    healthy = threading.Event()

    def answer(number, review):
        return completion(GOOD) if healthy.is_set() or review != "review 5" else failure(500)

    with serve(answer) as served:
        with pytest.raises(EndpointError, match="failed 2 times"):
            run(served, path, client_options={"concurrency": 1})
        assert [line["id"] for line in lines(path)] == ["0", "1", "2", "3", "4"]
        healthy.set()
        result = run(served, path)
    assert served.reviews.count("review 5") == 3  # asked, tried again, asked anew
    assert all(served.reviews.count(f"review {i}") == 1 for i in range(8) if i != 5)
    assert (result.examples, result.asked) == (8, 3)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_is_under_way_when_a_run_is_stopped_is_kept(tmp_path, error):
    """Those answers are paid for; nothing new is asked."""
    path = tmp_path / "answers.jsonl"
    data = toy_reviews(40)

    def stop(done, total):
        if done == 2:
            raise error

    with serve(lambda number, review: completion(GOOD, delay=0.05)) as served:
        with pytest.raises(error):
            run(served, path, data, {"concurrency": 3}, on_progress=stop)
        asked = len(served.requests)
        time.sleep(0.15)
        assert len(served.requests) == asked < 10
        assert len(lines(path)) == asked
        assert run(served, path, data).asked == 40 - asked
        assert len(served.requests) == 40


def test_a_stop_does_not_wait_out_a_pause(tmp_path):
    """A request that the server told to come back in a minute is not waited for."""

    waiting = threading.Event()

    def answer(number, review):
        if review == "review 0":
            waiting.wait(10)  # till the other is under way: it would be held back too
            return failure(429, Retry_After="60")
        waiting.set()
        time.sleep(0.2)
        return failure(404)

    started = time.monotonic()
    with serve(answer) as served, pytest.raises(EndpointError, match="status 404"):
        run(served, tmp_path / "answers.jsonl", client_options={"concurrency": 2})
    assert time.monotonic() - started < 20


def test_never_more_requests_than_allowed(tmp_path):
    data = toy_reviews(24)
    with serve(lambda number, review: completion(GOOD, delay=0.03)) as served:
        run(served, tmp_path / "a.jsonl", data, {"concurrency": 3})
    assert served.most_under_way == 3
    assert len(served.requests) == 24


def test_progress_counts_what_was_there(tmp_path):
    path, seen = tmp_path / "answers.jsonl", []
    with serve(always) as served:
        run(served, path, limit=3)
        run(served, path, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 8) for done in range(3, 9)]


def test_the_key_is_in_the_header_and_in_nothing_that_is_written(tmp_path, monkeypatch, caplog):
    caplog.set_level("DEBUG")
    monkeypatch.setenv("SOME_KEY", SECRET)
    path = tmp_path / "answers.jsonl"
    with serve(lambda number, review: completion(f"{GOOD} {SECRET}")) as served:
        result = run(served, path, client_options={"api_key_env": "SOME_KEY"})
    assert {request["headers"]["Authorization"] for request in served.requests} == {f"Bearer {SECRET}"}
    assert result.unparseable == {parse.CHATTER: 8}
    for text in (path.read_text(encoding="utf-8"), json.dumps(result.to_dict()), repr(result), caplog.text):
        assert SECRET not in text
        assert "SOME_KEY" not in text


def test_a_line_that_a_kill_cut_short_is_asked_again(tmp_path):
    path = tmp_path / "answers.jsonl"
    with serve(always) as served:
        run(served, path, limit=4)
        whole = path.read_bytes()
        for cut in (1, 5, 40):
            path.write_bytes(whole[:-cut])
            assert run(served, path, limit=4).asked == 1
            assert len(lines(path)) == 4


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"not an answer\n", "line 1 is no answer of an earlier run"),
        (b'{"id": "0"}\n', "line 1 is no answer of an earlier run"),
        (b"notes of mine", "is not a file of answers"),
        (b"\xff\xfe\n", "cannot read answers"),
        (b"[]\n", "line 1 is no answer"),
    ],
)
def test_a_file_of_something_else_is_left_alone(tmp_path, content, told):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(content)
    with serve(always) as served, pytest.raises(InputError, match=told):
        run(served, path)
    assert path.read_bytes() == content
    assert served.requests == []


def test_a_folder_is_no_file_of_answers(tmp_path):
    with serve(always) as served, pytest.raises(InputError, match="cannot read answers"):
        run(served, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"client_options": {"seed": 1}},
        {"client_options": {"max_tokens": 9}},
        {"shots": (make_example(99, (0, 0, 0), 0),)},
        {"data": replace(DATA, examples=tuple(replace(e, text=e.text + "!") for e in DATA))},
        {"data": replace(DATA, space=replace(SPACE, titles={"food": "Meals"}))},
    ],
)
def test_answers_to_another_question_are_not_taken(tmp_path, change):
    path = tmp_path / "answers.jsonl"
    with serve(always) as served:
        run(served, path)
        content, asked = path.read_bytes(), len(served.requests)
        with pytest.raises(InputError, match="to another question, or by another model"):
            run(served, path, **change)
        assert (path.read_bytes(), len(served.requests)) == (content, asked)


def test_shots_are_sent_and_named(tmp_path):
    shots = (make_example(98, (0, 1, 2), 3), make_example(99, (2, 2, 2), 0))
    with serve(always) as served:
        result = run(served, tmp_path / "a.jsonl", shots=shots)
    assert result.shots == ("98", "99")
    assert {len(request["body"]["messages"]) for request in served.requests} == {5}
    assert result.prompt == Prompt(SPACE, shots).fingerprint != Prompt(SPACE).fingerprint


def test_usage_is_none_where_the_server_counts_nothing(tmp_path):
    with serve(lambda number, review: completion(GOOD, usage=None)) as served:
        assert run(served, tmp_path / "a.jsonl").usage is None


def test_a_limit_draws_by_seed_and_grows():
    data = toy_reviews(30)
    small, large = draw_reviews(data, 5, seed=1), draw_reviews(data, 12, seed=1)
    assert set(small.examples) < set(large.examples)
    assert [e.id for e in large] == sorted((e.id for e in large), key=int)  # in the data's order
    assert [e.id for e in large] != [e.id for e in data][:12]
    assert draw_reviews(data, 5, seed=2).examples != small.examples
    assert draw_reviews(data, 99) == data == draw_reviews(data, None)


@pytest.mark.parametrize(
    ("data", "limit", "error", "told"),
    [
        (dataset([]), None, DataError, "no usable rows"),
        (DATA, 0, InputError, "at least 1 review, got 0"),
        (dataset([DATA.examples[0]] * 2), None, DataError, "the id '0' more than once"),
    ],
)
def test_data_that_cannot_be_asked_about(data, limit, error, told):
    with pytest.raises(error, match=told):
        draw_reviews(data, limit)
