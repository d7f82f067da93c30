"""Token methods against answers computed another way, and the axioms they promise."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from threading import Barrier, Thread
from typing import Any

import numpy as np
import pytest
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.explain import METHODS, explain, score_tokens, token_method
from sparsecbm_core.explain.tokens import integrated_gradients, occlusion
from sparsecbm_core.explain.words import words_of
from sparsecbm_core.models.concept_model import ConceptModel
from tests.tiny import ARCHITECTURES, REVIEW, make_tiny, random_masks, with_masks

each_architecture = pytest.mark.parametrize("arch", ARCHITECTURES)
Target = Callable[..., torch.Tensor]
each_method = pytest.mark.parametrize("method", METHODS)


def alone(model: ConceptModel, concept: str, embeds: torch.Tensor) -> torch.Tensor:
    """Logits (C,) of one concept from (T, E): its masked weights put into the encoder the plain way."""
    network, k = model.cbm, model.space.concept_index(concept)
    assert model.masks is not None
    masked = {
        f"{name}.weight": layer.weight * torch.from_numpy(np.array(model.masks.concept_bool(name, concept)))
        for name, layer in network.masked_layers.items()
    }
    attention = torch.ones(1, len(embeds), dtype=torch.long)
    inputs = {"inputs_embeds": embeds[None], "attention_mask": attention}
    hidden = torch.func.functional_call(network.encoder, masked, (), inputs).last_hidden_state
    return network.projector[k] @ hidden[0].mean(0) + network.projector_bias[k]


def lead(logits: torch.Tensor, state: int) -> torch.Tensor:
    """The state's logit above the mean of the other ones."""
    others = [logits[i] for i in range(len(logits)) if i != state]
    return logits[state] - torch.stack(others).mean()


def embeddings(model: ConceptModel, ids: tuple[int, ...]) -> torch.Tensor:
    return model.cbm.embed(torch.tensor(ids)).detach()


def values(model: ConceptModel, method: str, text: str = REVIEW, **options: Any) -> torch.Tensor:
    """Scores (K, G)."""
    scored = score_tokens(model, text, method, **options)
    return torch.tensor([[token.score for token in tokens] for tokens, _ in scored.values()])


def summed(scores: torch.Tensor, model: ConceptModel) -> list[float]:
    """Token scores (T,) summed to words."""
    words = words_of(REVIEW, model.encode([REVIEW])[0])
    return [float(scores[list(word.tokens)].sum()) for word in words]


@each_architecture
@pytest.mark.parametrize(
    ("method", "target", "reduce"),
    [
        ("gradient", lambda logits, state: logits[state], lambda gradient, embeds: gradient.norm(dim=-1)),
        ("input_x_gradient", lead, lambda gradient, embeds: (gradient * embeds).sum(-1)),
    ],
)
def test_gradients_equal_those_of_each_concept_alone(
    tiny_models: dict[str, ConceptModel], arch: str, method: str, target: Target, reduce: Target
) -> None:
    model = tiny_models[arch]
    ids, scored = model.encode([REVIEW])[0].ids, values(model, method)
    for k, (concept, item) in enumerate(explain(model, REVIEW, None).concepts.items()):
        embeds = embeddings(model, ids).requires_grad_()
        target(alone(model, concept, embeds), model.space.state_index(item.state)).backward()
        assert embeds.grad is not None
        expected = summed(reduce(embeds.grad, embeds.detach()), model)
        assert scored[k].tolist() == pytest.approx(expected, rel=1e-4, abs=1e-5)


@each_architecture
def test_integrated_gradients_are_complete(tiny_models: dict[str, ConceptModel], arch: str) -> None:
    model = tiny_models[arch]
    encoded, labels = model.encode([REVIEW])[0], explain(model, REVIEW, None).concepts
    shown = {position for word in words_of(REVIEW, encoded) for position in word.tokens}
    pad = int(model.tokenizer.pad_token_id)
    blank = tuple(pad if position in shown else token for position, token in enumerate(encoded.ids))
    for concept, (tokens, delta) in score_tokens(model, REVIEW, steps=64).items():
        state = model.space.state_index(labels[concept].state)
        rise = lead(alone(model, concept, embeddings(model, encoded.ids)), state)
        rise = rise - lead(alone(model, concept, embeddings(model, blank)), state)
        assert delta is not None
        assert sum(token.score for token in tokens) + delta == pytest.approx(float(rise), abs=1e-5)
        assert abs(delta) < 0.05


