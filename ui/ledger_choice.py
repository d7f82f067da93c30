"""What a visitor has chosen to look at on the Corrections page, and what the page last told them."""

from __future__ import annotations

from dataclasses import dataclass

ALL, ACTIVE, REVERTED = "all", "active", "reverted"
STATUSES = {ALL: "All", ACTIVE: "Active", REVERTED: "Reverted"}


@dataclass(frozen=True)
class Told:
    """What came of the last action; not ``good`` where nothing was changed because something was wrong."""

    text: str
    good: bool = True


@dataclass
class LedgerChoice:
    """One visitor's choices: the filter, and a page of each list.

    ``told`` is shown once. ``uploads`` counts imports, so that each begins with an empty field. ``measure`` is
    set while the accuracy along the chain is asked for, ``leave`` where a correction is to be redone on the
    Explain page.
    """

    concept: str | None = None
    state: str | None = None
    status: str = ALL
    search: str = ""
    page: int = 1
    session_page: int = 1
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
        self.page = 1

    def show_all(self) -> None:
        self.concept, self.state, self.status, self.search, self.page = None, None, ALL, "", 1
