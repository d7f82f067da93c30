"""A private copy of one subnetwork: it reads like the model, and its gradient is that of the mask."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from sparsecbm_core.intervene.comparators import finetune
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.subnetwork import Subnetwork, flat_weights
from tests.tiny import ARCHITECTURES, REVIEW, make_tiny, with_masks

TEXTS = [REVIEW, "good food", "the service was slow and the music loud"]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_it_reads_what_the_model_reads(tiny_models, arch):
    model = tiny_models[arch]
    said = model.predict(TEXTS).concept_logits
    for k, concept in enumerate(model.space.concepts):
        subnetwork = Subnetwork(model, concept)
        read = subnetwork.read(subnetwork.batch(TEXTS))
        torch.testing.assert_close(read, said[:, k], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_gradient_is_that_of_the_mask(tiny_models, arch):
    """∂L/∂m by central differences of m itself, for kept and pruned weights."""
    model = tiny_models[arch]
    subnetwork = Subnetwork(model, "service")
    batch = subnetwork.batch([REVIEW])

    def loss(logits: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits.double(), torch.tensor([2]))

    gradient, _ = subnetwork.gradient(batch, loss)
    largest = gradient.abs().argsort(descending=True)
    chosen = torch.cat([largest[subnetwork.kept[largest]][:3], largest[~subnetwork.kept[largest]][:3]])
    step = 1e-2
    for j in chosen.tolist():
        before, sides = subnetwork.effective[j].item(), []
        for sign in (1, -1):
            subnetwork.effective[j] = before + sign * step * subnetwork.theta[j]
            sides.append(float(loss(subnetwork.read(batch))))
        subnetwork.effective[j] = before
        assert float(gradient[j]) == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=0.05, abs=1e-5)


def test_flips_are_an_edit_and_flipping_again_restores(tiny_model):
    subnetwork = Subnetwork(tiny_model, "food")
    effective, chosen = subnetwork.effective.clone(), torch.tensor([0, 5, subnetwork.total - 1])
    subnetwork.flip(chosen)
    edit, last = subnetwork.edit(), list(subnetwork.shapes)[-1]
    assert edit.size == 3
    assert edit.flips["food"][last].tolist() == [subnetwork.sizes[-1] - 1]
    masks = edit.apply(tiny_model.masks)
    for name, matrix in subnetwork.matrices().items():
        weight = tiny_model.cbm.masked_layers[name].weight
        bits = torch.from_numpy(masks.concept_bool(name, "food").copy())
        assert torch.equal(matrix, weight * bits)
    subnetwork.flip(chosen)
    assert torch.equal(subnetwork.effective, effective)
    assert subnetwork.edit() == MaskEdit({})


def test_subnetworks_share_the_dense_weights(tiny_model):
    first, second = (Subnetwork(tiny_model, concept) for concept in ("food", "noise"))
    assert first.theta is second.theta
    layers = tiny_model.cbm.masked_layers
    assert torch.equal(first.theta, torch.cat([layers[name].weight.flatten() for name in first.shapes]))
    before = first.theta.clone()
    state = "Negative" if tiny_model.predict([REVIEW]).states[0, 0] != 0 else "Positive"
    finetune(tiny_model, REVIEW, "food", state)
    assert torch.equal(flat_weights(tiny_model.cbm), before)


def test_weights_that_were_trained_on_are_read_anew():
    model = make_tiny("bert")
    before, known = flat_weights(model.cbm), with_masks(model, model.masks).fingerprint
    with torch.no_grad():
        next(iter(model.cbm.masked_layers.values())).weight.add_(1.0)
    assert not torch.equal(flat_weights(model.cbm), before)
    assert with_masks(model, model.masks).fingerprint != known


def test_a_fingerprint_from_what_is_known_is_the_same():
    """One network under other masks: its own digest is made once, and the masks' differ."""
    model, again = make_tiny("bert"), make_tiny("bert")
    other = MaskEdit({"food": {next(iter(model.masks.shapes)): [3]}}).apply(model.masks)
    fingerprints = (
        model.fingerprint,
        with_masks(model, other).fingerprint,
        with_masks(model, None).fingerprint,
    )
    assert len(set(fingerprints)) == 3
    assert with_masks(again, other).fingerprint == fingerprints[1]
