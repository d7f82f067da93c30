"""How right and how sure the label is on texts of which nothing else is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sparsecbm_core.evaluate.calibration import reliability
from sparsecbm_core.evaluate.classification import macro_f1
from sparsecbm_core.evaluate.common import check_labelled
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.progress import OnCount, unheard


@dataclass(frozen=True)
class LabelEvaluation:
    """Of labelled texts, fractions: ``task_accuracy`` and ``task_macro_f1`` of the label, ``ece`` its
    calibration error, ``unfamiliar`` the share that the model takes for something else than it was trained
    on.

    Where labels are ordered: ``within_one`` is the share that is right or next to it, ``error`` the mean
    distance of the expected value from the label and ``bias`` its sign kept, both in the labels' unit.
    """

    data: str
    model: str
    examples: int
    task_accuracy: float
    task_macro_f1: float
    ece: float
    within_one: float | None
    error: float | None
    bias: float | None
    unfamiliar: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in this class."""
        return asdict(self)


def evaluate_labels(
    model: ConceptModel,
    texts: Sequence[str],
    labels: Sequence[int],
    data: str = "",
    on_progress: OnCount = unheard,
) -> LabelEvaluation:
    """What a model makes of N texts, against their N labels; no concept has to be known. ``data`` names them.

    >>> evaluate_labels(model, ["The soup was cold."], [0]).examples
    1
    """
    check_labelled(texts, labels)
    gold = np.array(labels)
    logits = model.predict(texts, on_progress=on_progress).label_logits
    found = logits.argmax(-1).numpy()
    scale = model.space.label_values
    near = error = bias = None
    if scale is not None:
        values = np.array(scale)
        off = logits.double().softmax(-1).numpy() @ values - values[gold]
        near = float((np.abs(found - gold) <= 1).mean())
        error, bias = float(np.abs(off).mean()), float(off.mean())
    return LabelEvaluation(
        data=data,
        model=model.fingerprint,
        examples=len(texts),
        task_accuracy=float((found == gold).mean()),
        task_macro_f1=macro_f1(gold, found),
        ece=reliability(logits, gold).ece,
        within_one=near,
        error=error,
        bias=bias,
        unfamiliar=unfamiliar_share(model, texts),
    )


def unfamiliar_share(model: ConceptModel, texts: Sequence[str]) -> float | None:
    """The share of texts that the model takes for something else than it was trained on; None where it does
    not know.

    >>> unfamiliar_share(model, ["The soup was cold."]) is None
    True
    """
    if model.words is None:
        return None
    return 1.0 - float(np.mean([model.words.familiar(text) for text in model.encode(texts)]))
