"""The model card as one HTML page that opens anywhere, without a network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from sparsecbm_core.concepts import ConceptSpace
from ui.model_card import evaluation_file, facts, metrics, pathway, sections
from ui.model_card.doubt import Doubt
from ui.model_card.doubts import doubts
from ui.model_card.metrics import Report, measured_on, reports, split_title
from ui.resources.known import Source
from ui.resources.models import ModelCard
from ui.widgets import subnetworks
from ui.widgets.exhibits import Exhibit, Section
from ui.widgets.offline import chart, details, page
from ui.widgets.table import table_html

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.results import ModelReport
    from sparsecbm_core.explain.subnetworks import SubnetworkStats


def card_html(
    info: ModelCard, deep: ModelReport | None, fingerprint: str, stats: SubnetworkStats | None = None
) -> str:
    """The whole page; ``stats`` are those of the subnetworks."""
    found = {**evaluation_file.as_reports(deep), **reports(info.metrics)}
    body = [
        "<h1>Model card</h1>",
        f'<p class="sc-note">{escape(info.title)}</p><p>{escape(facts.about(info))}</p>',
        _facts(info, fingerprint),
        *(part for split, report in found.items() for part in _split(info, split, report, deep)),
    ]
    if not found:
        body.append("<h2>How good it is</h2><p>This model comes without measurements.</p>")
    if stats is not None and stats.overlaps:
        body.append(_overlap(stats, info.space))
    if deep is not None:
        body += [_section(section) for section in sections.sections(deep, info.space)]
    body += ["<h2>When not to trust it</h2>", *_limits(info, deep)]
    if info.training:
        rows = facts.setting_rows(info)
        body += ["<h2>How it was trained</h2>", details("All settings", table_html(rows, "All settings"))]
    return page(f"Model card: {info.title}", body)


def _facts(info: ModelCard, fingerprint: str) -> str:
    rows = [(heading, _source(known, name)) for heading, known, name in facts.origins(info)]
    rows += [("Fingerprint", fingerprint), ("SparseCBM Explorer", facts.versions(info))]
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    return f'<dl class="sc-terms">{items}</dl>'


def _source(known: Source | None, name: object) -> str:
    if known is not None:
        return f"{known.name}, {known.licence}"
    return f"{name}, licence not recorded" if name else "not recorded"


def _split(info: ModelCard, split: str, report: Report, deep: ModelReport | None) -> list[str]:
    """Everything measured on one split."""
    where, note = measured_on(split, report, info.training)
    said = [
        f"<h2>How good it is: {escape(split_title(split))}</h2>",
        f'<p class="sc-note">{escape(where)}{escape(f" ({note})") if note else ""}.</p>',
        metrics.tiles_html(report, where),
    ]
    trust = pathway.pathway(report, info.space, where)
    if trust is not None:
        said.append(_section(trust, level=3))
    exhibits = list(sections.results(report, deep, split, info.space, where))
    used = metrics.used(report, info.space)
    said += [_exhibit(exhibit) for exhibit in (*exhibits, *([used] if used else []))]
    leakage = sections.leakage(report, deep, split, where)
    return said if leakage is None else [*said, _section(leakage, level=3)]


def _overlap(stats: SubnetworkStats, space: ConceptSpace) -> str:
    """How much the subnetworks share."""
    said = f"<p>{escape(subnetworks.overlap_words(stats))} {escape(subnetworks.CHANCE)}</p>"
    return f"<h2>Overlap between concepts</h2>{said}{_exhibit(subnetworks.overlap_exhibit(stats, space))}"


def _section(section: Section, level: int = 2) -> str:
    sentences = "".join(f"<p>{escape(text)}</p>" for text in section.sentences)
    where = f'<p class="sc-note">{escape(section.where)}</p>' if section.where else ""
    return (
        f"<h{level}>{escape(section.title)}</h{level}>{sentences}{where}"
        f"{''.join(_exhibit(exhibit) for exhibit in section.exhibits)}"
    )


def _exhibit(exhibit: Exhibit) -> str:
    head = f"<h3>{escape(exhibit.title)}</h3>" if exhibit.title else ""
    note = f'<p class="sc-note">{escape(exhibit.about)}</p>' if exhibit.about else ""
    picture = chart(exhibit.figure, exhibit.alt) if exhibit.figure is not None else ""
    table = table_html(exhibit.rows, exhibit.alt, exhibit.percents)
    return f"{head}{note}{picture}{details(exhibit.what, table)}"


def _limits(info: ModelCard, deep: ModelReport | None) -> list[str]:
    weak, given = facts.weak_results(reports(info.metrics)), facts.general(info)
    if deep is None:
        return [_list([*weak, *given, *facts.EXPECTED, facts.OVERRIDES])]
    measured = [*weak, *doubts(deep, info.space)]
    return [
        _list(measured) if measured else f"<p>{escape(facts.NO_DOUBT)}</p>",
        "<h3>True of every such model</h3>",
        _list([*given, facts.OVERRIDES]),
    ]


def _list(lines: Sequence[Doubt]) -> str:
    items = "".join(f"<li><strong>{escape(line.about)}</strong> {escape(line.text)}</li>" for line in lines)
    return f"<ul>{items}</ul>"
