"""The model, loaded once for all sessions, and the explanations made with it.

What needs torch is imported inside the functions, so that a page can paint before it is there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.models.record import CBM, STANDARD, ModelRecord, read_record
from sparsecbm_core.progress import OnShare, unheard
from sparsecbm_core.session.recent import Recent
from ui.resources import memory
from ui.resources.known import model_title

if TYPE_CHECKING:
    from sparsecbm_core.explain.results import Explanation
    from sparsecbm_core.explain.subnetworks import DensityImage, SubnetworkStats
    from sparsecbm_core.intervene.oracle import OracleResult
    from sparsecbm_core.models.backbone import MatrixInfo
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.models.masks import MaskSet

BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "models" / "cebab-minilm"
DENSE = "dense"  # where a model's folder may hold the dense one that it was cut from
TILE_CELLS, IMAGE_CELLS = (2, 6), (12, 12)
# Steps of integrated gradients. Against 96 steps the scores of the example reviews are off by at most 3 % of
# the strongest word's, less than a colour shows, and take three quarters of the time of the usual 32.
STEPS = 24


@dataclass(frozen=True)
class ModelCard(ModelRecord):
    """What a model folder says of itself, and what people call it: a page can be painted before the model."""

    title: str = ""


def card(folder: Path) -> ModelCard:
    """The card of the model in a folder; `CheckpointError` in one line where it cannot be used."""
    record = read_record(folder)
    if record.kind == STANDARD:
        raise CheckpointError(f"{folder} holds a standard classifier, which has no concepts to explain")
    return ModelCard(**vars(record), title=model_title(folder.absolute().name, record.training))


def model(info: ModelCard) -> ConceptModel:
    """The model itself, shared by all sessions; loaded again when its files change."""
    return _load(str(info.folder), info.stamp)


# Room for two models, and for what takes the place of their files while the old ones are still in use.
@st.cache_resource(max_entries=4, show_spinner=False)
def _load(folder: str, stamp: tuple[int, ...]) -> ConceptModel:
    return _loaded(folder)


def dense(info: ModelCard) -> ConceptModel | None:
    """The dense model that a sparse one was cut from, out of the folder ``dense`` inside its own; None where
    there is none.

    `CheckpointError` in one line where it is damaged, no dense concept bottleneck, or of other concepts.
    """
    folder = info.folder / DENSE
    if not folder.is_dir():
        return None
    own = card(folder)
    if own.kind != CBM:
        raise CheckpointError(f"{folder} holds a model of kind {own.kind!r}; it must be a dense one, {CBM!r}")
    if own.space.names != info.space.names:
        raise CheckpointError(
            f"{folder} is a model of other concepts, states or labels: {', '.join(own.space.concepts)}"
        )
    return _load_dense(str(folder), own.stamp)


# Beside the models, and not in place of one that people read with.
@st.cache_resource(max_entries=2, show_spinner=False)
def _load_dense(folder: str, stamp: tuple[int, ...]) -> ConceptModel:
    return _loaded(folder)


def _loaded(folder: str) -> ConceptModel:
    import torch

    from sparsecbm_core.models.concept_model import ConceptModel

    torch.set_num_threads(threads())
    loaded = ConceptModel.from_pretrained(folder, "cpu")
    _ = loaded.fingerprint, loaded.weights  # made once, here, not in the first visitor's first answer
    memory.leave_alone()
    return loaded


def threads() -> int:
    """Threads that the model may use, of the cores that this process may.

    One core stays free for the server, or every other visitor waits while one text is explained.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    return max(1, allowed - 1)


def read(model: ConceptModel, text: str) -> Explanation:
    """Label and concepts of a text, without its words: one forward pass."""
    key = (model.fingerprint, text, None)
    found = _recent().get(key)
    if found is None:
        from sparsecbm_core.explain import explain

        found = explain(model, text, None)
        _recent().put(key, found, len(text))
    return found


