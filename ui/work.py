"""What a session remembers of one model: the review, the corrections, and what was chosen on each page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sparsecbm_core.concepts import REST, UNKNOWN, ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import answer_breakdown, breakdown
from sparsecbm_core.session.correction import Attempt, Correction, Corrections, Failure, Request, Settings
from sparsecbm_core.session.history import History, Step

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.intervene.dose import DoseResponse
    from ui.resources.models import ModelCard

OVERRIDE = "override"  # the rule that corrects nothing: only the label's last step is run again
ALL = "all"  # kept corrections, active or reverted


@dataclass
class MaskChoice:
    """What is looked at on the Masks page.

    ``view`` None stands for the difference where there is one, else for the masks as loaded; ``matrix``
    None for the one with the most to see, ``corner`` (row, column) None for the busiest place in it.
    ``second`` is the concept that the chosen one is compared with, ``size`` how many weights the window is
    wide and high.
    """

    view: str | None = None
    second: str | None = None
    matrix: str | None = None
    corner: tuple[int, int] | None = None
    size: int = 48

    def shown(self, views: Sequence[str]) -> str:
        """The chosen view, or else the first of those there are."""
        return views[0] if self.view is None or self.view not in views else self.view

    def other(self, concept: str, concepts: tuple[str, ...]) -> str:
        """The concept to compare with: the chosen one, or else the first other one."""
        others = [name for name in concepts if name != concept]
        return self.second if self.second in others else others[0]

    def choose_view(self, name: str) -> None:
        """Another view has its changes elsewhere, so the window looks for them anew."""
        self.view, self.corner = name, None

    def choose_matrix(self, name: str) -> None:
        self.matrix, self.corner = name, None

    def choose_second(self, name: str) -> None:
        self.second = name

    def choose_size(self, size: int) -> None:
        self.size = size

    def go_to(self, row: int, column: int) -> None:
        """Show the window whose first weight is at ``row``, ``column``, both counted from 0."""
        self.corner = row, column


@dataclass(frozen=True)
class Told:
    """What came of the last action; not ``good`` where nothing was changed because something was wrong."""

    text: str
    good: bool = True


@dataclass
class LedgerChoice:
    """What is looked at on the Corrections page: the filter, a page of each list, and ``opened`` rows.

    ``filters`` counts changes of the filter, each of which begins at the first page, ``uploads`` imports,
    each of which begins with an empty field. ``told`` is shown once. ``measure`` is set while the accuracy
    along the chain is asked for, ``leave`` where a correction is to be made anew on the Explain page.
    """

    concept: str | None = None
    state: str | None = None
    status: str = ALL
    search: str = ""
    page: int = 1
    filters: int = 0
    session_page: int = 1
    opened: set[str] = field(default_factory=set)
    told: Told | None = None
    uploads: int = 0
    measure: bool = False
    leave: bool = False

    @property
    def filtered(self) -> bool:
        return self.concept is not None or self.state is not None or self.status != ALL or bool(self.search)

    def only(self, name: str, value: str | None) -> None:
        """Filter by ``name``, from the first page on."""
        setattr(self, name, value)
        self._from_the_first()

    def open(self, row: str, is_open: bool) -> None:
        (self.opened.add if is_open else self.opened.discard)(row)

    def show_all(self) -> None:
        self.concept, self.state, self.status, self.search = None, None, ALL, ""
        self._from_the_first()

    def _from_the_first(self) -> None:
        self.page, self.filters = 1, self.filters + 1


@dataclass
class Work:
    """What a visitor does with one model, that of ``card``; callbacks change it.

    ``text`` is the review and ``example`` its name, if it has one. ``saved`` is an explanation opened from a
    file, shown in place of a new one. ``concept`` None stands for the one, of those mentioned, that moves the
    label most. ``overrides`` are concept → state set by hand, ``past`` what they were before each change,
    newest last. ``history`` holds the corrections of the model itself, which stay when the text changes;
    ``settings`` say how to correct. ``request`` is a correction asked for and not yet begun, ``attempt`` one
    that was not taken over: not reached, refused, or waiting for a yes, ``dose`` the last dose-response and
    of what it is. ``step`` is the last undo, redo or drop, until something else is done; ``asked`` and
    ``answered`` count requests. ``layer`` is the one whose attention is shown, 0 stands for all of them.
    ``guard_reviews`` are a visitor's own, in place of the bundled ones, ``guard_refused`` says why they were
    not taken, ``not_kept`` why the ledger did not take a correction.
    """

    card: ModelCard | None = None
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
    step: Step | None = None
    asked: int = 0
    answered: int = 0
    layer: int = 0
    masks: MaskChoice = field(default_factory=MaskChoice)
    ledger: LedgerChoice = field(default_factory=LedgerChoice)
    dose: tuple[object, DoseResponse] | None = None
    guard_reviews: ReviewDataset | None = None
    guard_refused: str | None = None
    not_kept: str | None = None

    @property
    def undone(self) -> Step | None:
        """The last step, where it took corrections away."""
        return self.step if self.step is not None and self.step.left else None

    @property
    def corrections(self) -> Corrections:
        """Those of the model as it is now."""
        return self.history.corrections

    def read(self, text: str, example: str | None) -> None:
        """Go on with a text; what was set by hand belonged to the old one."""
        if text != self.text:
            self.forget_text()
            self.leave()
        self.text, self.example, self.saved = text, example, None

    def forget_text(self) -> None:
        """Let go of what was chosen for the text."""
        self.overrides, self.past, self.against = {}, [], None

    def choose_concept(self, name: str) -> None:
        self.concept = name

    def compare_with(self, label: str | None) -> None:
        self.against = label

    def choose_layer(self, layer: int) -> None:
        self.layer = layer

    def choose_split(self, name: str) -> None:
        self.split = name

    def override(self, concept: str, state: str | None) -> None:
        """Set a concept by hand, also to the model's own state; None lets the model decide again."""
        others = {name: value for name, value in self.overrides.items() if name != concept}
        if self._has(concept):
            self._set_by_hand(others if state is None else {**others, concept: state})

    def undo(self) -> None:
        if self.past:
            self.overrides = self.past.pop()

    def reset(self) -> None:
        """Let the model decide every concept; this too can be undone."""
        self._set_by_hand({})

    def _set_by_hand(self, states: dict[str, str]) -> None:
        if states != self.overrides:
            self.past.append(self.overrides)
            self.overrides = states

    def correct(self, concept: str, wanted: str | None) -> None:
        """Ask for a correction of the model: ``concept`` of the present text is to be read as ``wanted``.

        Where the rule is to correct nothing, the concept is set by hand: a click may come from a page that
        does not show the new rule yet.
        """
        self.attempt = self.step = self.not_kept = None
        asked = wanted is not None and self._has(concept)
        self.request = Request(self.text, concept, str(wanted)) if asked else None
        self.asked += asked
        self._without_correcting()

    def set(self, **settings: Any) -> None:
        """Correct in another way from now on."""
        self.attempt = None
        self.settings = replace(self.settings, **settings)
        self._without_correcting()

    def _without_correcting(self) -> None:
        """Answer what is asked for by hand, where the model is to stay as it is."""
        if self.settings.rule == OVERRIDE and self.request is not None:
            request, self.request = self.request, None
            if request.text == self.text:
                self.override(request.concept, request.state)

    def answer(self, attempt: Attempt | Failure) -> None:
        """What came of the request: taken over, unless it failed or needs a yes."""
        self.request, self.answered = None, self.answered + 1
        if isinstance(attempt, Attempt) and attempt.correction is not None and not attempt.asks:
            self.take_over(attempt.correction)
        else:
            self.attempt = attempt

    def take_over(self, correction: Correction) -> None:
        """Go on with the model as a correction leaves it."""
        self.leave()
        if self._own(correction):
            self.concept = correction.patch.concept
            self.history.add(correction)

    def use(self, corrections: Sequence[Correction]) -> None:
        """Add corrections that were kept to those of this session."""
        self.attempt = self.step = None
        self.history.add(*filter(self._own, corrections))

    def leave(self) -> None:
        """Not to take over what was tried, nor to go on with what is being tried."""
        self.attempt = self.request = self.step = None

    def drop(self, fingerprint: str) -> None:
        """Do without one correction."""
        self._move(partial(self.history.drop, fingerprint))

    def undo_correction(self) -> None:
        self._move(self.history.undo)

    def redo_correction(self) -> None:
        self._move(self.history.redo)

    def uncorrected(self) -> None:
        """Back to the model as it was loaded; this can be undone."""
        self._move(self.history.clear)

    def _move(self, move: Callable[[], None]) -> None:
        """Go to another chain, and remember which corrections that took away and brought back."""
        before = self.corrections
        self.leave()
        move()
        self.step = Step.between(before, self.corrections)

    def selected(self, explanation: Explanation, space: ConceptSpace) -> str:
        """The chosen concept, or else the one that moves the label most, of those that are mentioned."""
        if self.concept in space.concepts:
            return str(self.concept)
        sum_of_parts = answer_breakdown(explanation, space) or breakdown(explanation, space)
        names = [part.name for part in sum_of_parts.parts if part.name in space.concepts]
        return next((name for name in names if explanation.concepts[name].state != UNKNOWN), names[0])

    def _own(self, correction: Correction) -> bool:
        """Whether a correction is of this model. Older folders do not say what their model is."""
        return self.card is None or self.card.fingerprint in (None, correction.patch.model)

    def _has(self, concept: str) -> bool:
        return self.card is None or concept in (*self.card.space.concepts, REST)
