"""Model card: what the model is, how good it is, and when not to trust it."""

from ui import card, parts
from ui.state import current

state = current()
state.page = "model_card"
info = parts.model_card()
parts.title("Model card", info, link=False)
card.show(state, info)
