"""A model of many concepts: what matters most at first sight, every other one from a list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sparsecbm_core.concepts import DEFAULT_STATES, ConceptSpace
from tests.app.conftest import Start, chart, explain, html, pathway
from tests.tiny import make_tiny

SPACE = ConceptSpace(tuple(f"part {number}" for number in range(20)), DEFAULT_STATES, ("1", "2", "3"))


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def test_the_strongest_are_shown_and_the_others_add_up(start: Start, tmp_path: Path) -> None:
    make_tiny("bert", space=SPACE, head="honest").save_pretrained(tmp_path / "many")
    app = explain(start(tmp_path / "many"), "The soup was cold, but the waiter was friendly.")
    assert not app.exception
    picture: Any = pathway(app)
    shown = [row["name"] for row in picture["concepts"]]
    assert len(shown) == 12
    assert shown == [name for name in SPACE.concepts if name in shown]
    assert picture["others"]["title"] == "8 other concepts"
    parts = [*picture["concepts"], picture["others"], picture["rest"], picture["base"]]
    total = float(picture["score"].split()[1])
    assert abs(sum(number(part["text"]) for part in parts) - total) < 1e-9
    assert {pill.key for pill in app.pills if str(pill.key).startswith("state-part")} == {
        f"state-{name}" for name in shown
    }
    assert html(app, "The other 8 are in the list above")
    figure: Any = chart(app, "overlap")
    assert not figure["layout"].get("annotations")

    hidden = next(name for name in SPACE.concepts if name not in shown)
    app.selectbox(key="concept_choice").set_value(hidden).run()
    picture = pathway(app)
    assert picture["selected"] == hidden
    assert hidden in [row["name"] for row in picture["concepts"]]
    assert f"state-{hidden}" in {pill.key for pill in app.pills}
