"""``sparsecbm intervene`` and ``sparsecbm intervene-eval``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparsecbm_core.cli.options import (
    DatasetName,
    DataSource,
    DeviceOption,
    ModelOption,
    OutputOption,
    takes_data,
)
from sparsecbm_core.cli.output import emit
from sparsecbm_core.errors import InputError, one_of

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.intervene.profile import GuardProfile
    from sparsecbm_core.intervene.results import Intervention
    from sparsecbm_core.models.concept_model import ConceptModel

RULE_HELP = "One of: guarded, signed, paper, random; oracle, finetune, head."


def intervene(
    model: ModelOption,
    text: Annotated[str, typer.Option(help="The review to correct.")],
    concept: Annotated[str, typer.Option(help="The concept the model got wrong.")],
    state: Annotated[str, typer.Option(help="Its right state, as the model names it.")],
    rule: Annotated[str, typer.Option(help=RULE_HELP)] = "guarded",
    r: Annotated[
        str, typer.Option(help="Share of the weights to drop, or auto: the smallest enough.")
    ] = "auto",
    seed: Annotated[int, typer.Option(help="For rule random.")] = 0,
    guard: Annotated[
        Path | None, typer.Option(help="CSV of labelled reviews that should stay as they are.")
    ] = None,
    label_column: Annotated[str, typer.Option(help="Column of the label in the guard file.")] = "label",
    scope: Annotated[
        str, typer.Option(help="Where the patch holds: everywhere, or for similar reviews alone.")
    ] = "everywhere",
    patch: Annotated[Path | None, typer.Option(help="Write the correction here, as a patch file.")] = None,
    note: Annotated[str, typer.Option(help="A note to keep in the patch.")] = "",
    output: OutputOption = None,
    device: DeviceOption = None,
) -> None:
    """Correct a concept of one review inside the model, and say what else that changes.

    The model's folder stays as it is: the correction goes into a patch file, without the review.
    """
    from sparsecbm_core.intervene.guard import GuardBaseline
    from sparsecbm_core.intervene.patch import Patch
    from sparsecbm_core.intervene.scope import SCOPES, SIMILAR, Signature
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.progress import progress_bar

    if scope not in SCOPES:
        raise InputError(one_of(scope, SCOPES, "scope"))
    loaded = ConceptModel.from_pretrained(model, device)
    reviews = None if guard is None else _guard_reviews(guard, label_column, loaded)
    with progress_bar("guard profile") as report:
        profile = None
        if rule == "guarded":
            profile = _profile(
                model, loaded, reviews, lambda done, total: report(done, total, "guard profile")
            )
    done = _corrected(loaded, text, concept, state, rule, _share(r), profile, seed)
    tallies = None
    if reviews is not None:
        changed = loaded.space.concepts if rule == "finetune" else (concept,)
        tallies = GuardBaseline.read(loaded, reviews).report(done.corrected, changed, (concept,))
    if patch is not None:
        if not done.edit.size:
            raise InputError(f"there is no correction to write: the outcome of {rule} is {done.outcome}")
        created = datetime.now(UTC).isoformat(timespec="seconds")
        signature = Signature.of(text) if scope == SIMILAR else None
        Patch.of(done, loaded, created, tallies, note, signature=signature).save(patch)
    emit(output, {**done.to_dict(), "guard": None if tallies is None else tallies.to_dict()})


@takes_data
def intervene_eval(
    reviews: DataSource,
    model: ModelOption,
    split: Annotated[str, typer.Option(help="Split to take wrong and guard reviews from.")] = "dev",
    limit: Annotated[int, typer.Option(help="Wrong (review, concept) pairs to correct.", min=1)] = 200,
    rules: Annotated[str, typer.Option(help=f"Separated by commas. {RULE_HELP}")] = "oracle,paper,guarded",
    guard: Annotated[int, typer.Option(help="Reviews that measure side effects.", min=1)] = 200,
    profile: Annotated[int, typer.Option(help="Further reviews that set the guard profile.", min=1)] = 150,
    sequential: Annotated[
        str, typer.Option(help="Also correct in a chain without reset; figures after so many: 1,10,50,100.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Order of the pairs, and which reviews are which.")] = 0,
    protect: Annotated[
        bool,
        typer.Option(help="In a chain by guarded, protect earlier corrections and the profile reviews."),
    ] = True,
    resume: Annotated[bool, typer.Option(help="Go on from the rules already in the output file.")] = False,
    output: OutputOption = None,
    device: DeviceOption = None,
) -> None:
    """Measure rules of correction: reached, side effects, generalisation, time; and a chain of them."""
    from sparsecbm_core.cli.output import write
    from sparsecbm_core.evaluate.interventions import InterventionEvaluation, run_evaluation
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.progress import progress_bar

    loaded = ConceptModel.from_pretrained(model, device)
    data = reviews.open(split, loaded.space)

    def keep(result: InterventionEvaluation) -> None:
        if output is not None:
            write(output, result.to_dict())

    with progress_bar("intervene-eval") as report:
        result = run_evaluation(
            loaded,
            data,
            [name.strip() for name in rules.split(",") if name.strip()],
            limit,
            guard,
            profile,
            _lengths(sequential),
            seed,
            _stopped(output) if resume else None,
            report,
            keep,
            protect,
        )
    if output is None:
        emit(None, result.to_dict())


def _corrected(
    model: ConceptModel,
    text: str,
    concept: str,
    state: str,
    rule: str,
    r: float | str,
    profile: GuardProfile | None,
    seed: int,
) -> Intervention:
    from sparsecbm_core.intervene.baselines import BASELINES
    from sparsecbm_core.intervene.correct import intervene as correct

    if rule in BASELINES:
        return BASELINES[rule](model, text, concept, state)
    return correct(model, text, concept, state, rule, r, profile, seed)


def _guard_reviews(path: Path, label_column: str, model: ConceptModel) -> ReviewDataset:
    if not path.is_file():
        raise InputError(f"there is no guard file {path}")
    source = DataSource(dataset=DatasetName.csv, data=str(path), label_column=label_column)
    return source.open("guard", model.space)


def _profile(folder: Path, model: ConceptModel, reviews: ReviewDataset | None, report: Any) -> GuardProfile:
    """The profile that came with the model; without one, that of the guard reviews, kept for the next time.

    Without guard reviews as well, the one kept last.
    """
    from sparsecbm_core.intervene.profile import cached_profile, latest_profile, shipped_profile

    found = shipped_profile(folder, model)
    if found is None and reviews is not None:
        found = cached_profile(folder, model, reviews.texts, reviews.fingerprint(), report)
    if found is None:
        found = latest_profile(folder, model)
    if found is None:
        raise InputError(
            "rule 'guarded' needs to know what to leave alone: give --guard FILE.csv, or another --rule"
        )
    return found


def _share(r: str) -> float | str:
    if r == "auto":
        return r
    try:
        return float(r)
    except ValueError:
        raise InputError(f"--r must be a number or auto, got {r!r}") from None


def _lengths(text: str) -> list[int]:
    try:
        lengths = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise InputError(f"--sequential must be whole numbers separated by commas, got {text!r}") from None
    if any(length < 1 for length in lengths):
        raise InputError(f"--sequential must be numbers of at least 1, got {text!r}")
    return lengths


def _stopped(output: Path | None) -> dict[str, Any] | None:
    if output is None or not output.is_file():
        return None
    try:
        return json.loads(output.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot go on from {output}: {error}") from error
