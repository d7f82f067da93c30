"""Batches of texts: every text once, long ones fewer at a time, to the same predictions."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.models import concept_model
from sparsecbm_core.models.concept_model import ConceptModel
from tests.tiny import REVIEW

TEXTS = ["Cold.", REVIEW, "The soup was cold.", REVIEW, REVIEW, "Great."]


def test_long_texts_are_read_fewer_at_a_time(
    tiny_model: ConceptModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny_model.predict(TEXTS, 6)
    encoded = tiny_model.encode(TEXTS)
    longest = max(len(item.ids) for item in encoded)
    limit = 2 * tiny_model.space.num_concepts * longest
    monkeypatch.setattr(concept_model, "READ_AT_ONCE", limit)
    batches = list(tiny_model.batches(encoded, 6))
    assert sorted(i for indices, _, _ in batches for i in indices) == list(range(6))
    assert len(batches) == 3
    assert all(ids.numel() * tiny_model.space.num_concepts <= limit for _, ids, _ in batches)
    torch.testing.assert_close(tiny_model.predict(TEXTS, 6).label_logits, whole.label_logits)


def test_a_text_over_the_limit_is_read_alone(
    tiny_model: ConceptModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concept_model, "READ_AT_ONCE", 1)
    assert [len(indices) for indices, _, _ in tiny_model.batches(tiny_model.encode(TEXTS), 4)] == [1] * 6
