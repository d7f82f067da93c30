"""Texts put together: names and messages from elsewhere for places that read Markdown, and numbers."""

from __future__ import annotations

SIGNS = frozenset("\\`*_{}[]()#+-.!|<>~$:&=^")
JOINER = "\N{WORD JOINER}"


def plain(text: str) -> str:
    r"""``text`` for a place that reads Markdown: a label may be called "1." or "$5".

    Escaping does not keep Streamlit from making an icon of ":material/home:"; an invisible joiner does.

    >>> plain("1. $5 :x:")
    '1\\. \\$5 \\:x\\:'
    """
    escaped = "".join(f"\\{sign}" if sign in SIGNS else sign for sign in " ".join(text.split()))
    return escaped.replace("\\:material/", f"\\:{JOINER}material/")


def counted(count: int, what: str) -> str:
    """
    >>> counted(1, "correction"), counted(1200, "mask bit")
    ('1 correction', '1,200 mask bits')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"
