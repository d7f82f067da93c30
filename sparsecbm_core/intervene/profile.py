"""The guard profile: how much every weight matters to reviews that a correction should leave alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from sparsecbm_core.errors import CheckpointError, InputError
from sparsecbm_core.files import write_bytes
from sparsecbm_core.intervene.subnetwork import Loss, Subnetwork
from sparsecbm_core.models.parallel import side_by_side
from sparsecbm_core.progress import OnCount, unheard

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel, Predictions

BATCH = 4  # reviews a gradient is taken over: few, so that opposite reviews do not cancel
PROFILE_VERSION = 1
HEADER = "sparsecbm_guard_profile"
SHIPPED, CACHE = "guard_profiles", "cache"  # folders, the second in the first
Factors = Mapping[str, torch.Tensor]  # matrix → (O,) or (I,)


@dataclass(frozen=True)
class GuardProfile:
    """h_j = sqrt(mean over guard reviews of (∂L/∂m_j)²) at the model's own predictions, per concept.

    Kept in factored form, as Adafactor keeps second moments (Shazeer & Stern 2018): of each matrix
    the mean squared ∂L/∂θ_eff of every row and column, r (O,) and c (I,), whose product
    r_i·c_j / mean(r) stands for the whole. Times θ² it is h². A concept takes 80 kB, not 42 MB.
    ``data`` names the ``reviews`` it was computed on.
    """

    model: str
    data: str
    reviews: int
    rows: Mapping[str, Factors]
    columns: Mapping[str, Factors]

    def scale(self, subnetwork: Subnetwork) -> torch.Tensor:
        """h (L,) for a concept's subnetwork, in the order of its weights."""
        rows, columns = self.rows[subnetwork.concept], self.columns[subnetwork.concept]
        scale = torch.empty_like(subnetwork.theta)
        parts = zip(
            subnetwork.shapes.items(),
            scale.split(subnetwork.sizes),
            subnetwork.theta.split(subnetwork.sizes),
            strict=True,
        )

        def fill(item: tuple[tuple[str, tuple[int, int]], torch.Tensor, torch.Tensor]) -> None:
            (name, shape), part, theta = item
            r, c = (table[name].float().to(scale.device) for table in (rows, columns))
            torch.outer(r.sqrt(), (c / r.mean().clamp(min=1e-30)).sqrt(), out=part.view(shape))
            part.mul_(theta).abs_()

        side_by_side(fill, parts, scale.device)
        return scale

    def save(self, path: str | Path) -> None:
        """A safetensors file of bfloat16 factors, written through a temporary one."""
        header = {
            "schema_version": PROFILE_VERSION,
            "model": self.model,
            "data": self.data,
            "reviews": self.reviews,
        }
        tensors = {
            f"{side}/{concept}/{matrix}": values.to(torch.bfloat16)
            for side, table in (("rows", self.rows), ("columns", self.columns))
            for concept, matrices in table.items()
            for matrix, values in matrices.items()
        }
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, to_bytes(tensors, {HEADER: json.dumps(header)}))

    @classmethod
    def load(cls, path: str | Path) -> GuardProfile:
        """Read a profile; `CheckpointError` where the file is damaged or of another version."""
        try:
            with safe_open(path, framework="pt") as file:
                header = json.loads((file.metadata() or {})[HEADER])
                names = file.keys()
                tensors = {name: file.get_tensor(name) for name in names}
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
            return cls(header["model"], header["data"], int(header["reviews"]), **tables)
        except CheckpointError:
            raise
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} is damaged, or no guard profile: {error}") from error

    def fits(self, model: ConceptModel, data: str) -> bool:
        """Whether it was computed for this model and these reviews."""
        return self.model == model.fingerprint and self.data == data


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
            profile = GuardProfile.load(path)
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
    if path.is_file():
        try:
            profile = GuardProfile.load(path)
            if profile.fits(model, data):
                return profile
        except CheckpointError:
            pass  # damaged: computed anew and replaced
    profile = compute_profile(model, texts, data, on_progress)
    try:
        profile.save(path)
    except OSError:
        return profile
    return profile


def compute_profile(
    model: ConceptModel,
    texts: Sequence[str],
    data: str = "",
    on_progress: OnCount = unheard,
) -> GuardProfile:
    """The profile of all concepts over ``texts``; takes a backward pass per concept and `BATCH` texts.

    L is the joint loss, concept and label, at what the model itself predicts; the label sees concept k
    move and the others stay. Raises `InputError` without texts or masks.
    """
    if not texts:
        raise InputError("a guard profile needs at least one review")
    if model.masks is None:
        raise InputError("a dense model has no masks to correct, and so no guard profile")
    said = model.predict(texts)
    concepts = model.space.concepts
    batches = [list(range(i, min(i + BATCH, len(texts)))) for i in range(0, len(texts), BATCH)]
    rows: dict[str, dict[str, torch.Tensor]] = {}
    columns: dict[str, dict[str, torch.Tensor]] = {}
    for k, concept in enumerate(concepts):
        subnetwork = Subnetwork(model, model.masks, concept)
        r = {name: torch.zeros(shape[0]) for name, shape in subnetwork.shapes.items()}
        c = {name: torch.zeros(shape[1]) for name, shape in subnetwork.shapes.items()}
        for number, indices in enumerate(batches):
            batch = subnetwork.batch([texts[i] for i in indices])
            gradients, _ = subnetwork.weight_gradient(batch, own_prediction_loss(model, said, k, indices))
            for name, gradient in gradients.items():
                square = gradient.square()
                r[name] += square.mean(1).cpu()
                c[name] += square.mean(0).cpu()
            on_progress(k * len(batches) + number + 1, len(concepts) * len(batches))
        rows[concept] = {name: value / len(batches) for name, value in r.items()}
        columns[concept] = {name: value / len(batches) for name, value in c.items()}
    return GuardProfile(model.fingerprint, data, len(texts), rows, columns)


def own_prediction_loss(model: ConceptModel, said: Predictions, k: int, indices: Sequence[int]) -> Loss:
    """Joint loss (summed) of some reviews at the concept state and label that ``said`` predicts."""
    if said.activations is None or said.concept_logits is None:
        raise InputError("this is a standard classifier: it has no concepts to guard")
    chosen = list(indices)
    rest = said.label_logits[chosen].to(model.device)  # (B, Y), what all concepts together say
    was = said.activations[chosen, k].to(model.device)  # (B, C)
    states = said.concept_logits[chosen, k].argmax(-1).to(model.device)
    labels, phi = rest.argmax(-1), model.cbm.classifier[:, k].detach()  # (Y, C)

    def loss(logits: torch.Tensor) -> torch.Tensor:
        label_logits = rest + (logits.sigmoid() - was) @ phi.T
        of_concept = F.cross_entropy(logits, states, reduction="sum")
        return of_concept + F.cross_entropy(label_logits, labels, reduction="sum")

    return loss
