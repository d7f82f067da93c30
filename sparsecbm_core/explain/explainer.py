"""One text explained: tokens → subnetworks → concepts → label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import torch

from sparsecbm_core.errors import InputError
from sparsecbm_core.explain.concepts import label_parts
from sparsecbm_core.explain.expected import expected_value
from sparsecbm_core.explain.results import ConceptExplanation, Explanation, RestExplanation, Truncation
from sparsecbm_core.explain.scoring import Prepared, Scored, Scoring, clean, prepare, read_and_score
from sparsecbm_core.explain.tokens.registry import DEFAULT_METHOD, DEFAULT_STEPS
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.subnetworks import EffectiveWeights
from sparsecbm_core.progress import OnCount, OnShare, unheard


def explain(
    model: ConceptModel,
    text: str,
    method: str | None = DEFAULT_METHOD,
    *,
    weights: EffectiveWeights | None = None,
    states: Mapping[str, str] | None = None,
    steps: int = DEFAULT_STEPS,
    pieces: bool = False,
    fingerprint: str | None = None,
    on_share: OnShare = unheard,
) -> Explanation:
    """Label, concepts and, with a ``method``, the words behind every concept.

    ``method`` is one of `explain.tokens.METHODS`, or None for label and concepts alone, which
    takes one forward pass. ``weights`` replaces the model's own subnetworks, for example by
    corrected ones; ``fingerprint`` has to come with it and names them in the result. Tokens are
    scored for the predicted state of each concept, or the one that ``states`` names for it.
    ``steps`` is for integrated gradients; ``pieces`` keeps word pieces apart. ``on_share`` gets the
    share of the work that is done, again and again.

    Raises `InputError` for a text without a readable character, an unknown method, concept or
    state, weights without a fingerprint, and for a standard classifier. The model is only read:
    threads may share it.

    >>> explain(model, "The soup was cold.", "gradient").concepts["food"].tokens[1].text
    'soup'
    """
    scoring = Scoring(method, weights, states or {}, steps, pieces, on_share=on_share)
    return _explain(model, text, scoring, fingerprint)


def explain_many(
    model: ConceptModel,
    texts: Sequence[str],
    method: str | None = DEFAULT_METHOD,
    *,
    weights: EffectiveWeights | None = None,
    states: Mapping[str, str] | None = None,
    steps: int = DEFAULT_STEPS,
    pieces: bool = False,
    fingerprint: str | None = None,
    on_progress: OnCount = unheard,
    on_share: OnShare = unheard,
) -> list[Explanation]:
    """`explain` for many texts, in their order.

    ``on_progress`` gets the number done and the number of texts after each, ``on_share`` how much of the
    present text is done. All texts are checked before the first is explained.

    >>> [why.truncated.cut for why in explain_many(model, ["Cold soup.", "A great cook."], "gradient")]
    [False, False]
    """
    if isinstance(texts, str):
        raise InputError("texts must be a list of texts, got a single text")
    for position, text in enumerate(texts):
        try:
            clean(text)
        except InputError as error:
            raise InputError(f"text {position}: {error}") from None
    scoring = Scoring(method, weights, states or {}, steps, pieces, on_share=on_share)
    explanations = []
    for text in texts:
        explanations.append(_explain(model, text, scoring, fingerprint))
        on_progress(len(explanations), len(texts))
    return explanations


def score_tokens(
    model: ConceptModel,
    text: str,
    method: str = DEFAULT_METHOD,
    *,
    weights: EffectiveWeights | None = None,
    states: Mapping[str, str] | None = None,
    steps: int = DEFAULT_STEPS,
    pieces: bool = False,
    concepts: Sequence[str] | None = None,
    on_share: OnShare = unheard,
) -> dict[str, Scored]:
    """Only the words: concept → (scored words, convergence delta or None). See `explain`.

    ``concepts`` are those to score, in this order; default: all.

    >>> tokens, _ = score_tokens(model, "The soup was cold.", "gradient", concepts=["food"])["food"]
    >>> [token.text for token in tokens]
    ['The', 'soup', 'was', 'cold', '.']
    """
    scoring = Scoring(method, weights, states or {}, steps, pieces, concepts, on_share)
    return read_and_score(prepare(model, text, scoring))[1]


def with_tokens(
    model: ConceptModel,
    explanation: Explanation,
    method: str = DEFAULT_METHOD,
    *,
    weights: EffectiveWeights | None = None,
    states: Mapping[str, str] | None = None,
    steps: int = DEFAULT_STEPS,
    pieces: bool = False,
    concepts: Sequence[str] | None = None,
    on_share: OnShare = unheard,
) -> Explanation:
    """The explanation with its words scored (anew) by ``method``; the rest is kept as it is.

    Scores the explanation's own states but for those that ``states`` names. With ``concepts`` only the words
    of these are scored: what the others have by the same method stays, what they have by another one goes.

    >>> with_tokens(model, why, "gradient", concepts=["food"]).unscored
    ('service', 'noise')
    """
    wanted = {**{name: item.state for name, item in explanation.concepts.items()}, **(states or {})}
    scoring = Scoring(method, weights, wanted, steps, pieces, concepts, on_share)
    _, scored = read_and_score(prepare(model, explanation.text, scoring))
    items = dict(explanation.concepts)
    for name, item in items.items():
        if name in scored:
            tokens, delta = scored[name]
            items[name] = replace(item, state=wanted[name], tokens=tokens, convergence_delta=delta)
        elif explanation.method != method:
            items[name] = replace(item, tokens=(), convergence_delta=None)
    return replace(explanation, method=method, concepts=items)


def _explain(model: ConceptModel, text: str, scoring: Scoring, fingerprint: str | None) -> Explanation:
    if (scoring.weights is None) != (fingerprint is None):
        raise InputError("weights and the fingerprint that names them are given together, or neither is")
    prepared = prepare(model, text, scoring)
    readings, scored = read_and_score(prepared)
    return _result(prepared, readings, scored, model.fingerprint if fingerprint is None else fingerprint)


def _result(
    prepared: Prepared, readings: torch.Tensor, scored: Mapping[str, Scored], fingerprint: str
) -> Explanation:
    """From the readings (P, R) of all parts."""
    model, space, states = prepared.model, prepared.model.space, prepared.scoring.states
    network, readings = model.cbm, readings.cpu().double()
    with torch.inference_mode():
        activations, strengths = network.activate(readings), network.strengths(readings)
    logits = network.concept_logits(readings)
    predicted, probabilities = logits.argmax(-1).tolist(), logits.softmax(-1)
    parts = label_parts(network, activations)

    def by_state(values: torch.Tensor) -> dict[str, float]:
        return _named(space.states, values)

    def by_label(values: torch.Tensor) -> dict[str, float]:
        return _named(space.labels, values)

    concepts = {}
    for k, concept in enumerate(space.concepts):
        tokens, delta = scored.get(concept, ((), None))
        concepts[concept] = ConceptExplanation(
            concept=concept,
            state=states.get(concept, space.states[predicted[k]]),
            probabilities=by_state(probabilities[k]),
            activations=by_state(activations[k, : space.num_states]),
            contributions=by_label(parts.contributions[k]),
            relative_contributions=by_label(parts.relative[k]),
            tokens=tokens,
            convergence_delta=delta,
            strengths=by_state(strengths[k]),
        )
    rest = None
    if len(network.parts) > space.num_concepts:
        rest = RestExplanation(
            activations=tuple(activations[-1].tolist()),
            contributions=by_label(parts.contributions[-1]),
            relative_contributions=by_label(parts.relative[-1]),
        )
    encoded = prepared.encoded
    return Explanation(
        text=prepared.text,
        model=model.name,
        fingerprint=fingerprint,
        method=prepared.scoring.method,
        label=space.labels[int(parts.logits.argmax())],
        probabilities=by_label(parts.logits.softmax(-1)),
        logits=by_label(parts.logits),
        bias=by_label(parts.bias),
        base=by_label(parts.base),
        concepts=concepts,
        truncated=Truncation(len(encoded.ids), encoded.total_tokens, encoded.kept_chars),
        expected=expected_value(network, parts),
        rest=rest,
        familiar=model.familiar(encoded),
    )


def _named(names: Iterable[str], values: torch.Tensor) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))
