"""Every experiment by its name, in the order of the results page."""

from __future__ import annotations

from collections.abc import Mapping

from sparsecbm_core.experiments import (
    criteria,
    figure3,
    figure4,
    figure5,
    front,
    interventions,
    table1,
    table2,
)
from sparsecbm_core.experiments.experiment import Experiment

EXPERIMENTS: Mapping[str, Experiment] = {
    module.EXPERIMENT.name: module.EXPERIMENT
    for module in (table1, table2, figure3, figure4, figure5, criteria, front, interventions)
}
