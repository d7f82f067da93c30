"""Model card: what the model is, how good it is, and when not to trust it."""

from ui import card, parts, picker
from ui.address import MODEL, read_model, write_address
from ui.state import current

state = current()
models = parts.models()
info = read_model(state, "model_card", models)
write_address(state, MODEL)
picker.title("Model card", state, models, info, link=False)
card.show(state, info)
