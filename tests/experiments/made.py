"""An experiment without models, and files made of one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from sparsecbm_core.experiments.experiment import Experiment, Measured, Part, Table
from sparsecbm_core.experiments.options import Choice
from sparsecbm_core.experiments.shown import cell
from sparsecbm_core.experiments.summary import over_seeds

TIMES = ("seconds", "duration_seconds", "seconds_median")


@dataclass(frozen=True)
class Options:
    doses: Annotated[tuple[int, ...], Choice("Doses.")] = (1, 2, 3)
    factor: Annotated[int, Choice("What a dose is multiplied by.")] = 10
    seeds: Annotated[tuple[int, ...], Choice("Added to the result.")] = (0,)


@dataclass
class Bench:
    """Stands for a lab; ``ran`` lists the parts that ran, ``stop`` is the dose that is interrupted once."""

    dataset: str = "cebab"
    device: str | None = "cpu"
    ran: list[str] = field(default_factory=list)
    stop: int | None = None

    def opened(self) -> list[dict[str, Any]]:
        return [{"name": "toy", "split": "dev", "reviews": 4, "fingerprint": "f" * 16}]


def toy_experiment() -> Experiment:
    """Measures dose · factor + seed."""

    def parts(lab: Bench, options: Options) -> list[Part]:
        def make(dose: int, seed: int) -> Part:
            labels = {"dose": dose, "seed": seed}

            def run(report):
                if lab.stop == dose:
                    lab.stop = None
                    raise KeyboardInterrupt
                lab.ran.append(f"{dose}/{seed}")
                report(1, 1, "done")
                return {"value": dose * options.factor + seed}

            return Part(labels, float(dose), {"factor": options.factor, "inner": {"dose": dose}}, run)

        return [make(dose, seed) for seed in options.seeds for dose in options.doses]

    def summary(parts: list[Measured]) -> dict[str, Any]:
        return {"rows": over_seeds(parts, ("value",))}

    def tables(results: dict[str, Any]) -> list[Table]:
        rows = [[f"{row['dose']:g}", cell(row["value"], scale=1)] for row in results["rows"]]
        return [Table("Values", ["dose", "value | spread"], rows)]

    return Experiment(
        "table1", "A toy", "It multiplies.", Options, parts, lambda lab, options: 60.0, summary, tables
    )


def content(path: Path) -> dict[str, Any]:
    """A result file without what differs from run to run: the times."""
    return timeless(json.loads(path.read_text(encoding="utf-8")))


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    return [timeless(item) for item in value] if isinstance(value, list) else value
