"""Texts put together: names and messages from elsewhere for places that read Markdown, and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsecbm_core.concepts import REST, ConceptSpace

if TYPE_CHECKING:
    from sparsecbm_core.intervene.patch import Patch

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


def short(text: str, length: int = 60) -> str:
    """The beginning of a text, in one line.

    >>> short("cold  soup", 20), short("cold soup, kind waiter", 9)
    ('cold soup', 'cold soup…')
    """
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[:length].rstrip()}…"


def answer_title(space: ConceptSpace, part: str, name: str) -> str:
    """The title of a concept's state, or of a label, which is what is said of the rest."""
    return space.label_title(name) if part == REST else space.title(name)


def correction_title(patch: Patch, space: ConceptSpace) -> str:
    """What was corrected: "Service: Positive → Negative"."""
    was, now = (answer_title(space, patch.concept, name) for name in (patch.state_before, patch.state))
    return f"{space.title(patch.concept)}: {was} → {now}"


def counted(count: int, what: str) -> str:
    """
    >>> counted(1, "correction"), counted(1200, "mask bit")
    ('1 correction', '1,200 mask bits')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"
