"""The oracle: a person sets concepts by hand, and only the linear head answers again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sparsecbm_core.errors import InputError

if TYPE_CHECKING:
    from sparsecbm_core.explain.results import ExpectedValue, Explanation
    from sparsecbm_core.models.concept_model import ConceptModel

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class OracleResult:
    """One text with some concepts set by hand, before and after.

    ``states`` are the states set. ``label``, ``probabilities`` and ``logits`` are those of the model;
    with ``_after`` those of the label head over the activations with the set ones replaced.
    ``expected_after`` is the answer on the scale of ordered labels, None for others.
    ``relative_contributions`` are those after, part → label → φ_k[y]·(a_k − ā_k): with the
    explanation's ``base`` they add up to ``logits_after``.
    """

    fingerprint: str
    states: Mapping[str, str]
    label: str
    label_after: str
    probabilities: Mapping[str, float]
    probabilities_after: Mapping[str, float]
    logits: Mapping[str, float]
    logits_after: Mapping[str, float]
    relative_contributions: Mapping[str, Mapping[str, float]]
    expected_after: ExpectedValue | None = None
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in this class."""
        return asdict(self)


def oracle(model: ConceptModel, explanation: Explanation, states: Mapping[str, str]) -> OracleResult:
    """Set concepts to ``states`` and re-run only the linear head (Koh et al., 2020).

    A concept that is set has, for its state, the activation of one that is certainly in it (of the paper's
    head 1, of the honest one the strength that this text gives it) and 0 for every other one; the others keep
    the activations of ``explanation``. Nothing is learnt: the model is only read, and the same text
    gives the same error the next time.

    Raises `InputError` for an unknown concept or state, and for an explanation that another model gave.

    >>> oracle(model, why, {"food": "Positive"}).states
    {'food': 'Positive'}
    """
    import torch

    from sparsecbm_core.explain.concepts import label_parts
    from sparsecbm_core.explain.expected import expected_value

    space = model.space
    for concept, state in states.items():
        space.concept_index(concept)
        space.state_index(state)
    _check_origin(model, explanation)
    activations = torch.zeros(model.cbm.reference.shape, dtype=torch.float64)  # (P, A)
    for k, concept in enumerate(space.concepts):
        item, chosen = explanation.concepts[concept], states.get(concept)
        for c, state in enumerate(space.states):
            own = item.activations[state] if chosen is None else (state == chosen) * item.strength(state)
            activations[k, c] = own
    if explanation.rest is not None:
        activations[-1] = torch.tensor(explanation.rest.activations)
    parts = label_parts(model.cbm, activations)

    def by_label(values: torch.Tensor) -> dict[str, float]:
        return dict(zip(space.labels, values.tolist(), strict=True))

    return OracleResult(
        fingerprint=explanation.fingerprint,
        states=dict(states),
        label=explanation.label,
        label_after=space.labels[int(parts.logits.argmax())],
        probabilities=dict(explanation.probabilities),
        probabilities_after=by_label(parts.logits.softmax(-1)),
        logits=dict(explanation.logits),
        logits_after=by_label(parts.logits),
        relative_contributions={part: by_label(parts.relative[k]) for k, part in enumerate(model.cbm.parts)},
        expected_after=expected_value(model.cbm, parts),
    )


def _check_origin(model: ConceptModel, explanation: Explanation) -> None:
    """Activations of one model mean nothing to the head of another."""
    space = model.space
    if set(explanation.concepts) != set(space.concepts):
        raise InputError(
            f"the explanation has concepts {list(explanation.concepts)}, the model {list(space.concepts)}"
        )
    for name, item in explanation.concepts.items():
        if set(item.activations) != set(space.states):
            raise InputError(
                f"the explanation has states {list(item.activations)} for {name!r}, the model "
                f"{list(space.states)}"
            )
    if explanation.fingerprint != model.fingerprint:
        raise InputError(
            f"the explanation is by the model {explanation.fingerprint!r}, not by this one, "
            f"{model.fingerprint!r}; explain the text again"
        )
