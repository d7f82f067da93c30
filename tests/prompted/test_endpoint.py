"""One request to a server: what is sent, what is tried again, and what is said when nothing helps."""

from __future__ import annotations

import threading
import time
import warnings
from itertools import pairwise

import pytest

from sparsecbm_core.errors import EndpointError, InputError
from sparsecbm_core.prompted.client import Reply, Stopped
from sparsecbm_core.prompted.endpoint import LONGEST_HOLD, LONGEST_WAIT, ChatEndpoint
from tests.prompted.recorded import Recorded
from tests.prompted.server import GOOD, HANG_UP, USAGE, Response, completion, failure, serve

MESSAGES = [{"role": "user", "content": "Review:\nCold soup."}]
SECRET = "sk-very-secret-0123456789"


def ask(served, stop=None, **options):
    """One request, with waits too short to be noticed."""
    options = {"retries": 2, "timeout": 5.0, "first_wait": 0.001, **options}
    with ChatEndpoint(served.url, "some-model", **options) as endpoint:
        return endpoint.ask(MESSAGES, stop or threading.Event())


def answers(*responses):
    """The responses in turn, the last one for ever."""
    return lambda number, _review: responses[min(number, len(responses) - 1)]


def test_what_is_sent_and_what_comes_back():
    with serve(answers(completion(GOOD))) as served:
        assert ask(served, seed=7, max_tokens=99) == Reply(GOOD, "stop", 100, 20)
    [request] = served.requests
    assert request["path"] == "/v1/chat/completions"
    assert request["body"] == {
        "model": "some-model",
        "messages": MESSAGES,
        "temperature": 0,
        "max_tokens": 99,
        "seed": 7,
    }
    assert "Authorization" not in request["headers"]


def test_no_seed_is_sent_where_none_is_wanted():
    with serve(answers(completion(GOOD))) as served:
        ask(served, seed=None)
    assert "seed" not in served.requests[0]["body"]


def test_the_key_is_a_bearer_token_and_nowhere_else(monkeypatch):
    monkeypatch.setenv("SOME_KEY", SECRET)
    with (
        serve(answers(completion(GOOD))) as served,
        ChatEndpoint(served.url, "some-model", "SOME_KEY") as endpoint,
    ):
        endpoint.ask(MESSAGES, threading.Event())
        assert SECRET not in f"{endpoint!r} {endpoint.settings} {endpoint.host}"
    [request] = served.requests
    assert request["headers"]["Authorization"] == f"Bearer {SECRET}"
    assert SECRET not in str(request["body"])


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (USAGE, (100, 20)),
        (None, (None, None)),
        ({"prompt_tokens": "many", "completion_tokens": -1}, (None, None)),
        ([], (None, None)),
    ],
)
def test_token_counts_where_the_server_gives_them(usage, counts):
    with serve(answers(completion(GOOD, usage=usage))) as served:
        reply = ask(served)
    assert (reply.prompt_tokens, reply.completion_tokens) == counts


def test_an_answer_without_text_is_an_empty_one():
    with serve(answers(completion(None, "content_filter"))) as served:
        assert ask(served) == Reply("", "content_filter", 100, 20)


@pytest.mark.parametrize("code", ["content_filter", "context_length_exceeded"])
def test_a_review_the_server_will_not_read_is_an_answer(code):
    """Else a run could never get past it."""
    with serve(answers(failure(400, "no", code))) as served:
        assert ask(served) == Reply("", code)
    assert len(served.requests) == 1


def test_too_many_requests_then_success_after_the_time_asked_for():
    with serve(answers(failure(429, Retry_After="1"), completion(GOOD))) as served:
        assert ask(served).text == GOOD
    first, second = (request["time"] for request in served.requests)
    assert 0.95 <= second - first < 3


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_passing_troubles_are_tried_again(status):
    with serve(answers(failure(status), failure(status), completion(GOOD))) as served:
        assert ask(served).text == GOOD
    assert len(served.requests) == 3


def test_waits_grow_without_retry_after():
    with serve(answers(failure(500))) as served, pytest.raises(EndpointError):
        ask(served, retries=3, first_wait=0.08)
    times = [request["time"] for request in served.requests]
    for waited, longest in zip((b - a for a, b in pairwise(times)), (0.08, 0.16, 0.32), strict=True):
        assert waited >= longest / 2


def test_waits_double_up_to_a_bound():
    stop = Recorded()
    with serve(answers(failure(500))) as served, pytest.raises(EndpointError, match="failed 12 times"):
        ask(served, stop, retries=11, first_wait=1.0)
    longest = [min(LONGEST_WAIT, 2.0**n) for n in range(11)]
    assert all(most / 2 <= waited <= most for waited, most in zip(stop.seconds, longest, strict=True))


def test_a_stopped_run_does_not_wait_out_a_pause():
    stop = threading.Event()

    def answer(number, review):
        threading.Timer(0.2, stop.set).start()
        return failure(500)

    started = time.monotonic()
    with serve(answer) as served, pytest.raises(Stopped):
        ask(served, stop, first_wait=LONGEST_WAIT)
    assert time.monotonic() - started < LONGEST_WAIT / 2
    assert len(served.requests) == 1


def test_a_server_that_goes_on_failing_is_given_up():
    with (
        serve(answers(failure(500, "the GPU is on fire"))) as served,
        pytest.raises(EndpointError, match="failed 3 times, at last with: status 500, the GPU is on fire"),
    ):
        ask(served)
    assert len(served.requests) == 3


