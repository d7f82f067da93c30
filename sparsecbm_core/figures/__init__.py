"""Results as plotly figures: pure functions that read what a result holds and never run a model."""

from sparsecbm_core.figures.bars import paired_bars, share_bars
from sparsecbm_core.figures.contributions import (
    Breakdown,
    Part,
    before_after_figure,
    breakdown,
    contribution_figure,
)
from sparsecbm_core.figures.look import AGAINST, FOR, NEUTRAL
from sparsecbm_core.figures.masks import density_figure, density_top, overlap_figure, shared_by_figure
from sparsecbm_core.figures.numbers import (
    millions,
    percent,
    precise_percent,
    score_text,
    shared_title,
    signed,
)

__all__ = [
    "AGAINST",
    "FOR",
    "NEUTRAL",
    "Breakdown",
    "Part",
    "before_after_figure",
    "breakdown",
    "contribution_figure",
    "density_figure",
    "density_top",
    "millions",
    "overlap_figure",
    "paired_bars",
    "percent",
    "precise_percent",
    "score_text",
    "share_bars",
    "shared_by_figure",
    "shared_title",
    "signed",
]
