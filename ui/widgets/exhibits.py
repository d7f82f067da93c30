"""A section of the model card as a value: sentences, charts and tables, for the page and for the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.widgets import layout
from ui.widgets.charts import chart
from ui.widgets.table import table

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.evaluate.trust.results import Estimate, Measured
    from sparsecbm_core.figures import Ranged

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Exhibit:
    """Numbers as a table, with a chart of them where there is ``figure``; ``alt`` says what it shows.

    ``about`` is one line on what was measured, ``name`` that of the files and of the chart.
    """

    name: str
    title: str
    about: str
    rows: Sequence[Row]
    alt: str
    figure: go.Figure | None = None
    percents: tuple[str, ...] = ()
    what: str = "The numbers"
    help: str | None = None


@dataclass(frozen=True)
class Section:
    """A heading, what the numbers say in plain sentences, and the numbers."""

    title: str
    sentences: tuple[str, ...]
    exhibits: tuple[Exhibit, ...] = ()
    where: str = ""
    help: str | None = None


def show(section: Section) -> None:
    layout.section(section.title, help=section.help)
    for sentence in section.sentences:
        layout.lead(sentence)
    if section.where:
        layout.caption(section.where)
    if section.exhibits:  # behind a click: what they say stands above, in sentences
        with st.expander("Charts and numbers", type="compact"):
            for exhibit in section.exhibits:
                show_exhibit(exhibit)


def show_exhibit(exhibit: Exhibit) -> None:
    if exhibit.title:
        layout.subsection(exhibit.title, exhibit.about, exhibit.help)
    elif exhibit.about:
        layout.caption(exhibit.about)
    if exhibit.figure is None:
        table(exhibit.rows, exhibit.name, exhibit.alt, exhibit.what, exhibit.percents)
    else:
        chart(exhibit.figure, exhibit.rows, exhibit.name, exhibit.alt, exhibit.what, exhibit.percents)


def where(measured: Measured[Any], unit: str = "review") -> str:
    """Data, split, how many, seed and time of a part, in one line.

    >>> from types import SimpleNamespace as made
    >>> where(made(data={"name": "CEBaB", "split": "dev"}, examples=1, seed=0, seconds=2.4))
    'CEBaB, dev, 1 review, seed 0, measured in 2 s'
    """
    said = dict.fromkeys(measured.data.get(key) for key in ("name", "split"))
    name = ", ".join(one for one in said if one)
    count = f"{measured.examples:,} {unit}{'' if measured.examples == 1 else 's'}"
    took = "" if measured.seconds is None else f", measured in {_seconds(measured.seconds)}"
    return f"{name or 'unnamed data'}, {count}, seed {measured.seed}{took}"


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return "less than a second"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def points(value: float) -> str:
    """A difference of shares in points, without its sign.

    >>> points(-0.0421), points(0.01)
    ('4.2 points', '1.0 points')
    """
    return f"{100 * abs(value):.1f} points"


def signed_points(value: float) -> str:
    """A difference of shares in points, with its sign.

    >>> signed_points(0.118), signed_points(-0.02), signed_points(0)
    ('+11.8', '−2.0', '0.0')
    """
    text = f"{100 * value:+.1f}"
    return text[1:] if not float(text) else text.replace("-", "−")


def ends(estimate: Estimate) -> str:
    """The interval of a share in brackets; empty where there is none.

    >>> from types import SimpleNamespace as made
    >>> ends(made(low=0.621, high=0.75)), ends(made(low=None, high=None))
    (' (62.1 to 75.0 %)', '')
    """
    if estimate.low is None or estimate.high is None:
        return ""
    return f" ({100 * estimate.low:.1f} to {100 * estimate.high:.1f} %)"


def signed_ends(estimate: Estimate) -> str:
    """The interval of a difference in brackets; empty where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f" ({signed_points(estimate.low)} to {signed_points(estimate.high)})"


def points_between(estimate: Estimate) -> str:
    """A difference in points and its interval, without brackets.

    >>> from types import SimpleNamespace as made
    >>> points_between(made(value=0.05, low=-0.01, high=0.11))
    '+5.0 points, −1.0 to +11.0'
    """
    text = f"{signed_points(estimate.value)} points"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text}, {signed_points(estimate.low)} to {signed_points(estimate.high)}"


def ranged(name: str, estimates: Sequence[Estimate | None]) -> Ranged:
    """A series of estimates with their intervals, for a chart."""
    from sparsecbm_core.figures import Ranged

    return Ranged(
        name,
        [None if one is None else one.value for one in estimates],
        [None if one is None else one.low for one in estimates],
        [None if one is None else one.high for one in estimates],
    )
