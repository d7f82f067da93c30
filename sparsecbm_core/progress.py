"""How far long work is: what is called as it goes on, and lines on standard error for commands."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# What raises in one of these ends the work.
OnShare = Callable[[float], None]  # the share that is done
OnStage = Callable[[float, str], None]  # the same, and what goes on now
OnCount = Callable[[int, int], None]  # how many are done, and of how many
OnWork = Callable[[int, int, str], None]  # the same in units of work, and what goes on now

LINE_SECONDS = 60.0  # between two lines in a log file
RECENT = 5  # lines whose speed tells how long the rest takes: work that went before may have been slower


def unheard(*_: object) -> None:
    """For work that nobody waits at."""


@contextmanager
def progress_bar(title: str) -> Iterator[OnWork]:
    """Yields ``report(done, total, message)``.

    A bar where standard error is a terminal; elsewhere a line a minute, so that the log of a run
    in the background tells how far it is.
    """
    # Imported here: who only calls back needs no terminal.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal:
        yield progress_lines(title)
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("remaining"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
    ) as progress:
        task = progress.add_task(title, total=None)

        def report(done: int, total: int, message: str = "") -> None:
            progress.update(task, completed=done, total=total, description=message or title)

        yield report


def progress_lines(title: str, clock: Callable[[], float] = time.monotonic) -> OnWork:
    """Reports as lines, one every `LINE_SECONDS`; what was done before the first report costs nothing."""
    last = clock()
    marks: deque[tuple[float, int]] = deque(maxlen=RECENT)

    def report(done: int, total: int, message: str = "") -> None:
        nonlocal last
        now = clock()
        if not marks:
            marks.append((last, done))
        if now - last < LINE_SECONDS:
            return
        last = now
        since, before = marks[0]
        left = (now - since) * (total - done) / (done - before) if done > before else None
        marks.append((now, done))
        remaining = "" if left is None else f", about {max(1, round(left / 60))} min left"
        print(f"{title}: {message or 'working'}, {done / max(1, total):.0%}{remaining}", file=sys.stderr)

    return report
