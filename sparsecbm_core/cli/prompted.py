"""``sparsecbm prompted``."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparsecbm_core.cli.options import DataSource, DeviceOption, OutputOption, takes_data
from sparsecbm_core.cli.output import emit
from sparsecbm_core.errors import InputError

if TYPE_CHECKING:
    from sparsecbm_core.prompted.client import Client


@takes_data
def prompted(
    reviews: DataSource,
    answers: Annotated[
        Path,
        typer.Option(help="File to collect the answers in, one JSON object a line; a stopped run goes on."),
    ],
    split: Annotated[str, typer.Option(help="Split to measure on.")] = "dev",
    endpoint: Annotated[
        str | None, typer.Option(help="Base URL of an OpenAI-compatible server, as https://HOST/v1.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model's name at the endpoint.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="Name of the environment variable that holds the endpoint's key.")
    ] = None,
    local: Annotated[
        str | None,
        typer.Option(help="Instead of --endpoint: a model to run here, by name or folder."),
    ] = None,
    shots: Annotated[int, typer.Option(help="Answered examples in the prompt.")] = 0,
    shots_split: Annotated[
        str | None, typer.Option(help="Training split that the examples are drawn from.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Ask about so many reviews only, drawn by seed.")] = None,
    seed: Annotated[int, typer.Option(help="Draws examples and reviews; also sent to the endpoint.")] = 0,
    send_seed: Annotated[bool, typer.Option(help="Some endpoints refuse requests with a seed.")] = True,
    max_tokens: Annotated[int, typer.Option(help="Longest answer, in tokens.")] = 256,
    concurrency: Annotated[int, typer.Option(help="Requests to the endpoint at a time.")] = 4,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the endpoint.")] = 60.0,
    retries: Annotated[int, typer.Option(help="How often a failed request is made again.")] = 5,
    output: OutputOption = None,
    device: DeviceOption = None,
) -> None:
    """Let a language model say states and label of every review of a split, and measure its answers."""
    from sparsecbm_core.progress import progress_bar
    from sparsecbm_core.prompted.run import run_prompted
    from sparsecbm_core.prompted.shots import draw_shots

    if (endpoint is None) == (local is None):
        raise InputError("give --endpoint URL with --model NAME, or --local NAME_OR_FOLDER (one of the two)")
    if (endpoint is None) != (model is None):
        raise InputError("--endpoint and --model go together: where the server is, and the model there")
    if api_key_env is not None and endpoint is None:
        raise InputError("--api-key-env is for an endpoint; a model that runs here needs no key")
    if (shots != 0) != (shots_split is not None):
        raise InputError("--shots N and --shots-split NAME go together: how many examples, and from where")
    # The training split first: it has every label, where the data do not say which there are.
    training = None if shots_split is None else reviews.open(shots_split)
    data = reviews.open(split, None if training is None else training.space)
    examples = () if training is None else draw_shots(training, data, shots, seed)

    def client() -> AbstractContextManager[Client]:
        if endpoint is not None and model is not None:
            from sparsecbm_core.prompted.endpoint import ChatEndpoint

            return ChatEndpoint(
                endpoint,
                model,
                api_key_env,
                seed=seed if send_seed else None,
                max_tokens=max_tokens,
                timeout=timeout,
                retries=retries,
                concurrency=concurrency,
            )
        from sparsecbm_core.prompted.local import LocalGenerator

        return nullcontext(LocalGenerator(str(local), device, max_tokens))

    with client() as asked, progress_bar("prompted") as report:
        result = run_prompted(
            asked,
            data,
            answers,
            examples,
            lambda done, total: report(done, total, f"{split}: {done} of {total}"),
            limit,
            seed,
        )
    emit(output, result.to_dict())
