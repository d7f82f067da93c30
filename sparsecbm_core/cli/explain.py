"""``sparsecbm explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sparsecbm_core.cli.options import DeviceOption, ModelOption, OutputOption
from sparsecbm_core.cli.output import emit
from sparsecbm_core.errors import InputError
from sparsecbm_core.explain.tokens.registry import DEFAULT_METHOD, DEFAULT_STEPS, METHODS

NONE = "none"  # of the words nothing is asked


def explain(
    model: ModelOption,
    text: Annotated[str | None, typer.Option(help="The review to explain.")] = None,
    file: Annotated[Path | None, typer.Option(help="UTF-8 file with one review a line.")] = None,
    method: Annotated[
        str, typer.Option(help=f"One of: {', '.join(METHODS)}; or {NONE}: no word scores, fast.")
    ] = DEFAULT_METHOD,
    steps: Annotated[int, typer.Option(help="Steps of integrated gradients.")] = DEFAULT_STEPS,
    pieces: Annotated[bool, typer.Option(help="Score raw word pieces instead of words.")] = False,
    output: OutputOption = None,
    device: DeviceOption = None,
) -> None:
    """Why this label: contributions of every concept, and of every word to each concept.

    One review gives one JSON object; --file gives {"schema_version", "reviews": [...]}.
    """
    from sparsecbm_core.explain import explain_many
    from sparsecbm_core.explain.results import SCHEMA_VERSION
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.progress import progress_bar

    texts = _texts(text, file)
    loaded = ConceptModel.from_pretrained(model, device)
    count, done = len(texts), 0
    with progress_bar("explaining") as report:

        def on_share(share: float) -> None:  # a long review takes minutes by itself
            report(round(100 * (done + share)), 100 * count, f"review {done + 1} of {count}")

        def on_progress(number: int, _: int) -> None:
            nonlocal done
            done = number

        results = explain_many(
            loaded,
            texts,
            None if method == NONE else method,
            steps=steps,
            pieces=pieces,
            on_progress=on_progress,
            on_share=on_share,
        )
        reviews = [result.to_dict() for result in results]
    emit(output, reviews[0] if text is not None else {"schema_version": SCHEMA_VERSION, "reviews": reviews})


def _texts(text: str | None, file: Path | None) -> list[str]:
    if (text is None) == (file is None):
        raise InputError("give the review with --text, or a file of reviews with --file (one of the two)")
    if text is not None:
        return [text]
    try:
        # Not splitlines(): a review may hold U+2028 and its like.
        lines = [line for line in Path(str(file)).read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {file}: {error}") from error
    if not lines:
        raise InputError(f"{file} holds no review; write one a line")
    return lines
