"""Where results go: a file, replaced atomically, or standard output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from sparsecbm_core.errors import InputError
from sparsecbm_core.files import write_json


def emit(output: Path | None, data: dict[str, Any]) -> None:
    if output is None:
        typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        write(output, data)


def write(output: Path, data: dict[str, Any]) -> None:
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_json(output, data)
    except OSError as error:
        raise InputError(f"cannot write {output}: {error}") from error
    typer.echo(f"wrote {output}", err=True)
