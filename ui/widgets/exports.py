"""Results as files: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation

Row = Mapping[str, Any]
EXPECTED = "(expected value)"  # in the place of a label: rows of the answer, and not of a score


def csv_text(rows: Sequence[Row]) -> str:
    """Rows with the same keys as CSV, numbers in full precision."""
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def csv_bytes(rows: Sequence[Row]) -> bytes:
    """The same as a file: the mark at its start tells Excel that it is UTF-8."""
    return csv_text(rows).encode("utf-8-sig")


def _harmless(value: Any) -> Any:
    """A word of a review that a spreadsheet would run as a formula gets an apostrophe before it."""
    if isinstance(value, str) and len(value) > 1 and value[0] in "=+-@\t\r":
        return f"'{value}"
    return value


def json_text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def contribution_rows(explanation: Explanation, space: ConceptSpace) -> list[Row]:
    """What every part adds to the answer, where labels have a scale, and to every label's score, with the two
    bases that complete the sums."""
    rows = _answer_rows(explanation)
    for label in space.labels:
        for name, item in explanation.parts.items():
            terms = item.relative_contributions[label], item.contributions[label]
            rows.append(_contribution(label, name, *_state(explanation, name), *terms))
        rows.append(_contribution(label, "(base)", "", "", explanation.base[label], explanation.bias[label]))
        rows.append(
            _contribution(label, "(score)", "", "", explanation.logits[label], explanation.logits[label])
        )
    return rows


def _answer_rows(explanation: Explanation) -> list[Row]:
    found = explanation.expected
    if found is None:
        return []
    terms = [*found.parts.items(), ("(base)", found.base), ("(expected)", found.value)]
    return [_contribution(EXPECTED, name, *_state(explanation, name), value, value) for name, value in terms]


def _state(explanation: Explanation, part: str) -> tuple[str, float | str]:
    """The state of a concept and its probability; nothing of what has no states."""
    item = explanation.concepts.get(part)
    return ("", "") if item is None else (item.state, item.probabilities[item.state])


def _contribution(
    label: str, concept: str, state: str, probability: float | str, relative: float, plain: float
) -> Row:
    return {
        "label": label,
        "concept": concept,
        "state": state,
        "probability": probability,
        "contribution_vs_average": relative,
        "contribution_from_zero": plain,
    }


def pathway_rows(explanation: Explanation, space: ConceptSpace) -> list[Row]:
    """How likely every state of every concept and every label is, with what gave these numbers."""
    groups = [(name, item.probabilities) for name, item in explanation.concepts.items()]
    return [
        {
            "part": part,
            "name": name,
            "value": value,
            "probability": share,
            "model": explanation.model,
            "fingerprint": explanation.fingerprint,
            "method": explanation.method or "",
        }
        for part, name, shares in [
            *(("concept", name, shares) for name, shares in groups),
            ("label", "label", {label: explanation.probabilities[label] for label in space.labels}),
        ]
        for value, share in shares.items()
    ]


def word_rows(explanation: Explanation) -> list[Row]:
    """Every scored word of every concept."""
    return [
        {
            "concept": name,
            "state": explanation.concepts[name].state,
            "method": explanation.method,
            "start": token.start,
            "end": token.end,
            "word": token.text,
            "score": token.score,
        }
        for name in explanation.concepts
        for token in explanation.concepts[name].tokens
    ]
