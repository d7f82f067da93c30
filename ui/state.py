"""All that a session remembers, in one place, and the small part of it that the address shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from sparsecbm_core.explain.tokens.registry import DEFAULT_METHOD, METHODS
from ui.resources.examples import Example
from ui.work import Work

if TYPE_CHECKING:
    from sparsecbm_core.explain.results import Explanation
    from ui.resources.models import ModelCard

KEY = "app_state"


@dataclass
class AppState:
    """One visitor's session. Widgets show it and change it in callbacks; nothing else is kept.

    ``work`` is what is done with the model that is looked at; ``model`` is its name in the address, which is
    there if there are ``several``. ``picked`` is one chosen and not yet taken up, ``unknown`` a name in the
    address that no model has. ``left`` holds the work with other models, by their identity, and ``turn``
    counts changes of model. ``own_text`` is the last text that was not an example, ``shown_text`` what the
    text field was last given. ``notice`` says why a text, ``refused`` why a file was not taken. ``address``
    is what the address last showed, ``page`` the page last run; ``touched`` is set while a run answers a
    widget, ``clicked_at`` is the address that a click came with which a part of the page answers by itself,
    and ``followed`` is set while a run follows the address. ``remembered`` is set once the browser was told
    what to remember, ``linked`` where the session began at an address that names an example.
    """

    work: Work = field(default_factory=Work)
    model: str | None = None
    several: bool = False
    picked: str | None = None
    unknown: str | None = None
    left: dict[str, Work] = field(default_factory=dict)
    turn: int = 0
    own_text: str | None = None
    shown_text: str | None = None
    method: str = DEFAULT_METHOD
    view: str = "answer"  # one of `ui.widgets.sums`
    notice: str | None = None
    refused: str | None = None
    address: dict[str, str] = field(default_factory=dict)
    page: str | None = None
    started: bool = False
    touched: bool = False
    clicked_at: dict[str, str] | None = None
    followed: bool = False
    remembered: bool = False
    linked: bool = False

    def on(self, act: Callable[..., object], *args: object) -> Callable[..., None]:
        """A widget's callback, which does ``act``: the run after it answers the widget, not an address."""

        def callback(*more: object) -> None:
            self.touched = True
            act(*args, *more)

        return callback

    def on_value(self, key: str, act: Callable[..., object], *args: object) -> Callable[[], None]:
        """The same where ``act`` also gets, as the last thing, what was chosen in the widget ``key``."""
        return self.on(lambda: act(*args, st.session_state[key]))

    def pick(self, name: str) -> None:
        """Choose another model, which the page takes up when it runs."""
        self.picked, self.unknown = name, None

    def switch(self, name: str, card: ModelCard, known: Callable[[], Mapping[str, Example]]) -> None:
        """Go on with a model: with what was done to it before, and not with what was done to another.

        A text of one's own stays. An example stays if it is among the texts ``known`` to go with this model;
        otherwise what was last read with this model takes its place, at first the opening example.
        """
        before, self.model = self.work, name
        if before.card is not None and before.card.identity != card.identity:
            self.left[before.card.identity] = before
            self.work = self.left.pop(card.identity, Work())
            self.work.request = None  # whoever left has called it off
            self.turn += 1
            self.notice = self.refused = None
            if self.started:
                self._go_on_with(before.text, before.example, known())
        self.work.card = card

    def _go_on_with(self, text: str, example: str | None, known: Mapping[str, Example]) -> None:
        """Choose the text after a change of model: ``text`` was shown with the other one."""
        work = self.work
        same = next((item for item in known.values() if item.text == text), None)
        if example is None:
            shown: tuple[str, str | None] = text, None
        elif same is not None:
            shown = text, same.id
        elif work.text:
            shown = work.text, work.example
        else:
            first = next(iter(known.values()), None)
            shown = (self.own_text or "", None) if first is None else (first.text, first.id)
        if shown != (work.text, work.example):
            self.show_text(*shown)
        elif work.example is None:
            self.own_text = work.text

    def keyed(self, key: str) -> str:
        """A widget's key that is another after a change of model, so that it begins anew."""
        return f"{key}-{self.turn}" if self.turn else key

    def show_text(self, text: str, example: str | None = None) -> None:
        """Explain another text."""
        self.work.read(text, example)
        if example is None:
            self.own_text = text
        self.notice = self.refused = None

    def open_saved(self, explanation: Explanation) -> None:
        """Show an explanation from a file, as it was saved."""
        self.show_text(explanation.text)
        self.work.forget_text()
        self.work.saved = explanation
        if explanation.method in METHODS:
            self.method = str(explanation.method)

    def leave_example(self) -> None:
        """Back to the text of one's own; where there is none, the example's is taken for it."""
        self.show_text(self.work.text if self.own_text is None else self.own_text)

    def choose_method(self, name: str) -> None:
        """Another method means scoring the words here, not showing those of a file."""
        self.method, self.work.saved = name, None

    def choose_view(self, view: str) -> None:
        """Show the answer, or the scores behind it, as a sum."""
        self.view = view

    def parameters(self) -> dict[str, str]:
        """What the address shows: names only, never the review."""
        values = {
            "model": self.model if self.several else None,
            "example": self.work.example,
            "concept": self.work.concept,
            "method": None if self.method == DEFAULT_METHOD else self.method,
        }
        return {name: value for name, value in values.items() if value is not None}

    def apply(
        self, parameters: Mapping[str, str], examples: Mapping[str, Example], concepts: tuple[str, ...]
    ) -> None:
        """Take over what an address says; what it says wrongly is ignored.

        An address without an example stands for the text of one's own, and before there is one for the
        first example.
        """
        concept, method = parameters.get("concept"), parameters.get("method", DEFAULT_METHOD)
        self.work.concept = concept if concept in concepts else None
        self.method = method if method in METHODS else DEFAULT_METHOD
        example = examples.get(parameters.get("example", ""))
        if not self.started:
            self.linked = example is not None
        if example is None and self.own_text is None:
            example = next(iter(examples.values()), None)
        if example is not None:
            self.show_text(example.text, example.id)
        elif self.own_text is not None and (self.work.example or self.work.text != self.own_text):
            self.show_text(self.own_text)
        self.started = True


def current() -> AppState:
    """The state of this session, made on its first run."""
    if KEY not in st.session_state:
        st.session_state[KEY] = AppState()
    state: AppState = st.session_state[KEY]
    return state
