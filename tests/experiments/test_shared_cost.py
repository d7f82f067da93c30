"""Nested masks, the pass that runs their common layers once, and what is counted of it."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.experiments.experiment import Measured
from sparsecbm_core.experiments.lab import Lab
from sparsecbm_core.experiments.shared_cost import (
    DENSE,
    LAYERS,
    ROWS,
    SCATTERED,
    Options,
    Way,
    bench_of,
    multiply_adds,
    step_under,
    summary,
    tables,
)
from sparsecbm_core.experiments.trunk import branched, nested_masks, scattered_masks, trunk_weights
from sparsecbm_core.models.backbone import layer_list
from sparsecbm_core.training.masked_step import WeightsUnderMasks
from tests.tiny import ARCHITECTURES, make_tiny
from tests.toy import toy_reviews

OPTIONS = Options(train_split="train", batch_size=4, max_length=32)


def test_masks_share_the_rows_that_were_asked_for(tiny_model):
    network = tiny_model.cbm
    for share, depth in ((0.0, 0), (0.4, 0), (1.0, 0), (0.0, 1)):
        masks = nested_masks(network, share, depth)
        for info in network.matrices:
            bits = masks.to_bool(info.name)  # (K, O, I)
            rows = bits.any(2)
            assert (bits == rows[:, :, None]).all()  # whole rows
            kept = info.shape[0] // 3
            assert (rows.sum(1) == kept).all()
            common = kept if info.layer < depth else round(share * kept)
            for a, b in combinations(rows, 2):
                assert (a & b).sum() == common
    scattered = scattered_masks(network)
    assert scattered.kept() == nested_masks(network).kept()
    assert WeightsUnderMasks.of(scattered, network.masked_layers, torch.float32).units is None


@pytest.mark.parametrize(
    ("share", "depth", "said"),
    [(1.5, 0, r"in \[0, 1\], got 1.5"), (0.0, 2, "must be 0 to 1 of the encoder's 2, got 2")],
)
def test_what_cannot_be_shared_is_refused(tiny_model, share, depth, said):
    with pytest.raises(InputError, match=said):
        nested_masks(tiny_model.cbm, share, depth)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_branched_pass_is_the_whole_pass(arch):
    """Outputs and gradients, with the common layer run once and with it run K times."""
    model = make_tiny(arch)
    network = model.cbm.requires_grad_(True)
    encoded = model.encode(toy_reviews(5).texts)
    ((_, ids, mask),) = list(model.batches(encoded, 8))
    under = WeightsUnderMasks.of(nested_masks(network, 0.0, 1), network.masked_layers, torch.float32)
    found = []
    for run in (
        lambda: network(ids, mask, under.now()),
        lambda: branched(network, ids, mask, trunk_weights(network, under, 1), 1),
    ):
        network.zero_grad(set_to_none=True)
        output = run()
        (output.label_logits.square().sum() + output.concept_logits.square().sum()).backward()
        gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
        found.append((output, gradients))
    (whole, by_whole), (once, by_once) = found
    assert torch.allclose(whole.concept_logits, once.concept_logits, atol=1e-4)
    assert not torch.allclose(once.concept_logits[:, 0], once.concept_logits[:, 1])
    assert by_whole.keys() == by_once.keys()
    largest = max(float(gradient.abs().max()) for gradient in by_whole.values())
    for name, gradient in by_whole.items():
        assert torch.allclose(gradient, by_once[name], rtol=1e-3, atol=1e-5 * largest)
    assert not any(layer._forward_pre_hooks for layer in layer_list(network.encoder)[1])


def test_hooks_are_gone_after_an_error(tiny_model):
    network = make_tiny("bert").cbm
    under = WeightsUnderMasks.of(nested_masks(network, 0.0, 1), network.masked_layers, torch.float32)
    ids = torch.full((2, 99), 5)  # longer than the encoder reads
    with pytest.raises((RuntimeError, IndexError)):
        branched(network, ids, torch.ones_like(ids), trunk_weights(network, under, 1), 1)
    assert not any(layer._forward_pre_hooks for layer in layer_list(network.encoder)[1])


def test_what_is_multiplied_is_counted(data, backbone):
    lab = Lab("cebab", data, device="cpu")
    bench = bench_of(lab, OPTIONS, backbone)
    ways = (Way(DENSE), Way(SCATTERED), Way(ROWS, 0.0), Way(ROWS, 1.0), Way(LAYERS, 1))
    counted = {way: multiply_adds(step_under(bench, way), bench.batches) for way in ways}
    dense, scattered, apart, together, layers = counted.values()
    assert dense < apart < scattered  # rows multiply their own part alone, attention K times
    assert together == apart  # rows in common are multiplied for every concept all the same
    assert layers < apart
    # Of a matrix with scattered masks all weights are multiplied, for each of four concepts, to and fro.
    tokens = sum(batch.input_ids.numel() for batch in bench.batches) / len(bench.batches)
    assert scattered > 3 * 4 * tokens * bench.network.prunable_weights
    assert dense > 3 * tokens * bench.network.prunable_weights * 0.99


def test_a_step_leaves_the_weights_as_they_are(data, backbone):
    bench = bench_of(Lab("cebab", data, device="cpu"), OPTIONS, backbone)
    before = {name: value.clone() for name, value in bench.network.state_dict().items()}
    step_under(bench, Way(LAYERS, 1))(bench.batches[0])
    assert all(torch.equal(value, before[name]) for name, value in bench.network.state_dict().items())
    assert any(p.grad is not None and bool(p.grad.any()) for p in bench.network.parameters())


def test_costs_are_held_against_dense_and_against_rows_apart():
    ways = [
        (DENSE, 0.0, 1.0, 10.0),
        (SCATTERED, 0.0, 4.0, 40.0),
        (ROWS, 0.0, 2.0, 16.0),
        (LAYERS, 2, 1.5, 12.0),
    ]
    result = {
        "ways": [
            {"way": way, "amount": amount, "seconds_median": seconds, "multiply_adds": count}
            for way, amount, seconds, count in ways
        ],
        "threads": 2,
        "precision": "float32",
    }
    found = summary([Measured({"backbone": "b", "concepts": 4}, result)])
    _, scattered, apart, layers = found["rows"]
    assert scattered["seconds_median_of_dense"] == 4
    assert (apart["multiply_adds_of_dense"], apart["multiply_adds_saved"]) == (1.6, 0)
    assert (layers["seconds_median_saved"], layers["multiply_adds_saved"]) == (0.25, 0.25)
    (table,) = tables(found)
    assert [row[2] for row in table.rows] == [
        "dense, no masks",
        "scattered weights",
        "whole rows, 0 % in common",
        "whole rows, first 2 layers in common",
    ]
    assert table.rows[3][7:9] == ["25 %", "25 %"]
    alone = summary([Measured({"backbone": "b", "concepts": 4}, {**result, "ways": result["ways"][:2]})])
    assert alone["rows"][1]["seconds_median_saved"] is None