@pytest.mark.parametrize("method", ["input_x_gradient", "integrated_gradients", "occlusion"])
def test_a_shift_of_all_states_together_changes_no_score(tiny_model: ConceptModel, method: str) -> None:
    """Softmax does not see it, so a word that lifts every state alike speaks for none of them."""
    shifted = replace(tiny_model, network=copy.deepcopy(tiny_model.cbm))
    with torch.no_grad():
        shifted.cbm.projector += torch.randn(
            shifted.cbm.projector[:, :1].shape, generator=torch.Generator().manual_seed(1)
        )
    torch.testing.assert_close(
        shifted.predict([REVIEW]).concept_logits.softmax(-1),
        tiny_model.predict([REVIEW]).concept_logits.softmax(-1),
    )
    torch.testing.assert_close(values(shifted, method), values(tiny_model, method), rtol=1e-3, atol=1e-4)


def test_more_steps_leave_less_over(tiny_model: ConceptModel) -> None:
    def left(steps: int) -> float:
        return sum(abs(delta or 0.0) for _, delta in score_tokens(tiny_model, REVIEW, steps=steps).values())

    assert left(32) < 1e-4 < left(1)


def test_integrated_gradients_do_not_depend_on_how_steps_are_cut(
    tiny_model: ConceptModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = values(tiny_model, "integrated_gradients", steps=6)
    monkeypatch.setattr(integrated_gradients, "ROW_TOKENS", 1)
    torch.testing.assert_close(
        values(tiny_model, "integrated_gradients", steps=6), whole, rtol=1e-4, atol=1e-5
    )


@each_architecture
def test_occlusion_is_what_deleting_the_word_by_hand_gives(
    tiny_models: dict[str, ConceptModel], arch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_models[arch]
    encoded, labels = model.encode([REVIEW])[0], explain(model, REVIEW, None).concepts
    scored = values(model, "occlusion")
    for k, (concept, item) in enumerate(labels.items()):
        state = model.space.state_index(item.state)
        full = lead(alone(model, concept, embeddings(model, encoded.ids)), state)
        for word, score in zip(words_of(REVIEW, encoded), scored[k].tolist(), strict=True):
            rest = tuple(token for t, token in enumerate(encoded.ids) if t not in word.tokens)
            without = lead(alone(model, concept, embeddings(model, rest)), state)
            assert score == pytest.approx(float(full - without), abs=1e-5)
    monkeypatch.setattr(occlusion, "ROW_TOKENS", 1)
    torch.testing.assert_close(values(model, "occlusion"), scored, rtol=1e-4, atol=1e-5)


def test_occlusion_of_the_only_word_of_a_model_without_special_tokens() -> None:
    model = make_tiny("opt")
    model.tokenizer.backend_tokenizer.post_processor = None
    assert model.encode(["a"])[0].special == (False,)
    assert torch.isfinite(values(model, "occlusion", "a")).all()


@each_method
def test_given_states_are_explained_instead_of_the_predicted(tiny_model: ConceptModel, method: str) -> None:
    by_state = {
        state: values(tiny_model, method, states={"service": state}) for state in tiny_model.space.states
    }
    predicted = explain(tiny_model, REVIEW, None).concepts["service"].state
    default = values(tiny_model, method)
    for state, scores in by_state.items():
        torch.testing.assert_close(scores[[0, 2]], default[[0, 2]])
        assert torch.allclose(scores[1], default[1]) == (state == predicted)


@each_method
def test_other_concepts_in_the_batch_change_nothing(tiny_model: ConceptModel, method: str) -> None:
    """Concept k keeps its scores when every other concept's mask is another one."""
    assert tiny_model.masks is not None
    other = random_masks(tiny_model.cbm, seed=7)
    scores = values(tiny_model, method)
    for k, concept in enumerate(tiny_model.space.concepts):
        kept = {name: tiny_model.masks.concept_bool(name, concept) for name in other.shapes}
        mixed = values(with_masks(tiny_model, other.with_concept(concept, kept)), method)
        torch.testing.assert_close(mixed[k], scores[k], rtol=1e-4, atol=1e-5)
        assert not torch.allclose(mixed, scores, atol=1e-2)


@each_architecture
def test_gradients_do_not_depend_on_padding_or_neighbours(
    tiny_models: dict[str, ConceptModel], arch: str
) -> None:
    model = tiny_models[arch]
    size = model.space.num_concepts

    def gradients(texts: list[str]) -> torch.Tensor:
        """(N, K, T, E) of the summed logits."""
        (_, ids, mask), *_ = model.batches(model.encode(texts), len(texts))
        rows = model.cbm.embed(ids).repeat_interleave(size, 0).requires_grad_()
        logits = model.cbm.row_logits(rows, mask.repeat_interleave(size, 0), model.weights)
        (gradient,) = torch.autograd.grad(logits.sum(), rows)
        return gradient.unflatten(0, (-1, size))

    short = "The soup was cold."
    single = gradients([short])[0]
    batched = gradients([short, REVIEW])[0]
    length = single.shape[1]
    torch.testing.assert_close(batched[:, :length], single, rtol=1e-4, atol=1e-5)
    assert batched[:, length:].abs().max() == 0.0


@each_method
def test_a_dense_model_scores_like_masks_of_ones(method: str) -> None:
    dense = make_tiny("bert", density=None)
    full = make_tiny("bert", density=1.0)
    torch.testing.assert_close(values(dense, method), values(full, method), rtol=1e-4, atol=1e-5)


@each_method
def test_threads_with_different_masks_get_what_each_gets_alone(tiny_model: ConceptModel, method: str) -> None:
    models = [with_masks(tiny_model, random_masks(tiny_model.cbm, seed=seed)) for seed in (1, 2)]
    expected = [explain(model, REVIEW, method) for model in models]
    assert expected[0].concepts != expected[1].concepts
    found: dict[int, list[object]] = {0: [], 1: []}
    start = Barrier(2)

    def work(index: int) -> None:
        start.wait()
        for _ in range(5):
            found[index].append(explain(models[index], REVIEW, method))

    threads = [Thread(target=work, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {index: [expected[index]] * 5 for index in range(2)}


@each_method
def test_the_model_is_left_as_it_was(tiny_model: ConceptModel, method: str) -> None:
    network = tiny_model.cbm
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def hooks() -> list[tuple[list[int], list[int]]]:  # some may be there since attention was read
        return [(list(part._forward_hooks), list(part._forward_pre_hooks)) for part in network.modules()]

    hooked = hooks()
    explain(tiny_model, REVIEW, method)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert hooks() == hooked
    assert not any(module.training for module in network.modules())


@each_method
def test_it_works_after_predict_and_inside_inference_mode(method: str) -> None:
    model = make_tiny("bert")
    model.predict([REVIEW])
    outside, fresh = explain(model, REVIEW, method), make_tiny("bert")
    with torch.inference_mode():
        assert explain(fresh, REVIEW, method) == outside
    assert explain(fresh, REVIEW, method) == outside
    with torch.no_grad():
        assert explain(model, REVIEW, method) == outside


def test_trainable_parameters_get_no_gradient() -> None:
    model = make_tiny("bert")
    expected = values(model, "gradient")
    model.network.requires_grad_(True)
    assert torch.equal(values(model, "gradient"), expected)
    assert all(parameter.grad is None for parameter in model.network.parameters())


def test_signs() -> None:
    assert {name for name, method in METHODS.items() if not method.signed} == {"gradient"}
    assert (values(make_tiny("bert"), "gradient") >= 0).all()
    assert all(name == method.name and method.description for name, method in METHODS.items())


def test_unknown_methods_are_named_with_the_valid_ones(tiny_model: ConceptModel) -> None:
    with pytest.raises(InputError, match=r"unknown token method 'lime'.*integrated_gradients, gradient"):
        token_method("lime")
    with pytest.raises(InputError, match="lime"):
        explain(tiny_model, REVIEW, "lime")
