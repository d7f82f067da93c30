"""The guard profile: how much every weight matters to reviews that a correction should leave alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from sparsecbm_core.errors import InputError
from sparsecbm_core.intervene.subnetwork import Loss, Subnetwork
from sparsecbm_core.models.parallel import side_by_side
from sparsecbm_core.progress import OnCount, unheard

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel, Predictions

BATCH = 4  # reviews a gradient is taken over: few, so that opposite reviews do not cancel
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

    def fits(self, model: ConceptModel, data: str) -> bool:
        """Whether it was computed for this model and these reviews."""
        return self.model == model.fingerprint and self.data == data


def compute_profile(
    model: ConceptModel,
    texts: Sequence[str],
    data: str = "",
    on_progress: OnCount = unheard,
) -> GuardProfile:
    """The profile of all parts over ``texts``; takes a backward pass per part and `BATCH` texts.

    L is the joint loss, concept and label, at what the model itself predicts; the label sees part k
    move and the others stay. Raises `InputError` without texts or masks.
    """
    if not texts:
        raise InputError("a guard profile needs at least one review")
    if model.masks is None:
        raise InputError("a dense model has no masks to correct, and so no guard profile")
    said = model.predict(texts)
    parts = model.cbm.parts
    batches = [list(range(i, min(i + BATCH, len(texts)))) for i in range(0, len(texts), BATCH)]
    rows: dict[str, dict[str, torch.Tensor]] = {}
    columns: dict[str, dict[str, torch.Tensor]] = {}
    for k, concept in enumerate(parts):
        subnetwork = Subnetwork(model, concept)
        r = {name: torch.zeros(shape[0]) for name, shape in subnetwork.shapes.items()}
        c = {name: torch.zeros(shape[1]) for name, shape in subnetwork.shapes.items()}
        for number, indices in enumerate(batches):
            batch = subnetwork.batch([texts[i] for i in indices])
            gradients, _ = subnetwork.weight_gradient(batch, own_prediction_loss(model, said, k, indices))
            for name, gradient in gradients.items():
                square = gradient.square()
                r[name] += square.mean(1).cpu()
                c[name] += square.mean(0).cpu()
            on_progress(k * len(batches) + number + 1, len(parts) * len(batches))
        rows[concept] = {name: value / len(batches) for name, value in r.items()}
        columns[concept] = {name: value / len(batches) for name, value in c.items()}
    return GuardProfile(model.fingerprint, data, len(texts), rows, columns)


def own_prediction_loss(model: ConceptModel, said: Predictions, k: int, indices: Sequence[int]) -> Loss:
    """Joint loss (summed) of some reviews at the concept state and label that ``said`` predicts."""
    if said.readings is None or said.concept_logits is None:
        raise InputError("this is a standard classifier: it has no concepts to guard")
    network, chosen = model.cbm, list(indices)
    others = said.readings[chosen].to(model.device)  # (B, P, R)
    labels = said.label_logits[chosen].argmax(-1).to(model.device)
    is_concept = k < model.space.num_concepts  # the rest has no states
    states = said.states[chosen, k].to(model.device) if is_concept else None

    def loss(readings: torch.Tensor) -> torch.Tensor:
        moved = torch.cat([others[:, :k], readings[:, None], others[:, k + 1 :]], 1)
        said_now = network.bottleneck(moved)
        of_label = F.cross_entropy(said_now.label_logits, labels, reduction="sum")
        if states is None:
            return of_label
        return of_label + F.cross_entropy(said_now.concept_logits[:, k], states, reduction="sum")

    return loss
