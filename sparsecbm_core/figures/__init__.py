"""Results as plotly figures: pure functions that read what a result holds and never run a model."""

from sparsecbm_core.figures.bars import grouped_bars, paired_bars, share_bars
from sparsecbm_core.figures.case_study import case_study_html
from sparsecbm_core.figures.chain import chain_figure
from sparsecbm_core.figures.contributions import (
    Breakdown,
    Part,
    answer_breakdown,
    before_after_figure,
    breakdown,
    contribution_figure,
    digits_of,
)
from sparsecbm_core.figures.curves import Curve, Level, Panel, curves_figure
from sparsecbm_core.figures.dose import dose_figure
from sparsecbm_core.figures.dots import Dots, dots_figure
from sparsecbm_core.figures.intervals import Ranged, intervals_figure
from sparsecbm_core.figures.look import AGAINST, COSTS, FOR, LIFTS, NEUTRAL
from sparsecbm_core.figures.mask_changes import block_changes_figure, blocks_figure, changes_figure
from sparsecbm_core.figures.mask_windows import pair_window_figure, window_figure
from sparsecbm_core.figures.masks import density_figure, density_top, overlap_figure, shared_by_figure
from sparsecbm_core.figures.matrix import matrix_figure
from sparsecbm_core.figures.numbers import (
    millions,
    percent,
    precise_percent,
    score_text,
    shared_title,
    signed,
)
from sparsecbm_core.figures.plots import Plot, Series, plots_figure

__all__ = [
    "AGAINST",
    "COSTS",
    "FOR",
    "LIFTS",
    "NEUTRAL",
    "Breakdown",
    "Curve",
    "Dots",
    "Level",
    "Panel",
    "Part",
    "Plot",
    "Ranged",
    "Series",
    "answer_breakdown",
    "before_after_figure",
    "block_changes_figure",
    "blocks_figure",
    "breakdown",
    "case_study_html",
    "chain_figure",
    "changes_figure",
    "contribution_figure",
    "curves_figure",
    "density_figure",
    "density_top",
    "digits_of",
    "dose_figure",
    "dots_figure",
    "grouped_bars",
    "intervals_figure",
    "matrix_figure",
    "millions",
    "overlap_figure",
    "pair_window_figure",
    "paired_bars",
    "percent",
    "plots_figure",
    "precise_percent",
    "score_text",
    "share_bars",
    "shared_by_figure",
    "shared_title",
    "signed",
    "window_figure",
]
