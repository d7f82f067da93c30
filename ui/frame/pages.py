"""The pages of the app: where each lies, and what the navigation calls it. The first opens at "/"."""

from __future__ import annotations

EXPLAIN, THREE_VIEWS, MASKS = "pages/explain.py", "pages/three_views.py", "pages/masks.py"
CORRECTIONS, MODEL_CARD = "pages/corrections.py", "pages/model_card.py"
TITLES = {
    EXPLAIN: "Explain",
    THREE_VIEWS: "Three views",
    MASKS: "Masks",
    CORRECTIONS: "Corrections",
    MODEL_CARD: "Model card",
}
