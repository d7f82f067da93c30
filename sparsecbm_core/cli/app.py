"""The commands, and how their errors end."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

from sparsecbm_core.cli.calibrate import calibrate
from sparsecbm_core.cli.data import stats
from sparsecbm_core.cli.evaluate import evaluate
from sparsecbm_core.cli.explain import explain
from sparsecbm_core.cli.intervene import intervene, intervene_eval
from sparsecbm_core.cli.patch import patch_app
from sparsecbm_core.cli.prompted import prompted
from sparsecbm_core.cli.report import report
from sparsecbm_core.cli.reproduce import reproduce_app
from sparsecbm_core.cli.train import train
from sparsecbm_core.errors import SparseCBMError, SparseCBMWarning
from sparsecbm_core.evaluate.parts import Stopped
from sparsecbm_core.version import __version__

INTERRUPTED = 130  # what typer makes of Ctrl-C
app = typer.Typer(
    name="sparsecbm",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Look at data sets.", no_args_is_help=True)
data_app.command("stats")(stats)
app.add_typer(data_app, name="data")
app.add_typer(patch_app, name="patch")
app.add_typer(reproduce_app, name="reproduce")


def _version(asked: bool) -> None:
    if asked:
        print(f"sparsecbm {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Concept bottlenecks with a sparse subnetwork per concept: train, measure, explain and correct."""


for command in (train, calibrate, evaluate, report, explain, intervene, intervene_eval, prompted):
    app.command()(command)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; bad input gives one line on standard error and exit code 2."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning(warnings.showwarning)
        return _run(arguments)


def _show_warning(others: Callable[..., None]) -> Callable[..., None]:
    """A warning of our own is a line like our errors; those of libraries look as ever."""

    def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
        if issubclass(category, SparseCBMWarning):
            print(f"sparsecbm: warning: {message}", file=sys.stderr)
        else:
            others(message, category, *place)

    return show


def _run(arguments: list[str] | None) -> int:
    try:
        result = app(args=arguments, prog_name="sparsecbm", standalone_mode=False)
    except (SparseCBMError, OSError) as error:
        print(f"sparsecbm: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except Stopped as stopped:
        print(f"sparsecbm: {stopped}", file=sys.stderr)
        return INTERRUPTED
    except typer.TyperException as error:  # a usage error; without arguments the help is already shown
        describe = getattr(error, "format_message", None)
        message = describe() if describe is not None else str(error)
        command = getattr(getattr(error, "ctx", None), "command_path", "sparsecbm")
        if message:
            print(f"sparsecbm: {' '.join(message.split())} (see {command} --help)", file=sys.stderr)
        return 2
    if result == INTERRUPTED:
        print("sparsecbm: stopped", file=sys.stderr)
    return result if isinstance(result, int) else 0
