"""The model, loaded once for all sessions, and the explanations made with it.

What needs torch is imported inside the functions, so that a page can paint before it is there.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.errors import CheckpointError, SparseCBMError

if TYPE_CHECKING:
    from sparsecbm_core.explain.results import Explanation
    from sparsecbm_core.explain.subnetworks import DensityImage, SubnetworkStats
    from sparsecbm_core.intervene.oracle import OracleResult
    from sparsecbm_core.models.concept_model import ConceptModel

VARIABLE = "SPARSECBM_MODEL"
BUNDLED = Path(__file__).resolve().parents[1] / "assets" / "models" / "cebab-minilm"
TILE_CELLS, IMAGE_CELLS = (2, 6), (12, 12)
# Steps of integrated gradients. Against 128 steps the scores are off by at most 2 % of the strongest
# word's, less than a colour shows, and take half the time of the usual 32.
STEPS = 16


@dataclass(frozen=True)
class ModelCard:
    """What a model folder says about itself in JSON: enough to paint a page without the model."""

    folder: Path
    stamp: tuple[int, ...]
    name: str
    kind: str
    space: ConceptSpace
    training: dict[str, Any]
    metrics: dict[str, Any]


def model_folder() -> Path:
    """The bundled model, or the folder that the environment names."""
    return Path(os.environ.get(VARIABLE) or BUNDLED)


def card() -> ModelCard:
    """The model's own records; `CheckpointError` in one line where there is no usable folder."""
    folder = model_folder()
    config = _json(folder / "config.json")
    try:
        space = ConceptSpace.from_dict(config["space"])
    except (KeyError, SparseCBMError) as error:
        raise CheckpointError(f"{folder / 'config.json'} is not usable: {error}") from error
    kind = str(config.get("kind"))
    if kind == "standard":
        raise CheckpointError(f"{folder} holds a standard classifier, which has no concepts to explain")
    files = [folder / name for name in ("config.json", "model.safetensors", "masks.safetensors")]
    stamp = tuple(file.stat().st_mtime_ns for file in files if file.is_file())
    metrics_file = folder / "metrics.json"
    metrics = _json(metrics_file) if metrics_file.is_file() else {}
    return ModelCard(folder, stamp, folder.name, kind, space, dict(config.get("training") or {}), metrics)


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} is not a model folder: {path.name} is missing") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} is damaged: it holds no JSON object")
    return data


def model(info: ModelCard) -> ConceptModel:
    """The model itself, shared by all sessions; loaded again when its files change."""
    return _load(str(info.folder), info.stamp)


@st.cache_resource(max_entries=2, show_spinner=False)
def _load(folder: str, stamp: tuple[int, ...]) -> ConceptModel:
    import torch

    from sparsecbm_core.models.concept_model import ConceptModel

    # One core stays free for the server, or every other visitor waits while one text is explained.
    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
    loaded = ConceptModel.from_pretrained(folder, "cpu")
    _ = loaded.fingerprint, loaded.weights  # made once, here, not in the first visitor's first answer
    return loaded


def read(model: ConceptModel, text: str) -> Explanation:
    """Label and concepts of a text, without its words: one forward pass."""
    return _read(model, model.fingerprint, text)


@st.cache_data(max_entries=256, show_spinner=False)
def _read(_model: ConceptModel, fingerprint: str, text: str) -> Explanation:
    from sparsecbm_core.explain import explain

    return explain(_model, text, None)


def read_words(model: ConceptModel, text: str, method: str) -> Explanation:
    """The same with every word scored by ``method``."""
    return _read_words(model, model.fingerprint, text, method)


@st.cache_data(max_entries=256, show_spinner=False)
def _read_words(_model: ConceptModel, fingerprint: str, text: str, method: str) -> Explanation:
    from sparsecbm_core.explain import with_tokens

    return with_tokens(_model, read(_model, text), method, steps=STEPS)


def override(model: ConceptModel, explanation: Explanation, states: dict[str, str]) -> OracleResult:
    """The label with some concepts set by hand: microseconds, so not cached."""
    from sparsecbm_core.intervene import oracle

    return oracle(model, explanation, states)


def stats(model: ConceptModel) -> SubnetworkStats | None:
    """Sizes and overlaps of the subnetworks; None for a dense model."""
    return None if model.masks is None else _stats(model, model.fingerprint)


@st.cache_resource(max_entries=4, show_spinner=False)
def _stats(_model: ConceptModel, fingerprint: str) -> SubnetworkStats | None:
    from sparsecbm_core.explain.subnetworks import subnetwork_stats

    return None if _model.masks is None else subnetwork_stats(_model.masks, _model.cbm.matrices)


def image(model: ConceptModel, concept: str, cells: tuple[int, int]) -> DensityImage | None:
    """One concept's mask as a picture; None for a dense model."""
    return None if model.masks is None else _image(model, model.fingerprint, concept, cells)


@st.cache_resource(max_entries=64, show_spinner=False)
def _image(
    _model: ConceptModel, fingerprint: str, concept: str, cells: tuple[int, int]
) -> DensityImage | None:
    from sparsecbm_core.explain.subnetworks import density_image

    if _model.masks is None:
        return None
    return density_image(_model.masks, _model.cbm.matrices, concept, cells)
