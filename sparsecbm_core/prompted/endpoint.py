"""A language model behind any server that speaks OpenAI's chat completions over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sparsecbm_core.errors import EndpointError, InputError
from sparsecbm_core.prompted.address import read_address, read_key, warn_if_in_the_open, without_key
from sparsecbm_core.prompted.client import Reply
from sparsecbm_core.prompted.prompt import Message
from sparsecbm_core.prompted.waits import Waits, retry_after

if TYPE_CHECKING:
    import httpx2

TRY_AGAIN = (408, 409, 425, 429, 500, 502, 503, 504, 529)
LONGEST_HOLD = 300.0  # seconds a server may ask to wait before the run ends instead
# Errors about this one review: an answer like any other, else no run could get past it.
_NO_ANSWER = ("content_filter", "context_length_exceeded")
_SHOWN = 200  # characters of a server's own message


class ChatEndpoint:
    """Asks ``model`` at ``url``, at temperature 0, for at most ``max_tokens`` new tokens.

    ``url`` is the base URL ("https://HOST/v1"), ``api_key_env`` the name of the environment variable
    that holds the key; the key is sent as bearer token and nowhere kept or shown. ``seed`` None is not
    sent (some servers refuse it). A request is made again up to ``retries`` times after a timeout (in
    seconds, for connecting and for each wait for data), a broken connection and the statuses in
    `TRY_AGAIN`: after the time the server asks for, else after a growing one. Redirects are not followed:
    the key is for the host that was named. Thread-safe; close it, or use it in a ``with`` statement.
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
        waits: Waits | None = None,
    ) -> None:
        import httpx2

        _at_least("max_tokens", max_tokens, 1)
        _at_least("retries", retries, 0)
        _at_least("concurrency", concurrency, 1)
        if not 0 < timeout < float("inf"):
            raise InputError(f"timeout must be a number of seconds above 0, got {timeout}")
        if not model.strip():
            raise InputError(f"the endpoint needs a model name, got {model!r}")
        self._address, self._key = read_address(url), read_key(api_key_env)
        warn_if_in_the_open(self._address, self._key)
        self._model, self._seed, self._max_tokens = model, seed, max_tokens
        self._timeout, self._retries, self._concurrency = timeout, retries, concurrency
        self._waits = waits or Waits()
        self._answered = False  # whether this address ever did
        self._client = httpx2.Client(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=timeout,
            limits=httpx2.Limits(max_connections=concurrency),
        )

    @property
    def model(self) -> str:
        return self._model

    @property
    def host(self) -> str:
        return self._address.host

    @property
    def concurrency(self) -> int:
        return self._concurrency

    @property
    def settings(self) -> Mapping[str, Any]:
        seed = {} if self._seed is None else {"seed": self._seed}
        return {"temperature": 0, "max_tokens": self._max_tokens, **seed}

    def ask(self, messages: Sequence[Message], stop: threading.Event) -> Reply:
        """See `Client.ask`."""
        import httpx2

        body = {"model": self._model, "messages": list(messages), **self.settings}
        for failures in range(1, self._retries + 2):
            self._waits.my_turn(stop)
            wait = None
            try:
                response = self._client.post(self._address.url, json=body)
            except httpx2.TimeoutException:
                problem = f"no answer within {self._timeout:g} s"
            except httpx2.InvalidURL as error:
                raise EndpointError(f"{self.host} is no address: {error}") from error
            except httpx2.RequestError as error:
                problem = self._told(f"{type(error).__name__}: {error}")
                # A wrong address, or a server that is not running.
                if isinstance(error, httpx2.ConnectError) and not self._answered:
                    raise EndpointError(f"cannot reach {self.host} ({problem})") from error
            else:
                self._answered = True
                if response.status_code not in TRY_AGAIN:
                    return self._reply(response)
                problem, wait = self._refusal(response), retry_after(response.headers.get("retry-after"))
            if failures <= self._retries:
                self._pause(failures, wait, stop)
        raise EndpointError(f"{self.host} failed {self._retries + 1} times, at last with: {problem}")

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _pause(self, failures: int, wait: float | None, stop: threading.Event) -> None:
        if wait is None:
            self._waits.back_off(failures, stop)
        elif wait > LONGEST_HOLD:
            raise EndpointError(f"{self.host} asks to come back in {wait:.0f} s; go on then")
        else:
            self._waits.hold(wait)

    def _reply(self, response: httpx2.Response) -> Reply:
        status = response.status_code
        if status == 200:
            return self._read(response)
        if status in (401, 403):
            known = "the key in the environment variable is not accepted" if self._key else "it wants a key"
            raise EndpointError(f"{self.host} refuses access ({status}): {known} (see --api-key-env)")
        code, problem = _error(response).get("code"), self._refusal(response)
        if status == 400 and code in _NO_ANSWER:
            return Reply("", str(code))
        if status == 404:
            raise EndpointError(f"{self.host} knows no such path or model {self._model!r}: {problem}")
        if 300 <= status < 400:
            raise EndpointError(f"{self.host} points to another address ({status}); give that one itself")
        raise EndpointError(f"{self.host} refuses the request: {problem}")

    def _read(self, response: httpx2.Response) -> Reply:
        try:
            data = response.json()
        except (ValueError, RecursionError) as error:
            kind = response.headers.get("content-type", "no content type")
            raise EndpointError(
                f"{self.host} does not answer in JSON ({self._told(kind)}); is it the base URL of an "
                "OpenAI-compatible server?"
            ) from error
        try:
            choice = data["choices"][0]
            text, finish = choice["message"]["content"], choice.get("finish_reason")
        except (LookupError, TypeError, AttributeError) as error:
            raise EndpointError(f"{self.host} answers JSON without choices[0].message.content") from error
        if not isinstance(text, str | None) or not isinstance(finish, str | None):
            raise EndpointError(
                f"{self.host} answers with content of type {type(text).__name__}; a text is needed"
            )
        usage = data.get("usage")
        counts = usage if isinstance(usage, Mapping) else {}
        return Reply(
            without_key(text or "", self._key),
            None if finish is None else without_key(finish, self._key),
            _count(counts.get("prompt_tokens")),
            _count(counts.get("completion_tokens")),
        )

    def _refusal(self, response: httpx2.Response) -> str:
        """Status and the server's own message."""
        error = _error(response)
        if response.status_code == 429 and error.get("code") == "insufficient_quota":
            raise EndpointError(f"{self.host} says that the account's quota is used up")
        message = error.get("message")
        return f"status {response.status_code}" + (f", {self._told(str(message))}" if message else "")

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
