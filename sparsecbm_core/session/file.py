"""A session as a file: the text, and the corrections in use, opened again in any copy of the model."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field, ValidationError

from sparsecbm_core.errors import InputError, first_problem
from sparsecbm_core.explain.schema import Strict
from sparsecbm_core.session.correction import LONGEST_TEXT, Correction, Corrections

VERSION: Final = 1
MOST = 1_000  # corrections


@dataclass(frozen=True)
class SavedSession:
    """``model`` is the fingerprint of the model as it was loaded, ``example`` the name of the text, if it has
    one, ``concept`` the one that was looked at.

    What a correction did at the time is not part of it: only what it is, and the text it was made on.

    >>> saved = SavedSession("0123456789abcdef", "Cold soup.")
    >>> SavedSession.from_json(saved.to_json()) == saved
    True
    """

    model: str
    text: str
    example: str | None = None
    concept: str | None = None
    corrections: Corrections = ()

    def to_json(self) -> str:
        corrections = [
            _Correction(
                patch=base64.b64encode(item.patch.to_bytes()).decode("ascii"), text=item.text, kept=item.kept
            )
            for item in self.corrections
        ]
        file = _Session(
            sparsecbm_session=VERSION,
            model=self.model,
            text=self.text,
            example=self.example,
            concept=self.concept,
            corrections=corrections,
        )
        return json.dumps(file.model_dump(), ensure_ascii=False)

    @classmethod
    def from_json(cls, content: str | bytes) -> SavedSession:
        """`InputError` says what the content is instead of a session; `PatchError` what is wrong with one of
        its corrections."""
        try:
            file = _Session.model_validate_json(content)
        except ValidationError as error:
            raise InputError(
                f"it is no saved session of version {VERSION}: {first_problem(error)}"
            ) from error
        corrections = tuple(_opened(item, i) for i, item in enumerate(file.corrections, start=1))
        return cls(file.model, file.text, file.example, file.concept, corrections)


class _Correction(Strict):
    patch: str = Field(description="the patch file, base64")
    text: str | None = Field(max_length=LONGEST_TEXT)
    kept: int | None = Field(ge=1)


class _Session(Strict):
    sparsecbm_session: Literal[1]
    model: str = Field(min_length=1)
    text: str = Field(max_length=LONGEST_TEXT)
    example: str | None
    concept: str | None
    corrections: list[_Correction] = Field(max_length=MOST)


def _opened(item: _Correction, number: int) -> Correction:
    from sparsecbm_core.intervene.patch import Patch

    try:
        content = base64.b64decode(item.patch, validate=True)
    except ValueError as error:
        raise InputError(f"correction {number} of the session is no patch: {error}") from error
    return Correction(Patch.from_bytes(content, f"correction {number}"), item.text, kept=item.kept)
