"""All that a session remembers, in one place, and the small part of it that the address shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from sparsecbm_core.concepts import UNKNOWN, ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.explain.tokens.registry import DEFAULT_METHOD, METHODS
from sparsecbm_core.figures import breakdown
from ui.examples import Example
from ui.ledger_choice import LedgerChoice
from ui.live import OVERRIDE, Attempt, Request, Settings
from ui.mask_choice import MaskChoice
from ui.steps import History, Step

if TYPE_CHECKING:
    from sparsecbm_core.data.types import ReviewDataset
    from sparsecbm_core.intervene.dose import DoseResponse

KEY = "app_state"
PARAMETERS = ("example", "concept", "method")


@dataclass
class AppState:
    """One visitor's session. Widgets show it and change it in callbacks; nothing else is kept.

    ``own_text`` is the last text that was not an example, ``shown_text`` what the text field was last
    given. ``saved`` is an explanation opened from a file, shown in place of a new one. ``concept`` None
    stands for the one, of those mentioned, that moves the label most. ``overrides`` are concept → state set
    by hand, ``past`` what they were before each change, newest last. ``history`` holds the corrections of
    the model itself, which stay when the text changes; ``settings`` say how to correct. ``request`` is a
    correction asked for and not yet begun, ``attempt`` one that was not taken over: not reached, refused, or
    waiting for a yes, ``dose`` the last dose-response and of what it is. ``guard_reviews`` are a visitor's
    own, in place of the bundled ones, ``guard_refused`` says why they were not taken. ``not_kept`` says why
    the ledger did not take a correction, ``notice`` why a text, ``refused`` why a file was not taken.
    ``address`` is what the address last showed, ``page`` the page last run; ``touched`` is set while a run
    answers a widget, ``followed`` while it follows the address.
    """

    text: str = ""
    example: str | None = None
    own_text: str | None = None
    shown_text: str | None = None
    saved: Explanation | None = None
    concept: str | None = None
    method: str = DEFAULT_METHOD
    relative: bool = True
    against: str | None = None
    split: str | None = None
    overrides: dict[str, str] = field(default_factory=dict)
    past: list[dict[str, str]] = field(default_factory=list)
    history: History = field(default_factory=History)
    settings: Settings = field(default_factory=Settings)
    request: Request | None = None
    attempt: Attempt | None = None
    masks: MaskChoice = field(default_factory=MaskChoice)
    corrections: LedgerChoice = field(default_factory=LedgerChoice)
    dose: tuple[object, DoseResponse] | None = None
    guard_reviews: ReviewDataset | None = None
    guard_refused: str | None = None
    not_kept: str | None = None
    notice: str | None = None
    refused: str | None = None
    address: dict[str, str] = field(default_factory=dict)
    page: str | None = None
    started: bool = False
    touched: bool = False
    followed: bool = False

    def show_text(self, text: str, example: str | None = None) -> None:
        """Explain another text: what was set by hand belonged to the old one."""
        self.touched = True
        if text != self.text:
            self.overrides, self.past, self.against = {}, [], None
            self.request = self.attempt = None
        if example is None:
            self.own_text = text
        self.text, self.example = text, example
        self.saved = self.notice = self.refused = None

    def open_saved(self, explanation: Explanation) -> None:
        """Show an explanation from a file, as it was saved."""
        self.show_text(explanation.text)
        self.overrides, self.past, self.against = {}, [], None
        self.saved = explanation
        if explanation.method in METHODS:
            self.method = str(explanation.method)

    def choose_concept(self, name: str) -> None:
        self.touched, self.concept = True, name

    def choose_method(self, name: str) -> None:
        """Another method means scoring the words here, not showing those of a file."""
        self.touched, self.method, self.saved = True, name, None

    def choose_view(self, relative: bool) -> None:
        """Measure contributions against the average review, or from zero."""
        self.touched, self.relative = True, relative

    def compare_with(self, label: str | None) -> None:
        self.touched, self.against = True, label

    def choose_split(self, name: str) -> None:
        self.touched, self.split = True, name

    def leave_example(self) -> None:
        """Back to the text of one's own; where there is none, the example's is taken for it."""
        self.show_text(self.text if self.own_text is None else self.own_text)

    def override(self, concept: str, state: str | None) -> None:
        """Set a concept by hand, also to the model's own state; None lets the model decide again."""
        self.touched = True
        changed = {name: value for name, value in self.overrides.items() if name != concept}
        if state is not None:
            changed[concept] = state
        if changed != self.overrides:
            self.past.append(self.overrides)
            self.overrides = changed

    def undo(self) -> None:
        self.touched = True
        if self.past:
            self.overrides = self.past.pop()

    def reset(self) -> None:
        """Let the model decide every concept; this too can be undone."""
        self.touched = True
        if self.overrides:
            self.past.append(self.overrides)
            self.overrides = {}

    def correct(self, concept: str, wanted: str | None) -> None:
        """Ask for a correction of the model: ``concept`` of the present text is to be read as ``wanted``.

        Where the rule is to correct nothing, the concept is set by hand: a click may come from a page that
        does not show the new rule yet.
        """
        self.touched, self.attempt, self.not_kept = True, None, None
        self.request = None if wanted is None else Request(self.text, concept, wanted)
        self._without_correcting()

    def set(self, **settings: Any) -> None:
        """Correct in another way from now on."""
        self.touched, self.attempt = True, None
        self.settings = replace(self.settings, **settings)
        self._without_correcting()

    def _without_correcting(self) -> None:
        """Answer what is asked for by hand, where the model is to stay as it is."""
        if self.settings.rule == OVERRIDE and self.request is not None:
            request, self.request = self.request, None
            if request.text == self.text:
                self.override(request.concept, request.state)

    def take_over(self, step: Step) -> None:
        """Go on with the model as a correction leaves it."""
        self.touched, self.attempt, self.request = True, None, None
        self.concept = step.patch.concept
        self.history.add(step)

    def use(self, steps: Sequence[Step]) -> None:
        """Add corrections that were kept to those of this session."""
        self.touched, self.attempt = True, None
        self.history.add(*steps)

    def leave(self) -> None:
        """Not to take over what was tried."""
        self.touched, self.attempt, self.request = True, None, None

    def undo_correction(self) -> None:
        self.touched, self.attempt, self.request = True, None, None
        self.history.undo()

    def redo_correction(self) -> None:
        self.touched, self.attempt, self.request = True, None, None
        self.history.redo()

    def uncorrected(self) -> None:
        """Back to the model as it was loaded; this can be undone."""
        self.touched, self.attempt, self.request = True, None, None
        self.history.clear()

    def selected(self, explanation: Explanation, space: ConceptSpace) -> str:
        """The chosen concept, or else the one that moves the label most, of those that are mentioned."""
        if self.concept in space.concepts:
            return str(self.concept)
        names = [part.name for part in breakdown(explanation, space).parts]
        return next((name for name in names if explanation.concepts[name].state != UNKNOWN), names[0])

    def parameters(self) -> dict[str, str]:
        """What the address shows: names only, never the review."""
        method = None if self.method == DEFAULT_METHOD else self.method
        values = {"example": self.example, "concept": self.concept, "method": method}
        return {name: value for name, value in values.items() if value is not None}

    def apply(
        self,
        parameters: Mapping[str, str],
        examples: Mapping[str, Example],
        concepts: tuple[str, ...],
        methods: Mapping[str, object],
    ) -> None:
        """Take over what an address says; what it says wrongly is ignored.

        An address without an example stands for the text of one's own, and before there is one for the
        first example.
        """
        concept, method = parameters.get("concept"), parameters.get("method", DEFAULT_METHOD)
        self.concept = concept if concept in concepts else None
        self.method = method if method in methods else DEFAULT_METHOD
        example = examples.get(parameters.get("example", ""))
        if example is None and self.own_text is None:
            example = next(iter(examples.values()), None)
        if example is not None:
            self.show_text(example.text, example.id)
        elif self.own_text is not None and (self.example is not None or self.text != self.own_text):
            self.show_text(self.own_text)
        self.started = True


