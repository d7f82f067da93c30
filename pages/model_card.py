"""Model card: what the model is, how good it is, and when not to trust it."""

from ui.frame import app, pages
from ui.model_card import page

state, card, _ = app.begin(pages.MODEL_CARD, "Model card", of_review=False, link=False)
page.show(state, card)
