"""The fused attention of long texts: the same numbers, and only where it was asked for."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.explain import METHODS, score_tokens
from sparsecbm_core.models import attention
from sparsecbm_core.models.attention import fused_when_long
from sparsecbm_core.models.concept_model import ConceptModel
from tests.tiny import ARCHITECTURES, REVIEW


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every text is long; the number of tokens of each fused reading."""
    seen: list[int] = []
    kernel = torch.nn.functional.scaled_dot_product_attention

    def watched(query: torch.Tensor, *others: torch.Tensor, **options: float | None) -> torch.Tensor:
        seen.append(query.shape[2])
        return kernel(query, *others, **options)

    monkeypatch.setattr(attention, "LONG", 1)
    monkeypatch.setattr(attention.F, "scaled_dot_product_attention", watched)
    return seen


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("method", METHODS)
def test_scores_are_the_same(
    tiny_models: dict[str, ConceptModel], arch: str, method: str, request: pytest.FixtureRequest
) -> None:
    def scores() -> torch.Tensor:
        found = score_tokens(tiny_models[arch], REVIEW, method, steps=4)
        return torch.tensor([[token.score for token in tokens] for tokens, _ in found.values()])

    step_by_step = scores()
    calls = request.getfixturevalue("fused")
    torch.testing.assert_close(scores(), step_by_step, rtol=1e-3, atol=1e-5)
    assert calls


def test_short_texts_are_read_step_by_step(
    tiny_model: ConceptModel, fused: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "LONG", 64)
    score_tokens(tiny_model, REVIEW, "gradient")
    assert fused == []
    score_tokens(tiny_model, "The soup was cold. " * 40, "gradient")
    assert set(fused) == {64}


def test_readings_outside_are_left_alone(tiny_model: ConceptModel, fused: list[int]) -> None:
    ids = torch.tensor([tiny_model.encode([REVIEW])[0].ids])
    tiny_model.predict([REVIEW])
    whole = tiny_model.cbm.encoder(input_ids=ids, output_attentions=True)
    assert fused == []
    torch.testing.assert_close(whole.attentions[0].sum(-1), torch.ones_like(whole.attentions[0].sum(-1)))
    with pytest.raises(RuntimeError), fused_when_long():
        raise RuntimeError
    tiny_model.predict([REVIEW])
    assert fused == []


def test_padding_is_not_attended_to(tiny_model: ConceptModel, fused: list[int]) -> None:
    (_, ids, mask), *_ = tiny_model.batches(tiny_model.encode(["Cold.", REVIEW]), 2)
    rows = tiny_model.cbm.embed(ids).repeat_interleave(3, 0)
    logits = tiny_model.cbm.row_logits(rows, mask.repeat_interleave(3, 0), tiny_model.weights)
    assert fused
    said = tiny_model.predict(["Cold.", REVIEW]).concept_logits
    torch.testing.assert_close(logits.unflatten(0, (2, 3)), said, rtol=1e-4, atol=1e-5)


def test_dropout_is_drawn_step_by_step(tiny_model: ConceptModel, fused: list[int]) -> None:
    layer = tiny_model.cbm.encoder.encoder.layer[0].attention.self
    query = torch.randn(1, 2, 5, 8)
    with fused_when_long():
        attention._attend(layer, query, query, query, None, scaling=1.0, dropout=0.5)
        assert fused == []
        attention._attend(layer, query, query, query, None, scaling=1.0)
    assert fused == [5]
