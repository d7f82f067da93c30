"""The guard reviews as the pristine model reads them, kept on disk beside the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.files import write_bytes
from sparsecbm_core.intervene.doubt import HalfError
from sparsecbm_core.intervene.guard import GuardBaseline
from sparsecbm_core.intervene.reading import half_is_faster
from sparsecbm_core.progress import OnCount, unheard

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.models.concept_model import ConceptModel

BASELINE_VERSION = 1
HEADER = "sparsecbm_guard_baseline"


def baseline_path(folder: str | Path, model: ConceptModel, data: str) -> Path:
    """Where the baseline of a model and reviews lies: named after both fingerprints."""
    return Path(folder) / "guard_baselines" / f"{model.fingerprint}-{data}.safetensors"


def cached_baseline(
    folder: str | Path,
    model: ConceptModel,
    reviews: ReviewDataset,
    on_progress: OnCount = unheard,
) -> GuardBaseline:
    """The baseline from ``folder`` if it is there and fits; otherwise read, and kept if possible.

    Later readings are the quick ones where this machine's processor is faster at them; the reports are
    the same either way. A folder that cannot be written to costs only time. Raises `InputError` as
    `GuardBaseline.read`.
    """
    path = baseline_path(folder, model, reviews.fingerprint())
    try:
        baseline = load_baseline(path, model, reviews)
    except CheckpointError:  # not there, or damaged: read anew and replaced
        baseline = _read(model, reviews, on_progress)
        if model.masks is not None and model.device.type == "cpu":
            try:
                save_baseline(baseline, path)
            except OSError:
                return _fitting(baseline)
    return _fitting(baseline)


def read_baseline(
    model: ConceptModel,
    reviews: ReviewDataset,
    on_progress: OnCount = unheard,
) -> GuardBaseline:
    """The same without any file: for reviews of which nothing is to be kept."""
    return _fitting(_read(model, reviews, on_progress))


def _read(model: ConceptModel, reviews: ReviewDataset, on_progress: OnCount) -> GuardBaseline:
    baseline = GuardBaseline.read(model, reviews, on_progress)
    return baseline.quick() if model.masks is not None and model.device.type == "cpu" else baseline


def save_baseline(baseline: GuardBaseline, path: str | Path) -> None:
    """A safetensors file of the exact logits (N, K, C), with the error of bfloat16 in its header."""
    header = {
        "schema_version": BASELINE_VERSION,
        "model": baseline.model.fingerprint,
        "data": baseline.reviews.fingerprint(),
        "half_error": None if baseline.error is None else list(baseline.error.lead),
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, to_bytes({"logits": baseline.concept_logits}, {HEADER: json.dumps(header)}))


def load_baseline(path: str | Path, model: ConceptModel, reviews: ReviewDataset) -> GuardBaseline:
    """Read a baseline; `CheckpointError` where it is damaged, or of another model or other reviews."""
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[HEADER])
            logits = file.get_tensor("logits")
        known = header["schema_version"], header["model"], header["data"]
        error = None if header["half_error"] is None else HalfError(tuple(map(float, header["half_error"])))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as problem:
        raise CheckpointError(f"{path} is damaged, or no guard baseline: {problem}") from problem
    if known != (BASELINE_VERSION, model.fingerprint, reviews.fingerprint()):
        raise CheckpointError(
            f"{path} is the guard baseline of another model, other reviews or a newer version"
        )
    space = model.space
    shape = (len(reviews), space.num_concepts, space.num_states)
    fits = logits.shape == shape and logits.dtype == torch.float32 and bool(logits.isfinite().all())
    if not fits or (error is not None and not _sound(error, space.num_concepts)):
        raise CheckpointError(f"{path} is damaged: it holds {logits.dtype} {tuple(logits.shape)} for {shape}")
    return GuardBaseline.of(model, reviews, logits, error)


def _sound(error: HalfError, concepts: int) -> bool:
    values = torch.tensor(error.lead)
    return len(error.lead) == concepts and bool((values.isfinite() & (values > 0)).all())


def _fitting(baseline: GuardBaseline) -> GuardBaseline:
    """Quick where that is quicker here; the file may have come from another machine."""
    if baseline.error is None or half_is_faster(baseline.model, baseline.encoded):
        return baseline
    return baseline.exactly()
