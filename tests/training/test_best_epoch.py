"""The best epoch is kept, and a sparse one counts only at the full sparsity."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.runs import DEV, KINDS, events, train


class Scores:
    """Stands in for the dev scores, and keeps what the network predicted at the time."""

    def __init__(self, *scores):
        self.scores, self.logits = list(scores), []

    def __call__(self, predictions, data):
        assert data is DEV
        self.logits.append(predictions.label_logits)
        return {"task_accuracy": 0.0, "score": self.scores[len(self.logits) - 1]}


@pytest.mark.parametrize(
    ("scores", "best"),
    [((0.1, 0.9, 0.5), 2), ((0.9, 0.1, 0.5), 1), ((0.5, 0.5, 0.6), 3), ((0.5, 0.5, 0.5), 1)],
)
@pytest.mark.parametrize("kind", KINDS)
def test_the_best_epoch_is_kept_not_the_last(backbone, tmp_path, monkeypatch, kind, scores, best):
    phases = 2 if kind == "sparse" else 1
    seen = Scores(*scores * phases)
    monkeypatch.setattr("sparsecbm_core.training.phase.accuracies", seen)
    prune = {"schedule_share": 0.1}  # full sparsity from the first epoch on
    model = train(backbone, tmp_path, prune, kind=kind, dense_epochs=3, sparse_epochs=3)
    assert [entry["epoch"] for entry in events(tmp_path, "best")] == [best] * phases
    assert [entry["score"] for entry in events(tmp_path, "best")] == [max(scores)] * phases
    final = model.predict(DEV.texts).label_logits
    differences = [float((final - logits).abs().max()) for logits in seen.logits[-3:]]
    assert int(np.argmin(differences)) + 1 == best
    assert min(differences) < 0.02 < sorted(differences)[1]


def test_sparse_epochs_count_only_at_the_full_sparsity(backbone, tmp_path, monkeypatch):
    seen = Scores(0.9, 0.9, 0.1, 0.2)
    monkeypatch.setattr("sparsecbm_core.training.phase.accuracies", seen)
    prune = {"schedule_share": 1.0, "updates": 12}  # one update a step: the last in the last epoch
    model = train(backbone, tmp_path, prune, dense_epochs=0, sparse_epochs=4)
    assert [entry["epoch"] for entry in events(tmp_path, "best")] == [4]
    assert {sum(kept.values()) for kept in model.masks.kept().values()} == {1024}
