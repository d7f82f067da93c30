"""Words scored one concept after the other: the same numbers, less to wait for and less to hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from sparsecbm_core.explain import (
    METHODS,
    explain,
    explain_many,
    score_tokens,
    scoring,
    token_method,
    with_tokens,
)
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.explain.scoring import at_once
from sparsecbm_core.explain.tokens.inputs import TokenInputs
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.sparse_cbm import SparseCBM
from tests.tiny import REVIEW, SPACE, make_tiny, with_masks

each_method = pytest.mark.parametrize("method", METHODS)
KINDS = ("scattered", "rows", "dense", "corrected")


def rows_of_their_own(network: SparseCBM) -> MaskSet:
    """Every row belongs to one concept."""
    count = network.space.num_concepts
    return MaskSet.from_bool(
        network.space.concepts,
        {
            name: np.stack([np.repeat((np.arange(o) % count == k)[:, None], i, 1) for k in range(count)])
            for name, (o, i) in network.mask_shapes.items()
        },
    )


@pytest.fixture(scope="module")
def models() -> dict[str, ConceptModel]:
    scattered = make_tiny("bert")
    corrected = make_tiny("bert")
    assert corrected.weights is not None
    weight = {name: layer.weight * 0.5 for name, layer in corrected.cbm.masked_layers.items()}
    changed = replace(corrected)
    changed.__dict__["weights"] = corrected.weights.with_concept("service", weight)
    return {
        "scattered": scattered,
        "rows": with_masks(scattered, rows_of_their_own(scattered.cbm)),
        "dense": make_tiny("bert", density=None),
        "corrected": changed,
    }


def scores(model: ConceptModel, method: str, concepts: Sequence[str] | None = None) -> torch.Tensor:
    found = score_tokens(model, REVIEW, method, steps=6, concepts=concepts)
    return torch.tensor([[token.score for token in tokens] for tokens, _ in found.values()])


@each_method
@pytest.mark.parametrize("kind", KINDS)
def test_one_after_the_other_gives_what_all_at_once_gave(
    models: dict[str, ConceptModel], kind: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models[kind]
    alone = torch.cat([scores(model, method, [name]) for name in SPACE.concepts])
    by_default, deltas = scores(model, method), score_tokens(model, REVIEW, method)
    monkeypatch.setattr(scoring, "ROW_TOKENS", 1)
    short_of_room = scores(model, method)
    monkeypatch.undo()
    monkeypatch.setattr(TokenInputs, "each", lambda inputs: iter((inputs,)))
    together = scores(model, method)
    for found in (alone, by_default, short_of_room):
        torch.testing.assert_close(found, together, rtol=1e-4, atol=1e-5)
    for name, (_, delta) in score_tokens(model, REVIEW, method).items():
        assert delta == pytest.approx(deltas[name][1], abs=1e-5)
    assert together.abs().max() > 1e-3


@each_method
def test_the_concepts_asked_for_are_scored_in_their_order(tiny_model: ConceptModel, method: str) -> None:
    found = score_tokens(tiny_model, REVIEW, method, concepts=["noise", "food"])
    assert list(found) == ["noise", "food"]


@each_method
@pytest.mark.parametrize("kind", ["scattered", "dense"])
@pytest.mark.parametrize("room", [1, scoring.ROW_TOKENS])
def test_the_share_done_grows_to_the_whole(
    models: dict[str, ConceptModel], kind: str, method: str, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "ROW_TOKENS", room)
    shares: list[float] = []
    explain(models[kind], REVIEW, method, on_share=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert shares[0] > 0.0
    one: list[float] = []
    score_tokens(models[kind], REVIEW, method, concepts=["food"], on_share=one.append)
    assert one[-1] == 1.0


def test_what_is_broken_off_leaves_the_model_as_it_was(tiny_model: ConceptModel) -> None:
    def stop(share: float) -> None:
        if share > 0.4:
            raise KeyboardInterrupt

    before = explain(tiny_model, REVIEW)
    with pytest.raises(KeyboardInterrupt):
        explain(tiny_model, REVIEW, on_share=stop)
    assert explain(tiny_model, REVIEW) == before


def test_every_text_of_many_tells_its_share(tiny_model: ConceptModel) -> None:
    shares: list[float] = []
    explain_many(tiny_model, [REVIEW, "Cold soup."], "gradient", on_share=shares.append)
    assert shares.count(1.0) == 2


def test_words_are_added_concept_by_concept(tiny_model: ConceptModel) -> None:
    whole, found = explain(tiny_model, REVIEW), explain(tiny_model, REVIEW, None)
    assert found.unscored == SPACE.concepts
    for done, name in enumerate(("service", "food", "noise"), start=1):
        found = with_tokens(tiny_model, found, concepts=[name])
        assert len(found.unscored) == len(SPACE.concepts) - done
    assert close(found, whole)
    assert whole.unscored == ()


def test_words_by_another_method_go(tiny_model: ConceptModel) -> None:
    first = explain(tiny_model, REVIEW)
    other = with_tokens(tiny_model, first, "gradient", concepts=["food"])
    assert (other.method, other.unscored) == ("gradient", ("service", "noise"))
    assert other.concepts["service"].convergence_delta is None


def test_what_costs_no_more_is_scored_at_once(models: dict[str, ConceptModel]) -> None:
    gradient, occlusion = token_method("gradient"), token_method("occlusion")
    steps = token_method("integrated_gradients")
    assert at_once(models["scattered"], 64, gradient)
    assert not at_once(models["scattered"], 512, gradient)
    assert not at_once(models["scattered"], 8, steps)
    assert not at_once(models["scattered"], 8, occlusion)
    assert at_once(models["dense"], 512, occlusion)


def close(first: Explanation, second: Explanation) -> bool:
    """The same but for the last digits of the scores."""
    for name, item in first.concepts.items():
        for one, other in zip(item.tokens, second.concepts[name].tokens, strict=True):
            if one.text != other.text or abs(one.score - other.score) > 1e-5:
                return False
    bare = [
        replace(
            each,
            concepts={
                name: replace(item, tokens=(), convergence_delta=None) for name, item in each.concepts.items()
            },
        )
        for each in (first, second)
    ]
    return bare[0] == bare[1]
