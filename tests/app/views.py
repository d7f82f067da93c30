"""What the tests of the Three views page look at it with."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from streamlit.testing.v1 import AppTest

from tests.app.conftest import chart, html

HEADS = ["Attention", "Plain concept bottleneck", "Sparse pathway", "Put to the test"]


def heads(app: AppTest) -> list[str]:
    return [header.value for header in app.header]


def lines(app: AppTest) -> str:
    """Everything that the page says in HTML of its own, without marks."""
    return unescape(" ".join(re.sub("<[^>]*>", " ", part.proto.body) for part in app.get("html")))


def reviews(app: AppTest) -> list[str]:
    return [part.proto.body for part in app.get("html") if 'class="review"' in part.proto.body]


def cells(app: AppTest, caption: str) -> list[list[str]]:
    table = html(app, f'aria-label="{caption}').split("<tbody>")[1]
    return [re.findall("<t[hd][^>]*>([^<]*)</t[hd]>", row) for row in table.split("</tr>")[:-1]]


def words_of_test(app: AppTest, concept: str) -> dict[str, Any]:
    figure: Any = chart(app, f"words-taken-out-{concept}")
    return {bars["name"]: bars["text"] for bars in figure["data"]}
