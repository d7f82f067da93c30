"""A run whose subnetworks share nothing: partition, solved weights, averaged weights, and a stop amid it."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.errors import SettingsError
from sparsecbm_core.training.losses import label_targets, swap_loss
from tests.tiny import SPACE
from tests.toy import make_example
from tests.training.runs import dense_model, events, train
from tests.training.stopping import Stopped, result, stopping_at, trainer

PRUNE = {"method": "partition", "sparsity": 2 / 3, "calibration_reviews": 12}
VALUES = {"distillation": 0.5, "swap_loss": 0.1, "weight_average": 0.9, "prune": PRUNE}


def test_the_subnetworks_are_disjoint_from_the_first_step_on(backbone, tmp_path):
    model = train(
        backbone, tmp_path, PRUNE, dense_model(), swap_loss=0.1, weight_average=0.9, sparse_epochs=2
    )
    assert model.masks is not None
    assert max(model.masks.jaccard().values()) == 0.0
    assert set(model.masks.sparsity().values()) == {1 - 5 / 16}  # of 16 units in each matrix
    (made,) = events(tmp_path, "masks")
    assert made["step"] == 0
    assert model.training["settings"]["prune"]["method"] == "partition"


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_stopped_anywhere_it_ends_the_same(backbone, tmp_path, share):
    calls: list[None] = []
    expected = trainer(backbone, tmp_path / "whole", 300, stopping_at(0, calls), **VALUES).run()
    stop = stopping_at(1 + round(share * (len(calls) - 1)))
    with pytest.raises(Stopped):
        trainer(backbone, tmp_path / "run", on_progress=stop, **VALUES).run()
    model = trainer(backbone, tmp_path / "run", **VALUES).run(resume=True)
    assert result(model, tmp_path / "run") == result(expected, tmp_path / "whole")


def test_more_weights_than_concepts_can_share_out_are_refused(backbone, tmp_path):
    with pytest.raises(SettingsError, match=r"at least 0\.6667"):
        train(backbone, tmp_path, {**PRUNE, "sparsity": 0.5}, dense_model())


def test_what_is_kept_is_the_average(backbone, tmp_path):
    """With an average that hardly moves, the finished model is nearly the one it began with."""
    start = dense_model()
    slow = train(
        backbone, tmp_path / "slow", {"sparsity": 0.0, "exclusivity": 0.0}, start, weight_average=0.0
    )
    kept = train(
        backbone, tmp_path / "kept", {"sparsity": 0.0, "exclusivity": 0.0}, start, weight_average=0.9999
    )

    def moved(model) -> float:
        return float((model.cbm.projector - start.cbm.projector).norm())

    assert 0 < moved(kept) < moved(slow)


def test_the_swap_loss_is_least_where_others_say_the_frequencies():
    shares = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
    logits = shares.log().expand(2, 4, 2, 3).clone()  # [j, b, k]
    least = swap_loss(logits, shares)
    entropy = -(shares * shares.log()).sum(-1).mean()
    torch.testing.assert_close(least, entropy)
    own = logits.clone()
    own[0, :, 0, 0] += 5  # what a concept says of its own subnetwork has no part in it
    torch.testing.assert_close(swap_loss(own, shares), least)
    other = logits.clone()
    other[1, :, 0, 0] += 5
    assert swap_loss(other, shares) > least + 0.5
    # the rest of the text, which is no concept, is not to tell one either
    with_rest = torch.cat([logits, logits[:1]])
    torch.testing.assert_close(swap_loss(with_rest, shares), least)
    with_rest[2, :, 1, 2] -= 5
    assert swap_loss(with_rest, shares) > least + 0.5


def test_label_targets_by_votes():
    votes = (0.25, 0.75, 0.0, 0.0)
    plain = make_example(0, (0, 0, 0), 1)
    voted = make_example(1, (0, 0, 0), 1, label_votes=votes)
    undecided = make_example(2, (0, 0, 0), 1, label_votes=votes, undecided=True)
    targets = label_targets([plain, voted, undecided], SPACE, 0.4)
    assert targets[0].tolist() == [0, 1, 0, 0]
    torch.testing.assert_close(targets[1], torch.tensor([0.1, 0.9, 0, 0]))
    assert targets[2].tolist() == list(votes)
