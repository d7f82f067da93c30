"""Corrections for similar reviews: which reviews they find, what they do to them, and a chain of many.

    python benchmarks/scopes.py --data DIR --output benchmarks/results/scopes.json

Measures the bundled model on CEBaB dev: pairs of edits of one review against all other pairs; single
corrections and their effect on the other edits of the review, those that say the same and those that
differ; and a chain without reset. One thread, a few seconds a correction on a busy core.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from sparsecbm_core.data import load_cebab
from sparsecbm_core.evaluate.scopes import run_scopes
from sparsecbm_core.files import write_json
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.progress import progress_bar


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder of CEBaB's JSON files")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--model", default="assets/models/cebab-minilm")
    parser.add_argument("--limit", type=int, default=200, help="single corrections")
    parser.add_argument("--lengths", default="10,50,100", help="figures after so many of the chain")
    parser.add_argument("--guard", type=int, default=200, help="reviews that measure side effects")
    parser.add_argument("--profile", type=int, default=150, help="further reviews, for the guard profile")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = ConceptModel.from_pretrained(arguments.model, "cpu")
    data = load_cebab(arguments.data, arguments.split)
    lengths = [int(length) for length in arguments.lengths.split(",")]
    with progress_bar("scopes") as report:
        result = run_scopes(
            model,
            data,
            arguments.limit,
            arguments.guard,
            arguments.profile,
            lengths,
            arguments.seed,
            report,
        )
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(arguments.output, result.to_dict())


if __name__ == "__main__":
    main()
