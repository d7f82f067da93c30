"""Runs that stop at a moment chosen by the test, and all that a run results in."""

from __future__ import annotations

from sparsecbm_core.training.trainer import Trainer
from tests.toy import quick_settings, read_log, toy_reviews

TRAIN, DEV = toy_reviews(24), toy_reviews(12, "dev")
PRUNE = {"num_grads": 2, "updates": 2, "schedule_share": 0.5}


class Stopped(Exception):
    """Stands for a kill at a moment chosen by the test."""


def trainer(
    backbone, output, save_seconds=0.0, on_progress=lambda *_: None, data=TRAIN, dev=DEV, prune=None, **values
):
    # Dropout stays on: the random state has to be restored as well.
    settings = quick_settings(backbone, {**PRUNE, **(prune or {})}, **values)
    return Trainer(settings, data, dev, output, None, "cpu", save_seconds, on_progress)


def stopping_at(call, counter=None):
    calls = counter if counter is not None else []

    def on_progress(*_):
        calls.append(1)
        if len(calls) == call:
            raise Stopped

    return on_progress


def result(model, output):
    tensors = {name: tensor.tolist() for name, tensor in model.network.state_dict().items()}
    metrics = {key: value for key, value in model.metrics["dev"].items() if key != "seconds"}
    head = None if model.head is None else [tensor.tolist() for tensor in model.head]
    return tensors, model.masks and model.masks.fingerprint(), metrics, head, read_log(output)
