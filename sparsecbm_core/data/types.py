"""The one data set type that every loader returns and everything else reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sparsecbm_core.concepts import ConceptSpace


@dataclass(frozen=True)
class Example:
    """One review. ``label`` and ``concepts`` are indices into the data set's `ConceptSpace`.

    ``group`` joins the edits of one original review (CEBaB's ``original_id``);
    ``edit_concept`` and ``edit_goal`` say which concept an edit changed, and to which state,
    None for an original. ``votes`` holds the annotators' shares per concept and state
    (K × C, rows sum to 1) where the data set publishes them; ``label_votes`` (Y shares) those on the
    label, where they were asked for. An ``undecided`` example's annotators agreed on no label: ``label`` is
    then the most frequent vote, the lowest of equals, and only its votes are worth learning from.
    """

    id: str
    text: str
    label: int
    concepts: tuple[int, ...]
    group: str | None = None
    edit_concept: str | None = None
    edit_goal: str | None = None
    votes: tuple[tuple[float, ...], ...] | None = None
    label_votes: tuple[float, ...] | None = None
    undecided: bool = False


def edited_concept(first: Example, second: Example) -> str | None:
    """The one concept that was edited between two texts of a group: an original and an edit of it, or two
    edits of the same concept; None for others."""
    edited = {first.edit_concept, second.edit_concept} - {None}
    return edited.pop() if len(edited) == 1 else None


@dataclass(frozen=True)
class LoadReport:
    """What a loader read, kept and dropped; nothing is dropped without a count here.

    ``concept_counts`` counts every row read (Table 1 of the paper does), not only kept ones.
    """

    files: tuple[str, ...]
    rows_read: int
    rows_kept: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    concept_counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class ReviewDataset:
    """Labelled reviews of one split, in file order."""

    name: str
    split: str
    space: ConceptSpace
    examples: tuple[Example, ...]
    report: LoadReport

    def __len__(self) -> int:
        return len(self.examples)

    def __iter__(self) -> Iterator[Example]:
        return iter(self.examples)

    @property
    def texts(self) -> list[str]:
        return [example.text for example in self.examples]

    def fingerprint(self) -> str:
        """Hash of texts, labels and votes, and what they are called (16 hex digits): names the data in
        metrics and caches."""
        digest = hashlib.sha256(repr(self.space.names).encode())
        for example in self.examples:
            parts: tuple[object, ...] = (example.text, example.label, example.concepts, example.votes)
            if example.label_votes is not None:
                parts += (example.label_votes, example.undecided)
            digest.update(repr(parts).encode())
        return digest.hexdigest()[:16]