def test_a_wait_that_is_too_long_ends_it():
    with (
        serve(answers(failure(429, Retry_After=str(LONGEST_HOLD + 1)))) as served,
        pytest.raises(EndpointError, match="asks to come back in 301 s"),
    ):
        ask(served)
    assert len(served.requests) == 1


def test_a_quota_that_is_used_up_does_not_come_back():
    with (
        serve(answers(failure(429, "pay", "insufficient_quota"))) as served,
        pytest.raises(EndpointError, match="quota is used up"),
    ):
        ask(served)
    assert len(served.requests) == 1


def test_a_timeout_is_tried_again():
    slow = completion(GOOD, delay=0.5)
    with serve(answers(slow, completion(GOOD))) as served:
        assert ask(served, timeout=0.1).text == GOOD
    with (
        serve(answers(slow)) as served,
        pytest.raises(EndpointError, match=r"failed 3 times, at last with: no answer within 0\.1 s"),
    ):
        ask(served, timeout=0.1)
    assert len(served.requests) == 3


def test_a_connection_that_breaks_is_tried_again():
    with serve(answers(Response(b"", HANG_UP), completion(GOOD))) as served:
        assert ask(served).text == GOOD
    assert len(served.requests) == 2


def test_a_damaged_answer_is_tried_again():
    damaged = Response(b"no zip", headers={"Content-Encoding": "gzip"})
    with (
        serve(answers(damaged)) as served,
        pytest.raises(EndpointError, match="failed 3 times, at last with: DecodingError"),
    ):
        ask(served)


def test_a_host_that_cannot_be_one():
    with (
        ChatEndpoint("http://exa mple.com", "m", retries=0) as endpoint,
        pytest.raises(EndpointError, match=r"exa mple\.com"),
    ):
        endpoint.ask(MESSAGES, threading.Event())


@pytest.mark.parametrize(
    ("response", "told"),
    [
        (failure(401, f"Incorrect API key: {SECRET}"), r"refuses access \(401\): the key .* is not accepted"),
        (failure(403), r"refuses access \(403\)"),
        (
            failure(404, "no model some-model"),
            "knows no such path or model 'some-model': status 404, no model",
        ),
        (
            failure(400, f"bad request of {SECRET}"),
            r"refuses the request: status 400, bad request of \[key\]",
        ),
        (Response({"detail": "extra fields"}, 422), "refuses the request: status 422, extra fields"),
        (Response(b"<h1>Teapot</h1>", 418), "refuses the request: status 418$"),
        (Response(b"", 307, {"Location": "http://127.0.0.1:1/"}), r"points to another address \(307\)"),
        (Response(b"<html>Welcome</html>"), r"does not answer in JSON \(text/html\)"),
        (Response(b'{"choices": [{"mess'), "does not answer in JSON"),
        (Response([]), r"without choices\[0\]\.message\.content"),
        (Response({"choices": []}), r"without choices\[0\]\.message\.content"),
        (Response({"choices": [{"text": "old"}]}), r"without choices\[0\]\.message\.content"),
        (Response({"choices": ["x"]}), r"without choices\[0\]\.message\.content"),
        (completion([{"type": "text", "text": GOOD}]), "content of type list"),
    ],
)
def test_what_trying_again_cannot_help(monkeypatch, response, told):
    monkeypatch.setenv("SOME_KEY", SECRET)
    with serve(answers(response)) as served, pytest.raises(EndpointError, match=told) as caught:
        ask(served, api_key_env="SOME_KEY")
    assert len(served.requests) == 1
    assert SECRET not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


def test_access_refused_without_a_key_says_how_to_give_one():
    with (
        serve(answers(failure(401))) as served,
        pytest.raises(EndpointError, match=r"it wants a key \(see --api-key-env"),
    ):
        ask(served)


def test_a_key_that_the_server_repeats_is_not_passed_on(monkeypatch):
    monkeypatch.setenv("SOME_KEY", SECRET)
    with serve(answers(completion(f"You sent {SECRET}"))) as served:
        assert ask(served, api_key_env="SOME_KEY").text == "You sent [key]"


def test_a_server_that_is_not_there_is_said_at_once():
    with serve(answers(completion(GOOD))) as served:
        pass
    started = time.monotonic()
    with pytest.raises(EndpointError, match=r"cannot reach 127\.0\.0\.1"):
        ask(served, first_wait=100)
    assert time.monotonic() - started < 5


def test_a_stopped_run_does_not_ask():
    stop = threading.Event()
    stop.set()
    with serve(answers(completion(GOOD))) as served, pytest.raises(Stopped):
        ask(served, stop)
    assert served.requests == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_tokens": 0}, "max_tokens must be at least 1, got 0"),
        ({"retries": -1}, "retries must be at least 0, got -1"),
        ({"concurrency": 0}, "concurrency must be at least 1, got 0"),
        ({"timeout": 0.0}, "timeout must be a number of seconds above 0, got 0"),
        ({"timeout": float("nan")}, "timeout must be"),
        ({"model": " "}, "needs a model name"),
    ],
)
def test_settings_that_make_no_sense(options, told):
    with pytest.raises(InputError, match=told):
        ChatEndpoint("http://localhost:1", **{"model": "m", **options})


def test_a_local_server_with_a_key_is_not_warned_of(monkeypatch):
    monkeypatch.setenv("SOME_KEY", SECRET)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with ChatEndpoint("http://localhost:1", "m", "SOME_KEY"):
            pass
