"""How every text and chart writes its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, as every text and chart writes it.

    >>> signed(1.904), signed(-0.7), signed(-0.001)
    ('+1.90', '−0.70', '0.00')
    """
    text = f"{value:+.{digits}f}"
    if not float(text):
        return text[1:]
    return text.replace("-", "−")


def adding_up(terms: Sequence[float], total: float, digits: int = 2) -> tuple[list[float], float]:
    """The terms of a sum and the sum, rounded so that what is shown adds up as well.

    By largest remainder: a term is off by less than one unit of the last digit. Terms that do not add up
    to ``total`` are rounded one by one.

    >>> adding_up([0.126, 0.126, 0.126], 0.378)
    ([0.13, 0.13, 0.12], 0.38)
    """
    unit = 10**digits
    goal = round(total * unit)
    whole = [math.floor(term * unit) for term in terms]
    missing = goal - sum(whole)
    if abs(sum(terms) - total) > 0.5 / unit or not 0 <= missing <= len(terms):
        return [round(term, digits) for term in terms], round(total, digits)
    by_rest = sorted(range(len(terms)), key=lambda i: whole[i] - terms[i] * unit)
    for i in by_rest[:missing]:
        whole[i] += 1
    return [count / unit for count in whole], goal / unit


def score_text(score: float, has_sign: bool) -> str:
    """A word's score: with its sign, or to two significant digits where the method gives none.

    >>> score_text(0.5, True), score_text(0.01234, False), score_text(12.5, False)
    ('+0.50', '0.012', '12.50')
    """
    if has_sign:
        return signed(score)
    return f"{score:.2g}" if abs(score) < 1 else f"{score:.2f}"


def millions(count: int) -> str:
    """A count as a reader says it.

    >>> millions(10616832), millions(4096)
    ('10.6 M', '4,096')
    """
    return f"{count / 1e6:.1f} M" if count >= 1_000_000 else f"{count:,}"


def percent(share: float) -> str:
    """A share as whole per cent, never rounded to a certainty that it is not.

    >>> percent(0.623), percent(0.9996), percent(0.0004), percent(1.0)
    ('62 %', '> 99 %', '< 1 %', '100 %')
    """
    if 0 < share < 0.005:
        return "< 1 %"
    if 0.995 <= share < 1:
        return "> 99 %"
    return f"{share:.0%}".replace("%", " %")


def precise_percent(share: float) -> str:
    """A measured share with one decimal.

    >>> precise_percent(0.8934)
    '89.3 %'
    """
    return f"{100 * share:.1f} %"


def shared_title(n: int, concepts: int) -> str:
    """How many concepts keep a weight, in words.

    >>> [shared_title(n, 3) for n in range(4)]
    ['no concept', 'one concept', '2 concepts', 'all 3 concepts']
    """
    if n < 2:
        return ("no concept", "one concept")[n]
    return f"all {n} concepts" if n == concepts else f"{n} concepts"
