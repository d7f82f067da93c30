"""What the ledger answers with, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparsecbm_core.intervene.patch import Patch

SCHEMA_VERSION = 2
ACTIVE, REVERTED = "active", "reverted"


@dataclass(frozen=True)
class KeptCorrection:
    """A kept correction: what its `Patch` says, and what became of it.

    ``created`` is when the correction was made and ``changed`` when ``status`` last changed, both in
    UTC. ``r`` is a share of the prunable weights; ``dropped`` and ``grown`` count weights. ``text``
    is None unless the user agreed to keep the review. ``scope`` says for which reviews it holds, one of
    `sparsecbm_core.intervene.scope.SCOPES`. ``patch`` carries the present note and text.
    """

    id: int
    created: datetime
    model: str
    concept: str
    state_before: str
    state: str
    rule: str
    r: float
    seed: int
    dropped: int
    grown: int
    guard: Mapping[str, Any] | None
    note: str
    text: str | None
    scope: str
    status: str
    changed: datetime
    patch: Patch = field(repr=False)
    schema_version: int = SCHEMA_VERSION

    @property
    def active(self) -> bool:
        """Whether `Ledger.replay` applies it."""
        return self.status == ACTIVE

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; of the edit its fingerprint (the flips themselves go into a patch file)."""
        values = {name: value for name, value in vars(self).items() if name != "patch"}
        return {
            **values,
            "created": self.created.isoformat(),
            "changed": self.changed.isoformat(),
            "guard": None if self.guard is None else dict(self.guard),
            "edit": self.patch.edit.fingerprint(),
        }


@dataclass(frozen=True)
class Imported:
    """What an import did: the corrections it ``added``, and those that were ``known`` before."""

    added: tuple[KeptCorrection, ...]
    known: tuple[KeptCorrection, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "added": [correction.to_dict() for correction in self.added],
            "known": [correction.to_dict() for correction in self.known],
        }


@dataclass(frozen=True)
class Overlap:
    """A later active correction and the mask bits (``shared``) that it flips as well."""

    id: int
    shared: int


@dataclass(frozen=True)
class Overlaps:
    """What reverting correction ``id`` does to the sparsity, given what was corrected after it.

    ``later`` names the later active corrections that flip bits of it, ``bits`` is how many of its
    bits are the other way round because of them. Such a bit now flips against its purpose, which
    counts twice: a revert moves the number of kept weights by at most 2·``bits``, and by nothing
    without any (as long as what was corrected before it has not changed). ``kept`` is the exact
    change, positive where the subnetworks grow; None where no model was given to count in.
    """

    id: int
    later: tuple[Overlap, ...]
    bits: int
    kept: int | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
