"""``sparsecbm intervene`` and ``sparsecbm intervene-eval``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
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
from sparsecbm_core.progress import OnStage

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.intervene.guard import GuardReport
    from sparsecbm_core.intervene.patch import Patch
    from sparsecbm_core.intervene.results import Intervention
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.session.correction import Request, Settings
    from sparsecbm_core.session.guard import Guard

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
    care: Annotated[
        str,
        typer.Option(
            help="Spare single readings of the guard reviews: needed (where more than two would break), "
            "always, never. By rule guarded, r auto and scope everywhere."
        ),
    ] = "needed",
    confidence: Annotated[
        float,
        typer.Option(
            help="How likely the right state should be, by r auto, as long as guard reviews stay; 0: ahead."
        ),
    ] = 0.6,
    patch: Annotated[Path | None, typer.Option(help="Write the correction here, as a patch file.")] = None,
    note: Annotated[str, typer.Option(help="A note to keep in the patch.")] = "",
    output: OutputOption = None,
    device: DeviceOption = None,
) -> None:
    """Correct a concept of one review inside the model, and say what else that changes.

    The model's folder stays as it is: the correction goes into a patch file, without the review.
    """
    from sparsecbm_core.intervene.scope import SCOPES
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.progress import progress_bar
    from sparsecbm_core.session.correction import CARES, Request, Settings
    from sparsecbm_core.session.guard import Guard

    for given, known, what in ((scope, SCOPES, "scope"), (care, CARES, "care")):
        if given not in known:
            raise InputError(one_of(given, known, what))
    loaded = ConceptModel.from_pretrained(model, device)
    reviews = None if guard is None else _guard_reviews(guard, label_column, loaded)
    with progress_bar("intervene") as report:
        done, tallies, made = _corrected(
            loaded,
            Request(text, concept, state),
            Settings(rule, _share(r), scope, care, seed=seed, confidence=confidence),
            Guard(model, reviews, remedy="give --guard FILE.csv, or another --rule"),
            lambda share, message: report(round(100 * share), 100, message),
        )
    if patch is not None:
        if made is None:
            raise InputError(f"there is no correction to write: the outcome of {rule} is {done.outcome}")
        replace(made, note=note).save(patch)
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
        typer.Option(
            help="Let guarded spare the profile reviews where it breaks more than two of them; in a chain "
            "always, and earlier corrections too."
        ),
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
    model: ConceptModel, asked: Request, settings: Settings, guard: Guard, on_progress: OnStage
) -> tuple[Intervention, GuardReport | None, Patch | None]:
    """What came of it, what it changed on guard reviews, and the patch where bits were flipped."""
    from sparsecbm_core.intervene.comparators import correct_by
    from sparsecbm_core.intervene.in_force import corrected_model
    from sparsecbm_core.intervene.rules import ALL_RULES, rule_named
    from sparsecbm_core.session.attempt import correct, patch_of

    rule = rule_named(settings.rule, ALL_RULES)
    changed: Sequence[str] = model.space.concepts if rule.shares_weights else (asked.concept,)
    if not rule.flips_masks:
        done = correct_by(rule.name, model, asked.text, asked.concept, asked.state)
    else:
        attempt = correct(model, (), asked, settings, guard, on_progress)
        if attempt.correction is not None:
            return attempt.intervention, attempt.correction.report, attempt.correction.patch
        # As near as the rule came: still worth a report, and a patch for whoever wants it.
        nearest = attempt.intervention
        done = replace(nearest, corrected=corrected_model(model, nearest.edit))
    baseline = guard.baseline(model, on_progress)
    report = None if baseline is None else baseline.report(done.corrected, changed, (asked.concept,))
    made = patch_of(done, model, asked.text, settings.scope, report) if done.edit.size else None
    return done, report, made


def _guard_reviews(path: Path, label_column: str, model: ConceptModel) -> ReviewDataset:
    if not path.is_file():
        raise InputError(f"there is no guard file {path}")
    source = DataSource(dataset=DatasetName.csv, data=str(path), label_column=label_column)
    return source.open("guard", model.space)


def _share(r: str) -> float | None:
    if r == "auto":
        return None
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
