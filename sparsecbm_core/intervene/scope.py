"""Where a correction holds: everywhere, or for reviews close to the corrected one alone."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from dataclasses import dataclass
from itertools import islice

from sparsecbm_core.errors import InputError

EVERYWHERE, SIMILAR = "everywhere", "similar"
SCOPES = (EVERYWHERE, SIMILAR)
LENGTHS = (3, 4, 5)  # of the pieces of text that are compared, in characters
BYTES = 256  # of a signature
CHUNK = 4096  # n-grams drawn at once, 9 MB: all those of a long text would take gigabytes
# On CEBaB dev, 86 % of the pairs of edits of one review are as close, and 0.024 % of all other pairs. At
# 0.42 it is 91 % and 0.1 %: hardly more edits are set right, and four times as many others are touched.
THRESHOLD = 0.5


@dataclass(frozen=True)
class Signature:
    """What is kept of a review to know others like it: 2,048 bits, in which no word is written.

    Character 3-, 4- and 5-grams in any case, each once, are directions drawn by a hash; a bit says on
    which side of its plane their sum lies (SimHash: Charikar, "Similarity estimation techniques from
    rounding algorithms", 2002). Two signatures estimate the cosine of the two sets of n-grams,
    |A∩B|/√(|A|·|B|), to about 0.03. Nothing is learnt from data, so a signature made anywhere can be
    compared with any other. Who guesses the review can confirm the guess: it hides a text, no secret.

    >>> cold = Signature.of("The soup was cold.")
    >>> cold.similarity(Signature.of("The soup was hot.")) > THRESHOLD
    True
    >>> cold.similarity(Signature.of("Loud music all evening")) < THRESHOLD
    True
    """

    bits: bytes

    def __post_init__(self) -> None:
        if not isinstance(self.bits, bytes) or len(self.bits) != BYTES:
            raise InputError(f"a signature has {BYTES} bytes, got {_shown(self.bits)}")

    @classmethod
    def of(cls, text: str) -> Signature:
        """Raises `InputError` for a text without a word."""
        import numpy as np

        words = unicodedata.normalize("NFKC", text).casefold().split()
        if not words:
            raise InputError("an empty text is close to none; give a review")
        padded = f" {' '.join(words)} "
        grams = {padded[i : i + n] for n in LENGTHS for i in range(len(padded) - n + 1)}
        sums, rest = np.zeros(8 * BYTES, dtype=np.int64), iter(grams)
        while chunk := list(islice(rest, CHUNK)):
            drawn = b"".join(
                hashlib.shake_128(gram.encode("utf-8", "surrogatepass")).digest(BYTES) for gram in chunk
            )
            directions = np.frombuffer(drawn, np.uint8).reshape(-1, BYTES)  # (n-grams, bytes)
            sums += np.unpackbits(directions, axis=1).sum(axis=0, dtype=np.int64)
        return cls(np.packbits(2 * sums > len(grams)).tobytes())

    @classmethod
    def from_hex(cls, text: object) -> Signature:
        """What `hex` wrote; `InputError` for anything else."""
        try:
            return cls(bytes.fromhex(text)) if isinstance(text, str) else cls(b"")
        except ValueError as error:
            raise InputError(
                f"a signature is written as {2 * BYTES} hexadecimal digits, got {_shown(text)}"
            ) from error

    @property
    def hex(self) -> str:
        """The bits as hexadecimal digits."""
        return self.bits.hex()

    def similarity(self, other: Signature) -> float:
        """Cosine of the angle between two reviews: 1 for the same one, about 0.1 for any two."""
        differing = int.from_bytes(self.bits).__xor__(int.from_bytes(other.bits)).bit_count()
        return math.cos(math.pi * differing / (8 * BYTES))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
