"""Whether two things were made with the same settings, also where one of them knows fewer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from sparsecbm_core.config import PAPER, TrainSettings

# What the absence of a setting says where its default has become another one since.
BEFORE = {"head": PAPER, "prune.sparsity": 0.75}


def flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of settings by their path, as they come back from JSON.

    >>> flat({"prune": {"damp": 1e-07}, "splits": ("dev",)})
    {'prune.damp': 1e-07, 'splits': ['dev']}
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": item for inner, item in flat(value).items()}
        else:
            found[name] = json.loads(json.dumps(value))
    return found


def is_default(name: str, value: Any) -> bool:
    """Whether a setting, by its path, says no more than its absence: None, or the default of training.

    >>> is_default("start.prune.damp", 1e-07), is_default("prune.damp", 1e-06)
    (True, False)
    """
    if value is None:
        return True
    parts = name.split(".")
    return any(
        _defaults().get(".".join(parts[i:])) == value and ".".join(parts[i:]) in _defaults()
        for i in range(len(parts))
    )


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Names of flat settings that differ. What one of them lacks must have its default in the other: settings
    that came into being later were that before."""
    found = []
    for name in {**first, **second}:
        if name in first and name in second:
            same = first[name] == second[name]
        else:
            same = is_default(name, first.get(name, second.get(name)))
        if not same:
            found.append(name)
    return found


@cache
def _defaults() -> dict[str, Any]:
    values = flat(TrainSettings(backbone="any").to_dict())
    return {name: value for name, value in values.items() if name != "backbone"} | BEFORE
