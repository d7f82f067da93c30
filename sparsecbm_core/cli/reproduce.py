"""``sparsecbm reproduce``: the experiments, a command each, and the results page."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from sparsecbm_core.cli.options import DataSource, DeviceOption, takes_data
from sparsecbm_core.errors import InputError
from sparsecbm_core.experiments.experiment import Experiment
from sparsecbm_core.experiments.options import Choice
from sparsecbm_core.experiments.registry import EXPERIMENTS

KEYWORD = inspect.Parameter.KEYWORD_ONLY
reproduce_app = typer.Typer(
    help="Reproduce the paper's tables and figures, and what goes beyond them.", no_args_is_help=True
)


@reproduce_app.command("list")
def list_experiments() -> None:
    """Name the experiments, a line each."""
    from sparsecbm_core.experiments.docs import listing

    typer.echo(listing(EXPERIMENTS))


@reproduce_app.command("docs")
def docs(
    results: Annotated[Path, typer.Option(help="Folder of result files.")] = Path("docs/results"),
    output: Annotated[
        list[Path] | None,
        typer.Option(
            help="Markdown file to write, or to fill; several may be given. [default: docs/results.md]"
        ),
    ] = None,
) -> None:
    """Make the results page, or the figures of any document that has some, of result files alone."""
    from sparsecbm_core.experiments.docs import results_page
    from sparsecbm_core.files import write_text

    for path in output or [Path("docs/results.md")]:
        page = results_page(results, path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, page)
        typer.echo(f"wrote {path}", err=True)


@dataclass(frozen=True)
class _Field:
    """A field of an experiment's options, as an option of its command."""

    name: str
    kind: Any
    choice: Choice
    default: Any

    @property
    def items(self) -> Any:
        """The type of a tuple's items; None for other fields."""
        return get_args(self.kind)[0] if get_origin(self.kind) is tuple else None

    def parameter(self) -> inspect.Parameter:
        kind, default = self.kind, self.default
        if self.items is not None:
            kind = list[str] if self.choice.repeats else str
            default = list(default) if self.choice.repeats else ",".join(map(str, default))
        flags = [self.choice.flag] if self.choice.flag else []
        option = typer.Option(default, *flags, help=self.choice.help)
        return inspect.Parameter(self.name, KEYWORD, default=option, annotation=kind)

    def written(self, value: Any) -> list[str]:
        """The option with a value that it has, as words of a command line."""
        flag = self.choice.flag or f"--{self.name.replace('_', '-')}"
        values = list(value) if isinstance(value, tuple) else [value]
        if isinstance(value, tuple) and not self.choice.repeats:
            return [flag, ",".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)]
        return [word for v in values for word in (flag, _name(v))]

    def value(self, given: Any) -> Any:
        """What was given for the option, as the field takes it."""
        if self.items is None:
            return given
        texts = given if self.choice.repeats else str(given).split(",")
        try:
            return tuple(self.items(text.strip()) for text in texts if text.strip())
        except ValueError:
            flag = f"--{self.name.replace('_', '-')}"
            raise InputError(f"{flag} must be numbers separated by commas, got {given!r}") from None


def _name(value: Any) -> str:
    """A value; a folder of this machine by its last part, a run's "model" by that of the run as well."""
    path = Path(str(value))
    if not (isinstance(value, Path) or path.is_dir()):
        return str(value)
    return f"{path.parent.name}/model" if path.name == "model" else path.name


def _fields(options: type[Any]) -> list[_Field]:
    hints = get_type_hints(options, include_extras=True)
    described = {name: get_args(hint) for name, hint in hints.items()}
    return [
        _Field(item.name, described[item.name][0], described[item.name][1], item.default)
        for item in fields(options)
    ]


def _command(experiment: Experiment) -> Callable[..., None]:
    """A command whose options are those of every experiment and the experiment's own."""
    own = _fields(experiment.options)

    def run(
        out: Annotated[Path, typer.Option(help="Folder for results and figures.")] = Path("results"),
        runs: Annotated[
            Path | None, typer.Option(help="Folder of trained models; default: runs in --out.")
        ] = None,
        overwrite: Annotated[
            bool, typer.Option("--overwrite", help="Measure anew what is there; trained models stay.")
        ] = False,
        only: Annotated[str | None, typer.Option(help="Only parts of this name, with * and ?.")] = None,
        device: DeviceOption = None,
        reviews: DataSource | None = None,
        **given: Any,
    ) -> None:
        from transformers.utils import logging

        from sparsecbm_core.experiments.lab import Lab
        from sparsecbm_core.experiments.runner import run_experiment

        logging.set_verbosity_error()  # loading bars of the library behind
        logging.disable_progress_bar()
        source = reviews or DataSource()
        options = experiment.options(**{item.name: item.value(given[item.name]) for item in own})
        lab = Lab(source.dataset.value, source.data, source.loader_options(), runs or out / "runs", device)
        command = _asked(experiment, own, options, source)
        run_experiment(
            experiment, lab, options, out, overwrite, only, command, lambda line: typer.echo(line, err=True)
        )

    common = [
        parameter.replace(kind=KEYWORD)
        for parameter in inspect.signature(run, eval_str=True).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        and (experiment.reads_data or parameter.name != "reviews")
    ]
    run.__dict__["__signature__"] = inspect.Signature([*common, *(item.parameter() for item in own)])
    return takes_data(run) if experiment.reads_data else run


def _asked(experiment: Experiment, own: list[_Field], options: Any, source: DataSource) -> str:
    """The command as anybody could give it: what is not the default, folders by their last part."""
    words = ["sparsecbm", "reproduce", experiment.name]
    if experiment.reads_data:
        words += ["--dataset", source.dataset.value] if source.dataset.value != "cebab" else []
        words += ["--data", "DIR"]
    for item in own:
        value = getattr(options, item.name)
        if value != item.default:
            words += item.written(value)
    return shlex.join(words)


for _experiment in EXPERIMENTS.values():
    reproduce_app.command(_experiment.name, help=_experiment.claim)(_command(_experiment))
