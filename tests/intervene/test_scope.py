"""Closeness of reviews: known answers, and what holds for any two."""

from __future__ import annotations

import hashlib
import math
import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene import scope
from sparsecbm_core.intervene.scope import BYTES, LENGTHS, THRESHOLD, Signature

REVIEW = "The soup was cold and the waiter took half an hour to bring the bill, but we liked the terrace."
EDITED = "The soup was hot and the waiter took half an hour to bring the bill, but we liked the terrace."
OTHER = "Great tacos! My kids loved the music; a bit pricey for a place that small."
WORDS = st.text(min_size=1).filter(lambda text: text.split())


def test_an_edit_is_close_and_another_review_is_not():
    own = Signature.of(REVIEW)
    assert own.similarity(Signature.of(EDITED)) > 0.8
    assert own.similarity(Signature.of(OTHER)) < THRESHOLD / 2


def test_case_spaces_and_kinds_of_letters_make_no_difference():
    assert Signature.of("The  soup\n was cold ") == Signature.of("THE SOUP was cold")
    assert Signature.of("a ﬁne soup") == Signature.of("A fine soup")


@pytest.mark.parametrize(
    ("differing", "cosine"), [(0, 1.0), (1024, 0.0), (2048, -1.0), (512, math.sqrt(0.5))]
)
def test_the_share_of_differing_bits_is_the_angle(differing, cosine):
    other = (2**differing - 1).to_bytes(BYTES)
    assert Signature(bytes(BYTES)).similarity(Signature(other)) == pytest.approx(cosine)


def test_it_estimates_the_cosine_of_the_sets_of_n_grams():
    def grams(text):
        padded = f" {text.lower()} "
        return {padded[i : i + n] for n in (3, 4, 5) for i in range(len(padded) - n + 1)}

    for one, two in ((REVIEW, EDITED), (REVIEW, OTHER), (REVIEW, f"{REVIEW} {OTHER}")):
        a, b = grams(one), grams(two)
        exact = len(a & b) / math.sqrt(len(a) * len(b))
        assert Signature.of(one).similarity(Signature.of(two)) == pytest.approx(exact, abs=0.12)


def test_a_signature_stays_what_it_is():
    """Those in files and ledgers are compared with those of later versions."""
    assert Signature.of("The soup was cold.").hex.startswith("fa5138dc92b4d745099d74697b7c547a")


def at_once(text):
    """The signature with all n-grams drawn and added up in one go."""
    padded = f" {' '.join(text.casefold().split())} "
    grams = {padded[i : i + n] for n in LENGTHS for i in range(len(padded) - n + 1)}
    drawn = b"".join(hashlib.shake_128(gram.encode()).digest(BYTES) for gram in grams)
    sides = np.unpackbits(np.frombuffer(drawn, np.uint8).reshape(-1, BYTES), axis=1)
    return Signature(np.packbits(2 * sides.sum(axis=0) > len(grams)).tobytes())


@pytest.mark.parametrize("chunk", [1, 7, 64, None])
def test_adding_up_in_parts_changes_no_bit(monkeypatch, chunk):
    if chunk is not None:
        monkeypatch.setattr(scope, "CHUNK", chunk)
    for text in (REVIEW, "ok", f"{REVIEW} {OTHER}" * 3, long_text(3000)):
        assert Signature.of(text) == at_once(text)


def long_text(length):
    return "".join(random.Random(length).choices("abcdefghij ", k=length))


def test_a_long_text_takes_no_gigabytes():
    """At once, every n-gram takes 2,304 bytes: here some 80 MB, and over a GB for 200,000 characters."""
    text = long_text(20_000)
    tracemalloc.start()
    try:
        Signature.of(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 25e6


def test_it_tells_nothing_to_whoever_looks():
    assert len(Signature.of(REVIEW * 50).bits) == len(Signature.of("ok").bits) == BYTES


@given(one=WORDS, two=WORDS)
def test_similarity_is_symmetric_and_one_for_the_same(one, two):
    a, b = Signature.of(one), Signature.of(two)
    assert a.similarity(b) == b.similarity(a)
    assert -1 <= a.similarity(b) <= 1
    assert a.similarity(Signature.of(one)) == 1
    assert Signature.from_hex(a.hex) == a


@pytest.mark.parametrize("value", [None, 5, "", "00", "zz" * BYTES, "00" * (BYTES + 1), ["00"], "x" * 9999])
def test_what_is_no_signature_is_refused(value):
    with pytest.raises(InputError, match="signature") as caught:
        Signature.from_hex(value)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("text", ["", " \n\t", "\u3000"])
def test_an_empty_text_is_close_to_nothing(text):
    with pytest.raises(InputError, match="empty text"):
        Signature.of(text)
