"""All that a session remembers, in one place, and the small part of it that the address shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from sparsecbm_core.concepts import UNKNOWN, ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.explain.tokens.registry import DEFAULT_METHOD, METHODS
from sparsecbm_core.figures import breakdown
from sparsecbm_core.session.correction import Correction, Request
from ui.choices.rule import OVERRIDE
from ui.of_model import OfModel
from ui.resources.examples import Example

if TYPE_CHECKING:
    from ui.resources.models import ModelCard

KEY = "app_state"


@dataclass
class AppState(OfModel):
    """One visitor's session. Widgets show it and change it in callbacks; nothing else is kept.

    ``card`` is the model that is looked at, ``model`` its name in the address, which is there if there are
    ``several``. ``picked`` is one chosen and not yet taken up, ``unknown`` a name in the address that no
    model has. ``left`` holds what belongs to other models, by their identity, and ``turn`` counts changes
    of model. ``own_text`` is the last text that was not an example, ``shown_text`` what the text field was
    last given. ``notice`` says why a text, ``refused`` why a file was not taken. ``address`` is what the
    address last showed, ``page`` the page last run; ``touched`` is set while a run answers a widget,
    ``clicked_at`` is the address that a click came with which a part of the page answers by itself, and
    ``followed`` is set while a run follows the address.
    """

    card: ModelCard | None = None
    model: str | None = None
    several: bool = False
    picked: str | None = None
    unknown: str | None = None
    left: dict[str, OfModel] = field(default_factory=dict)
    turn: int = 0
    own_text: str | None = None
    shown_text: str | None = None
    method: str = DEFAULT_METHOD
    relative: bool = True
    notice: str | None = None
    refused: str | None = None
    address: dict[str, str] = field(default_factory=dict)
    page: str | None = None
    started: bool = False
    touched: bool = False
    clicked_at: dict[str, str] | None = None
    followed: bool = False

    def pick(self, name: str) -> None:
        """Choose another model, which the page takes up when it runs."""
        self.touched, self.picked, self.unknown = True, name, None

    def switch(self, name: str, card: ModelCard, known: Callable[[], Mapping[str, Example]]) -> None:
        """Go on with a model: with what was done to it before, and not with what was done to another.

        A text of one's own stays. An example stays if it is among the texts ``known`` to go with this model;
        otherwise what was last read with this model takes its place, at first the opening example.
        """
        before, self.model, self.card = self.card, name, card
        if before is None or before.identity == card.identity:
            return
        text, example = self.text, self.example
        self.request = None  # whoever leaves has called it off
        self.left[before.identity] = self.put_aside()
        self.take_up(self.left.pop(card.identity, OfModel()))
        self.turn += 1
        self.notice = self.refused = None
        if self.started:
            self._go_on_with(text, example, known())

    def _go_on_with(self, text: str, example: str | None, known: Mapping[str, Example]) -> None:
        """Choose the text after a change of model: ``text`` was shown with the other one."""
        same = next((item for item in known.values() if item.text == text), None)
        if example is None:
            shown: tuple[str, str | None] = text, None
        elif same is not None:
            shown = text, same.id
        elif self.text:
            shown = self.text, self.example
        else:
            first = next(iter(known.values()), None)
            shown = (self.own_text or "", None) if first is None else (first.text, first.id)
        if shown != (self.text, self.example):
            self.show_text(*shown)
        elif self.example is None:
            self.own_text = self.text

    def keyed(self, key: str) -> str:
        """A widget's key that is another after a change of model, so that it begins anew."""
        return f"{key}-{self.turn}" if self.turn else key

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

    def choose_layer(self, layer: int) -> None:
        self.touched, self.layer = True, layer

    def choose_split(self, name: str) -> None:
        self.touched, self.split = True, name

    def leave_example(self) -> None:
        """Back to the text of one's own; where there is none, the example's is taken for it."""
        self.show_text(self.text if self.own_text is None else self.own_text)

    def override(self, concept: str, state: str | None) -> None:
        """Set a concept by hand, also to the model's own state; None lets the model decide again."""
        self.touched = True
        if not self._has(concept):
            return
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
        asked = wanted is not None and self._has(concept)
        self.request = Request(self.text, concept, str(wanted)) if asked else None
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

    def take_over(self, correction: Correction) -> None:
        """Go on with the model as a correction leaves it."""
        self.touched, self.attempt, self.request = True, None, None
        if self._own(correction):
            self.concept = correction.patch.concept
            self.history.add(correction)

    def use(self, corrections: Sequence[Correction]) -> None:
        """Add corrections that were kept to those of this session."""
        self.touched, self.attempt = True, None
        self.history.add(*filter(self._own, corrections))

    def _own(self, correction: Correction) -> bool:
        """Whether a correction is of the model that is looked at: a click may come from a page that still
        shows another. Older folders do not say what their model is."""
        return self.card is None or self.card.fingerprint in (None, correction.patch.model)

    def _has(self, concept: str) -> bool:
        """Whether the model has the concept: see above."""
        return self.card is None or concept in self.card.space.concepts

    def leave(self) -> None:
        """Not to take over what was tried, nor to go on with what is being tried."""
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
        model = self.model if self.several else None
        values = {"model": model, "example": self.example, "concept": self.concept, "method": method}
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
