"""What a visitor has chosen to look at on the Masks page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LOADED, CORRECTED, DIFFERENCE, PAIR = "loaded", "corrected", "difference", "pair"
VIEWS = {
    DIFFERENCE: "What corrections changed",
    LOADED: "As loaded",
    CORRECTED: "As corrected",
    PAIR: "Two concepts",
}
SIZES = (24, 48, 96)


def views(corrected: bool, several: bool) -> list[str]:
    """What there is to look at: whether the concept's mask was corrected, and whether there are others."""
    there = {LOADED: True, CORRECTED: corrected, DIFFERENCE: corrected, PAIR: several}
    return [name for name in VIEWS if there[name]]


@dataclass
class MaskChoice:
    """One visitor's choices.

    ``view`` None stands for the difference where there is one, else for the masks as loaded; ``matrix``
    None for the one with the most to see, ``corner`` (row, column) None for the busiest place in it.
    ``second`` is the concept that the chosen one is compared with, ``size`` how many weights the window is
    wide and high.
    """

    view: str | None = None
    second: str | None = None
    matrix: str | None = None
    corner: tuple[int, int] | None = None
    size: int = 48

    def shown(self, views: Sequence[str]) -> str:
        """The chosen view, or else the first of those there are."""
        return views[0] if self.view is None or self.view not in views else self.view

    def other(self, concept: str, concepts: tuple[str, ...]) -> str:
        """The concept to compare with: the chosen one, or else the first other one."""
        others = [name for name in concepts if name != concept]
        return self.second if self.second in others else others[0]

    def choose_view(self, name: str) -> None:
        """Another view has its changes elsewhere, so the window looks for them anew."""
        self.view, self.corner = name, None

    def choose_matrix(self, name: str) -> None:
        self.matrix, self.corner = name, None

    def choose_second(self, name: str) -> None:
        self.second = name

    def choose_size(self, size: int) -> None:
        self.size = size

    def go_to(self, row: int, column: int) -> None:
        """Show the window whose first weight is at ``row``, ``column``, both counted from 0."""
        self.corner = row, column
