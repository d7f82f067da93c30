"""Progress in a log file: a line a minute, with what is left."""

from __future__ import annotations

import pytest

from sparsecbm_core.progress import LINE_SECONDS, progress_bar, progress_lines


def test_a_line_a_minute_with_the_time_left(capsys):
    now = 0.0
    report = progress_lines("training", clock=lambda: now)
    for done in range(0, 101, 5):  # a hundred units in ten times LINE_SECONDS
        now = done / 100 * 10 * LINE_SECONDS
        report(done, 100, f"step {done}")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0] == f"training: step 10, 10%, about {round(9 * LINE_SECONDS / 60)} min left"
    assert lines[-1].startswith("training: step 100, 100%")


def test_what_a_resumed_run_had_done_before_is_not_counted_as_speed(capsys):
    now = 0.0
    report = progress_lines("training", clock=lambda: now)
    report(50, 100)
    now = 2 * LINE_SECONDS
    report(60, 100)
    assert f"about {round(8 * LINE_SECONDS / 60)} min left" in capsys.readouterr().err


def test_the_time_left_is_told_by_the_last_minutes(capsys):
    now = 0.0
    report = progress_lines("training", clock=lambda: now)
    for minute in range(1, 21):  # ten minutes of one unit each, then of nine
        now = minute * LINE_SECONDS
        report(minute if minute <= 10 else 10 + 9 * (minute - 10), 190)
    lines = capsys.readouterr().err.splitlines()
    assert "about 180 min left" in lines[9]
    assert f"about {(190 - 100) // 9} min left" in lines[-1]


@pytest.mark.parametrize("quick", [0, 30])
def test_quick_work_says_nothing(capsys, quick):
    with progress_bar("evaluating") as report:
        report(quick, 30, "done")
    assert capsys.readouterr().err == ""
