"""All that a session remembers, in one place, and the small part of it that the address shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import streamlit as st

from ui.examples import Example

KEY = "app_state"
DEFAULT_METHOD = "integrated_gradients"
PARAMETERS = ("example", "concept", "method")


@dataclass
class AppState:
    """One visitor's session. Widgets show it and change it in callbacks; nothing else is kept.

    ``concept`` None stands for the one, of those mentioned, that moves the label most. ``overrides``
    are concept → state set by hand, ``past`` what they were before each change, newest last.
    ``scored`` names the model, text and method whose words have been scored. ``address`` is what the
    address last showed, ``page`` the page last run; ``touched`` is set while a run answers a widget.
    """

    text: str = ""
    example: str | None = None
    concept: str | None = None
    method: str = DEFAULT_METHOD
    relative: bool = True
    against: str | None = None
    split: str | None = None
    overrides: dict[str, str] = field(default_factory=dict)
    past: list[dict[str, str]] = field(default_factory=list)
    scored: tuple[str, str, str] | None = None
    address: dict[str, str] = field(default_factory=dict)
    page: str | None = None
    started: bool = False
    touched: bool = False

    def show_text(self, text: str, example: str | None = None) -> None:
        """Explain another text: what was set by hand belonged to the old one."""
        self.touched = True
        if text != self.text:
            self.overrides, self.past, self.against = {}, [], None
        self.text, self.example = text, example

    def choose(self, name: str, value: object) -> None:
        """Take over what a widget chose: "concept", "method", "relative", "against" or "split"."""
        self.touched = True
        setattr(self, name, value)

    def override(self, concept: str, state: str | None) -> None:
        """Set a concept by hand; None takes the model's own state again."""
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
        self.touched = True
        self.overrides, self.past = {}, []

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
        """Take over what an address says; what it says wrongly is ignored."""
        concept, method = parameters.get("concept"), parameters.get("method", DEFAULT_METHOD)
        self.concept = concept if concept in concepts else None
        self.method = method if method in methods else DEFAULT_METHOD
        example = examples.get(parameters.get("example", ""))
        if example is not None:
            self.show_text(example.text, example.id)
        elif not self.started and examples:
            first = next(iter(examples.values()))
            self.show_text(first.text, first.id)
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
    went_back = state.page == page and given != state.address and not state.touched
    if not state.started or went_back or (given and state.page != page):
        state.apply(given, examples, concepts, methods)
    state.page, state.touched = page, False


def write_address(state: AppState) -> None:
    """Show the state in the address, leaving parameters of others alone."""
    wanted = state.parameters()
    for name in PARAMETERS:
        if name in wanted and st.query_params.get(name) != wanted[name]:
            st.query_params[name] = wanted[name]
        elif name not in wanted and name in st.query_params:
            del st.query_params[name]
    state.address = wanted