def known_words(model: ConceptModel, text: str, method: str, whole: bool = True) -> Explanation | None:
    """The explanation with its words, if it was made before; nothing is computed.

    With ``whole`` only where those of every concept were scored.
    """
    found = _recent().get((model.fingerprint, text, method))
    return None if found is None or (whole and found.unscored) else found


def read_words(
    model: ConceptModel,
    text: str,
    method: str,
    on_progress: OnShare = unheard,
    concept: str | None = None,
) -> Explanation:
    """The explanation with every word scored by ``method``; ``on_progress`` gets the share done.

    With ``concept`` the words of that one are scored, and those of others only where that takes no longer.
    What was scored is kept, also where the rest is broken off.
    """
    found = known_words(model, text, method, whole=False) or read(model, text)
    wanted = [name for name in found.unscored if concept in (None, name)]
    if not wanted:
        return found
    from sparsecbm_core.explain import with_tokens
    from sparsecbm_core.explain.scoring import at_once
    from sparsecbm_core.explain.tokens.registry import token_method

    together = at_once(model, found.truncated.kept, token_method(method))
    parts = [None] if together else [[name] for name in wanted]
    for done, names in enumerate(parts):

        def on_share(share: float, done: int = done) -> None:
            on_progress((done + share) / len(parts))

        scored = with_tokens(model, found, method, steps=STEPS, concepts=names, on_share=on_share)
        found = _keep(model, text, method, scored)
    return found


def _keep(model: ConceptModel, text: str, method: str, scored: Explanation) -> Explanation:
    """Together with the words of other concepts that another visitor may have had scored meanwhile."""
    known = known_words(model, text, method, whole=False)
    if known is not None:
        new = {name: item for name, item in scored.concepts.items() if item.tokens}
        scored = replace(known, concepts={**known.concepts, **new})
    _recent().put((model.fingerprint, text, method), scored, len(text))
    return scored


@st.cache_resource(show_spinner=False)
def _recent() -> Recent[Explanation]:
    """Explanations made in the last hour: reviews are nobody's for longer than that."""
    return Recent(entries=256, size=4_000_000, seconds=3600)


def override(model: ConceptModel, explanation: Explanation, states: dict[str, str]) -> OracleResult:
    """The label with some concepts set by hand: microseconds, so not cached."""
    from sparsecbm_core.intervene.oracle import oracle

    return oracle(model, explanation, states)


def stats(model: ConceptModel) -> SubnetworkStats | None:
    """Sizes and overlaps of the subnetworks; None for a dense model."""
    return None if model.masks is None else _stats(model, model.fingerprint)


@st.cache_resource(max_entries=32, show_spinner=False)
def _stats(_model: ConceptModel, fingerprint: str) -> SubnetworkStats | None:
    from sparsecbm_core.explain.subnetworks import subnetwork_stats

    return None if _model.masks is None else subnetwork_stats(_model.masks, _model.cbm.matrices)


def images(model: ConceptModel, cells: tuple[int, int]) -> dict[str, DensityImage]:
    """Every concept's subnetwork as a picture; empty for a dense model.

    Each by the concept's own bits: a correction changes one mask, and the others are not drawn anew.
    """
    if model.masks is None:
        return {}
    return {
        concept: _image(model.masks, model.cbm.matrices, concept, _bits(model.masks, k), cells)
        for k, concept in enumerate(model.masks.concepts)
    }


def _bits(masks: MaskSet, k: int) -> str:
    """Hash of the mask of concept k."""
    digest = hashlib.sha256(masks.concepts[k].encode())
    for name in sorted(masks.packed):
        digest.update(masks.packed[name][k].tobytes())
    return digest.hexdigest()


# Twelve concepts of two models in two sizes, and those that corrections change.
@st.cache_resource(max_entries=128, show_spinner=False)
def _image(
    _masks: MaskSet, _matrices: Sequence[MatrixInfo], concept: str, bits: str, cells: tuple[int, int]
) -> DensityImage:
    from sparsecbm_core.explain.subnetworks import density_image

    return density_image(_masks, _matrices, concept, cells)
