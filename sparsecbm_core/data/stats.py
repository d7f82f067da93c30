"""Counts of a data set's rows, labels and concept states: Table 1 of the paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sparsecbm_core.data.types import ReviewDataset
from sparsecbm_core.errors import InputError


@dataclass(frozen=True)
class SplitCount:
    """Rows of one split; ``dropped`` counts by reason."""

    split: str
    rows_read: int
    rows_kept: int
    dropped: Mapping[str, int]


@dataclass(frozen=True)
class Share:
    """A count and the percentage of its row of the table that it makes."""

    count: int
    percent: float


@dataclass(frozen=True)
class DatasetStats:
    """Rows per split, and over all splits the states per concept and the labels.

    ``concepts`` (concept → state → share) counts every row read, as the paper's Table 1 does;
    ``labels`` (label → share) counts the rows kept.
    """

    name: str
    splits: tuple[SplitCount, ...]
    concepts: Mapping[str, Mapping[str, Share]]
    labels: Mapping[str, Share]

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers, ready for JSON."""
        data = asdict(self)
        data["splits"] = list(data["splits"])
        return data


def dataset_stats(datasets: Iterable[ReviewDataset] | ReviewDataset) -> DatasetStats:
    """Add up the splits of one data set.

    Raises `InputError` if none is given, if one split or one set of reviews comes twice, or if their
    concepts, states or labels differ.

    >>> dataset_stats(reviews).splits[0].rows_kept
    8
    """
    parts = [datasets] if isinstance(datasets, ReviewDataset) else list(datasets)
    if not parts:
        raise InputError("statistics need at least one data set")
    space = parts[0].space
    seen: dict[str, str] = {}
    concepts = {concept: Counter[str]() for concept in space.concepts}
    labels: Counter[str] = Counter()
    for part in parts:
        if part.space.names != space.names:
            raise InputError(
                f"{part.name} {part.split} has other concepts, states or labels than {parts[0].name}"
            )
        name, fingerprint = f"{part.name} {part.split}", part.fingerprint()
        if name in seen.values():
            raise InputError(f"{name} is given more than once")
        if len(part) and fingerprint in seen:
            raise InputError(f"{name} holds the same reviews as {seen[fingerprint]}: they would count twice")
        seen[fingerprint] = name
        for concept, counts in (part.report.concept_counts or _kept_states(part)).items():
            concepts[concept].update(counts)
        labels.update(space.labels[example.label] for example in part)
    return DatasetStats(
        name=" + ".join(dict.fromkeys(part.name for part in parts)),
        splits=tuple(
            SplitCount(part.split, part.report.rows_read, part.report.rows_kept, dict(part.report.dropped))
            for part in parts
        ),
        concepts={concept: _shares(counts, space.states) for concept, counts in concepts.items()},
        labels=_shares(labels, space.labels),
    )


def format_stats(stats: DatasetStats) -> str:
    """The statistics as plain text tables.

    >>> format_stats(dataset_stats(reviews)).splitlines()[0]
    'toy'
    """
    splits = [
        [
            split.split,
            str(split.rows_read),
            str(split.rows_kept),
            ", ".join(f"{count} {reason}" for reason, count in split.dropped.items()) or "0",
        ]
        for split in stats.splits
    ]
    states = list(next(iter(stats.concepts.values())))
    concepts = [[concept, *map(_cell, row.values())] for concept, row in stats.concepts.items()]
    labels = [["rows", *map(_cell, stats.labels.values())]]
    return "\n\n".join(
        (
            stats.name,
            _table(["split", "read", "kept", "dropped"], splits),
            _table(["concept (rows read)", *states], concepts),
            _table(["label (rows kept)", *stats.labels], labels),
        )
    )


def _kept_states(part: ReviewDataset) -> dict[str, Counter[str]]:
    """States counted over the examples, for a data set whose report does not count them."""
    return {
        concept: Counter(part.space.states[example.concepts[k]] for example in part)
        for k, concept in enumerate(part.space.concepts)
    }


def _shares(counts: Mapping[str, int], names: Sequence[str]) -> dict[str, Share]:
    total = sum(counts.values())
    return {name: Share(counts[name], 100 * counts[name] / total if total else 0.0) for name in names}


def _cell(share: Share) -> str:
    return f"{share.count} ({share.percent:.0f}%)"


def _table(header: list[str], rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (header, *rows)
    )
