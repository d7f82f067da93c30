"""Reviews before and after a correction, with their words, as HTML without scripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from sparsecbm_core.figures.look import AGAINST, FOR, NEUTRAL
from sparsecbm_core.figures.numbers import percent

Titles = Callable[[str], str]

_STYLE = f"""<style>
.case {{ border-top: 1px solid {NEUTRAL}; padding: 1rem 0; }}
.case h2 {{ font-size: 1.15rem; margin: .5rem 0; }} .case h3 {{ font-size: .95rem; margin: .25rem 0; }}
.steps {{ display: grid; grid-template-columns: repeat(3, 1fr); gap: 1rem; }}
.steps > div {{ border: 1px solid {NEUTRAL}; border-radius: 8px; padding: .75rem; }}
.words {{ line-height: 1.9; }} .words mark {{ padding: .1em .05em; border-radius: 3px; color: inherit; }}
.bar {{ display: block; height: .55rem; background: {FOR}; border-radius: 3px; min-width: 1px; }}
.bar.wrong {{ background: repeating-linear-gradient(45deg, {AGAINST} 0 5px, #fff 5px 7px); }}
.case table {{ border-collapse: collapse; font-size: .9rem; }} .case td, .case th {{ padding: .15rem .5rem;
  text-align: right; border: 1px solid #dfe3e8; }} .case th {{ font-weight: 600; }}
.case .scale {{ width: 6rem; text-align: left; }} .case th, .case td {{ white-space: nowrap; }}
@media (max-width: 48rem) {{ .steps {{ grid-template-columns: 1fr; }} }}
</style>"""


def case_study_html(
    cases: Sequence[Mapping[str, Any]],
    titles: Mapping[str, str],
    label_titles: Mapping[str, str] | None = None,
) -> str:
    """Each case before, by hand and after: the label, the concept's state, its words, the weights changed.

    Darker words matter more for the concept, by the size of its gradient. Labels that a reader would not
    give are hatched. ``titles`` are what a person reads in place of a name, ``label_titles`` in place of a
    label's that is called as a state is.

    >>> case_study_html([], {}).startswith("<style>")
    True
    """

    def title(name: str) -> str:
        return escape(titles.get(name, name))

    def label(name: str) -> str:
        return escape((label_titles or {}).get(name, titles.get(name, name)))

    return _STYLE + "".join(_case(case, title, label) for case in cases)


def _case(case: Mapping[str, Any], title: Titles, label: Titles) -> str:
    concept, gold = case["concept"], case["gold_label"]
    before, after = case["before"], case["after"]
    head = f"{title(concept)} is {title(case['state'])}, read as {title(before['states'][concept])}"
    steps = [
        ("As the model reads it", before, before["states"][concept], before["words"]),
        ("Set by hand, for this once", case["oracle"], case["state"], None),
        ("After the correction", after, after["states"][concept], after["words"]),
    ]
    columns = []
    for name, said, state, words in steps:
        text = "" if words is None else f'<p class="words">{_words(case["text"], words)}</p>'
        if words is None:
            text = "<p>The model stays as it is: the same review is read wrong again the next time.</p>"
        columns.append(
            f"<div><h3>{name}</h3><p>{title(concept)}: <b>{title(state)}</b>"
            f"{_share(said, concept)}.<br>Label: <b>{label(said['label'])}</b>; "
            f"a reader gives {label(gold)}.</p>{_labels(said['labels'], gold, label)}{text}</div>"
        )
    flips = (
        f"{case['dropped']:,} weights dropped and {case['grown']:,} grown, of {case['prunable_weights']:,}: "
        f"where, by layer and matrix (−dropped, +grown)."
    )
    return (
        f'<section class="case"><h2>{head}</h2><div class="steps">{"".join(columns)}</div>'
        f"<p>{flips}</p>{_changes(case['matrices'])}</section>"
    )


def _share(said: Mapping[str, Any], concept: str) -> str:
    return f" ({percent(said['probabilities'][concept])})" if "probabilities" in said else ""


def _labels(shares: Mapping[str, float], gold: str, title: Titles) -> str:
    rows = []
    for label, share in shares.items():
        kind = "bar" if label == gold else "bar wrong"
        bar = f'<td class="scale"><span class="{kind}" style="width:{100 * share:.1f}%"></span></td>'
        rows.append(f"<tr><th>{title(label)}</th><td>{percent(share)}</td>{bar}</tr>")
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def _words(text: str, words: Sequence[Mapping[str, Any]]) -> str:
    """The review with each word shaded by its score's size against the largest."""
    top, parts, at = max((abs(word["score"]) for word in words), default=0.0) or 1.0, [], 0
    for word in words:
        alpha = 0.65 * abs(word["score"]) / top
        parts.append(escape(text[at : word["start"]]))
        shown = escape(text[word["start"] : word["end"]])
        parts.append(f'<mark style="background:rgba(59,120,216,{alpha:.2f})">{shown}</mark>')
        at = word["end"]
    return "".join(parts) + escape(text[at:])


def _changes(matrices: Sequence[Mapping[str, Any]]) -> str:
    """Layers as rows, matrices as columns."""
    layers = sorted({item["layer"] for item in matrices})
    roles = list(dict.fromkeys(item["role"] for item in matrices))
    cells = {(item["layer"], item["role"]): item for item in matrices}
    rows = []
    for layer in layers:
        row = [cells.get((layer, role)) for role in roles]
        texts = ["–" if item is None else f"−{item['dropped']:,} +{item['grown']:,}" for item in row]
        rows.append(f"<tr><th>Layer {layer + 1}</th>{''.join(f'<td>{text}</td>' for text in texts)}</tr>")
    head = "".join(f"<th>{escape(role)}</th>" for role in roles)
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
