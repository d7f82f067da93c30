"""Whether the words that each method colours are the ones that matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparsecbm_core.explain.tokens.registry import METHODS
from sparsecbm_core.figures import intervals_figure
from ui.widgets.exhibits import Exhibit, Section, points, ranged, signed_ends, signed_points, where

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.results import Estimate, ModelReport, WordScores

CONTROLS = {"random": "random order", "mask_swap": "another concept's subnetwork"}


def words(report: ModelReport) -> Section | None:
    """Every token method beside its controls."""
    known = {name: one.result for name, one in report.words.items() if one.result and one.result.margins}
    if not known:
        return None
    names = [name for name in METHODS if name in known] + [name for name in known if name not in METHODS]
    titles = [method_title(name) for name in names]
    series = [
        ranged(f"Compared with {title}", [_margin(known[name], control) for name in names])
        for control, title in CONTROLS.items()
        if any(control in known[name].margins for name in names)
    ]
    measured = report.words[names[0]]
    figure = intervals_figure(
        titles,
        series,
        "what the state loses more than in the comparison, points, with 95 % intervals",
        signed_points,
        zero=True,
    )
    first = known[names[0]]
    return Section(
        "Are the coloured words the ones that matter?",
        tuple(word_words(name, known[name]) for name in names),
        (
            Exhibit(
                "word-scores",
                "What a state loses without the words put first",
                f"{first.pairs:,} concepts mentioned in {first.reviews:,} reviews. Words are deleted from "
                "the first on, a tenth after the other, and what the state's probability loses is averaged. "
                "To the right of 0 a method is better than what it is compared with.",
                word_rows(names, known),
                "How much more a state loses without the words of each method than in comparisons",
                figure,
                percents=WORD_SHARES,
            ),
        ),
        where(measured),
    )


WORD_SHARES = (
    "state_loses_without_first_words",
    "in_random_order",
    "by_another_subnetwork",
    "state_loses_with_first_words_alone",
    "alone_in_random_order",
    "alone_by_another_subnetwork",
)


def word_rows(names: Sequence[str], known: Mapping[str, WordScores]) -> list[dict[str, Any]]:
    rows = []
    for name in names:
        found = known[name]
        by_name = {control: found.rankings.get(control) for control in ("own", "random", "mask_swap")}
        values = [one and one.comprehensiveness for one in by_name.values()]
        values += [one and one.sufficiency for one in by_name.values()]
        row: dict[str, Any] = {"method": method_title(name), "pairs": found.pairs}
        row |= dict(zip(WORD_SHARES, values, strict=True))
        for control, margin in found.margins.items():
            for what, one in (("", margin.comprehensiveness), ("_alone", margin.sufficiency)):
                start = f"against_{control}{what}"
                row |= {start: one.value, f"{start}_low": one.low, f"{start}_high": one.high}
        rows.append(row)
    return rows


def method_title(name: str) -> str:
    return METHODS[name].title if name in METHODS else name.replace("_", " ").capitalize()


def _margin(found: WordScores, control: str) -> Estimate | None:
    margin = found.margins.get(control)
    return None if margin is None else margin.comprehensiveness


def verdict(margin: Estimate) -> str:
    """Where a margin over a control lies, by its interval: "better", "worse" or "not told apart"."""
    if margin.low is not None and margin.low > 0:
        return "better"
    if margin.high is not None and margin.high < 0:
        return "worse"
    return "not told apart"


def word_words(name: str, found: WordScores) -> str:
    """A method's figures and its controls', with what to make of them, good or bad."""
    said = {
        "better": "better than",
        "worse": "worse than",
        "not told apart": "not clearly different from",
    }
    own = found.rankings["own"].comprehensiveness
    text = f"{method_title(name)}: without the words it puts first, a state loses {points(own)}."
    for control, title in CONTROLS.items():
        margin = found.margins.get(control)
        if margin is not None:
            one = margin.comprehensiveness
            than = title if control == "random" else "the words that another concept's subnetwork puts first"
            text += (
                f" That is {said[verdict(one)]} {than}: {signed_points(one.value)} points{signed_ends(one)}."
            )
    return text
