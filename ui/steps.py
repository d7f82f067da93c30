"""The corrections of one session, as values: what was done, undone, and can be done again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparsecbm_core.intervene.guard import GuardReport
    from sparsecbm_core.intervene.patch import Patch
    from sparsecbm_core.intervene.results import Intervention

LONGEST_HISTORY = 200


@dataclass(frozen=True)
class Step:
    """One correction. ``done``, ``report`` and ``text`` are there where it was made in this session;
    ``kept`` is its number in the ledger, None while it is not kept. ``earlier`` counts corrections of the
    same concept that held before, and those of them that hold after, ``before`` names the edits of the
    chain it was made on top of, and ``guard`` is the fingerprint of the reviews that ``report`` is of.

    A step holds flips, some numbers and the review's text, never weights: a few kB.
    """

    patch: Patch
    text: str | None = None
    done: Intervention | None = None
    report: GuardReport | None = None
    kept: int | None = None
    earlier: tuple[int, int] = (0, 0)
    before: tuple[str, ...] = ()
    guard: str | None = None

    @property
    def edit(self) -> str:
        """What tells one correction from another: the fingerprint of its flips."""
        return self.patch.edit.fingerprint()

    def ends(self, steps: Steps) -> bool:
        """Whether a chain is as this correction left it: what was read then is what is read now."""
        return [step.edit for step in steps] == [*self.before, self.edit]


Steps = tuple[Step, ...]


@dataclass
class History:
    """Chains of corrections, the present one at ``position``: undo and redo move it, a change cuts off
    what could be redone."""

    chains: list[Steps] = field(default_factory=lambda: [()])
    position: int = 0

    @property
    def steps(self) -> Steps:
        return self.chains[self.position]

    @property
    def can_undo(self) -> bool:
        return self.position > 0

    @property
    def can_redo(self) -> bool:
        return self.position + 1 < len(self.chains)

    def undo(self) -> None:
        self.position -= self.can_undo

    def redo(self) -> None:
        self.position += self.can_redo

    def change(self, steps: Iterable[Step]) -> None:
        """Go on with another chain; one that is the same is no change."""
        chain = tuple(steps)
        if chain == self.steps:
            return
        self.chains = [*self.chains[: self.position + 1], chain][-LONGEST_HISTORY:]
        self.position = len(self.chains) - 1

    def add(self, *steps: Step) -> None:
        """Correct further; a correction that is in the chain already would undo itself and is left out."""
        here = {step.edit for step in self.steps}
        self.change([*self.steps, *(step for step in steps if step.edit not in here)])

    def drop(self, edit: str) -> None:
        """Do without one correction, wherever it is in the chain."""
        self.change(step for step in self.steps if step.edit != edit)

    def clear(self) -> None:
        """The model as it was loaded; this too can be undone."""
        self.change(())

    def mark_kept(self, edit: str, number: int | None) -> None:
        """A correction is in the ledger under ``number``, or no longer: true of the past and the future
        as well, and nothing to undo."""
        self.chains = [
            tuple(replace(step, kept=number) if step.edit == edit else step for step in chain)
            for chain in self.chains
        ]
