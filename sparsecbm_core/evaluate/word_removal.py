"""One review put to the test: what remains of a concept's state without the words that somebody marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from sparsecbm_core.data.batches import padded
from sparsecbm_core.errors import InputError
from sparsecbm_core.evaluate.erasure import ROW_TOKENS, state_probability
from sparsecbm_core.explain.results import TokenScore
from sparsecbm_core.explain.scoring import words_in
from sparsecbm_core.explain.words import without_words
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.progress import OnCount, unheard

SCHEMA_VERSION = 1
COUNTS, DRAWS = (1, 3, 5), 20


@dataclass(frozen=True)
class Removal:
    """The words of one ranking taken out: ``words`` in the order in which they go, and what then remains of
    the state's probability, for each count."""

    words: tuple[str, ...]
    remaining: tuple[float, ...]


@dataclass(frozen=True)
class WordRemoval:
    """The probability of a concept's ``state`` with the whole text, and without some of its words.

    ``rankings`` is name → removal. ``random`` and ``random_std`` are mean and standard deviation over
    ``draws`` seeded orders of the words, for each of ``counts``. ``model`` is the fingerprint of the one that
    read all of it.
    """

    concept: str
    state: str
    probability: float
    words: int
    counts: tuple[int, ...]
    rankings: Mapping[str, Removal]
    random: tuple[float, ...]
    random_std: tuple[float, ...]
    draws: int
    seed: int
    model: str
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in this class."""
        return asdict(self)


def word_removal(
    model: ConceptModel,
    text: str,
    concept: str,
    rankings: Mapping[str, Sequence[TokenScore]],
    state: str | None = None,
    counts: Sequence[int] = COUNTS,
    draws: int = DRAWS,
    seed: int = 0,
    on_progress: OnCount = unheard,
) -> WordRemoval:
    """Take out the first words of each ranking and read the rest with the concept's subnetwork.

    The comprehensiveness of ERASER (DeYoung et al., 2020, Eq. 1) for a single text and counts of words in
    place of shares. ``rankings`` score every word of the text, whoever scored them; the highest score goes
    first, of equal ones the earlier word. ``state`` None is the one that the model finds in the whole text.
    Words are deleted as in `erasure.erasure_drops`. Of ``counts``, those that would leave no word are lowered
    to all words but one. The same text is read once, however many rankings lead to it.

    Raises `InputError` for an unknown concept or state, a text of fewer than two words, counts below 1, and
    rankings of other words than those the model reads.
    """
    k, space = model.space.concept_index(concept), model.space
    if not counts or min(counts) < 1:
        raise InputError(f"counts of words must be at least 1, got {list(counts)}")
    if draws < 1:
        raise InputError(f"draws must be at least 1, got {draws}")
    text, encoded, words = words_in(model, text)
    if len(words) < 2:
        raise InputError(f"only a text of two words or more has one to spare, got {text!r:.80}")
    spans = [(word.start, word.end) for word in words]
    for name, scores in rankings.items():
        if [(score.start, score.end) for score in scores] != spans:
            raise InputError(f"the words of {name!r} are not those that the model reads")
    used = tuple(sorted({min(count, len(words) - 1) for count in counts}))
    orders = [_order(scores) for scores in rankings.values()]
    rng = np.random.default_rng(seed)
    orders += [rng.permutation(len(words)) for _ in range(draws)]

    groups, pad_id = [word.tokens for word in words], int(model.tokenizer.pad_token_id)
    cuts = [[frozenset(order[:count].tolist()) for count in used] for order in orders]
    texts = {cut: without_words(encoded.ids, groups, sorted(cut), pad_id) for row in cuts for cut in row}
    texts[frozenset()] = list(encoded.ids)
    logits = _read(model, k, list(texts.values()), pad_id, on_progress)  # (N, C)
    place = {cut: position for position, cut in enumerate(texts)}
    if state is None:
        state = space.states[int(logits[place[frozenset()]].argmax())]
    index = torch.tensor([space.state_index(state)])
    values = state_probability(logits[:, None], index)[:, 0].numpy()
    remaining = np.array([[values[place[cut]] for cut in row] for row in cuts])  # (R + draws, S)
    chance = remaining[len(rankings) :]
    return WordRemoval(
        concept=concept,
        state=state,
        probability=float(values[place[frozenset()]]),
        words=len(words),
        counts=used,
        rankings={
            name: Removal(
                tuple(text[slice(*spans[word])] for word in order[: used[-1]]), tuple(values.tolist())
            )
            for name, order, values in zip(rankings, orders, remaining, strict=False)
        },
        random=tuple(chance.mean(0).tolist()),
        random_std=tuple(chance.std(0).tolist()),
        draws=draws,
        seed=seed,
        model=model.fingerprint,
    )


def _order(scores: Sequence[TokenScore]) -> np.ndarray:
    return np.argsort(-np.array([score.score for score in scores]), kind="stable")


def _read(
    model: ConceptModel,
    k: int,
    texts: Sequence[Sequence[int]],
    pad_id: int,
    on_progress: OnCount,
) -> torch.Tensor:
    """Logits (N, C) of concept k for N texts, read by its own subnetwork alone."""
    network = model.cbm
    weights = None if model.weights is None else model.weights.only(model.space.concepts[k])
    order = sorted(range(len(texts)), key=lambda position: -len(texts[position]))
    logits = torch.empty(len(texts), model.space.num_states)
    done = 0
    while done < len(order):
        chunk = order[done : done + max(1, ROW_TOKENS // len(texts[order[done]]))]
        ids, mask = padded([texts[position] for position in chunk], pad_id, model.device)
        with torch.inference_mode():
            logits[chunk] = network.row_logits(network.embed(ids), mask, weights, (k,)).float().cpu()
        done += len(chunk)
        on_progress(done, len(order))
    return logits
