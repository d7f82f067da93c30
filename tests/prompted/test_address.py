"""Where an endpoint is, and the key that no message may show."""

from __future__ import annotations

import warnings

import pytest

from sparsecbm_core.errors import InputError, SparseCBMWarning
from sparsecbm_core.prompted.address import read_address, read_key, warn_if_in_the_open, without_key

SECRET = "sk-very-secret-0123456789"


@pytest.mark.parametrize(
    ("url", "posted", "host"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1/chat/completions", "localhost:8000"),
        ("http://localhost:8000/", "http://localhost:8000/v1/chat/completions", "localhost:8000"),
        ("https://api.example.com/v1/", "https://api.example.com/v1/chat/completions", "api.example.com"),
        (
            "https://example.com/v1beta/openai",
            "https://example.com/v1beta/openai/chat/completions",
            "example.com",
        ),
        (
            "https://example.com/x/chat/completions",
            "https://example.com/x/chat/completions",
            "example.com",
        ),
        ("http://[::1]:80/v1", "http://[::1]:80/v1/chat/completions", "[::1]:80"),
    ],
)
def test_base_urls(url, posted, host):
    address = read_address(url)
    assert (address.geturl(), address.netloc) == (posted, host)


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://example.com", "https://", "example.com/v1"])
def test_what_is_no_url_is_shown(url):
    with pytest.raises(InputError, match="is not a URL like") as caught:
        read_address(url)
    assert repr(url) in str(caught.value)


def test_a_port_that_is_none():
    with pytest.raises(InputError, match="not a URL"):
        read_address("http://localhost:many/v1")


@pytest.mark.parametrize(
    "url",
    [f"https://me:{SECRET}@example.com/v1", f"https://example.com/v1?key={SECRET}", f"https://h/#{SECRET}"],
)
def test_a_url_with_a_secret_is_refused_and_not_shown(url):
    with pytest.raises(InputError, match="must not hold credentials") as caught:
        read_address(url)
    assert SECRET not in str(caught.value)


def test_the_key_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("SOME_KEY", f" {SECRET}\n")
    assert read_key("SOME_KEY") == SECRET
    assert read_key(None) is None


@pytest.mark.parametrize("given", [SECRET, "gsk_0123456789abcdef", "", "MY KEY"])
def test_a_key_given_in_place_of_its_variable_is_not_shown(given):
    """Some keys look just like names."""
    with pytest.raises(InputError, match="not the key itself") as caught:
        read_key(given)
    assert not given or given not in str(caught.value)


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_variable(monkeypatch, value):
    monkeypatch.setenv("SOME_KEY", value)
    with pytest.raises(InputError, match="not set or empty"):
        read_key("SOME_KEY")


@pytest.mark.parametrize("value", [f"{SECRET}\r\nX-Other: 1", f"{SECRET}é"])
def test_a_key_that_would_break_the_header(monkeypatch, value):
    monkeypatch.setenv("SOME_KEY", value)
    with pytest.raises(InputError, match="no header can carry") as caught:
        read_key("SOME_KEY")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "key", "warned"),
    [
        ("http://example.com/v1", SECRET, True),
        ("http://192.168.0.7:8000", SECRET, True),
        ("http://example.com/v1", None, False),
        ("https://example.com/v1", SECRET, False),
        ("http://localhost:8000", SECRET, False),
        ("http://127.0.0.1:8000", SECRET, False),
        ("http://[::1]:8000", SECRET, False),
    ],
)
def test_a_key_in_the_open_is_warned_of(url, key, warned):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_if_in_the_open(read_address(url), key)
    assert [item.category for item in caught] == [SparseCBMWarning] * warned
    assert all(SECRET not in str(item.message) for item in caught)


def test_the_key_is_blotted_out():
    assert without_key(f"bad key {SECRET}!", SECRET) == "bad key [key]!"
    assert without_key("the plate was EMPTY", "EMPTY") == "the plate was EMPTY"  # a placeholder, and a word
    assert without_key("text", None) == "text"
