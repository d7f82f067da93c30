"""What a language model is to the baseline: something that continues a conversation."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sparsecbm_core.prompted.prompt import Message


@dataclass(frozen=True)
class Reply:
    """One answer as it came. ``finish`` says why it ends ("stop", "length", …) where that is known,
    the token counts are None where the server does not give them."""

    text: str
    finish: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Stopped(Exception):
    """The run was stopped while a request waited for its turn."""


class Client(Protocol):
    """A language model.

    ``model`` is its name, ``host`` where it is served (None: on this machine, in this process),
    ``concurrency`` how many requests may be under way at a time. ``settings`` is everything else
    that decides an answer, and holds no secret.
    """

    model: str
    host: str | None
    concurrency: int
    settings: Mapping[str, Any]

    def ask(self, messages: Sequence[Message], stop: threading.Event) -> Reply:
        """The model's next turn. Raises `EndpointError` where there is none to be had, and `Stopped`
        once ``stop`` is set and the request would have to wait."""
        ...
