"""Every experiment by its name, in the order of the results page."""

from __future__ import annotations

from collections.abc import Mapping

from sparsecbm_core.experiments import (
    back_and_forth,
    concept_count,
    criteria,
    figure3,
    figure4,
    figure5,
    front,
    honesty,
    interventions,
    new_concept,
    overlap_errors,
    shared_cost,
    table1,
    table2,
)
from sparsecbm_core.experiments.experiment import Experiment, Study

PAPER: tuple[Study, ...] = (table1, table2, figure3, figure4, figure5)
BEYOND: tuple[Study, ...] = (
    honesty,
    criteria,
    front,
    interventions,
    back_and_forth,
    overlap_errors,
    new_concept,
    concept_count,
    shared_cost,
)
EXPERIMENTS: Mapping[str, Experiment] = {study.NAME: Experiment.of(study) for study in (*PAPER, *BEYOND)}
