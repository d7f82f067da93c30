"""Small data and a quick run, trained from the command line."""

from __future__ import annotations

QUICK = ["--dense-epochs", "1", "--sparse-epochs", "1", "--batch-size", "8", "--precision", "float32"]
QUICK += ["--set", "num_grads=2", "--set", "grad_batch_size=4", "--set", "max_length=32", "--device", "cpu"]


def train_arguments(output, data, backbone, *more):
    splits = ["--train-split", "train", "--dev-split", "dev"]
    where = ["--output", str(output), "--data", str(data), "--backbone", str(backbone)]
    return [*where, *splits, *QUICK, *more]


def refused(result, *fragments):
    code, out, err = result
    assert code == 2, (out, err)
    assert len(err) == 1, err
    assert out == ""
    assert err[0].startswith("sparsecbm: ")
    for fragment in fragments:
        assert fragment in err[0]
