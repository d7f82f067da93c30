"""The README's figures are those of the result files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import readme

ROOT = Path(__file__).resolve().parents[1]


def test_every_table_is_what_the_files_say() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"<!-- results: ([\w-]+) -->", text)) == sorted(readme.TABLES)
    assert readme.filled(text) == text


def test_a_table_that_was_typed_over_is_made_anew() -> None:
    text = "before\n<!-- results: accuracy -->\n| typed | 99.9 |\n<!-- end -->\nafter\n"
    made = readme.filled(text)
    assert "99.9" not in made
    assert made.startswith("before\n<!-- results: accuracy -->\n| data | reviews |")
    assert made.endswith("|\n<!-- end -->\nafter\n")
    assert readme.filled(made) == made


@pytest.mark.parametrize(
    ("change", "said"), [(-0.0038, "−0.38"), (0.0, "+0.00"), (0.00268, "+0.27"), (-0.027, "−2.70")]
)
def test_points_have_a_sign(change: float, said: str) -> None:
    assert readme.points(change) == said
