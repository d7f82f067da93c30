"""A progress bar with the remaining time, on standard error, for commands that take long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int, str], None]]:
    """Yields ``report(done, total, message)``; shows nothing where output is not a terminal."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("remaining"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
        disable=not Console(stderr=True).is_terminal,
    ) as progress:
        task = progress.add_task(title, total=None)

        def report(done: int, total: int, message: str = "") -> None:
            progress.update(task, completed=done, total=total, description=message or title)

        yield report
