"""The guard profile and the guard baseline as files beside the model: made once, and read from then on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.files import write_bytes
from sparsecbm_core.intervene.guard import GuardBaseline
from sparsecbm_core.intervene.profile import GuardProfile, compute_profile
from sparsecbm_core.intervene.reading import HalfError, half_is_faster
from sparsecbm_core.progress import OnCount, unheard

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.models.concept_model import ConceptModel

PROFILE_VERSION, PROFILE_HEADER = 1, "sparsecbm_guard_profile"
BASELINE_VERSION, BASELINE_HEADER = 1, "sparsecbm_guard_baseline"
SHIPPED, CACHE = "guard_profiles", "cache"  # folders of profiles, the second in the first


def profile_path(folder: str | Path, model: ConceptModel, data: str) -> Path:
    """Where the profile of a model and of reviews given here is kept: named after both fingerprints.

    A folder below that of the profiles which come with the model: those are by its maker, and go before.
    """
    return Path(folder) / SHIPPED / CACHE / f"{model.fingerprint}-{data}.safetensors"


def shipped_profile(folder: str | Path, model: ConceptModel) -> GuardProfile | None:
    """A profile that came with the model, whatever reviews it is of; None if there is none that fits.

    A file that is damaged or of a newer version counts as none: another can be computed.
    """
    paths = sorted((Path(folder) / SHIPPED).glob(f"{model.fingerprint}-*.safetensors"))
    return _first_of(paths, model)


def latest_profile(folder: str | Path, model: ConceptModel) -> GuardProfile | None:
    """The profile that `cached_profile` kept last, whatever reviews it is of; None if there is none.

    For a correction without guard reviews, of a model that came without a profile.
    """
    paths = profile_path(folder, model, "").parent.glob(f"{model.fingerprint}-*.safetensors")
    return _first_of(sorted(paths, key=_age), model)


def _first_of(paths: Iterable[Path], model: ConceptModel) -> GuardProfile | None:
    """The first of ``paths`` that can be read and is of this model."""
    for path in paths:
        try:
            profile = load_profile(path)
        except CheckpointError:
            continue
        if profile.model == model.fingerprint:
            return profile
    return None


def _age(path: Path) -> tuple[int, str]:
    """Sorts the newest first; a file that another process just took away last."""
    try:
        return -path.stat().st_mtime_ns, path.name
    except OSError:
        return 0, path.name


def cached_profile(
    folder: str | Path,
    model: ConceptModel,
    texts: Sequence[str],
    data: str,
    on_progress: OnCount = unheard,
) -> GuardProfile:
    """The profile of these reviews as kept in ``folder``; otherwise computed, and kept if possible.

    ``data`` is the fingerprint of the reviews. A folder that cannot be written to costs only time.
    """
    path = profile_path(folder, model, data)
    try:
        profile = load_profile(path)
        if profile.fits(model, data):
            return profile
    except CheckpointError:
        pass  # not there, or damaged: computed anew and replaced
    profile = compute_profile(model, texts, data, on_progress)
    with suppress(OSError):
        save_profile(profile, path)
    return profile


def save_profile(profile: GuardProfile, path: str | Path) -> None:
    """A safetensors file of bfloat16 factors."""
    header = {
        "schema_version": PROFILE_VERSION,
        "model": profile.model,
        "data": profile.data,
        "reviews": profile.reviews,
    }
    tensors = {
        f"{side}/{concept}/{matrix}": values.to(torch.bfloat16)
        for side, table in (("rows", profile.rows), ("columns", profile.columns))
        for concept, matrices in table.items()
        for matrix, values in matrices.items()
    }
    _write(path, PROFILE_HEADER, header, tensors)


def load_profile(path: str | Path) -> GuardProfile:
    """Read a profile; `CheckpointError` where the file is damaged or of another version."""
    with _damage(path, "guard profile"):
        header, tensors = _read(path, PROFILE_HEADER)
        if header["schema_version"] != PROFILE_VERSION:
            raise CheckpointError(
                f"{path} has profile version {header['schema_version']!r}; this reads {PROFILE_VERSION}"
            )
        tables: dict[str, dict[str, dict[str, torch.Tensor]]] = {"rows": {}, "columns": {}}
        for name, values in tensors.items():
            side, _, rest = name.partition("/")
            # A concept's name may hold a slash, a matrix's cannot.
            concept, slash, matrix = rest.rpartition("/")
            if not slash:
                raise CheckpointError(f"{path} is damaged: {name!r} names no side, concept and matrix")
            tables[side].setdefault(concept, {})[matrix] = values.float()
        return GuardProfile(header["model"], header["data"], int(header["reviews"]), **tables)


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
        baseline = GuardBaseline.read(model, reviews, on_progress)
        if model.masks is not None and model.device.type == "cpu":
            baseline = baseline.quick()
            with suppress(OSError):
                save_baseline(baseline, path)
    # The file may have come from another machine.
    quick = baseline.error is not None and half_is_faster(model, baseline.encoded)
    return baseline if quick else baseline.exactly()


def read_baseline(
    model: ConceptModel,
    reviews: ReviewDataset,
    on_progress: OnCount = unheard,
) -> GuardBaseline:
    """The same without any file: for reviews of which nothing is to be kept."""
    baseline = GuardBaseline.read(model, reviews, on_progress)
    return baseline.quick() if half_is_faster(model, baseline.encoded) else baseline


def save_baseline(baseline: GuardBaseline, path: str | Path) -> None:
    """A safetensors file of the exact readings (N, P, R), with the error of bfloat16 in its header."""
    header = {
        "schema_version": BASELINE_VERSION,
        "model": baseline.model.fingerprint,
        "data": baseline.reviews.fingerprint(),
        "half_error": None if baseline.error is None else list(baseline.error.lead),
    }
    _write(path, BASELINE_HEADER, header, {"logits": baseline.readings})


def load_baseline(path: str | Path, model: ConceptModel, reviews: ReviewDataset) -> GuardBaseline:
    """Read a baseline; `CheckpointError` where it is damaged, or of another model or other reviews."""
    with _damage(path, "guard baseline"):
        header, tensors = _read(path, BASELINE_HEADER)
        logits, given = tensors["logits"], header["half_error"]
        known = header["schema_version"], header["model"], header["data"]
        error = None if given is None else HalfError(tuple(map(float, given)))
    if known != (BASELINE_VERSION, model.fingerprint, reviews.fingerprint()):
        raise CheckpointError(
            f"{path} is the guard baseline of another model, other reviews or a newer version"
        )
    shape = (len(reviews), *model.cbm.readout[1].shape)
    fits = logits.shape == shape and logits.dtype == torch.float32 and bool(logits.isfinite().all())
    if not fits or (error is not None and not _sound(error, shape[1])):
        raise CheckpointError(f"{path} is damaged: it holds {logits.dtype} {tuple(logits.shape)} for {shape}")
    return GuardBaseline.of(model, reviews, logits, error)


def _sound(error: HalfError, parts: int) -> bool:
    values = torch.tensor(error.lead)
    return len(error.lead) == parts and bool((values.isfinite() & (values > 0)).all())


def _write(path: str | Path, name: str, header: Mapping[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """A safetensors file, through a temporary one, with JSON under ``name`` in its metadata."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, to_bytes(tensors, {name: json.dumps(header)}))


def _read(path: str | Path, name: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    with safe_open(path, framework="pt") as file:
        names = file.keys()
        return json.loads((file.metadata() or {})[name]), {key: file.get_tensor(key) for key in names}


@contextmanager
def _damage(path: str | Path, what: str) -> Iterator[None]:
    """Whatever a file that is not as it should be brings up becomes `CheckpointError`."""
    try:
        yield
    except CheckpointError:
        raise
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged, or no {what}: {error}") from error
