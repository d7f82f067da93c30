"""Patches of the tiny model, and the Corrections page as a visitor uses it."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from streamlit.testing.v1 import AppTest

from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.patch import Patch
from sparsecbm_core.models.concept_model import ConceptModel
from tests.ledger.made import patch_of, random_edit
from ui.frame import pages
from ui.state import AppState

PAGE = pages.CORRECTIONS


def a_patch(model: ConceptModel, seed: int, edit: MaskEdit | None = None, **values: Any) -> Patch:
    """Random flips; seeds 0, 1, 2 are of food, service, noise."""
    edit = random_edit(model, seed) if edit is None else edit
    counts = edit.counts(model.masks)
    return patch_of(
        edit,
        model=model.fingerprint,
        concept=edit.concepts[0],
        dropped=sum(count.dropped for count in counts),
        grown=sum(count.grown for count in counts),
        **values,
    )


def state_of(app: AppTest) -> AppState:
    state: AppState = app.session_state["app_state"]
    return state


def rows(app: AppTest, kind: str = "kept") -> list[str]:
    """Labels of the list's rows, without the time."""
    return [item.label for item in app.expander if (item.proto.id or "").find(f"{kind}-") >= 0]


def opened(app: AppTest, key: str) -> AppTest:
    """With a row open, as a click on it leaves it."""
    state_of(app).work.ledger.open(key, True)
    return app.run()


def unfolded(app: AppTest, key: str) -> AppTest:
    app.session_state[key] = True
    return app.run()


def press(app: AppTest, row: str, button: str) -> AppTest:
    return opened(app, row).button(key=button).click().run()


def kept_numbers(app: AppTest) -> list[int]:
    return [correction.kept for correction in state_of(app).work.corrections]


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    key = f"import_patches_{state_of(app).work.ledger.uploads}"
    app.file_uploader(key=key).set_value([(name, content, "") for name, content in files]).run()
    return app


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        for name, content in files.items():
            bundle.writestr(name, content)
    return out.getvalue()
