"""A language model behind any server that speaks OpenAI's chat completions over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NoReturn

import httpx2
from tenacity import RetryCallState, Retrying, retry_if_exception_type, sleep_using_event, stop_after_attempt
from tenacity.wait import wait_exponential, wait_random_exponential

from sparsecbm_core.errors import EndpointError, InputError
from sparsecbm_core.prompted.address import read_address, read_key, warn_if_in_the_open, without_key
from sparsecbm_core.prompted.client import Reply
from sparsecbm_core.prompted.prompt import Message
from sparsecbm_core.prompted.waits import Hold, retry_after

TRY_AGAIN = (408, 409, 425, 429, 500, 502, 503, 504, 529)
LONGEST_WAIT = 60.0  # seconds that backing off grows to
LONGEST_HOLD = 300.0  # seconds a server may ask to wait before the run ends instead
# Errors about this one review: an answer like any other, else no run could get past it.
_NO_ANSWER = ("content_filter", "context_length_exceeded")
_SHOWN = 200  # characters of a server's own message


class _Passing(Exception):
    """A failure that may be over the next time."""


class _Held(_Passing):
    """One after which the server said how long to wait."""


class ChatEndpoint(AbstractContextManager["ChatEndpoint"]):
    """Asks ``model`` at ``url``, at temperature 0, for at most ``max_tokens`` new tokens.

    ``url`` is the base URL ("https://HOST/v1"), ``api_key_env`` the name of the environment variable
    that holds the key; the key is sent as bearer token and nowhere kept or shown. ``seed`` None is not
    sent (some servers refuse it). A request is made again up to ``retries`` times after a timeout (in
    seconds, for connecting and for each wait for data), a broken connection and the statuses in
    `TRY_AGAIN`: after the time the server asks for, else after one that doubles from ``first_wait`` on, a
    little less by chance, so that requests that failed together do not come back together. Redirects are
    not followed: the key is for the host that was named. Thread-safe; to be used in a ``with`` statement.
    """

    def __init__(
        self,
        url: str,
        model: str,
        api_key_env: str | None = None,
        *,
        seed: int | None = 0,
        max_tokens: int = 256,
        timeout: float = 60.0,
        retries: int = 5,
        concurrency: int = 4,
        first_wait: float = 1.0,
    ) -> None:
        _at_least("max_tokens", max_tokens, 1)
        _at_least("retries", retries, 0)
        _at_least("concurrency", concurrency, 1)
        if not 0 < timeout < float("inf"):
            raise InputError(f"timeout must be a number of seconds above 0, got {timeout}")
        if not model.strip():
            raise InputError(f"the endpoint needs a model name, got {model!r}")
        address, self._key = read_address(url), read_key(api_key_env)
        warn_if_in_the_open(address, self._key)
        self.model, self.concurrency = model, concurrency
        self.host: str | None = address.netloc
        self.settings: Mapping[str, Any] = {
            "temperature": 0,
            "max_tokens": max_tokens,
            **({} if seed is None else {"seed": seed}),
        }
        self._url, self._timeout, self._tries = address.geturl(), timeout, retries + 1
        self._hold, self._answered = Hold(), False  # whether this address ever did
        half = {"multiplier": first_wait / 2, "max": LONGEST_WAIT / 2}
        self._backing_off = wait_exponential(**half) + wait_random_exponential(**half)
        self._http = httpx2.Client(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=timeout,
            limits=httpx2.Limits(max_connections=concurrency),
        )

    def __exit__(self, *_error: object) -> None:
        self._http.close()

    def ask(self, messages: Sequence[Message], stop: threading.Event) -> Reply:
        """See `Client.ask`."""
        again = Retrying(
            retry=retry_if_exception_type(_Passing),
            stop=stop_after_attempt(self._tries),
            before=lambda _: self._hold.wait(stop),
            wait=self._wait,
            sleep=sleep_using_event(stop),
            reraise=True,
        )
        try:
            return again(self._post, {"model": self.model, "messages": list(messages), **self.settings})
        except _Passing as error:
            raise EndpointError(f"{self.host} failed {self._tries} times, at last with: {error}") from error

    def _wait(self, state: RetryCallState) -> float:
        held = state.outcome is not None and isinstance(state.outcome.exception(), _Held)
        return 0.0 if held else self._backing_off(state)

    def _post(self, body: Mapping[str, Any]) -> Reply:
        try:
            response = self._http.post(self._url, json=body)
        except httpx2.TimeoutException as error:
            raise _Passing(f"no answer within {self._timeout:g} s") from error
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            problem = self._told(f"{type(error).__name__}: {error}")
            # A wrong address, or a server that is not running.
            if isinstance(error, httpx2.ConnectError | httpx2.InvalidURL) and not self._answered:
                raise EndpointError(f"cannot reach {self.host} ({problem})") from error
            raise _Passing(problem) from error
        self._answered = True
        return self._read(response) if response.status_code == 200 else self._refused(response)

    def _refused(self, response: httpx2.Response) -> Reply:
        """What is to be made of any other status; most often an error."""
        status, error = response.status_code, _error(response)
        code, message = error.get("code"), error.get("message")
        problem = f"status {status}" + (f", {self._told(str(message))}" if message else "")
        if status == 429 and code == "insufficient_quota":
            raise EndpointError(f"{self.host} says that the account's quota is used up")
        if status in TRY_AGAIN:
            self._come_back(problem, retry_after(response.headers.get("retry-after")))
        if status in (401, 403):
            known = "the key in the environment variable is not accepted" if self._key else "it wants a key"
            raise EndpointError(f"{self.host} refuses access ({status}): {known} (see --api-key-env)")
        if status == 400 and code in _NO_ANSWER:
            return Reply("", str(code))
        if status == 404:
            raise EndpointError(f"{self.host} knows no such path or model {self.model!r}: {problem}")
        if 300 <= status < 400:
            raise EndpointError(f"{self.host} points to another address ({status}); give that one itself")
        raise EndpointError(f"{self.host} refuses the request: {problem}")

    def _come_back(self, problem: str, seconds: float | None) -> NoReturn:
        if seconds is None:
            raise _Passing(problem)
        if seconds > LONGEST_HOLD:
            raise EndpointError(f"{self.host} asks to come back in {seconds:.0f} s; go on then")
        self._hold.extend(seconds)
        raise _Held(problem)

    def _read(self, response: httpx2.Response) -> Reply:
        try:
            data = response.json()
        except (ValueError, RecursionError) as error:
            kind = self._told(response.headers.get("content-type", "no content type"))
            raise EndpointError(
                f"{self.host} does not answer in JSON ({kind}); is it the base URL of an OpenAI-compatible "
                "server?"
            ) from error
        try:
            choice = data["choices"][0]
            text, finish = choice["message"]["content"], choice.get("finish_reason")
        except (LookupError, TypeError, AttributeError) as error:
            raise EndpointError(f"{self.host} answers JSON without choices[0].message.content") from error
        if not isinstance(text, str | None) or not isinstance(finish, str | None):
            kind = type(text).__name__
            raise EndpointError(f"{self.host} answers with content of type {kind}; a text is needed")
        usage = data.get("usage")
        counts = usage if isinstance(usage, Mapping) else {}
        return Reply(
            without_key(text or "", self._key),
            None if finish is None else without_key(finish, self._key),
            _count(counts.get("prompt_tokens")),
            _count(counts.get("completion_tokens")),
        )

    def _told(self, text: str) -> str:
        text = without_key(" ".join(text.split()), self._key)
        return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _error(response: httpx2.Response) -> Mapping[str, Any]:
    """The error object of a response; servers put it at different places, or send none."""
    try:
        data = response.json()
    except (ValueError, RecursionError):
        return {}
    if not isinstance(data, Mapping):
        return {}
    error = data.get("error", data.get("detail", data))
    return error if isinstance(error, Mapping) else {"message": error}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise InputError(f"{name} must be at least {least}, got {value}")
