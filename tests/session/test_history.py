"""What was done, undone, and can be done again."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sparsecbm_core.session.correction import Correction
from sparsecbm_core.session.history import LONGEST, History
from tests.ledger.made import patch

CHAIN = tuple(Correction(patch(number)) for number in range(4))
ACTS = st.lists(st.sampled_from(["add", "drop", "clear", "undo", "redo"]), max_size=30)


def act(history: History, name: str, number: int) -> None:
    correction = CHAIN[number % len(CHAIN)]
    if name == "add":
        history.add(correction)
    elif name == "drop":
        history.drop(correction.fingerprint)
    else:
        getattr(history, name)()


@given(ACTS)
def test_undo_goes_back_the_way_that_was_come(names: list[str]) -> None:
    history = History()
    for number, name in enumerate(names):
        act(history, name, number)
        assert len({item.fingerprint for item in history.corrections}) == len(history.corrections)
    here, steps = history.corrections, history.position
    for _ in range(steps):
        assert history.can_undo
        history.undo()
    assert (history.corrections, history.can_undo) == ((), False)
    for _ in range(steps):
        history.redo()
    assert history.corrections == here


def test_a_change_cuts_off_what_could_be_redone() -> None:
    history = History()
    history.add(CHAIN[0])
    history.undo()
    history.add(CHAIN[1])
    assert (history.corrections, history.can_redo) == ((CHAIN[1],), False)


def test_the_same_chain_is_no_change() -> None:
    history = History()
    history.add(CHAIN[0])
    history.add(CHAIN[0])
    history.drop("nothing of this name")
    assert len(history.chains) == 2


def test_the_oldest_chains_are_forgotten() -> None:
    history = History()
    for _ in range(LONGEST):
        history.add(CHAIN[0])
        history.clear()
    assert len(history.chains) == LONGEST
    assert history.position == LONGEST - 1


def test_what_is_kept_is_kept_in_the_past_as_well() -> None:
    history = History()
    history.add(CHAIN[0], CHAIN[1])
    history.drop(CHAIN[1].fingerprint)
    history.mark_kept(CHAIN[0].fingerprint, 7)
    assert history.corrections == (replace(CHAIN[0], kept=7),)
    history.undo()
    assert [item.kept for item in history.corrections] == [7, None]


def test_a_correction_says_what_is_so_as_long_as_it_ends_the_chain() -> None:
    last = replace(CHAIN[1], before=(CHAIN[0].fingerprint,))
    assert last.ends((CHAIN[0], last))
    assert not last.ends((last,))
    assert not last.ends((CHAIN[0], last, CHAIN[2]))
