"""The corrected review in other words: whether a correction holds for what says the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsecbm_core.concepts import UNKNOWN
from sparsecbm_core.intervene.reading import concept_logits

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel

MOST = 5
_SENTENCE = re.compile(r".+?(?:[.!?…]+[\"')\]]*(?=\s|$)|\n|$)", re.DOTALL)


@dataclass(frozen=True)
class Variant:
    """A text that says the same of a concept, with the state it is read as before and after a correction."""

    text: str
    before: str
    after: str


def sentences(text: str) -> list[str]:
    """The sentences of a text, or its lines, without the space around them.

    >>> sentences("Cold soup. Great waiter!  We left.")
    ['Cold soup.', 'Great waiter!', 'We left.']
    """
    found = (match.group().strip() for match in _SENTENCE.finditer(text))
    return [sentence for sentence in found if any(sign.isalnum() for sign in sentence)]


def variants_of(text: str, silent: Sequence[bool]) -> list[str]:
    """Up to `MOST` texts made of the sentences of ``text``: without one of those that are ``silent`` on the
    concept, in another order, or without capitals and marks where there is only one.

    >>> variants_of("Cold soup. Great waiter! We left.", [False, False, True])
    ['Cold soup. Great waiter!', 'Great waiter! We left. Cold soup.', 'We left. Cold soup. Great waiter!', \
'We left. Great waiter! Cold soup.']
    """
    parts, found = sentences(text), []
    if len(parts) > 1:
        found += [parts[:i] + parts[i + 1 :] for i, quiet in enumerate(silent) if quiet][: MOST - 2]
        found += [parts[i:] + parts[:i] for i in range(1, len(parts))]
        found.append(parts[::-1])
    texts = [" ".join(part) for part in found] or [re.sub(r"[^\w\s']", "", text).lower().strip()]
    fresh = [new for new in dict.fromkeys(texts) if new and new != text.strip()]
    return fresh[:MOST]


def read_variants(before: ConceptModel, after: ConceptModel, text: str, concept: str) -> tuple[Variant, ...]:
    """Variants of ``text`` as both models read ``concept`` in them.

    A sentence that either model by itself reads as mentioning the concept stays in every variant.
    """
    parts, states = sentences(text), before.space.states

    def said(model: ConceptModel, texts: Sequence[str]) -> list[str]:
        return [states[k] for k in concept_logits(model, texts, concept).argmax(-1).tolist()]

    if len(parts) > 1 and UNKNOWN in states:
        silent = [
            {one, other} == {UNKNOWN}
            for one, other in zip(said(before, parts), said(after, parts), strict=True)
        ]
    else:
        silent = [False] * len(parts)
    texts = variants_of(text, silent)
    if not texts:
        return ()
    return tuple(map(Variant, texts, said(before, texts), said(after, texts)))
