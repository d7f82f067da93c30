"""The report beside a model, ``evaluation.json``: taken where it is sound and of this very model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.evaluate.trust.options import FILE_NAME
from ui.resources import models
from ui.resources.models import ModelCard

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.results import Measured, ModelReport


@dataclass(frozen=True)
class Evaluation:
    """The report, or one line that says why the file there is not used; both None where there is no file."""

    report: ModelReport | None = None
    refused: str | None = None


def of(info: ModelCard) -> Evaluation:
    """The report beside a model: JSON only, checked by its schema, and by the model's fingerprint."""
    path = info.folder / FILE_NAME
    if not path.is_file():
        return Evaluation()
    try:
        stamp = path.stat()
        found = _read(str(path), (stamp.st_mtime_ns, stamp.st_size))
        # The folder's word is checked when the model is loaded; older ones say nothing.
        fingerprint = info.fingerprint or models.model(info).fingerprint
    except (SparseCBMError, OSError) as error:
        return Evaluation(refused=f"{FILE_NAME} beside this model is not used: {error}")
    if found.model != fingerprint:
        return Evaluation(
            refused=f"{FILE_NAME} beside this model is not used: it is of another model (fingerprint "
            f"{found.model}) than this one ({fingerprint}). Measure again with sparsecbm report."
        )
    names = found.names
    if (names.concepts, names.states, names.labels) != info.space.names:
        return Evaluation(
            refused=f"{FILE_NAME} beside this model is not used: its concepts, states or labels are not this "
            "model's"
        )
    return Evaluation(found)


@st.cache_resource(max_entries=4, show_spinner=False)
def _read(path: str, stamp: tuple[int, int]) -> ModelReport:
    from sparsecbm_core.evaluate.trust.file import read_report

    return read_report(Path(path))


def on_split(measured: Measured[Any] | None, split: str) -> bool:
    """Whether a part has a result, and it is of this split."""
    return measured is not None and measured.result is not None and measured.data.get("split") == split


def as_reports(report: ModelReport | None) -> dict[str, dict[str, Any]]:
    """What the report says of accuracy, in the form of a model's own metrics, by its split."""
    if report is None or report.accuracy is None or report.accuracy.result is None:
        return {}
    measured, found = report.accuracy, report.accuracy.result
    return {
        str(measured.data.get("split") or "unnamed"): {
            "data": dict(measured.data),
            "model": report.model,
            "concept_accuracy": found.concept_accuracy.value,
            "concept_macro_f1": found.concept_macro_f1.value,
            "task_accuracy": found.label.accuracy.value,
            "task_macro_f1": found.label.macro_f1.value,
            "examples": measured.examples,
        }
    }


def parts_of(report: ModelReport) -> Mapping[str, Measured[Any]]:
    """Every part that is there, by a name that says what it is."""
    named = {
        "Accuracy": report.accuracy,
        "Leakage": report.leakage,
        "Corrections by hand": report.corrections,
        "Calibration": report.calibration,
        "Subnetworks": report.subnetworks,
        "Effects of concepts": report.effects,
        "Corrections of the model": report.interventions,
    }
    words = {f"Words by {method.replace('_', ' ')}": one for method, one in report.words.items()}
    return {name: one for name, one in {**named, **words}.items() if one is not None}
