"""Model card: what the model is, how good it is, and when not to trust it."""

from ui.frame import picker
from ui.frame.address import MODEL, read_model, write_address
from ui.model_card import page
from ui.state import current
from ui.widgets import parts

state = current()
models = parts.models()
info = read_model(state, "model_card", models)
write_address(state, MODEL)
picker.title("Model card", state, models, info, link=False)
page.show(state, info)
