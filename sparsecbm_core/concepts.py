"""Concept, state and label names: the vocabulary that a data set and its model share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from sparsecbm_core.errors import InputError, SettingsError, one_of

NEGATIVE, POSITIVE, UNKNOWN = "Negative", "Positive", "unknown"
DEFAULT_STATES = (NEGATIVE, POSITIVE, UNKNOWN)
REST, REST_TITLE = "rest", "Rest of the review"  # what speaks for the label, and of no concept
SIGNS = {NEGATIVE: -1, POSITIVE: 1}


@dataclass(frozen=True)
class ConceptSpace:
    """K concepts with C states each, and Y labels; names in the order of the model's heads.

    ``titles`` maps any name to what a person reads ("unknown" → "Not mentioned",
    "4" → "4 stars"); a name without a title is its own title. A label may be called as a state is:
    ``label_titles`` are for labels alone and go before.

    ``ordered`` says whether the labels go from worst to best; None: where they are rising numbers, or
    Negative and Positive. ``label_unit`` is what they count ("stars"), ``reads`` what a text of the data is
    ("restaurant review").

    >>> space = ConceptSpace(("food",), ("no", "yes"), ("no", "yes"), {}, {"yes": "Liked it"})
    >>> space.concept_index("food"), space.title("yes"), space.label_title("yes")
    (0, 'yes', 'Liked it')
    """

    concepts: tuple[str, ...]
    states: tuple[str, ...]
    labels: tuple[str, ...]
    titles: Mapping[str, str] = field(default_factory=dict)
    label_titles: Mapping[str, str] = field(default_factory=dict)
    ordered: bool | None = None
    label_unit: str = ""
    reads: str = ""

    def __post_init__(self) -> None:
        if self.ordered is not None and not isinstance(self.ordered, bool):
            raise SettingsError(f"ordered must be true, false or null, got {self.ordered!r}")
        for name in ("label_unit", "reads"):
            if not isinstance(getattr(self, name), str):
                raise SettingsError(f"{name} must be text, got {getattr(self, name)!r}")
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

    @property
    def label_values(self) -> tuple[float, ...] | None:
        """Where each label stands on the scale of an ordered answer; None where labels have no order.

        The labels' own numbers; of two that are none, 0 and 100: the chance of the second, in points; of
        more, their ranks.

        >>> CEBAB.label_values, imdb_space().label_values
        ((1.0, 2.0, 3.0, 4.0, 5.0), (0.0, 100.0))
        """
        numbers = [number_in(label) for label in self.labels]
        rising = [number for number in numbers if number is not None]
        counted = len(rising) == len(numbers) and all(a < b for a, b in pairwise(rising))
        if not (counted or self.labels == (NEGATIVE, POSITIVE) if self.ordered is None else self.ordered):
            return None
        if counted:
            return tuple(rising)
        return (0.0, 100.0) if self.num_labels == 2 else tuple(float(y + 1) for y in range(self.num_labels))

    @property
    def spoken(self) -> tuple[int, ...]:
        """Indices of the states that say something: all but "unknown"."""
        return tuple(c for c, state in enumerate(self.states) if state != UNKNOWN)

    @property
    def signs(self) -> tuple[int, ...]:
        """Of every state: 1 where it can only speak for better labels, -1 for worse ones, 0 for either."""
        return tuple(SIGNS.get(state, 0) for state in self.states)

    def concept_index(self, name: str) -> int:
        return _index(self.concepts, name, "concept")

    def state_index(self, name: str) -> int:
        return _index(self.states, name, "state")

    def label_index(self, name: str) -> int:
        return _index(self.labels, name, "label")

    def title(self, name: str) -> str:
        """What a person reads for a concept, the rest or a state."""
        return self.titles.get(name, REST_TITLE if name == REST else name)

    def label_title(self, name: str) -> str:
        """What a person reads for a label."""
        return self.label_titles.get(name, self.title(name))

    def to_dict(self) -> dict[str, Any]:
        """As JSON; what files of earlier versions do not have, only where it says something."""
        values = {
            "concepts": list(self.concepts),
            "states": list(self.states),
            "labels": list(self.labels),
            "titles": dict(self.titles),
        }
        more = {
            "label_titles": dict(self.label_titles),
            "ordered": self.ordered,
            "label_unit": self.label_unit,
            "reads": self.reads,
        }
        return {**values, **{name: value for name, value in more.items() if value not in ({}, None, "")}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ConceptSpace:
        try:
            return cls(
                tuple(data["concepts"]),
                tuple(data["states"]),
                tuple(data["labels"]),
                dict(data.get("titles", {})),
                dict(data.get("label_titles", {})),
                data.get("ordered"),
                data.get("label_unit", ""),
                data.get("reads", ""),
            )
        except (KeyError, TypeError) as error:
            raise SettingsError(f"concept space lacks {error}; needs concepts, states, labels") from error


def number_in(text: str) -> float | None:
    """The finite number that a label is, if it is one."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


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
    label_unit="stars",
    reads="restaurant review",
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
        label_unit="points",
        reads="film review",
    )
