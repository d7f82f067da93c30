"""What a session remembers of one model: another model has its own."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.session.correction import Attempt, Failure, Request, Settings
from sparsecbm_core.session.history import History
from ui.choices.corrections import LedgerChoice
from ui.choices.masks import MaskChoice

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.intervene.dose import DoseResponse


@dataclass
class OfModel:
    """The part of a session that belongs to the model that is looked at.

    ``text`` is the review and ``example`` its name, if it has one. ``saved`` is an explanation opened from a
    file, shown in place of a new one. ``concept`` None stands for the one, of those mentioned, that moves the
    label most. ``overrides`` are concept → state set by hand, ``past`` what they were before each change,
    newest last. ``history`` holds the corrections of the model itself, which stay when the text changes;
    ``settings`` say how to correct. ``request`` is a correction asked for and not yet begun, ``attempt`` one
    that was not taken over: not reached, refused, or waiting for a yes, ``dose`` the last dose-response and
    of what it is. ``layer`` is the one whose attention is shown, 0 stands for all of them. ``guard_reviews``
    are a visitor's own, in place of the bundled ones, ``guard_refused`` says why they were not taken,
    ``not_kept`` why the ledger did not take a correction.
    """

    text: str = ""
    example: str | None = None
    saved: Explanation | None = None
    concept: str | None = None
    against: str | None = None
    split: str | None = None
    overrides: dict[str, str] = field(default_factory=dict)
    past: list[dict[str, str]] = field(default_factory=list)
    history: History = field(default_factory=History)
    settings: Settings = field(default_factory=Settings)
    request: Request | None = None
    attempt: Attempt | Failure | None = None
    layer: int = 0
    masks: MaskChoice = field(default_factory=MaskChoice)
    corrections: LedgerChoice = field(default_factory=LedgerChoice)
    dose: tuple[object, DoseResponse] | None = None
    guard_reviews: ReviewDataset | None = None
    guard_refused: str | None = None
    not_kept: str | None = None

    def put_aside(self) -> OfModel:
        """All of it as it is now, to come back to."""
        return OfModel(**{item.name: getattr(self, item.name) for item in fields(OfModel)})

    def take_up(self, other: OfModel) -> None:
        """Go on with what was put aside, or with a new one."""
        for item in fields(OfModel):
            setattr(self, item.name, getattr(other, item.name))
