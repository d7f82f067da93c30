"""Reading a model's own measurements: what is there, and on which data it was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Report = Mapping[str, Any]

GUARD = "guard"
SPLITS = {
    "dev": ("Development data", "not trained on, but used to choose the best epoch"),
    "test": ("Test data", "neither trained on nor used to choose anything"),
    GUARD: ("Guard reviews", "written for this project, balanced over all states of all concepts"),
}


def reports(metrics: Mapping[str, Any]) -> dict[str, Report]:
    """Split → report, those that are one."""
    return {name: report for name, report in metrics.items() if isinstance(report, dict)}


def number(report: Report, *path: str) -> float | None:
    """A figure of a report, None where it was not measured."""
    value: Any = report
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def split_title(name: str) -> str:
    return SPLITS.get(name, (name, ""))[0]


def measured_on(split: str, report: Report, training: Mapping[str, Any]) -> tuple[str, str]:
    """The data of a report in words, and what is to be known about it.

    What the report itself says of its data comes first; older ones say nothing.
    """
    title, about = SPLITS.get(split, (split, ""))
    data = report.get("data")
    said = data if isinstance(data, Mapping) else {"name": data}
    name = said.get("name") or ("" if split == GUARD else training.get("data") or "unnamed data")
    words = [str(name)] if name else []
    words.append(f"{title[:1].lower()}{title[1:]}")
    if said.get("split") and said["split"] != split:
        words.append(f"split {said['split']}")
    count = number(report, "examples")
    if count is not None:
        words.append(f"{count:,.0f} review{'s' if count != 1 else ''}")
    notes = [about] if about else []
    if said.get("fingerprint"):
        notes.append(f"data fingerprint {said['fingerprint']}")
    return ", ".join(words), "; ".join(notes)


def of_another_model(found: Mapping[str, Report], fingerprint: str) -> list[str]:
    """Splits whose report names another model than this one; older reports name none."""
    return [split for split, report in found.items() if report.get("model") not in (None, fingerprint)]
