"""A temperature for the label: built in, and nothing else moved."""

from __future__ import annotations

import pytest
import torch

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import InputError
from sparsecbm_core.explain import explain
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.training.calibrate import MOST, calibrated
from tests.tiny import REVIEW, SPACE, make_tiny
from tests.toy import toy_reviews

FREE = ConceptSpace(SPACE.concepts, SPACE.states, ("pub", "cafe", "bar", "inn"))
KINDS = {"paper": ("paper", SPACE), "honest": ("honest", SPACE), "unordered": ("honest", FREE)}
DATA = toy_reviews(60)
LABELS = [example.label for example in DATA]


@pytest.fixture(scope="module", params=list(KINDS))
def model(request):
    head, space = KINDS[request.param]
    return make_tiny("bert", head=head, space=space)


def test_label_logits_are_divided_and_still_add_up(model):
    found = calibrated(model, DATA.texts, LABELS, "toy")
    temperature = found.training["label_temperature"]["temperature"]
    before, after = (one.predict(DATA.texts) for one in (model, found))
    torch.testing.assert_close(
        after.label_logits, before.label_logits / temperature, atol=2e-2, rtol=1e-2
    )  # kept in fp16
    torch.testing.assert_close(after.concept_logits, before.concept_logits, atol=2e-2, rtol=1e-2)
    why = explain(found, REVIEW, None)
    for label in model.space.labels:
        terms = sum(item.contributions[label] for item in why.parts.values()) + why.bias[label]
        assert terms == pytest.approx(why.logits[label], abs=1e-5)


def test_it_is_another_model_that_says_how_it_came_about(model, tmp_path):
    found = calibrated(model, DATA.texts, LABELS, "toy")
    record = found.training["label_temperature"]
    assert record["ece_after"] <= record["ece_before"] + 1e-6
    assert (record["data"], record["reviews"], record["of"]) == ("toy", 60, model.fingerprint)
    assert 1 / MOST <= record["temperature"] <= MOST
    assert found.metrics == {}
    found.save_pretrained(tmp_path / "model")
    again = ConceptModel.from_pretrained(tmp_path / "model", device="cpu")
    assert again.fingerprint == found.fingerprint != model.fingerprint
    assert again.training["label_temperature"] == record


def test_a_label_for_every_text(model):
    with pytest.raises(InputError, match="2 texts with 1 labels"):
        calibrated(model, ["a", "b"], [0])
