"""Names from a model's configuration are text, wherever Markdown is read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.app.conftest import Start
from tests.tiny import make_tiny
from ui.resources.models import threads
from ui.text import plain
from ui.widgets.table import table_html

ODD = {"food": "1.", "service": "$5 $6", "noise": ":x:", "Negative": "# bad", "1": "*one*"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.", "1\\."),
        ("$5", "\\$5"),
        (":x:", "\\:x\\:"),
        (":material/home:", "\\:\u2060material/home\\:"),
        ("a\n# b", "a \\# b"),
        ("[a](b) _c_ `d`", "\\[a\\]\\(b\\) \\_c\\_ \\`d\\`"),
        ("Not mentioned", "Not mentioned"),
    ],
)
def test_every_sign_that_markdown_reads_is_escaped(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_odd_names_are_escaped_in_headings_groups_and_buttons(start: Start, tmp_path: Path) -> None:
    model = make_tiny("bert")
    folder = tmp_path / "odd"
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config["space"]["titles"] = ODD
    (folder / "config.json").write_text(json.dumps(config))
    app = start(folder=folder, concept="food")
    assert not app.exception
    assert app.segmented_control(key="concept_choice").options == ["1\\.", "\\$5 \\$6", "\\:x\\:"]
    assert app.pills(key="state-food").label == "1\\."
    assert app.pills(key="state-food").options[0].startswith("\\# bad")
    assert "Subnetwork of 1\\." in [part.value for part in app.subheader]


def test_tables_are_named_and_text() -> None:
    rows = [{"word": "<b>", "share": 0.25}] * 13
    html = table_html(rows, 'The "words"', percents=["share"], total={"word": "all", "share": 1.0})
    assert 'role="region" aria-label="The &quot;words&quot;"' in html
    assert "<td>&lt;b&gt;</td>" in html
    assert '<td class="sc-right">25.0 %</td>' in html
    assert html.endswith(
        '<tfoot><tr><td>all</td><td class="sc-right">100.0 %</td></tr></tfoot></table></div>'
    )


def test_a_table_that_may_scroll_is_in_reach_of_the_keyboard() -> None:
    assert "tabindex" not in table_html([{"a": 1}] * 12, "few")
    assert 'tabindex="0"' in table_html([{"a": 1}] * 13, "long")
    assert 'tabindex="0"' in table_html([dict.fromkeys("abcde", 1)], "wide")


def test_only_the_cores_that_the_process_may_use_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2}, raising=False)
    assert threads() == 2
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {5}, raising=False)
    assert threads() == 1
    monkeypatch.delattr(os, "sched_getaffinity")
    assert threads() == 63
