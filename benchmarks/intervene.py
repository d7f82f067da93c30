"""How long a correction takes, beside one pass through the model and beside the published way.

    python benchmarks/intervene.py --model FOLDER --guard assets/reviews/guard.csv --label-column stars \
        --output intervene.json

One review, one process, the same number of threads for all, in turns. Measured:

pass       one forward and backward pass of the review through the concept's subnetwork
ours       the whole correction: the model before, a gradient, the fewest flips that reach the state, and
           concept and label after
published  the released code's way at r = 0.01: a gradient, two full sorts of |g| of every matrix, the masks
           multiplied into all matrices anew, and the review read again
selection  of both, from the gradient to the weights chosen
guard      the report on all guard reviews, read exactly, and in bfloat16 where that decides
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.intervene.profile import GuardProfile
    from sparsecbm_core.intervene.subnetwork import Batch, Subnetwork
    from sparsecbm_core.models.concept_model import ConceptModel

REVIEW = (
    "Great ramen, shame about the rude staff. The music was pleasant and we sat by the window, but the "
    "waiter forgot our drinks twice and never said sorry, and so we will not be coming back here soon."
)
PUBLISHED_R = 0.01
TARGET = 10.0  # times that the published selection takes, at least


def gradient(subnetwork: Subnetwork, batch: Batch, target: int) -> torch.Tensor:
    """∂L/∂M_k (L,) of the review at the state wanted."""
    wanted = torch.tensor([target])
    return subnetwork.gradient(batch, lambda logits: F.cross_entropy(logits, wanted))[0]


def our_selection(subnetwork: Subnetwork, profile: GuardProfile, g: torch.Tensor) -> None:
    """The weights to drop and to grow, best first, as far as "auto" would go."""
    from sparsecbm_core.intervene.flips import AUTO_LIMIT, FlipOrder
    from sparsecbm_core.intervene.rules import RULES

    limit = int(AUTO_LIMIT * subnetwork.total)
    FlipOrder.of(subnetwork, RULES["guarded"], limit, g, profile.scale(subnetwork), 0)


def published_selection(subnetwork: Subnetwork, g: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Per matrix, by full sorts: the kept of lowest |g|, to drop, and the pruned of highest, to grow."""
    chosen = []
    for size, kept in zip(
        g.abs().split(subnetwork.sizes), subnetwork.kept.split(subnetwork.sizes), strict=True
    ):
        count = round(PUBLISHED_R * size.numel())
        drop = torch.where(kept, size, torch.inf).sort().indices[:count]
        grow = torch.where(kept, -torch.inf, size).sort(descending=True).indices[:count]
        chosen.append((drop, grow))
    return chosen


def published(subnetwork: Subnetwork, batch: Batch, target: int) -> None:
    """Select, set the bits, multiply all masks into all matrices, read again."""
    chosen = published_selection(subnetwork, gradient(subnetwork, batch, target))
    kept, first = subnetwork.kept.clone(), 0
    for (drop, grow), size in zip(chosen, subnetwork.sizes, strict=True):
        kept[first + drop], kept[first + grow] = False, True
        first += size
    before = subnetwork.effective
    subnetwork.effective = subnetwork.theta * kept
    subnetwork.read(batch)
    subnetwork.effective = before


