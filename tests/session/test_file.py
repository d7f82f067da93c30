"""A session as a file: what comes back is what was saved, and nothing else is taken for one."""

from __future__ import annotations

import json

import pytest

from sparsecbm_core.errors import InputError, PatchError
from sparsecbm_core.session.correction import Correction
from sparsecbm_core.session.file import SavedSession
from tests.ledger.made import MODEL, patch

SESSION = SavedSession(
    MODEL,
    "Кофе был холодным. 🙂",
    None,
    "food",
    (Correction(patch(0), "Cold soup."), Correction(patch(1), None, kept=7)),
)


def test_what_comes_back_is_what_was_saved() -> None:
    assert SavedSession.from_json(SESSION.to_json()) == SESSION


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("nonsense", "no saved session"),
        ("{}", "sparsecbm_session"),
        ({"sparsecbm_session": 2}, "sparsecbm_session"),
        ({"text": 3}, "text"),
        ({"more": 1}, "more"),
        ({"corrections": [{"patch": "…", "text": None, "kept": None}]}, "correction 1 of the session"),
    ],
)
def test_nothing_else_is_taken_for_one(content: object, said: str) -> None:
    if isinstance(content, dict):
        content = json.dumps({**json.loads(SESSION.to_json()), **content})
    with pytest.raises(InputError, match=said):
        SavedSession.from_json(str(content))


def test_a_damaged_patch_says_which_it_is() -> None:
    values = json.loads(SESSION.to_json())
    values["corrections"][1]["patch"] = "aGFsZg=="
    with pytest.raises(PatchError, match="correction 2"):
        SavedSession.from_json(json.dumps(values))
