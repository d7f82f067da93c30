"""An answer or a score as a sum over its parts, and the label before and after a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.figures.bars import paired_bars
from sparsecbm_core.figures.look import AGAINST, COSTS, FOR, LIFTS, NEUTRAL, hatched, line, plain, safe
from sparsecbm_core.figures.numbers import adding_up, signed

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sparsecbm_core.concepts import ConceptSpace
    from sparsecbm_core.explain.results import Explanation
    from sparsecbm_core.intervene.oracle import OracleResult


SCORE_SIDES, ANSWER_SIDES = ("for", "against"), ("lifts", "costs")
COLORS = {"for": FOR, "against": AGAINST, "lifts": LIFTS, "costs": COSTS}
TENTHS = 20.0  # scales up to so long are shown with one decimal, longer ones with none


@dataclass(frozen=True)
class Part:
    """What one concept, or the rest, adds; ``text`` is the number every text and chart shows for it.

    ``sides`` are what to call a number above zero and one below.
    """

    name: str
    title: str
    value: float
    text: str
    sides: tuple[str, str] = SCORE_SIDES

    @property
    def side(self) -> str:
        """One of ``sides`` or, where the number shown is zero, "neutral"."""
        return dict(zip("+−", self.sides, strict=True)).get(self.text[0], "neutral")


@dataclass(frozen=True)
class Breakdown:
    """A score, or an answer in units of its labels, as a sum: ``base`` and the ``parts``, one per concept and
    for the rest, add up to ``total``.

    So do the numbers shown: ``base_text``, the parts' and ``total_text``. ``sides`` are those of the parts.
    """

    base_title: str
    base: float
    base_text: str
    parts: tuple[Part, ...]
    total_title: str
    total: float
    total_text: str
    sides: tuple[str, str] = SCORE_SIDES

    def rows(self) -> list[dict[str, Any]]:
        """The sum as a table, one row a term and one for the total."""
        terms = [(self.base_title, self.base), *((part.title, part.value) for part in self.parts)]
        return [{"part": title, "value": value} for title, value in (*terms, (self.total_title, self.total))]


def breakdown(
    explanation: Explanation,
    space: ConceptSpace,
    label: str | None = None,
    against: str | None = None,
    relative: bool = True,
) -> Breakdown:
    """The logit of ``label`` (default: the predicted one) as a sum over all parts, largest first.

    ``relative`` measures each part against the head's reference, the average text or one that says nothing;
    otherwise activations count from zero. With ``against`` the sum is the difference of the two labels'
    logits: why one and not the other.

    >>> [part.name for part in breakdown(why, model.space).parts]
    ['food', 'service', 'noise']
    """
    label = explanation.label if label is None else label
    for name in (label, *([] if against is None else [against])):
        space.label_index(name)
    if against == label:
        raise InputError(f"a label cannot be compared with itself, got {label!r} twice")

    def value(values: Mapping[str, float]) -> float:
        return values[label] - (values[against] if against is not None else 0.0)

    values = {
        name: value(item.relative_contributions if relative else item.contributions)
        for name, item in explanation.parts.items()
    }
    base, total = value(explanation.base if relative else explanation.bias), value(explanation.logits)
    (base_shown, *shown), total_shown = adding_up([base, *values.values()], total)
    parts = [
        Part(name, space.title(name), values[name], signed(number))
        for name, number in zip(values, shown, strict=True)
    ]
    parts.sort(key=lambda part: -abs(part.value))
    title = space.label_title(label)
    return Breakdown(
        base_title=reference_title(explanation) if relative else "Fixed start",
        base=base,
        base_text=signed(base_shown),
        parts=tuple(parts),
        total_title=f"Score of {title}"
        if against is None
        else f"{title} ahead of {space.label_title(against)}",
        total=total,
        total_text=signed(total_shown),
    )


def reference_title(explanation: Explanation) -> str:
    """What contributions are measured against."""
    return "Average review" if explanation.rest is None else "Nothing said"


def digits_of(space: ConceptSpace) -> int:
    """Decimals of an answer in the labels' units.

    >>> digits_of(model.space)
    1
    """
    values = space.label_values or (0.0,)
    return 1 if max(values) - min(values) <= TENTHS else 0


def answer_breakdown(explanation: Explanation, space: ConceptSpace) -> Breakdown | None:
    """The answer on the scale of its labels as a sum over all parts, largest first; None without a scale.

    >>> view = answer_breakdown(why, model.space)
    >>> view.total_title, view.total_text
    ('Expected', '1.2')
    """
    found = explanation.expected
    if found is None:
        return None
    digits = digits_of(space)
    (base, *shown), total = adding_up([found.base, *found.parts.values()], found.value, digits)
    parts = [
        Part(name, space.title(name), found.parts[name], signed(number, digits), ANSWER_SIDES)
        for name, number in zip(found.parts, shown, strict=True)
    ]
    parts.sort(key=lambda part: -abs(part.value))
    return Breakdown(
        base_title=reference_title(explanation),
        base=found.base,
        base_text=f"{base:.{digits}f}",
        parts=tuple(parts),
        total_title=f"Expected {found.unit}".strip(),
        total=found.value,
        total_text=f"{total:.{digits}f}",
        sides=ANSWER_SIDES,
    )


def contribution_figure(parts: Breakdown, selected: str | None = None) -> go.Figure:
    """A waterfall from the base, one step a concept, to the score; ``selected`` stands out.

    >>> len(contribution_figure(breakdown(why, model.space)).data[0].x)
    5
    """
    import plotly.graph_objects as go

    starts, value = [0.0], parts.base
    for part in parts.parts:
        starts.append(value)
        value += part.value
    starts.append(0.0)
    widths = [parts.base, *(part.value for part in parts.parts), parts.total]
    titles = [parts.base_title, *(part.title for part in parts.parts), parts.total_title]
    names = [None, *(part.name for part in parts.parts), None]
    strong = {parts.total_title, *(part.title for part in parts.parts if part.name == selected)}
    titles = [f"<b>{safe(title)}</b>" if title in strong else safe(title) for title in titles]
    texts = [parts.base_text, *(part.text for part in parts.parts), parts.total_text]
    up, down = (COLORS[side] for side in parts.sides)
    colors = [NEUTRAL, *(up if part.value >= 0 else down for part in parts.parts), NEUTRAL]
    hatches = ["", *("" if part.value >= 0 else "/" for part in parts.parts), ""]
    positions = list(range(len(widths)))
    ends = [start + width for start, width in zip(starts, widths, strict=True)]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=positions,
            x=widths,
            base=starts,
            marker={
                "color": colors,
                # 0.8 keeps 3 to 1 on white and on near-black.
                "opacity": [1.0 if selected is None or name in (None, selected) else 0.8 for name in names],
                "pattern": hatched(hatches),
            },
            customdata=texts,
            hovertemplate="%{customdata}<extra></extra>",
            width=0.56,
        )
    )
    low, high = min(0.0, *starts, *ends), max(0.0, *starts, *ends)
    numbers = [
        {
            "x": max(start, end),
            "y": i,
            "text": f"<b>{texts[i]}</b>",
            "showarrow": False,
            "xanchor": "left",
            "xshift": 6,
            "font": {"size": 13},
        }
        for i, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
    # Threads from one step to the next, and the zero.
    lines = [line((end, i), (end, i + 1), dash="dot") for i, end in enumerate(ends[:-2])]
    lines.append(line((0, -0.5), (0, len(positions) - 0.5)))
    figure.update_layout(annotations=numbers, shapes=lines)
    plain(figure, len(positions))
    figure.update_xaxes(visible=False, range=[low, high if high > low else 1.0])
    figure.update_yaxes(tickvals=positions, ticktext=titles, range=[len(positions) - 0.5, -0.5])
    return figure


def before_after_figure(result: OracleResult, space: ConceptSpace) -> go.Figure:
    """Label probabilities of the model, and with the concepts set by hand.

    >>> from sparsecbm_core.intervene.oracle import oracle
    >>> said = oracle(model, why, {"food": "Positive"})
    >>> [bars.name for bars in before_after_figure(said, model.space).data]
    ['Model', 'With your change']
    """
    return paired_bars(
        [space.label_title(label) for label in space.labels],
        ("Model", [result.probabilities[label] for label in space.labels]),
        ("With your change", [result.probabilities_after[label] for label in space.labels]),
        colors=(NEUTRAL, FOR),
    )
