"""The corrections of one session: what was done, undone, and can be done again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sparsecbm_core.session.correction import Correction, Corrections

LONGEST = 200


@dataclass(frozen=True)
class Step:
    """From one chain to another: the corrections that ``left`` it, and those that came ``back``."""

    left: Corrections
    back: Corrections

    @classmethod
    def between(cls, before: Corrections, after: Corrections) -> Step:
        def only(chain: Corrections, other: Corrections) -> Corrections:
            there = {item.fingerprint for item in other}
            return tuple(item for item in chain if item.fingerprint not in there)

        return cls(only(before, after), only(after, before))


@dataclass
class History:
    """Chains of corrections, the present one at ``position``: undo and redo move it, a change cuts off
    what could be redone."""

    chains: list[Corrections] = field(default_factory=lambda: [()])
    position: int = 0

    @property
    def corrections(self) -> Corrections:
        """The present chain."""
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

    def change(self, corrections: Iterable[Correction]) -> None:
        """Go on with another chain; one that is the same is no change."""
        chain = tuple(corrections)
        if chain == self.corrections:
            return
        self.chains = [*self.chains[: self.position + 1], chain][-LONGEST:]
        self.position = len(self.chains) - 1

    def add(self, *corrections: Correction) -> None:
        """Correct further; a correction that is in the chain already would undo itself and is left out."""
        here = {item.fingerprint for item in self.corrections}
        self.change([*self.corrections, *(item for item in corrections if item.fingerprint not in here)])

    def drop(self, fingerprint: str) -> None:
        """Do without one correction, wherever it is in the chain."""
        self.change(item for item in self.corrections if item.fingerprint != fingerprint)

    def clear(self) -> None:
        """The model as it was loaded; this too can be undone."""
        self.change(())

    def mark_kept(self, fingerprint: str, number: int | None) -> None:
        """A correction is in the ledger under ``number``, or no longer: true of the past and the future
        as well, and nothing to undo."""
        self.chains = [
            tuple(replace(item, kept=number) if item.fingerprint == fingerprint else item for item in chain)
            for chain in self.chains
        ]
