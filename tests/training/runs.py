"""Short runs, and what is looked at after them."""

from __future__ import annotations

import torch

from sparsecbm_core.training.trainer import Trainer
from tests.tiny import make_tiny
from tests.toy import quick_settings, read_log, toy_reviews

TRAIN, DEV = toy_reviews(24), toy_reviews(16, "dev")
KINDS = ("standard", "cbm", "sparse")


def train(
    backbone, output, prune=None, init=None, data=TRAIN, dev=DEV, on_progress=None, teachers=(), **values
):
    settings, on_progress = quick_settings(backbone, prune, **values), on_progress or (lambda *_: None)
    return Trainer(settings, data, dev, output, init, "cpu", on_progress=on_progress, teachers=teachers).run()


def weights(model):
    return model.network.state_dict()


def same_weights(first, second):
    a, b = weights(first), weights(second)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def events(output, name):
    return [entry for entry in read_log(output) if entry["event"] == name]


def dense_model(arch="bert"):
    return make_tiny(arch, density=None)
