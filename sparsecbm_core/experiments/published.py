"""Tables 1 and 2 of the paper (Tan et al., AAAI 2024), to stand beside what is measured here.

Accuracies and F1 in per cent. The published F1 are means of one-vs-rest macro-F1, as `paper_f1`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedCounts:
    """Table 1 of one data set: ``rows`` by split where they are given, and (count, per cent) by state."""

    rows: Mapping[str, int]
    states: Mapping[str, Mapping[str, tuple[int, int]]]


def _states(*counts: tuple[int, int]) -> dict[str, tuple[int, int]]:
    return dict(zip(("Negative", "Positive", "unknown"), counts, strict=True))


TABLE1: Mapping[str, PublishedCounts] = {
    "cebab": PublishedCounts(
        {"train": 1755, "dev": 1673, "test": 1685},
        {
            "food": _states((1693, 33), (2087, 41), (1333, 26)),
            "ambiance": _states((787, 15), (994, 20), (3332, 65)),
            "service": _states((1249, 24), (1397, 27), (2467, 49)),
            "noise": _states((645, 13), (442, 9), (4026, 78)),
        },
    ),
    "imdb": PublishedCounts(
        {},
        {
            "acting": _states((76, 38), (66, 33), (58, 29)),
            "storyline": _states((80, 40), (77, 38), (43, 22)),
            "emotional arousal": _states((74, 37), (73, 36), (53, 27)),
            "cinematography": _states((118, 59), (43, 22), (39, 19)),
        },
    ),
}


@dataclass(frozen=True)
class PublishedRow:
    """One row of Table 2 for one data set; each cell (accuracy, F1), None where there is none to read."""

    backbone: str
    model: str
    concept: tuple[float, float] | None
    task: tuple[float, float] | None


Cell = tuple[float, float] | None
_CEBAB: Mapping[str, tuple[tuple[Cell, Cell], ...]] = {
    "GPT-4": (((75.9, 71.5), (51.3, 45.9)),),
    "DistilBERT": ((None, (70.3, 80.4)), ((81.1, 83.5), (63.9, 76.5)), ((82.0, 84.0), (64.7, 77.1))),
    "BERT": ((None, (67.9, 79.8)), ((83.2, 85.3), (66.9, 78.1)), ((83.5, 85.6), (66.9, 79.1))),
    "RoBERTa": ((None, (71.8, 81.3)), ((82.6, 84.9), (70.1, 81.3)), ((82.8, 85.5), (70.3, 81.4))),
    "OPT-125M": ((None, (70.8, 81.4)), ((85.4, 87.3), (68.9, 79.7)), ((86.2, 88.0), (68.9, 79.8))),
    "OPT-350M": ((None, (71.6, 82.6)), ((87.8, 89.4), (69.9, 80.7)), ((87.3, 88.7), (68.2, 79.8))),
    "OPT-1.3B": ((None, (74.7, 83.9)), ((90.0, 91.5), (73.6, 82.1)), ((89.9, 91.6), (73.8, 82.6))),
}
_IMDB: Mapping[str, tuple[tuple[Cell, Cell], ...]] = {
    "GPT-4": (((64.5, 61.5), (71.4, 68.7)),),
    "DistilBERT": ((None, (77.1, 73.8)), ((67.5, 63.8), (76.5, 69.8)), ((68.4, 64.3), (76.9, 71.4))),
    "BERT": ((None, (78.3, 72.1)), ((68.2, 62.8), None), ((69.8, 65.2), (76.5, 71.6))),
    "RoBERTa": ((None, (82.2, 77.3)), ((69.9, 68.9), (81.4, 79.3)), ((70.2, 69.7), (81.5, 79.9))),
    "OPT-125M": ((None, (84.3, 80.0)), ((68.7, 66.5), (81.8, 78.2)), ((70.0, 67.4), (82.6, 79.9))),
    "OPT-350M": ((None, (86.4, 83.5)), ((72.6, 70.5), (84.5, 82.4)), ((73.3, 71.1), (85.0, 82.5))),
    "OPT-1.3B": ((None, (88.4, 83.7)), ((76.8, 74.6), (85.7, 83.3)), ((76.4, 74.7), (86.6, 83.9))),
}
MODELS = ("standard", "CBM", "SparseCBM")


def _rows(table: Mapping[str, tuple[tuple[Cell, Cell], ...]]) -> tuple[PublishedRow, ...]:
    return tuple(
        PublishedRow(backbone, model, *cells)
        for backbone, rows in table.items()
        for model, cells in zip(MODELS if len(rows) > 1 else ("prompted",), rows, strict=True)
    )


TABLE2: Mapping[str, tuple[PublishedRow, ...]] = {"cebab": _rows(_CEBAB), "imdb": _rows(_IMDB)}

# Backbones by the names they have on the hub.
BACKBONES: Mapping[str, str] = {
    "distilbert-base-uncased": "DistilBERT",
    "bert-base-uncased": "BERT",
    "roberta-base": "RoBERTa",
    "opt-125m": "OPT-125M",
    "opt-350m": "OPT-350M",
    "opt-1.3b": "OPT-1.3B",
}


def published_row(dataset: str, backbone: str, model: str) -> PublishedRow | None:
    """The paper's row for a backbone by its hub name, if it has one."""
    name = BACKBONES.get(backbone.rsplit("/", 1)[-1])
    rows = (row for row in TABLE2.get(dataset, ()) if row.backbone == name and row.model == model)
    return next(rows, None)
