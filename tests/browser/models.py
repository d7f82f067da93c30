"""The models of the browser's tests: tiny and random, with all that a page may show of one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from sparsecbm_core.concepts import CEBAB
from sparsecbm_core.evaluate.trust.file import read_report, save_report
from sparsecbm_core.intervene.guard_files import SHIPPED, save_profile
from sparsecbm_core.intervene.profile import compute_profile
from sparsecbm_core.models.concept_model import ConceptModel
from tests.app.films import FILMS, save_films
from tests.tiny import make_tiny
from ui.resources import guard_reviews
from ui.resources.models import BUNDLED

RESTAURANTS = "tiny-restaurants"
FILMS_TITLE = f"Films (MiniLM), {FILMS}"  # the app has a model of its own with this title
LAYERS, WIDTH = 2, 96  # wide enough for a mask's window to be a part of a matrix
SHAPE = {
    "hidden_size": WIDTH,
    "intermediate_size": 2 * WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
}


def save_models(folder: Path) -> list[Path]:
    """A model of restaurants and one of films, each in a folder of its own."""
    return [_save_restaurants(folder / RESTAURANTS), save_films(folder / FILMS)]


def restaurants() -> ConceptModel:
    return make_tiny("bert", space=CEBAB, **SHAPE)


def _save_restaurants(folder: Path) -> Path:
    """With the dense model that it was cut from, the bundled model's own records in place of one's own, and a
    guard profile of a few reviews, so that the first correction need not make one of all."""
    dense, model = make_tiny("bert", density=None, space=CEBAB, **SHAPE), restaurants()
    known = json.loads((BUNDLED / "config.json").read_text(encoding="utf-8"))["training"]
    training = {**known, "init": {**known["init"], "fingerprint": dense.fingerprint}}
    metrics = json.loads((BUNDLED / "metrics.json").read_text(encoding="utf-8"))
    replace(model, training=training, metrics=metrics).save_pretrained(folder)
    dense.save_pretrained(folder / "dense")
    report = read_report(BUNDLED / "evaluation.json")
    save_report(replace(report, model=model.fingerprint), folder / "evaluation.json")
    reviews = guard_reviews.bundled(CEBAB)
    assert reviews is not None
    (folder / SHIPPED).mkdir()
    profile = compute_profile(model, reviews.texts[:12])
    save_profile(profile, folder / SHIPPED / f"{model.fingerprint}-few.safetensors")
    return folder
