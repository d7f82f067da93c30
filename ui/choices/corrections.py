"""What a visitor has chosen to look at on the Corrections page, and what the page last told them."""

from __future__ import annotations

from dataclasses import dataclass, field

ALL, ACTIVE, REVERTED = "all", "active", "reverted"
STATUSES = {ALL: "All", ACTIVE: "Active", REVERTED: "Reverted"}


@dataclass(frozen=True)
class Told:
    """What came of the last action; not ``good`` where nothing was changed because something was wrong."""

    text: str
    good: bool = True


@dataclass
class LedgerChoice:
    """One visitor's choices: the filter, a page of each list, and the rows that are ``opened``.

    ``filters`` counts changes of the filter, each of which begins at the first page, ``uploads`` imports,
    each of which begins with an empty field. ``told`` is shown once. ``measure`` is set while the accuracy
    along the chain is asked for, ``leave`` where a correction is to be made anew on the Explain page.
    """

    concept: str | None = None
    state: str | None = None
    status: str = ALL
    search: str = ""
    page: int = 1
    filters: int = 0
    session_page: int = 1
    opened: set[str] = field(default_factory=set)
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
        self._from_the_first()

    def open(self, row: str, is_open: bool) -> None:
        (self.opened.add if is_open else self.opened.discard)(row)

    def show_all(self) -> None:
        self.concept, self.state, self.status, self.search = None, None, ALL, ""
        self._from_the_first()

    def _from_the_first(self) -> None:
        self.page, self.filters = 1, self.filters + 1
