"""A tiny model with guard reviews, and one correction of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparsecbm_core.data.table import load_csv
from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.session.attempt import correct
from sparsecbm_core.session.correction import Attempt, Request, Settings
from sparsecbm_core.session.guard import Guard
from tests.tiny import REVIEW, make_tiny

ROWS = """text,label,food,service,noise
good food,4,Positive,unknown,unknown
cold soup and slow waiter,1,Negative,Negative,unknown
loud music,2,unknown,unknown,Negative
great cook,4,Positive,unknown,unknown
friendly waiter,3,unknown,Positive,unknown
"""


@pytest.fixture(scope="package", autouse=True)
def small_models_need_larger_shares():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sparsecbm_core.intervene.flips.AUTO_LIMIT", 0.2)
        yield


@pytest.fixture(scope="package")
def base() -> ConceptModel:
    return make_tiny("bert")


@pytest.fixture(scope="package")
def reviews(base: ConceptModel, tmp_path_factory: pytest.TempPathFactory) -> ReviewDataset:
    path, space = tmp_path_factory.mktemp("guard") / "guard.csv", base.space
    path.write_text(ROWS, encoding="utf-8")
    return load_csv(path, "text", "label", space.concepts, states=space.states, labels=space.labels)


@pytest.fixture
def guard(tmp_path: Path, reviews: ReviewDataset) -> Guard:
    return Guard(tmp_path, reviews)


@pytest.fixture(scope="package")
def request_(base: ConceptModel) -> Request:
    """A state of food that the model does not find."""
    return Request(REVIEW, "food", other_state(base, REVIEW, "food"))


@pytest.fixture(scope="package")
def made(
    base: ConceptModel, reviews: ReviewDataset, request_: Request, tmp_path_factory: pytest.TempPathFactory
) -> Attempt:
    """One correction, made once."""
    return correct(base, (), request_, Settings(), Guard(tmp_path_factory.mktemp("model"), reviews))


def other_state(model: ConceptModel, text: str, concept: str) -> str:
    logits = model.predict([text]).concept_logits
    assert logits is not None
    own = logits[0, model.space.concept_index(concept)]
    return model.space.states[int(own.argsort(descending=True)[1])]