def current() -> AppState:
    """The state of this session, made on its first run."""
    if KEY not in st.session_state:
        st.session_state[KEY] = AppState()
    state: AppState = st.session_state[KEY]
    return state


def read_address(
    state: AppState,
    page: str,
    examples: Mapping[str, Example],
    concepts: tuple[str, ...],
    methods: Mapping[str, object],
) -> None:
    """Follow the address where it was opened, or changed by going back.

    Coming from another page the address is empty and the state stays as it was. A run that answers
    a widget may still bring the address from before the last change: it is not followed then.
    """
    given = {name: st.query_params[name] for name in PARAMETERS if name in st.query_params}
    went_back = state.started and state.page == page and given != state.address and not state.touched
    if not state.started or went_back or (given and state.page != page):
        state.apply(given, examples, concepts, methods)
    if went_back:
        state.address = given
    state.page, state.touched, state.followed = page, False, went_back


def write_address(state: AppState) -> None:
    """Show the state in the address, leaving parameters of others alone.

    One message for all of it, or the browser's history would get an entry for each parameter. Whoever
    went back stays at the address they went to, or they could never leave.
    """
    if state.followed:
        return
    wanted = state.parameters()
    if {name: st.query_params[name] for name in PARAMETERS if name in st.query_params} != wanted:
        others = {name: st.query_params.get_all(name) for name in st.query_params if name not in PARAMETERS}
        st.query_params.from_dict({**others, **wanted})
    state.address = wanted
