"""How well the closeness of two texts tells the edits of one review from other reviews."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.scope import BYTES, THRESHOLD, Signature


@dataclass(frozen=True)
class Detection:
    """Pairs of reviews that are edits of one original, and all others: the shares that count as close."""

    threshold: float
    edits: int
    others: int
    detected: float
    false_alarms: float


def detection(data: ReviewDataset, threshold: float = THRESHOLD) -> Detection:
    """How well closeness finds the edits of a review among all pairs of reviews."""
    drawn = np.stack([np.frombuffer(Signature.of(text).bits, np.uint8) for text in data.texts])
    names = np.array([example.group or example.id for example in data])
    # As in `Signature.similarity`: the angle of the threshold as a number of differing bits.
    most = np.arccos(threshold) / np.pi * 8 * BYTES
    found, pairs = np.zeros(2, np.int64), np.zeros(2, np.int64)  # of one original, of two
    for place in range(len(names) - 1):
        differing = np.bitwise_count(drawn[place + 1 :] ^ drawn[place]).sum(axis=1, dtype=np.int64)
        related = names[place + 1 :] == names[place]
        for row, chosen in enumerate((related, ~related)):
            pairs[row] += chosen.sum()
            found[row] += (differing[chosen] <= most).sum()
    if not pairs.all():
        raise InputError("closeness is measured on edits of the same reviews, and there are none here")
    share = found / pairs
    return Detection(threshold, int(pairs[0]), int(pairs[1]), float(share[0]), float(share[1]))
