"""How every text and chart writes its numbers."""

from __future__ import annotations


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, as every text and chart writes it.

    >>> signed(1.904), signed(-0.7), signed(-0.001)
    ('+1.90', '−0.70', '0.00')
    """
    text = f"{value:+.{digits}f}"
    if not float(text):
        return text[1:]
    return text.replace("-", "−")


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
