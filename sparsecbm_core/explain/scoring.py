"""A text read by its subnetworks, and its words scored: all concepts at once while that is little, else one
after the other, so that memory and the wait for the first one do not grow with their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import torch

from sparsecbm_core.data.batches import Encoded, without_surrogates
from sparsecbm_core.errors import InputError
from sparsecbm_core.explain.results import TokenScore
from sparsecbm_core.explain.tokens.inputs import TokenInputs
from sparsecbm_core.explain.tokens.method import TokenMethod
from sparsecbm_core.explain.tokens.registry import DEFAULT_METHOD, DEFAULT_STEPS, token_method
from sparsecbm_core.explain.words import Word, words_of
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.subnetworks import EffectiveWeights
from sparsecbm_core.progress import OnShare, unheard

Scored = tuple[tuple[TokenScore, ...], float | None]

# Rows × tokens that are read together. What a gradient needs of them is kept: 1,024 are some 300 MB of a
# small encoder.
ROW_TOKENS = 1024


@dataclass(frozen=True)
class Scoring:
    """How a text is read and its words are scored: what `explain` is asked for, as one value.

    ``method`` None: no words. ``weights`` None: the model's own. ``states`` names the state that is scored
    where it is not the predicted one, ``concepts`` those to score, in this order (None: all).
    ``on_share`` gets the share of the work that is done, after each part of it.

    Raises `InputError` for an unknown method, and for steps that are not a whole number of at least 1.
    """

    method: str | None = DEFAULT_METHOD
    weights: EffectiveWeights | None = None
    states: Mapping[str, str] = field(default_factory=dict)
    steps: int = DEFAULT_STEPS
    pieces: bool = False
    concepts: Sequence[str] | None = None
    on_share: OnShare = unheard

    def __post_init__(self) -> None:
        _ = self.tokens
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or self.steps < 1:
            raise InputError(f"steps must be a whole number of at least 1, got {self.steps!r}")

    @cached_property
    def tokens(self) -> TokenMethod | None:
        return None if self.method is None else token_method(self.method)


@dataclass(frozen=True)
class Prepared:
    """A text cut into tokens and words, and the subnetworks to read it with."""

    model: ConceptModel
    text: str
    encoded: Encoded
    words: tuple[Word, ...]
    weights: EffectiveWeights | None
    scoring: Scoring


def prepare(model: ConceptModel, text: str, scoring: Scoring) -> Prepared:
    """`InputError` where there is nothing to read."""
    _ = model.cbm
    text, encoded, words = words_in(model, text, scoring.pieces)
    with _gradients(False):
        weights = model.weights if scoring.weights is None else scoring.weights
    return Prepared(model, text, encoded, words, weights, scoring)


def words_in(model: ConceptModel, text: str, pieces: bool = False) -> tuple[str, Encoded, tuple[Word, ...]]:
    """The text as it is read, its tokens and its words; `InputError` where there are none."""
    text = clean(text)
    encoded = model.encode([text])[0]
    words = words_of(text, encoded, pieces)
    if not words:
        raise InputError(f"nothing in the text {text!r:.80} can be read by the model's tokenizer")
    return text, encoded, words


def word_scores(text: str, words: Sequence[Word], values: Sequence[float]) -> tuple[TokenScore, ...]:
    """Each word with its value."""
    return tuple(
        TokenScore(text[word.start : word.end], word.start, word.end, value)
        for word, value in zip(words, values, strict=True)
    )


def clean(text: str) -> str:
    """The text fit for a tokenizer and a JSON file; `InputError` where there is none."""
    if not isinstance(text, str):
        raise InputError(f"the text to explain must be text, got {type(text).__name__}")
    if not text.strip():
        raise InputError("the text is empty; give at least one word to explain")
    return without_surrogates(text)


def read_and_score(prepared: Prepared) -> tuple[torch.Tensor, dict[str, Scored]]:
    """Readings (n, R) of the n concepts to score, and of the rest of the text where all are, with the words
    of the concepts scored, if there is a method to do so."""
    space, scoring, method = prepared.model.space, prepared.scoring, prepared.scoring.tokens
    given = {
        space.concept_index(name): space.state_index(state) for name, state in (scoring.states or {}).items()
    }
    names = space.concepts if scoring.concepts is None else scoring.concepts
    chosen = [space.concept_index(name) for name in names]
    parts = prepared.model.cbm.parts
    rows, done = len(chosen) * (1 + (method.passes(scoring.steps, len(prepared.words)) if method else 0)), 0

    def on_rows(count: int) -> None:
        nonlocal done
        done += count
        scoring.on_share(min(1.0, done / rows))

    graph = method is not None and method.uses_graph
    shared = method is not None and _shared(prepared.weights, method)
    together = shared or _fit(len(chosen), len(prepared.encoded.ids))
    together = together and chosen == list(range(space.num_concepts))
    found, scored = [], {}
    for group in [tuple(chosen)] if together else [(concept,) for concept in chosen]:
        inputs, readings = _read(prepared, group, given, graph, on_rows)
        found.append(readings)
        if method is not None:
            # What reads the text again and again does so with one subnetwork at a time.
            for part in (inputs,) if graph or shared else inputs.each():
                scored.update(_score(prepared, part, method))
    if scoring.concepts is None:
        found += [_read(prepared, (k,), {}, False, on_rows)[1] for k in range(len(chosen), len(parts))]
    return torch.cat(found), scored


def at_once(model: ConceptModel, tokens: int, method: TokenMethod) -> bool:
    """Whether the words of all concepts are scored in hardly more time than those of one."""
    fit = method.uses_graph and _fit(model.space.num_concepts, tokens)
    return fit or _shared(model.weights, method)


def _fit(concepts: int, tokens: int) -> bool:
    return concepts * tokens <= ROW_TOKENS


def _shared(weights: EffectiveWeights | None, method: TokenMethod) -> bool:
    """Without subnetworks a reading serves all concepts."""
    return weights is None and method.only_reads


def _read(
    prepared: Prepared,
    concepts: tuple[int, ...],
    given: Mapping[int, int],
    graph: bool,
    on_rows: Callable[[int], None],
) -> tuple[TokenInputs, torch.Tensor]:
    """What a token method gets of these concepts, all of them or one part, and their readings (n, R)."""
    model, weights = prepared.model, prepared.weights
    if weights is not None:
        one = len(concepts) == 1
        weights = weights.only(model.cbm.parts[concepts[0]]) if one else weights.first(len(concepts))
    with _gradients(graph):
        ids = torch.tensor([prepared.encoded.ids], device=model.device)  # (1, T)
        embeds = model.cbm.embed(ids).detach().repeat(len(concepts), 1, 1)  # (N, T, E)
        mask = torch.ones(embeds.shape[:2], dtype=torch.long, device=model.device)
        readings = model.cbm.row_readings(embeds.requires_grad_(graph), mask, weights, concepts)
        logits = readings[:, : model.space.num_states]
        states = logits.detach().argmax(-1)
    for row, concept in enumerate(concepts):
        if concept in given:
            states[row] = given[concept]
    on_rows(len(concepts))
    inputs = TokenInputs(
        network=model.cbm,
        weights=weights,
        concepts=concepts,
        input_ids=ids[0],
        embeds=embeds,
        logits=logits,
        states=states,
        groups=[word.tokens for word in prepared.words],
        pad_id=int(model.tokenizer.pad_token_id),
        steps=prepared.scoring.steps,
        on_rows=on_rows,
    )
    return inputs, readings.detach()


def _score(prepared: Prepared, inputs: TokenInputs, method: TokenMethod) -> dict[str, Scored]:
    names = prepared.model.space.concepts
    with _gradients(True):
        scores, deltas = method.score(inputs)
    return {
        names[concept]: (
            word_scores(prepared.text, prepared.words, scores[row].tolist()),
            None if deltas is None else deltas[row],
        )
        for row, concept in enumerate(inputs.concepts)
    }


@contextmanager
def _gradients(enabled: bool) -> Iterator[None]:
    """Autograd as asked for, whatever mode the caller is in."""
    with torch.inference_mode(False), torch.set_grad_enabled(enabled):
        yield
