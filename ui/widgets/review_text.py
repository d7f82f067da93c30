"""The whole review with the words coloured that matter for one concept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from sparsecbm_core.concepts import UNKNOWN
from sparsecbm_core.explain.results import Explanation, TokenScore, Truncation
from sparsecbm_core.explain.tokens.registry import METHODS
from sparsecbm_core.figures import score_text

# Below this share of the strongest word nothing is coloured: a calm page shows what matters.
# Scores without a sign are never near zero, so more of them is background.
FLOOR, FLOOR_UNSIGNED = 0.08, 0.35
LONG = 1200


def has_sign(method: str | None) -> bool:
    """Whether scores of ``method`` say for or against."""
    return method is None or method not in METHODS or METHODS[method].signed


def side(score: float, signed_words: bool) -> str:
    """Whether a word speaks "for" or "against" the state; "neutral" where its score has no sign."""
    if not signed_words:
        return "neutral"
    return "for" if score > 0 else "against"


def review_html(explanation: Explanation, concept: str, signed_words: bool) -> str:
    """The text as safe HTML: words for the state underlined, words against it dashed, unread text grey."""
    item = explanation.concepts[concept]
    return words_html(
        explanation.text,
        () if item.state == UNKNOWN else item.tokens,
        explanation.truncated,
        lambda score: score_text(score, signed_words),
        signed_words,
    )


def words_html(
    text: str,
    tokens: Sequence[TokenScore],
    truncated: Truncation,
    number: Callable[[float], str],
    signed_words: bool = False,
    name: str = "The review",
) -> str:
    """The text as safe HTML, words coloured by their share of the highest score, unread text grey.

    ``number`` writes the score that a word shows when it is pointed at, ``name`` is read out for a long text.
    """
    read_to = truncated.kept_chars if truncated.cut else len(text)
    most = max((abs(token.score) for token in tokens), default=0.0)
    floor = FLOOR if signed_words else FLOOR_UNSIGNED
    parts, done = [], 0
    for token in tokens:
        strength = abs(token.score) / most if most else 0.0
        if strength < floor or token.start < done:
            continue
        kind = side(token.score, signed_words)
        parts.append(escape(text[done : token.start]))
        parts.append(
            f'<span class="sc-word sc-{kind}" style="--strength: {strength:.2f}" '
            f'title="{escape(number(token.score))}">{escape(text[token.start : token.end])}</span>'
        )
        done = token.end
    parts.append(escape(text[done : max(done, read_to)]))
    if read_to < len(text):
        parts.append(f'<span class="sc-unread">{escape(text[max(done, read_to) :])}</span>')
    body = "".join(parts).replace("\x00", "\N{SYMBOL FOR NULL}")
    scroll = f' tabindex="0" role="region" aria-label="{escape(name)}"' if len(text) > LONG else ""
    return f'<div class="review" dir="auto"{scroll}>{body}</div>'


def words_read(explanation: Explanation) -> str:
    """How many words there are, and how many the model read."""
    if explanation.truncated.cut:
        return f"{_first(explanation.text, explanation.truncated)} read"
    total = len(explanation.text.split())
    return f"{total:,} word{'s' if total != 1 else ''}, all read"


def _first(text: str, truncated: Truncation) -> str:
    """What was read of a text that was cut: whole words, or characters where no spaces part them."""
    end = truncated.kept_chars
    kept, total = len(text[:end].split()), len(text.split())
    kept -= not (text[end - 1 : end].isspace() or text[end : end + 1].isspace())  # a word cut in two
    if kept > 0:
        return f"first {kept:,} of {total:,} words"
    return f"first {end:,} of {len(text):,} characters"


def unread(text: str, truncated: Truncation) -> str:
    """What is grey in a text, for its legend; empty where all was read."""
    if not truncated.cut:
        return ""
    return f'<span class="sc-unread">Grey words</span> were not read, only the {_first(text, truncated)}'


def legend_html(state_title: str, signed_words: bool, grey: str) -> str:
    """What the colours mean; ``grey`` is what `unread` says of the text."""
    state = escape(state_title)
    if signed_words:
        items = [
            f'<span class="sc-word sc-for">word</span> speaks for “{state}”',
            '<span class="sc-word sc-against">word</span> speaks against it',
        ]
    else:
        items = [
            f'<span class="sc-word sc-neutral">word</span> moves “{state}”, in one direction or the other'
        ]
    if grey:
        items.append(grey)
    return '<p class="sc-legend">' + "".join(f"<span>{item}</span>" for item in items) + "</p>"
