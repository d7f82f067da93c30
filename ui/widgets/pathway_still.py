"""The pathway as a still picture: what the page shows, as SVG that opens anywhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.explain.results import Explanation
from sparsecbm_core.figures import FOR, NEUTRAL
from sparsecbm_core.figures.contributions import COLORS as SIDES
from sparsecbm_core.figures.look import INK
from sparsecbm_core.figures.still import FONT
from ui.widgets.pathway import UNSCORED, pathway_data
from ui.widgets.review_text import has_sign

if TYPE_CHECKING:
    from sparsecbm_core.explain.subnetworks import DensityImage, SubnetworkStats

COLORS = {**SIDES, "neutral": NEUTRAL}
PALE = "#5A6472"
# Pixels: left and right of every column, and what a row of it takes.
WORDS, MASK, CARD, LABEL, WIDTH = (8, 210), (262, 412), (452, 700), (800, 1032), 1040
TOP, WORD_ROW, PART_ROW, SUM_ROW, LABEL_ROW = 52, 34, 84, 36, 46
LONGEST = 24  # letters of a word or title that have room


def pathway_svg(
    explanation: Explanation,
    space: ConceptSpace,
    selected: str,
    stats: SubnetworkStats | None,
    images: Mapping[str, DensityImage],
) -> str:
    """The picture with the words of the ``selected`` concept."""
    signed = has_sign(explanation.method)
    data = pathway_data(explanation, space, selected, signed, stats, images, without="", unscored=UNSCORED)
    said = [f"{part['title']}: {part['state']}, {part['text']}" for part in data["concepts"]]
    title = space.label_title(explanation.label)
    return _drawn(data, f"The pathway to {title}, {data['score']}. {'; '.join(said)}")


def _drawn(data: Mapping[str, Any], alt: str) -> str:
    parts = [*data["concepts"], *([data["rest"]] if data["rest"] else [])]
    sums = [*([data["others"]] if data["others"] else []), data["base"]]
    heights = (
        PART_ROW * len(parts) + SUM_ROW * len(sums),
        WORD_ROW * len(data["words"]),
        LABEL_ROW * len(data["labels"]) + 20,
    )
    height = TOP + max(heights) + 12
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "role": "img",
            "aria-label": alt,
            "viewBox": f"0 0 {WIDTH} {height}",
            "style": "background:#fff",
            "font-family": FONT,
            "font-size": "13",
            "fill": INK,
        },
    )
    links = SubElement(root, "g", {"fill": "none"})  # behind all that is written
    for (left, _), name in ((WORDS, "words"), (MASK, "mask"), (CARD, "concept"), (LABEL, "label")):
        _text(root, left, 24, data["headings"][name], weight="600")
    target = _labels(root, data)
    largest = max([*(abs(part["value"]) for part in [*parts, *sums]), 1e-9])
    for place, part in enumerate(parts):
        y = TOP + PART_ROW * place
        selected = part["name"] == data["selected"]
        _part(root, part, y, selected)
        middle = y + 30
        _curve(links, (MASK[1], middle), (CARD[0], middle), FOR if selected else NEUTRAL, 2.5, 1.0)
        width, opacity = 1.5 + 13 * abs(part["value"]) / largest, 0.8 if selected else 0.42
        _curve(links, (CARD[1], middle), target, COLORS[part["side"]], width, opacity)
        if selected:
            _words(root, links, data, middle)
    for place, one in enumerate(sums):
        y = TOP + PART_ROW * len(parts) + SUM_ROW * place + 20
        _text(root, CARD[0], y, one["title"])
        color = COLORS[one.get("side", "neutral")]
        _text(root, CARD[1] - 10, y, one["text"], anchor="end", weight="600")
        _curve(links, (CARD[1], y - 4), target, color, 1.5 + 13 * abs(one["value"]) / largest, 0.6)
    return tostring(root, encoding="unicode")


def _labels(root: Element, data: Mapping[str, Any]) -> tuple[float, float]:
    """Every label with its share; where the links end."""
    target, y = (float(LABEL[0]), float(TOP)), TOP
    for label in data["labels"]:
        weight = "600" if label["on"] else "400"
        _text(root, LABEL[0], y + 14, _short(label["title"]), weight=weight)
        _text(root, LABEL[1], y + 14, label["text"], anchor="end", weight=weight)
        _bar(root, (LABEL[0], y + 22), LABEL[1] - LABEL[0], label["share"], label["on"])
        if label["on"]:
            target = (LABEL[0] - 8.0, y + 25.0)
            _text(root, LABEL[0], y + 46, data["score"], color=PALE)
            y += 20
        y += LABEL_ROW
    return target


def _part(root: Element, part: Mapping[str, Any], y: float, selected: bool) -> None:
    """A concept, or the rest: its subnetwork, its state, and what it adds."""
    mask, edge = part["mask"], {"stroke": FOR if selected else "#C6CCD6", "fill": "none", "rx": "8"}
    box = {"x": CARD[0], "y": y, "width": CARD[1] - CARD[0], "height": 60}
    SubElement(root, "rect", {**_numbers(box), **edge, "stroke-width": "2" if selected else "1"})
    if mask["cells"]:
        place = {"x": MASK[0], "y": y, "width": MASK[1] - MASK[0], "height": 52}
        SubElement(root, "rect", {**_numbers(place), "fill": "#F3F5F8"})
        image = _tile(mask)
        SubElement(
            root,
            "image",
            {**_numbers(place), "href": image, "preserveAspectRatio": "none", "image-rendering": "pixelated"},
        )
    _text(root, MASK[0], y + 68, mask["caption"], color=PALE, size="12")
    _text(root, CARD[0] + 12, y + 24, _short(part["title"]), weight="600", size="14")
    _text(root, CARD[1] - 12, y + 24, part["text"], anchor="end", weight="600", color=COLORS[part["side"]])
    _text(root, CARD[0] + 12, y + 46, part["state"], color=PALE)


def _words(root: Element, links: Element, data: Mapping[str, Any], middle: float) -> None:
    if data["note"]:
        _text(root, WORDS[0], TOP + 14, data["note"], color=PALE)
        return
    most = max([*(abs(word["value"]) for word in data["words"]), 1e-9])
    for place, word in enumerate(data["words"]):
        y = TOP + WORD_ROW * place + 16
        color = COLORS[word["side"]]
        _text(root, WORDS[0], y, _short(word["title"]))
        _text(root, WORDS[1], y, word["text"], anchor="end", color=color, weight="600")
        width = 1.2 + 9 * abs(word["value"]) / most
        _curve(links, (WORDS[1] + 6, y - 4), (MASK[0], middle), color, width, 0.5)


def _curve(
    links: Element, start: Sequence[float], end: Sequence[float], color: str, width: float, opacity: float
) -> None:
    bend = (start[0] + end[0]) / 2
    shape = f"M{start[0]:g} {start[1]:g}C{bend:g} {start[1]:g} {bend:g} {end[1]:g} {end[0]:g} {end[1]:g}"
    look = {"stroke": color, "stroke-width": f"{width:.1f}", "opacity": f"{opacity:g}"}
    SubElement(links, "path", {"d": shape, **look})


def _bar(root: Element, at: tuple[float, float], width: float, share: float, on: bool) -> None:
    box = {"x": at[0], "y": at[1], "height": 6, "rx": 3}
    SubElement(root, "rect", {**_numbers({**box, "width": width}), "fill": "#E6E9EE"})
    size = max(0.005, share) * width
    SubElement(root, "rect", {**_numbers({**box, "width": size}), "fill": FOR if on else NEUTRAL})


def _text(
    root: Element,
    x: float,
    y: float,
    text: str,
    anchor: str = "start",
    color: str = INK,
    weight: str = "400",
    size: str = "13",
) -> None:
    look = {"text-anchor": anchor, "fill": color, "font-weight": weight, "font-size": size}
    SubElement(root, "text", {**_numbers({"x": x, "y": y}), **look}).text = text


def _numbers(values: Mapping[str, float]) -> dict[str, str]:
    return {name: f"{value:g}" for name, value in values.items()}


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _tile(mask: Mapping[str, Any]) -> str:
    """The cells as a picture of one colour, whose strength is how much is used."""
    from PIL import Image

    levels = np.array(mask["cells"], np.uint8).reshape(mask["rows"], mask["columns"])
    colour = np.empty((*levels.shape, 4), np.uint8)
    colour[..., :3], colour[..., 3] = tuple(bytes.fromhex(FOR[1:])), levels
    out = io.BytesIO()
    Image.fromarray(colour).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
