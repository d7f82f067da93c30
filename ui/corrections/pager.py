"""A long list: rows that open, twenty at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from ui.state import AppState

if TYPE_CHECKING:
    from streamlit.elements.lib.mutable_expander_container import ExpanderContainer

PAGE = 20
Item = TypeVar("Item")


def row(state: AppState, key: str, label: str) -> ExpanderContainer:
    """A row that opens, and stays open while its label changes: for Streamlit it is another one then."""
    choice = state.work.ledger
    st.session_state[key] = key in choice.opened
    return st.expander(label, key=key, on_change=state.on_value(key, choice.open, key))


def one_page(items: Sequence[Item], page: int) -> tuple[int, Sequence[Item]]:
    """The number of a page that there is, and what is on it.

    >>> one_page("abcdef" * 5, 9)
    (2, 'cdefabcdef')
    """
    number = min(max(1, page), pages(items))
    return number, items[(number - 1) * PAGE : number * PAGE]


def pages(items: Sequence[object]) -> int:
    return max(1, -(-len(items) // PAGE))


def turner(state: AppState, items: Sequence[object], page: int, key: str, name: str) -> None:
    """Buttons to turn the page, where there is more than one, and which part of the list is shown.

    ``name`` is that of the page in the session's choices. Streamlit wants no page set for a key that it
    knows: whoever sets one gives another ``key``.
    """
    if pages(items) == 1:
        return
    first = (page - 1) * PAGE
    with st.container(horizontal=True, vertical_alignment="center"):
        st.pagination(
            pages(items),
            default=page,
            key=key,
            on_change=state.on_value(key, setattr, state.work.ledger, name),
        )
        st.html(
            f'<p class="sc-note">{first + 1:,}–{min(first + PAGE, len(items)):,} of {len(items):,}</p>',
            width="content",
        )
