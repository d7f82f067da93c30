"""Where an endpoint is and the key to it, checked before anything is sent; the key is never shown."""

from __future__ import annotations

import os
import re
import warnings
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from sparsecbm_core.errors import InputError, SparseCBMWarning

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH = "/chat/completions"
_LEAST_SECRET = 8  # shorter ones ("EMPTY") are no secrets, and may be words of an answer


def read_address(url: str) -> SplitResult:
    """Where to post to for a base URL; ``netloc``, the host with its port, is all that is ever written down.

    "/chat/completions" is added where the URL does not end in it, "/v1" before it where there is no
    path at all. Raises `InputError`, without showing the URL where it may hold a secret.

    >>> read_address("http://localhost:8000").geturl()
    'http://localhost:8000/v1/chat/completions'
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port  # a port that is no number raises here
    except ValueError as error:
        raise InputError(f"the endpoint is not a URL ({error}); give one like https://HOST/v1") from error
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InputError(
            "the endpoint's URL must not hold credentials or parameters; a key goes into an environment "
            "variable, whose name --api-key-env gives"
        )
    if parts.scheme not in ("http", "https") or not host:
        raise InputError(f"the endpoint {url!r} is not a URL like https://HOST/v1 or http://localhost:8000")
    path = parts.path.rstrip("/")
    if not path.endswith(_PATH):
        path = (path or "/v1") + _PATH
    return parts._replace(path=path)


def read_key(variable: str | None) -> str | None:
    """The key in an environment variable; None where no variable is named.

    The messages show neither the key nor ``variable``: people have given the key itself there.
    """
    if variable is None:
        return None
    if not _NAME.fullmatch(variable):
        raise InputError("--api-key-env takes the name of an environment variable, not the key itself")
    key = os.environ.get(variable, "").strip()
    if not key:
        raise InputError(
            "the environment variable that --api-key-env names is not set or empty (it takes a variable's "
            "name, not the key itself)"
        )
    if not (key.isascii() and key.isprintable()):
        raise InputError("the key in the environment variable holds characters that no header can carry")
    return key


def warn_if_in_the_open(address: SplitResult, key: str | None) -> None:
    """A key over plain HTTP to another machine can be read on the way."""
    host = address.hostname or ""
    try:
        here = ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    if key and address.scheme == "http" and not here:
        told = f"the key goes to {address.netloc} unencrypted; use https where the server offers it"
        warnings.warn(told, SparseCBMWarning, stacklevel=3)


def without_key(text: str, key: str | None) -> str:
    """The text with the key blotted out: servers have been seen to repeat it."""
    return text.replace(key, "[key]") if key and len(key) >= _LEAST_SECRET else text
