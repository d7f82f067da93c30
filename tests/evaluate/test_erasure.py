"""Erased texts: a reader that adds up its tokens, and real models on texts cut by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sparsecbm_core.evaluate import erasure
from sparsecbm_core.evaluate.erasure import erasure_drops, removed_words, state_probability
from sparsecbm_core.explain.words import words_of
from tests.models.accelerator import without_float64
from tests.tiny import ARCHITECTURES, REVIEW, make_tiny


class Adder:
    """Two concepts with two states: concept 0 has logits (sum of ids, 0), concept 1 (−sum, 0)."""

    projector = torch.zeros(1)

    def embed(self, ids):
        return ids[..., None].float()

    def row_logits(self, embeds, mask, weights):
        total = (embeds.squeeze(-1) * mask).sum(1)
        sign = 1 - 2 * (torch.arange(len(total)) % 2)  # concept fastest
        return torch.stack([total * sign, torch.zeros(len(total))], 1)


THIRDS = (1 / 3, 2 / 3, 1.0)


def drops(rankings, states=(0, 0), shares=THIRDS, ids=(9, 3, 1, 2, 9), words=((1,), (2,), (3,))):
    return erasure_drops(
        Adder(), None, ids, words, np.array(rankings), torch.tensor(states), pad_id=7, shares=shares
    )


def lost(full, *left, sign=1):
    """What the probability of a state loses whose logit sinks from ``full`` to what is ``left``."""
    before, *after = (1 / (1 + np.exp(-sign * total)) for total in (full, *left))
    return pytest.approx([before - each for each in after], abs=1e-15)


def test_drops_by_hand():
    """Words 3, 1, 2 between special tokens. Ranked 3, 2, 1 for concept 0 and 1, 2, 3 for concept 1."""
    found = drops([[[0, 2, 1], [1, 2, 0]]])
    assert found.shape == (1, 2, 2, 3)
    assert found[0, 0, 0] == lost(24, 21, 19, 18)  # without the first words
    assert found[0, 0, 1] == lost(24, 21, 23, 24)  # and with only them
    assert found[0, 1, 0] == lost(24, 23, 21, 18, sign=-1)
    assert found[0, 1, 1] == lost(24, 19, 21, 24, sign=-1)


def test_the_other_state_turns_the_sign():
    other = drops([[[0, 2, 1]] * 2], states=(1, 1))
    assert other == pytest.approx(-drops([[[0, 2, 1]] * 2]), abs=1e-15)


def test_an_accelerator_without_float64_will_do(monkeypatch):
    expected = drops([[[0, 2, 1], [1, 2, 0]]])
    without_float64(monkeypatch)
    assert (drops([[[0, 2, 1], [1, 2, 0]]]) == expected).all()


def test_words_of_several_tokens_go_as_a_whole():
    found = drops([[[1, 0]] * 2], shares=(0.5,), words=((1, 2), (3,)))
    assert found[0, 0, :, 0] == lost(24, 22, 20)


def test_a_text_of_which_nothing_is_left_is_one_blank():
    """Without special tokens, the padding token 7 stands for the empty text."""
    found = drops([[[0, 1]] * 2], shares=(0.5, 1.0), ids=(3, 1), words=((0,), (1,)))
    assert found[0, 0, 0] == lost(4, 1, 7)
    assert found[0, 0, 1] == lost(4, 3, 4)


def test_shares_are_rounded_up():
    assert [removed_words(share, 3) for share in (0.1, 0.3, 0.4, 0.7, 1.0)] == [1, 1, 2, 3, 3]
    assert [removed_words(n / 10, 10) for n in range(1, 11)] == list(range(1, 11))
    assert [removed_words(n / 10, 30) for n in range(1, 11)] == list(range(3, 31, 3))


def test_a_probability_by_hand():
    logits = torch.tensor([[0.0, 1.0, 2.0]])
    found = state_probability(logits, torch.tensor([2])).tolist()
    assert found == pytest.approx([np.exp(2) / (1 + np.e + np.exp(2))])


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("row_tokens", [1, 4096])
def test_a_models_drops_are_those_of_texts_cut_by_hand(arch, row_tokens, tiny_models, monkeypatch):
    monkeypatch.setattr(erasure, "ROW_TOKENS", row_tokens)
    model = tiny_models[arch]
    encoded = model.encode([REVIEW])[0]
    words = [word.tokens for word in words_of(REVIEW, encoded)]
    rng = np.random.default_rng(0)
    rankings = np.array([[rng.permutation(len(words)) for _ in range(3)] for _ in range(2)])
    states = torch.tensor([0, 2, 1])
    found = erasure_drops(
        model.cbm, model.weights, encoded.ids, words, rankings, states, model.tokenizer.pad_token_id, (0.3, 1)
    )

    def read(dropped, k):
        gone = {position for word in dropped for position in words[word]}
        ids = torch.tensor([[t for position, t in enumerate(encoded.ids) if position not in gone]])
        with torch.no_grad():
            logits = model.network(ids, torch.ones_like(ids), model.weights).concept_logits[0]
        return state_probability(logits, states)[k].item()

    cut = removed_words(0.3, len(words))
    for ranking in range(2):
        for k in range(3):
            order, full = rankings[ranking, k], read((), k)
            expected = [
                [full - read(order[:cut], k), full - read(order, k)],
                [full - read(order[cut:], k), full - read((), k)],
            ]
            assert found[ranking, k] == pytest.approx(np.array(expected), abs=1e-5)


def test_a_dense_model_reads_erased_texts_too():
    model = make_tiny("bert", density=None)
    ids = model.encode(["the soup was cold"])[0].ids
    found = erasure_drops(
        model.cbm,
        None,
        ids,
        [(1,), (2,), (3,), (4,)],
        np.tile(np.arange(4), (1, 3, 1)),
        torch.zeros(3).long(),
        0,
    )
    assert np.abs(found[:, :, 0]).max() > 0
    assert (found[:, :, 1, -1] == 0).all()