def measure(
    model: ConceptModel,
    profile: GuardProfile,
    reviews: ReviewDataset,
    text: str,
    concept: str,
    state: str,
    repeats: int,
) -> dict[str, Any]:
    from benchmarks.explain import medians, processor
    from sparsecbm_core.intervene.correct import intervene
    from sparsecbm_core.intervene.guard import GuardBaseline
    from sparsecbm_core.intervene.reading import half_is_faster
    from sparsecbm_core.intervene.subnetwork import Subnetwork

    if model.masks is None:
        raise SystemExit("a correction needs a sparse model")
    _ = model.weights, model.fingerprint  # made once, when a model is loaded
    subnetwork, target = Subnetwork(model, concept), model.space.state_index(state)
    batch = subnetwork.batch([text])
    g = gradient(subnetwork, batch, target)
    done = intervene(model, text, concept, state, profile=profile)
    ways: dict[str, Callable[[], Any]] = {
        "pass": lambda: subnetwork.weight_gradient(batch, lambda logits: logits[0, target]),
        "ours": lambda: intervene(model, text, concept, state, profile=profile),
        "published": lambda: published(subnetwork, batch, target),
        "selection, ours": lambda: our_selection(subnetwork, profile, g),
        "selection, published": lambda: published_selection(subnetwork, g),
    }
    seconds = medians(ways, repeats)
    exact = GuardBaseline.read(model, reviews)
    quick = exact.quick()
    guard = medians(
        {
            "guard, exact": lambda: exact.report(done.corrected, (concept,)),
            "guard, quick": lambda: quick.report(done.corrected, (concept,)),
        },
        max(1, repeats // 3),
    )
    same = quick.report(done.corrected, (concept,)) == exact.report(done.corrected, (concept,))
    read_again = int(quick.at(done.corrected, (concept,)).exact[:, model.space.concept_index(concept)].sum())
    return {
        "model": model.name,
        "tokens": len(model.encode([text])[0].ids),
        "correction": {
            "concept": concept,
            "from": done.before.state,
            "to": state,
            "outcome": done.outcome,
            "flips": done.edit.size,
            "gradients": done.gradients,
        },
        "milliseconds": {name: 1000 * value for name, value in {**seconds, **guard}.items()},
        "ratios": {
            "ours / pass": seconds["ours"] / seconds["pass"],
            "published / ours, selection": seconds["selection, published"] / seconds["selection, ours"],
            "published / ours, whole": seconds["published"] / seconds["ours"],
            "guard exact / quick": guard["guard, exact"] / guard["guard, quick"],
        },
        "guard": {
            "reviews": len(reviews),
            "read_again": read_again,
            "same_report": same,
            "quick_pays_here": half_is_faster(model, exact.encoded),
        },
        "targets": {"published / ours, selection": TARGET},
        "repeats": repeats,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "processor": processor(),
        "load_average": os.getloadavg()[0],
    }


def show(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"{result['model']}: {result['tokens']} tokens, {result['correction']['flips']} flips, "
        f"{result['threads']} thread(s), median of {result['repeats']}"
    )
    table.add_column("what")
    table.add_column("measured", justify="right")
    for name, value in result["milliseconds"].items():
        table.add_row(name, f"{value:,.1f} ms")
    for name, value in result["ratios"].items():
        target = result["targets"].get(name)
        table.add_row(name, f"{value:.1f} ×" + ("" if target is None else f" (target ≥ {target:g} ×)"))
    console, guard = Console(), result["guard"]
    console.print(table)
    console.print(
        f"guard: {guard['read_again']} of {guard['reviews']} reviews read again exactly; "
        f"the reports are {'the same' if guard['same_report'] else 'DIFFERENT'}"
    )
    console.print(
        f"{result['processor']}, torch {result['torch']}, load average {result['load_average']:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Time of one correction, beside a pass and the published way."
    )
    parser.add_argument("--model", default=str(ROOT / "assets" / "models" / "cebab-minilm"))
    parser.add_argument("--guard", default=str(ROOT / "assets" / "reviews" / "guard.csv"))
    parser.add_argument("--label-column", default="stars")
    parser.add_argument("--text", default=REVIEW, help="the review to correct")
    parser.add_argument("--concept", default="service")
    parser.add_argument("--state", default="Positive")
    parser.add_argument("--repeats", type=int, default=15, help="the median is taken over so many")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch, for all alike")
    parser.add_argument("--output", type=Path, help="write the figures here as JSON")
    options = parser.parse_args()

    from sparsecbm_core.cli.options import DatasetName, DataSource
    from sparsecbm_core.intervene.guard_files import cached_profile, shipped_profile
    from sparsecbm_core.models.concept_model import ConceptModel

    torch.set_num_threads(options.threads)
    model = ConceptModel.from_pretrained(options.model, "cpu")
    source = DataSource(dataset=DatasetName.csv, data=options.guard, label_column=options.label_column)
    reviews = source.open("guard", model.space)
    profile = shipped_profile(options.model, model) or cached_profile(
        options.model, model, reviews.texts, reviews.fingerprint()
    )
    result = measure(model, profile, reviews, options.text, options.concept, options.state, options.repeats)
    show(result)
    if options.output is not None:
        options.output.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
