"""One text explained: tokens → subnetworks → concepts → label."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from sparsecbm_core.data.batches import Encoded, without_surrogates
from sparsecbm_core.errors import InputError
from sparsecbm_core.explain.concepts import label_parts
from sparsecbm_core.explain.results import ConceptExplanation, Explanation, TokenScore, Truncation
from sparsecbm_core.explain.tokens.inputs import TokenInputs
from sparsecbm_core.explain.tokens.registry import DEFAULT_METHOD, DEFAULT_STEPS, TokenMethod, token_method
from sparsecbm_core.explain.words import Word, words_of
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.subnetworks import EffectiveWeights

Scored = tuple[tuple[TokenScore, ...], float | None]


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
) -> Explanation:
    """Label, concepts and, with a ``method``, the words behind every concept.

    ``method`` is one of `explain.tokens.METHODS`, or None for label and concepts alone, which
    takes one forward pass. ``weights`` replaces the model's own subnetworks, for example by
    corrected ones; ``fingerprint`` has to come with it and names them in the result. Tokens are
    scored for the predicted state of each concept, or the one that ``states`` names for it.
    ``steps`` is for integrated gradients; ``pieces`` keeps word pieces apart.

    Raises `InputError` for a text without a readable character, an unknown method, concept or
    state, weights without a fingerprint, and for a standard classifier. The model is only read:
    threads may share it.

    >>> explain(model, "The soup was cold.").concepts["food"].state  # doctest: +SKIP
    'Negative'
    """
    if (weights is None) != (fingerprint is None):
        raise InputError("weights and the fingerprint that names them are given together, or neither is")
    chosen = None if method is None else token_method(method)
    reading = _read(
        model, text, weights, states, steps, pieces, graph=chosen is not None and chosen.uses_graph
    )
    scored = None if chosen is None else _score(reading, chosen, steps)
    return _result(reading, method, scored, fingerprint)


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
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Explanation]:
    """`explain` for many texts, in their order.

    ``on_progress`` gets the number done and the number of texts after each. All texts are checked
    before the first is explained.
    """
    if isinstance(texts, str):
        raise InputError("texts must be a list of texts, got a single text")
    for position, text in enumerate(texts):
        try:
            _clean(text)
        except InputError as error:
            raise InputError(f"text {position}: {error}") from None
    explanations = []
    for text in texts:
        explanations.append(
            explain(
                model,
                text,
                method,
                weights=weights,
                states=states,
                steps=steps,
                pieces=pieces,
                fingerprint=fingerprint,
            )
        )
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
) -> dict[str, Scored]:
    """Only the words: concept → (scored words, convergence delta or None). See `explain`."""
    chosen = token_method(method)
    reading = _read(model, text, weights, states, steps, pieces, graph=chosen.uses_graph)
    return _score(reading, chosen, steps)


def with_tokens(
    model: ConceptModel,
    explanation: Explanation,
    method: str = DEFAULT_METHOD,
    *,
    weights: EffectiveWeights | None = None,
    states: Mapping[str, str] | None = None,
    steps: int = DEFAULT_STEPS,
    pieces: bool = False,
) -> Explanation:
    """The explanation with its words scored (anew) by ``method``; the rest is kept as it is.

    Scores the explanation's own states but for those that ``states`` names.
    """
    wanted = {**{name: item.state for name, item in explanation.concepts.items()}, **(states or {})}
    scored = score_tokens(
        model, explanation.text, method, weights=weights, states=wanted, steps=steps, pieces=pieces
    )
    concepts = {
        name: replace(item, state=wanted[name], tokens=scored[name][0], convergence_delta=scored[name][1])
        for name, item in explanation.concepts.items()
    }
    return replace(explanation, method=method, concepts=concepts)


@dataclass(frozen=True)
class _Reading:
    """One text after the forward pass: ``embeds`` (K, T, E), ``logits`` (K, C), ``states`` (K,)."""

    model: ConceptModel
    text: str
    encoded: Encoded
    words: tuple[Word, ...]
    weights: EffectiveWeights | None
    embeds: torch.Tensor
    logits: torch.Tensor
    states: torch.Tensor


def _read(
    model: ConceptModel,
    text: str,
    weights: EffectiveWeights | None,
    states: Mapping[str, str] | None,
    steps: int,
    pieces: bool,
    graph: bool,
) -> _Reading:
    network, space = model.cbm, model.space
    _check_steps(steps)
    given = {space.concept_index(name): space.state_index(state) for name, state in (states or {}).items()}
    text = _clean(text)
    encoded = model.encode([text])[0]
    words = words_of(text, encoded, pieces)
    if not words:
        raise InputError(f"nothing in the text {text!r:.80} can be read by the model's tokenizer")
    with _gradients(graph):
        weights = model.weights if weights is None else weights
        ids = torch.tensor([encoded.ids], device=model.device)  # (1, T)
        embeds = network.embed(ids).detach().repeat(space.num_concepts, 1, 1)  # (K, T, E)
        mask = torch.ones(embeds.shape[:2], dtype=torch.long, device=model.device)
        logits = network.row_logits(embeds.requires_grad_(graph), mask, weights)
        chosen = logits.detach().argmax(-1)
    for concept, state in given.items():
        chosen[concept] = state
    return _Reading(model, text, encoded, words, weights, embeds, logits, chosen)


def _score(reading: _Reading, method: TokenMethod, steps: int) -> dict[str, Scored]:
    model, text = reading.model, reading.text
    inputs = TokenInputs(
        network=model.cbm,
        weights=reading.weights,
        input_ids=torch.tensor(reading.encoded.ids, device=model.device),
        embeds=reading.embeds,
        logits=reading.logits,
        states=reading.states,
        groups=[word.tokens for word in reading.words],
        pad_id=int(model.tokenizer.pad_token_id),
        steps=steps,
    )
    with _gradients(True):
        scores, deltas = method.score(inputs)
    return {
        concept: (
            tuple(
                TokenScore(text[word.start : word.end], word.start, word.end, value)
                for word, value in zip(reading.words, scores[k].tolist(), strict=True)
            ),
            None if deltas is None else deltas[k],
        )
        for k, concept in enumerate(model.space.concepts)
    }


def _result(
    reading: _Reading, method: str | None, scored: Mapping[str, Scored] | None, fingerprint: str | None
) -> Explanation:
    model, space = reading.model, reading.model.space
    logits = reading.logits.detach().cpu().double()  # (K, C)
    activations, probabilities = logits.sigmoid(), logits.softmax(-1)
    parts = label_parts(model.cbm, activations)

    def by_state(values: torch.Tensor) -> dict[str, float]:
        return _named(space.states, values)

    def by_label(values: torch.Tensor) -> dict[str, float]:
        return _named(space.labels, values)

    concepts = {}
    for k, concept in enumerate(space.concepts):
        tokens, delta = ((), None) if scored is None else scored[concept]
        concepts[concept] = ConceptExplanation(
            concept=concept,
            state=space.states[int(reading.states[k])],
            probabilities=by_state(probabilities[k]),
            activations=by_state(activations[k]),
            contributions=by_label(parts.contributions[k]),
            relative_contributions=by_label(parts.relative[k]),
            tokens=tokens,
            convergence_delta=delta,
        )
    encoded = reading.encoded
    return Explanation(
        text=reading.text,
        model=model.name,
        fingerprint=model.fingerprint if fingerprint is None else fingerprint,
        method=method,
        label=space.labels[int(parts.logits.argmax())],
        probabilities=by_label(parts.logits.softmax(-1)),
        logits=by_label(parts.logits),
        bias=by_label(parts.bias),
        base=by_label(parts.base),
        concepts=concepts,
        truncated=Truncation(len(encoded.ids), encoded.total_tokens, encoded.kept_chars),
    )


@contextmanager
def _gradients(enabled: bool) -> Iterator[None]:
    """Autograd as asked for, whatever mode the caller is in."""
    with torch.inference_mode(False), torch.set_grad_enabled(enabled):
        yield


def _named(names: Iterable[str], values: torch.Tensor) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


def _clean(text: str) -> str:
    """The text fit for a tokenizer and a JSON file; `InputError` where there is none."""
    if not isinstance(text, str):
        raise InputError(f"the text to explain must be text, got {type(text).__name__}")
    if not text.strip():
        raise InputError("the text is empty; give at least one word to explain")
    return without_surrogates(text)


def _check_steps(steps: int) -> None:
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise InputError(f"steps must be a whole number of at least 1, got {steps!r}")
