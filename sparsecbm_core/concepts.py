"""Concept, state and label names: the vocabulary that a data set and its model share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sparsecbm_core.errors import InputError, SettingsError, one_of

NEGATIVE, POSITIVE, UNKNOWN = "Negative", "Positive", "unknown"
DEFAULT_STATES = (NEGATIVE, POSITIVE, UNKNOWN)


@dataclass(frozen=True)
class ConceptSpace:
    """K concepts with C states each, and Y labels; names in the order of the model's heads.

    ``titles`` maps any name to what a person reads ("unknown" → "Not mentioned",
    "4" → "4 stars"); a name without a title is its own title. A label may be called as a state is:
    ``label_titles`` are for labels alone and go before.

    >>> space = ConceptSpace(("food",), ("no", "yes"), ("no", "yes"), {}, {"yes": "Liked it"})
    >>> space.concept_index("food"), space.title("yes"), space.label_title("yes")
    (0, 'yes', 'Liked it')
    """

    concepts: tuple[str, ...]
    states: tuple[str, ...]
    labels: tuple[str, ...]
    titles: Mapping[str, str] = field(default_factory=dict)
    label_titles: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind, names, least in (
            ("concept", self.concepts, 1),
            ("state", self.states, 2),
            ("label", self.labels, 2),
        ):
            if len(names) < least:
                raise SettingsError(f"at least {least} {kind} name(s) needed, got {list(names)}")
            if len(set(names)) != len(names):
                raise SettingsError(f"{kind} names must differ, got {list(names)}")
            if any(not isinstance(name, str) or not name.strip() for name in names):
                raise SettingsError(f"{kind} names must be non-empty text, got {list(names)}")

    @property
    def num_concepts(self) -> int:
        """K."""
        return len(self.concepts)

    @property
    def num_states(self) -> int:
        """C."""
        return len(self.states)

    @property
    def num_labels(self) -> int:
        """Y."""
        return len(self.labels)

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """What a model, its data and its records must agree on; titles may differ."""
        return self.concepts, self.states, self.labels

    def concept_index(self, name: str) -> int:
        return _index(self.concepts, name, "concept")

    def state_index(self, name: str) -> int:
        return _index(self.states, name, "state")

    def label_index(self, name: str) -> int:
        return _index(self.labels, name, "label")

    def title(self, name: str) -> str:
        """What a person reads for a concept or a state."""
        return self.titles.get(name, name)

    def label_title(self, name: str) -> str:
        """What a person reads for a label."""
        return self.label_titles.get(name, self.title(name))

    def to_dict(self) -> dict[str, Any]:
        """As JSON; titles of labels only where there are any, as in files of earlier versions."""
        values = {
            "concepts": list(self.concepts),
            "states": list(self.states),
            "labels": list(self.labels),
            "titles": dict(self.titles),
        }
        return {**values, "label_titles": dict(self.label_titles)} if self.label_titles else values

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ConceptSpace:
        try:
            return cls(
                tuple(data["concepts"]),
                tuple(data["states"]),
                tuple(data["labels"]),
                dict(data.get("titles", {})),
                dict(data.get("label_titles", {})),
            )
        except (KeyError, TypeError) as error:
            raise SettingsError(f"concept space lacks {error}; needs concepts, states, labels") from error


def _index(names: tuple[str, ...], name: str, kind: str) -> int:
    try:
        return names.index(name)
    except ValueError:
        raise InputError(one_of(name, names, kind)) from None


CEBAB = ConceptSpace(
    concepts=("food", "ambiance", "service", "noise"),
    states=DEFAULT_STATES,
    labels=("1", "2", "3", "4", "5"),
    titles={
        "food": "Food",
        "ambiance": "Ambiance",
        "service": "Service",
        "noise": "Noise",
        UNKNOWN: "Not mentioned",
        "1": "1 of 5 stars",
        "2": "2 of 5 stars",
        "3": "3 of 5 stars",
        "4": "4 of 5 stars",
        "5": "5 of 5 stars",
    },
)

IMDB_PAPER_CONCEPTS = ("acting", "storyline", "emotional arousal", "cinematography")
IMDB_ALL_CONCEPTS = (
    *IMDB_PAPER_CONCEPTS,
    "soundtrack",
    "directing",
    "background setting",
    "editing",
)


def imdb_space(concepts: tuple[str, ...] = IMDB_PAPER_CONCEPTS) -> ConceptSpace:
    """IMDB-C with the paper's four concepts, or any of the eight that its files hold."""
    for name in concepts:
        if name not in IMDB_ALL_CONCEPTS:
            raise SettingsError(one_of(name, IMDB_ALL_CONCEPTS, "IMDB-C concept"))
    titles = {name: name.capitalize() for name in concepts}
    return ConceptSpace(
        concepts,
        DEFAULT_STATES,
        (NEGATIVE, POSITIVE),
        {**titles, UNKNOWN: "Not mentioned"},
        {NEGATIVE: "Negative review", POSITIVE: "Positive review"},
    )
